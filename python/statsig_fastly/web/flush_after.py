"""A flush, and a look for updates, after a unit of work: a function, a coroutine, a `with` block."""

from __future__ import annotations

import functools
import inspect
import logging
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from statsig_fastly.client import Statsig
    from statsig_fastly.completion import Completion
    from statsig_fastly.sync.stats import SyncDetails

__all__ = ["LIMIT_S", "FlushAfter"]

_log = logging.getLogger("statsig_fastly")

LIMIT_S = 1.0
"""For how long a flush is waited for, in seconds, unless another limit is given."""

_Function = TypeVar("_Function", bound="Callable[..., Any]")


class FlushAfter:
    """Sends the events that wait after a unit of work, and waits for that within a limit.

    A look for updates that became due during the work (`SyncPolicy.on_request`) is made then, too.

    It decorates functions and coroutine functions, and is a context manager with and without `async`:

        @FlushAfter(statsig)
        def handler(event, context):
            ...

    What the work returns or raises goes through unchanged; a flush that fails is logged. Sending goes on in
    the background when the limit is over. After an exception that ends more than the work (`SystemExit`,
    `KeyboardInterrupt`, a cancellation) nothing is flushed: a process that ends sends what it holds.

    One object can be used any number of times, by several threads and tasks at once. Event loops have to be
    asyncio's or work like it, as uvloop does.

    Args:
        statsig: Whose events to send.
        limit: For how many seconds at most to wait.
        always: False flushes only where that is due: a batch is full, or the flush interval is over. It does
            not wait for a look for updates, which goes on in a thread.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: The limit is negative.
    """

    def __init__(self, statsig: Statsig, *, limit: float = LIMIT_S, always: bool = True) -> None:
        if not hasattr(statsig, "flush_due"):
            raise TypeError(f"argument 'statsig': expected Statsig, got {type(statsig).__name__}")
        if isinstance(limit, bool) or not isinstance(limit, (int, float)):
            raise TypeError(f"argument 'limit': expected a number of seconds, got {type(limit).__name__}")
        if not limit >= 0:
            raise ValueError(f"argument 'limit': expected at least 0 s, got {limit}")
        if not isinstance(always, bool):
            raise TypeError(f"argument 'always': expected bool, got {type(always).__name__}")
        self._statsig = statsig
        self._limit = min(float(limit), threading.TIMEOUT_MAX)
        self._always = always

    def __call__(self, function: _Function) -> _Function:
        """The function, followed by a flush.

        Raises:
            TypeError: It is a generator function, whose work is not done when it returns.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"expected a function or a coroutine function, got a generator: {function!r}")

        @functools.wraps(function)
        async def awaited(*args: object, **named: object) -> object:
            async with self:
                return await function(*args, **named)

        @functools.wraps(function)
        def called(*args: object, **named: object) -> object:
            with self:
                return function(*args, **named)

        return cast("_Function", awaited if inspect.iscoroutinefunction(function) else called)

    def __enter__(self) -> Self:
        self.began()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, Exception):
            self.ended()
        else:
            self.broke_off()

    async def __aenter__(self) -> Self:
        self.began()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, Exception):
            await self.ended_without_blocking()
        else:
            self.broke_off()

    def began(self) -> None:
        """Work began: a look for updates that becomes due waits for its end."""
        self._statsig.request_began()

    def ended(self) -> None:
        """Sends what waits, and looks for updates, if it is time to. Never raises an `Exception`."""
        try:
            end = time.monotonic() + self._limit
            look = self._statsig.request_ended()
            if self._always or self._statsig.flush_due:
                self._statsig.flush(self._limit).wait(self._limit)
            if look is not None and self._always:
                look.wait(max(0.0, end - time.monotonic()))
        except Exception:  # the work is done, and its outcome stands  # noqa: BLE001
            _log.warning("flushing events failed", exc_info=True)

    async def ended_without_blocking(self) -> None:
        """The same as `ended`, for an event loop."""
        try:
            end = time.monotonic() + self._limit
            look = self._statsig.request_ended()
            if self._always or self._statsig.flush_due:
                await self._statsig.flush(self._limit)
            if look is not None and self._always:
                await _at_most(look, max(0.0, end - time.monotonic()))
        except Exception:  # the work is done, and its outcome stands  # noqa: BLE001
            _log.warning("flushing events failed", exc_info=True)

    def broke_off(self) -> None:
        """The work ended with an exception that nothing is flushed after; a look that waited begins."""
        try:
            self._statsig.request_ended()
        except Exception:  # the exception is what counts  # noqa: BLE001
            _log.warning("looking for updates failed", exc_info=True)


async def _at_most(look: Completion[SyncDetails | None], seconds: float) -> None:
    import asyncio

    async def over() -> None:
        await look

    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(over(), seconds)
