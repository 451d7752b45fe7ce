"""A background thread: a loop around a step that says when it wants to be called again."""

from __future__ import annotations

import logging
import sys
import threading
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CAN_START_THREADS", "StepThread"]

_log = logging.getLogger("statsig_fastly")

CAN_START_THREADS = sys.platform != "wasi"
"""False inside a Fastly Compute component."""

_AFTER_A_FAULT_S = 60.0


class StepThread:
    """One daemon thread at most, started when there is something to do.

    `signal` can be called from anywhere: from a signal handler or a `__del__` that interrupts another call
    of it as well. It takes no lock that it could have to wait for.

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
        self._token = threading.Lock()  # held by the thread that runs
        self._stopped = False
        self._ident: int | None = None

    def signal(self) -> bool:
        """Has the step called now. False if there is no thread and none can be started."""
        if not CAN_START_THREADS:
            return False
        self._wake_up()
        if not self._token.acquire(blocking=False):
            return True
        try:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        except RuntimeError:  # no more threads, or the interpreter is shutting down
            self._token.release()
            return False
        except BaseException:
            self._token.release()
            raise
        return True

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
        self._ident = threading.get_ident()
        self._wake.acquire(blocking=False)
        try:
            while self._once():
                pass
        finally:
            if self.is_current():
                self._ident = None

    def _once(self) -> bool:
        """Calls the step and waits. False if the thread is to end; it has given its token back then."""
        step = self._step()
        if step is None:
            self._token.release()
            return False
        try:
            wait = step()
        except Exception:  # none is known, but a thread that is gone would help nobody  # noqa: BLE001
            _log.warning("%s failed, and goes on", self._name, exc_info=True)
            wait = _AFTER_A_FAULT_S
        except BaseException:
            self._token.release()
            died = None if self._died is None else self._died()
            if died is not None:
                died()
            raise
        if wait is None or not self._keeps:
            del step  # whoever has nothing to do may be collected
        if wait is None:
            if self._stopped:
                return self._goes_on()
            self._wake.acquire()
        else:
            self._wake.acquire(timeout=min(wait, threading.TIMEOUT_MAX))
        return True

    def _goes_on(self) -> bool:
        self._token.release()
        # A signal that came before the token was back started no thread: it is for this one.
        return self._wake.acquire(blocking=False) and self._token.acquire(blocking=False)
