"""Config specs out of the stores that are linked to a Fastly Compute service, read from inside it.

In: the name of a store and a key. Out: a `Payload`; None where the store still has the version the caller
has; or an `AdapterError` that says what to do. There is no token and no request: the host answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statsig_fastly.adapters import Payload
from statsig_fastly.adapters.checks import check_count, check_text, key_problem, value_problem
from statsig_fastly.compute.faults import NOT_INSIDE, fault_name, fault_text, is_passing
from statsig_fastly.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ComputeConfigAdapter", "ComputeKVAdapter"]

_METADATA_BYTES = 2000
_PIECE_BYTES = 256 * 1024
_CONFIG_KEY_CHARACTERS = 255
_CONFIG_VALUE_BYTES = 64 * 1024
_LINK_IT = "link it to the service, and for local runs add it to fastly.toml"


class ComputeKVAdapter:
    """Reads config specs from a KV Store that is linked to the service.

    A `fetch` is one look-up. The generation of the value is compared before its body is read.

    Args:
        store: Name of the store, as it is linked to the service.
        config_spec_key: Key of the config specs in the store.
        max_value_bytes: The largest value that is read, in bytes. A sandbox has 128 MB in all.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has a value that cannot work.
    """

    def __init__(self, store: str, config_spec_key: str, *, max_value_bytes: int = 25_000_000) -> None:
        self._store = check_text("store", store)
        self._key = check_text("config_spec_key", config_spec_key)
        if problem := key_problem(config_spec_key):
            raise ValueError(f"config_spec_key: {problem}, got {config_spec_key[:100]!r}")
        self._limit = check_count("max_value_bytes", max_value_bytes)

    @property
    def name(self) -> str:
        """`FastlyKV`, as in the evaluation reason `Adapter(FastlyKV):Recognized`."""
        return "FastlyKV"

    @property
    def store(self) -> str:
        """Name of the store."""
        return self._store

    @property
    def config_spec_key(self) -> str:
        """The key that is read."""
        return self._key

    def fetch(self, held_version: str | None = None) -> Payload | None:
        """Reads the value, if it is not the one the caller has.

        Args:
            held_version: `Payload.version` of what the caller has, or None.

        Returns:
            The value, its version the store's generation of it; or None if that is still `held_version`.

        Raises:
            AdapterError: The store or the key is missing, the host did not answer, the value is too large or
                does not look like a JSON object.
        """
        asked = f"reading key {self._key!r} of KV store {self._store!r}"
        try:
            from wit_world.imports import kv_store
        except ImportError:
            raise AdapterError(f"{asked}: {NOT_INSIDE}; elsewhere use FastlyDataAdapter") from None
        try:
            with kv_store.Store.open(self._store) as store:
                entry = store.lookup(self._key)
                if entry is not None:
                    with entry:
                        return self._payload(entry, held_version, asked)
        except AdapterError:
            raise
        except Exception as error:  # one of several classes, or raw  # noqa: BLE001
            raise _not_read(asked, error) from None
        raise _no_such_key(asked)

    def close(self) -> None:
        """Does nothing; no store stays open."""

    def __repr__(self) -> str:
        return f"ComputeKVAdapter({self._store!r}, {self._key!r})"

    def _payload(self, entry: Any, held_version: str | None, asked: str) -> Payload | None:  # noqa: ANN401
        version = str(entry.generation())
        if version == held_version:
            return None
        body = entry.take_body()
        if body is None:
            raise AdapterError(f"{asked}: the host has the value without its body", retryable=True)
        with body:
            value = self._read(body, asked)
        return Payload(_checked(value, asked), version, entry.metadata(_METADATA_BYTES) or None)

    def _read(self, body: Any, asked: str) -> bytes:  # noqa: ANN401
        from wit_world.imports import http_body

        read: Callable[[Any, int], bytes] = http_body.read
        pieces, size = [], 0
        while piece := read(body, _PIECE_BYTES):
            pieces.append(piece)
            size += len(piece)
            if size > self._limit:
                raise AdapterError(
                    f"{asked}: the value has more than the limit of {self._limit} bytes; make the payload "
                    "smaller or raise max_value_bytes"
                )
        return b"".join(pieces)


class ComputeConfigAdapter:
    """Reads config specs from a Config Store that is linked to the service.

    A `fetch` is one look-up; a service may make 32 of them for a request. A value has 8,000 characters at
    most, which is enough for a small project only: prefer a KV Store.

    Args:
        store: Name of the store, as it is linked to the service.
        config_spec_key: Key of the config specs in the store.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has a value that cannot work.
    """

    def __init__(self, store: str, config_spec_key: str) -> None:
        self._store = check_text("store", store)
        self._key = check_text("config_spec_key", config_spec_key)
        if len(config_spec_key) > _CONFIG_KEY_CHARACTERS:
            raise ValueError(
                f"config_spec_key: expected at most {_CONFIG_KEY_CHARACTERS} characters, "
                f"got {len(config_spec_key)}"
            )

    @property
    def name(self) -> str:
        """`FastlyConfig`, as in the evaluation reason `Adapter(FastlyConfig):Recognized`."""
        return "FastlyConfig"

    @property
    def store(self) -> str:
        """Name of the store."""
        return self._store

    @property
    def config_spec_key(self) -> str:
        """The key that is read."""
        return self._key

    def fetch(self, held_version: str | None = None) -> Payload | None:
        """Reads the value, if it is not the one the caller has.

        Args:
            held_version: `Payload.version` of what the caller has, or None.

        Returns:
            The value, its version a SHA-256 digest of it; or None if that is still `held_version`.

        Raises:
            AdapterError: The store or the key is missing, the host did not answer, or the value does not look
                like a JSON object.
        """
        asked = f"reading key {self._key!r} of Config Store {self._store!r}"
        try:
            from wit_world.imports import config_store
        except ImportError:
            raise AdapterError(f"{asked}: {NOT_INSIDE}; elsewhere use FastlyTomlAdapter") from None
        from hashlib import sha256

        try:
            with config_store.Store.open(self._store) as store:
                text: str | None = store.get(self._key, _CONFIG_VALUE_BYTES)
        except Exception as error:  # one of several classes, or raw  # noqa: BLE001
            raise _not_read(asked, error) from None
        if text is None:
            raise _no_such_key(asked)
        body = text.encode()
        version = sha256(body).hexdigest()
        return None if version == held_version else Payload(_checked(body, asked), version)

    def close(self) -> None:
        """Does nothing; no store stays open."""

    def __repr__(self) -> str:
        return f"ComputeConfigAdapter({self._store!r}, {self._key!r})"


def _no_such_key(asked: str) -> AdapterError:
    return AdapterError(f"{asked}: the store has no such key; publish the config specs to it")


def _checked(body: bytes, asked: str) -> bytes:
    problem = value_problem(body)
    if problem is not None:
        raise AdapterError(f"{asked}: {problem[0]}", retryable=problem[1])
    return body


def _not_read(asked: str, error: Exception) -> AdapterError:
    if fault_name(error) == "not found":
        return AdapterError(f"{asked}: the service has no such store; {_LINK_IT}")
    return AdapterError(f"{asked}: the host says: {fault_text(error)}", retryable=is_passing(error))
