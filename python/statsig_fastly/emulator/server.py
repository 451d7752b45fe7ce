"""The emulator itself: an HTTP server in a background thread and the Python calls that control it.

In: requests on loopback, and method calls of the test or program that owns it. Out: answers as
api.fastly.com gives them, and a record of everything that was asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from statsig_fastly.emulator import config_api, events, kv_api
from statsig_fastly.emulator.config_store import ConfigStores
from statsig_fastly.emulator.delivery import deliver
from statsig_fastly.emulator.exchange import Answer, Refused, json_answer, record
from statsig_fastly.emulator.faults import FaultScript
from statsig_fastly.emulator.kv import KvRules, KvStores
from statsig_fastly.emulator.storage import StoreDirectory

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from os import PathLike
    from types import TracebackType

    from typing_extensions import Self

    from statsig_fastly.emulator.config_store import ConfigStore
    from statsig_fastly.emulator.events import LogEventRequest
    from statsig_fastly.emulator.exchange import RecordedRequest
    from statsig_fastly.emulator.faults import Fault
    from statsig_fastly.emulator.kv import KvStore, Version

__all__ = ["Emulator"]

_HEADER_BYTES = 65_536
_HANDLER_GRACE = 0.1
_CLOSE_GRACE = 0.5
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
        self._tokens, self._read_only_tokens = tuple(tokens), tuple(read_only_tokens)
        rules = KvRules(
            max_value_bytes=max_value_bytes,
            write_interval=write_interval,
            propagation=propagation,
            background_fetch_delay=background_fetch_delay,
            ttl_lag=ttl_lag,
        )
        self._kv_options = kv_api.KvAnswers(head_supported, honour_ims, not_found_body, batch_error_status)
        kept = None if directory is None else StoreDirectory(Path(directory))
        self._kv = KvStores(clock, rules, kept)
        self._config = ConfigStores(clock, kept)
        self._write_budget = config_api.WriteBudget(clock, hourly_writes)
        self._collector = events.EventCollector()
        self._script = FaultScript()
        self._requests: list[RecordedRequest] = []
        self._lock = threading.RLock()
        self._arrival = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    def __repr__(self) -> str:
        return f"Emulator({self._host!r}, {self._port}, {'running' if self._thread else 'stopped'})"

    # Life

    def start(self) -> Self:
        """Starts to listen; when it returns, requests are answered.

        Raises:
            OSError: The address cannot be used, e.g. the port is taken.
            RuntimeError: It is running already.
        """
        if self._thread is not None:
            raise RuntimeError("the emulator is running already")
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.create_server((self._host, self._port), family=family, backlog=512)
        self._port = listener.getsockname()[1]
        ready: Future[None] = Future()
        thread = threading.Thread(
            target=self._run, args=(listener, ready), name="statsig-fastly-emulator", daemon=True
        )
        thread.start()
        try:
            ready.result()
        except BaseException:
            thread.join()
            listener.close()
            raise
        self._thread = thread
        return self

    def stop(self) -> None:
        """Closes the listener and every connection, interrupts delays, and joins the thread.

        What the stores hold, the records and the faults stay. Calling it again does nothing.
        """
        thread, loop, stopping = self._thread, self._loop, self._stopping
        if thread is None or loop is None or stopping is None:
            return
        self._thread = None
        loop.call_soon_threadsafe(stopping.set)
        thread.join()

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

    def _run(self, listener: socket.socket, ready: Future[None]) -> None:
        try:
            asyncio.run(self._serve(listener, ready))
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    async def _serve(self, listener: socket.socket, ready: Future[None]) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        protocols = web.Server(
            self._handle,
            access_log=None,
            auto_decompress=False,
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
        )
        server = await self._loop.create_server(protocols, sock=listener, ssl=self._tls)
        ready.set_result(None)
        await self._stopping.wait()
        server.close()
        protocols.pre_shutdown()
        transports = [found.transport for found in protocols.connections]
        await protocols.shutdown(_HANDLER_GRACE)
        for transport in transports:
            if transport is not None:
                transport.abort()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(server.wait_closed(), _CLOSE_GRACE)
        # An aborted transport is done one turn of the loop later, one under TLS two.
        for _ in range(3):
            await asyncio.sleep(0)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
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
                tokens=self._tokens + self._read_only_tokens,
            )
            self._requests.append(recorded)
            fault = self._script.strike(recorded)
            answer = Answer(200)
            if fault is None or fault.carries_out:
                answer = self._answer(recorded, stale=fault is not None and fault.stale)
            if fault is not None:
                answer = fault.applied_to(answer)
            self._arrival.notify_all()
        stopping = self._stopping
        if stopping is None:
            raise RuntimeError("a request before the start")
        return await deliver(request, answer, fault, now=now, stopping=stopping)

    def _answer(self, request: RecordedRequest, *, stale: bool) -> Answer:
        if request.path == events.PATH:
            return self._collector.answer(request)
        if request.token_in_url:
            return json_answer(400, {"msg": "A token in the URL ends up in logs; send it as Fastly-Key"})
        token = request.headers.get("fastly-key")
        if token not in self._tokens:
            if token not in self._read_only_tokens:
                return json_answer(401, {"msg": "Provided credentials are missing or invalid"})
            if not request.reads_only:
                return json_answer(403, {"msg": "This token may only read"})
        try:
            start = request.segments[:3]
        except Refused as refused:
            return json_answer(refused.status, {"msg": refused.reason})
        if start == kv_api.PREFIX:
            return kv_api.kv_answer(self._kv, request, self._kv_options, stale=stale)
        if start == config_api.PREFIX:
            return config_api.config_answer(self._config, request, self._write_budget)
        return json_answer(404, {"msg": "No such resource"})

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
