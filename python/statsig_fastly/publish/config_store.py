"""A Fastly Config Store to publish to, over its REST API.

It has no versions and no metadata: what would be metadata is an item of its own, `metadata.<key>`, and counts
only while the digest in it is that of the value. Nothing keeps two publishers from overwriting one another.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from statsig_fastly.adapters.checks import config_key_problem
from statsig_fastly.adapters.fastly_api import FastlyApi, decoded
from statsig_fastly.adapters.fastly_store import CONFIG, FastlyStore, check_store
from statsig_fastly.errors import AdapterError
from statsig_fastly.publish.metadata import ValueMetadata
from statsig_fastly.publish.store import ABSENT, Conflict, Head, Item, Listed
from statsig_fastly.store_limits import CONFIG_ITEMS, CONFIG_VALUE_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from statsig_fastly.publish.retries import Patience
    from statsig_fastly.transport import Response

__all__ = ["ConfigStore"]

_METADATA: Final = "metadata."
_ITEMS_BYTES: Final = 64 * 1024 * 1024
_BATCH: Final = 100  # of the 1,000 that one request may hold, so that none is larger than a megabyte or so


class ConfigStore:
    """The items of one Config Store.

    Args:
        api: The API.
        store: Id or name of the store.
        patience: What is done about failures that may pass.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: `store` is neither an id nor a name.
    """

    largest = CONFIG_VALUE_CHARACTERS
    most_items: int | None = CONFIG_ITEMS
    holds_text = True
    is_conditional = False

    def __init__(self, api: FastlyApi, store: str, patience: Patience) -> None:
        check_store(store, CONFIG)
        self._api = api
        self._store = FastlyStore(api, CONFIG, store)
        self._patience = patience

    def __str__(self) -> str:
        return str(self._store)

    def close(self) -> None:
        """Closes the connections."""
        self._api.close()

    def head(self, key: str) -> Head | None:
        """What there is under a key; the value is read as well, it is small."""
        return self.read(key)

    def read(self, key: str) -> Item | None:
        """An item; None if there is none. Its version is a digest of the value."""
        found = self._get(key)
        if found is None:
            return None
        value = _value(found)
        digest = sha256(value).hexdigest()
        beside = self._get(f"{_METADATA}{key}")
        metadata = None if beside is None else _value(beside).decode()
        known = ValueMetadata.parse(metadata)
        if known is None or known.sha256 != digest:
            metadata = None
        return Item(digest, metadata, _modified(found), value)

    def read_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The values of items by key, as far as they are there: all of the store is read at once."""
        wanted = set(keys)
        rows = self._rows() if wanted else []
        return {row["item_key"]: _value(row) for row in rows if row["item_key"] in wanted}

    def write(self, key: str, value: bytes, metadata: str | None, *, replaces: str | None = None) -> None:
        """Writes an item: see `Store.write`. That nobody else writes meanwhile is not for sure."""
        longest = f"{_METADATA}{key}" if metadata is not None else key
        if problem := config_key_problem(longest):
            raise AdapterError(f"writing to {self._store}: the key {problem}, got {longest[:100]!r}")
        asked = f"writing key {key!r} of {self._store}"
        if replaces is not None:
            there = self._get(key)
            version = ABSENT if there is None else sha256(_value(there)).hexdigest()
            if version != replaces:
                raise Conflict(f"{asked}: somebody else has written it meanwhile")
        self._put(key, value, asked)
        if metadata is not None:
            self._put(f"{_METADATA}{key}", metadata.encode(), asked)

    def write_many(self, items: Mapping[str, bytes]) -> None:
        """Writes items, as many with one request as it may hold."""
        self._change([_operation("upsert", key, value) for key, value in items.items()])

    def delete(self, key: str, *, version: str | None = None) -> None:
        """Deletes an item and its metadata: see `Store.delete`."""
        if version is not None:
            there = self._get(key)
            if there is None or sha256(_value(there)).hexdigest() != version:
                raise Conflict(f"deleting key {key!r} of {self._store}: it is another one by now")
        asked = f"deleting key {key!r} of {self._store}"
        for each in (f"{_METADATA}{key}", key):
            if self._get(each) is not None:
                self._ask("DELETE", f"item/{quote(each, safe='')}", asked)

    def delete_many(self, keys: Iterable[str]) -> None:
        """Deletes items, as many with one request as it may hold."""
        there = {row["item_key"] for row in self._rows()}
        self._change([{"op": "delete", "item_key": key} for key in keys if key in there])

    def entries(self, prefix: str) -> Iterator[Listed]:
        """The items whose keys start with `prefix`."""
        for row in self._rows():
            if row["item_key"].startswith(prefix):
                yield Listed(row["item_key"], _modified(row))

    def _rows(self) -> list[dict[str, Any]]:
        """Every item of the store."""
        asked = f"listing items of {self._store}"
        answer = self._ask("GET", "items", asked)
        rows = decoded(answer)
        if answer.status != HTTPStatus.OK or not isinstance(rows, list):
            raise self._api.unexpected(asked, "JSON with a list", answer)
        return [
            row
            for row in rows
            if isinstance(row, dict)
            and isinstance(row.get("item_key"), str)
            and isinstance(row.get("item_value"), str)
        ]

    def _get(self, key: str) -> dict[str, Any] | None:
        asked = f"reading key {key!r} of {self._store}"
        answer = self._ask("GET", f"item/{quote(key, safe='')}", asked)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        found = decoded(answer)
        if not isinstance(found, dict) or not isinstance(found.get("item_value"), str):
            raise self._api.unexpected(asked, 'JSON with a text "item_value"', answer)
        return found

    def _put(self, key: str, value: bytes, asked: str) -> None:
        form = urlencode({"item_value": value.decode()}).encode()
        self._ask("PUT", f"item/{quote(key, safe='')}", asked, form, "application/x-www-form-urlencoded")

    def _change(self, operations: list[dict[str, str]]) -> None:
        asked = f"changing items of {self._store}"
        for at in range(0, len(operations), _BATCH):
            body = json.dumps({"items": operations[at : at + _BATCH]}).encode()
            self._ask("PATCH", "items", asked, body, "application/json")

    def _ask(
        self, method: str, path: str, asked: str, body: bytes | None = None, content_type: str = ""
    ) -> Response:
        store_id = self._patience.ask(self._store.id)
        headers = {"Content-Type": content_type} if content_type else None

        def ask() -> Response:
            whole = f"{self._store.path(store_id)}/{path}"
            answer = self._api.ask(method, whole, asked, headers=headers, body=body, limit=_ITEMS_BYTES)
            if answer.status not in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
                raise self._api.refusal(asked, answer)
            return answer

        answer = self._patience.ask(ask)
        if answer.status == HTTPStatus.NOT_FOUND:
            if self._store.is_gone(store_id, asked):
                self._store.id(stale=store_id)
                said = "the store was not there under its id; ask again"
                raise AdapterError(f"{asked}: {said}", retryable=True)
            if method not in {"GET", "DELETE"}:
                raise self._api.refusal(asked, answer)
        return answer


def _operation(op: str, key: str, value: bytes) -> dict[str, str]:
    return {"op": op, "item_key": key, "item_value": value.decode()}


def _value(item: Mapping[str, Any]) -> bytes:
    # Half a surrogate pair is not anything that was published here; it is to differ from all that was.
    return str(item["item_value"]).encode("utf-8", "surrogatepass")


def _modified(item: Mapping[str, Any]) -> float | None:
    text = item.get("updated_at")
    with suppress(ValueError):
        if isinstance(text, str):
            return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    return None
