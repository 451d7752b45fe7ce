"""Reads the chunks of a value, and keeps them, so that an update asks only for those that are new.

In: a manifest, and something that reads chunks. Out: what could be read of them. Whether that is all, and
what it comes to, is for `Manifest.join` to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statsig_fastly.adapters.plain_specs import too_large
from statsig_fastly.chunks import Manifest, chunk_id
from statsig_fastly.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["ChunkReader", "check_announced", "digest_of"]

_KEPT_BYTES = 16_000_000  # 500 values of 8,000 characters fit, whatever they are written in


class ChunkReader:
    """Reads chunks of one key. Safe to use from several threads."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: Mapping[str, bytes] = {}

    def read(
        self, manifest: Manifest, key: str, ask: Callable[[Mapping[str, str]], Iterable[tuple[str, bytes]]]
    ) -> Mapping[str, bytes]:
        """The chunks of a value as far as they are there, by id.

        Args:
            manifest: The manifest of the value.
            key: Its key.
            ask: Takes keys of chunks by their ids, and yields ids with chunks as they come. It stops where
                one is missing.

        Raises:
            AdapterError: What `ask` raised. The chunks that came before are kept for the next attempt.
        """
        kept = self._kept
        keys = manifest.chunk_keys(key)
        found = {chunk: kept[chunk] for chunk in keys if chunk in kept}
        unknown = {chunk: chunk_key for chunk, chunk_key in keys.items() if chunk not in found}
        room = manifest.stored_size - sum(map(len, found.values()))
        try:
            for chunk, value in ask(unknown):
                room -= len(value)
                if chunk_id(value) != chunk or room < 0:  # of no use, whatever the others are
                    return {**found, chunk: value}
                found[chunk] = value
        finally:
            self._kept = found if manifest.stored_size <= _KEPT_BYTES else {}
        return found


def check_announced(manifest: Manifest, limit: int, place: str) -> None:
    """Looks whether what a manifest announces may be read.

    Raises:
        AdapterError: It is larger than `limit` bytes.
    """
    if manifest.size > limit:
        raise AdapterError(f"{place}: {too_large('the manifest announces', manifest.size, limit)}")


def digest_of(value: bytes, manifest: Manifest | None) -> str:
    """SHA-256 of what a store holds, in hex: of the value, or of what its chunks come to."""
    from hashlib import sha256

    return sha256(value).hexdigest() if manifest is None else manifest.sha256
