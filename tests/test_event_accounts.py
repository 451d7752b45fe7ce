"""The counts account for every event at every moment, whatever is going on."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from interruptions import before_each_bytecode
from named_events import UNEXPOSED, NamedEvents, adds_up, arrived, balanced, delivery_to, names
from statsig_fastly import lifecycle
from statsig_fastly._native import Evaluator, EventLog
from statsig_fastly.emulator import Fault
from statsig_fastly.events import backlog, flushes, spool_accounts
from statsig_fastly.events import delivery as delivery_module
from statsig_fastly.events import spool as spool_module
from statsig_fastly.locked_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typing_extensions import Self

    from statsig_fastly.emulator import Emulator
    from statsig_fastly.events import EventDelivery, EventStats

PATIENCE = 30.0
FAULTS = (
    Fault(status=500, probability=0.2, times=None, seed=1),
    Fault(status=413, probability=0.1, times=None, seed=2),
    Fault(status=400, probability=0.05, times=None, seed=3),
    Fault(reset="before", probability=0.05, times=None, seed=4),
)


class Watch:
    """Looks at the counts of deliveries all the time, in a thread of its own. A context manager.

    Attributes:
        looks: How often it did.
        wrong: Counts that did not add up.
    """

    def __init__(self, *deliveries: EventDelivery) -> None:
        self._deliveries = deliveries
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.looks = 0
        self.wrong: list[EventStats] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.is_set():
            for delivery in self._deliveries:
                stats = delivery.stats()
                if not adds_up(stats):
                    self.wrong.append(stats)
            self.looks += 1


@pytest.mark.usefixtures("eager_threads")
@pytest.mark.parametrize("spooled", [False, True])
@pytest.mark.parametrize("capacity", [100_000, 40])
def test_the_counts_add_up_at_every_moment(
    emulator: Emulator, tmp_path: Path, spooled: bool, capacity: int
) -> None:
    for fault in FAULTS:
        emulator.fault(fault)
    logs = [NamedEvents(capacity=capacity) for _ in range(2)]
    deliveries = [
        delivery_to(
            emulator.url,
            log,
            max_pending_batches=5,
            spool_dir=tmp_path if spooled else None,
            spool_max_bytes=20_000,
        )
        for log in logs
    ]
    for log, delivery in zip(logs, deliveries, strict=True):
        log.on_waiting(delivery.notify)

    def record(log: NamedEvents, first: int) -> None:
        for number in range(first, first + 500):
            log.record(f"event-{number}")
            if number % 7 == 0:
                log.count_check()

    recorders = [threading.Thread(target=record, args=(log, first)) for log in logs for first in (0, 10_000)]
    with Watch(*deliveries) as watch:
        for recorder in recorders:
            recorder.start()
        while any(recorder.is_alive() for recorder in recorders):
            for delivery in deliveries:
                delivery.flush(0.1)
        for recorder in recorders:
            recorder.join()
        for delivery in deliveries:
            delivery.shutdown(0.2)
    assert watch.wrong[:1] == []
    assert watch.looks > 10
    for delivery in deliveries:
        assert balanced(delivery).recorded >= 1000


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads take turns every 10 µs."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def test_a_batch_counts_once_while_it_is_being_spooled(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, spool_dir=tmp_path)
    written, go_on = threading.Event(), threading.Event()

    def slowly(path: Path, body: bytes) -> None:
        write_whole(path, body)
        written.set()
        assert go_on.wait(PATIENCE)

    monkeypatch.setattr(spool_module, "write_whole", slowly)
    emulator.fault(Fault(status=500))
    log.record(*names(0, 5))
    flush = threading.Thread(target=delivery.flush, args=(PATIENCE,))
    flush.start()
    assert written.wait(PATIENCE)
    stats = balanced(delivery)
    assert (stats.pending, stats.spooled) == (5, 0)
    go_on.set()
    flush.join(PATIENCE)
    stats = balanced(delivery)
    assert (stats.pending, stats.spooled) == (5, 5)
    assert delivery.flush(PATIENCE).sent == 5
    delivery.shutdown(10)


MODULES = (backlog, delivery_module, flushes, spool_module, spool_accounts)


@pytest.mark.parametrize("spooled", [False, True])
@pytest.mark.parametrize("status", [200, 400, 413, 500])
def test_the_counts_add_up_before_each_bytecode(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, spooled: bool
) -> None:
    log = NamedEvents(capacity=30)
    delivery = delivery_to(emulator.url, log, spool_dir=tmp_path if spooled else None, max_pending_batches=3)
    looks = 0

    locks = [delivery._backlog.lock] + ([delivery._spool.accounts.lock] if delivery._spool else [])

    def look() -> None:
        nonlocal looks
        taken = [lock for lock in locks if lock.acquire(blocking=False)]
        try:
            if taken == locks:  # else it would have to wait for this call
                balanced(delivery)
                looks += 1
        finally:
            for lock in taken:
                lock.release()

    def deliver() -> None:
        for first in (0, 20, 40):
            log.record(*names(first, first + 20))
            delivery.step()
        delivery.shutdown(0)

    emulator.fault(Fault(status=500, times=2))
    if status != 200:
        emulator.fault(Fault(status=status, skip=2, times=3))
    monkeypatch.setattr(delivery._backoff, "failed", lambda _: None)  # the time does not pass here
    with ThreadPoolExecutor(1) as another:
        before_each_bytecode(deliver, lambda: another.submit(look).result(PATIENCE), MODULES)
    assert looks > 1000
    assert balanced(delivery).pending == (0 if not spooled else delivery.stats().spooled)


def test_the_counts_add_up_whenever_an_event_comes(emulator: Emulator) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log)
    before_each_bytecode(lambda: balanced(delivery), lambda: log.record("event"), [backlog])
    assert balanced(delivery).recorded > 50


def test_a_file_that_others_sent_and_could_not_remove_is_theirs(emulator: Emulator, tmp_path: Path) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, spool_dir=tmp_path)
    emulator.fault(Fault(status=500))
    log.record(*names(0, 5))
    assert delivery.flush(PATIENCE).pending == 5
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"")
    delivery.flush(PATIENCE)
    stats = balanced(delivery)
    assert (stats.taken_by_others, stats.pending) == (5, 0)
    delivery.shutdown(10)


def test_an_event_that_comes_as_its_client_goes_is_delivered(emulator: Emulator) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log)
    log.on_waiting(delivery.notify)
    # As if the thread had no turn until everybody else has let go.
    delivery._thread.signal = lambda: True  # type: ignore[method-assign]
    log.record("last")
    client = weakref.ref(delivery)
    del log, delivery
    gc.collect()
    kept = client()
    assert kept is not None
    del kept._thread.signal
    assert kept.flush(PATIENCE).sent == 1
    assert arrived(emulator) == ["last"]
    assert kept not in lifecycle._held
    kept.shutdown(10)


def test_checks_of_more_names_than_are_counted_are_counted_themselves() -> None:
    log = EventLog(batch_size=10, capacity=10, dedupe_ms=1, dedupe_keys=1)
    evaluator = Evaluator(events=log)
    for number in range(10_005):
        evaluator.check_gate("u", f"gate {number}", UNEXPOSED)
    evaluator.check_gate("u", "gate 7", UNEXPOSED)
    evaluator.check_gate("u", "gate 10004", UNEXPOSED)
    assert log.counts["uncounted_checks"] == 6
    assert log.take(10) is not None
    evaluator.check_gate("u", "gate 10004", UNEXPOSED)
    assert (log.counts["uncounted_checks"], len(log)) == (6, 1)
    delivery = delivery_to("http://127.0.0.1:9", NamedEvents())
    delivery._backlog._log = log
    assert delivery.stats().uncounted_checks == 6
