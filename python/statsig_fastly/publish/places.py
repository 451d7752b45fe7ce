"""Where payloads come from and go to, as command lines name it: `cdn`, `file:PATH`, `kv:STORE/KEY`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from statsig_fastly.adapters.checks import config_key_problem, key_problem
from statsig_fastly.errors import AdapterError

if TYPE_CHECKING:
    from statsig_fastly.adapters import SpecAdapter
    from statsig_fastly.adapters.fastly_api import FastlyApi
    from statsig_fastly.adapters.fastly_id_lists import FastlyIdListAdapter
    from statsig_fastly.adapters.statsig_id_lists import StatsigIdListAdapter
    from statsig_fastly.publish.retries import Patience
    from statsig_fastly.publish.store import Store

__all__ = [
    "Access",
    "Place",
    "PlaceKind",
    "has_id_lists",
    "open_id_lists",
    "open_source",
    "open_store",
    "read_id_lists",
    "read_payload",
]

PlaceKind: TypeAlias = Literal["cdn", "file", "kv", "config", "toml"]

_STORES: Final = ("kv", "config")
_FORMS: Final = "cdn, file:PATH, kv:STORE/KEY, config:STORE/KEY or toml:PATH#STORE/KEY"
_TARGETS: Final = "kv:STORE/KEY, config:STORE/KEY or toml:PATH#STORE/KEY"
_LARGEST_BYTES: Final = 100_000_000
_PREFIX: Final = "statsig-"
# 20 MB and a slow line.
_TOTAL_TIMEOUT_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Access:
    """What it takes to get at stores and at Statsig. Tokens and keys are named, not given.

    Attributes:
        api: Base URL of Fastly's API.
        token_variable: Environment variable with the Fastly API token.
        sdk_key_variable: Environment variable with the server key of the Statsig project.
        specs_url: What Statsig's CDN is replaced with: everything before `/<SDK key>.json`.
        specs_format: Which of Statsig's formats is asked for.
        id_lists_url: Where the index of ID lists is, if not at Statsig's CDN.
        largest: Most that a value of the KV Store may have, in bytes.
    """

    api: str = "https://api.fastly.com"
    token_variable: str = "FASTLY_API_TOKEN"  # noqa: S105 - a name
    sdk_key_variable: str = "STATSIG_SDK_KEY"
    specs_url: str | None = None
    specs_format: Literal["v1", "v2"] = "v1"
    largest: int = 25_000_000
    id_lists_url: str | None = None

    def token(self) -> str:
        """The Fastly API token.

        Raises:
            ValueError: The variable is not set.
        """
        return _variable(self.token_variable, "a Fastly API token")

    def sdk_key(self) -> str:
        """The server key of the Statsig project.

        Raises:
            ValueError: The variable is not set.
        """
        return _variable(self.sdk_key_variable, "the server key of the Statsig project")

    def fastly(self) -> FastlyApi:
        """Fastly's API.

        Raises:
            ValueError: There is no token, or `api` cannot be one.
        """
        from statsig_fastly.adapters.fastly_api import FastlyApi

        return FastlyApi(
            token=self.token(),
            api=self.api,
            connect_timeout=5.0,
            read_timeout=30.0,
            total_timeout=_TOTAL_TIMEOUT_S,
            transport=None,
        )


@dataclass(frozen=True, slots=True)
class Place:
    """A place.

    Attributes:
        kind: What it is.
        store: Name or id of the store.
        key: The key; empty where it is to be found.
        path: The file.
    """

    kind: PlaceKind
    store: str = ""
    key: str = ""
    path: Path = field(default_factory=Path)

    @classmethod
    def parse(cls, text: str, option: str, *, target: bool = False) -> Place:
        """Reads a place.

        Args:
            text: What was given. A plain path is a file.
            option: What it was given as, for messages.
            target: Whether it is to be written to.

        Raises:
            ValueError: It is none.
        """
        kind, colon, rest = text.partition(":")
        problem = ValueError(f"{option}: expected {_TARGETS if target else _FORMS}, got {text!r}")
        if text == "cdn" and not target:
            return cls("cdn")
        if colon and kind in _STORES:
            store, _, key = rest.partition("/")
            if not store or (target and not key):
                raise problem
            wrong = key and (key_problem if kind == "kv" else config_key_problem)(key)
            if wrong:
                raise ValueError(f"{option}: the key {wrong}, got {key[:100]!r}")
            return cls(kind, store, key)  # type: ignore[arg-type]  # one of _STORES
        if colon and kind == "toml":
            path, hash_sign, rest = rest.partition("#")
            store, _, key = rest.partition("/")
            if not path or (hash_sign and not (store and key)):
                raise problem
            return cls("toml", store, key, Path(path))
        if target:
            raise problem
        if colon and kind == "file":
            if not rest:
                raise problem
            return cls("file", path=Path(rest))
        if text and (Path(text).exists() or "/" in text or text.endswith(".json")):
            return cls("file", path=Path(text))
        raise problem

    @classmethod
    def parse_store(cls, text: str, option: str, what: str = "STORE") -> Place:
        """Reads a place that is a store as a whole, `kv:STORE` or `config:STORE`.

        Args:
            text: What was given.
            option: What it was given as, for messages.
            what: What stands for the name of the store in messages.

        Raises:
            ValueError: It is none.
        """
        kind, _, store = text.partition(":")
        if kind not in _STORES or not store or "/" in store:
            raise ValueError(f"{option}: expected kv:{what} or config:{what}, got {text!r}")
        return cls(kind, store)  # type: ignore[arg-type]  # one of _STORES

    def __str__(self) -> str:
        if self.kind == "cdn":
            return "Statsig's CDN"
        if self.kind == "file":
            return str(self.path)
        if self.kind == "toml":
            return f"toml:{self.path}" + (f"#{self.store}/{self.key}" if self.store else "")
        return f"{self.kind}:{self.store}" + (f"/{self.key}" if self.key else "")


def open_source(place: Place, access: Access) -> SpecAdapter:
    """The adapter that reads from a place.

    Raises:
        ValueError: What it takes is missing or cannot work.
        AdapterError: The manifest does not say which item is meant.
    """
    if place.kind == "cdn":
        from statsig_fastly.adapters.statsig_cdn import StatsigCdnAdapter

        return StatsigCdnAdapter(
            access.sdk_key(),
            specs_url=access.specs_url,
            payload_format=access.specs_format,
            max_value_bytes=_LARGEST_BYTES,
            total_timeout=_TOTAL_TIMEOUT_S,
            retries=3,
        )
    if place.kind == "file":
        from statsig_fastly.adapters.file import FileAdapter

        return FileAdapter(place.path, max_value_bytes=_LARGEST_BYTES)
    if place.kind == "toml":
        from statsig_fastly.adapters.fastly_toml import FastlyTomlAdapter

        store, key = _toml_item(place)
        return FastlyTomlAdapter(place.path, store=store, config_spec_key=key)
    from statsig_fastly.adapters.fastly import FastlyDataAdapter

    return FastlyDataAdapter(
        place.store,
        place.key or None,
        store_type=place.kind,
        token=access.token(),
        api=access.api,
        max_value_bytes=max(access.largest, 25_000_000),
        total_timeout=_TOTAL_TIMEOUT_S,
    )


def open_id_lists(place: Place, access: Access) -> StatsigIdListAdapter | FastlyIdListAdapter:
    """The adapter that reads ID lists from where the config specs come from.

    Raises:
        ValueError: There are none, or what it takes is missing or cannot work.
    """
    if place.kind == "cdn":
        from statsig_fastly.adapters.statsig_id_lists import StatsigIdListAdapter

        return StatsigIdListAdapter(access.sdk_key(), id_lists_url=access.id_lists_url)
    if place.kind == "kv" and place.key:
        from statsig_fastly.adapters.fastly_id_lists import FastlyIdListAdapter

        return FastlyIdListAdapter(place.store, place.key, token=access.token(), api=access.api)
    raise ValueError(f"--id-lists: expected cdn or kv:STORE/KEY, where ID lists can be, got {str(place)!r}")


def open_store(place: Place, access: Access, patience: Patience) -> tuple[Store, str]:
    """The store of a place, and the key in it.

    Raises:
        ValueError: What it takes is missing or cannot work.
        AdapterError: The manifest does not say which item is meant.
    """
    if place.kind == "toml":
        from statsig_fastly.publish.toml_store import TomlStore

        store, key = _toml_item(place)
        return TomlStore(place.path, store), key
    if place.kind == "config":
        from statsig_fastly.publish.config_store import ConfigStore

        return ConfigStore(access.fastly(), place.store, patience), place.key
    from statsig_fastly.publish.kv_store import KvStore

    return KvStore(access.fastly(), place.store, patience, largest=access.largest), place.key


def read_payload(place: Place, access: Access) -> bytes:
    """The payload at a place.

    Raises:
        ValueError: What it takes is missing or cannot work.
        AdapterError: It could not be read.
    """
    adapter = open_source(place, access)
    try:
        payload = adapter.fetch()
    finally:
        adapter.close()
    if payload is None:
        raise AdapterError(f"{place}: there is nothing")
    return payload.body


def read_id_lists(place: Place, access: Access) -> dict[str, bytes]:
    """The lines of the ID lists that belong to the config specs at a place, by name.

    Raises:
        ValueError: There are none, or what it takes is missing or cannot work.
        AdapterError: They could not be read.
    """
    from contextlib import closing

    from statsig_fastly.publish.list_lines import read_lines

    with closing(open_id_lists(place, access)) as lists:
        return read_lines(lists)


def has_id_lists(place: Place) -> bool:
    """Whether ID lists can be at a place."""
    return place.kind == "cdn" or (place.kind == "kv" and bool(place.key))


def _variable(name: str, what: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ValueError(f"environment variable {name}: expected {what}, and it is not set")
    return value


def _toml_item(place: Place) -> tuple[str, str]:
    """Store and key of the one item that can be meant."""
    if place.store:
        return place.store, place.key
    from statsig_fastly.adapters.local_stores import Manifest

    manifest = Manifest(place.path)
    found = [
        (store, key)
        for store in manifest.kv_stores
        for key in manifest.kv_entries(store)
        if key.startswith(_PREFIX)
    ]
    if len(found) != 1:
        there = ", ".join(f"{store}/{key}" for store, key in found) or "none"
        raise AdapterError(
            f"{place.path}: expected one item of a KV store whose key starts with {_PREFIX!r}, got {there}; "
            f"name it: toml:{place.path}#STORE/KEY"
        )
    return found[0]
