"""What looks at an adapter came to: counts, lines in the log, callbacks, staleness.

In: the details of every look. Out: `SyncStats`. What is wrong is said once, and again when its cause changes.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING

from statsig_fastly.clocks import steady
from statsig_fastly.sync.stats import SyncStats

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from statsig_fastly.sync.in_use import PayloadInUse
    from statsig_fastly.sync.stats import SyncDetails

__all__ = ["Account"]

_log = logging.getLogger("statsig_fastly")

_NOT_USED = {
    "older": "it has an older payload than the one in use, which stays",
    "no_updates": "its payload says that it is none (`has_updates` is false)",
}


class Account:
    """Counts looks, and tells whoever wants to know how they go.

    Args:
        name: The adapter's.
        in_use: What is in use.
        stale_after: Seconds without a look that succeeds after which the ruleset is stale; None: never.
        on_update: Called with the details of a look that brought a newer ruleset, in whatever thread looked.
        on_stale: Called with `SyncStats` when the ruleset becomes stale.
        clock: Seconds of a clock that only moves forward.
        wall: Seconds since the epoch.

    Attributes:
        failing: How many looks in a row did not succeed.
    """

    def __init__(
        self,
        name: str,
        in_use: PayloadInUse,
        *,
        stale_after: float | None = None,
        on_update: Callable[[SyncDetails], object] | None = None,
        on_stale: Callable[[SyncStats], object] | None = None,
        clock: Callable[[], float] = steady,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._name = name
        self._in_use = in_use
        self._stale_after = stale_after
        self._on_update = on_update
        self._on_stale = on_stale
        self._clock = clock
        self._wall = wall
        self._lock = threading.RLock()  # a signal handler may ask for numbers at any time
        self._process = os.getpid()
        self._made_at = clock()
        self._confirmed_at: float | None = None  # on the clock
        self._is_stale = False
        self._last_success_at: float | None = None
        self._last_error: str | None = None
        self._last_error_at: float | None = None
        self._error: str | None = None
        self._not_used: str | None = None
        self._said: set[str] = set()
        names = ("applied", "unchanged", "older", "no_updates", "refused", "failed")
        self._looks = dict.fromkeys(names, 0)
        self._left_to_another = self._taken_from_another = 0
        self.failing = 0

    @property
    def error(self) -> str | None:
        """Why the last look did not succeed; None if it did."""
        return self._error

    def note(self, details: SyncDetails, *, report: bool = True) -> None:
        """Counts a look, and says what is wrong.

        Args:
            details: What it came to.
            report: False logs no failure: whoever asked for the look does.
        """
        now = self._wall()
        with self._own_lock():
            self._looks[details.outcome] += 1
            error = None if details.error is None else str(details.error)
            if error is None:
                self.failing = 0
                self._confirmed_at, self._last_success_at = self._clock(), now
            else:
                self.failing += 1
                self._last_error, self._last_error_at = error, now
            before, self._error = self._error, error
            not_used = _NOT_USED.get(details.outcome)
            was_not_used = self._not_used
            if details.changed or not_used is not None:
                self._not_used = not_used
        if error is not None and error != before and report:
            _log.warning("Statsig could not be synced: %s", error)
        if error is None and before is not None:
            _log.info("Statsig can be synced again")
        # Not at each turn of a store whose copies differ: until something newer is used.
        if not_used is not None and not_used != was_not_used and report:
            # Reads of a store are eventually consistent: an older copy now and then is no trouble.
            level = logging.INFO if details.outcome == "older" else logging.WARNING
            _log.log(level, "Statsig is not synced with %s: %s", self._name, not_used)
        self.check_stale()
        if details.changed:
            self._call(self._on_update, "on_update", details)

    def report(self, details: SyncDetails) -> None:
        """Logs why a look that was counted already did not succeed, if it did not."""
        if details.error is not None:
            _log.warning("Statsig could not be synced: %s", details.error)

    def note_left_to_another(self) -> None:
        """Another process of this host looks, or just did."""
        with self._own_lock():
            self._left_to_another += 1
        self.check_stale()

    def note_taken(self, details: SyncDetails) -> None:
        """A newer ruleset came from another process of this host."""
        with self._own_lock():
            self._taken_from_another += 1
            self._not_used = None
        self._call(self._on_update, "on_update", details)

    def note_confirmed(self, at: float) -> None:
        """A look of another process of this host succeeded, `at` seconds since the epoch."""
        with self._own_lock():
            if self._last_success_at is not None and at <= self._last_success_at:
                return
            self._last_success_at = at
            self._confirmed_at = self._clock() - max(0.0, self._wall() - at)

    def say_once(self, text: str) -> None:
        """Logs what is wrong with something that looks can do without."""
        with self._own_lock():
            is_new = text not in self._said
            self._said.add(text)
        if is_new:
            _log.warning("%s", text)

    def check_stale(self) -> None:
        """Notices that the ruleset has become stale, or no longer is."""
        if self._stale_after is None:
            return
        with self._own_lock():
            silent_for = self._clock() - self._since()
            was_stale, self._is_stale = self._is_stale, silent_for >= self._stale_after
        if self._is_stale == was_stale:
            return
        if not self._is_stale:
            _log.info("the ruleset is no longer stale")
            return
        why = self._last_error or "none was made"
        _log.warning(
            "the ruleset is stale: for %.0f s no look at %s has succeeded: %s", silent_for, self._name, why
        )
        self._call(self._on_stale, "on_stale", self.stats())

    def seconds_until_stale(self) -> float | None:
        """Seconds until the ruleset becomes stale if no look succeeds; None: it never does, or it is."""
        if self._stale_after is None or self._is_stale:
            return None
        return max(0.0, self._since() + self._stale_after - self._clock())

    def stats(self) -> SyncStats:
        """What is in use, and how looks went so far."""
        with self._own_lock():
            config_time, looks = self._in_use.config_time, self._looks
            return SyncStats(
                source=self._in_use.source,
                config_time=config_time,
                config_age=None if config_time is None else max(0.0, self._wall() - config_time / 1000),
                version=self._in_use.version,
                unconfirmed=None if self._confirmed_at is None else self._clock() - self._confirmed_at,
                is_stale=self._is_stale,
                last_success_at=self._last_success_at,
                last_error=self._last_error,
                last_error_at=self._last_error_at,
                failing=self.failing,
                looks=sum(looks.values()),
                applied=looks["applied"],
                unchanged=looks["unchanged"],
                older=looks["older"],
                no_updates=looks["no_updates"],
                refused=looks["refused"],
                failed=looks["failed"],
                left_to_another=self._left_to_another,
                taken_from_another=self._taken_from_another,
            )

    def _since(self) -> float:
        return self._made_at if self._confirmed_at is None else self._confirmed_at

    def _own_lock(self) -> AbstractContextManager[bool]:
        if self._process != os.getpid():  # forked, perhaps while another thread held it
            self._lock, self._process = threading.RLock(), os.getpid()
        return self._lock

    def _call(self, callback: Callable[..., object] | None, name: str, argument: object) -> None:
        if callback is None:
            return
        try:
            callback(argument)
        except Exception:  # of the application's own; looking goes on  # noqa: BLE001
            _log.warning("%s failed", name, exc_info=True)
