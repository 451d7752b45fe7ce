"""Events with names, and deliveries of them to a collector."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from statsig_fastly import FeatureGateEvaluationOptions
from statsig_fastly._native import Evaluator, EventLog
from statsig_fastly.events import DeliverySettings, EventDelivery, EventStats
from statsig_fastly.events.requests import event_metadata
from statsig_fastly.transport import HttpTransport, Transport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from api_client import StandingClock
    from statsig_fastly.emulator import Emulator

UNEXPOSED = FeatureGateEvaluationOptions(disable_exposure_logging=True)


class NamedEvents:
    """A native log whose events are told apart by their names."""

    def __init__(self, *, batch_size: int = 10, capacity: int = 1_000_000) -> None:
        self.native = EventLog(
            batch_size=batch_size, capacity=capacity, dedupe_ms=60_000, dedupe_keys=100_000
        )
        self._evaluator = Evaluator(events=self.native)

    def on_waiting(self, notify: Callable[[bool], object] | None) -> None:
        self.native.on_waiting(notify)

    def record(self, *names: str) -> None:
        """Records one event for each name."""
        for name in names:
            self._evaluator.log_event("user", name)

    def count_check(self) -> None:
        """Counts a check without exposure, which becomes an event when the log is emptied."""
        self._evaluator.check_gate("user", "gate", UNEXPOSED)

    def __len__(self) -> int:
        return len(self.native)


SDK_KEY = "secret-1a2b3c4d5e6f"
PATH = "/v1/log_event"


def delivery_to(
    url: str,
    log: NamedEvents,
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
        log.native,
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


def adds_up(stats: EventStats) -> bool:
    """True if they account for every event."""
    return stats.recorded == stats.sent + stats.taken_by_others + stats.pending + stats.dropped


def balanced(delivery: EventDelivery) -> EventStats:
    """The statistics, after checking that they account for every event."""
    stats = delivery.stats()
    assert adds_up(stats), stats
    return stats
