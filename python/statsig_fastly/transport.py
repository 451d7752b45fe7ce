"""One HTTP exchange: a `Request` goes in, a `Response` or a `TransportError` comes out.

`HttpTransport` keeps one pool of connections alive on urllib3, which is imported with the first
request and not before. It follows no redirect, repeats no request and decodes no body. What an
answer means is for the caller: a 404 is a `Response` like any other.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from statsig_fastly.errors import StatsigFastlyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import urllib3

__all__ = ["HttpTransport", "Request", "Response", "Transport", "TransportError", "as_transport"]

ERROR_BODY_BYTES = 64 * 1024
"""How much of the body of an answer other than 2xx is kept, in bytes."""

_PIECE_BYTES = 64 * 1024

Reason = Literal["unreachable", "tls", "timeout", "truncated", "too-large", "protocol"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to ask, and how long and how much to accept.

    Attributes:
        method: HTTP method, upper case.
        url: Absolute URL, percent-encoded. It carries no secret but `hide`.
        hide: What is secret in `url`, as it stands there: Statsig's protocol has an SDK key in a path.
            `repr` and the log lines of urllib3 have `[…]` in its place. Empty: nothing.
        headers: Header fields to send. They may hold a token, so `repr` leaves them out.
        body: Bytes to send, or None.
        connect_timeout: Seconds to open a connection, for each address tried.
        read_timeout: Seconds without a single byte from the server.
        total_timeout: Seconds for the whole exchange once the connection is open.
        max_body_bytes: Largest body of a 2xx answer that is accepted, in bytes.
    """

    method: str
    url: str
    hide: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    connect_timeout: float = 3.0
    read_timeout: float = 10.0
    total_timeout: float = 30.0
    max_body_bytes: int = 26_214_400

    def __repr__(self) -> str:
        url = self.url.replace(self.hide, "[…]") if self.hide else self.url
        return f"Request({self.method} {url})"


