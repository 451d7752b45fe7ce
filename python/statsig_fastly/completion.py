"""What starting, syncing and stopping return: something to wait for, ask, or await."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from statsig_fastly.threads import start_daemon

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["Completion"]

S = TypeVar("S")
T = TypeVar("T")


class Completion(Generic[T]):
    """The outcome of work that goes on in a thread of its own.

    Wait for it from a thread (`wait`, `result`) or await it in an event loop; doing neither is fine.
    The work never raises for reasons outside the program such as the network: the outcome says what
    happened.
    """

    __slots__ = ("_begun", "_callbacks", "_done", "_error", "_value", "_waiting")

    _value: T

    def __init__(self) -> None:
        # No lock guards these: a signal handler may wait for what it interrupts, or ask for it again. Each
        # operation on them is one step that nothing can come in between.
        self._begun = threading.Lock()
        self._done = False
        self._waiting: list[threading.Lock] = []
        self._callbacks: list[Callable[[Completion[T]], object]] = []
        self._error: BaseException | None = None

    @classmethod
    def of(cls, value: T) -> Completion[T]:
        """A completion that is done already."""
        completion = cls()
        completion._finish(value, None)
        return completion

    @classmethod
    def run(cls, work: Callable[[], T], *, name: str) -> Completion[T]:
        """Does `work` in a daemon thread called `name`; in this one where the interpreter starts none."""
        completion = cls()
        completion.begin(work, name=name)
        return completion

    def begin(self, work: Callable[[], T], *, name: str) -> None:
        """As `run`, for a completion that others know before. However often it is called, it is done once.

        A signal handler may call it again in the middle of a call. If it raises there, the work may have
        begun or not: the next call sees to it.

        Raises:
            RuntimeError: There can be no more threads.
        """
        if self._begun.locked():
            return

        def target() -> None:
            if not self._begun.acquire(blocking=False):
                return
            try:
                value = work()
            except BaseException as error:  # noqa: BLE001 - handed to whoever asks for the result
                self._finish(None, error)
            else:
                self._finish(value, None)

        if not start_daemon(threading.Thread(target=target, name=name, daemon=True)):
            target()  # at the end of the interpreter nobody minds waiting

    def wait(self, timeout: float | None = None) -> bool:
        """Waits at most `timeout` seconds (None: for ever). True if the work is done."""
        if self._done:
            return True
        lock = threading.Lock()
        lock.acquire()
        self._waiting.append(lock)
        try:
            if not self._done:  # else whoever has finished it may not have seen the lock
                lock.acquire(timeout=-1 if timeout is None else max(0.0, min(timeout, threading.TIMEOUT_MAX)))
        finally:
            _remove(self._waiting, lock)
        return self._done

    def done(self) -> bool:
        """True if the work is done."""
        return self._done

    def is_set(self) -> bool:
        """The same as `done`, under the name the official package's event has."""
        return self._done

    def result(self, timeout: float | None = None) -> T:
        """The outcome, after waiting at most `timeout` seconds for it.

        Raises:
            TimeoutError: The work is not done yet.
        """
        if not self.wait(timeout):
            msg = f"not done after {timeout} s"
            raise TimeoutError(msg)
        if self._error is not None:
            raise self._error
        return self._value

    def add_done_callback(self, callback: Callable[[Completion[T]], object]) -> None:
        """Calls `callback` with this completion when the work is done, or now if it is.

        The call is made in the thread that did the work, or in this one.
        """
        self._callbacks.append(callback)
        if self._done:
            self._call_back()

    def __await__(self) -> Generator[object, None, T]:
        """Waits without blocking the event loop."""
        if not self._done:
            # Imported here: whoever awaits has asyncio loaded, whoever does not need not pay for it.
            import asyncio

            loop = asyncio.get_running_loop()
            future: asyncio.Future[None] = loop.create_future()

            def wake() -> None:
                if not future.done():
                    future.set_result(None)

            def from_thread(_: Completion[T]) -> None:
                try:
                    loop.call_soon_threadsafe(wake)
                except RuntimeError:
                    # The loop was closed before the work was done; nobody is waiting any more.
                    return

            self.add_done_callback(from_thread)
            try:
                yield from future.__await__()
            finally:
                # A wait that was cancelled must not keep its loop alive for as long as the work takes.
                _remove(self._callbacks, from_thread)
        return self.result()

    def __repr__(self) -> str:
        if not self._done:
            return "Completion(pending)"
        return f"Completion({self._error if self._error is not None else self._value!r})"

    def _finish(self, value: T | None, error: BaseException | None) -> None:
        if error is None:
            self._value = value  # type: ignore[assignment]  # None only with an error
        self._error = error
        self._done = True
        while (lock := _pop(self._waiting)) is not None:
            lock.release()
        self._call_back()

    def _call_back(self) -> None:
        while (callback := _pop(self._callbacks)) is not None:
            callback(self)


def _pop(items: list[S]) -> S | None:
    """Takes the first item, if there is one: of several who try, one gets it."""
    try:
        return items.pop(0)
    except IndexError:
        return None


def _remove(items: list[S], item: S) -> None:
    with suppress(ValueError):
        items.remove(item)
