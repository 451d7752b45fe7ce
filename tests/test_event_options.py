"""What is said of options and arguments about events that cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from small_project import payload
from statsig_fastly import MemoryAdapter, Statsig, StatsigOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from event_sink import EventSink

MEMORY = MemoryAdapter(payload())


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("disable_all_logging", 1, "expected bool, got int"),
        ("disable_exposure_logging", None, "expected bool, got NoneType"),
        ("disable_network", "yes", "expected bool, got str"),
        ("log_event_url", 5, "expected str or None, got int"),
        ("log_event_url", "ftp://example.com", "expected an http or https URL, got 'ftp://example.com'"),
        ("event_logging_flush_interval_ms", "60", "expected int, got str"),
        ("event_logging_flush_interval_ms", 0, "expected at least 1 ms, got 0"),
        ("event_logging_max_queue_size", 0, "expected at least 1 events, got 0"),
        ("event_logging_max_queue_size", 2001, "expected at most 2000 events, got more"),
        ("event_logging_max_pending_batch_queue_size", 0, "expected at least 1 batches, got 0"),
        ("exposure_dedupe_max_keys", -1, "expected at least 1 exposures, got -1"),
        ("exposure_dedupe_max_keys", True, "expected int, got bool"),
        ("service_name", 1, "expected str or None, got int"),
        ("service_name", "\ud800", "expected text that can be encoded as UTF-8, got an unpaired surrogate"),
        ("service_name", "a\nb", r"expected text without control characters, got 'a\nb'"),
        ("service_name", "\0", r"expected text without control characters, got '\x00'"),
        ("spool_dir", 3, "expected a path of str or None, got int"),
        ("spool_dir", b"spool", "expected a path of str or None, got bytes"),
        ("spool_dir", "", "expected the path of a directory, got ''"),
        ("spool_dir", "a\0b", r"expected the path of a directory, got 'a\x00b'"),
        ("spool_max_bytes", 0, "expected at least 1 bytes, got 0"),
        ("exit_timeout_ms", -1, "expected at least 0 ms, got -1"),
        pytest.param("exit_timeout_ms", -(10**5000), "expected at least 0 ms, got less", id="digits"),
        (
            "log_event_transport",
            object(),
            "expected an object with send() and close(), a urllib3.PoolManager or None, got object",
        ),
    ],
)
def test_options_that_cannot_be(option: str, value: Any, says: str) -> None:  # noqa: ANN401
    named: dict[str, Any] = {option: value}
    with pytest.raises((TypeError, ValueError)) as raised:
        StatsigOptions(**named)
    assert str(raised.value) == f"argument '{option}': {says}"


@pytest.fixture
def statsig() -> Iterator[Statsig]:
    with Statsig("secret-key", StatsigOptions(data_adapter=MEMORY)) as client:
        yield client


@pytest.mark.parametrize(
    ("timeout", "says"),
    [
        ("1", "expected a number of seconds, got str"),
        (True, "expected a number of seconds, got bool"),
        (-1, "expected at least 0 s, got -1"),
        pytest.param(-(10**5000), "expected at least 0 s, got less", id="digits"),
        (float("nan"), "expected at least 0 s, got nan"),
    ],
)
def test_timeouts_that_cannot_be(statsig: Statsig, timeout: Any, says: str) -> None:  # noqa: ANN401
    for wait in (statsig.flush, statsig.shutdown):
        with pytest.raises((TypeError, ValueError)) as raised:
            wait(timeout)
        assert str(raised.value) == f"argument 'timeout': {says}"


@pytest.mark.parametrize("timeout", [10**5000, float("inf"), 1e300], ids=["digits", "infinite", "float"])
def test_a_timeout_may_be_as_long_as_it_likes(statsig: Statsig, timeout: float) -> None:
    statsig.log_event("u", "event")
    assert statsig.flush(timeout).result(30).sent == 1


@pytest.mark.parametrize("value", [10**5000, -(10**400)], ids=["large", "negative"])
def test_a_value_beyond_every_float_is_refused(statsig: Statsig, value: int) -> None:
    with pytest.raises(
        ValueError, match=r"^argument 'value': expected a number below 2\*\*1024, got a larger"
    ):
        statsig.log_event("u", "event", value)


@pytest.mark.parametrize("option", ["disable_all_logging", "disable_network"])
def test_nothing_is_recorded_where_nothing_may_be_sent(collector: EventSink, option: str) -> None:
    before = len(collector.requests)
    named: dict[str, Any] = {option: True}
    with Statsig("secret-key", StatsigOptions(data_adapter=MEMORY, **named)) as statsig:
        assert statsig.check_gate("u", "on")
        statsig.log_event("u", "event")
        assert statsig.stats().events is None
        assert not statsig.flush_due
        assert statsig.flush().result(30) == statsig.shutdown().result(30)
    assert len(collector.requests) == before


def test_checks_can_be_counted_and_not_exposed(collector: EventSink) -> None:
    options = StatsigOptions(data_adapter=MEMORY, disable_exposure_logging=True, service_name="a service")
    with Statsig("secret-key", options) as statsig:
        statsig.check_gate("u", "on")
        statsig.manually_log_gate_exposure("u", "on")
        statsig.flush().result(30)
    sent = [request for request in collector.requests if request.headers["x-request-service"] == "a service"]
    events = [event for request in sent for event in request.body["events"]]
    assert [event["eventName"] for event in events] == [
        "statsig::gate_exposure",
        "statsig::non_exposed_checks",
    ]
    assert events[0]["metadata"]["isManualExposure"] == "true"
    assert events[1]["metadata"] == {"checks": '{"on":1}'}
