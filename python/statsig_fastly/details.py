"""How a start, a look at the adapter and the sending of events went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statsig_fastly.errors import StatsigFastlyError
    from statsig_fastly.events import EventStats

__all__ = ["FailureDetails", "InitializeDetails", "Stats", "SyncDetails"]


@dataclass(frozen=True, slots=True)
class FailureDetails:
    """Why no payload could be had.

    Attributes:
        reason: One line for people: what was tried, what came, what to do.
        error: Name of the exception's class, or None where there was no exception.
    """

    reason: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class InitializeDetails:
    """How a start went.

    Attributes:
        duration_ms: How long it took, in ms.
        init_success: The same as `is_config_spec_ready`. (In the official package it says only that
            background work was scheduled.)
        is_config_spec_ready: True if a ruleset is loaded, so that checks have answers.
        is_id_list_ready: None: ID lists are not loaded.
        source: Where the ruleset in use came from, such as `Adapter(FastlyKV)` or `Bootstrap`;
            `NoValues` if there is none.
        failure_details: Why the adapter's payload is not in use; None if it is.
    """

    duration_ms: int
    init_success: bool
    is_config_spec_ready: bool
    is_id_list_ready: bool | None
    source: str
    failure_details: FailureDetails | None

    @property
    def duration(self) -> float:
        """The same as `duration_ms`, as a float: the official package's older name for it."""
        return float(self.duration_ms)


@dataclass(frozen=True, slots=True)
class SyncDetails:
    """What came of one look at the adapter.

    Attributes:
        changed: True if a newer ruleset is now in use.
        config_time: When the project in use was last changed, in ms since the epoch; None if nothing
            is loaded.
        error: Why the payload could not be had or used; None if all went well. The ruleset in use
            stays.
    """

    changed: bool
    config_time: int | None
    error: StatsigFastlyError | None


@dataclass(frozen=True, slots=True)
class Stats:
    """Numbers about a client since it was made, or since the process was forked.

    Attributes:
        events: What became of events; None if nothing is recorded (`disable_all_logging`).
    """

    events: EventStats | None
