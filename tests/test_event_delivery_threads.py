"""The background thread: when it runs, what may interrupt what, and that no event is counted twice."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import weakref
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from named_events import NamedEvents, arrived, balanced, delivery_to, names
from statsig_fastly.emulator import Fault
from statsig_fastly.events import FlushResult
from statsig_fastly.transport import HttpTransport, Response

if TYPE_CHECKING:
    from statsig_fastly.emulator import Emulator
    from statsig_fastly.events import EventDelivery
    from statsig_fastly.transport import Request

NAME = "statsig-fastly-events"


_others: set[threading.Thread] = set()


def event_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME and thread not in _others]


@pytest.fixture(autouse=True)
def _alone() -> None:
    """Leaves the threads of clients that other tests did not shut down out of account."""
    _others.clear()
    _others.update(event_threads())


def test_the_first_event_starts_one_thread_and_the_shutdown_ends_it(emulator: Emulator) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log)
    log.on_waiting(delivery.notify)
    assert event_threads() == []
    log.record("one")
    (thread,) = event_threads()
    assert thread.daemon
    log.record(*names(0, 30))
    emulator.wait_for_log_events(3, timeout=30)  # without anybody asking
    assert event_threads() == [thread]
    delivery.shutdown(10)
    thread.join(30)
    assert not thread.is_alive()
    assert balanced(delivery).sent == 31
    log.record("late")
    assert event_threads() == []
    assert delivery.flush(10) == FlushResult(1, 0, 0)
    _wait_for_no_thread()


def _wait_for_no_thread() -> None:
    for thread in event_threads():
        thread.join(30)
    assert event_threads() == []


def test_a_client_that_is_dropped_is_collected_and_its_thread_ends(emulator: Emulator) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log)
    log.on_waiting(delivery.notify)
    log.record(*names(0, 10))
    assert delivery.flush(10).pending == 0
    (thread,) = event_threads()
    gone = weakref.ref(delivery)
    log.on_waiting(None)
    del delivery
    gc.collect()
    thread.join(30)
    assert not thread.is_alive()
    gc.collect()
    assert gone() is None


def test_a_client_that_is_dropped_with_events_delivers_them_first(emulator: Emulator) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, flush_interval_ms=50)
    log.on_waiting(delivery.notify)
    emulator.fault(Fault(status=500, times=1))
    log.record("one")
    del delivery, log
    gc.collect()
    emulator.wait_for_log_events(1, timeout=30)
    (thread,) = event_threads()
    for _ in range(600):  # the thread lets go of it some time after the answer
        gc.collect()
        thread.join(0.05)
        if not thread.is_alive():
            return
    raise AssertionError("it is still there")


def test_without_threads_a_flush_is_done_by_whoever_asks(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread at interpreter shutdown")

    log = NamedEvents()
    delivery = delivery_to(emulator.url, log)
    log.on_waiting(delivery.notify)
    monkeypatch.setattr(threading.Thread, "start", start)
    log.record(*names(0, 25))
    assert delivery.flush(10) == FlushResult(25, 0, 0)
    log.record(*names(25, 40))
    assert delivery.flush(0) == FlushResult(0, 15, 0)
    assert delivery.flush(None) == FlushResult(15, 0, 0)
    emulator.fault(Fault(status=500, delay=3600))
    log.record("last")
    assert delivery.shutdown(0.2) == FlushResult(0, 0, 1)
    assert arrived(emulator) == names(0, 40)
    balanced(delivery)


def test_a_thread_that_cannot_be_started_is_started_with_the_next_event(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, flush_interval_ms=1)
    log.on_waiting(delivery.notify)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        log.record("first", "second")
    assert event_threads() == []
    log.record("third")
    emulator.wait_for_log_events(timeout=30)  # without anybody asking
    delivery.shutdown(10)
    assert arrived(emulator) == ["first", "second", "third"]


def test_a_flush_gives_up_waiting_and_the_request_goes_on(emulator: Emulator) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log)
    emulator.fault(Fault(delay=0.3))
    log.record(*names(0, 5))
    assert delivery.flush(0.05) == FlushResult(0, 5, 0)
    assert delivery.flush(10).pending == 0
    assert arrived(emulator) == names(0, 5)  # once
    assert balanced(delivery).requests == 1
    delivery.shutdown(10)


class Interrupted:
    """Sends through the real transport, and does something of the test's in the middle of it."""

    def __init__(self) -> None:
        self._inner = HttpTransport()
        self.delivery: EventDelivery | None = None
        self.log: NamedEvents | None = None
        self.results: list[FlushResult] = []

    def send(self, request: Request) -> Response:
        if self.delivery is not None and self.log is not None and len(self.results) < 3:
            self.log.record("while sending")
            self.results += [self.delivery.flush(None), self.delivery.shutdown(0)]
        return self._inner.send(request)

    def close(self) -> None:
        self._inner.close()


