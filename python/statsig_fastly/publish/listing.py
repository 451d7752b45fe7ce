"""What a token sees: stores, and the keys in them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from statsig_fastly.adapters.fastly_api import decoded
from statsig_fastly.adapters.fastly_store import CONFIG, KV
from statsig_fastly.publish.metadata import ValueMetadata
from statsig_fastly.publish.places import Access, Place, open_store
from statsig_fastly.publish.retries import Patience

if TYPE_CHECKING:
    from statsig_fastly.adapters.fastly_api import FastlyApi

__all__ = ["KeySeen", "StoreSeen", "create_store", "list_keys", "list_stores"]

_OK = 200
_SHOWN = 255


@dataclass(frozen=True, slots=True)
class StoreSeen:
    """A store.

    Attributes:
        kind: `kv` or `config`.
        name: Its name.
        id: Its id.
        created_at: When it was made, as the API writes it.
    """

    kind: str
    name: str
    id: str
    created_at: str

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class KeySeen:
    """A key of a store.

    Attributes:
        key: The key.
        modified_at: When it was written, in seconds since the epoch; None where that is not known.
        metadata: What is said of the value; None if it was not published here, or was not asked for.
    """

    key: str
    modified_at: float | None = None
    metadata: ValueMetadata | None = None

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON data."""
        return asdict(self)


def list_stores(access: Access) -> list[StoreSeen]:
    """Lists KV Stores and Config Stores by name.

    Raises:
        AdapterError: The API failed.
        ValueError: There is no token.
    """
    api = access.fastly()
    try:
        rows = [("kv", row) for row in _kv_rows(api)]
        config = api.rows(CONFIG.path, f"listing Config Stores at {api.host}", CONFIG.field)
    finally:
        api.close()
    rows += [("config", row) for row in config]
    found = [
        StoreSeen(
            kind, *(api.one_line(str(row.get(name, "")), _SHOWN) for name in ("name", "id", "created_at"))
        )
        for kind, row in rows
        if isinstance(row, dict)
    ]
    return sorted(found, key=lambda store: (store.kind != "kv", store.name, store.id))


def create_store(place: Place, access: Access) -> None:
    """Makes an empty store.

    Args:
        place: Its kind and name.
        access: How to get there.

    Raises:
        AdapterError: The API refused: the name is taken or not allowed, or the token may not.
        ValueError: There is no token, or `place` is no store.
    """
    if place.kind not in {"kv", "config"} or place.key:
        raise ValueError(f"--create: expected kv:NAME or config:NAME, got {str(place)!r}")
    kind = KV if place.kind == "kv" else CONFIG
    api = access.fastly()
    asked = f"making {kind.words} {place.store!r} at {api.host}"
    body, content_type = json.dumps({"name": place.store}).encode(), "application/json"
    if kind is CONFIG:
        body, content_type = urlencode({"name": place.store}).encode(), "application/x-www-form-urlencoded"
    try:
        answer = api.ask("POST", kind.path, asked, headers={"Content-Type": content_type}, body=body)
    finally:
        api.close()
    if answer.status not in {200, 201}:
        raise api.refusal(asked, answer)


def list_keys(place: Place, access: Access, prefix: str = "", *, details: bool = False) -> list[KeySeen]:
    """Lists the keys of a store.

    Args:
        place: The store.
        access: How to get there.
        prefix: Only keys that start like this.
        details: Whether to ask about each of them.

    Raises:
        AdapterError: The store failed.
        ValueError: There is no token, or `place` is no store.
    """
    if place.kind not in {"kv", "config"}:
        raise ValueError(f"STORE: expected kv:STORE or config:STORE, got {str(place)!r}")
    store, _ = open_store(place, access, Patience())
    try:
        found = [KeySeen(entry.key, entry.modified_at) for entry in store.entries(prefix)]
        if details:
            heads = [(each, store.head(each.key)) for each in found]
            found = [
                each
                if head is None
                else KeySeen(each.key, head.modified_at, ValueMetadata.parse(head.metadata))
                for each, head in heads
            ]
    finally:
        store.close()
    return found


def _kv_rows(api: FastlyApi) -> list[object]:
    asked = f"listing KV Stores at {api.host}"
    found: list[object] = []
    cursor = ""
    while True:
        answer = api.ask("GET", f"{KV.path}{KV.everything}{cursor}", asked)
        if answer.status != _OK:
            raise api.refusal(asked, answer)
        page = decoded(answer)
        if not isinstance(page, dict) or not isinstance(page.get("data"), list):
            raise api.unexpected(asked, 'JSON with a list "data"', answer)
        found += page["data"]
        meta = page.get("meta")
        after = meta.get("next_cursor") if isinstance(meta, dict) else None
        if not isinstance(after, str) or not after:
            return found
        cursor = f"&cursor={quote(after, safe='')}"
