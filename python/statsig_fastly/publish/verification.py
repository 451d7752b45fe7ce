"""Reading back what was written: a publish has ended when it can be read.

In: what was written. Out: whether it is there, or a newer payload of somebody else. Reads may be behind, so
they are made again for a while.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from statsig_fastly.errors import AdapterError
from statsig_fastly.publish.chunk_upkeep import missing_chunks
from statsig_fastly.publish.metadata import ValueMetadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from statsig_fastly.publish.form import Form
    from statsig_fastly.publish.store import Store

__all__ = ["verify"]

# As far as anybody says, reads of a KV Store are behind for less than a second.
_LONGEST_S: Final = 20.0
_AGAIN_S: Final = 0.25


def verify(
    store: Store, key: str, form: Form, time: int, *, replaced: str | None, wait: Callable[[float], object]
) -> Literal["published", "superseded"]:
    """Reads until what was written is there, or something newer.

    Args:
        store: The store.
        key: The key.
        form: What was written.
        time: Time of the payload, in ms since the epoch.
        replaced: The version that it took the place of, which a read that is behind still has.
        wait: What waits for so many seconds.

    Raises:
        AdapterError: Something else is read there for too long.
    """
    place = f"verifying key {key!r} of {store}"
    waited = 0.0
    while True:
        item = store.read(key)
        if item is not None and item.value == form.value:
            break
        is_behind = item is None or item.version == replaced
        known = None if item is None or is_behind else ValueMetadata.parse(item.metadata)
        if known is not None and known.time > time:
            return "superseded"
        if waited >= _LONGEST_S:
            raise AdapterError(
                f"{place}: {waited:.0f} s after it was written, something else is read there", retryable=True
            )
        wait(_AGAIN_S)
        waited += _AGAIN_S
    return "published" if form.manifest is None else _verify_chunks(store, place, form, wait)


def _verify_chunks(
    store: Store, place: str, form: Form, wait: Callable[[float], object]
) -> Literal["published"]:
    """Looks whether all chunks are there, and puts those back that another publisher tidied away."""
    looks = 0
    while missing := missing_chunks(store, form.chunks):
        looks += 1
        if looks * _AGAIN_S >= _LONGEST_S:
            raise AdapterError(f"{place}: {len(missing)} of its chunks cannot be read", retryable=True)
        wait(_AGAIN_S)
        if looks > 1:  # the first time, the reads may have been behind
            store.write_many(missing)
    return "published"
