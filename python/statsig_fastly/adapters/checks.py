"""What arguments, store keys and values must look like, for every adapter.

In: a value as a caller or a store gave it. Out: an exception that names the argument, or in the case of
keys and values, which come from several places, the problem in words.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from statsig_fastly.store_limits import CONFIG_KEY_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "check_count",
    "check_seconds",
    "check_text",
    "config_key_problem",
    "key_problem",
    "listed",
    "value_problem",
]

KEY_BYTES = 1024
_FORBIDDEN = {"#": "'#'", ";": "';'", "?": "'?'", "^": "'^'", "|": "'|'", "\r": "CR", "\n": "LF"}
_JSON_SPACE = b" \t\r\n"
_ACME = ".well-known/acme-challenge/"


def check_text(argument: str, value: object) -> str:
    """Returns `value` if it is text and not empty.

    Raises:
        TypeError: It is not a `str`.
        ValueError: It is empty.
    """
    if not isinstance(value, str):
        raise TypeError(f"{argument}: expected str, got {type(value).__name__}")
    if not value:
        raise ValueError(f"{argument}: expected text, got ''")
    return value


def check_seconds(argument: str, value: object) -> float:
    """Returns `value` if it is a finite number of seconds above zero.

    Raises:
        TypeError: It is not a number.
        ValueError: It is zero, negative or not finite.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{argument}: expected seconds as int or float, got {type(value).__name__}")
    if not math.isfinite(value) or value <= 0:
        raise ValueError(f"{argument}: expected seconds above 0, got {value!r}")
    return float(value)


def check_count(argument: str, value: object) -> int:
    """Returns `value` if it is an integer above zero.

    Raises:
        TypeError: It is not an `int`.
        ValueError: It is zero or negative.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{argument}: expected int, got {type(value).__name__}")
    if value <= 0:
        raise ValueError(f"{argument}: expected a number above 0, got {value!r}")
    return value


def key_problem(key: str, *, local: bool = False) -> str | None:
    """Says what keeps `key` from being the key of a Fastly KV Store item.

    Args:
        key: The key.
        local: Also apply the rules that only Fastly's local server has.

    Returns:
        The rule that is broken, or None.
    """
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        return "must be valid Unicode (it holds half a surrogate pair)"
    if not 1 <= length <= KEY_BYTES:
        return f"must have 1 to {KEY_BYTES} bytes of UTF-8 (it has {length})"
    if key in {".", ".."}:
        return "must not be '.' or '..'"
    if key.startswith(_ACME):
        return f"must not start with {_ACME!r}"
    for letter in key:
        if letter in _FORBIDDEN:
            return f"must not contain {_FORBIDDEN[letter]}"
    return _local_key_problem(key) if local else None


def config_key_problem(key: str) -> str | None:
    """Says what keeps `key` from being the key of a Config Store's item.

    Returns:
        The rule that is broken, or None.
    """
    if any("\ud800" <= letter <= "\udfff" for letter in key):
        return "must be valid Unicode (it holds half a surrogate pair)"
    if not 1 <= len(key) <= CONFIG_KEY_CHARACTERS:
        return f"must have 1 to {CONFIG_KEY_CHARACTERS} characters (it has {len(key)})"
    if key in {".", ".."}:  # a path of the API could not name it
        return "must not be '.' or '..'"
    return None


def _local_key_problem(key: str) -> str | None:
    import unicodedata

    if key.startswith(_ACME[:-1]):
        return f"must not start with {_ACME[:-1]!r} in local stores"
    if "./" in key or key.endswith(("/.", "/..")):
        return "must not have '.' or '..' as a path segment in local stores"
    if len(key) == 1 and (key.isspace() or unicodedata.category(key) == "Cc"):
        return "must not be a single space or control character in local stores"
    return None


def value_problem(body: bytes, scrub: Callable[[str], str] = str) -> tuple[str, bool] | None:
    """A cheap first look at a value that should be config specs.

    Only the first bytes are looked at: whether the JSON is whole is found out when it is parsed,
    and reported as `PayloadError`.

    Args:
        body: The value, decompressed.
        scrub: Takes secrets out of what is quoted from it.

    Returns:
        What is wrong, and whether that may pass by itself (an error page may); None if the value
        starts like a JSON object.
    """
    start = body[:512].lstrip(_JSON_SPACE) or body.lstrip(_JSON_SPACE)[:512]
    if start.startswith(b"{"):
        return None
    if not start:
        return "the value is empty; publish the config specs to it", False
    if start.startswith(b"<"):
        what = "the value is an HTML or XML page, most likely an error page, and not JSON"
        return f"{what}; ask again later, and if it stays publish the config specs anew", True
    if start.startswith(b"\xef\xbb\xbf"):
        return "the value starts with a byte order mark; store it as UTF-8 without one", False
    if start.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00")):
        return "the value is UTF-16; store it as UTF-8", False
    quoted = scrub(start.decode("utf-8", "backslashreplace"))[:16]
    return f"the value is not a JSON object: it starts with {quoted!r}", False


def listed(names: list[str], most: int = 20) -> str:
    """Names for a message: `'a', 'b' and 3 more`."""
    shown = ", ".join(repr(name[:80]) for name in sorted(names)[:most])
    more = len(names) - most
    return f"{shown} and {more} more" if more > 0 else shown
