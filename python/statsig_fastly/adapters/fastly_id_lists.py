"""ID lists out of a Fastly KV Store, where whoever publishes the config specs put them beside these.

In: a store, a key and a token. Out: which lists there are, and the lines of their files; or an
`AdapterError`.

The form they are stored in is in `id_list_items`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, NoReturn, Protocol

from statsig_fastly.adapters.checks import check_count
from statsig_fastly.adapters.compression import decompressed
from statsig_fastly.adapters.fastly_api import FastlyApi
from statsig_fastly.adapters.fastly_kv import KvItems
from statsig_fastly.adapters.fastly_store import KV, FastlyStore, ItemMissing, check_store
from statsig_fastly.adapters.id_list_items import IdListIndex, check_id_list_key, index_key, item_digest
from statsig_fastly.errors import AdapterError
from statsig_fastly.id_list_files import MAX_LIST_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import urllib3

    from statsig_fastly.adapters import IdListFile, Payload
    from statsig_fastly.transport import Transport

__all__ = ["FastlyIdListAdapter", "ItemReader"]


class ItemReader(Protocol):
    """What reads items of a store, whatever they are. Safe to use from several threads."""

    def read(self, key: str, held_version: str | None) -> tuple[bytes, str | None] | None:
        """Reads an item, if it is not the one the caller has.

        Args:
            key: Its key.
            held_version: The version of the item that the caller has, or None to read in any case.

        Returns:
            The item and its version, or None if it is still the one the caller has.

        Raises:
            AdapterError: It could not be read.
        """

    def close(self) -> None:
        """Frees connections. Calling it again does nothing."""


class FastlyIdListAdapter:
    """Reads ID lists from a Fastly KV Store. Safe to use from several threads.

    The index is asked for by HEAD and downloaded when it changed; a list is downloaded when its key changed.
    An index older than the one before, as another point of presence may have it, counts as unchanged.

    Args:
        store: Id or name of the KV Store.
        config_spec_key: Key of the config specs that the lists belong to.
        token: Fastly API token with the scope `global:read`. None reads the environment variable
            FASTLY_API_TOKEN, now. It is sent as `Fastly-Key` to the host of `api` and nowhere else.
        api: Base URL of the API: https, or http on this machine.
        connect_timeout: Seconds to open a connection, for each address of the host.
        read_timeout: Seconds the server may send nothing.
        total_timeout: Seconds for one whole answer.
        max_value_bytes: Largest item accepted, in bytes. 25 MB is Fastly's own limit unless raised.
        max_list_bytes: Most that the file of a list may have, in bytes, if its item is compressed.
        transport: What does the HTTP: None for a pool of its own, a `urllib3.PoolManager` for a proxy or an
            own certificate authority, or an object like `statsig_fastly.transport.Transport`. What is passed
            in stays open on `close`.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has a value that cannot work; there is no token.
    """

    __slots__ = ("_held", "_items", "_key", "_limit", "_place")

    def __init__(
        self,
        store: str,
        config_spec_key: str,
        *,
        token: str | None = None,
        api: str = "https://api.fastly.com",
        connect_timeout: float = 3.0,
        read_timeout: float = 10.0,
        total_timeout: float = 30.0,
        max_value_bytes: int = 25_000_000,
        max_list_bytes: int = MAX_LIST_BYTES,
        transport: Transport | urllib3.PoolManager | None = None,
    ) -> None:
        self._key = index_key(check_id_list_key(config_spec_key))
        self._limit = check_count("max_list_bytes", max_list_bytes)
        limit = check_count("max_value_bytes", max_value_bytes)
        asks = FastlyApi(
            token=token,
            api=api,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            total_timeout=total_timeout,
            transport=transport,
        )
        self._items: ItemReader = _StoreItems(asks, check_store(store, KV), limit)
        self._place = f"KV store {store!r}"
        self._held: _Held | None = None

    def fetch_id_lists(self) -> Sequence[IdListFile]:
        """Reads which lists there are.

        Raises:
            AdapterError: The index could not be read; `status` is 404 where there is none.
        """
        held = self._held
        item = self._items.read(self._key, None if held is None else held.version)
        if item is None:
            if held is None:
                raise AdapterError(f"{self._asked(self._key)}: there is nothing new, and there was nothing")
            return held.said.files
        value, version = item
        try:
            index = IdListIndex.parse(value)
        except ValueError as error:
            problem = str(error)
        else:
            if held is not None and index.time_ms < held.said.time_ms:
                return held.said.files
            self._held = _Held(version, index)
            return index.files
        raise AdapterError(f"{self._asked(self._key)}: {problem}; publish the lists anew", status=200)

    def fetch_id_list(self, file: IdListFile, start: int) -> bytes:
        """Reads the lines of a list from byte `start` of its file on.

        Raises:
            AdapterError: They could not be read; `status` is 404 where there are none, although the index
                names them.
        """
        asked = f"{self._asked(file.location)}, ID list {file.name[:80]!r}"
        item = self._items.read(file.location, None)
        value = b"" if item is None else item[0]
        if item_digest(value) != file.location.rpartition(".")[2]:
            what = "its value is not the one that its key has the digest of; ask again later"
            raise AdapterError(f"{asked}: {what}", status=200, retryable=True)
        # Lines of a list are no compressed data, whatever a decoder would make of them.
        is_plain = value.startswith((b"+", b"-"))
        lines = value if is_plain else decompressed(value, min(file.size, self._limit), asked, status=200)
        return lines[start:]

    def close(self) -> None:
        """Closes the connections, unless the transport was passed in. Later requests open new ones."""
        self._items.close()

    def __repr__(self) -> str:
        return f"FastlyIdListAdapter({self._place}, {self._key!r})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a FastlyIdListAdapter holds a token and cannot be pickled or copied; make a new one")

    def _asked(self, key: str) -> str:
        return f"reading key {key!r} of {self._place}"


class _Held(NamedTuple):
    """What the index said that was read last, and what the store calls its version."""

    version: str | None
    said: IdListIndex


class _StoreItems:
    """Items of a KV Store, of any form."""

    __slots__ = ("_api", "_items", "_store")

    def __init__(self, api: FastlyApi, store: str, limit: int) -> None:
        self._api = api
        self._store = FastlyStore(api, KV, store)
        self._items = KvItems(api, self._store, limit)

    def read(self, key: str, held_version: str | None) -> tuple[bytes, str | None] | None:
        """As `ItemReader` says."""
        asked = f"reading key {key!r} of {self._store}"
        store_id = self._store.id()
        try:
            item = self._items.read(store_id, key, held_version, asked)
        except ItemMissing:
            item = self._read_again(store_id, key, held_version, asked)
        return None if item is None else (item.body, item.version)

    def close(self) -> None:
        """Closes the connections."""
        self._api.close()

    def _read_again(self, store_id: str, key: str, held_version: str | None, asked: str) -> Payload | None:
        """Reads an item that was not there: the store may be another one of its name by now."""
        if self._store.is_gone(store_id, asked):
            try:
                return self._items.read(self._store.id(stale=store_id), key, held_version, asked)
            except ItemMissing:
                pass
        raise AdapterError(f"{asked}: HTTP 404: the store has no such key", status=404)
