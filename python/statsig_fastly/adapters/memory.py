"""Config specs held in memory: for tests, and to start from a payload that came with the program.

In: a payload as bytes, text or a mapping. Out: the same as a `Payload`, once for each version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from statsig_fastly.adapters import Payload
from statsig_fastly.adapters.checks import check_text

__all__ = ["MemoryAdapter", "encoded"]


class MemoryAdapter:
    """Hands out a payload that the program itself has. Safe to use from several threads.

    The payload is not looked into: what is wrong with it is found when it is parsed.

    Args:
        payload: JSON as UTF-8 bytes or text, or a mapping that is encoded as JSON at once, so that
            later changes to it have no effect.
        name: What evaluation reasons call it.

    Raises:
        TypeError: `payload` or `name` has another type, or the mapping holds something JSON cannot.
        ValueError: `name` is empty; the mapping holds NaN, an infinity or itself; the text holds
            half a surrogate pair.
    """

    def __init__(self, payload: bytes | str | Mapping[str, object], *, name: str = "Memory") -> None:
        self._name = check_text("name", name)
        self._payload = _versioned(payload)

    @property
    def name(self) -> str:
        """Name in evaluation reasons."""
        return self._name

    @property
    def identity(self) -> str:
        """Tells this source from others: its name."""
        return f"Memory {self._name}"

    def update(self, payload: bytes | str | Mapping[str, object]) -> None:
        """Replaces the payload. The next `fetch` returns it, unless it is the same again.

        Args:
            payload: As for the class.
        """
        self._payload = _versioned(payload)

    def fetch(self, held_version: str | None = None) -> Payload | None:
        """Returns the payload, or None if the caller already has it.

        Args:
            held_version: `Payload.version` of what the caller has, or None.
        """
        payload = self._payload
        return None if payload.version == held_version else payload

    def close(self) -> None:
        """Does nothing; there is nothing to free."""

    def __repr__(self) -> str:
        return f"MemoryAdapter(name={self._name!r}, {len(self._payload.body)} bytes)"


def _versioned(payload: bytes | str | Mapping[str, object]) -> Payload:
    from hashlib import sha256

    body = encoded("payload", payload)
    return Payload(body, sha256(body).hexdigest())


def encoded(argument: str, payload: object) -> bytes:
    """A payload as JSON in UTF-8.

    Args:
        argument: What the caller calls it.
        payload: Bytes, which are taken as they are; text; or a mapping.

    Raises:
        TypeError: It is something else, or a mapping that holds something JSON cannot.
        ValueError: It holds NaN, an infinity, itself or half a surrogate pair.
    """
    if isinstance(payload, bytes):
        return payload
    if isinstance(payload, Mapping):
        try:
            payload = json.dumps(
                payload, default=_inner_mapping, ensure_ascii=False, allow_nan=False, separators=(",", ":")
            )
        except (TypeError, ValueError, RecursionError) as problem:
            kind = TypeError if isinstance(problem, TypeError) else ValueError
            raise kind(f"{argument}: expected a mapping that JSON can hold: {problem}") from None
    if not isinstance(payload, str):
        raise TypeError(f"{argument}: expected bytes, str or a mapping, got {type(payload).__name__}")
    try:
        return payload.encode()
    except UnicodeEncodeError as problem:
        raise ValueError(
            f"{argument}: expected valid Unicode, got half a surrogate pair at position {problem.start}"
        ) from None


def _inner_mapping(value: object) -> dict[object, object]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"got {type(value).__name__}")
