"""Config specs out of a data store as the official package takes them.

In: an object in the shape of `statsig_python_core.DataStore`. Out: a `Payload` whose version is a digest of
    it;
None where that is what the caller has; or an `AdapterError`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal, NoReturn

from statsig_fastly.adapters import Payload
from statsig_fastly.adapters.checks import check_text, value_problem
from statsig_fastly.adapters.compression import decompressed
from statsig_fastly.adapters.memory import encoded
from statsig_fastly.adapters.plain_specs import MAX_PAYLOAD_BYTES
from statsig_fastly.adapters.private_loop import PrivateLoop
from statsig_fastly.errors import AdapterError, described
from statsig_fastly.sdk_key import SdkKey

__all__ = ["DataStoreAdapter"]

KeySchema = Literal["v2", "v3"]

_PATH = "/v2/download_config_specs"
_KEY_START = f"statsig|{_PATH}|plain_text|"
_V3_LETTERS = 20
_OFFICIAL = "statsig_python_core"


class DataStoreAdapter:
    """Reads config specs from a data store that the official package, or something else, writes.

    Any object will do that has `get(key)`, or `get_bytes(key)` for bytes, in a class of its own or inherited.
    Both may return a `DataStoreResponse`, any object with a `result`, a mapping, text, bytes, or None where
    there is nothing. If there are both, `get` is called where `get_bytes` has nothing. `initialize` is called
    before the first `get`, once in each process, and `shutdown` by `close`, if there are such methods. `set`
    is never called.

    All of them may be `async`. What they return is then run to its end on an event loop that this adapter
    keeps for it, in the thread that calls the adapter, one call at a time. So a store whose connections
    belong to the application's event loop cannot be shared with it: make another one for the adapter.

    Safe to use from several threads, if the store is.

    Args:
        store: The data store.
        sdk_key: Server key of the project, of which the key in the store is made. It is not kept.
        key: The key in the store, if not that of the official core.
        key_schema: How the official core makes the key: of a digest of the SDK key (`"v2"`), or of its first
            20 characters (`"v3"`), as with its option `data_store_key_schema_version`.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has a value that cannot work; there is neither `sdk_key` nor `key`.
    """

    __slots__ = ("_initialized", "_key", "_locks", "_loop", "_store")

    def __init__(
        self,
        store: object,
        sdk_key: str | None = None,
        *,
        key: str | None = None,
        key_schema: KeySchema = "v2",
    ) -> None:
        self._store = _checked(store)
        self._key = _StoreKey.of_arguments(sdk_key, key, key_schema)
        self._loop = PrivateLoop()
        # By process, as a forked child has connections of its own to make.
        self._locks: dict[int, threading.Lock] = {}
        self._initialized = 0

    @property
    def name(self) -> str:
        """`DataStore`, as in the evaluation reason `Adapter(DataStore):Recognized`."""
        return "DataStore"

    @property
    def identity(self) -> str:
        """Tells this source from others: the class of the store and the key in it, or a digest of that."""
        from hashlib import sha256

        return (
            f"{self.name} {_class_name(self._store)} {sha256(self._key.reveal().encode()).hexdigest()[:16]}"
        )

    def fetch(self, held_version: str | None = None) -> Payload | None:
        """Reads the value, if it is not the one the caller has.

        Args:
            held_version: `Payload.version` of what the caller has, or None.

        Returns:
            The value, its version a SHA-256 digest of it; or None if that is still `held_version`.

        Raises:
            AdapterError: The store raised something, which is the cause and makes it `retryable`; has nothing
                under the key; or has something that cannot be decompressed or does not look like a JSON
                object.
        """
        from hashlib import sha256

        self._initialize()
        body = decompressed(self._read(), MAX_PAYLOAD_BYTES, self._asked())
        problem = value_problem(body)
        if problem is not None:
            raise AdapterError(f"{self._asked()}: {problem[0]}", retryable=problem[1])
        version = sha256(body).hexdigest()
        return None if version == held_version else Payload(body, version)

    def supports_polling(self) -> bool:
        """What the store says to `support_polling_updates_for`; False if it has no such method.

        With the official core, a store that says False is read at the start only, and later ones come from
        the network.

        Raises:
            AdapterError: The store raised something.
        """
        asks = _method(self._store, "support_polling_updates_for")
        return asks is not None and bool(self._call("support_polling_updates_for", lambda: asks(_PATH)))

    def close(self) -> None:
        """Shuts the store down, if it was initialized. A later `fetch` initializes it again.

        Raises:
            AdapterError: The store raised something.
        """
        with self._lock():
            if self._initialized != os.getpid():
                return
            self._initialized = 0
            try:
                shutdown = _method(self._store, "shutdown")
                if shutdown is not None:
                    self._call("shutdown", shutdown)
            finally:
                self._loop.close()

    def __repr__(self) -> str:
        return f"DataStoreAdapter({_class_name(self._store)}, key={self._key.shown!r})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a DataStoreAdapter may hold part of an SDK key and cannot be pickled or copied")

    def _initialize(self) -> None:
        if self._initialized == os.getpid():
            return
        with self._lock():
            if self._initialized != os.getpid():
                initialize = _method(self._store, "initialize")
                if initialize is not None:
                    self._call("initialize", initialize)
                self._initialized = os.getpid()

    def _lock(self) -> threading.Lock:
        return self._locks.setdefault(os.getpid(), threading.Lock())

    def _read(self) -> bytes:
        for name in ("get_bytes", "get"):
            method = _method(self._store, name)
            if method is None:
                continue
            found = self._body(name, self._call(name, partial(self._asked_for_key, method)))
            if found:
                return found
        raise AdapterError(
            f"{self._asked()}: the store has nothing under this key; has the official SDK, or whatever fills "
            "the store, written to it?"
        )

    def _body(self, method: str, answer: object) -> bytes | None:
        """The value in an answer of the store; None or nothing where there is none."""
        value = answer
        if isinstance(answer, Mapping):
            value = answer.get("result", answer)
        elif answer is not None and not isinstance(answer, str | bytes | bytearray | memoryview):
            missing = object()
            value = getattr(answer, "result", missing)
            if value is missing:
                raise AdapterError(
                    f"{self._asked()}: expected a DataStoreResponse or None from {method}, "
                    f"got {type(answer).__name__}"
                )
        if value is None:
            return None
        if isinstance(value, bytearray | memoryview):
            value = bytes(value)
        if not isinstance(value, str | bytes | Mapping):
            raise AdapterError(
                f"{self._asked()}: expected text, bytes or a mapping as result of {method}, "
                f"got {type(value).__name__}"
            )
        try:
            return encoded("result", value)
        except (TypeError, ValueError) as problem:
            raise AdapterError(f"{self._asked()}: {problem}") from None

    def _asked_for_key(self, method: Callable[[str], object]) -> object:
        return method(self._key.reveal())

    def _call(self, name: str, call: Callable[[], object]) -> object:
        try:
            answer = call()
            return self._loop.run(answer) if isinstance(answer, Awaitable) else answer
        except Exception as error:  # the store is the user's own and may raise anything
            text = described(error, self._key.scrub)
            raise AdapterError(f"{self._asked()}: {name} raised {text}", retryable=True) from error

    def _asked(self) -> str:
        return f"reading key {self._key.shown!r} of {_class_name(self._store)}"


def _checked(store: object) -> object:
    expected = "store: expected an object with get, such as a DataStore"
    if isinstance(store, type):
        raise TypeError(f"{expected}; got the class {store.__name__}")
    if _method(store, "get") is None and _method(store, "get_bytes") is None:
        raise TypeError(f"{expected}; got {type(store).__name__}")
    return store


@dataclass(frozen=True, slots=True, repr=False)
class _StoreKey:
    """A key in a store that may hold part of an SDK key.

    Attributes:
        reveal: Tells the key. A closure, which no traceback with local variables shows.
        shown: What may be shown of it.
        scrub: Takes what may not be shown of it out of a text.
    """

    reveal: Callable[[], str]
    shown: str
    scrub: Callable[[str], str] = str

    @classmethod
    def of_arguments(cls, sdk_key: object, key: object, key_schema: object) -> _StoreKey:
        secret = None if sdk_key is None else SdkKey.of_argument(sdk_key)  # type: ignore[arg-type]
        if key_schema not in ("v2", "v3"):  # a tuple: what comes may not be hashable
            raise ValueError(f"key_schema: expected 'v2' or 'v3', got {key_schema!r}")
        if key is not None:
            given = check_text("key", key)
            scrub = str if secret is None else secret.scrub
            return cls(lambda: given, scrub(given), scrub)
        if secret is None:
            raise ValueError(
                "sdk_key: expected an SDK key, got None; give it, or the key in the store as key="
            )
        if key_schema == "v3":
            start = SdkKey(secret.reveal()[:_V3_LETTERS])
            return cls(lambda: f"{_KEY_START}{start.reveal()}", f"{_KEY_START}[SDK key]", start.scrub)
        from base64 import b64encode
        from hashlib import sha256

        made = _KEY_START + b64encode(sha256(secret.reveal().encode()).digest()).decode()
        return cls(lambda: made, made)


def _method(store: object, name: str) -> Callable[..., object] | None:
    """A method of the store, its own or inherited; None if it is that of the official base class, or none."""
    method = getattr(store, name, None)
    if not callable(method):
        return None
    # What the base class has does nothing, and says so nowhere.
    defined_in = getattr(getattr(method, "__func__", method), "__module__", None)
    official = isinstance(defined_in, str) and defined_in.partition(".")[0] == _OFFICIAL
    return None if official else method


def _class_name(store: object) -> str:
    return type(store).__name__
