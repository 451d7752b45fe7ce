"""One request as it came in, one answer as it will go out: what every part of the emulator speaks.

In: the raw request target, headers and body. Out: plain values that the store handlers read and
write. Nothing here knows the HTTP server or the stores.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["Answer", "RecordedRequest", "Refused", "empty_answer", "json_answer", "record"]

_MASK = "***"
# A shorter token could be part of an innocent word, so it counts as leaked only as a whole value.
_MIN_SUBSTRING_TOKEN = 8


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request the emulator received. Its `repr` shows no header values and no body.

    Attributes:
        method: `GET`, `PUT`, ... in upper case.
        path: Path, percent-decoded once, without the query.
        raw_path: The request target as sent (path and query). A token found in it is masked.
        query: Decoded query; the last of repeated names wins.
        headers: Header values by lower-case name; repeated headers are joined by `, `.
        body_bytes: The body as sent (a compressed body stays compressed).
        arrived_at: Seconds since the epoch on the emulator's clock, taken once the body had been read.
        token_in_url: True if a token the emulator knows was part of the request target.
    """

    method: str
    path: str
    raw_path: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    body_bytes: bytes = field(repr=False)
    arrived_at: float
    token_in_url: bool = False

    @property
    def segments(self) -> list[str]:
        """Path segments, each percent-decoded once; `/a/b%2Fc` has the segments `a` and `b/c`.

        Raises:
            Refused: 400, a segment is not UTF-8.
        """
        raw = self.raw_path.partition("?")[0]
        return [_decode(part) for part in raw.removeprefix("/").split("/")]

    def after(self, segments: int) -> str:
        """Everything behind the first `segments` path segments, percent-decoded once.

        Slashes count as they come, so `a/b` and `a%2Fb` are the same key.

        Raises:
            Refused: 400, the rest is not UTF-8.
        """
        raw = self.raw_path.partition("?")[0]
        return _decode(raw.removeprefix("/").split("/", segments)[segments])

    @property
    def reads_only(self) -> bool:
        """True if the method changes nothing."""
        return self.method in {"GET", "HEAD"}


@dataclass(slots=True)
class Answer:
    """What is sent back.

    Attributes:
        status: HTTP status.
        headers: Headers of this answer; the common ones are added when it is sent.
        body: Body as it would be sent to a GET; a HEAD answer carries its length only.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Refused(Exception):  # noqa: N818 - an answer on its way out, not an error of the emulator
    """Ends the handling of a request.

    Attributes:
        status: HTTP status to answer with.
        reason: Text for the body, where the answer has one.
    """

    def __init__(self, status: int, reason: str = "") -> None:
        super().__init__(f"HTTP {status}: {reason}")
        self.status = status
        self.reason = reason


def json_answer(status: int, value: object, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer with `value` as compact JSON."""
    body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    return Answer(status, {"Content-Type": "application/json", **(headers or {})}, body)


def empty_answer(status: int) -> Answer:
    """An answer without a body."""
    return Answer(status)


def record(
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    arrived_at: float,
    tokens: Collection[str],
) -> RecordedRequest:
    """Builds the record of a request; `target` is the request target as it stood on the wire."""
    raw_path, _, raw_query = target.partition("?")
    path = unquote_to_bytes(raw_path).decode("utf-8", "replace")
    query = dict(parse_qsl(raw_query, keep_blank_values=True))
    leaked = [token for token in tokens if _holds(token, path, query)]
    if leaked:
        path, target = _masked(path, leaked), _masked(target, leaked)
        if any(token in unquote(target) for token in leaked):
            target = _MASK  # a percent-encoded token
        query = {_masked(name, leaked): _masked(value, leaked) for name, value in query.items()}
    return RecordedRequest(method, path, target, query, dict(headers), body, arrived_at, bool(leaked))


def _holds(token: str, path: str, query: Mapping[str, str]) -> bool:
    parts = [*path.split("/"), *query, *query.values()]
    if len(token) < _MIN_SUBSTRING_TOKEN:
        return token in parts
    return any(token in part for part in parts)


def _masked(text: str, tokens: list[str]) -> str:
    for token in tokens:
        text = text.replace(token, _MASK)
    return text


def _decode(part: str) -> str:
    try:
        return unquote_to_bytes(part).decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(400, "the path is not UTF-8") from None
