"""What becomes of events when the collector does not take them."""

from __future__ import annotations

import gzip
from collections import Counter
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from loopback import Listener, http
from named_events import PATH, SDK_KEY, NamedEvents, arrived, balanced, delivery_to, drive, names
from statsig_fastly.emulator import Fault
from statsig_fastly.events import FlushResult
from statsig_fastly.events import requests as event_requests

if TYPE_CHECKING:
    from pathlib import Path

    from api_client import StandingClock
    from loopback import Peer
    from statsig_fastly.emulator import Emulator
    from statsig_fastly.transport import Request, Response

NOW = 1_795_400_000.0
LOST = {  # the request does not take effect
    **{str(status): Fault(status=status, times=3) for status in (408, 425, 429, 500, 502, 503, 504, 529)},
    "429 with seconds": Fault.too_many_requests(retry_after=30, times=2),
    "429 with a date": Fault(status=429, headers={"Retry-After": formatdate(NOW + 90, usegmt=True)}, times=2),
    "503 with nonsense": Fault(status=503, headers={"Retry-After": "soon"}, times=2),
    "no JSON": Fault(status=200, body=b'{"success":'),
    "nothing": Fault(status=202, body=b"", times=4),
    "a page": Fault.error_page(times=2),
    "a list": Fault(status=200, body=b"[]"),
    "no success": Fault(status=200, body=b'{"success":false}', times=2),
    "a reset": Fault(reset="before", times=3),
    "a hang": Fault(status=500, delay=60, times=2),
    "an endless drip": Fault(status=200, body=b'{"success":true}', drip=30, drip_bytes=1),
}
LATE = {  # it takes effect, and the answer is lost
    "a lost answer": Fault(status=502, after=True, times=2),
    "a reset in the answer": Fault(reset="body"),
    "half an answer": Fault(truncate=3),
    "an answer after the timeout": Fault(delay=60),
}


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_requests, "_REQUEST_TIMEOUT_S", 0.25)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("spooled", [False, True])
@pytest.mark.parametrize("fault", LOST)
def test_every_event_arrives_once_and_the_oldest_first(
    emulator: Emulator, clock: StandingClock, tmp_path: Path, fault: str, spooled: bool
) -> None:
    log = NamedEvents()
    spool_dir = tmp_path if spooled else None
    delivery = delivery_to(emulator.url, log, clock=clock, wall=lambda: NOW, spool_dir=spool_dir)
    emulator.fault(LOST[fault])
    log.record(*names(0, 35))
    drive(delivery, clock)
    assert arrived(emulator) == names(0, 35)
    stats = balanced(delivery)
    assert (stats.sent, stats.dropped, stats.pending) == (35, 0, 0)
    assert stats.failed_requests == LOST[fault].times
    assert stats.last_error is not None
    (first, *others) = emulator.log_event_requests
    assert first.headers["statsig-retry-count"] == str(LOST[fault].times)
    assert {request.headers["statsig-retry-count"] for request in others} == {"0"}


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("fault", LATE)
def test_what_was_not_confirmed_is_sent_again(emulator: Emulator, clock: StandingClock, fault: str) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock)
    emulator.fault(LATE[fault])
    log.record(*names(0, 25))
    drive(delivery, clock)
    times = Counter(arrived(emulator))
    assert sorted(times) == sorted(names(0, 25))
    again = (LATE[fault].times or 0) + 1
    assert [times[name] for name in names(0, 25)] == [again] * 10 + [1] * 15
    assert balanced(delivery).sent == 25


def test_a_slow_answer_is_waited_for(emulator: Emulator, clock: StandingClock) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock)
    emulator.fault(Fault(drip=0.01, drip_bytes=1))
    emulator.fault(Fault(delay=0.05))
    log.record(*names(0, 20))
    assert delivery.step() is None
    assert balanced(delivery).failed_requests == 0
    assert arrived(emulator) == names(0, 20)


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_the_wait_doubles_with_jitter_and_halves_again(
    emulator: Emulator, clock: StandingClock, chance: float
) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock, random=lambda: chance)
    emulator.fault(Fault(status=500, times=8))
    log.record(*names(0, 10))
    waits: list[float] = []
    while (wait := delivery.step()) is not None:
        waits.append(wait)
        clock.now += wait
    factor = 0.5 + chance / 2
    assert waits == pytest.approx([factor * base for base in (1, 2, 4, 8, 16, 32, 60, 60)])
    emulator.fault(Fault(status=500))
    log.record(*names(10, 20))
    assert delivery.step() == pytest.approx(factor * 30)


