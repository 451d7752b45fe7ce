"""Items of a Fastly Config Store over its REST API.

In: the id of a store and a key. Out: a `Payload` with the stored text as UTF-8 and a digest of it for a
version; or None where that is the digest the caller holds; or an `AdapterError`.

A Config Store has no versions that could be asked for: `updated_at` has whole seconds, in which a value can
change twice.
"""

from __future__ import annotations

import json
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from statsig_fastly.adapters import Payload
from statsig_fastly.adapters.chunk_reading import digest_of
from statsig_fastly.adapters.fastly_api import decoded
from statsig_fastly.adapters.fastly_store import CONFIG, ItemMissing
from statsig_fastly.chunks import Manifest
from statsig_fastly.errors import AdapterError
from statsig_fastly.store_limits import CONFIG_REMEDIES, CONFIG_VALUE_CHARACTERS, config_advice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from statsig_fastly.adapters.fastly_api import FastlyApi
    from statsig_fastly.adapters.fastly_store import FastlyStore

__all__ = ["ConfigItems"]

_ITEM_BYTES = 256 * 1024  # 8,000 characters, each as two \uXXXX
_ITEMS_BYTES = 64 * 1024 * 1024
_FEW_CHUNKS = 8  # asked for one by one; for more, the whole store is read in one request


class ConfigItems:
    """The items of one Config Store. Safe to use from several threads.

    Args:
        api: The API to ask.
        store: The store.
    """

    kind = CONFIG
    adapter_name = "FastlyConfig"

    __slots__ = ("_api", "_store")

    def __init__(self, api: FastlyApi, store: FastlyStore) -> None:
        self._api = api
        self._store = store

    def read(self, store_id: str, key: str, held_version: str | None, asked: str) -> Payload | None:
        """Reads an item, if it is not the one the caller has.

        Args:
            store_id: Id of the store.
            key: Key of the item.
            held_version: The digest the caller has, or None.
            asked: What is asked, in words, for messages.

        Raises:
            ItemMissing: There is no such item, or no such store.
            AdapterError: No usable value came.
        """
        value = self._get(store_id, key, asked)
        if value is None:
            raise ItemMissing
        _check_whole(value.decode(), asked)
        version = digest_of(value, Manifest.parse(value, asked))
        return None if version == held_version else Payload(value, version)

    def keys(self, store_id: str, prefix: str, asked: str) -> list[str]:
        """The keys that start with `prefix`.

        Raises:
            AdapterError: They could not be listed.
        """
        return [key for key in self._all(store_id, asked) if key.startswith(prefix)]

    def chunks(self, store_id: str, keys: Mapping[str, str], asked: str) -> Iterator[tuple[str, bytes]]:
        """Reads chunks, until one is missing.

        Args:
            store_id: Id of the store.
            keys: Keys of the chunks by their ids.
            asked: What is asked, in words, for messages.

        Raises:
            AdapterError: One could not be read.
        """
        listed = self._all(store_id, asked) if len(keys) > _FEW_CHUNKS else {}
        for chunk, key in keys.items():
            value = listed.get(key)
            if value is None:
                value = self._get(store_id, key, asked)
            if value is None:
                return
            yield chunk, value

    def size_advice(self, value: bytes, manifest: Manifest | None) -> str | None:
        """What to do before the value becomes too large, if it is near that."""
        if manifest is None:
            return config_advice(len(value.decode()), 1)
        return config_advice(0, 1 + len(set(manifest.chunks)))

    def _get(self, store_id: str, key: str, asked: str) -> bytes | None:
        """A value; None if there is none."""
        path = f"{self._store.path(store_id)}/item/{quote(key, safe='')}"
        answer = self._api.ask("GET", path, asked, limit=_ITEM_BYTES)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise self._api.refusal(asked, answer)
        value = _value_of(decoded(answer))
        if value is None:
            raise self._api.unexpected(asked, 'JSON with a text "item_value"', answer)
        return value

    def _all(self, store_id: str, asked: str) -> dict[str, bytes]:
        """Every item of the store that has a value, by key."""
        rows = self._api.rows(f"{self._store.path(store_id)}/items", asked, None, limit=_ITEMS_BYTES)
        found = {}
        for row in rows:
            key, value = row.get("item_key") if isinstance(row, dict) else None, _value_of(row)
            if isinstance(key, str) and value is not None:
                found[key] = value
        return found


def _value_of(item: object) -> bytes | None:
    """What an item holds as UTF-8; None if it is no item, or holds what is no text."""
    value = item.get("item_value") if isinstance(item, dict) else None
    if not isinstance(value, str):
        return None
    try:
        return value.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return None


def _check_whole(value: str, asked: str) -> None:
    """Recognises JSON that was cut off where a Config Store's room for a value ends."""
    if len(value) != CONFIG_VALUE_CHARACTERS or not value.startswith("{"):
        return
    with suppress(RecursionError):
        try:
            json.JSONDecoder().raw_decode(value)
        except ValueError:
            raise AdapterError(
                f"{asked}: the value was cut off at {CONFIG_VALUE_CHARACTERS:,} characters, the most a "
                f"Config Store holds, and the rest of it is missing; {CONFIG_REMEDIES}",
                status=200,
            ) from None
