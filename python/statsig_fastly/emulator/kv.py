"""KV stores in memory: what is in them, which version of an item a reader sees, what a write may do.

In: keys, bytes and conditions. Out: versions, or `Refused` with the status that the REST API would
answer. No HTTP here; the caller holds the emulator's lock.
"""

from __future__ import annotations

import re
import secrets
import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from statsig_fastly.emulator.exchange import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Item", "KvRules", "KvStore", "KvStores", "Version", "check_key", "new_store_id"]

_MAX_KEY_BYTES = 1024
_MAX_STORE_NAME = 255
_FORBIDDEN_IN_KEYS = re.compile(r"[#;?^|\r\n]")
_FORBIDDEN_KEY_PREFIX = ".well-known/acme-challenge/"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ID_ALPHABET = string.ascii_lowercase + string.digits
_ID_LENGTH = 22


@dataclass(frozen=True, slots=True)
class KvRules:
    """Limits and timing of the KV stores of one emulator; `Emulator` describes each."""

    max_value_bytes: int = 26_214_400
    max_metadata_bytes: int = 2000
    write_interval: float = 0.0
    propagation: float = 0.0
    background_fetch_delay: float = 0.0
    ttl_lag: float = 0.0


@dataclass(frozen=True, slots=True)
class Version:
    """One value an item had.

    Attributes:
        body: The bytes; None where the item was deleted.
        metadata: Text kept beside the bytes.
        generation: Changes with every write.
        modified_at: When it was written, in seconds since the epoch.
        visible_at: From when on a read may return it, in seconds since the epoch.
        expires_at: From when on it is gone, in seconds since the epoch; None for never.
    """

    body: bytes | None = field(repr=False)
    metadata: str
    generation: int
    modified_at: float
    visible_at: float
    expires_at: float | None = None

    def alive(self, now: float) -> bool:
        """True if there is a value and it has not expired."""
        return self.body is not None and (self.expires_at is None or now < self.expires_at)


@dataclass(slots=True)
class Item:
    """The versions of one key, oldest first; the last one is the truth that conditions look at."""

    versions: list[Version] = field(default_factory=list)
    written_at: float | None = None
    served_generation: int | None = None

    def newest(self, now: float) -> Version | None:
        """The last version written, or None if that is a deletion or has expired."""
        version = self.versions[-1]
        return version if version.alive(now) else None

    def visible(self, now: float, *, stale: bool = False) -> Version | None:
        """The version a read returns at `now`: the newest that is visible; `stale`, the one before it."""
        seen = [version for version in self.versions if version.visible_at <= now]
        if stale and len(seen) > 1:
            seen.pop()
        return seen[-1] if seen and seen[-1].alive(now) else None

    def add(self, version: Version) -> None:
        """Makes `version` the newest and forgets what no read can return any more."""
        now = version.modified_at
        last_visible = max((i for i, old in enumerate(self.versions) if old.visible_at <= now), default=0)
        # One older version stays, for reads that are to go back in time.
        del self.versions[: max(last_visible - 1, 0)]
        self.versions.append(version)


@dataclass(slots=True)
class KvStore:
    """One KV store; times are seconds since the epoch."""

    store_id: str
    name: str
    created_at: float
    updated_at: float
    items: dict[str, Item] = field(default_factory=dict)

    def keys(self, now: float, *, eventual: bool = False) -> list[str]:
        """Keys that have a value, sorted by their bytes; `eventual` asks what a read would see."""
        found = (
            key
            for key, item in self.items.items()
            if (item.visible(now) if eventual else item.newest(now)) is not None
        )
        return sorted(found, key=str.encode)


class KvDirectory(Protocol):
    """Where KV stores are kept on disk."""

    def load_kv_stores(self) -> Iterable[KvStore]: ...
    def save_kv_store(self, store: KvStore) -> None: ...
    def drop_kv_store(self, store_id: str) -> None: ...
    def save_item(self, store_id: str, key: str, version: Version) -> None: ...
    def drop_item(self, store_id: str, key: str) -> None: ...


