"""Config specs out of a Fastly KV Store, read over Fastly's REST API.

In: a store, a key and a token. Out: a `Payload` with the value, its `Generation` and its `Metadata`; or
None where the store still has the generation the caller holds; or an `AdapterError`.

A value is checked for what can be seen at a glance: that it is all there, not too large, and starts like
a JSON object. JSON that breaks off later is the ruleset's to find, and is a `PayloadError`.
"""

from __future__ import annotations

import json
import os
import re
import threading
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import quote

from statsig_fastly.adapters import Payload
from statsig_fastly.adapters.checks import (
    check_count,
    check_seconds,
    check_text,
    key_problem,
    listed,
    value_problem,
)
from statsig_fastly.adapters.fastly_answers import no_answer, one_line, refusal
from statsig_fastly.api_token import ApiAddress, ApiToken
from statsig_fastly.errors import AdapterError
from statsig_fastly.transport import Request, TransportError, as_transport

if TYPE_CHECKING:
    import urllib3

    from statsig_fastly.transport import Response, Transport

__all__ = ["FastlyDataAdapter"]

_STORES = "/resources/stores/kv"
_STORE_ID = re.compile(r"[a-z0-9]{22}")
_STORE_NAME = re.compile(r"[A-Za-z][^\x00-\x1f\x7f]{0,254}")
_LIST_BYTES = 4 * 1024 * 1024


