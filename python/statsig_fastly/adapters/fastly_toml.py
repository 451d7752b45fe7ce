"""Config specs out of a local store in `fastly.toml`, the one Fastly's own tools read.

In: the path of a `fastly.toml`, a store and a key. Out: a `Payload` whose version is a digest of what is
stored; None where that is what the caller has; or an `AdapterError`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from statsig_fastly.adapters import Payload, local_stores
from statsig_fastly.adapters.checks import check_count, check_text, listed
from statsig_fastly.adapters.chunk_reading import check_announced, digest_of
from statsig_fastly.adapters.local_stores import LocalEntry, LocalItem, LocalStores, load_local_stores
from statsig_fastly.adapters.plain_specs import MAX_PAYLOAD_BYTES, plain_specs
from statsig_fastly.chunks import Manifest
from statsig_fastly.errors import AdapterError

if TYPE_CHECKING:
    import os

__all__ = ["FastlyTomlAdapter", "LocalItem", "LocalStores", "load_local_stores"]

StoreType = Literal["kv", "config"]


class FastlyTomlAdapter:
    """Reads config specs from a local KV or config store. Safe to use from several threads.

    The files are read again with every `fetch`, so an edit is seen by the next one. As in a real store,
    config specs may be compressed, and may be in chunks.

    Args:
        path: The `fastly.toml`; a relative path starts at the working directory.
        store: Name of the store. KV stores are looked at first, then config stores.
        config_spec_key: Key of the config specs in the store.
        root: Where relative paths in the file start. None means the working directory, as in
            Fastly's local server. Working directory in both cases: that of now, not of the `fetch`.
        store_type: `"kv"` or `"config"` to look at these stores only, for a name that both have.
        max_payload_bytes: Most the config specs may have, in bytes of JSON: decompressed, and with their
            chunks joined.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has a value that cannot work.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] = "fastly.toml",
        *,
        store: str,
        config_spec_key: str,
        root: str | os.PathLike[str] | None = None,
        store_type: StoreType | None = None,
        max_payload_bytes: int = MAX_PAYLOAD_BYTES,
    ) -> None:
        self._path = _path("path", path).absolute()
        self._root = Path.cwd() if root is None else _path("root", root).absolute()
        self._store = check_text("store", store)
        self._key = check_text("config_spec_key", config_spec_key)
        if store_type not in (None, "kv", "config"):  # a tuple: what comes may not be hashable
            raise ValueError(f"store_type: expected 'kv', 'config' or None, got {store_type!r}")
        self._store_type = store_type
        self._limit = check_count("max_payload_bytes", max_payload_bytes)

    @property
    def name(self) -> str:
        """`FastlyTOML`, as in the evaluation reason `Adapter(FastlyTOML):Recognized`."""
        return "FastlyTOML"

    @property
    def store(self) -> str:
        """Name of the store."""
        return self._store

    @property
    def config_spec_key(self) -> str:
        """The key that is read."""
        return self._key

    @property
    def identity(self) -> str:
        """Text that is another one for another file, store or key, and holds no secret."""
        from urllib.parse import quote

        kind = "" if self._store_type is None else f" {self._store_type}"
        return f"{self.name}{kind} {quote(str(self._path))} {quote(self._store)} {quote(self._key)}"

    def fetch(self, held_version: str | None = None) -> Payload | None:
        """Reads the config specs, if they are not those the caller has.

        Args:
            held_version: `Payload.version` of what the caller has, or None.

        Returns:
            The config specs, their version a SHA-256 digest of what is stored; or None if that is still
            `held_version`.

        Raises:
            AdapterError: A file, the store or the key is missing, or a file breaks the grammar, or
                the value is damaged, too large, or not a JSON object.
        """
        asked = self._asked()
        entries = self._entries(local_stores.Manifest(self._path, root=self._root))
        if self._key not in entries:
            raise self._key_missing(list(entries))
        item = entries[self._key].read()
        manifest = Manifest.parse(item.body, asked)
        version = digest_of(item.body, manifest)
        if version == held_version:
            return None
        value = item.body if manifest is None else self._joined(manifest, entries)
        return Payload(plain_specs(value, self._limit, asked), version, item.metadata or None)

    def close(self) -> None:
        """Does nothing; no file stays open."""

    def __repr__(self) -> str:
        kind = "" if self._store_type is None else f", store_type={self._store_type!r}"
        return (
            f"FastlyTomlAdapter({str(self._path)!r}, store={self._store!r}, "
            f"config_spec_key={self._key!r}{kind})"
        )

    def _entries(self, toml: local_stores.Manifest) -> dict[str, LocalEntry]:
        """What is in the store, by key."""
        if self._store_type != "config" and self._store in toml.kv_stores:
            return toml.kv_entries(self._store)
        if self._store_type != "kv" and self._store in toml.config_stores:
            return {
                key: LocalEntry(self._asked(), "", value.encode("utf-8", "surrogatepass"))
                for key, value in toml.config_entries(self._store).items()
            }
        raise self._store_missing(toml)

    def _joined(self, manifest: Manifest, entries: dict[str, LocalEntry]) -> bytes:
        check_announced(manifest, self._limit, self._asked())
        keys = manifest.chunk_keys(self._key).items()
        chunks = {chunk: entries[key].read().body for chunk, key in keys if key in entries}
        return manifest.join(chunks, self._asked())

    def _store_missing(self, toml: local_stores.Manifest) -> AdapterError:
        kinds = {"kv": toml.kv_stores, "config": toml.config_stores}
        there = [
            f"{kind} stores: {listed(list(stores)) or 'none'}"
            for kind, stores in kinds.items()
            if self._store_type in {None, kind}
        ]
        return AdapterError(f"{self._asked()}: the file has no such store; {', '.join(there)}")

    def _key_missing(self, keys: list[str]) -> AdapterError:
        statsig = [key for key in keys if key.startswith("statsig-")]
        there = f"its keys that start with 'statsig-': {listed(statsig)}"
        if not statsig:
            there = f"none of its {len(keys)} keys starts with 'statsig-'" if keys else "the store is empty"
        return AdapterError(f"{self._asked()}: the store has no such key; {there}")

    def _asked(self) -> str:
        return f"reading key {self._key!r} of local store {self._store!r} in {self._path}"


def _path(argument: str, value: object) -> Path:
    import os

    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{argument}: expected str or os.PathLike, got {type(value).__name__}")
    text = os.fspath(value)
    if not isinstance(text, str):
        raise TypeError(f"{argument}: expected a path of str, got one of {type(text).__name__}")
    if not text:
        raise ValueError(f"{argument}: expected a path, got ''")
    return Path(text)
