"""ASGI middleware that sends events, and looks for updates, after the response.

In: an ASGI application. Out: the same application, which sends what it recorded when it is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statsig_fastly.web.flush_after import LIMIT_S, FlushAfter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from statsig_fastly.client import Statsig

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

__all__ = ["FlushAfterResponse"]


class FlushAfterResponse:
    """Sends events, when that is due, after the application has sent its response and is done.

    With `SyncPolicy.on_request`, updates are looked for then as well.

    The client has its answer by then; only the end of the application's coroutine is put off. Lifespan and
    WebSocket connections go through as they are. So do requests that end with an exception: their events are
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
        self, app: Application, statsig: Statsig, *, limit: float = LIMIT_S, always: bool = False
    ) -> None:
        self.app = app
        self._after = FlushAfter(statsig, limit=limit, always=always)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:  # noqa: D102 - see the class
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self._after.began()
        try:
            await self.app(scope, receive, send)
        except BaseException:
            self._after.broke_off()
            raise
        await self._after.ended_without_blocking()
