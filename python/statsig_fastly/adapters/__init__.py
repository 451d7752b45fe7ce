"""Where payloads come from.

An adapter answers one question: *is there something newer than what I hold, and what is it?*
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

__all__ = ["Payload", "SpecAdapter"]


@dataclass(frozen=True, slots=True)
class Payload:
    """Config specs as they lay in a store.

    Attributes:
        body: The JSON text, UTF-8.
        version: What the store calls this version of the value (Fastly KV: the `Generation` header).
            Opaque: compare for equality only. None where the store has no such thing.
        metadata: Text kept beside the value, if any (Fastly KV: the `Metadata` header).
    """

    body: bytes = field(repr=False)
    version: str | None = None
    metadata: str | None = None


@runtime_checkable
class SpecAdapter(Protocol):
    """What `StatsigOptions.data_adapter` takes. Any object with these three members will do."""

    @property
    def name(self) -> str:
        """Name in evaluation reasons, as in `Adapter(FastlyKV):Recognized`."""

    def fetch(self, held_version: str | None = None) -> Payload | None:
        """Reads the payload.

        Args:
            held_version: `Payload.version` of what the caller already has, or None.

        Returns:
            The payload, or None if the store still has `held_version`.

        Raises:
            AdapterError: The payload could not be read; the message says why and what to do.
        """

    def close(self) -> None:
        """Frees connections. Calling it again does nothing."""
