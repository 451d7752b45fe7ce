"""How a start went, and how a client goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statsig_fastly.events import EventStats
    from statsig_fastly.sync import SyncStats
    from statsig_fastly.sync.id_lists import IdListStats

__all__ = ["FailureDetails", "InitializeDetails", "Stats"]


@dataclass(frozen=True, slots=True)
class FailureDetails:
    """Why no payload could be had from a place.

    Attributes:
        reason: One line for people: what was tried, what came, what to do.
        error: Name of the exception's class, or None where there was no exception.
        source: What was tried: the name of the adapter, `LastKnownGood`, `Bootstrap`, or `Network` for
            Statsig's CDN; None where there was nothing to try.
    """

    reason: str
    error: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class InitializeDetails:
    """How a start went.

    Attributes:
        duration_ms: How long it took, in ms.
        init_success: The same as `is_config_spec_ready`. (In the official package it says only that
            background work was scheduled.)
        is_config_spec_ready: True if a ruleset is loaded, so that checks have answers.
        is_id_list_ready: True if every ID list came in time; None if none are fetched.
        source: Where the ruleset in use came from, such as `Adapter(FastlyKV)`, `LastKnownGood` or
            `Bootstrap`; `NoValues` if there is none.
        failure_details: The last of `failures`; None if the first place that was tried had a payload.
        failures: Why each place that was tried before had none, in order.
        config_age: How many seconds ago the project in use was last changed; None if nothing is loaded.
    """

    duration_ms: int
    init_success: bool
    is_config_spec_ready: bool
    is_id_list_ready: bool | None
    source: str
    failure_details: FailureDetails | None
    failures: tuple[FailureDetails, ...] = ()
    config_age: float | None = None

    @property
    def duration(self) -> float:
        """The same as `duration_ms`, as a float: the official package's older name for it."""
        return float(self.duration_ms)


@dataclass(frozen=True, slots=True)
class Stats:
    """Numbers about a client since it was made, or since the process was forked.

    Attributes:
        events: What became of events; None if nothing is recorded (`disable_all_logging`).
        sync: What is in use, how old it is, and how looking for something newer went.
        id_lists: How fetching ID lists went; None if none are fetched.
    """

    events: EventStats | None
    sync: SyncStats
    id_lists: IdListStats | None
