"""An event log and deliveries for tests: what the native log does, in few lines of Python."""

from __future__ import annotations

import json
import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PIECE_BYTES = 64 * 1024


class ScriptedBatch:
    """Events as pieces of `event,event,...`."""

    def __init__(self, events: list[bytes]) -> None:
        self._count = len(events)
        self._pieces = self._cut(events)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    @staticmethod
    def _cut(events: list[bytes]) -> Iterator[bytes]:
        joined = b",".join(events)
        for at in range(0, len(joined), PIECE_BYTES):
            yield joined[at : at + PIECE_BYTES]


class ScriptedLog:
    """Holds events that are recorded with a name; drops the oldest when there are too many."""

    _events: deque[bytes]
    _recorded: int
    _overflowed: int
    _since_full: int
    _checks: int

    def __init__(self, *, batch_size: int = 10, capacity: int = 1_000_000) -> None:
        self._batch_size = batch_size
        self._capacity = capacity
        self._lock = threading.RLock()
        self._notify: Callable[[bool], object] | None = None
        self.clear()

    def on_waiting(self, notify: Callable[[bool], object] | None) -> None:
        self._notify = notify

    def record(self, *names: str) -> None:
        """Records one event for each name."""
        for name in names:
            with self._lock:
                self._events.append(json.dumps({"eventName": name, "time": 1}).encode())
                self._recorded += 1
                self._since_full += 1
                if len(self._events) > self._capacity:
                    self._events.popleft()
                    self._overflowed += 1
                first, full = len(self._events) == 1, self._since_full == self._batch_size
                if full:
                    self._since_full = 0
                notify = self._notify
            if notify is not None and (first or full):
                notify(full)

    def count_check(self) -> None:
        """Counts a check without exposure, which becomes an event when the log is emptied."""
        with self._lock:
            first = not len(self)
            self._recorded += not self._checks
            self._checks += 1
            notify = self._notify
        if notify is not None and first:
            notify(False)

    def take(self, limit: int) -> ScriptedBatch | None:
        with self._lock:
            taken = [self._events.popleft() for _ in range(min(limit, len(self._events)))]
            if not self._events and self._checks:
                taken.append(b'{"eventName":"statsig::non_exposed_checks","time":1}')
                self._checks = 0
            return ScriptedBatch(taken) if taken else None

    def clear(self) -> None:
        self._lock = threading.RLock()
        self._events = deque()
        self._recorded = self._overflowed = self._since_full = self._checks = 0

    def __len__(self) -> int:
        with self._lock:
            return len(self._events) + bool(self._checks)

    @property
    def counts(self) -> dict[str, int]:
        with self._lock:
            return {
                "recorded": self._recorded,
                "deduplicated": 0,
                "sampled_out": 0,
                "overflowed": self._overflowed,
            }
