"""Where payloads come from.

An adapter answers one question: *is there something newer than what I hold, and what is it?* One that also
has ID lists answers two more: which lists there are, and what is in one of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["IdListAdapter", "IdListFile", "Payload", "SpecAdapter"]


@dataclass(frozen=True, slots=True)
class Payload:
    """Config specs as they lay in a store.

    Attributes:
        body: The JSON text, UTF-8.
        version: What the store calls this version of the value (Fastly KV: the `Generation` header).
            Opaque: compare for equality only. None where the store has no such thing.
        metadata: Text kept beside the value, if any (Fastly KV: the `Metadata` header).
        source: What evaluation reasons call the place it came from, as in `Network:Recognized`. None:
            `Adapter(<name of the adapter>)`.
    """

    body: bytes = field(repr=False)
    version: str | None = None
    metadata: str | None = None
    source: str | None = None


@runtime_checkable
class SpecAdapter(Protocol):
    """What `StatsigOptions.data_adapter` takes. Any object with these three members will do.

    A fourth, `identity`, is optional: a text that tells this source from others and holds no secret. It tells
    copies in `StatsigOptions.last_known_good_dir` apart; without it, `name` does.
    """

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


@dataclass(frozen=True, slots=True)
class IdListFile:
    """One ID list, as the index of all lists describes it.

    Lines are added to the end of its file. Another file takes its place where `file_id` is another one and
    `created_ms` is not lower.

    Attributes:
        name: What conditions call the list.
        file_id: What the file is called.
        created_ms: When the file was begun, in ms since the epoch.
        size: How many bytes the file has by now.
        location: Where the adapter finds the file: an address, a key.
        sha256: Hex digest of its `size` bytes; None where it is not known.
    """

    name: str
    file_id: str
    created_ms: int
    size: int
    location: str
    sha256: str | None = None


@runtime_checkable
class IdListAdapter(Protocol):
    """What `StatsigOptions.id_list_adapter` takes. A `SpecAdapter` may be one as well."""

    def fetch_id_lists(self) -> Sequence[IdListFile]:
        """Reads which lists there are.

        Raises:
            AdapterError: The index could not be read; the message says why and what to do.
        """

    def fetch_id_list(self, file: IdListFile, start: int) -> bytes:
        """Reads the lines of a list from byte `start` of its file on.

        What is not there yet may be missing at the end, and what was added since may be there.

        Raises:
            AdapterError: They could not be read; the message says why and what to do.
        """
