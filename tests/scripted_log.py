"""An event log and deliveries for tests: what the native log does, in few lines of Python."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from statsig_fastly.events import DeliverySettings, EventDelivery, EventStats
from statsig_fastly.events.requests import event_metadata
from statsig_fastly.transport import HttpTransport, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from api_client import StandingClock
    from statsig_fastly.emulator import Emulator

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


SDK_KEY = "secret-1a2b3c4d5e6f"
PATH = "/v1/log_event"


def delivery_to(
    url: str,
    log: ScriptedLog,
    *,
    clock: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
    random: Callable[[], float] | None = None,
    transport: Transport | None = None,
    spool_dir: Path | None = None,
    **settings: Any,  # noqa: ANN401 - fields of DeliverySettings
) -> EventDelivery:
    """A delivery of batches of ten from `log` to a collector; the log does not notify it yet."""
    return EventDelivery(
        log,
        DeliverySettings(
            url=url + PATH,
            sdk_key=SDK_KEY,
            spool_dir=spool_dir,
            **{"batch_size": 10, "metadata": event_metadata("a-session"), **settings},
        ),
        HttpTransport() if transport is None else transport,
        clock=clock,
        wall=wall,
        random=random,
    )


def names(start: int, end: int) -> list[str]:
    """Names of so many different events."""
    return [f"event-{number}" for number in range(start, end)]


def arrived(emulator: Emulator) -> list[str]:
    """Names of the events the collector took, in the order it took them."""
    return [event["eventName"] for request in emulator.log_event_requests for event in request.events]


def drive(delivery: EventDelivery, clock: StandingClock) -> None:
    """Lets the time pass until nothing waits."""
    for _ in range(10_000):
        wait = delivery.step()
        if wait is None:
            return
        clock.now += wait
    raise AssertionError("it never ends")


def balanced(delivery: EventDelivery) -> EventStats:
    """The statistics, after checking that they account for every event."""
    stats = delivery.stats()
    assert stats.recorded == stats.sent + stats.taken_by_others + stats.pending + stats.dropped, stats
    return stats
