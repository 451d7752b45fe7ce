"""A background thread: a loop around a step that says when it wants to be called again."""

from __future__ import annotations

import logging
import threading
import weakref
from typing import TYPE_CHECKING

from statsig_fastly.threads import CAN_START_THREADS, start_daemon

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["StepThread"]

_log = logging.getLogger("statsig_fastly")

_AFTER_A_FAULT_S = 60.0


class StepThread:
    """One daemon thread at most, started when there is something to do.

    `signal` can be called from anywhere: from a signal handler or a `__del__` that interrupts another call
    of it as well. It takes no lock that it could have to wait for, and holds none: if a signal handler raises
    in the middle of it, nothing is left behind that would keep the next call from starting the thread.

    Args:
        name: What the thread is called.
        step: A bound method that does what is due and returns the seconds until something is due next, or
            None if nothing waits. When its object is collected, the thread ends.
        died: A bound method that is called when something other than an `Exception` ends the thread, or None.
        keeps: True keeps the step's object alive while something waits.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], float | None],
        died: Callable[[], None] | None = None,
        *,
        keeps: bool = True,
    ) -> None:
        self._name = name
        self._keeps = keeps
        self._step = weakref.WeakMethod(step, lambda _: self._wake_up())
        self._died = None if died is None else weakref.WeakMethod(died)
        # Binary semaphores: releasing a lock is one operation that nothing can interrupt.
        self._wake = threading.Lock()
        self._running = threading.Lock()  # held by the thread that runs, and by nobody else
        self._latest: threading.Thread | None = None  # what was started last, unless it is about to end
        self._stopped = False
        self._ident: int | None = None

    def signal(self) -> bool:
        """Has the step called now. False if there is no thread and none can be started."""
        if not CAN_START_THREADS:
            return False
        self._wake_up()
        latest = self._latest
        if self._running.locked() or (latest is not None and latest.is_alive()):
            return True
        # Whoever comes until it is alive starts another one, which ends at once.
        thread = self._latest = threading.Thread(target=self._run, name=self._name, daemon=True)
        try:
            return start_daemon(thread)
        except RuntimeError:  # no more threads
            return False

    def stop(self) -> None:
        """Ends the thread as soon as nothing waits; another signal starts a new one for as long."""
        self._stopped = True
        self._wake_up()

    def is_current(self) -> bool:
        """True in the thread itself."""
        return self._ident == threading.get_ident()

    def _wake_up(self) -> None:
        try:
            self._wake.release()
        except RuntimeError:  # woken already
            return

    def _run(self) -> None:
        while self._running.acquire(blocking=False):
            self._ident = threading.get_ident()
            try:
                self._work()
            except BaseException:
                self._let_go()
                died = None if self._died is None else self._died()
                if died is not None:
                    died()
                raise
            self._let_go()
            # A signal that came before that started no thread: it is for this one.
            if not self._wake.acquire(blocking=False):
                return

    def _let_go(self) -> None:
        self._ident = self._latest = None
        self._running.release()

    def _work(self) -> None:
        """Calls the step and waits, again and again, until there is nothing to call it for."""
        self._wake.acquire(blocking=False)
        while (step := self._step()) is not None:
            try:
                wait = step()
            except Exception:  # none is known, but a thread that is gone would help nobody  # noqa: BLE001
                _log.warning("%s failed, and goes on", self._name, exc_info=True)
                wait = _AFTER_A_FAULT_S
            if wait is None or not self._keeps:
                del step  # whoever has nothing to do may be collected
            if wait is None:
                if self._stopped:
                    return
                self._wake.acquire()
            else:
                self._wake.acquire(timeout=min(wait, threading.TIMEOUT_MAX))
