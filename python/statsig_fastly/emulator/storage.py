"""Keeps the stores of an emulator in a directory, so that they survive a restart.

In: stores and items as they change. Out: the same stores when the directory is opened again.

Layout: `kv/<store id>/store.json` and one `*.item` file per item (a line of JSON with key, metadata
and generation, then the bytes as they are); `config/<store id>.json`. Every file is replaced as a
whole, so a process that dies leaves the old content or the new one. One emulator per directory.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from statsig_fastly.emulator.config_store import ConfigItem, ConfigStore
from statsig_fastly.emulator.kv import Item, KvStore, Version

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["StoreDirectory"]

_TEMPORARY = ".tmp-"


class StoreDirectory:
    """A directory that holds KV and Config Stores.

    Args:
        path: The directory; it is created if missing.

    Raises:
        OSError: The directory cannot be created or written.
    """

    def __init__(self, path: Path) -> None:
        self._kv = path / "kv"
        self._config = path / "config"
        for folder in (self._kv, self._config):
            folder.mkdir(parents=True, exist_ok=True)
            for left_over in folder.rglob(f"{_TEMPORARY}*"):
                left_over.unlink()

    def load_kv_stores(self) -> Iterator[KvStore]:
        """The KV stores kept here, with the newest version of each item.

        Raises:
            ValueError: A file here is not one of ours; the message names it.
        """
        for described in sorted(self._kv.glob("*/store.json")):
            store = KvStore(*_fields(described, "id", "name", "created_at", "updated_at"))
            for path in described.parent.glob("*.item"):
                key, version = _read_item(path)
                store.items[key] = Item([version])
            yield store

    def save_kv_store(self, store: KvStore) -> None:
        """Keeps a store's name and times; its items are kept one by one."""
        folder = self._kv / store.store_id
        folder.mkdir(exist_ok=True)
        _replace(folder / "store.json", json.dumps(_description(store)).encode())

    def drop_kv_store(self, store_id: str) -> None:
        """Forgets a store and what is in it."""
        shutil.rmtree(self._kv / store_id)

    def save_item(self, store_id: str, key: str, version: Version) -> None:
        """Keeps one version of an item in place of the one kept before."""
        head = {
            "key": key,
            "metadata": version.metadata,
            "generation": version.generation,
            "modified_at": version.modified_at,
            "expires_at": version.expires_at,
        }
        _replace(self._item_path(store_id, key), json.dumps(head).encode() + b"\n" + (version.body or b""))

    def drop_item(self, store_id: str, key: str) -> None:
        """Forgets an item."""
        self._item_path(store_id, key).unlink(missing_ok=True)

    def load_config_stores(self) -> Iterator[ConfigStore]:
        """The Config Stores kept here.

        Raises:
            ValueError: A file here is not one of ours; the message names it.
        """
        for path in sorted(self._config.glob("*.json")):
            store_id, name, created_at, updated_at, kept = _fields(
                path, "id", "name", "created_at", "updated_at", "items"
            )
            items = {key: ConfigItem(*item) for key, item in kept.items()}
            yield ConfigStore(store_id, name, created_at, updated_at, items)

    def save_config_store(self, store: ConfigStore) -> None:
        """Keeps a store and what is in it."""
        items = {key: (item.value, item.created_at, item.updated_at) for key, item in store.items.items()}
        body = json.dumps({**_description(store), "items": items}).encode()
        _replace(self._config / f"{store.store_id}.json", body)

    def drop_config_store(self, store_id: str) -> None:
        """Forgets a store and what is in it."""
        (self._config / f"{store_id}.json").unlink()

    def _item_path(self, store_id: str, key: str) -> Path:
        # A key may be longer than a file name, hold slashes, or differ in case only: the digest is
        # what tells keys apart, the readable part is for people.
        readable = re.sub(r"[^A-Za-z0-9_-]+", "_", key)[:40]
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        return self._kv / store_id / f"{readable}.{digest}.item"


def _description(store: KvStore | ConfigStore) -> dict[str, str | float]:
    return {
        "id": store.store_id,
        "name": store.name,
        "created_at": store.created_at,
        "updated_at": store.updated_at,
    }


def _read_item(path: Path) -> tuple[str, Version]:
    head, newline, body = path.read_bytes().partition(b"\n")
    if not newline:
        raise ValueError(f"{path}: not an item file of the emulator")
    key, metadata, generation, modified_at, expires_at = _parsed(
        path, head, "key", "metadata", "generation", "modified_at", "expires_at"
    )
    return key, Version(body, metadata, generation, modified_at, modified_at, expires_at)


def _fields(path: Path, *names: str) -> list[Any]:
    return _parsed(path, path.read_bytes(), *names)


def _parsed(path: Path, text: bytes, *names: str) -> list[Any]:
    try:
        found = json.loads(text)
        return [found[name] for name in names]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path}: not a file of the emulator") from None


def _replace(path: Path, body: bytes) -> None:
    handle, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
