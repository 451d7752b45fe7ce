"""A Fastly KV Store to publish to, over its REST API.

Writes name the `Generation` that was seen, and are refused with 412 if it is another one by then. Reads are
cached on their way and may be of an older version; a write that goes by such a read is refused as well.
"""

from __future__ import annotations

from contextlib import suppress
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from statsig_fastly.adapters.checks import key_problem
from statsig_fastly.adapters.fastly_api import LIST_BYTES, FastlyApi, decoded
from statsig_fastly.adapters.fastly_store import KV, FastlyStore, check_store
from statsig_fastly.errors import AdapterError
from statsig_fastly.publish.store import ABSENT, Conflict, Head, Item, Listed
from statsig_fastly.store_limits import KV_VALUE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from statsig_fastly.publish.retries import Patience
    from statsig_fastly.transport import Response

__all__ = ["KvStore"]

_PAGE: Final = 1_000
_HEAD_REFUSED: Final = {HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}
# What is read may have been written before the limit was lowered again.
_READ_BYTES: Final = 105_000_000


class KvStore:
    """The items of one KV Store.

    Args:
        api: The API.
        store: Id or name of the store.
        patience: What is done about failures that may pass.
        largest: Most that a value may have, in bytes; Fastly raises it on request.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: `store` is neither an id nor a name.
    """

    most_items: int | None = None
    holds_text = False
    is_conditional = True

    def __init__(
        self, api: FastlyApi, store: str, patience: Patience, *, largest: int = KV_VALUE_BYTES
    ) -> None:
        check_store(store, KV)
        self._api = api
        self._store = FastlyStore(api, KV, store)
        self._patience = patience
        self._head_works = True
        self.largest = largest

    def __str__(self) -> str:
        return str(self._store)

    def close(self) -> None:
        """Closes the connections."""
        self._api.close()

    def head(self, key: str) -> Head | None:
        """What there is under a key; None for nothing."""
        if not self._head_works:
            return self.read(key)
        answer = self._ask("HEAD", key, f"looking at key {key!r} of {self._store}")
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status in _HEAD_REFUSED or not answer.headers.get("generation"):
            self._head_works = False
            return self.read(key)
        return _head(answer)

    def read(self, key: str) -> Item | None:
        """An item; None if there is none."""
        asked = f"reading key {key!r} of {self._store}"
        answer = self._ask("GET", key, asked)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        head = _head(answer)
        return Item(head.version, head.metadata, head.modified_at, answer.body)

    def read_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The values of items by key, as far as they are there."""
        return {key: item.value for key in keys if (item := self.read(key)) is not None}

    def write(self, key: str, value: bytes, metadata: str | None, *, replaces: str | None = None) -> None:
        """Writes an item: see `Store.write`."""
        if problem := key_problem(key):
            raise AdapterError(f"writing to {self._store}: the key {problem}, got {key[:100]!r}")
        asked = f"writing key {key!r} of {self._store}"
        headers = {"Content-Type": "application/octet-stream"}
        if metadata is not None:
            headers["metadata"] = metadata
        query = ""
        if replaces == ABSENT:
            query = "?add=true"
        elif replaces is not None:
            headers["if-generation-match"] = replaces
        self._patience.await_turn(key)
        answer = self._ask("PUT", key, asked, headers=headers, body=value, query=query)
        if answer.status == HTTPStatus.PRECONDITION_FAILED:
            raise Conflict(f"{asked}: somebody else has written it meanwhile", status=answer.status)
        self._patience.note_write(key)

    def write_many(self, items: Mapping[str, bytes]) -> None:
        """Writes items one after the other."""
        for key, value in items.items():
            self.write(key, value, None)

    def delete(self, key: str, *, version: str | None = None) -> None:
        """Deletes an item: see `Store.delete`."""
        asked = f"deleting key {key!r} of {self._store}"
        headers = {} if version is None else {"if-generation-match": version}
        answer = self._ask("DELETE", key, asked, headers=headers, query="?force=true")
        if answer.status == HTTPStatus.PRECONDITION_FAILED:
            raise Conflict(f"{asked}: somebody else has written it meanwhile", status=answer.status)

    def delete_many(self, keys: Iterable[str]) -> None:
        """Deletes items one after the other."""
        for key in keys:
            self.delete(key)

    def entries(self, prefix: str) -> Iterator[Listed]:
        """The items whose keys start with `prefix`, page by page."""
        asked = f"listing keys of {self._store}"
        cursor = ""
        while True:
            query = f"?prefix={quote(prefix, safe='')}&limit={_PAGE}{cursor}"
            path = f"{self._store.path(self._store_id())}/keys{query}"
            answer = self._patience.ask(lambda path=path: self._checked("GET", path, asked))  # type: ignore[misc]
            if answer.status == HTTPStatus.NOT_FOUND:
                raise self._api.refusal(asked, answer)
            page = decoded(answer)
            keys = page.get("data") if isinstance(page, dict) else None
            if not isinstance(page, dict) or not isinstance(keys, list):
                raise self._api.unexpected(asked, 'JSON with a list "data"', answer)
            for key in keys:
                if isinstance(key, str):
                    yield Listed(key)
            meta = page.get("meta")
            after = meta.get("next_cursor") if isinstance(meta, dict) else None
            if not isinstance(after, str) or not after:
                return
            cursor = f"&cursor={quote(after, safe='')}"

    def _store_id(self) -> str:
        return self._patience.ask(self._store.id)

    def _ask(
        self,
        method: str,
        key: str,
        asked: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        query: str = "",
    ) -> Response:
        """Asks about an item; the answer is one that says something about it."""
        store_id = self._store_id()

        def ask() -> Response:
            path = f"{self._store.path(store_id)}/keys/{quote(key, safe='')}{query}"
            answer = self._checked(method, path, asked, headers=headers, body=body)
            # Without a generation, what is written later would not be on any condition.
            if method == "GET" and answer.status == HTTPStatus.OK and not answer.headers.get("generation"):
                said = "the answer has no Generation; most likely it is not the store's"
                raise AdapterError(f"{asked}: {said}", status=answer.status, retryable=True)
            return answer

        answer = self._patience.ask(ask)
        # Nothing is there, or is it the store that is not?
        if answer.status == HTTPStatus.NOT_FOUND and self._store.is_gone(store_id, asked):
            self._store.id(stale=store_id)
            raise AdapterError(f"{asked}: the store was not there under its id; ask again", retryable=True)
        if answer.status == HTTPStatus.NOT_FOUND and method == "PUT":
            raise self._api.refusal(asked, answer)
        return answer

    def _checked(
        self,
        method: str,
        path: str,
        asked: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Response:
        limit = _READ_BYTES if method == "GET" else LIST_BYTES
        answer = self._api.ask(method, path, asked, headers=headers, body=body, limit=limit)
        meant = {HTTPStatus.NOT_FOUND, HTTPStatus.PRECONDITION_FAILED}
        if method == "HEAD":
            meant |= _HEAD_REFUSED
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES and answer.status not in meant:
            raise self._api.refusal(asked, answer)
        return answer


def _head(answer: Response) -> Head:
    metadata = answer.headers.get("metadata") or None
    if metadata is not None:
        with suppress(UnicodeError):  # header bytes arrive as Latin-1
            metadata = metadata.encode("latin-1").decode()
    modified: float | None = None
    with suppress(ValueError, TypeError, OverflowError):
        modified = parsedate_to_datetime(answer.headers.get("last-modified", "")).timestamp()
    return Head(answer.headers.get("generation") or None, metadata, modified)