class KvStores:
    """All KV stores of one emulator.

    Args:
        clock: Seconds since the epoch.
        rules: Limits and timing.
        directory: Keeps the stores on disk, or None to keep them in memory only.
    """

    def __init__(self, clock: Callable[[], float], rules: KvRules, directory: KvDirectory | None) -> None:
        self.clock = clock
        self.rules = rules
        self._directory = directory
        loaded = directory.load_kv_stores() if directory else ()
        self._stores = {store.store_id: store for store in loaded}

    def all(self) -> list[KvStore]:
        """Every store, sorted by id."""
        return [self._stores[store_id] for store_id in sorted(self._stores)]

    def get(self, store_id: str) -> KvStore:
        """The store with this id.

        Raises:
            Refused: 404, there is none.
        """
        try:
            return self._stores[store_id]
        except KeyError:
            raise Refused(404, "no such KV store") from None

    def named(self, name: str) -> KvStore | None:
        """The store with this name, if any."""
        return next((store for store in self._stores.values() if store.name == name), None)

    def create(self, name: str) -> KvStore:
        """Creates an empty store.

        Raises:
            Refused: 400, the name is not allowed or taken.
        """
        self._check_name(name)
        now = self.clock()
        store = KvStore(new_store_id(), name, now, now)
        self._save(store)
        self._stores[store.store_id] = store
        return store

    def rename(self, store_id: str, name: str) -> KvStore:
        """Gives a store another name.

        Raises:
            Refused: 404, no such store; 400, the name is not allowed or taken.
        """
        store = self.get(store_id)
        if name != store.name:
            self._check_name(name)
        store.name, store.updated_at = name, self.clock()
        self._save(store)
        return store

    def delete(self, store_id: str) -> None:
        """Deletes an empty store.

        Raises:
            Refused: 404, no such store; 409, it still has items.
        """
        store = self.get(store_id)
        if store.keys(self.clock()):
            raise Refused(409, "the store still has items")
        if self._directory:
            self._directory.drop_kv_store(store_id)
        del self._stores[store_id]

    def read(self, store_id: str, key: str, *, stale: bool = False) -> tuple[Version, bool]:
        """The version of an item that a read sees now, and whether the same one was served before.

        Args:
            store_id: Id of the store.
            key: Key of the item.
            stale: Return the version before the visible one where there is one.

        Raises:
            Refused: 404, no such store or item.
        """
        item = self.get(store_id).items.get(key)
        version = item.visible(self.clock(), stale=stale) if item else None
        if item is None or version is None:
            raise Refused(404, "no such item")
        seen_before = item.served_generation == version.generation
        item.served_generation = version.generation
        return version, seen_before

    def write(
        self,
        store_id: str,
        key: str,
        body: bytes,
        *,
        metadata: str = "",
        ttl: float | None = None,
        if_generation: int | None = None,
        mode: Literal["replace", "add", "append", "prepend"] = "replace",
        background_fetch: bool = False,
    ) -> Version:
        """Writes an item the way the REST API does, checking in the documented order.

        Args:
            store_id: Id of the store.
            key: Key of the item.
            body: The bytes.
            metadata: Replaces the metadata; the empty string clears it.
            ttl: Seconds until the item expires; None for never.
            if_generation: Write only if the item has this generation; 0, only if there is no item.
            mode: What to do with a value that is already there; `add` refuses.
            background_fetch: The write becomes visible `background_fetch_delay` later.

        Raises:
            Refused: 404, 400, 413, 429 or 412.
        """
        rules, now = self.rules, self.clock()
        store = self.get(store_id)
        check_key(key)
        _check_size(body, rules)
        if len(metadata.encode("utf-8", "surrogateescape")) > rules.max_metadata_bytes:
            raise Refused(400, f"metadata is longer than {rules.max_metadata_bytes} bytes")
        item = store.items.get(key) or Item()
        if item.written_at is not None and now - item.written_at < rules.write_interval:
            raise Refused(429, "too many writes to one key")
        current = item.newest(now) if item.versions else None
        _check_generation(current, if_generation)
        if mode == "add" and current is not None:
            raise Refused(412, "the item exists")
        if mode in {"append", "prepend"} and current is not None and current.body is not None:
            body = current.body + body if mode == "append" else body + current.body
            _check_size(body, rules)
        delay = rules.propagation + (rules.background_fetch_delay if background_fetch else 0.0)
        expires_at = None if ttl is None else now + ttl + rules.ttl_lag
        version = self._store(
            store, key, body, metadata=metadata, now=now, visible_at=now + delay, expires_at=expires_at
        )
        store.items[key].written_at = now
        return version

    def remove(
        self, store_id: str, key: str, *, if_generation: int | None = None, force: bool = False
    ) -> None:
        """Deletes an item the way the REST API does.

        Args:
            store_id: Id of the store.
            key: Key of the item.
            if_generation: Delete only if the item has this generation.
            force: A missing item is no failure.

        Raises:
            Refused: 404, no such store or item; 412, another generation.
        """
        now = self.clock()
        store = self.get(store_id)
        item = store.items.get(key)
        current = item.newest(now) if item else None
        if current is None:
            if force:
                return
            raise Refused(404, "no such item")
        _check_generation(current, if_generation)
        self._store(store, key, None, metadata="", now=now, visible_at=now + self.rules.propagation)

    def place(
        self,
        store: KvStore,
        key: str,
        body: bytes | None,
        *,
        metadata: str = "",
        ttl: float | None = None,
        visible_at: float | None = None,
    ) -> Version:
        """Writes an item with no checks; None as `body` deletes it. Visible at once unless told otherwise."""
        now = self.clock()
        expires_at = None if ttl is None else now + ttl + self.rules.ttl_lag
        visible_at = now if visible_at is None else visible_at
        return self._store(
            store, key, body, metadata=metadata, now=now, visible_at=visible_at, expires_at=expires_at
        )

    def _store(
        self,
        store: KvStore,
        key: str,
        body: bytes | None,
        *,
        metadata: str,
        now: float,
        visible_at: float,
        expires_at: float | None = None,
    ) -> Version:
        item = store.items.get(key) or Item()
        previous = item.versions[-1].generation if item.versions else 0
        # Production numbers generations by the time of the write in microseconds.
        generation = max(previous + 1, int(now * 1_000_000))
        version = Version(body, metadata, generation, now, visible_at, expires_at)
        if self._directory:
            if body is None:
                self._directory.drop_item(store.store_id, key)
            else:
                self._directory.save_item(store.store_id, key, version)
        item.add(version)
        store.items[key] = item
        return version

    def _save(self, store: KvStore) -> None:
        if self._directory:
            self._directory.save_kv_store(store)

    def _check_name(self, name: str) -> None:
        if not 1 <= len(name) <= _MAX_STORE_NAME:
            raise Refused(400, f"store name: expected 1 to {_MAX_STORE_NAME} characters, got {len(name)}")
        if not (name[0].isascii() and name[0].isalpha()) or _CONTROL.search(name):
            raise Refused(400, "store name: expected a letter first and no control characters")
        if self.named(name) is not None:
            raise Refused(400, "a store of this name exists")


def new_store_id() -> str:
    """A random store id of the form Fastly uses: 22 lower-case letters and digits."""
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH))


def check_key(key: str) -> None:
    """Checks a key against the rules Fastly documents.

    Raises:
        Refused: 400, with the rule that was broken.
    """
    size = len(key.encode("utf-8", "surrogateescape"))
    if not 1 <= size <= _MAX_KEY_BYTES:
        raise Refused(400, f"key: expected 1 to {_MAX_KEY_BYTES} bytes, got {size}")
    if key in {".", ".."} or key.startswith(_FORBIDDEN_KEY_PREFIX):
        raise Refused(400, "key: this name is reserved")
    if found := _FORBIDDEN_IN_KEYS.search(key):
        raise Refused(400, f"key: character {found.group()!r} is not allowed")


def _check_size(body: bytes, rules: KvRules) -> None:
    if len(body) > rules.max_value_bytes:
        raise Refused(413, f"value: at most {rules.max_value_bytes} bytes, got {len(body)}")


def _check_generation(current: Version | None, wanted: int | None) -> None:
    if wanted is None:
        return
    if (current.generation if current else 0) != wanted:
        raise Refused(412, "generation does not match")
