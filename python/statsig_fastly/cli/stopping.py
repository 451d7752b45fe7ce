"""Ending what goes on until it is told to: between two steps, or soon after in the middle of one that hangs.

In: SIGTERM, or Ctrl-C. Out: an event that is set, and `Stopped` in the main thread once that has not helped
for a while, or at a second signal. Whatever a publish is doing then can be left undone.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from statsig_fastly.publish.watch import Stopped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["GRACE_S", "stop_signals"]

GRACE_S: Final = 5.0
"""How long a step may go on after the first signal, in seconds: half of what strict supervisors allow."""

_HAS_TIMER: Final = hasattr(signal, "setitimer")  # Windows has none, and there the second signal has to do


@contextmanager
def stop_signals(grace: float = GRACE_S) -> Iterator[threading.Event]:
    """Takes signals while the block runs, and ends it if it does not end by itself.

    Args:
        grace: How long the block may go on after the first signal, in seconds.

    Yields:
        An event that the first signal sets.
    """
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if stopped.is_set():
            raise Stopped
        stopped.set()
        if _HAS_TIMER:
            signal.setitimer(signal.ITIMER_REAL, grace)

    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGALRM] if _HAS_TIMER else [])]
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield stopped
    except Stopped:
        pass
    finally:
        if _HAS_TIMER:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
