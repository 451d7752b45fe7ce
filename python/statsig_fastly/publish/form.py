"""In which form a payload is stored: compressed or not, whole or in chunks.

In: JSON text, and what a store can hold. Out: `Form`, the value for the key with the chunks beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Literal, TypeAlias

from statsig_fastly.chunks import Manifest, split
from statsig_fastly.publish.encoding import Compression, compressed
from statsig_fastly.publish.refused import PublishRefusedError
from statsig_fastly.store_limits import CONFIG_REMEDIES, KV_REMEDIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statsig_fastly.publish.store import Store

__all__ = ["Chunking", "Form", "in_form"]

Chunking: TypeAlias = Literal["auto", "always", "never"]

_CHUNK_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class Form:
    """A payload as it is stored.

    Attributes:
        value: What lies under the key.
        sha256: Hex digest of it.
        encoding: `plain`, `gzip`, `zstd` or `brotli`, with `+chunks` where `value` is a manifest.
        manifest: The manifest, if it is one.
        chunks: The chunks by key.
    """

    value: bytes = field(repr=False)
    sha256: str
    encoding: str
    manifest: Manifest | None = None
    chunks: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def in_form(
    body: bytes,
    key: str,
    store: Store,
    *,
    compression: Compression,
    chunking: Chunking,
    keep: int,
) -> Form:
    """Brings a payload into the form in which a store can hold it.

    Args:
        body: JSON text.
        key: The key it goes under.
        store: The store.
        compression: How to make it smaller.
        chunking: `auto` makes chunks of what is too large otherwise.
        keep: How many versions are kept in the store.

    Raises:
        PublishRefusedError: The store cannot hold it.
        ValueError: What the compression takes is not installed, or the key is too long for chunks.
    """
    value = compressed(body, compression)
    size = _size(value, store)
    if chunking == "never" or (chunking == "auto" and size is not None and size <= store.largest):
        if size is None:
            said = (
                f"a value in {compression} is no text, and {store} holds text; store it in chunks, or plain"
            )
            raise PublishRefusedError(said, "too large")
        if size > store.largest:
            unit, remedies = ("characters", CONFIG_REMEDIES) if store.holds_text else ("bytes", KV_REMEDIES)
            raise PublishRefusedError(
                f"the value has {size:,} {unit}, and {store} holds {store.largest:,}; {remedies}", "too large"
            )
        return Form(value, sha256(value).hexdigest(), compression)
    try:
        manifest, chunks = split(
            value,
            key,
            store_type="config" if store.holds_text else "kv",
            chunk_size=None if store.holds_text else min(_CHUNK_BYTES, store.largest),
            most_chunks=_room(store, keep),
        )
    except ValueError as error:
        said = str(error)
        if said.startswith("value:"):
            raise PublishRefusedError(said.removeprefix("value: "), "too large") from None
        if said.startswith("chunk_size:"):
            raise PublishRefusedError(
                f"the value has {len(value):,} bytes, and {store} holds {store.largest:,}; that makes more "
                "chunks than one manifest can name",
                "too large",
            ) from None
        raise
    stored = manifest.value
    return Form(stored, sha256(stored).hexdigest(), f"{compression}+chunks", manifest, chunks)


def _room(store: Store, keep: int) -> int:
    """How many chunks a version may have, which counts only where items are few."""
    if store.most_items is None:
        return 1
    # What the key, its metadata and kept versions take; half of the rest is for the next version.
    return (store.most_items - 2 - 2 * keep) // 2


def _size(value: bytes, store: Store) -> int | None:
    """How large the store takes a value to be; None if it cannot hold such a value as it is."""
    if not store.holds_text:
        return len(value)
    try:
        return len(value.decode())
    except UnicodeDecodeError:
        return None
