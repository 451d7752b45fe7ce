"""Daemon threads, of which none is half started when the interpreter ends.

Before Python 3.12 a thread that is started while the interpreter ends can crash the process.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

__all__ = ["CAN_START_THREADS", "end", "forked", "have_ended", "start_daemon"]

CAN_START_THREADS = sys.platform != "wasi"
"""False inside a Fastly Compute component."""

_LONGEST_START_S = 1.0
_starting: set[threading.Thread] = set()
_ended: list[bool] = []


def start_daemon(thread: threading.Thread) -> bool:
    """Starts `thread`, a daemon. False if none is started any more, for the interpreter is about to end.

    Raises:
        RuntimeError: There can be no more threads.
    """
    if not CAN_START_THREADS:
        return False
    _starting.add(thread)  # first, so that whoever ends sees it or is seen by it
    try:
        if _ended:
            return False
        thread.start()
    except RuntimeError as error:
        # Python 3.12 refuses threads to exit handlers.
        if "interpreter shutdown" not in str(error):
            raise
        return False
    finally:
        _starting.discard(thread)
    return True


def end() -> None:
    """Starts no thread any more, and waits a moment for those that are being started."""
    _ended.append(True)
    deadline = time.monotonic() + _LONGEST_START_S
    while _starting and time.monotonic() < deadline:
        time.sleep(0.001)


def have_ended() -> bool:
    """True if the interpreter is about to end."""
    return bool(_ended)


def forked() -> None:
    """In a forked child: starts threads again; those that were being started are the parent's."""
    _starting.clear()
    _ended.clear()
