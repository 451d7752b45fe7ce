"""Config Stores in memory: what is in them and what a write may do.

In: keys and text. Out: items, or `Refused` with the status that the REST API would answer. No HTTP
here; the caller holds the emulator's lock.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol

from statsig_fastly.emulator.exchange import Refused
from statsig_fastly.emulator.kv import new_store_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["ConfigItem", "ConfigStore", "ConfigStores", "Operation"]

_MAX_KEY_CHARACTERS = 255
_MAX_VALUE_CHARACTERS = 8000
_MAX_ITEMS = 500
_MAX_OPERATIONS = 1000
_NOT_FOUND = "Record not found"

Operation = Literal["create", "update", "upsert", "delete"]


@dataclass(frozen=True, slots=True)
class ConfigItem:
    """One entry; times are seconds since the epoch."""

    value: str
    created_at: float
    updated_at: float


@dataclass(slots=True)
class ConfigStore:
    """One Config Store; times are seconds since the epoch."""

    store_id: str
    name: str
    created_at: float
    updated_at: float
    items: dict[str, ConfigItem] = field(default_factory=dict)


class ConfigDirectory(Protocol):
    """Where Config Stores are kept on disk."""

    def load_config_stores(self) -> Iterable[ConfigStore]: ...
    def save_config_store(self, store: ConfigStore) -> None: ...
    def drop_config_store(self, store_id: str) -> None: ...


class ConfigStores:
    """All Config Stores of one emulator.

    Args:
        clock: Seconds since the epoch.
        directory: Keeps the stores on disk, or None to keep them in memory only.
    """

    def __init__(self, clock: Callable[[], float], directory: ConfigDirectory | None) -> None:
        self._clock = clock
        self._directory = directory
        loaded = directory.load_config_stores() if directory else ()
        self._stores = {store.store_id: store for store in loaded}

    def all(self) -> list[ConfigStore]:
        """Every store, oldest first."""
        return sorted(self._stores.values(), key=lambda store: (store.created_at, store.store_id))

    def get(self, store_id: str) -> ConfigStore:
        """The store with this id.

        Raises:
            Refused: 404, there is none.
        """
        try:
            return self._stores[store_id]
        except KeyError:
            raise Refused(404, _NOT_FOUND) from None

    def named(self, name: str) -> ConfigStore | None:
        """The store with this name, if any."""
        return next((store for store in self._stores.values() if store.name == name), None)

    def create(self, name: str) -> ConfigStore:
        """Creates an empty store.

        Raises:
            Refused: 400, the name is empty, too long or taken.
        """
        self._check_name(name)
        now = self._clock()
        return self._keep(ConfigStore(new_store_id(), name, now, now))

    def rename(self, store_id: str, name: str) -> ConfigStore:
        """Gives a store another name.

        Raises:
            Refused: 404, no such store; 400, the name is empty, too long or taken.
        """
        store = self.get(store_id)
        if name != store.name:
            self._check_name(name)
        return self._keep(replace(store, name=name, updated_at=self._clock()))

    def delete(self, store_id: str) -> None:
        """Deletes a store and what is in it.

        Raises:
            Refused: 404, no such store.
        """
        self.get(store_id)
        if self._directory:
            self._directory.drop_config_store(store_id)
        del self._stores[store_id]

    def item(self, store_id: str, key: str) -> ConfigItem:
        """One entry.

        Raises:
            Refused: 404, no such store or entry.
        """
        return _item(self.get(store_id).items, key)

    def change(self, store_id: str, operations: list[tuple[Operation, str, str]]) -> None:
        """Carries out operations `(operation, key, value)`: all of them, or none if one is refused.

        Raises:
            Refused: 404, no such store or entry; 400, a limit was broken or an entry exists already.
        """
        store, now = self.get(store_id), self._clock()
        if len(operations) > _MAX_OPERATIONS:
            raise Refused(400, f"items: at most {_MAX_OPERATIONS} operations, got {len(operations)}")
        items = dict(store.items)
        for operation, key, value in operations:
            if operation == "delete":
                _item(items, key)
                del items[key]
            else:
                if operation == "update":
                    _item(items, key)
                if operation == "create" and key in items:
                    raise Refused(400, f"item_key: {key!r} exists")
                _check_entry(key, value)
                created_at = items[key].created_at if key in items else now
                items[key] = ConfigItem(value, created_at, now)
        if len(items) > _MAX_ITEMS:
            raise Refused(400, f"a store holds at most {_MAX_ITEMS} items")
        self._keep(replace(store, items=items))

    def place(self, store: ConfigStore, key: str, value: str) -> None:
        """Writes an entry with no checks."""
        now = self._clock()
        old = store.items.get(key)
        item = ConfigItem(value, old.created_at if old else now, now)
        self._keep(replace(store, items={**store.items, key: item}))

    def _keep(self, store: ConfigStore) -> ConfigStore:
        if self._directory:
            self._directory.save_config_store(store)
        self._stores[store.store_id] = store
        return store

    def _check_name(self, name: str) -> None:
        if not 1 <= len(name) <= _MAX_KEY_CHARACTERS:
            raise Refused(400, f"name: expected 1 to {_MAX_KEY_CHARACTERS} characters, got {len(name)}")
        if self.named(name) is not None:
            raise Refused(400, "name: a store of this name exists")


def _item(items: dict[str, ConfigItem], key: str) -> ConfigItem:
    try:
        return items[key]
    except KeyError:
        raise Refused(404, _NOT_FOUND) from None


def _check_entry(key: str, value: str) -> None:
    if not 1 <= len(key) <= _MAX_KEY_CHARACTERS:
        raise Refused(400, f"item_key: expected 1 to {_MAX_KEY_CHARACTERS} characters, got {len(key)}")
    if len(value) > _MAX_VALUE_CHARACTERS:
        raise Refused(400, f"item_value: at most {_MAX_VALUE_CHARACTERS} characters, got {len(value)}")