def test_the_server_is_left_alone_for_as_long_as_it_asks(emulator: Emulator, clock: StandingClock) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock)
    emulator.fault(Fault.too_many_requests(retry_after=300))
    log.record(*names(0, 15))
    assert delivery.step() == pytest.approx(300)
    clock.now += 299
    assert not delivery.flush_due
    assert delivery.flush(10) == FlushResult(0, 15, 0)  # by hand neither
    assert len(emulator.requests) == 1
    clock.now += 1
    assert delivery.flush(10) == FlushResult(15, 0, 0)
    delivery.shutdown(0)


def test_a_flush_by_hand_does_not_wait_for_the_backoff(emulator: Emulator, clock: StandingClock) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock)
    emulator.fault(Fault(status=500, times=7))
    log.record(*names(0, 25))
    assert delivery.flush(10) == FlushResult(0, 25, 0)  # each of the three batches once
    assert len(emulator.requests) == 3
    assert delivery.flush(10) == FlushResult(0, 25, 0)
    third = delivery.flush(10)  # the last fault strikes the oldest, which others may let through again
    assert third in {FlushResult(15, 10, 0), FlushResult(25, 0, 0)}
    assert delivery.flush(10).pending == 0
    assert sorted(arrived(emulator)) == sorted(names(0, 25))
    balanced(delivery)
    delivery.shutdown(0)


def test_a_clock_that_was_ahead_when_it_began(emulator: Emulator, clock: StandingClock) -> None:
    """Of the machine that built a component of Fastly Compute, for example."""
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock)
    clock.now -= 3600
    log.record(*names(0, 25))
    assert delivery.flush_due
    assert delivery.flush(10) == FlushResult(25, 0, 0)
    delivery.shutdown(0)


def test_without_threads_a_flush_ends_with_the_first_failure(
    emulator: Emulator, clock: StandingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("statsig_fastly.threads.CAN_START_THREADS", False)
    monkeypatch.setattr("statsig_fastly.step_thread.CAN_START_THREADS", False)
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock)
    emulator.fault(Fault(status=500, times=30))
    for number in range(30):
        log.record(*names(number * 10, number * 10 + 10))
        delivery.flush(None)
        assert len(emulator.requests) == number + 1
    while delivery.waiting:
        before = len(emulator.requests)
        delivery.flush(None)
        assert before < len(emulator.requests) <= before + 8
    assert sorted(arrived(emulator)) == sorted(names(0, 300))
    balanced(delivery)
    delivery.shutdown(0)


def test_a_collector_that_is_down_for_five_minutes(emulator: Emulator, clock: StandingClock) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock)
    emulator.fault(Fault(status=503, times=None))
    began = clock.now
    for second in range(300):
        log.record(*names(3 * second, 3 * second + 3))
        clock.now = began + second
        delivery.step()
    assert arrived(emulator) == []
    assert balanced(delivery).pending == 900
    assert len(emulator.requests) <= 16  # 1 + 2 + 4 + 8 + 16 + 32 + 60 ... seconds, at least half of them
    emulator.clear_faults()
    drive(delivery, clock)
    stats = balanced(delivery)
    assert (stats.sent, stats.dropped) == (900, 0)
    assert Counter(arrived(emulator)) == Counter(names(0, 900))


def test_memory_is_bounded_while_it_is_down(
    emulator: Emulator, clock: StandingClock, caplog: pytest.LogCaptureFixture
) -> None:
    log = NamedEvents(capacity=20)
    delivery = delivery_to(emulator.url, log, clock=clock, max_pending_batches=3)
    emulator.fault(Fault(status=503, times=None))
    for batch in range(10):
        log.record(*names(10 * batch, 10 * batch + 10))
        delivery.step()
    assert balanced(delivery).pending == 40  # the log has just made room
    emulator.clear_faults()
    drive(delivery, clock)
    stats = balanced(delivery)
    assert (stats.sent, stats.dropped_overflow) == (40, 60)
    assert arrived(emulator)[-10:] == names(90, 100)
    lost = [int(text.split()[0]) for text in map(str, caplog.messages) if "dropped" in text]
    assert sum(lost) == 60
    assert len(lost) == 2  # at once, and the rest after a minute


