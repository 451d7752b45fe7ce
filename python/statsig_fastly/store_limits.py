"""How much Fastly's stores hold, and what to do before a project outgrows them.

In: the size of what lies in a store. Out: advice in words, or None while there is room.
"""

from __future__ import annotations

__all__ = [
    "CHUNKS_REMEDIES",
    "CONFIG_ITEMS",
    "CONFIG_KEY_CHARACTERS",
    "CONFIG_REMEDIES",
    "CONFIG_VALUE_CHARACTERS",
    "KV_REMEDIES",
    "KV_VALUE_BYTES",
    "config_advice",
    "kv_advice",
]

KV_VALUE_BYTES = 25_000_000
"""Largest value of a KV Store, in bytes. Fastly raises it on request."""

CONFIG_VALUE_CHARACTERS = 8_000
"""Longest value of a Config Store, in characters."""

CONFIG_KEY_CHARACTERS = 255
"""Longest key of a Config Store, in characters."""

CONFIG_ITEMS = 500
"""Most items of a Config Store."""

_SMALLER = (
    "make it smaller with a Target App filter in Statsig's Fastly integration, store it compressed "
    "(gzip, zstd or brotli)"
)
_OTHER_STORE = f"or use a KV Store, where a value has up to {KV_VALUE_BYTES:,} bytes"
KV_REMEDIES = f"{_SMALLER}, or store it in chunks"
CONFIG_REMEDIES = f"{_SMALLER}, store it in chunks, {_OTHER_STORE}"
CHUNKS_REMEDIES = f"{_SMALLER}, {_OTHER_STORE}"

_NEAR = 0.8


def kv_advice(size: int, limit: int) -> str | None:
    """What to say of a KV Store's value.

    Args:
        size: What it has, in bytes.
        limit: What it may have, in bytes.
    """
    return _advice(f"the value has {size:,} of {limit:,} bytes", size, limit, KV_REMEDIES)


def config_advice(characters: int, items: int) -> str | None:
    """What to say of config specs in a Config Store.

    Args:
        characters: Length of a value that is all there is of them; 0 where they are in chunks.
        items: How many items of the store they take.
    """
    room = CONFIG_VALUE_CHARACTERS
    if characters:
        said = f"the value has {characters:,} of the {room:,} characters a Config Store holds"
        return _advice(said, characters, room, CONFIG_REMEDIES)
    said = f"the config specs take {items:,} of the {CONFIG_ITEMS:,} items a Config Store holds"
    return _advice(said, items, CONFIG_ITEMS, CHUNKS_REMEDIES)


def _advice(said: str, size: int, limit: int, remedies: str) -> str | None:
    return f"{said}; before it is full, {remedies}" if size >= _NEAR * limit else None
