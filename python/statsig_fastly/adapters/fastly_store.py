"""One KV or Config Store of an account: which id its name has, and whether it is still there.

In: an id or a name as the caller gave it. Out: the id, looked up once; or an `AdapterError` that names
the stores there are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from statsig_fastly.adapters.checks import check_text, listed
from statsig_fastly.adapters.look_up import LookUp
from statsig_fastly.errors import AdapterError

if TYPE_CHECKING:
    from statsig_fastly.adapters.fastly_api import FastlyApi

__all__ = ["CONFIG", "KV", "FastlyStore", "ItemMissing", "StoreKind", "check_store"]

_STORE_NAME = re.compile(r"[A-Za-z][^\x00-\x1f\x7f]{0,254}")


@dataclass(frozen=True, slots=True)
class StoreKind:
    """What differs between the stores of one kind and those of another.

    Attributes:
        words: What messages call one.
        path: Where they are in the API.
        everything: Query that lists all of them.
        field: Where in the answer that list is; None if it is the answer.
        letters: What ids are made of.
    """

    words: str
    path: str
    everything: str
    field: str | None
    letters: str

    def is_id(self, text: str) -> bool:
        """True if `text` has the form of an id. A name may have it too."""
        return re.fullmatch(rf"[{self.letters}]{{22}}", text) is not None


KV = StoreKind("KV store", "/resources/stores/kv", "?limit=1000", "data", "a-z0-9")
CONFIG = StoreKind("Config Store", "/resources/stores/config", "", None, "A-Za-z0-9")


class ItemMissing(Exception):  # noqa: N818 - an answer, about which an AdapterError then says more
    """There is no such item, or not even the store."""


def check_store(store: object, kind: StoreKind) -> str:
    """Returns `store` if it may be the id or the name of a store.

    Args:
        store: What the caller passed as `store`.
        kind: The kind of store it is for.

    Raises:
        TypeError: It is not a `str`.
        ValueError: It is neither.
    """
    text = check_text("store", store)
    if not kind.is_id(text) and not _STORE_NAME.fullmatch(text):
        raise ValueError(
            f"store: expected an id of 22 letters and digits ({kind.letters}), or a name of at most 255 "
            f"characters that starts with a letter and has no control characters, got {text[:300]!r}"
        )
    return text


class FastlyStore:
    """A store, found by its id or name. Safe to use from several threads.

    Args:
        api: The API to ask.
        kind: `KV` or `CONFIG`.
        store: Its id or name. An id that the API does not know is tried as a name.
    """

    __slots__ = ("_api", "_id", "kind", "store")

    def __init__(self, api: FastlyApi, kind: StoreKind, store: str) -> None:
        self._api = api
        self.kind = kind
        self.store = store
        self._id = LookUp(self._find, store if kind.is_id(store) else None)

    def id(self, stale: str | None = None) -> str:
        """Its id, looked up at most once.

        Args:
            stale: An id that turned out not to exist (any more).

        Raises:
            AdapterError: There is no such store, or the API did not answer.
        """
        return self._id.value(stale)

    def path(self, store_id: str) -> str:
        """Where it is in the API."""
        return f"{self.kind.path}/{quote(store_id, safe='')}"

    def is_gone(self, store_id: str, asked: str) -> bool:
        """True if there is no store with this id: the reason why something in it was not found.

        Args:
            store_id: The id.
            asked: What was not found, in words.

        Raises:
            AdapterError: The API did not say.
        """
        answer = self._api.ask("GET", self.path(store_id), asked)
        if answer.status not in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
            raise AdapterError(
                f"{asked}: HTTP 404: the key or the store does not exist (which one could not be found out: "
                f"asking for the store gave HTTP {answer.status})",
                status=404,
            )
        return answer.status == HTTPStatus.NOT_FOUND

    def __str__(self) -> str:
        return f"{self.kind.words} {self.store!r} at {self._api.host}"

    def _find(self) -> str:
        asked = f"looking up {self}"
        kind = self.kind
        for entry in self._api.rows(f"{kind.path}?name={quote(self.store, safe='')}", asked, kind.field):
            if isinstance(entry, dict) and entry.get("name") == self.store:
                found = entry.get("id")
                if isinstance(found, str) and found:
                    return found
        names = [
            self._api.one_line(entry["name"], 80)
            for entry in self._api.rows(f"{kind.path}{kind.everything}", asked, kind.field)
            if isinstance(entry, dict) and isinstance(entry.get("name"), str)
        ]
        there = f"this token sees {listed(names)}" if names else f"this token sees no {kind.words} at all"
        raise AdapterError(f"{asked}: no such store; {there}", status=404)
