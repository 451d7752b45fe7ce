"""What lies under a key, understood: the payload it comes to, and what is known of it without reading that.

In: a store and a key. Out: `Stored`. A value may be plain or compressed, whole or in chunks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from statsig_fastly.adapters.plain_specs import MAX_PAYLOAD_BYTES, plain_specs
from statsig_fastly.chunks import Manifest
from statsig_fastly.errors import AdapterError, PayloadError
from statsig_fastly.publish.metadata import ValueMetadata
from statsig_fastly.publish.specs import Specs
from statsig_fastly.publish.store import ABSENT

if TYPE_CHECKING:
    from statsig_fastly.publish.store import Item, Store

__all__ = ["Stored", "chunks_of", "look", "payload_in"]


@dataclass(frozen=True, slots=True)
class Stored:
    """What is under a key.

    Attributes:
        version: The version of the item in its store; `ABSENT` if there is none.
        metadata: What is said of the value; None if it was not published here.
        payload: The JSON text; None if there is nothing, or it has not been needed so far.
        problem: Why there is no payload in what is there, in words.
    """

    version: str | None
    metadata: ValueMetadata | None
    payload: bytes | None
    problem: str | None = None

    @property
    def is_there(self) -> bool:
        """True if there is something."""
        return self.version != ABSENT

    @property
    def hold(self) -> int:
        """Payloads with this time or older ones are not to be published over it; -1 for none."""
        found = None if self.metadata is None else self.metadata.hold
        return -1 if found is None else found

    @property
    def time(self) -> int:
        """When the project was changed according to it, in ms since the epoch; 0 if that is unknown."""
        if self.metadata is not None:
            return self.metadata.time
        try:
            return 0 if self.payload is None else Specs.parse(self.payload).time
        except PayloadError:
            return 0

    def holds(self, body: bytes, digest: str, encoding: str) -> bool:
        """Whether a payload is there in a form already.

        Args:
            body: The payload.
            digest: SHA-256 of it, in hex.
            encoding: The form, as in `ValueMetadata`.
        """
        if self.metadata is not None:
            return self.metadata.payload == digest and self.metadata.encoding == encoding
        return encoding == "plain" and self.payload is not None and self.payload == body


def look(store: Store, key: str, *, whole: bool = False) -> Stored:
    """Looks at what is there, and reads no more of it than needed.

    Args:
        store: The store.
        key: The key.
        whole: Whether to read the payload, also if the metadata tell enough.

    Raises:
        AdapterError: The store failed. What is no payload is a `problem`, so that it can be replaced.
    """
    head = store.head(key)
    if head is None:
        return Stored(ABSENT, None, None)
    metadata = ValueMetadata.parse(head.metadata)
    if metadata is not None and not whole:
        return Stored(head.version, metadata, None)
    item = store.read(key)
    if item is None:
        return Stored(ABSENT, None, None)
    metadata = ValueMetadata.parse(item.metadata)
    try:
        return Stored(item.version, metadata, payload_in(store, key, item))
    except AdapterError as error:
        if error.status is not None:  # the store's answer when a chunk was asked for
            raise
        return Stored(item.version, metadata, None, str(error))


def payload_in(store: Store, key: str, item: Item) -> bytes:
    """The JSON text that an item comes to.

    Args:
        store: Where its chunks are.
        key: Key under which the chunks are: that of the config specs, also for a kept version of them.
        item: The item.

    Raises:
        AdapterError: A chunk is missing, or it is no payload.
    """
    place = f"reading key {key!r} of {store}"
    manifest = Manifest.parse(item.value, place)
    value = item.value
    if manifest is not None:
        value = manifest.join(chunks_of(store, key, manifest), place)
    return plain_specs(value, MAX_PAYLOAD_BYTES, place)


def chunks_of(store: Store, key: str, manifest: Manifest) -> dict[str, bytes]:
    """The chunks of a manifest by id, as far as they are there."""
    keys = manifest.chunk_keys(key)
    found = store.read_many(keys.values())
    return {chunk: found[chunk_key] for chunk, chunk_key in keys.items() if chunk_key in found}
