"""ID lists beside the config specs: read where Statsig has them, written in the form of docs/id-lists.md.

In: an adapter that has ID lists, and a KV Store. Out: an item for each list and an index over them; and
`IdListReport`. Lists are written before the index that names them, and go an hour after none does.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from statsig_fastly.adapters.id_list_items import (
    IdListContent,
    IdListIndex,
    check_id_list_key,
    id_list_items,
    index_key,
)
from statsig_fastly.errors import AdapterError
from statsig_fastly.publish.store import ABSENT, Conflict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from statsig_fastly.adapters import IdListAdapter, IdListFile
    from statsig_fastly.publish.store import Item, Store

__all__ = ["IdListPublisher", "IdListReport"]

_SETTLED_S: Final = 3600.0
_ATTEMPTS: Final = 10


@dataclass(frozen=True, slots=True)
class IdListReport:
    """What became of ID lists.

    Attributes:
        outcome: `published`, or `unchanged` if all of them were there.
        lists: How many there are.
        written: How many of them were not there.
        size: Bytes of all of them.
    """

    outcome: Literal["published", "unchanged"]
    lists: int
    written: int
    size: int


@dataclass(frozen=True, slots=True)
class _Held:
    """A list as it was read last."""

    file_id: str
    created_ms: int
    lines: bytes


class IdListPublisher:
    """Publishes ID lists beside one key. What was read before is not read again, but for what is new.

    Args:
        source: Where the lists are.
        store: The KV Store.
        key: Key of the config specs.
        wait: What waits for so many seconds.
        clock: Seconds since the epoch.

    Raises:
        ValueError: The store cannot hold lists, or the key leaves no room for theirs.
    """

    def __init__(
        self,
        source: IdListAdapter,
        store: Store,
        key: str,
        *,
        wait: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if store.holds_text:
            raise ValueError("--id-lists: expected a KV Store to publish to; others do not hold ID lists")
        self._source = source
        self._store = store
        self._key = check_id_list_key(key)
        self._wait = wait
        self._clock = clock
        self._held: dict[str, _Held] = {}

    def publish(self) -> IdListReport:
        """Reads all lists, and writes those that are not there.

        Raises:
            AdapterError: A list could not be read or written, or is none. Those in the store stay in use.
        """
        for _ in range(_ATTEMPTS):
            # In this order: what replaces an index was read after that was written, so it is no older.
            there = self._store.read(index_key(self._key))
            held = self._read_all()
            lists = {
                name: IdListContent(each.lines, each.file_id, each.created_ms) for name, each in held.items()
            }
            size = sum(len(each.lines) for each in held.values())
            before = _index_in(there)
            now = int(self._clock() * 1000)
            time_ms = now if before is None else max(now, before.time_ms + 1)
            *items, (index, value) = self._items(lists, time_ms).items()
            if before is not None and set(before.files) == set(IdListIndex.parse(value).files):
                return IdListReport("unchanged", len(lists), 0, size)
            missing = [(key, item) for key, item in items if self._store.head(key) is None]
            for key, item in missing:
                self._store.write(key, item, None)
            try:
                replaces = ABSENT if there is None else there.version
                self._store.write(index, value, None, replaces=replaces)
            except Conflict:
                self._wait(0.25)
                continue
            named = {file.location for file in (before.files if before is not None else ())}
            self._tidy(named | {key for key, _ in items})
            return IdListReport("published", len(lists), len(missing), size)
        raise AdapterError(
            f"publishing ID lists to {self._store}: somebody else wrote them {_ATTEMPTS} times in a row",
            retryable=True,
        )

    def lines(self) -> dict[str, bytes]:
        """The lines of all lists where they come from, by name.

        Raises:
            AdapterError: A list could not be read.
        """
        return {name: held.lines for name, held in self._read_all().items()}

    def _read_all(self) -> dict[str, _Held]:
        held = {file.name: self._read(file) for file in self._source.fetch_id_lists()}
        self._held = held  # lists that are gone are forgotten
        return held

    def _items(self, lists: Mapping[str, IdListContent], time_ms: int) -> dict[str, bytes]:
        try:
            return id_list_items(self._key, lists, time_ms=time_ms)
        except ValueError as error:
            raise AdapterError(f"reading ID lists: {error}", retryable=True) from None

    def _read(self, file: IdListFile) -> _Held:
        """The lines of a list, of which those are known that were read before."""
        held = self._held.get(file.name)
        if held is None or (held.file_id, held.created_ms) != (file.file_id, file.created_ms):
            held = _Held(file.file_id, file.created_ms, b"")
        if len(held.lines) >= file.size:
            return held
        lines = held.lines + self._source.fetch_id_list(file, len(held.lines))
        # What is being added may end in half a line.
        return _Held(file.file_id, file.created_ms, lines[: lines.rfind(b"\n") + 1] or lines)

    def _tidy(self, named: set[str]) -> None:
        """Deletes lists that neither this index names nor the one before, nor one of the last hour."""
        prefix = f"id_list.{self._key}."
        for entry in self._store.entries(prefix):
            if entry.key in named or "." in entry.key.removeprefix(prefix):
                continue
            head = self._store.head(entry.key)
            if head is None or head.modified_at is None:
                continue
            if self._clock() - head.modified_at >= _SETTLED_S:
                with suppress(Conflict):  # written again at this moment
                    self._store.delete(entry.key, version=head.version)


def _index_in(item: Item | None) -> IdListIndex | None:
    if item is None:
        return None
    try:
        return IdListIndex.parse(item.value)
    except ValueError:
        return None  # it is none, and is replaced
