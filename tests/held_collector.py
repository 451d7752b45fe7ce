"""A collector on loopback that answers only when it is let, and clients that send to it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from loopback import Listener, http
from small_project import payload
from statsig_fastly import MemoryAdapter, Statsig, StatsigOptions

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from loopback import Peer
    from statsig_fastly import EventStats

__all__ = ["PATIENCE", "HeldCollector", "events_of", "quiet_client"]

PATIENCE = 60
"""Seconds after which a test that waits in vain fails."""


class HeldCollector:
    """A context manager.

    Attributes:
        journal: Gets an entry `"events"` with each request, beside what the test writes there.
        asked: Set when a request has come.
        may_answer: To be set when requests are to be answered.
    """

    def __init__(self) -> None:
        self.journal: list[str] = []
        self.asked = threading.Event()
        self.may_answer = threading.Event()
        self._listener = Listener(self._serve)

    @property
    def url(self) -> str:
        """Where events are to be sent."""
        return f"{self._listener.url}/v1/log_event"

    def __enter__(self) -> Self:
        self._listener.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.may_answer.set()
        self._listener.__exit__(kind, error, trace)

    def _serve(self, peer: Peer) -> None:
        while peer.request():
            self.journal.append("events")
            self.asked.set()
            self.may_answer.wait(PATIENCE)
            peer.send(http(202, b'{"success":true}'))


def quiet_client(events_to: str, kind: type[Statsig] = Statsig) -> Statsig:
    """A client that sends nothing before it is asked to, and nothing at the end of the process."""
    options = StatsigOptions(
        data_adapter=MemoryAdapter(payload()),
        log_event_url=events_to,
        event_logging_flush_interval_ms=3_600_000,
        exit_timeout_ms=0,
    )
    statsig = kind("secret-key", options)
    assert statsig.initialize().result(PATIENCE).init_success
    return statsig


def events_of(statsig: Statsig) -> EventStats:
    """What became of a client's events."""
    events = statsig.stats().events
    assert events is not None
    return events
