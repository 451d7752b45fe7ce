"""What the host of a Compute service says when something did not work.

In: an exception of Fastly's bindings, in their own form or as `fastly_compute` makes it. Out: its name in
words.
"""

from __future__ import annotations

import re
from enum import Enum

from statsig_fastly.errors import described

__all__ = ["NOT_INSIDE", "fault_name", "fault_text", "is_passing"]

NOT_INSIDE = "this works inside a Fastly Compute component only"

_PASSING = frozenset({"too many requests", "internal error", "generic error", "limit exceeded"})
_LONGEST_DETAIL = 200
_INITIAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def fault_name(error: BaseException) -> str:
    """The case of the error, such as `not found` or `too many requests`.

    The bindings raise `Err` with an enum member or an object of a class per case; `fastly_compute` raises an
    exception of a class per case.
    """
    value = _raised_with(error)
    value = getattr(value, "error", value)
    if isinstance(value, Enum):
        return value.name.replace("_", " ").lower()
    # Of `KvError_TooManyRequests`, what comes last.
    name = type(error if value is None else value).__name__.rpartition("_")[2]
    return _INITIAL.sub(" ", name).lower()


def fault_text(error: BaseException) -> str:
    """The error in one line."""
    name = fault_name(error)
    value = _raised_with(error)
    if hasattr(value, "detail"):
        text = "" if value.detail is None else repr(value.detail)[:_LONGEST_DETAIL]
    else:
        text = described(error).partition(": ")[2]
    # A case that has nothing in it is shown as a call without arguments.
    return name if not text or text.endswith("()") or text.lower() == name else f"{name}: {text}"


def _raised_with(error: BaseException) -> object:
    """The enum member or object of an error, or what holds it beside a `detail`; None if neither is there."""
    value: object = getattr(error, "value", None)
    if value is None and error.args and hasattr(error.args[0], "detail"):
        return error.args[0]  # `fastly_compute` wraps it
    return value


def is_passing(error: BaseException) -> bool:
    """True if the same may succeed later."""
    return fault_name(error) in _PASSING
