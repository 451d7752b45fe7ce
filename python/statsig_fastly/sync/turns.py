"""Looks that the processes of a host make for each other.

In: what they know of the store (`SharedPolling`), and the payload that was kept last (`LastKnownGood`). Out:
a look of this process if it is due and nobody else makes it, or else what another one found.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from statsig_fastly.errors import AdapterError, PayloadError
from statsig_fastly.sync.stats import SyncDetails

if TYPE_CHECKING:
    from collections.abc import Callable

    from statsig_fastly.sync.account import Account
    from statsig_fastly.sync.in_use import PayloadInUse
    from statsig_fastly.sync.last_known_good import LastKnownGood
    from statsig_fastly.sync.look import Looker
    from statsig_fastly.sync.shared import SharedPolling, SharedState

__all__ = ["SharedLooker"]

# For how long a look that was asked for waits for another process that looks, and how long between.
_OTHER_S = 5.0
_OTHER_AGAIN_S = 0.02

# A look that is not over after so many seconds is not waited for: its process may have been stopped.
_HANGS_S = 60.0


class SharedLooker:
    """Looks in turn with other processes of the host: see `Looks`.

    Args:
        looker: What looks when it is this process' turn.
        shared: What all of them know.
        kept: The payload that was kept last, by any of them.
        in_use: What this process has in use.
        account: Told what every look came to.
        pause: For how many seconds after a look no process need look, given how many looks in a row did not
            succeed and for how many seconds the store asked to be left alone.
        clock: Seconds of a clock that only moves forward.
        wall: Seconds since the epoch.
    """

    is_shared = True

    def __init__(
        self,
        looker: Looker,
        shared: SharedPolling,
        kept: LastKnownGood,
        in_use: PayloadInUse,
        account: Account,
        *,
        pause: Callable[[int, float | None], float],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._looker = looker
        self._shared = shared
        self._kept = kept
        self._in_use = in_use
        self._account = account
        self._pause = pause
        self._clock = clock
        self._wall = wall
        # When this process may ask for itself what the others have and it cannot get, on the clock.
        self._alone_at = clock()
        self._passed_over = b""

    def look(self, *, report: bool = True) -> SyncDetails:
        """As `Looks` says."""
        return self._look(report, forced=True, patience=_OTHER_S)

    def look_if_due(self, *, report: bool = True, patience: float = 0.0) -> SyncDetails:
        """As `Looks` says."""
        return self._look(report, forced=False, patience=patience)

    def forked(self) -> None:
        """As `Looks` says: an open file that is inherited has the parent's lock."""
        self._shared.close()

    def close(self) -> None:
        """As `Looks` says."""
        self._shared.close()

    def _look(self, report: bool, *, forced: bool, patience: float) -> SyncDetails:
        try:
            return self._look_in_turn(report, forced=forced, patience=patience)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            self._account.say_once(f"looks cannot be shared with other processes: {reason}")
            return self._looker.look(report=report)

    def _look_in_turn(self, report: bool, *, forced: bool, patience: float) -> SyncDetails:
        end = self._clock() + patience
        while True:
            state = self._shared.state()
            taken = self._take(state)
            wants = forced or state.is_due(self._wall()) or self._is_left_behind(state)
            if not wants:
                return self._leave(taken)
            details = None
            with self._shared.turn() as is_mine:
                if is_mine and (forced or self._shared.state() == state):
                    details = self._ask(state)
            if details is None and not is_mine and state.hangs(self._wall(), _HANGS_S):
                details = self._ask(state)
            if details is not None:
                # Callbacks of the application's own do not have the turn.
                self._account.note(details, report=report, failures_before=state.failures)
                return details
            if is_mine:
                continue  # another process was quicker, and is done
            if self._clock() >= end:
                return self._looker.look(report=report) if forced else self._leave(taken)
            threading.Event().wait(_OTHER_AGAIN_S)

    def _take(self, state: SharedState) -> bool:
        """Uses the payload that another process found. True if it is in use now, and was not before."""
        self._account.note_confirmed(state.confirmed_at)
        if not state.digest or state.digest in {self._in_use.digest, self._passed_over}:
            return False
        if not self._in_use.is_there and state.is_due(self._wall()):
            return False  # at a start what the store has counts, also if it is older than what was kept
        try:
            kept = self._kept.load()
            if kept is None or kept.digest == self._in_use.digest:
                return False
            outcome = self._looker.take_from_another(kept.payload, str(self._kept.path))
        except (AdapterError, PayloadError) as error:
            self._account.say_once(str(error))
            return False
        if outcome != "applied":
            self._passed_over = kept.digest
            return False
        self._account.note_taken(SyncDetails("applied", self._in_use.config_time))
        return True

    def _is_left_behind(self, state: SharedState) -> bool:
        """True if others have what this process cannot get from them, and it may ask for that itself."""
        has_it = self._in_use.is_there and (
            not state.digest or state.digest in {self._in_use.digest, self._passed_over}
        )
        return not has_it and self._clock() >= self._alone_at

    def _ask(self, before: SharedState) -> SyncDetails:
        self._shared.write(replace(before, begun_at=self._wall()))
        details = self._looker.ask()
        succeeded = details.error is None
        failures = 0 if succeeded else before.failures + 1
        asked_for: float | None = getattr(details.error, "retry_after", None)
        pause, now = self._pause(failures, asked_for), self._wall()
        self._alone_at = self._clock() + pause
        self._shared.write(
            replace(
                before,
                failures=failures,
                begun_at=now,
                asked_at=now,
                due_at=now + pause,
                confirmed_at=now if succeeded else before.confirmed_at,
                digest=(self._in_use.digest or b"") if succeeded else before.digest,
            )
        )
        return details

    def _leave(self, taken: bool) -> SyncDetails:
        self._account.note_left_to_another()
        return SyncDetails("applied" if taken else "left_to_another", self._in_use.config_time)