class FastlyDataAdapter:
    """Reads config specs from one key of a Fastly KV Store. Safe to use from several threads.

    With a version in hand it asks by HEAD and downloads only what changed, because a value has
    hundreds of kilobytes and rarely changes. HEAD on a KV item is what Fastly's own publisher uses
    but not in the API reference, so where it is refused or names no `Generation`, GET is used from
    then on. Reads are eventually consistent: an older value can come after a newer one.

    Args:
        store: Id (22 lower-case letters and digits) or name of the KV Store. A name is looked up
            once. An id that the API does not know is tried as a name.
        config_spec_key: Key of the config specs. Statsig's Fastly integration writes
            `statsig-<project id>`.
        token: Fastly API token with the scope `global:read`. None reads the environment variable
            FASTLY_API_TOKEN, now. It is sent as `Fastly-Key` to the host of `api` and nowhere else.
        api: Base URL of the API: https, or http on this machine.
        connect_timeout: Seconds to open a connection, for each address of the host.
        read_timeout: Seconds the server may send nothing.
        total_timeout: Seconds for one whole answer.
        max_value_bytes: Largest value accepted, in bytes. 25 MB is Fastly's own limit unless raised.
        transport: What does the HTTP: None for a pool of its own, a `urllib3.PoolManager` for a
            proxy or an own certificate authority, or an object like
            `statsig_fastly.transport.Transport`. What is passed in stays open on `close`.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has a value that cannot work; there is no token.
    """

    __slots__ = (
        "_address",
        "_attempts",
        "_failure",
        "_head_works",
        "_key",
        "_limit",
        "_lock",
        "_owns_transport",
        "_process",
        "_store",
        "_store_id",
        "_timeouts",
        "_token",
        "_transport",
    )

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
        transport: Transport | urllib3.PoolManager | None = None,
    ) -> None:
        self._store = check_text("store", store)
        if not _STORE_ID.fullmatch(store) and not _STORE_NAME.fullmatch(store):
            raise ValueError(
                "store: expected an id of 22 lower-case letters and digits, or a name of at most 255 "
                f"characters that starts with a letter and has no control characters, got {store[:300]!r}"
            )
        self._key = check_text("config_spec_key", config_spec_key)
        if problem := key_problem(config_spec_key):
            raise ValueError(f"config_spec_key: {problem}, got {config_spec_key[:100]!r}")
        self._address = ApiAddress.of_argument(api)
        self._timeouts = (
            check_seconds("connect_timeout", connect_timeout),
            check_seconds("read_timeout", read_timeout),
            check_seconds("total_timeout", total_timeout),
        )
        self._limit = check_count("max_value_bytes", max_value_bytes)
        self._owns_transport = transport is None
        self._transport = as_transport(transport)
        self._token = ApiToken.of_argument(token)

        self._head_works = True
        self._store_id = store if _STORE_ID.fullmatch(store) else None
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._attempts = 0
        self._failure: AdapterError | None = None

    @property
    def name(self) -> str:
        """`FastlyKV`, as in the evaluation reason `Adapter(FastlyKV):Recognized`."""
        return "FastlyKV"

    @property
    def store(self) -> str:
        """The store as given: an id or a name."""
        return self._store

    @property
    def config_spec_key(self) -> str:
        """The key that is read."""
        return self._key

    def fetch(self, held_version: str | None = None) -> Payload | None:
        """Reads the value, if it is not the one the caller has.

        Args:
            held_version: `Payload.version` of what the caller has, or None to download in any case.

        Returns:
            The value with its `Generation` and `Metadata`, or None if the generation is still
            `held_version`.

        Raises:
            AdapterError: No usable value came. `status` is 404 where the store or the key does not
                exist; `retryable` is True where asking later may help.
        """
        if held_version is not None and not isinstance(held_version, str):
            raise TypeError(f"held_version: expected str or None, got {type(held_version).__name__}")
        if held_version is not None and self._head_works:
            head = self._read("HEAD")
            generation = head.headers.get("generation") if head.status == HTTPStatus.OK else None
            if generation == held_version:
                return None
            if head.status in {405, 501} or (head.status == HTTPStatus.OK and not generation):
                self._head_works = False
            elif head.status != HTTPStatus.OK:
                raise refusal(self._asked(), head, self._token)
        answer = self._read("GET")
        if answer.status != HTTPStatus.OK:
            raise refusal(self._asked(), answer, self._token)
        payload = self._payload(answer)
        # The cache in front of the API may have given HEAD a newer answer than GET.
        return None if held_version is not None and payload.version == held_version else payload

    def close(self) -> None:
        """Closes the connections, unless the transport was passed in. A later `fetch` opens new ones."""
        if self._owns_transport:
            self._transport.close()

    def __repr__(self) -> str:
        return (
            f"FastlyDataAdapter(store={self._store!r}, config_spec_key={self._key!r}, "
            f"api={self._address.base!r})"
        )

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a FastlyDataAdapter holds a token and cannot be pickled or copied; make a new one")

    def _payload(self, answer: Response) -> Payload:
        body, headers = answer.body, answer.headers
        encoding = headers.get("content-encoding", "identity")
        problem: tuple[str, bool] | None
        if encoding.strip().lower() not in {"", "identity"}:
            problem = f"the value came with Content-Encoding {encoding!r}, which was not asked for", False
        elif "content-length" not in headers and headers.get("stored-content-length", "") not in {
            "",
            str(len(body)),
        }:
            stored = headers["stored-content-length"]
            problem = f"the value is not whole: {len(body)} of {stored} bytes came", True
        else:
            problem = value_problem(body, self._token.scrub)
        if problem is not None:
            text = one_line(problem[0], self._token)
            raise AdapterError(f"{self._asked()}: {text}", status=200, retryable=problem[1])
        metadata = headers.get("metadata") or None
        if metadata is not None:
            with suppress(
                UnicodeError
            ):  # header bytes arrive as Latin-1; Fastly keeps the UTF-8 it was given
                metadata = metadata.encode("latin-1").decode()
        return Payload(body, headers.get("generation") or None, metadata)

    def _read(self, method: str) -> Response:
        """Asks for the item, and finds out which of store and key is missing if it is not there."""
        store_id = self._resolve()
        answer = self._ask(method, self._item(store_id), self._asked())
        if answer.status == HTTPStatus.NOT_FOUND:
            store_id = self._other_store(store_id)
            answer = self._ask(method, self._item(store_id), self._asked())
            if answer.status == HTTPStatus.NOT_FOUND:
                raise self._key_missing(store_id)
        return answer

    def _resolve(self, stale: str | None = None) -> str:
        """The id of the store, looked up at most once however many threads ask.

        Args:
            stale: An id that turned out not to exist (any more).
        """
        if self._store_id is not None and self._store_id != stale:
            return self._store_id
        if self._process != os.getpid():  # forked, perhaps while another thread held the lock
            self._lock, self._process = threading.Lock(), os.getpid()
        attempts = self._attempts
        with self._lock:
            if self._store_id is not None and self._store_id != stale:
                return self._store_id
            if self._attempts != attempts and self._failure is not None:
                # Another thread failed while this one waited: its answer will do, or twenty threads
                # would wait for twenty timeouts, one after the other.
                failure = self._failure
                raise AdapterError(str(failure), status=failure.status, retryable=failure.retryable)
            self._attempts += 1
            try:
                self._store_id = self._look_up()
            except AdapterError as failure:
                self._failure = AdapterError(str(failure), status=failure.status, retryable=failure.retryable)
                raise
            self._failure = None
            return self._store_id

    def _look_up(self) -> str:
        asked = f"looking up KV store {self._store!r} at {self._address.host}"
        for entry in self._list(f"{_STORES}?name={quote(self._store, safe='')}", asked):
            if isinstance(entry, dict) and entry.get("name") == self._store:
                found = entry.get("id")
                if isinstance(found, str) and found:
                    return found
        names = [
            one_line(entry["name"], self._token, 80)
            for entry in self._list(f"{_STORES}?limit=1000", asked)
            if isinstance(entry, dict) and isinstance(entry.get("name"), str)
        ]
        there = f"this token sees {listed(names)}" if names else "this token sees no KV store at all"
        raise AdapterError(f"{asked}: no such store; {there}", status=404)

    def _other_store(self, store_id: str) -> str:
        """After a 404 for the item: the id of a store that may have it, if the one asked is gone.

        Raises:
            AdapterError: The store exists, so it is the key that is missing; or no store fits.
        """
        store = self._ask("GET", f"{_STORES}/{quote(store_id, safe='')}", self._asked())
        if store.status == HTTPStatus.OK:
            raise self._key_missing(store_id)
        if store.status != HTTPStatus.NOT_FOUND:
            raise AdapterError(
                f"{self._asked()}: HTTP 404: the key or the store does not exist (which one could not be "
                f"found out: asking for the store gave HTTP {store.status})",
                status=404,
            )
        return self._resolve(stale=store_id)

    def _key_missing(self, store_id: str) -> AdapterError:
        path = f"{_STORES}/{quote(store_id, safe='')}/keys?prefix=statsig-&limit=100"
        try:
            keys = [key for key in self._list(path, self._asked()) if isinstance(key, str)]
        except AdapterError as problem:
            status = f"HTTP {problem.status}" if problem.status else "no answer"
            there = f"its keys could not be listed: {status}"
        else:
            there = (
                "it has no keys that start with 'statsig-'; has Statsig's Fastly integration written to it?"
            )
            if keys:
                there = (
                    f"its keys that start with 'statsig-': {listed([one_line(k, self._token) for k in keys])}"
                )
        return AdapterError(f"{self._asked()}: HTTP 404: the store has no such key; {there}", status=404)

    def _list(self, path: str, asked: str) -> list[object]:
        answer = self._ask("GET", path, asked, limit=_LIST_BYTES)
        if answer.status != HTTPStatus.OK:
            raise refusal(asked, answer, self._token)
        try:
            data = json.loads(answer.body)["data"]
        except (ValueError, TypeError, KeyError, RecursionError):
            data = None
        if not isinstance(data, list):
            raise AdapterError(
                f'{asked}: expected JSON with a list "data", got something else; check api=', status=200
            )
        return data

    def _ask(self, method: str, path: str, asked: str, *, limit: int | None = None) -> Response:
        connect, read, total = self._timeouts
        failure: TransportError | OSError
        try:
            return self._transport.send(
                Request(
                    method=method,
                    url=self._address.base + path,
                    headers={"Fastly-Key": self._token.reveal()},
                    connect_timeout=connect,
                    read_timeout=read,
                    total_timeout=total,
                    max_body_bytes=self._limit if limit is None else limit,
                )
            )
        except (TransportError, OSError) as error:
            failure = error
        # Outside the handler, so that the cause, which adds nothing, is not dragged along.
        raise no_answer(asked, failure, self._token)

    def _item(self, store_id: str) -> str:
        return f"{_STORES}/{quote(store_id, safe='')}/keys/{quote(self._key, safe='')}"

    def _asked(self) -> str:
        return f"reading key {self._key!r} of KV store {self._store!r} at {self._address.host}"
