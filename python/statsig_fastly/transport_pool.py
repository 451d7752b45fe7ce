"""urllib3 connections that keep a deadline for the whole answer; imported with the first request.

A socket timeout starts again with every byte, so a server that sends one byte now and then could
hold a caller for ever. Here every read of the socket, of headers and body alike, gets the time that
is left.
"""

from __future__ import annotations

import io
import time
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import TYPE_CHECKING, NamedTuple

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError

if TYPE_CHECKING:
    import socket

__all__ = ["Deadline", "deadline_of_this_exchange", "deadline_pool"]

_CONNECTIONS_KEPT = 32
_BUFFER_BYTES = 64 * 1024


class Deadline(NamedTuple):
    """When to give up.

    Attributes:
        at: End of the exchange, in seconds of `time.monotonic`.
        silence: Seconds without a single byte.
    """

    at: float
    silence: float

    def next_read(self) -> float:
        """Seconds the next read may take.

        Raises:
            TimeoutError: None are left.
        """
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return min(left, self.silence)


# urllib3 has no way to hand something down to the response, and makes it in the thread that asks.
deadline_of_this_exchange: ContextVar[Deadline] = ContextVar("statsig_fastly_deadline")


class _SocketReader(io.RawIOBase):
    """Reads a socket, never for longer than the deadline allows."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]  # what io really passes
        self._sock.settimeout(self._deadline.next_read())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(
        self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        deadline = deadline_of_this_exchange.get(None)
        if deadline is not None:
            self.fp.close()
            self.fp = io.BufferedReader(_SocketReader(sock, deadline), _BUFFER_BYTES)


class _Connection(HTTPConnection):
    response_class = _Response

    def connect(self) -> None:
        super().connect()
        _allow_sending(self.sock)


class _TlsConnection(HTTPSConnection):
    response_class = _Response

    def connect(self) -> None:
        try:
            super().connect()
        except TimeoutError:  # in the handshake, which urllib3 would report as a read timeout
            raise ConnectTimeoutError(self, "timed out in the TLS handshake") from None
        _allow_sending(self.sock)


def _allow_sending(sock: socket.socket | None) -> None:
    # A new socket still has the connect timeout, which is too short for sending a large body.
    deadline = deadline_of_this_exchange.get(None)
    if sock is not None and deadline is not None:
        sock.settimeout(deadline.next_read())


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def deadline_pool() -> urllib3.PoolManager:
    """A new pool whose connections obey `deadline_of_this_exchange`."""
    manager = urllib3.PoolManager(num_pools=4, maxsize=_CONNECTIONS_KEPT, retries=False)
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager
