"""What is done around a publish so that nothing is lost and nothing is left over.

In: what was under the key before, and what is there now. Out: a kept version of what somebody else wrote;
fewer versions and chunks than before.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from statsig_fastly.chunks import Manifest
from statsig_fastly.errors import AdapterError, PayloadError
from statsig_fastly.publish.chunk_upkeep import collect, lost_chunks
from statsig_fastly.publish.metadata import ValueMetadata
from statsig_fastly.publish.specs import Specs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statsig_fastly.publish.form import Form
    from statsig_fastly.publish.store import Item, Store
    from statsig_fastly.publish.stored import Stored
    from statsig_fastly.publish.versions import Versions

__all__ = ["is_whole", "keep_what_is_there", "manifest_there", "tidy"]


def manifest_there(store: Store, key: str, stored: Stored) -> Manifest | None:
    """The manifest under a key, if that is what is there.

    Raises:
        AdapterError: The store failed.
    """
    if stored.metadata is not None and not stored.metadata.encoding.endswith("+chunks"):
        return None
    item = store.read(key) if stored.is_there else None
    if item is None or item.version != stored.version:
        return None
    try:
        return Manifest.parse(item.value, f"key {key!r} of {store}")
    except AdapterError:  # of a form that is not known here
        return None


def is_whole(store: Store, key: str, stored: Stored) -> bool:
    """Whether all chunks are there of what is under a key.

    Raises:
        AdapterError: The store failed.
    """
    manifest = manifest_there(store, key, stored)
    return manifest is None or not lost_chunks(store, key, manifest)


def keep_what_is_there(store: Store, key: str, versions: Versions, stored: Stored, now: float) -> str | None:
    """Keeps what is about to be replaced, if it is not kept already: it can be gone back to then.

    That is what somebody else wrote, such as Statsig's own push, or a publisher that was killed.

    Args:
        store: The store.
        key: The key.
        versions: Where to keep it.
        stored: What is there.
        now: Seconds since the epoch.

    Returns:
        The id of the version; None if there is nothing to be kept.

    Raises:
        AdapterError: The store failed.
    """
    payload, metadata = stored.payload, stored.metadata
    if metadata is not None and versions.has(metadata):
        return versions.id_of(metadata)
    if metadata is None and payload is None:
        return None
    item = store.read(key)
    if item is None or item.version != stored.version:
        return None
    if metadata is None and payload is not None:
        try:
            metadata = _metadata_of(payload, item, f"key {key!r} of {store}", now)
        except PayloadError:
            return None  # nobody ever got an answer from it
    if metadata is None:
        return None
    return versions.keep(item.value, replace(metadata, hold=None))


def _metadata_of(payload: bytes, item: Item, place: str, now: float) -> ValueMetadata:
    """What can be said of a value that came without metadata."""
    specs = Specs.parse(payload)
    manifest = Manifest.parse(item.value, place)
    written = now if item.modified_at is None else item.modified_at
    return ValueMetadata(
        time=specs.time,
        sha256=sha256(item.value).hexdigest(),
        specs=sum(1 for _ in specs.refs()),
        payload=sha256(payload).hexdigest(),
        size=len(payload),
        encoding="other" if manifest is None else "other+chunks",
        published_at=int(written * 1000),
    )


def tidy(
    store: Store,
    key: str,
    versions: Versions,
    *,
    keep: int,
    form: Form,
    metadata: ValueMetadata,
    replaced: Manifest | None,
    now: float,
) -> None:
    """Deletes versions that are too old, and chunks that nothing needs any more.

    Args:
        store: The store.
        key: The key.
        versions: The versions of the key.
        keep: How many are kept; 0 leaves them alone.
        form: What is there now.
        metadata: What is said of it.
        replaced: The manifest that was there before: somebody may be reading its chunks.
        now: Seconds since the epoch.

    Raises:
        AdapterError: The store failed, or a version cannot be read: then no chunk is deleted.
    """
    left = versions.prune(keep, metadata) if keep else None

    def used() -> Iterator[Manifest]:
        yield from (manifest for manifest in (form.manifest, replaced) if manifest is not None)
        for version in versions.all() if left is None else left:
            if version.metadata.encoding.endswith("+chunks"):
                found = Manifest.parse(versions.read(version).value, f"version {version.id}")
                if found is not None:
                    yield found

    collect(store, key, used(), now)
