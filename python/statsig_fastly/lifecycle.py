"""What happens to event deliveries, and to whatever else has a thread, when the process forks or ends."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from statsig_fastly import threads

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Background",
    "Delivery",
    "Forkable",
    "at_exit",
    "hold",
    "let_go",
    "register",
    "register_background",
    "register_fork",
    "watch_child",
    "without_fork",
]

_log = logging.getLogger("statsig_fastly")


class Forkable(Protocol):
    """What is told of forks."""

    def forked(self) -> None:
        """Forgets what is the parent's."""


class Background(Forkable, Protocol):
    """What does something in a thread that the end of the process need not wait for."""

    def stop(self) -> None:
        """Begins nothing any more."""


class Delivery(Forkable, Protocol):
    """What is told of forks and of the end of the process."""

    @property
    def exit_timeout(self) -> float:
        """Seconds it may take at exit."""

    @property
    def waiting(self) -> bool:
        """True if it has events that the end of the process would lose."""

    def flush(self, timeout: float | None) -> object:
        """Sends what waits; with 0 it only begins to."""

    def shutdown(self, timeout: float) -> object:
        """Sends what waits within the time, and accounts for the rest."""


_live: weakref.WeakSet[Delivery] = weakref.WeakSet()
_background: weakref.WeakSet[Background] = weakref.WeakSet()
_forkable: weakref.WeakSet[Forkable] = weakref.WeakSet()
# Those that have events: nothing else may keep them alive until these are sent.
_held: set[Delivery] = set()
_hooked: list[bool] = []
_no_fork = threading.RLock()
_forking: list[bool] = []  # whether the fork under way has the lock
_LONGEST_WAIT_TO_FORK_S = 10.0
_watched: list[int] = []  # the process whose end as a child is watched


def register(delivery: Delivery) -> None:
    """Has `delivery` told about forks and the end of the process, for as long as it lives."""
    _live.add(delivery)
    _hook()


def register_fork(forkable: Forkable) -> None:
    """Has `forkable` told about forks, for as long as it lives."""
    _forkable.add(forkable)
    _hook()


def register_background(background: Background) -> None:
    """Has `background` told about forks and the end of the process, for as long as it lives."""
    _background.add(background)
    _hook()


def _hook() -> None:
    if not _hooked:
        _hooked.append(True)
        atexit.register(at_exit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)


@contextmanager
def without_fork() -> Iterator[None]:
    """Keeps `os.fork` waiting: for imports in a background thread, which a forked child finds half done."""
    with _no_fork:
        yield


def hold(delivery: Delivery) -> None:
    """Keeps `delivery` alive until it is let go or the process ends."""
    _held.add(delivery)


def let_go(delivery: Delivery) -> None:
    """Takes back `hold`."""
    _held.discard(delivery)


def watch_child() -> None:
    """Has the end of a child of multiprocessing or Celery noticed, where exit handlers are not run."""
    if _watched == [os.getpid()]:
        return
    # Whoever is such a child has these imported; nobody else has to.
    process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
    celery = sys.modules.get("celery.signals")
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, at_exit, exitpriority=-100)
    elif celery is not None:
        celery.worker_process_shutdown.connect(_celery_child_ends, weak=False, dispatch_uid=__name__)
    else:
        return
    _watched[:] = [os.getpid()]


def _celery_child_ends(**_: object) -> None:
    at_exit()


def at_exit() -> None:
    """Delivers what waits, all at the same time, and accounts for what cannot be within the time."""
    for background in list(_background):
        background.stop()
    deliveries = sorted(_live, key=lambda delivery: delivery.exit_timeout)
    started = time.monotonic()
    for delivery in deliveries:
        _try(delivery, 0.0, begin=True)
    for _ in range(2):  # once more for what was recorded meanwhile, by other clients' transports for example
        for delivery in deliveries:
            _try(delivery, started + delivery.exit_timeout - time.monotonic(), begin=False)
    threads.end()


def _try(delivery: Delivery, timeout: float, *, begin: bool) -> None:
    try:
        if begin:
            if delivery.waiting:
                delivery.flush(0.0)
        else:
            delivery.shutdown(max(0.0, timeout))
    except Exception:  # one that fails must not cost the others their events  # noqa: BLE001
        _log.warning("delivering events at exit failed", exc_info=True)


def _before_fork() -> None:
    _forking.append(_no_fork.acquire(timeout=_LONGEST_WAIT_TO_FORK_S))


def _after_fork() -> None:
    if _forking.pop():
        _no_fork.release()


def _in_child() -> None:
    _after_fork()
    threads.forked()
    _held.clear()
    for forkable in [*_forkable, *_live, *_background]:
        forkable.forked()
