"""WSGI middleware that sends events, and looks for updates, after the response.

In: a WSGI application. Out: the same application, which sends what it recorded when its response is closed.
"""

from __future__ import annotations

from collections.abc import Sized
from typing import TYPE_CHECKING

from statsig_fastly.web.flush_after import LIMIT_S, FlushAfter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from statsig_fastly.client import Statsig

__all__ = ["FlushAfterResponse"]


class FlushAfterResponse:
    """Sends events, when that is due, after the server has sent the response and closes it.

    With `SyncPolicy.on_request`, updates are looked for then as well.

    The client has its answer by then, unless only the end of the connection tells it where the answer ends;
    what waits is the worker. Responses that end with an exception go through as they are: their events are
    sent with those of the next one.

    Args:
        app: The application.
        statsig: Whose events to send.
        limit: For how many seconds at most a flush is waited for.
        always: True flushes after every response, for platforms that freeze the process between requests.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: The limit is negative.
    """

    def __init__(
        self, app: WSGIApplication, statsig: Statsig, *, limit: float = LIMIT_S, always: bool = False
    ) -> None:
        self.app = app
        self._after = FlushAfter(statsig, limit=limit, always=always)

    def __call__(  # noqa: D102 - see the class
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        self._after.began()
        try:
            body = self.app(environ, start_response)
        except BaseException:
            self._after.broke_off()
            raise
        file_wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(file_wrapper, type) and isinstance(body, file_wrapper):
            return self._file(body)
        return _SizedBody(body, self._after) if isinstance(body, Sized) else _Body(body, self._after)

    def _file(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Has the server's own file wrapper flush: only if it is of that type, the server sends it unread."""
        close: Callable[[], object] | None = getattr(body, "close", None)

        def close_and_flush() -> None:
            if close is not None:
                close()
            self._after.ended()

        try:
            body.close = close_and_flush  # type: ignore[attr-defined]  # servers call it
        except (AttributeError, TypeError):
            # One written in C takes no attributes; then the next response will flush.
            self._after.broke_off()
        return body


class _Body:
    """What the application returned; a flush follows its close."""

    def __init__(self, body: Iterable[bytes], after: FlushAfter) -> None:
        self._body = body
        self._after = after
        self._failed = self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body
        except Exception:
            self._failed = True  # the server is yet to answer
            raise

    def close(self) -> None:
        close: Callable[[], object] | None = getattr(self._body, "close", None)
        try:
            if close is not None:
                close()
        except BaseException:
            self._failed = True
            raise
        finally:
            if not self._closed:  # a second time is no request's
                self._closed = True
                if self._failed:
                    self._after.broke_off()
                else:
                    self._after.ended()


class _SizedBody(_Body):
    """One whose length servers may look at: a body of one part needs no chunks."""

    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type]  # it was asked whether it has a length
