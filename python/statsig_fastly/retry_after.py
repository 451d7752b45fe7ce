"""How long a server wants to be left alone.

In: the header fields of an answer. Out: seconds from now, at most 15 minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LONGEST_WAIT_S", "rate_limit_wait", "retry_after"]

LONGEST_WAIT_S = 15 * 60.0
"""What every wait is cut to, in seconds."""

_EPOCH_DIGITS = 11  # a number of seconds that is a time, and not some other number


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that `Retry-After` asks for; None if it is absent or makes no sense.

    Args:
        headers: Header fields, names in lower case.
        now: Seconds since the epoch, for an answer without a `Date`.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return _bounded(float(text))
    at = _date(text)
    return None if at is None else _bounded(at - _sent_at(headers, now))


def rate_limit_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until `Fastly-RateLimit-Reset`, a time in seconds since the epoch; None as above.

    Args:
        headers: Header fields, names in lower case.
        now: Seconds since the epoch, for an answer without a `Date`.
    """
    text = headers.get("fastly-ratelimit-reset", "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= _EPOCH_DIGITS):
        return None
    return _bounded(float(text) - _sent_at(headers, now))


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_WAIT_S)


def _sent_at(headers: Mapping[str, str], now: float) -> float:
    # The server's own clock, where it tells it: this machine's may be wrong.
    sent = _date(headers.get("date", ""))
    return now if sent is None else sent


def _date(text: str) -> float | None:
    if not text:
        return None
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, OSError):
        return None
