"""Numbers about delivered, waiting and lost events, and the settings that bound them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["DeliverySettings", "EventStats", "FlushResult"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySettings:
    """Where events go, when, and what happens to those that cannot be sent.

    Attributes:
        url: Address of the collector's log_event endpoint.
        sdk_key: Server secret key.
        metadata: The SDK's description of itself (`event_metadata`), or a function that gives it for a
            flush type.
        flush_interval_ms: How long an event waits at most while the collector takes events, in ms.
        batch_size: Events in a request; as soon as so many wait they are sent.
        max_pending_batches: Batches held in memory that could not be sent yet.
        spool_dir: Where batches are kept that could not be sent; None keeps them in memory.
        spool_max_bytes: How much the spool's files of this SDK key may take, in bytes.
        exit_timeout_ms: How long the end of the process may take for sending what waits, in ms.
        compress: False sends plain JSON.
    """

    url: str = field(repr=False)  # it may hold a password
    sdk_key: str = field(repr=False)
    metadata: Mapping[str, object] | Callable[[str], Mapping[str, object]] = field(repr=False)
    flush_interval_ms: int = 60_000
    batch_size: int = 2000
    max_pending_batches: int = 100
    spool_dir: Path | None = None
    spool_max_bytes: int = 64 * 1024 * 1024
    exit_timeout_ms: int = 2000
    compress: bool = True


@dataclass(frozen=True, slots=True)
class FlushResult:
    """What came of a flush.

    Attributes:
        sent: Events the collector took since the flush was asked for.
        pending: Events that still wait, in memory or in the spool.
        dropped: Events that were lost since the flush was asked for; `EventStats` says why.
    """

    sent: int
    pending: int
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStats:
    """What became of the events of this process.

    They are as of one moment: `recorded == sent + taken_by_others + pending + dropped`.

    Attributes:
        recorded: Events that were to be sent.
        deduplicated: Exposures that were like one just recorded; not part of `recorded`.
        sampled_out: Exposures that sampling left out; not part of `recorded`.
        sent: Events the collector took.
        pending: Events that wait, in memory or in the spool.
        spooled: Those of them that wait in the spool.
        dropped_overflow: Lost because too many waited.
        dropped_refused: Lost because the collector refused them for good.
        dropped_too_large: Lost because a single one was too large for the collector.
        dropped_at_exit: Lost because the time to shut down was over.
        dropped_spool_full: Lost because the spool was full.
        dropped_unreadable: Lost because a spool file was damaged.
        sent_for_others: Events of other processes that this one found in the spool and sent.
        dropped_for_others: Events of other processes that this one found in the spool and lost.
        taken_by_others: Events of this process that another one took from the spool.
        uncounted_checks: Checks without an exposure that are not in the event that counts them, because
            that has 10,000 names already.
        requests: Requests to the collector.
        failed_requests: Those of them that it did not take.
        last_error: What went wrong last, or None.
        last_sent_at: When the collector last took events, in seconds since the epoch, or None.
    """

    recorded: int = 0
    deduplicated: int = 0
    sampled_out: int = 0
    sent: int = 0
    pending: int = 0
    spooled: int = 0
    dropped_overflow: int = 0
    dropped_refused: int = 0
    dropped_too_large: int = 0
    dropped_at_exit: int = 0
    dropped_spool_full: int = 0
    dropped_unreadable: int = 0
    sent_for_others: int = 0
    dropped_for_others: int = 0
    taken_by_others: int = 0
    uncounted_checks: int = 0
    requests: int = 0
    failed_requests: int = 0
    last_error: str | None = None
    last_sent_at: float | None = None

    @property
    def dropped(self) -> int:
        """All events of this process that were lost."""
        return (
            self.dropped_overflow
            + self.dropped_refused
            + self.dropped_too_large
            + self.dropped_at_exit
            + self.dropped_spool_full
            + self.dropped_unreadable
        )
