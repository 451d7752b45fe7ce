"""Config specs out of the stores that are linked to a Fastly Compute service, read from inside it.

In: the name of a store and a key. Out: a `Payload`; None where the store still has the version the caller
has; or an `AdapterError` that says what to do. There is no token and no request: the host answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from statsig_fastly.adapters import Payload
from statsig_fastly.adapters.checks import check_count, check_text, key_problem
from statsig_fastly.adapters.chunk_reading import ChunkReader, check_announced, digest_of
from statsig_fastly.adapters.plain_specs import plain_specs
from statsig_fastly.chunks import Manifest
from statsig_fastly.compute.faults import NOT_INSIDE, fault_name, fault_text, is_passing
from statsig_fastly.errors import AdapterError
from statsig_fastly.store_limits import CONFIG_KEY_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

__all__ = ["ComputeConfigAdapter", "ComputeKVAdapter"]

_METADATA_BYTES = 2000
_PIECE_BYTES = 256 * 1024
_CONFIG_VALUE_BYTES = 64 * 1024
_LOOK_UPS = 32
# What the engine can load beside what it has in use, in 128 MB, even if it is one list of short texts. Memory
# that is not there ends the sandbox, and the next one with the same payload as well.
_MAX_PAYLOAD_BYTES = 8_000_000


class _Item(NamedTuple):
    """What lies under a key. The version is None where the store has none."""

    body: bytes
    version: str | None = None
    metadata: str | None = None


class _ComputeAdapter:
    """What both adapters have in common. `_kind` is what messages call the store."""

    _name: str
    _kind: str

    def __init__(self, store: str, config_spec_key: str, max_payload_bytes: int) -> None:
        self._store = check_text("store", store)
        self._key = check_text("config_spec_key", config_spec_key)
        self._limit = check_count("max_payload_bytes", max_payload_bytes)
        self._chunks = ChunkReader()

    @property
    def name(self) -> str:
        """Name in evaluation reasons, as in `Adapter(FastlyKV):Recognized`."""
        return self._name

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
        """Text that is another one for another store or key, and holds no secret."""
        from urllib.parse import quote

        return f"{self._name} in Compute {quote(self._store)} {quote(self._key)}"

    def fetch(self, held_version: str | None = None) -> Payload | None:
        """Reads the config specs, if they are not those the caller has.

        Args:
            held_version: `Payload.version` of what the caller has, or None.

        Returns:
            The config specs, or None if the store still has `held_version`. That is the generation of the
            value in a KV Store, and a SHA-256 digest of what is stored in a Config Store.

        Raises:
            AdapterError: The store or the key is missing, the host did not answer, or the value is damaged,
                too large, or not a JSON object.
        """
        asked = f"reading key {self._key!r} of {self._kind} {self._store!r}"
        try:
            opened = self._open()
        except ImportError:
            raise AdapterError(f"{asked}: {NOT_INSIDE}; elsewhere use FastlyDataAdapter") from None
        except Exception as error:  # one of several classes, or raw  # noqa: BLE001
            raise _not_read(asked, error) from None
        try:
            with opened as store:
                return self._payload(store, held_version, asked)
        except AdapterError:
            raise
        except Exception as error:  # one of several classes, or raw  # noqa: BLE001
            raise _not_read(asked, error) from None

    def close(self) -> None:
        """Does nothing; no store stays open."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._store!r}, {self._key!r})"

    def _open(self) -> AbstractContextManager[Any]:
        """The store; an ImportError outside of a component."""
        raise NotImplementedError

    def _read(self, store: Any, key: str, held_version: str | None, asked: str) -> _Item | None:  # noqa: ANN401
        """The item, without its body if it has the version that is held; None if there is none."""
        raise NotImplementedError

    def _payload(self, store: Any, held_version: str | None, asked: str) -> Payload | None:  # noqa: ANN401
        item = self._read(store, self._key, held_version, asked)
        if item is None:
            raise AdapterError(f"{asked}: the store has no such key; publish the config specs to it")
        manifest = Manifest.parse(item.body, asked)
        version = item.version or digest_of(item.body, manifest)
        if version == held_version:
            return None
        value = item.body if manifest is None else self._joined(store, manifest, asked)
        return Payload(plain_specs(value, self._limit, asked), version, item.metadata)

    def _joined(self, store: Any, manifest: Manifest, asked: str) -> bytes:  # noqa: ANN401
        look_ups = 1 + len(set(manifest.chunks))
        if look_ups > _LOOK_UPS:
            raise AdapterError(
                f"{asked}: the value lies in chunks that take {look_ups} look-ups, and Fastly allows "
                f"{_LOOK_UPS} for a request; use a KV Store"
            )
        check_announced(manifest, self._limit, asked)

        def ask(keys: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
            for chunk, key in keys.items():
                item = self._read(store, key, None, asked)
                if item is None:
                    return
                yield chunk, item.body

        return manifest.join(self._chunks.read(manifest, self._key, ask), asked)


class ComputeKVAdapter(_ComputeAdapter):
    """Reads config specs from a KV Store that is linked to the service.

    A `fetch` is one look-up, and one more for each chunk where the value lies in chunks. The generation of
    the value is compared before its body is read.

    Args:
        store: Name of the store, as it is linked to the service.
        config_spec_key: Key of the config specs in the store.
        max_payload_bytes: Most the config specs may have, in bytes of JSON. A sandbox has 128 MB in all: what
            does not fit ends it.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has a value that cannot work.
    """

    _name = "FastlyKV"
    _kind = "KV store"

    def __init__(
        self, store: str, config_spec_key: str, *, max_payload_bytes: int = _MAX_PAYLOAD_BYTES
    ) -> None:
        super().__init__(store, config_spec_key, max_payload_bytes)
        if problem := key_problem(config_spec_key):
            raise ValueError(f"config_spec_key: {problem}, got {config_spec_key[:100]!r}")

    def _open(self) -> AbstractContextManager[Any]:
        from wit_world.imports import kv_store

        opened: AbstractContextManager[Any] = kv_store.Store.open(self._store)
        return opened

    def _read(self, store: Any, key: str, held_version: str | None, asked: str) -> _Item | None:  # noqa: ANN401
        entry = store.lookup(key)
        if entry is None:
            return None
        with entry:
            version = str(entry.generation())
            if version == held_version:
                return _Item(b"", version)
            body = entry.take_body()
            if body is None:
                raise AdapterError(f"{asked}: the host has the value without its body", retryable=True)
            with body:
                value = self._read_all(body, asked)
            return _Item(value, version, entry.metadata(_METADATA_BYTES) or None)

    def _read_all(self, body: Any, asked: str) -> bytes:  # noqa: ANN401
        from wit_world.imports import http_body

        pieces: list[bytes] = []
        size = 0
        while piece := http_body.read(body, _PIECE_BYTES):
            pieces.append(piece)
            size += len(piece)
            if size > self._limit:
                raise AdapterError(
                    f"{asked}: the value has more than the limit of {self._limit:,} bytes; make the payload "
                    "smaller, or raise max_payload_bytes"
                )
        return b"".join(pieces)


class ComputeConfigAdapter(_ComputeAdapter):
    """Reads config specs from a Config Store that is linked to the service.

    A `fetch` is one look-up, and one more for each chunk where the value lies in chunks. A service may make
    32 of them for a request, and a value has 8,000 characters at most: prefer a KV Store.

    Args:
        store: Name of the store, as it is linked to the service.
        config_spec_key: Key of the config specs in the store.
        max_payload_bytes: As for `ComputeKVAdapter`.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has a value that cannot work.
    """

    _name = "FastlyConfig"
    _kind = "Config Store"

    def __init__(
        self, store: str, config_spec_key: str, *, max_payload_bytes: int = _MAX_PAYLOAD_BYTES
    ) -> None:
        super().__init__(store, config_spec_key, max_payload_bytes)
        if len(config_spec_key) > CONFIG_KEY_CHARACTERS:
            most = f"at most {CONFIG_KEY_CHARACTERS} characters"
            raise ValueError(f"config_spec_key: expected {most}, got {len(config_spec_key)}")

    def _open(self) -> AbstractContextManager[Any]:
        from wit_world.imports import config_store

        opened: AbstractContextManager[Any] = config_store.Store.open(self._store)
        return opened

    def _read(self, store: Any, key: str, held_version: str | None, asked: str) -> _Item | None:  # noqa: ANN401
        del held_version, asked
        text: str | None = store.get(key, _CONFIG_VALUE_BYTES)
        return None if text is None else _Item(text.encode())


def _not_read(asked: str, error: Exception) -> AdapterError:
    if fault_name(error) == "not found":
        advice = "link it to the service, and for local runs add it to fastly.toml"
        return AdapterError(f"{asked}: the service has no such store; {advice}")
    return AdapterError(f"{asked}: the host says: {fault_text(error)}", retryable=is_passing(error))
