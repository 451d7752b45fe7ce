"""A stand-in for Statsig's endpoints of ID lists on loopback, and the official core asking it in step.

Whoever asks through `IdListServer` as a proxy reaches nobody else: it answers for other hosts, or refuses.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from statsig_python_core import ProxyConfig

from loopback import Listener, Peer, http
from reference import Reference

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["Asked", "IdListServer", "ListedFile", "OfficialRounds"]

CDN = "api.statsigcdn.com"
_START = re.compile(rb"(?:[?&]range=|\r\nrange: bytes=)(\d+)-", re.IGNORECASE)


@dataclass(frozen=True)
class ListedFile:
    """A list as the server has it.

    Attributes:
        file: Its file.
        file_id: As in the index.
        created: As in the index, as `creationTime`.
        size: As in the index; None: as it is.
        answer: Bytes to answer with instead of the file. The connection is closed after what is not whole.
    """

    file: bytes = b""
    file_id: str = "file 1"
    created: int = 1
    size: int | None = None
    answer: bytes | None = None

    def but(self, **changes: Any) -> ListedFile:  # noqa: ANN401 - as the fields are
        """The same with changes."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        method: HTTP method.
        host: What the header of that name says.
        target: Path and query.
        headers: Header values by lower-case name; each was sent once.
    """

    method: str
    host: str
    target: str
    headers: dict[str, str] = field(repr=False)

    @classmethod
    def of(cls, request: bytes) -> Asked:
        first, *lines = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        pairs = [(line.partition(": ")[0].lower(), line.partition(": ")[2]) for line in lines]
        headers = dict(pairs)
        assert len(headers) == len(pairs)
        if not target.startswith("/"):  # as a proxy is asked
            parts = urlsplit(target)
            assert parts.netloc == headers["host"]
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return cls(method, headers.pop("host"), target, headers)


class IdListServer:
    """Serves an index and files, directly and as a proxy.

    Args:
        names: Every name a list may have.
        tls: With it, requests for Statsig's CDN are answered, too.
        ranges: False: whole files are sent, whatever is asked for.

    Attributes:
        url: `http://127.0.0.1:<port>`.
        port: The port.
        lists: The lists there are, by name. Change it between rounds.
        index: Bytes to answer with in place of the index; None: the index.
        files_at: URL of a list's file, with `{}` for the number of the list.
        asked: Requests for indexes and files, in their order.
        refused: Hosts that were to be reached through it, and were not.
    """

    def __init__(self, *names: str, tls: ssl.SSLContext | None = None, ranges: bool = True) -> None:
        self._names = names
        self._tls = tls
        self._ranges = ranges
        self._listener = Listener(self._serve)
        self._tunnels: list[ssl.SSLSocket] = []
        self.url = self._listener.url
        self.port = self._listener.port
        self.lists: dict[str, ListedFile] = {}
        self.index: bytes | None = None
        self.files_at = f"{self.url}/files/{{}}"
        self.asked: list[Asked] = []
        self.refused: list[str] = []
        # For those who are let through one round at a time.
        self.waits = False
        self.arrived = threading.Semaphore(0)
        self.let_through = threading.Semaphore(0)

    def __enter__(self) -> Self:
        self._listener.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for tunnel in self._tunnels:
            with suppress(OSError):  # wakes whoever waits for another request
                tunnel.shutdown(socket.SHUT_RDWR)
        self._listener.__exit__(kind, error, trace)

    @property
    def index_url(self) -> str:
        """What the official package calls `id_lists_url`."""
        return f"{self.url}/v1/get_id_lists"

    def take_asked(self) -> list[Asked]:
        """What was asked since the last call."""
        taken, self.asked = self.asked, []
        return taken

    def _serve(self, peer: Peer) -> None:
        while request := peer.request():
            if request.startswith(b"CONNECT "):
                host = request.split(b" ", 2)[1].decode().partition(":")[0]
                if host != CDN or self._tls is None:
                    self.refused.append(host)
                    peer.send(http(502))
                    continue
                peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
                with self._tls.wrap_socket(peer.sock, server_side=True) as tunnel:
                    self._tunnels.append(tunnel)
                    inner = Peer(tunnel, peer.listener)
                    try:
                        self._serve(inner)
                    finally:
                        inner.close()
                return
            asked = Asked.of(request)
            if "/get_id_lists" in asked.target:
                self.asked.append(asked)
                if self.waits:
                    self.arrived.release()
                    self.let_through.acquire()
                peer.send(http(body=self._index()) if self.index is None else self.index)
            elif "/files/" in asked.target:
                self.asked.append(asked)
                listed = self.lists[self._names[int(asked.target.partition("/files/")[2].partition("?")[0])]]
                answer = self._file(request, listed.file) if listed.answer is None else listed.answer
                peer.send(answer)
                if not _is_whole(answer):
                    return
            else:
                peer.send(http(404))

    def _index(self) -> bytes:
        index = {
            name: {
                "name": name,
                "size": len(listed.file) if listed.size is None else listed.size,
                "url": self.files_at.format(self._names.index(name)),
                "creationTime": listed.created,
                "fileID": listed.file_id,
            }
            for name, listed in self.lists.items()
        }
        return json.dumps(index).encode()

    def _file(self, request: bytes, file: bytes) -> bytes:
        wanted = _START.search(request.partition(b"\r\n\r\n")[0])
        start = int(wanted[1]) if wanted is not None and self._ranges else 0
        if not start:
            return http(200, file)
        if start >= len(file):
            return http(416)
        # Of the query, caches know nothing.
        by_query = b"range=" in request.partition(b"\r\n")[0]
        return http(
            200 if by_query else 206,
            file[start:],
            f"Content-Range: bytes {start}-{len(file) - 1}/{len(file)}",
        )


def _is_whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    return length is not None and len(body) == int(length[1])


class OfficialRounds:
    """The official core, which looks for ID lists when it is told to. A context manager.

    Args:
        payload: The config specs, v2 format.
        server: What it reaches, and all that it reaches.
        ca: A file with the certificate of an authority for it to trust.
        options: Further options of the official package.
    """

    def __init__(
        self,
        payload: bytes,
        server: IdListServer,
        ca: str | None = None,
        **options: Any,  # noqa: ANN401 - whatever the official package takes
    ) -> None:
        self._server = server
        server.waits = True
        proxy = ProxyConfig(
            proxy_host="127.0.0.1", proxy_port=server.port, proxy_protocol="http", ca_cert_path=ca
        )
        with pytest.MonkeyPatch.context() as patch:
            # Or else it takes no interval below a second.
            patch.setenv("STATSIG_RUNNING_TESTS", "1")
            self.reference = Reference(
                payload,
                start=False,
                disable_network=False,
                proxy_config=proxy,
                specs_url=f"{server.url}/v2/download_config_specs",
                log_event_url=f"{server.url}/v1/log_event",
                enable_id_lists=True,
                id_lists_sync_interval_ms=1,
                **options,
            )
        self._start: threading.Thread | None = threading.Thread(target=self.reference.start)

    def __enter__(self) -> Self:
        assert self._start is not None
        self._start.start()
        assert self._server.arrived.acquire(timeout=30)
        return self

    def round(self) -> None:
        """Lets it have the index, and waits until it is done with that, and asks for the next."""
        self._server.let_through.release()
        if self._start is not None:
            self._start.join(30)
            self._start = None
        assert self._server.arrived.acquire(timeout=30)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.waits = False
        self._server.let_through.release()
        if self._start is not None:
            self._start.join(30)
        self.reference.close()
