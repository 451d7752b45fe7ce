"""The emulator itself: an HTTP server in a background thread and the Python calls that control it.

In: requests on loopback, and method calls of the test or program that owns it. Out: answers as
api.fastly.com gives them, and a record of everything that was asked.
"""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from statsig_fastly.emulator.config_api import WriteBudget
from statsig_fastly.emulator.config_store import ConfigStores
from statsig_fastly.emulator.delivery import deliver
from statsig_fastly.emulator.events import EventCollector
from statsig_fastly.emulator.exchange import Answer, Refused, record
from statsig_fastly.emulator.faults import FaultScript
from statsig_fastly.emulator.http_thread import HttpThread
from statsig_fastly.emulator.kv import KvRules, KvStores
from statsig_fastly.emulator.kv_api import KvAnswers
from statsig_fastly.emulator.routes import Routes
from statsig_fastly.emulator.storage import StoreDirectory

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from os import PathLike
    from types import TracebackType

    from aiohttp import web
    from typing_extensions import Self

    from statsig_fastly.emulator.config_store import ConfigStore
    from statsig_fastly.emulator.events import LogEventRequest
    from statsig_fastly.emulator.exchange import RecordedRequest
    from statsig_fastly.emulator.faults import Fault
    from statsig_fastly.emulator.kv import KvStore, Version

__all__ = ["Emulator"]

_WILDCARDS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognised, not bound


