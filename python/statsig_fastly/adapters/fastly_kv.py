"""Items of a Fastly KV Store over its REST API.

In: the id of a store and a key. Out: a `Payload` with the stored bytes, their `Generation` and their
`Metadata`; or None where the store still has the generation the caller holds; or an `AdapterError`.

HEAD on a KV item is what Fastly's own publisher uses but not in the API reference, so where it is refused
or names no `Generation`, GET is used from then on.
"""

from __future__ import annotations

import re
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from statsig_fastly.adapters import Payload
from statsig_fastly.adapters.fastly_store import KV, ItemMissing
from statsig_fastly.errors import AdapterError
from statsig_fastly.store_limits import KV_REMEDIES, kv_advice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from statsig_fastly.adapters.fastly_api import FastlyApi
    from statsig_fastly.adapters.fastly_store import FastlyStore
    from statsig_fastly.chunks import Manifest
    from statsig_fastly.transport import Response

__all__ = ["KvItems"]

_HEAD_REFUSED = {HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}
_DIGEST = re.compile(r"(?:^|;)\s*sha256=([0-9a-fA-F]{64})\s*(?:;|$)")


class KvItems:
    """The items of one KV Store. Safe to use from several threads.

    Args:
        api: The API to ask.
        store: The store.
        limit: Largest value accepted, in bytes.
    """

    kind = KV
    adapter_name = "FastlyKV"

    __slots__ = ("_api", "_head_works", "_limit", "_store")

    def __init__(self, api: FastlyApi, store: FastlyStore, limit: int) -> None:
        self._api = api
        self._store = store
        self._limit = limit
        self._head_works = True

    def read(self, store_id: str, key: str, held_version: str | None, asked: str) -> Payload | None:
        """Reads an item, if it is not the one the caller has.

        Args:
            store_id: Id of the store.
            key: Key of the item.
            held_version: The generation the caller has, or None to read in any case.
            asked: What is asked, in words, for messages.

        Raises:
            ItemMissing: There is no such item, or no such store.
            AdapterError: No whole value came.
        """
        path = self._path(store_id, key)
        if held_version is not None and self._head_works and self._is_held(path, held_version, asked):
            return None
        answer = self._get(path, asked)
        if answer is None:
            raise ItemMissing
        metadata = _metadata(answer)
        if (digest := _DIGEST.search(metadata or "")) and not _matches(answer.body, digest[1]):
            raise AdapterError(
                f"{asked}: the value is not the one whose sha256 is in its metadata; ask again later, and if "
                "it stays publish the config specs anew",
                status=200,
                retryable=True,
            )
        return Payload(answer.body, answer.headers.get("generation") or None, metadata)

    def keys(self, store_id: str, prefix: str, asked: str) -> list[str]:
        """The first 100 keys that start with `prefix`.

        Raises:
            AdapterError: They could not be listed.
        """
        path = f"{self._store.path(store_id)}/keys?prefix={quote(prefix, safe='')}&limit=100"
        return [key for key in self._api.rows(path, asked, "data") if isinstance(key, str)]

    def chunks(self, store_id: str, keys: Mapping[str, str], asked: str) -> Iterator[tuple[str, bytes]]:
        """Reads chunks one after the other, until one is missing.

        Args:
            store_id: Id of the store.
            keys: Keys of the chunks by their ids.
            asked: What is asked, in words, for messages.

        Raises:
            AdapterError: One could not be read.
        """
        for chunk, key in keys.items():
            answer = self._get(self._path(store_id, key), asked)
            if answer is None:
                return
            yield chunk, answer.body

    def size_advice(self, value: bytes, manifest: Manifest | None) -> str | None:
        """What to do before the value becomes too large, if it is near that."""
        return None if manifest is not None else kv_advice(len(value), self._limit)

    def _is_held(self, path: str, held_version: str, asked: str) -> bool:
        """Asks by HEAD for the generation. Where that does not work, it is not tried again."""
        head = self._api.ask("HEAD", path, asked)
        if head.status == HTTPStatus.NOT_FOUND:
            raise ItemMissing
        generation = head.headers.get("generation")
        if head.status in _HEAD_REFUSED or (head.status == HTTPStatus.OK and not generation):
            self._head_works = False
            return False
        if head.status != HTTPStatus.OK:
            raise self._api.refusal(asked, head)
        return generation == held_version

    def _get(self, path: str, asked: str) -> Response | None:
        """A whole value; None if there is none."""
        too_large = f"{KV_REMEDIES}, or raise max_value_bytes"
        answer = self._api.ask("GET", path, asked, limit=self._limit, too_large=too_large)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise self._api.refusal(asked, answer)
        stored = answer.headers.get("stored-content-length", "")
        if "content-length" not in answer.headers and stored not in {"", str(len(answer.body))}:
            shown = self._api.one_line(stored, 40)
            raise AdapterError(
                f"{asked}: the value is not whole: {len(answer.body)} of {shown} bytes came",
                status=200,
                retryable=True,
            )
        return answer

    def _path(self, store_id: str, key: str) -> str:
        return f"{self._store.path(store_id)}/keys/{quote(key, safe='')}"


def _metadata(answer: Response) -> str | None:
    metadata = answer.headers.get("metadata") or None
    if metadata is not None:
        with suppress(UnicodeError):  # header bytes arrive as Latin-1; Fastly keeps the UTF-8 it was given
            return metadata.encode("latin-1").decode()
    return metadata


def _matches(value: bytes, digest: str) -> bool:
    from hashlib import sha256

    return sha256(value).hexdigest() == digest.lower()
