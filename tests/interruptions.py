"""Calls that are interrupted as a signal handler interrupts them, at a place that a number tells.

Python runs signal handlers between two bytecodes. Real signals come between two of which nobody knows; here
each pair has its turn. There are more of them than a signal can come between: Python looks for signals after
calls and jumps only.
"""

from __future__ import annotations

import sys
import threading
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from types import FrameType, ModuleType

__all__ = ["before_each_bytecode", "each_place", "in_time", "interrupted"]


# It holds a lock that every thread needs to start, but calls nothing meanwhile.
_ATOMIC = threading.Thread.start.__code__


def before_each_bytecode(
    call: Callable[[], object], handler: Callable[[], object], modules: Collection[ModuleType]
) -> None:
    """Makes a call, and calls a handler before each bytecode in these modules. What it raises comes out."""
    files = {module.__file__ for module in modules}

    def trace(frame: FrameType, event: str, _: object) -> object:
        code = frame.f_code
        if code.co_filename not in files or code is _ATOMIC:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            handler()
        return trace

    before = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # Python 3.12 looks only now whether anybody wants to know
    sys.settrace(trace)  # type: ignore[arg-type]  # it returns itself
    try:
        call()
    finally:
        sys.settrace(before)


def interrupted(
    call: Callable[[], object], handler: Callable[[], object], modules: Collection[ModuleType], place: int
) -> bool:
    """Makes a call, and calls a handler before the bytecode of that number in these modules.

    Returns:
        False if the call was over before. What the handler raises comes out of the call.
    """
    left = place

    def once() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            sys.settrace(None)
            handler()

    before_each_bytecode(call, once, modules)
    return left <= 0


def each_place(test: Callable[[int], bool]) -> int:
    """Runs a test for place 1, 2, ... until it says that there is none. Returns how many there are."""
    places: Iterator[int] = count(1)
    return next(place for place in places if not test(place)) - 1


def in_time(work: Callable[[], None], seconds: float) -> None:
    """Does work in a thread, so that a deadlock fails the test instead of keeping it for ever."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised in the test
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failures:
        raise failures[0]
    assert not thread.is_alive(), f"it hangs after {seconds} s"
