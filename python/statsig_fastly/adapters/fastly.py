"""Config specs out of a Fastly KV or Config Store, read over Fastly's REST API.

In: a store, a token, and a key or not. Out: a `Payload` with JSON text, whatever form it is stored in: as one
value or in chunks, plain or compressed. Or None where the store has nothing new; or an `AdapterError`.

How the items of each kind of store are read is in `fastly_kv` and `fastly_config`.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal, NamedTuple, NoReturn
from urllib.parse import quote

from statsig_fastly.adapters import Payload
from statsig_fastly.adapters.checks import check_count, check_text, config_key_problem, key_problem, listed
from statsig_fastly.adapters.chunk_reading import ChunkReader, check_announced
from statsig_fastly.adapters.fastly_api import FastlyApi
from statsig_fastly.adapters.fastly_config import ConfigItems
from statsig_fastly.adapters.fastly_kv import KvItems
from statsig_fastly.adapters.fastly_store import CONFIG, KV, FastlyStore, ItemMissing, check_store
from statsig_fastly.adapters.look_up import LookUp
from statsig_fastly.adapters.plain_specs import MAX_PAYLOAD_BYTES, plain_specs
from statsig_fastly.chunks import Manifest
from statsig_fastly.errors import AdapterError
from statsig_fastly.store_limits import KV_VALUE_BYTES

if TYPE_CHECKING:
    import urllib3

    from statsig_fastly.transport import Transport

__all__ = ["FastlyDataAdapter"]

_PREFIX = "statsig-"

_log = logging.getLogger("statsig_fastly")


class _Found(NamedTuple):
    """An item as it is stored, and where."""

    store_id: str
    key: str
    item: Payload
    manifest: Manifest | None


class FastlyDataAdapter:
    """Reads config specs from a Fastly KV or Config Store. Safe to use from several threads.

    With a version in hand it downloads only what changed, because config specs have hundreds of
    kilobytes and rarely change: of a KV Store's value it asks for the `Generation` by HEAD, of a Config
    Store's chunks only for those it does not have. Reads are eventually consistent: an older value can
    come after a newer one.

    Args:
        store: Id (22 letters and digits) or name of the store. A name is looked up once. An id that the
            API does not know is tried as a name.
        config_spec_key: Key of the config specs. Statsig's Fastly integration writes
            `statsig-<project id>`. None takes the one key in the store that starts with `statsig-`.
        store_type: `"kv"` for a KV Store, `"config"` for a Config Store.
        token: Fastly API token with the scope `global:read`. None reads the environment variable
            FASTLY_API_TOKEN, now. It is sent as `Fastly-Key` to the host of `api` and nowhere else.
        api: Base URL of the API: https, or http on this machine.
        connect_timeout: Seconds to open a connection, for each address of the host.
        read_timeout: Seconds the server may send nothing.
        total_timeout: Seconds for one whole answer.
        max_value_bytes: Largest value of a KV Store accepted, in bytes. 25 MB is Fastly's own limit
            unless raised.
        max_payload_bytes: Most the config specs may have, in bytes of JSON: decompressed, and with their
            chunks joined.
        transport: What does the HTTP: None for a pool of its own, a `urllib3.PoolManager` for a
            proxy or an own certificate authority, or an object like
            `statsig_fastly.transport.Transport`. What is passed in stays open on `close`.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has a value that cannot work; there is no token.
    """

    __slots__ = ("_advised", "_api", "_chunks", "_items", "_key", "_key_given", "_limit", "_store")

    def __init__(
        self,
        store: str,
        config_spec_key: str | None = None,
        *,
        store_type: Literal["kv", "config"] = "kv",
        token: str | None = None,
        api: str = "https://api.fastly.com",
        connect_timeout: float = 3.0,
        read_timeout: float = 10.0,
        total_timeout: float = 30.0,
        max_value_bytes: int = KV_VALUE_BYTES,
        max_payload_bytes: int = MAX_PAYLOAD_BYTES,
        transport: Transport | urllib3.PoolManager | None = None,
    ) -> None:
        if store_type not in ("kv", "config"):  # a tuple: what comes may not be hashable
            raise ValueError(f"store_type: expected 'kv' or 'config', got {store_type!r}")
        kind = KV if store_type == "kv" else CONFIG
        store = check_store(store, kind)
        if config_spec_key is not None:
            check_text("config_spec_key", config_spec_key)
            problem = (key_problem if kind is KV else config_key_problem)(config_spec_key)
            if problem is not None:
                raise ValueError(f"config_spec_key: {problem}, got {config_spec_key[:100]!r}")
        self._limit = check_count("max_payload_bytes", max_payload_bytes)
        value_limit = check_count("max_value_bytes", max_value_bytes)
        self._api = FastlyApi(
            token=token,
            api=api,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            total_timeout=total_timeout,
            transport=transport,
        )
        self._store = FastlyStore(self._api, kind, store)
        self._items: KvItems | ConfigItems
        if kind is KV:
            self._items = KvItems(self._api, self._store, value_limit)
        else:
            self._items = ConfigItems(self._api, self._store)
        self._key_given = config_spec_key
        self._key = LookUp(self._discover, config_spec_key)
        self._chunks = ChunkReader()
        self._advised = False

    @property
    def name(self) -> str:
        """`FastlyKV` or `FastlyConfig`, as in the evaluation reason `Adapter(FastlyKV):Recognized`."""
        return self._items.adapter_name

    @property
    def store(self) -> str:
        """The store as given: an id or a name."""
        return self._store.store

    @property
    def config_spec_key(self) -> str | None:
        """The key as given; None if it is to be found in the store."""
        return self._key_given

    @property
    def identity(self) -> str:
        """Text that is another one for another API, store or key as given, and holds no secret."""
        key = "" if self._key_given is None else quote(self._key_given, safe="")
        return f"{self._items.adapter_name} {self._api.base} {quote(self.store, safe='')} {key}".rstrip()

    def fetch(self, held_version: str | None = None) -> Payload | None:
        """Reads the config specs, if they are not those the caller has.

        Args:
            held_version: `Payload.version` of what the caller has, or None to download in any case.

        Returns:
            The config specs; or None if the store still has `held_version`. The version is the
            `Generation` of a KV Store's item, and a SHA-256 digest of what a Config Store holds. The
            metadata are a KV Store's.

        Raises:
            AdapterError: No usable value came. `status` is 404 where the store or the key does not
                exist; `retryable` is True where asking later may help.
        """
        if held_version is not None and not isinstance(held_version, str):
            raise TypeError(f"held_version: expected str or None, got {type(held_version).__name__}")
        found = self._read(held_version)
        if found is None:
            return None
        found, value = self._whole(found)
        # The cache in front of the API may have given HEAD a newer answer than GET.
        if held_version is not None and found.item.version == held_version:
            return None
        asked = self._asked(found.key)
        specs = plain_specs(value, self._limit, asked, status=200, scrub=self._api.scrub)
        self._advise(found)
        return Payload(specs, found.item.version, found.item.metadata)

    def close(self) -> None:
        """Closes the connections, unless the transport was passed in. A later `fetch` opens new ones."""
        self._api.close()

    def __repr__(self) -> str:
        kind = ", store_type='config'" if self._store.kind is CONFIG else ""
        return (
            f"FastlyDataAdapter(store={self.store!r}, config_spec_key={self._key_given!r}{kind}, "
            f"api={self._api.base!r})"
        )

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a FastlyDataAdapter holds a token and cannot be pickled or copied; make a new one")

    def _read(self, held_version: str | None) -> _Found | None:
        """Reads the item, and looks again where it is if it is not there; None if it is the one held."""
        store_id = self._store.id()
        key = self._key.value()
        try:
            return self._read_at(store_id, key, held_version)
        except ItemMissing:
            pass
        if self._store.is_gone(store_id, self._asked(key)):
            store_id = self._store.id(stale=store_id)
        elif self._key_given is not None:
            raise self._key_missing(store_id, key)
        if self._key_given is None:
            key = self._key.value(stale=key)
        try:
            return self._read_at(store_id, key, held_version)
        except ItemMissing:
            pass
        raise self._key_missing(store_id, key)

    def _read_at(self, store_id: str, key: str, held_version: str | None) -> _Found | None:
        asked = self._asked(key)
        item = self._items.read(store_id, key, held_version, asked)
        return None if item is None else _Found(store_id, key, item, Manifest.parse(item.body, asked))

    def _whole(self, found: _Found, *, again: bool = True) -> tuple[_Found, bytes]:
        """What the item holds, its chunks joined, and the item: a newer one if it was replaced meanwhile."""
        manifest, asked = found.manifest, self._asked(found.key)
        if manifest is None:
            return found, found.item.body
        check_announced(manifest, self._limit, asked)
        chunks = self._chunks.read(
            manifest, found.key, lambda keys: self._items.chunks(found.store_id, keys, asked)
        )
        try:
            return found, manifest.join(chunks, asked)
        except AdapterError:
            newer = self._read(None) if again else None
            if newer is None or newer.manifest == manifest:
                raise
        return self._whole(newer, again=False)

    def _discover(self) -> str:
        """The one key that config specs may have."""
        asked = f"looking for config specs in {self._store}"
        store_id = self._store.id()
        try:
            keys = self._items.keys(store_id, _PREFIX, asked)
        except AdapterError as problem:
            if problem.status != HTTPStatus.NOT_FOUND or not self._store.is_gone(store_id, asked):
                raise
            keys = self._items.keys(self._store.id(stale=store_id), _PREFIX, asked)
        if len(keys) == 1:
            return keys[0]
        if keys:
            raise AdapterError(
                f"{asked}: several keys start with {_PREFIX!r}: {self._listed(keys)}; pass one of them as "
                "config_spec_key",
                status=200,
            )
        raise AdapterError(
            f"{asked}: no key starts with {_PREFIX!r}; has Statsig's Fastly integration written to it? If "
            "the key has another name, pass it as config_spec_key",
            status=404,
        )

    def _key_missing(self, store_id: str, key: str) -> AdapterError:
        asked, retryable = self._asked(key), False
        try:
            keys = self._items.keys(store_id, _PREFIX, asked)
        except AdapterError as problem:
            status = f"HTTP {problem.status}" if problem.status else "no answer"
            there = f"its keys could not be listed: {status}"
        else:
            there = f"its keys that start with {_PREFIX!r}: {self._listed(keys)}"
            if not keys:
                hint = "has Statsig's Fastly integration written to it?"
                there = f"it has no keys that start with {_PREFIX!r}; {hint}"
            elif key in keys:
                retryable = True
                there = "but it lists it, so it may not have got everywhere yet; ask again later"
        text = f"{asked}: HTTP 404: the store has no such key; {there}"
        return AdapterError(text, status=404, retryable=retryable)

    def _listed(self, keys: list[str]) -> str:
        return listed([self._api.one_line(key) for key in keys])

    def _advise(self, found: _Found) -> None:
        """Warns once of a store that is nearly full."""
        if self._advised:
            return
        advice = self._items.size_advice(found.item.body, found.manifest)
        if advice is not None:
            self._advised = True
            _log.warning("%s: %s", self._asked(found.key), advice)

    def _asked(self, key: str) -> str:
        return f"reading key {key!r} of {self._store}"
