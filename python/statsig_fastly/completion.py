"""What starting, syncing and stopping return: something to wait for, ask, or await."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from statsig_fastly.step_thread import CAN_START_THREADS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["Completion"]

T = TypeVar("T")


class Completion(Generic[T]):
    """The outcome of work that goes on in a thread of its own.

    Wait for it from a thread (`wait`, `result`) or await it in an event loop; doing neither is fine.
    The work never raises for reasons outside the program such as the network: the outcome says what
    happened.
    """

    __slots__ = ("_callbacks", "_done", "_error", "_lock", "_value")

    _value: T

    def __init__(self) -> None:
        self._done = threading.Event()
        self._lock = threading.RLock()  # a signal handler may ask at any time
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

        def target() -> None:
            try:
                value = work()
            except BaseException as error:  # noqa: BLE001 - handed to whoever asks for the result
                completion._finish(None, error)
            else:
                completion._finish(value, None)

        if not CAN_START_THREADS:
            target()
            return completion
        try:
            threading.Thread(target=target, name=name, daemon=True).start()
        except RuntimeError as error:
            # Python 3.12 refuses threads to exit handlers, and there nobody minds waiting.
            if "interpreter shutdown" not in str(error):
                raise
            target()
        return completion

    def wait(self, timeout: float | None = None) -> bool:
        """Waits at most `timeout` seconds (None: for ever). True if the work is done."""
        return self._done.wait(timeout)

    def done(self) -> bool:
        """True if the work is done."""
        return self._done.is_set()

    def is_set(self) -> bool:
        """The same as `done`, under the name the official package's event has."""
        return self._done.is_set()

    def result(self, timeout: float | None = None) -> T:
        """The outcome, after waiting at most `timeout` seconds for it.

        Raises:
            TimeoutError: The work is not done yet.
        """
        if not self._done.wait(timeout):
            msg = f"not done after {timeout} s"
            raise TimeoutError(msg)
        if self._error is not None:
            raise self._error
        return self._value

    def add_done_callback(self, callback: Callable[[Completion[T]], object]) -> None:
        """Calls `callback` with this completion when the work is done, or now if it is.

        The call is made in the thread that did the work, or in this one.
        """
        with self._lock:
            if not self._done.is_set():
                self._callbacks.append(callback)
                return
        callback(self)

    def __await__(self) -> Generator[object, None, T]:
        """Waits without blocking the event loop."""
        if not self._done.is_set():
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
                self._forget(from_thread)
        return self.result()

    def __repr__(self) -> str:
        if not self._done.is_set():
            return "Completion(pending)"
        return f"Completion({self._error if self._error is not None else self._value!r})"

    def _forget(self, callback: Callable[[Completion[T]], object]) -> None:
        with self._lock:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

    def _finish(self, value: T | None, error: BaseException | None) -> None:
        with self._lock:
            if error is None:
                self._value = value  # type: ignore[assignment]  # None only with an error
            self._error = error
            self._done.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)
