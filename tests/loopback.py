"""A TCP listener on this machine that does to its connections what a test tells it to."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    Serve = Callable[["Peer"], None]


class Peer:
    """The listener's end of one connection."""

    def __init__(self, sock: socket.socket, listener: Listener) -> None:
        self.sock = sock
        self.listener = listener
        self._reader = sock.makefile("rb")

    def request(self) -> bytes:
        """One request, head and body; empty if the other side has closed."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self._reader.readline()
            if not line:
                return b""
            head += line
        length = next(
            (
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            ),
            0,
        )
        whole = head + self._reader.read(length)
        self.listener.received.append(whole)
        return whole

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def drip(self, data: bytes, seconds: float) -> None:
        """Sends byte after byte until the data, the test or the other side's patience ends."""
        for at in range(len(data)):
            self.send(data[at : at + 1])
            if self.listener.ended.wait(seconds):
                return

    def stay_silent(self) -> None:
        self.listener.ended.wait(30)

    def reset(self) -> None:
        """Closes with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()

    def close(self) -> None:
        self._reader.close()
        self.sock.close()


class Listener:
    """Serves every connection in a thread of its own and keeps what it receives.

    Attributes:
        url: `http://127.0.0.1:<port>`, or https with a TLS context.
        received: Requests, head and body.
        connections: How many were accepted.
        ended: Set when the test is over.
    """

    def __init__(self, serve: Serve, *, tls: ssl.SSLContext | None = None) -> None:
        self._serve = serve
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.received: list[bytes] = []
        self.connections = 0
        self.ended = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._threads[0].join(10)
        for sock in self._sockets:
            with suppress(OSError):  # wakes whoever waits for another request
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._socket.accept()
                sock.settimeout(20)
                self.connections += 1
                self._sockets.append(sock)
                thread = threading.Thread(target=self._run, args=(sock,))
                self._threads.append(thread)
                thread.start()

    def _run(self, sock: socket.socket) -> None:
        with suppress(OSError, ValueError):
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            peer = Peer(sock, self)
            with suppress(OSError, ValueError):
                self._serve(peer)
            peer.close()
        sock.close()


def http(status: int = 200, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    """An HTTP/1.1 answer with a Content-Length, a wrong one if `length` is given."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def answering(*answers: bytes) -> Serve:
    """Answers request after request of a connection; the last answer is used for all that follow."""

    def serve(peer: Peer) -> None:
        number = 0
        while peer.request():
            peer.send(answers[min(number, len(answers) - 1)])
            number += 1

    return serve