@pytest.mark.parametrize("spooled", [False, True], ids=["in memory", "spooled"])
@pytest.mark.parametrize("answers", [True, False], ids=["answered", "cut off"])
@pytest.mark.parametrize("outage", [0, 40], ids=["", "after an outage"])
def test_one_batch_that_always_fails_does_not_hold_up_the_others(
    clock: StandingClock, tmp_path: Path, *, answers: bool, spooled: bool, outage: int
) -> None:
    taken: list[bytes] = []
    failing = [outage]

    def serve(peer: Peer) -> None:
        while request := peer.request():
            body = gzip.decompress(request.partition(b"\r\n\r\n")[2])
            if not failing[0] and b'"event-3"' not in body:
                taken.append(body)
                peer.send(http(202, b'{"success":true}'))
            elif answers:
                peer.send(http(500))
            else:
                return

    log = NamedEvents()
    with Listener(serve) as collector:
        delivery = delivery_to(collector.url, log, clock=clock, spool_dir=tmp_path if spooled else None)
        log.record(*names(0, 30))
        for _ in range(outage):
            clock.now += delivery.step() or 0.0
        failing[0] = 0
        for _ in range(12):
            clock.now += delivery.step() or 0.0
    stats = balanced(delivery)
    assert (stats.sent, stats.pending) == (20, 10)
    assert len(taken) == 2


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405, 422, 501])
def test_a_refusal_is_final_and_said_once(
    emulator: Emulator, clock: StandingClock, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock)
    emulator.fault(Fault(status=status, times=3, headers={"Location": "/elsewhere"}))
    log.record(*names(0, 45))
    drive(delivery, clock)
    stats = balanced(delivery)
    assert (stats.sent, stats.dropped_refused) == (15, 30)
    assert arrived(emulator) == names(30, 45)
    assert len(emulator.requests) == 5
    (said,) = caplog.messages
    assert f"answered {status}; " in said
    assert ("SDK key" in said) == (status in {401, 403})
    assert SDK_KEY not in caplog.text
    assert SDK_KEY not in repr(stats)


def test_a_batch_that_is_too_large_is_halved_until_it_fits(clock: StandingClock) -> None:
    sizes: list[int] = []

    def serve(peer: Peer) -> None:
        while request := peer.request():
            body = gzip.decompress(request.partition(b"\r\n\r\n")[2])
            events = body[: body.rindex(b'],"statsigMetadata"')]
            if len(events) > 500:  # three events of these
                peer.send(http(413))
            else:
                sizes.append(events.count(b"eventName"))
                peer.send(http(202, b'{"success":true}'))

    log = NamedEvents()
    with Listener(serve) as collector:
        delivery = delivery_to(collector.url, log, clock=clock)
        log.record(*names(0, 7), "x" * 500, *names(8, 10))
        drive(delivery, clock)
    stats = balanced(delivery)
    assert (stats.sent, stats.dropped_too_large) == (9, 1)
    assert sum(sizes) == 9
    assert max(sizes) > 1


def test_down_to_single_events(
    emulator: Emulator, clock: StandingClock, caplog: pytest.LogCaptureFixture
) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock)
    emulator.fault(Fault(status=413, times=None))
    log.record(*names(0, 10))
    drive(delivery, clock)
    assert balanced(delivery).dropped_too_large == 10
    assert len(emulator.requests) == 19
    assert len(caplog.messages) == 1


def test_nobody_listens(clock: StandingClock, caplog: pytest.LogCaptureFixture) -> None:
    with Listener(lambda peer: peer.close()) as gone:
        url = gone.url
    log = NamedEvents()
    delivery = delivery_to(url, log, clock=clock)
    log.record(*names(0, 15))
    assert delivery.step() is not None
    stats = balanced(delivery)
    assert (stats.pending, stats.failed_requests) == (15, 1)
    assert stats.last_error is not None
    assert "cannot be reached" in stats.last_error
    assert SDK_KEY not in caplog.text
    assert delivery.flush(10) == FlushResult(0, 15, 0)
    assert delivery.stats().requests == 2  # what cannot be reached is not asked for every batch
    assert delivery.shutdown(0) == FlushResult(0, 0, 15)
    assert balanced(delivery).dropped_at_exit == 15


def test_a_transport_of_ones_own_may_raise_anything(clock: StandingClock) -> None:
    class Broken:
        def send(self, request: Request) -> Response:
            raise ZeroDivisionError(request.headers["statsig-api-key"])

        def close(self) -> None:
            raise AssertionError("not ours to close")

    log = NamedEvents()
    delivery = delivery_to("http://collector.test", log, clock=clock, transport=Broken())
    log.record(*names(0, 10))
    assert delivery.step() is not None
    assert balanced(delivery).last_error == "ZeroDivisionError: <sdk key>"


def test_recovery_is_said(emulator: Emulator, clock: StandingClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "statsig_fastly")
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock)
    emulator.fault(Fault(path=PATH, status=503, times=5))
    log.record(*names(0, 10))
    drive(delivery, clock)
    assert len(caplog.messages) == 2
    assert caplog.messages[0].startswith("events cannot be sent now")
    assert caplog.messages[1] == "the collector takes events again"
