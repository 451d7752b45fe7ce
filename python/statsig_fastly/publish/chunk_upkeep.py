"""Chunks in a store: written before the manifest that names them, deleted long after the last one that did.

In: a manifest and its chunks. Out: a store in which every chunk of every manifest in use is there. One is
deleted only if no manifest names it and it has been there for a while: another publisher may have written it
for a manifest that it writes next, and a reader may still be at a manifest that was replaced.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from statsig_fastly.publish.store import Conflict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from statsig_fastly.chunks import Manifest
    from statsig_fastly.publish.store import Store

__all__ = ["SETTLED_S", "collect", "lost_chunks", "missing_chunks", "put_chunks"]

SETTLED_S: Final = 900.0
"""How long a chunk is left alone after it was written, in seconds."""


def put_chunks(
    store: Store,
    key: str,
    chunks: Mapping[str, bytes],
    in_use: Iterable[str],
    progress: Callable[[int, int], object] | None = None,
) -> int:
    """Writes the chunks that have to be, and returns how many.

    One that is there and in use stays as it is. One that is in use by nobody is written again: it may be
    about to be deleted, and is not once it is new.

    Args:
        store: The store.
        key: Key of the manifest.
        chunks: The chunks by key.
        in_use: Keys of chunks that the manifest in use names.
        progress: Told how many are done, and of how many.

    Raises:
        AdapterError: One could not be read or written.
    """
    used = set(in_use)
    there = {entry.key for entry in store.entries(f"chunk.{key}.")} if used else set()
    missing = {name: chunk for name, chunk in chunks.items() if name not in used or name not in there}
    done = 0
    if store.holds_text:  # small ones, of which many go with one request
        store.write_many(missing)
        return len(missing)
    for name, chunk in missing.items():
        store.write_many({name: chunk})
        done += 1
        if progress is not None:
            progress(done, len(missing))
    return done


def lost_chunks(store: Store, key: str, manifest: Manifest) -> list[str]:
    """The keys of those chunks of a manifest that are not there; their values are not read.

    Raises:
        AdapterError: The store failed.
    """
    there = {entry.key for entry in store.entries(f"chunk.{key}.")}
    missing = [name for name in manifest.chunk_keys(key).values() if name not in there]
    return [name for name in missing if store.head(name) is None]  # a list may be behind


def missing_chunks(store: Store, chunks: Mapping[str, bytes]) -> dict[str, bytes]:
    """Those of the chunks that are not there, or are not what they should be."""
    there = store.read_many(chunks)
    return {key: chunk for key, chunk in chunks.items() if there.get(key) != chunk}


def collect(
    store: Store, key: str, in_use: Iterable[Manifest], now: float, settled: float = SETTLED_S
) -> int:
    """Deletes chunks that nobody names, and returns how many.

    Args:
        store: The store.
        key: Key of the manifests.
        in_use: Every manifest that is in use, or kept, or was in use until just now; not looked at where
            there are no chunks.
        now: Seconds since the epoch.
        settled: How long a chunk has to have been there, in seconds.

    Raises:
        AdapterError: They could not be listed or deleted.
    """
    prefix = f"chunk.{key}."
    # A key may start like another one and a dot, and chunks of that are none of this.
    there = [entry for entry in store.entries(prefix) if "." not in entry.key.removeprefix(prefix)]
    if not there:
        return 0
    named = {chunk for manifest in in_use for chunk in manifest.chunk_keys(key).values()}
    unnamed = [entry for entry in there if entry.key not in named]
    if not store.is_conditional:
        old = [
            entry.key
            for entry in unnamed
            if entry.modified_at is not None and now - entry.modified_at >= settled
        ]
        if old:
            store.delete_many(old)
        return len(old)
    deleted = 0
    for entry in unnamed:
        head = store.head(entry.key)
        if head is None or head.modified_at is None or now - head.modified_at < settled:
            continue
        with suppress(Conflict):  # written again at this moment, so somebody needs it
            store.delete(entry.key, version=head.version)
            deleted += 1
    return deleted