@dataclass(frozen=True, slots=True)
class Response:
    """What came back.

    Attributes:
        status: HTTP status.
        headers: Header fields, names in lower case, repeated fields joined with a comma. Left out
            of `repr`, because a server may echo what it was sent.
        body: The bytes as sent: whole for 2xx, at most the first 64 KiB for anything else.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class TransportError(StatsigFastlyError):
    """There is no whole answer.

    Attributes:
        reason: `unreachable` (no connection, or it broke before an answer), `tls` (the certificate
            was not accepted), `timeout`, `truncated` (the body ended early), `too-large` (the body
            exceeds `Request.max_body_bytes`) or `protocol` (not HTTP).
        status: HTTP status if the answer had begun, else None.
    """

    def __init__(self, message: str, *, reason: Reason, status: int | None = None) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.status = status

    @property
    def retryable(self) -> bool:
        """True if the same request may succeed later."""
        return self.reason not in {"tls", "too-large"}


@runtime_checkable
class Transport(Protocol):
    """Anything that can do one HTTP exchange; `HttpTransport` is the one used by default.

    An implementation must not follow redirects, must not log or keep `Request.headers` or a `Request.url`
    with something to `hide`, and must be usable from several threads at once.
    """

    def send(self, request: Request) -> Response:
        """Does one exchange.

        Raises:
            TransportError: There is no whole answer. (An `OSError` is understood as well.)
        """

    def close(self) -> None:
        """Frees connections. Calling it again does nothing."""


class HttpTransport:
    """Keep-alive HTTP/1.1 over urllib3; safe to use from several threads and across `os.fork`.

    Args:
        pool: A `urllib3.PoolManager` to send through, for a proxy, an own certificate authority or
            a client certificate. It stays yours: `close` leaves it open. Its default headers,
            timeouts, retries and redirects are not used. None makes a pool on first use, with
            certificates verified against the system's authorities.

    With a pool of yours `Request.total_timeout` is looked at between pieces of the body only; with
    the built-in one it also bounds an answer that arrives one byte at a time.
    """

    def __init__(self, pool: urllib3.PoolManager | None = None) -> None:
        if pool is not None and not _is_pool_manager(pool):
            raise TypeError(f"pool: expected a urllib3.PoolManager or None, got {type(pool).__name__}")
        self._given = pool
        self._own: urllib3.PoolManager | None = None
        self._lock = threading.Lock()
        self._process = os.getpid()

    def send(self, request: Request) -> Response:
        """Does one exchange.

        Returns:
            The answer, whatever its status.

        Raises:
            TransportError: There is no whole answer. The message names the host, never a header.
        """
        if request.hide:
            from statsig_fastly.transport_logs import hidden_in_logs

            with hidden_in_logs(request.hide):
                outcome = self._exchange(request)
        else:
            outcome = self._exchange(request)
        if isinstance(outcome, TransportError):
            # Raised here, not where it happened: a traceback through urllib3 would drag along frames
            # whose locals hold the headers, and with them the token.
            raise outcome
        return outcome

    def close(self) -> None:
        """Closes the connections this object opened. A later `send` opens new ones."""
        with self._lock:
            own, self._own = self._own, None
        if own is not None:
            own.clear()

    def _pool(self) -> urllib3.PoolManager:
        if self._given is not None:
            return self._given
        if self._process != os.getpid():
            # Forked: the sockets are shared with the parent, and its lock may be held for ever.
            self._lock, self._own, self._process = threading.Lock(), None, os.getpid()
        with self._lock:
            if self._own is None:
                from statsig_fastly.transport_pool import deadline_pool

                self._own = deadline_pool()
            return self._own

    def _exchange(self, request: Request) -> Response | TransportError:
        pool = self._pool()
        import io

        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        from statsig_fastly.transport_pool import Deadline, deadline_of_this_exchange

        deadline = Deadline(time.monotonic() + request.total_timeout, request.read_timeout)
        mark = deadline_of_this_exchange.set(deadline)
        response: urllib3.BaseHTTPResponse | None = None
        try:
            response = pool.urlopen(
                request.method,
                request.url,
                # A file, so that a large body goes out in blocks, each with its own deadline.
                body=None if request.body is None else io.BytesIO(request.body),
                headers=_headers(request),
                timeout=Timeout(connect=request.connect_timeout, read=request.read_timeout),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            return _receive(response, request, deadline.at)
        except HTTPError as error:
            return _failure(error, request, response, deadline.at)
        finally:
            deadline_of_this_exchange.reset(mark)
            if response is not None:
                if not response.closed:
                    response.close()
                response.release_conn()


def as_transport(given: Transport | urllib3.PoolManager | None) -> Transport:
    """Makes a transport of what a caller passed as `transport=`.

    Args:
        given: An object with `send` and `close`, a `urllib3.PoolManager`, or None for a new
            `HttpTransport`.

    Raises:
        TypeError: It is none of these.
    """
    if given is None:
        return HttpTransport()
    if _is_pool_manager(given):
        return HttpTransport(given)  # type: ignore[arg-type]  # what the line above established
    if isinstance(given, Transport) and not isinstance(given, type):
        return given
    raise TypeError(
        "transport: expected an object with send() and close(), a urllib3.PoolManager or None, "
        f"got {type(given).__name__}"
    )


def _is_pool_manager(given: object) -> bool:
    # Whoever holds a PoolManager has imported urllib3; nobody else has to.
    module = sys.modules.get("urllib3")
    return module is not None and isinstance(given, module.PoolManager)


def _headers(request: Request) -> dict[str, str]:
    headers = {"User-Agent": user_agent(), "Accept-Encoding": "identity"}
    if request.body is not None:
        headers["Content-Length"] = str(len(request.body))
    return {**headers, **request.headers}


@cache  # to look it up takes a third of the time of a small request
def user_agent() -> str:
    """What the `User-Agent` header says: `statsig-fastly/<version>`."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"statsig-fastly/{version('statsig-fastly')}"
    except PackageNotFoundError:  # run from a source tree
        return "statsig-fastly/0+unknown"


def _receive(
    response: urllib3.BaseHTTPResponse, request: Request, deadline: float
) -> Response | TransportError:
    headers = {name.lower(): value for name, value in response.headers.itermerged()}
    status = response.status
    if request.method == "HEAD":
        response.read()
        return Response(status, headers, b"")
    body = bytearray()
    if status not in range(200, 300):
        _read_error_body(response, body, deadline)
        return Response(status, headers, bytes(body))

    host, limit = _host(request.url), request.max_body_bytes
    declared = _declared_length(headers)
    if isinstance(declared, str):
        return TransportError(
            f"{host} sent a Content-Length that is no number: {declared!r}", reason="protocol", status=status
        )
    if declared is not None and declared > limit:
        return TransportError(
            f"{host} announced a body of {declared} bytes; the limit is {limit} bytes",
            reason="too-large",
            status=status,
        )
    while piece := response.read(_PIECE_BYTES, decode_content=False):
        body += piece
        if len(body) > limit:
            return TransportError(
                f"{host} sent more than the limit of {limit} bytes", reason="too-large", status=status
            )
        if time.monotonic() >= deadline:
            return _total_timeout(request, status)
    if declared is not None and len(body) != declared:
        return TransportError(
            f"{host} announced {declared} bytes and sent {len(body)}", reason="truncated", status=status
        )
    return Response(status, headers, bytes(body))


