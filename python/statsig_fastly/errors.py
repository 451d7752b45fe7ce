"""The exceptions this package raises of its own.

Misuse of the API raises the built-in `TypeError` or `ValueError`; what can go wrong without the
caller being at fault is here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["AdapterError", "PayloadError", "StatsigFastlyError"]

_LONGEST_TEXT = 300


class StatsigFastlyError(Exception):
    """Base of every exception this package defines."""


class PayloadError(StatsigFastlyError, ValueError):
    """A payload that cannot be used: not JSON, or a required field is missing or of the wrong type.

    The message names the field, what was expected and what came. The ruleset in use is not touched.
    """


class AdapterError(StatsigFastlyError):
    """A payload could not be read from where an adapter looked for it.

    The message says what was asked for, what came back and what to do about it. It never holds a
    token.

    Attributes:
        status: HTTP status of the answer, or None where there was none (no connection, a timeout,
            a local file).
        retryable: True if asking again later may succeed: no answer or not all of one, 408, 429, 5xx, an
            error page in place of the value, a value that is just being replaced.
        retry_after: For how many seconds the store asked to be left alone; None if it did not.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retryable = retryable
        self.retry_after = retry_after


def described(error: BaseException, scrub: Callable[[str], str] = str) -> str:
    """An exception of somebody else's in one line of bounded length.

    Args:
        error: The exception.
        scrub: Takes secrets out of what it says.
    """
    name = type(error).__name__
    try:
        # Scrubbed before it is cut, or the first half of a secret would go through.
        text = " ".join(scrub(str(error)).split())
    except Exception:  # noqa: BLE001 - an exception that cannot even say what it is
        text = ""
    return f"{name}: {text[:_LONGEST_TEXT]}" if text else name
