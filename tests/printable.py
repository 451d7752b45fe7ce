"""What the most talkative error reporter could show of an exception."""

from __future__ import annotations

import traceback

__all__ = ["everything_printable"]

_OURS = ("statsig_fastly", "urllib3", "http")


def everything_printable(error: BaseException) -> str:
    """The chain of exceptions, and the local variables in frames of this package and of what does HTTP."""
    shown = ["".join(traceback.format_exception(error))]
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop()
        if link is None:
            continue
        links += [link.__cause__, link.__context__]
        shown += [repr(link), repr(vars(link))]
        trace = link.__traceback__
        while trace is not None:
            if any(part in trace.tb_frame.f_code.co_filename for part in _OURS):
                shown += [f"{name}={value!r}" for name, value in trace.tb_frame.f_locals.items()]
            trace = trace.tb_next
    return "\n".join(shown)
