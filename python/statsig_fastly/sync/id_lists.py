"""Keeps the ID lists of a client up to date, beside its payload.

In: an `IdListSync`, and looks at the adapter, with which rounds are made. Out: rounds, one when it is time,
and an account of them. What is wrong is said once, and again when its cause changes.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from statsig_fastly.clocks import steady
from statsig_fastly.completion import Completion
from statsig_fastly.fork_lock import ForkLock
from statsig_fastly.sync.account import cause_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from statsig_fastly.id_list_sync import IdListRound, IdListSync

__all__ = ["IdListStats", "IdLists"]

_log = logging.getLogger("statsig_fastly")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdListStats:
    """How fetching ID lists went so far, in this process.

    Attributes:
        lists: Lists that were fetched and are in use.
        rounds: How often it was looked which there are.
        failed_rounds: Those of them in which a list, or the index of all, could not be read.
        bytes_read: Bytes of list files that came.
        last_success_at: When all lists were up to date last, in seconds since the epoch, or None.
        last_error: Why the last round that failed did, or None.
    """

    lists: int = 0
    rounds: int = 0
    failed_rounds: int = 0
    bytes_read: int = 0
    last_success_at: float | None = None
    last_error: str | None = None


class IdLists:
    """Makes rounds over the ID lists.

    Args:
        sync: What makes a round.
        interval: Seconds between two of them, at least.
        clock: Seconds of a clock that only moves forward.
        wall: Seconds since the epoch.
    """

    def __init__(
        self,
        sync: IdListSync,
        interval: float,
        *,
        clock: Callable[[], float] = steady,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._sync = sync
        self._interval = interval
        self._clock = clock
        self._wall = wall
        self._lock = ForkLock()
        self._due_at = clock()
        self._said: str | None = None
        self._stats = IdListStats()

    def start(self, timeout: float) -> bool:
        """Makes the first round. True if all lists came within so many seconds; else it goes on."""
        first = Completion.run(self.round, name="statsig-fastly-id-lists")
        return first.wait(timeout) and first.result().complete

    def round_if_due(self) -> None:
        """Makes a round if it is time to, and none is being made."""
        with self._lock:
            now = self._clock()
            if now < self._due_at:
                return
            self._due_at = now + self._interval  # whoever comes meanwhile leaves it to this one
        self.round()

    def round(self) -> IdListRound:
        """Makes a round now."""
        made = self._sync.round()
        with self._lock:
            self._due_at = self._clock() + self._interval
            error = None
            if made.error is not None:
                error = str(made.error)
            elif made.failed:
                name, first = next(iter(made.failed.items()))
                more = len(made.failed) - 1
                error = f"{name!r}: {first}" + (f", and {more} more" if more else "")
            before, stats = self._said, self._stats
            cause = self._said = None if error is None else cause_of(error)
            self._stats = IdListStats(
                lists=made.lists,
                rounds=stats.rounds + 1,
                failed_rounds=stats.failed_rounds + (error is not None),
                bytes_read=stats.bytes_read + made.bytes_read,
                last_success_at=self._wall() if error is None else stats.last_success_at,
                last_error=stats.last_error if error is None else error,
            )
        if error is not None and cause != before:
            _log.warning("ID lists could not be synced: %s", error)
        elif error is None and before is not None:
            _log.info("ID lists can be synced again")
        return made

    def stats(self) -> IdListStats:
        """How it went so far."""
        return self._stats
