"""When events are sent, in what requests, and what a flush says about it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from named_events import SDK_KEY, NamedEvents, arrived, balanced, delivery_to, drive, names
from statsig_fastly.events import EventStats, FlushResult

if TYPE_CHECKING:
    from api_client import StandingClock
    from statsig_fastly.emulator import Emulator


def test_nothing_waits(emulator: Emulator, clock: StandingClock) -> None:
    delivery = delivery_to(emulator.url, NamedEvents(), clock=clock)
    assert delivery.step() is None
    assert delivery.flush(0) == delivery.shutdown(0) == FlushResult(0, 0, 0)
    assert delivery.stats() == EventStats()
    assert not delivery.flush_due
    assert emulator.requests == []


def test_a_request_is_what_the_protocol_says(emulator: Emulator, clock: StandingClock) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock, wall=lambda: 1_795_400_000.5)
    log.record(*names(0, 10))
    delivery.step()
    (request,) = emulator.log_event_requests
    expected = {
        "statsig-api-key": SDK_KEY,
        "statsig-sdk-type": "statsig-fastly-python",
        "statsig-sdk-version": delivery._settings.metadata["sdkVersion"],  # type: ignore[index]
        "statsig-server-session-id": "a-session",
        "statsig-client-time": "1795400000500",
        "statsig-event-count": "10",
        "statsig-retry-count": "0",
        "x-request-service": "unknown",
        "content-type": "application/json",
        "content-encoding": "gzip",
        "accept-encoding": "identity",
    }
    assert {name: request.headers[name] for name in expected} == expected
    metadata = request.body["statsigMetadata"]
    assert metadata.pop("os") in {"linux", "macos", "windows"}
    assert metadata.pop("arch")
    assert metadata == {
        "sdkType": "statsig-fastly-python",
        "sdkVersion": expected["statsig-sdk-version"],
        "sessionID": "a-session",
        "languageVersion": sys.version,
        "flushingIntervalMs": 1000,
        "batchSize": 10,
        "maxPendingBatches": 100,
        "flushType": "limit",
    }
    assert list(request.body) == ["events", "statsigMetadata"]
    assert arrived(emulator) == names(0, 10)
    assert delivery.stats().last_sent_at == 1_795_400_000.5


def test_plain_json_and_the_name_of_a_service(emulator: Emulator, clock: StandingClock) -> None:
    log = NamedEvents()
    told: list[str] = []

    def metadata(flush_type: str) -> dict[str, object]:
        told.append(flush_type)
        return {"service_name": "shop", "sdkVersion": None}

    delivery = delivery_to(emulator.url, log, clock=clock, compress=False, metadata=metadata)
    log.record(*names(0, 10))
    delivery.step()
    (request,) = emulator.log_event_requests
    assert "content-encoding" not in request.headers
    assert "statsig-sdk-version" not in request.headers
    assert request.headers["x-request-service"] == request.body["statsigMetadata"]["service_name"] == "shop"
    assert "limit" in told
    assert arrived(emulator) == names(0, 10)


def test_full_batches_go_at_once_and_the_rest_when_it_is_old_enough(
    emulator: Emulator, clock: StandingClock
) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock)
    log.record(*names(0, 25))
    dues = [delivery.flush_due]
    wait = delivery.step()
    assert arrived(emulator) == names(0, 20)
    dues.append(delivery.flush_due)
    assert wait == pytest.approx(60)
    clock.now += 59
    assert delivery.step() == pytest.approx(1)
    assert len(arrived(emulator)) == 20
    clock.now += 1
    dues.append(delivery.flush_due)
    assert delivery.step() is None
    assert dues == [True, False, True]
    assert arrived(emulator) == names(0, 25)
    types = [request.body["statsigMetadata"]["flushType"] for request in emulator.log_event_requests]
    assert types == ["limit", "limit", "scheduled:max_time"]
    assert balanced(delivery).requests == 3


def test_no_event_waits_longer_than_the_interval(emulator: Emulator, clock: StandingClock) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log, clock=clock, flush_interval_ms=5000)
    log.on_waiting(delivery.notify)
    delivery._thread.signal = lambda: True  # type: ignore[method-assign]  # this test takes the steps itself
    log.record("first")
    clock.now += 4
    log.record(*names(0, 13))  # four of them stay behind a full batch
    assert delivery.step() == pytest.approx(1)
    clock.now += 1
    assert delivery.step() is None
    assert len(arrived(emulator)) == 14


def test_what_a_flush_says(emulator: Emulator) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log)
    log.record(*names(0, 25))
    assert delivery.flush(10) == FlushResult(25, 0, 0)
    log.record(*names(25, 28))
    assert delivery.flush(None) == FlushResult(3, 0, 0)
    assert delivery.flush(10) == FlushResult(0, 0, 0)
    assert arrived(emulator) == names(0, 28)
    types = [request.body["statsigMetadata"]["flushType"] for request in emulator.log_event_requests]
    assert types == ["manual"] * 4
    assert balanced(delivery).sent == 28
    delivery.shutdown(10)


def test_checks_without_exposure_become_an_event(emulator: Emulator) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log)
    log.record(*names(0, 10))
    log.count_check()
    log.count_check()
    assert delivery.flush(10) == FlushResult(11, 0, 0)
    (request,) = emulator.log_event_requests
    assert request.headers["statsig-event-count"] == "11"
    assert arrived(emulator) == [*names(0, 10), "statsig::non_exposed_checks"]
    balanced(delivery)
    delivery.shutdown(10)


def test_shutdown_sends_everything_and_can_be_repeated(emulator: Emulator) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log)
    log.on_waiting(delivery.notify)
    log.record(*names(0, 15))
    before = delivery.stats().sent
    assert delivery.shutdown(10).sent == 15 - before
    assert delivery.shutdown(10) == FlushResult(0, 0, 0)
    assert arrived(emulator) == names(0, 15)
    types = {request.body["statsigMetadata"]["flushType"] for request in emulator.log_event_requests}
    assert types <= {"limit", "shutdown"}


def test_events_after_the_shutdown_are_delivered_by_a_flush(emulator: Emulator) -> None:
    log = NamedEvents()
    delivery = delivery_to(emulator.url, log)
    log.on_waiting(delivery.notify)
    log.record("before")
    assert delivery.shutdown(10) == FlushResult(1, 0, 0)
    log.record(*names(0, 12))
    assert delivery.step() is None  # nothing is sent of its own accord any more
    assert arrived(emulator) == ["before"]
    assert delivery.flush(10) == FlushResult(12, 0, 0)
    log.record("last")
    assert delivery.shutdown(10) == FlushResult(1, 0, 0)
    assert sorted(arrived(emulator)) == sorted(["before", *names(0, 12), "last"])
    assert balanced(delivery).pending == 0


def test_too_many_events_drop_the_oldest_and_are_reported_once_a_minute(
    emulator: Emulator, clock: StandingClock, caplog: pytest.LogCaptureFixture
) -> None:
    log = NamedEvents(capacity=20)
    delivery = delivery_to(emulator.url, log, clock=clock)
    for end in (30, 60, 90):  # each time ten are too many
        log.record(*names(end - 30, end))
        delivery.step()
        clock.now += 25
    drive(delivery, clock)
    said = [record.getMessage() for record in caplog.records if "dropped" in record.getMessage()]
    assert said == [
        "10 events were dropped because too many wait to be sent",
        "20 events were dropped because too many wait to be sent",
    ]
    stats = balanced(delivery)
    assert (stats.sent, stats.dropped, stats.dropped_overflow) == (60, 30, 30)
    assert arrived(emulator) == [*names(10, 30), *names(40, 60), *names(70, 90)]


def test_the_key_is_nowhere_to_be_read(emulator: Emulator, clock: StandingClock) -> None:
    delivery = delivery_to(emulator.url, NamedEvents(), clock=clock)
    assert SDK_KEY not in repr(delivery) + repr(delivery._settings) + str(delivery.stats())
    assert repr(delivery) == f"EventDelivery('{emulator.url}/v1/log_event', waiting=0, held=0)"
