"""What the log says about the delivery of events: each trouble once, losses once a minute."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statsig_fastly.events.requests import Verdict

__all__ = ["Reports"]

_log = logging.getLogger("statsig_fastly")

_LOSSES_EVERY_S = 60.0

_WHAT_TO_DO = {
    401: "is the SDK key a server secret key of this project?",
    403: "may the SDK key of this project log events?",
    404: "is the address of the collector right?",
}


class _Losses:
    """Losses for one reason.

    Args:
        message: What the log says, with a place for how many.
    """

    def __init__(self, message: str) -> None:
        self._message = message
        self._told = 0
        self._told_at: float | None = None

    def tell(self, so_far: int, now: float, *, at_once: bool) -> None:
        due = self.due(so_far)
        if due is None or (now < due and not at_once):
            return
        _log.warning(self._message, so_far - self._told)
        self._told, self._told_at = so_far, now

    def due(self, so_far: int) -> float | None:
        if so_far <= self._told:
            return None
        return float("-inf") if self._told_at is None else self._told_at + _LOSSES_EVERY_S


class Reports:
    """Remembers what was said."""

    def __init__(self) -> None:
        self._failing = False
        self._refused: set[int | None] = set()
        self._too_large = False
        self._too_late = False
        self._overflow = _Losses("%d events were dropped because too many wait to be sent")
        self._spool = _Losses("%d events were dropped because the spool is full")

    def accepted(self) -> None:
        """The collector took events."""
        if self._failing:
            self._failing = False
            _log.info("the collector takes events again")

    def failed(self, verdict: Verdict) -> None:
        """Events could not be sent and will be tried again."""
        if not self._failing:
            self._failing = True
            _log.warning("events cannot be sent now and will be tried again: %s", verdict.reason)

    def refused(self, verdict: Verdict, count: int) -> None:
        """The collector will never take these events."""
        if verdict.status in self._refused:
            return
        self._refused.add(verdict.status)
        what = _WHAT_TO_DO.get(
            verdict.status or 0, "it may be no collector of events, or not understand them"
        )
        _log.warning(
            "%d events were refused and are lost; more are counted and not reported: %s; %s",
            count,
            verdict.reason,
            what,
        )

    def too_large(self, verdict: Verdict) -> None:
        """A single event is more than the collector takes."""
        if not self._too_large:
            self._too_large = True
            _log.warning(
                "an event is too large and lost; more are counted and not reported: %s", verdict.reason
            )

    def not_in_time(self, count: int) -> None:
        """So many events were left when the time to shut down was over."""
        if count > 0:
            _log.warning("%d events could not be sent within the time to shut down, and are lost", count)

    def too_late(self) -> None:
        """Events come when the process has sent its last ones."""
        if not self._too_late:
            self._too_late = True
            _log.warning("events are recorded after the end of this process, and lost unless it flushes them")

    def lost(self, overflowed: int, spool_full: int, now: float, *, at_once: bool) -> None:
        """So many events were dropped so far because too many wait, and because the spool is full."""
        self._overflow.tell(overflowed, now, at_once=at_once)
        self._spool.tell(spool_full, now, at_once=at_once)

    def lost_due(self, overflowed: int, spool_full: int) -> float | None:
        """When there is a loss to report, on the clock; None if there is none."""
        due = [self._overflow.due(overflowed), self._spool.due(spool_full)]
        return min((at for at in due if at is not None), default=None)
