"""Runs what an asynchronous object returns to its end, for callers that have no event loop.

In: an awaitable. Out: its result. The loop belongs to nobody else: that of the application is neither needed
nor waited for.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from statsig_fastly.completion import Completion

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

__all__ = ["PrivateLoop"]

T = TypeVar("T")


class PrivateLoop:
    """One event loop, made when it is first needed, on which one thing at a time runs to its end.

    It is always the same one, because connections of asynchronous clients live on the loop they were made on.
    A forked child gets a loop of its own. Safe to use from several threads, which wait for each other.
    """

    __slots__ = ("_locks", "_loop", "_process")

    def __init__(self) -> None:
        # By process: in a forked child, the parent's may be held for ever.
        self._locks: dict[int, threading.Lock] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0

    def run(self, work: Awaitable[object]) -> object:
        """Waits for `work`, in this thread; in another one if an event loop is running in this one.

        In both cases this thread is blocked, so a loop that runs in it is as well.

        Raises:
            BaseException: What the work raises. A `RuntimeError` where it belongs to another event loop, or
                was cancelled.
        """
        return _where_no_loop_runs(lambda: self._run(work))

    def close(self) -> None:
        """Ends what still runs on the loop, and closes it. A later `run` makes another."""
        if self._loop is not None:
            _where_no_loop_runs(self._close)

    def __del__(self) -> None:
        # Left to itself, the loop would warn of something that nobody made knowingly.
        with suppress(Exception):
            if self._loop is not None and not self._loop.is_running():
                self._loop.close()

    def _lock(self) -> threading.Lock:
        return self._locks.setdefault(os.getpid(), threading.Lock())

    def _run(self, work: Awaitable[object]) -> object:
        import asyncio

        with self._lock():
            task = self._own_loop().create_task(_waited_for(work))
            try:
                return self._own_loop().run_until_complete(task)
            except asyncio.CancelledError:
                # It is no `Exception`, but to the caller it is a failure like any other.
                raise RuntimeError("it was cancelled") from None
            finally:
                task.cancel()  # where something else, such as Ctrl-C, ended the wait

    def _close(self) -> None:
        with self._lock():
            loop, self._loop = self._loop, None
            if loop is not None and self._process == os.getpid():
                try:
                    loop.run_until_complete(_cancel_all())
                    loop.run_until_complete(loop.shutdown_asyncgens())
                finally:
                    loop.close()

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is not None and self._process != os.getpid():
            with suppress(RuntimeError):  # the parent was running it
                self._loop.close()
            self._loop = None
        if self._loop is None:
            self._loop, self._process = _new_loop(), os.getpid()
        return self._loop


def _where_no_loop_runs(work: Callable[[], T]) -> T:
    """Does `work` in this thread, or while an event loop is running in it, in another one."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        runs = False
    else:
        runs = True
    return Completion.run(work, name="statsig-fastly-loop").result() if runs else work()


async def _waited_for(work: Awaitable[object]) -> object:
    return await work


async def _cancel_all() -> None:
    import asyncio

    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _new_loop() -> asyncio.AbstractEventLoop:
    import asyncio
    import selectors

    if sys.platform == "win32":
        return asyncio.new_event_loop()
    # With poll nothing of the loop is in the kernel, where a forked child, when it drops the loop, would take
    # it away from its parent. Nor is it one of uvloop's, which do not survive a fork.
    return asyncio.SelectorEventLoop(selectors.PollSelector())
