"""What a publisher needs of a store: items with metadata, written only over what was seen.

In: keys and bytes. Out: items, `Conflict` where somebody else was quicker, or an `AdapterError`. KV Stores,
Config Stores, the local stores of a `fastly.toml`, and directories are such stores.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from statsig_fastly.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["ABSENT", "Conflict", "Head", "Item", "Listed", "Store"]

ABSENT: Final = ""
"""What an item that is not there has for a version."""


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of an item without its value.

    Attributes:
        version: Changes with every write; None where the store cannot tell.
        metadata: Text kept beside the value; None if there is none, or none that is of this value.
        modified_at: When it was written, in seconds since the epoch; None where the store does not say.
    """

    version: str | None
    metadata: str | None
    modified_at: float | None = None


@dataclass(frozen=True, slots=True)
class Item(Head):
    """An item with its value."""

    value: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Listed:
    """An item in a list; `modified_at` is in seconds since the epoch, and None where lists do not say."""

    key: str
    modified_at: float | None = None


class Conflict(AdapterError):  # noqa: N818 - nothing is wrong, somebody was quicker
    """An item was not written or deleted, because it is no longer the one that was seen."""


class Store(Protocol):
    """Where payloads are published to. Every method but `close` raises `AdapterError` if it fails.

    Attributes:
        largest: Most that an item may hold: bytes, or characters where `holds_text`.
        most_items: How many items there may be; None for no limit.
        holds_text: Whether values must be UTF-8 text.
        is_conditional: Whether `write` and `delete` look at versions. Where they do not, two publishers can
            overwrite one another.
    """

    largest: int
    most_items: int | None
    holds_text: bool
    is_conditional: bool

    def head(self, key: str) -> Head | None:
        """What there is under a key, without its value if the store can do that; None for nothing."""

    def read(self, key: str) -> Item | None:
        """An item; None if there is none."""

    def read_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The values of items by key, as far as they are there."""

    def write(self, key: str, value: bytes, metadata: str | None, *, replaces: str | None = None) -> None:
        """Writes an item, in place of any other.

        Args:
            key: The key.
            value: The value.
            metadata: What to keep beside it; None clears what is there.
            replaces: The version that is to be there, or `ABSENT`; None for any.

        Raises:
            Conflict: Another version is there.
        """

    def write_many(self, items: Mapping[str, bytes]) -> None:
        """Writes items without metadata, in place of any others."""

    def delete(self, key: str, *, version: str | None = None) -> None:
        """Deletes an item; nothing happens if there is none.

        Raises:
            Conflict: `version` was given, and another is there.
        """

    def delete_many(self, keys: Iterable[str]) -> None:
        """Deletes items without metadata, whatever they are."""

    def entries(self, prefix: str) -> Iterable[Listed]:
        """The items whose keys start with `prefix`."""

    def close(self) -> None:
        """Frees connections."""
