"""How many requests a policy makes in an hour: counted, over HTTP, with a clock that is moved.

    python tests/sync_requests.py

prints the table of docs/sync.md.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from api_client import StandingClock
from small_project import TIME, payload
from statsig_fastly import FastlyDataAdapter, SyncPolicy
from statsig_fastly.emulator import Emulator, Fault
from sync_parts import Parts, parts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ROWS", "Row", "measured"]

HOUR = 3600
CHANGES = 6  # in the hour


@dataclass(frozen=True)
class Row:
    """What is measured.

    Attributes:
        title: Its name in the table.
        policy: When workers look.
        workers: How many there are.
        shared: True if they share a poller.
        outage: True if the store is down all the time.
    """

    title: str
    policy: SyncPolicy
    workers: int = 1
    shared: bool = False
    outage: bool = False


ROWS = [
    Row("`background()`: every 10 s", SyncPolicy.background()),
    Row("`background(60)`", SyncPolicy.background(60)),
    Row("`on_request()`, with traffic all the time", SyncPolicy.on_request()),
    Row("`background()`, 30 workers", SyncPolicy.background(), workers=30),
    Row("`background()`, 30 workers, `shared_polling`", SyncPolicy.background(), workers=30, shared=True),
    Row("`background()`, the store is down", SyncPolicy.background(), outage=True),
    Row(
        "`background()`, 30 workers, `shared_polling`, the store is down",
        SyncPolicy.background(),
        workers=30,
        shared=True,
        outage=True,
    ),
]


def measured(row: Row) -> Counter[str]:
    """Requests for the item in an hour after the start, by method."""
    chance = random.Random(2026)
    wall = StandingClock()
    with Emulator() as emulator, tempfile.TemporaryDirectory() as directory:
        store = emulator.create_kv_store("specs")
        emulator.put("specs", "statsig-1", payload())
        adapter = FastlyDataAdapter(store, "statsig-1", token=emulator.token, api=emulator.url)
        workers = [
            parts_of(
                adapter,
                row.policy,
                directory=Path(directory),
                shared=row.shared,
                chance=chance.random,
                wall=wall,
            )
            for _ in range(row.workers)
        ]
        looks = [_looks(parts) for parts in workers]
        due = [next(look) for look in looks]
        emulator.take_requests()
        if row.outage:
            emulator.fault(Fault(status=503, times=None))
        start, changed = wall.now, 0
        while (now := min(due)) < HOUR:
            at = due.index(now)
            wall.now = start + now
            workers[at].clock.now = 1000 + now
            if now >= (changed + 1) * HOUR / (CHANGES + 1) and changed < CHANGES:
                changed += 1
                emulator.put("specs", "statsig-1", payload(TIME + changed, changed))
            due[at] = now + next(looks[at])
        counted = Counter(request.method for request in emulator.requests if "/keys/" in request.path)
        emulator.clear_faults()
    return counted


def _looks(parts: Parts) -> Iterator[float]:
    """Looks, and gives the seconds until the next one."""
    if parts.schedule._kind == "background":
        parts.schedule._thread.signal = lambda: True  # type: ignore[method-assign]
        parts.schedule.start(parts.looker.look_if_due())
        while True:
            yield parts.schedule.step() or 0.0
    details = parts.looker.look()
    while True:
        yield parts.schedule._pause_after(details)
        details = parts.looker.look_if_due()


def _main() -> None:
    print("| | HEAD | GET | reads a month (class B) |\n|---|---|---|---|")
    for row in ROWS:
        counted = measured(row)
        month = counted.total() * 730
        print(f"| {row.title} | {counted['HEAD']:,} | {counted['GET']:,} | {month:,} |")


if __name__ == "__main__":
    _main()