def _read_error_body(response: urllib3.BaseHTTPResponse, body: bytearray, deadline: float) -> None:
    """Reads what can be had of it: the status says more than the text, so no failure hides it."""
    from urllib3.exceptions import HTTPError

    try:
        while len(body) < ERROR_BODY_BYTES and time.monotonic() < deadline:
            piece = response.read(ERROR_BODY_BYTES - len(body), decode_content=False)
            if not piece:
                return
            body += piece
    except HTTPError:
        return


def _declared_length(headers: Mapping[str, str]) -> int | str | None:
    """The announced length; the text itself if it is no number; None if nothing was announced."""
    text = headers.get("content-length")
    if text is None or "chunked" in headers.get("transfer-encoding", "").lower():
        return None
    return int(text) if text.isascii() and text.isdigit() else text[:40]


def _total_timeout(request: Request, status: int | None) -> TransportError:
    return TransportError(
        f"{_host(request.url)} did not finish its answer within {request.total_timeout:g} s (total_timeout)",
        reason="timeout",
        status=status,
    )


def _failure(
    error: Exception, request: Request, response: urllib3.BaseHTTPResponse | None, deadline: float
) -> TransportError:
    """Says in one line what a urllib3 exception means."""
    from ssl import SSLCertVerificationError

    from urllib3 import exceptions

    host = _host(request.url)
    status = None if response is None else response.status
    cause = _innermost(error)
    detail = _one_line(cause, request.hide)
    if isinstance(error, exceptions.NewConnectionError):
        return TransportError(f"{host} cannot be reached: {detail}", reason="unreachable")
    if isinstance(error, exceptions.ProxyError):
        return TransportError(f"{host} cannot be reached through the proxy: {detail}", reason="unreachable")
    if isinstance(error, exceptions.ConnectTimeoutError):
        return TransportError(
            f"no connection to {host} within {request.connect_timeout:g} s (connect_timeout)",
            reason="timeout",
        )
    if isinstance(error, exceptions.TimeoutError):
        if time.monotonic() >= deadline:
            return _total_timeout(request, status)
        return TransportError(
            f"{host} sent nothing for {request.read_timeout:g} s (read_timeout)",
            reason="timeout",
            status=status,
        )
    if isinstance(cause, SSLCertVerificationError):
        return TransportError(
            f"the TLS certificate of {host} was not accepted: {cause.verify_message}", reason="tls"
        )
    if isinstance(error, exceptions.SSLError):
        return TransportError(f"no TLS connection to {host}: {detail}", reason="unreachable")
    if response is not None:
        return TransportError(
            f"the answer of {host} ended early: {detail}", reason="truncated", status=status
        )
    if isinstance(error, exceptions.ProtocolError) and isinstance(cause, OSError):
        return TransportError(
            f"{host} closed the connection without an answer: {detail}", reason="unreachable"
        )
    return TransportError(f"{host} did not answer in HTTP: {detail}", reason="protocol")


def _innermost(error: BaseException) -> BaseException:
    for _ in range(8):
        inner = error.__cause__ or next((a for a in error.args if isinstance(a, BaseException)), None)
        if inner is None:
            break
        error = inner
    return error


def _one_line(error: BaseException, hide: str) -> str:
    text = str(getattr(error, "strerror", None) or str(error) or type(error).__name__)
    if hide:  # before it is cut, or half of it would be seen; a server may send back what it was sent
        text = text.replace(hide, "[…]")
    return " ".join(text.split())[:200]


def _host(url: str) -> str:
    host = url.partition("://")[2]
    for mark in "/?#":  # what comes after them may be a secret, and so may be what stands before an @
        host = host.partition(mark)[0]
    return host.rpartition("@")[2]
