"""Serves a WSGI application in a Fastly Compute service, and does after each response what can wait.

In: requests of the host. Out: responses of the application; then the look at the adapter that is due, and the
events.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from statsig_fastly.compute.exchange import environment, respond

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment
    from typing_extensions import Self

    from statsig_fastly.client import Statsig

__all__ = ["StatsigHttpIncoming"]

_log = logging.getLogger("statsig_fastly")


class StatsigHttpIncoming:
    """What the entry module of a Compute service calls `HttpIncoming`.

    It is used like `fastly_compute.wsgi.WsgiHttpIncoming`, and serves by PEP 3333:

        HttpIncoming = StatsigHttpIncoming(app, statsig)

    A response is sent as a whole when the application's iterable is at its end; then that is closed. After
    that the client looks for updates, if that is due, and sends its events. Whatever the application or the
    client raises, `SystemExit` included, the sandbox lives on: a request that failed is answered with 500,
    and the exception is logged.

    Args:
        app: The application.
        statsig: The client whose events are sent.
        reuse_sandboxes_for_ms: For how long a sandbox waits for another request, in ms; 0 ends it after one.
        flush_always: True sends events after every response. False leaves them, where a sandbox is reused,
            until `flush_due` or the last request: fewer requests, and events that are lost with a sandbox
            that is ended from outside.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: The time is negative.
    """

    def __init__(
        self,
        app: WSGIApplication,
        statsig: Statsig,
        *,
        reuse_sandboxes_for_ms: int = 0,
        flush_always: bool = True,
    ) -> None:
        if not callable(app):
            raise TypeError(f"argument 'app': expected a WSGI application, got {type(app).__name__}")
        if not hasattr(statsig, "flush_due"):
            raise TypeError(f"argument 'statsig': expected Statsig, got {type(statsig).__name__}")
        if isinstance(reuse_sandboxes_for_ms, bool) or not isinstance(reuse_sandboxes_for_ms, int):
            found = type(reuse_sandboxes_for_ms).__name__
            raise TypeError(f"argument 'reuse_sandboxes_for_ms': expected int, got {found}")
        if reuse_sandboxes_for_ms < 0:
            raise ValueError(
                f"argument 'reuse_sandboxes_for_ms': expected at least 0 ms, got {reuse_sandboxes_for_ms}"
            )
        self._app = app
        self._statsig = statsig
        self._reuse_ms = reuse_sandboxes_for_ms
        self._flush_always = flush_always

    def __call__(self) -> Self:
        """Itself: the host makes an object of what is called `HttpIncoming`."""
        return self

    def handle(self, request: Any, body: Any) -> None:  # noqa: ANN401 - the host's
        """Answers a request, and those that follow it in this sandbox."""
        try:
            self._serve(request, body)
            while self._reuse_ms and (another := _next(self._reuse_ms)) is not None:
                self._serve(*another)
        finally:
            if not self._flush_always:
                self._flush()

    def _serve(self, request: Any, body: Any) -> None:  # noqa: ANN401 - the host's
        self._statsig.request_began()
        try:
            # The host wants a request dropped before it hands out another one.
            with request:
                self._exchange(request, body)
        except BaseException:  # a trap would end the sandbox, and the events with it  # noqa: BLE001
            _log.warning("a request was not answered", exc_info=True)
        self._after()

    def _exchange(self, request: Any, body: Any) -> None:  # noqa: ANN401 - the host's
        """Has the application answer, and sends that; 500 if it cannot be."""
        closing: list[Callable[[], object]] = []
        try:
            respond(*self._answer(environment(request, body, run_once=not self._reuse_ms), closing))
        except BaseException:  # `sys.exit` as well  # noqa: BLE001
            _log.warning("the application failed", exc_info=True)
            respond("500 Internal Server Error", [("content-type", "text/plain")], [b"Internal Server Error"])
        finally:
            for close in closing:
                self._close(close)

    def _close(self, close: Callable[[], object]) -> None:
        try:
            close()
        except BaseException:  # the request is answered  # noqa: BLE001
            _log.warning("closing what the application returned failed", exc_info=True)

    def _after(self) -> None:
        try:
            look = self._statsig.request_ended()
            if look is not None:
                look.result()
        except BaseException:  # the request is answered  # noqa: BLE001
            _log.warning("looking for updates failed", exc_info=True)
        if self._flush_always or self._statsig.flush_due:
            self._flush()

    def _flush(self) -> None:
        try:
            self._statsig.flush().result()
        except BaseException:  # the request is answered  # noqa: BLE001
            _log.warning("flushing events failed", exc_info=True)

    def _answer(self, environ: WSGIEnvironment, closing: list[Callable[[], object]]) -> _Answer:
        """The application's response as a whole: nothing is sent of one that fails midway.

        Args:
            environ: What the application is called with.
            closing: Takes what is to be called after the response.
        """
        started: list[tuple[str, list[tuple[str, str]]]] = []
        parts: list[bytes] = []

        def start(
            status: str,
            headers: list[tuple[str, str]],
            exc_info: tuple[type[BaseException], BaseException, TracebackType]
            | tuple[None, None, None]
            | None = None,
        ) -> Callable[[bytes], object]:
            if started and exc_info is None:
                raise AssertionError("start_response was called a second time, without exc_info")
            if started:
                parts.clear()  # of the response that failed
            started[:] = [(status, headers)]
            return parts.append

        chunks = self._app(environ, start)
        close = getattr(chunks, "close", None)
        if close is not None:
            closing.append(close)
        for chunk in chunks:
            parts.append(chunk)  # one by one, for `start` may clear them  # noqa: PERF402
        if not started:
            raise AssertionError("the application did not call start_response")
        return _Answer(*started[0], parts)


class _Answer(NamedTuple):
    status: str
    headers: list[tuple[str, str]]
    parts: list[bytes]


def _next(timeout_ms: int) -> tuple[Any, Any] | None:
    """The next request and its body; None if there is none in time."""
    from wit_world.imports import http_downstream

    options = http_downstream.NextRequestOptions(timeout_ms=timeout_ms, extra=None)
    # Which exception says that there was none depends on the bindings.
    with suppress(Exception):
        another: tuple[Any, Any] | None = http_downstream.await_request(http_downstream.next_request(options))
        return another
    return None