class Emulator:
    """A local stand-in for Fastly's KV Store and Config Store REST APIs and Statsig's event endpoint.

    Use it as a context manager, or call `start` and `stop`. Leaving the `with` block raises
    `AssertionError` if a request carried one of the tokens in its URL. Every method may be called
    from any thread. Stores may be named by their name or their id.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 lets the system pick one, which a restart of this object keeps.
        directory: Where to keep the stores between runs; None keeps them in memory.
        tokens: Accepted values of the `Fastly-Key` header.
        read_only_tokens: Values accepted for GET and HEAD only; a write gets 403.
        max_value_bytes: Largest KV value, in bytes.
        write_interval: Seconds that must pass between two writes to one KV key, else 429; 0 for no limit
            (production: 1 s).
        propagation: Seconds until a KV write over HTTP becomes visible to reads.
        background_fetch_delay: Seconds on top of that for writes with `background_fetch=true`.
        ttl_lag: Seconds an expired KV item lives on (production: anything up to 24 h).
        clock: Seconds since the epoch; everything above is measured with it.
        head_supported: False answers a HEAD of an item with 405.
        honour_ims: True answers 304 to an `If-Modified-Since` that holds (production: unknown).
        not_found_body: Body of a KV 404 (production: unknown).
        batch_error_status: Status of a KV batch in which items failed (production: unknown).
        hourly_writes: Config Store writes allowed per clock hour.
        tls: Serve HTTPS with this context.

    Raises:
        ValueError: No token was given, or `directory` holds files of something else.
        OSError: `directory` cannot be created or read.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        directory: str | PathLike[str] | None = None,
        tokens: Sequence[str] = ("emulator-token",),
        read_only_tokens: Sequence[str] = (),
        max_value_bytes: int = 26_214_400,
        write_interval: float = 0.0,
        propagation: float = 0.0,
        background_fetch_delay: float = 0.0,
        ttl_lag: float = 0.0,
        clock: Callable[[], float] = time.time,
        head_supported: bool = True,
        honour_ims: bool = False,
        not_found_body: bytes = b"",
        batch_error_status: int = 200,
        hourly_writes: int = 10_000,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if isinstance(tokens, str) or isinstance(read_only_tokens, str):
            raise TypeError("tokens and read_only_tokens: expected sequences of strings, got a string")
        if not tokens or not all((*tokens, *read_only_tokens)):
            raise ValueError("tokens: expected at least one, and none of them empty")
        self._host, self._port, self._tls, self._clock = host, port, tls, clock
        self._tokens = (*tokens, *read_only_tokens)
        rules = KvRules(
            max_value_bytes=max_value_bytes,
            write_interval=write_interval,
            propagation=propagation,
            background_fetch_delay=background_fetch_delay,
            ttl_lag=ttl_lag,
        )
        kept = None if directory is None else StoreDirectory(Path(directory))
        self._kv = KvStores(clock, rules, kept)
        self._config = ConfigStores(clock, kept)
        self._collector = EventCollector()
        self._routes = Routes(
            tokens=tuple(tokens),
            read_only_tokens=tuple(read_only_tokens),
            kv=self._kv,
            kv_answers=KvAnswers(head_supported, honour_ims, not_found_body, batch_error_status),
            config=self._config,
            write_budget=WriteBudget(clock, hourly_writes),
            collector=self._collector,
        )
        self._script = FaultScript()
        self._requests: list[RecordedRequest] = []
        self._lock = threading.RLock()
        self._arrival = threading.Condition(self._lock)
        self._http = HttpThread(self._handle)

    def __repr__(self) -> str:
        return f"Emulator({self._host!r}, {self._port}, {'running' if self._http.running else 'stopped'})"

    # Life

    def start(self) -> Self:
        """Starts to listen; when it returns, requests are answered.

        Raises:
            OSError: The address cannot be used, e.g. the port is taken.
            RuntimeError: It is running already.
        """
        self._port = self._http.start(self._host, self._port, self._tls)
        return self

    def stop(self) -> None:
        """Closes the listener and every connection, interrupts delays, and joins the thread.

        What the stores hold, the records and the faults stay. Calling it again does nothing.
        """
        self._http.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        if kind is None:
            self.assert_no_token_in_url()

    @property
    def port(self) -> int:
        """The port it listens on; 0 before the first start if the system is to pick one."""
        return self._port

    @property
    def url(self) -> str:
        """Base URL, without a slash at the end: what to give a client instead of https://api.fastly.com."""
        host = _WILDCARDS.get(self._host, self._host)
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if self._tls else 'http'}://{host}:{self._port}"

    @property
    def token(self) -> str:
        """The first token with full rights."""
        return self._tokens[0]

    # KV stores

    def create_kv_store(self, name: str) -> str:
        """Creates an empty KV store and returns its id.

        Raises:
            ValueError: The name is not allowed or taken.
        """
        with self._lock, _refusals_as_value_errors():
            return self._kv.create(name).store_id

    def kv_stores(self) -> dict[str, str]:
        """Name and id of every KV store."""
        with self._lock:
            return {store.name: store.store_id for store in self._kv.all()}

    def put(
        self,
        store: str,
        key: str,
        body: bytes,
        metadata: str = "",
        *,
        ttl: float | None = None,
        visible_at: float | None = None,
    ) -> int:
        """Writes a KV item past all limits, and returns its generation.

        Args:
            store: Name or id of the store.
            key: Key of the item.
            body: The bytes.
            metadata: Text to keep beside them.
            ttl: Seconds until the item expires; None for never.
            visible_at: From when on reads see it, on the emulator's clock; None for at once, whatever
                `propagation` is.

        Raises:
            KeyError: No such store.
        """
        with self._lock:
            version = self._kv.place(
                self._kv_store(store), key, bytes(body), metadata=metadata, ttl=ttl, visible_at=visible_at
            )
            return version.generation

    def item(self, store: str, key: str) -> Version | None:
        """The last version written of a KV item (body, metadata, generation), or None if there is none.

        Raises:
            KeyError: No such store.
        """
        with self._lock:
            item = self._kv_store(store).items.get(key)
            return item.newest(self._clock()) if item else None

    def get(self, store: str, key: str) -> bytes | None:
        """The last bytes written of a KV item, or None if there is none.

        Raises:
            KeyError: No such store.
        """
        version = self.item(store, key)
        return version.body if version else None

    def keys(self, store: str) -> list[str]:
        """The keys of a KV store, sorted by their bytes.

        Raises:
            KeyError: No such store.
        """
        with self._lock:
            return self._kv_store(store).keys(self._clock())

    def delete(self, store: str, key: str) -> bool:
        """Deletes a KV item, for reads too, and returns whether there was one.

        Raises:
            KeyError: No such store.
        """
        with self._lock:
            if self.item(store, key) is None:
                return False
            self._kv.place(self._kv_store(store), key, None)
            return True

    # Config Stores

    def create_config_store(self, name: str, items: Mapping[str, str] | None = None) -> str:
        """Creates a Config Store, with these entries, and returns its id.

        Raises:
            ValueError: The name is not allowed or taken.
        """
        with self._lock, _refusals_as_value_errors():
            store = self._config.create(name)
            for key, value in (items or {}).items():
                self.set_config_item(store.store_id, key, value)
            return store.store_id

    def config_stores(self) -> dict[str, str]:
        """Name and id of every Config Store."""
        with self._lock:
            return {store.name: store.store_id for store in self._config.all()}

    def config_items(self, store: str) -> dict[str, str]:
        """The entries of a Config Store.

        Raises:
            KeyError: No such store.
        """
        with self._lock:
            return {key: item.value for key, item in self._config_store(store).items.items()}

    def set_config_item(self, store: str, key: str, value: str) -> None:
        """Writes an entry of a Config Store past all limits.

        Raises:
            KeyError: No such store.
        """
        with self._lock:
            self._config.place(self._config_store(store), key, value)

    # Files

    def seed_from_fastly_toml(self, path: str | PathLike[str]) -> None:
        """Creates the KV and Config Stores that a `fastly.toml` describes under `[local_server]`.

        A store that exists already keeps its other entries.

        Args:
            path: The manifest.

        Raises:
            StatsigFastlyError: The manifest cannot be read; the message says where and why.
        """
        from statsig_fastly.emulator.manifest import seed_from_fastly_toml

        seed_from_fastly_toml(self, Path(path))

    def dump_kvstore_json(self, path: str | PathLike[str], store: str) -> None:
        """Writes a KV store as the JSON file that `fastly.toml` can name for a local KV store.

        Values that are not UTF-8 text go to files of their own in a directory beside it.

        Args:
            path: The JSON file to write.
            store: Name or id of the store.

        Raises:
            KeyError: No such store.
            OSError: A file cannot be written.
        """
        from statsig_fastly.emulator.manifest import dump_kvstore_json

        dump_kvstore_json(self, Path(path), store)

    # What happened, and what is to go wrong

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request so far, oldest first, those for the event collector included."""
        with self._lock:
            return list(self._requests)

    def take_requests(self) -> list[RecordedRequest]:
        """Returns the requests so far and forgets them."""
        with self._lock:
            taken, self._requests = self._requests, []
            return taken

    def assert_no_more(self) -> None:
        """Raises `AssertionError` if a request came in since the last `take_requests`."""
        if left := self.requests:
            raise AssertionError(f"{len(left)} more requests, the first of them {left[0]!r}")

    def assert_no_token_in_url(self) -> None:
        """Raises `AssertionError` if a recorded request carried one of the tokens in its URL."""
        if leaks := [request for request in self.requests if request.token_in_url]:
            raise AssertionError(f"a token was sent in the URL of {leaks[0]!r}")

    @property
    def events(self) -> list[dict[str, Any]]:
        """The decoded bodies of the log_event requests accepted so far, oldest first."""
        return [accepted.body for accepted in self.log_event_requests]

    def wait_for_requests(self, count: int = 1, *, timeout: float = 5.0) -> list[RecordedRequest]:
        """Waits until there are `count` requests on record, and returns them all.

        Args:
            count: Requests to wait for, those already on record included.
            timeout: Seconds to wait at most.

        Raises:
            TimeoutError: They did not come.
        """
        with self._arrival:
            if not self._arrival.wait_for(lambda: len(self._requests) >= count, timeout):
                raise TimeoutError(f"expected {count} requests in {timeout} s, got {len(self._requests)}")
            return list(self._requests)

    def wait_for_log_events(self, count: int = 1, *, timeout: float = 5.0) -> list[LogEventRequest]:
        """Waits until `count` log_event requests have been accepted, and returns them all.

        Args:
            count: Requests to wait for, those already accepted included; one holds any number of events.
            timeout: Seconds to wait at most.

        Raises:
            TimeoutError: They did not come.
        """
        with self._arrival:
            accepted = self._collector.accepted
            if not self._arrival.wait_for(lambda: len(accepted) >= count, timeout):
                raise TimeoutError(f"expected {count} log_event requests in {timeout} s, got {len(accepted)}")
            return list(accepted)

    @property
    def log_event_requests(self) -> list[LogEventRequest]:
        """The log_event requests accepted so far, with their headers, oldest first."""
        with self._lock:
            return list(self._collector.accepted)

    def fault(self, fault: Fault) -> None:
        """Queues a failure for requests to come; see `Fault`."""
        with self._lock:
            self._script.add(fault)

    @property
    def pending_faults(self) -> list[Fault]:
        """The queued failures that have not struck as often as they were told to."""
        with self._lock:
            return self._script.pending()

    def clear_faults(self) -> None:
        """Forgets all queued failures."""
        with self._lock:
            self._script.clear()

    # Inside

    async def _handle(self, request: web.BaseRequest, stopping: asyncio.Event) -> web.StreamResponse:
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await request.content.read()
        headers: dict[str, str] = {}
        for name, value in request.headers.items():
            lower = name.lower()
            headers[lower] = f"{headers[lower]}, {value}" if lower in headers else value
        with self._lock:
            now = self._clock()
            recorded = record(
                request.method,
                request.raw_path,
                headers,
                body,
                arrived_at=now,
                tokens=self._tokens,
            )
            self._requests.append(recorded)
            fault = self._script.strike(recorded)
            answer = Answer(200)
            if fault is None or fault.carries_out:
                answer = self._routes.answer(recorded, stale=fault is not None and fault.stale)
            if fault is not None:
                answer = fault.applied_to(answer)
            self._arrival.notify_all()
        return await deliver(request, answer, fault, now=now, stopping=stopping)

    def _kv_store(self, store: str) -> KvStore:
        for found in self._kv.all():
            if store in {found.name, found.store_id}:
                return found
        raise KeyError(f"no KV store {store!r}")

    def _config_store(self, store: str) -> ConfigStore:
        for found in self._config.all():
            if store in {found.name, found.store_id}:
                return found
        raise KeyError(f"no Config Store {store!r}")


@contextlib.contextmanager
def _refusals_as_value_errors() -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        raise ValueError(refused.reason) from None