def test_a_flush_from_within_the_sender_returns(emulator: Emulator) -> None:
    log, transport = NamedEvents(), Interrupted()
    delivery = delivery_to(emulator.url, log, transport=transport)
    transport.delivery, transport.log = delivery, log
    log.record(*names(0, 10))
    delivery.step()
    assert len(transport.results) == 2
    assert sorted(arrived(emulator)) == sorted(names(0, 10))
    stats = balanced(delivery)
    assert (stats.sent, stats.dropped_at_exit) == (10, 1)


def test_notify_does_not_wait_for_any_lock(emulator: Emulator) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log)
    done = threading.Event()

    def from_another_thread() -> None:
        delivery.notify(full=True)
        done.set()

    # As it is when another thread is in the middle of something, or this one is interrupted there.
    with delivery._turn, delivery._backlog.lock, delivery._flushes._changed:
        delivery.notify(full=False)
        thread = threading.Thread(target=from_another_thread)
        thread.start()
        assert done.wait(30)
        delivery.notify(full=True)
    thread.join()
    delivery.shutdown(10)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
def test_checks_in_signal_handlers_and_finalizers(emulator: Emulator) -> None:
    log = NamedEvents(batch_size=1000)
    delivery = delivery_to(emulator.url, log, batch_size=1000)
    log.on_waiting(delivery.notify)
    recorded: list[str] = []

    class Finalized:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            recorded.append("finalized")
            log.record("finalized")

    def handler(*_: object) -> None:
        recorded.append("handled")
        log.record("handled")

    before = signal.signal(signal.SIGALRM, handler)
    threshold = gc.get_threshold()
    gc.set_threshold(20)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        for number in range(300):
            Finalized()
            recorded.append("plain")
            log.record("plain")
            if number % 50 == 0:
                delivery.flush(10)
                delivery.notify(full=True)
                delivery.stats()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.set_threshold(*threshold)
    gc.collect()
    delivery.shutdown(30)
    assert Counter(arrived(emulator)) == Counter(recorded)
    assert {"plain", "handled", "finalized"} <= set(recorded)
    balanced(delivery)


@pytest.mark.parametrize("capacity", [10_000_000, 40_000])
def test_a_million_events_from_eight_threads_with_faults(emulator: Emulator, capacity: int) -> None:
    each, threads, size = 125_000, 8, 2000
    log = NamedEvents(batch_size=size, capacity=capacity)
    delivery = delivery_to(emulator.url, log, batch_size=size, max_pending_batches=20)
    log.on_waiting(delivery.notify)
    for fault in (
        Fault(status=400, skip=3),
        Fault(status=413, skip=5, times=2),
        Fault(status=500, probability=0.04, times=None, seed=1),
        Fault(reset="before", probability=0.03, times=None, seed=2),
        Fault(status=200, body=b"{", probability=0.03, times=None, seed=3),
    ):
        emulator.fault(fault)
    began = threading.Barrier(threads)

    def record(thread: int) -> None:
        began.wait()
        for number in range(each):
            log.record(f"{thread}-{number}")

    workers = [threading.Thread(target=record, args=(thread,)) for thread in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for _ in range(100):
        if delivery.flush(60).pending == 0:
            break
    stats = balanced(delivery)
    assert stats.recorded == each * threads
    assert stats.pending == 0
    assert stats.sent + stats.dropped == stats.recorded
    if capacity < each * threads:  # more is lost than sent: how much, depends on who is faster
        assert stats.dropped_overflow > 0
    else:
        assert stats.dropped_overflow == 0
        assert stats.dropped_refused > 0
        assert stats.failed_requests > 3
    times = Counter(arrived(emulator))
    assert len(times) == stats.sent
    assert set(times.values()) == {1}
    delivery.shutdown(10)


def test_the_thread_outlives_a_fault_of_ours(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log)
    monkeypatch.setattr(delivery._backlog, "waiting", lambda *_, **__: 1 / 0)
    log.record(*names(0, 10))
    assert delivery.flush(10) == FlushResult(0, 10, 0)
    monkeypatch.undo()
    assert delivery.flush(10) == FlushResult(10, 0, 0)
    assert "statsig-fastly-events failed, and goes on" in caplog.text
    delivery.shutdown(10)


def test_a_transport_that_ends_its_thread_does_not_end_delivery(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Exits(HttpTransport):
        ends = 1

        def send(self, request: Request) -> Response:
            if self.ends:
                self.ends -= 1
                sys.exit("out of here")
            return super().send(request)

    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, transport=Exits())
    log.record(*names(0, 10))
    assert delivery.flush(30) == FlushResult(0, 10, 0)
    assert delivery.flush(30) == FlushResult(10, 0, 0)
    assert arrived(emulator) == names(0, 10)
    delivery.shutdown(10)
