"""What looks at an adapter came to: counts, lines in the log, callbacks, staleness.

In: the details of every look. Out: `SyncStats`. What is wrong is said once, and again when its cause changes.
"""

from __future__ import annotations

import logging
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from statsig_fastly.clocks import steady
from statsig_fastly.fork_lock import ForkLock
from statsig_fastly.sync.stats import SyncStats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from statsig_fastly.sync.in_use import PayloadInUse
    from statsig_fastly.sync.stats import SyncDetails

__all__ = ["Account", "cause_of"]

_log = logging.getLogger("statsig_fastly")

_NUMBER = re.compile(r"\d+(\.\d+)?(e[+-]?\d+)?")
_CAUSES_SAID = 100  # of troubles that are said once

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
        self._lock = ForkLock()
        self._start_over()

    def _start_over(self) -> None:
        self._made_at = self._clock()
        self._confirmed_at: float | None = None  # on the clock
        self._confirmed_by_other = 0.0
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
        self._failing = 0

    @contextmanager
    def _mine(self) -> Iterator[None]:
        """Has the lock. The numbers of a forked child are its own: they begin with the first use."""
        with self._lock as is_new:
            if is_new:
                self._start_over()
            yield

    @property
    def failing(self) -> int:
        """How many looks in a row did not succeed."""
        with self._mine():
            return self._failing

    def note(self, details: SyncDetails, *, report: bool = True, failures_before: int | None = None) -> None:
        """Counts a look, and says what is wrong.

        Args:
            details: What it came to.
            report: False logs no failure: whoever asked for the look does.
            failures_before: How many looks in a row had not succeeded, if other processes know better.
        """
        now = self._wall()
        with self._mine():
            self._looks[details.outcome] += 1
            error = None if details.error is None else str(details.error)
            if error is None:
                self._failing = 0
                self._confirmed_at, self._last_success_at = self._clock(), now
            else:
                self._failing = 1 + (self._failing if failures_before is None else failures_before)
                self._last_error, self._last_error_at = error, now
            cause = None if error is None else cause_of(error)
            before, self._error = self._error, cause
            not_used = _NOT_USED.get(details.outcome)
            was_not_used = self._not_used
            if details.changed or not_used is not None:
                self._not_used = not_used
        if error is not None and cause != before and report:
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
            self._tell_update(details)

    def report(self, details: SyncDetails) -> None:
        """Logs why a look that was counted already did not succeed, if it did not."""
        if details.error is not None:
            _log.warning("Statsig could not be synced: %s", details.error)

    def note_left_to_another(self) -> None:
        """Another process of this host looks, or just did."""
        with self._mine():
            self._left_to_another += 1
        self.check_stale()

    def note_taken(self, details: SyncDetails) -> None:
        """A newer ruleset came from another process of this host."""
        with self._mine():
            self._taken_from_another += 1
            self._not_used = None
        self._tell_update(details)

    def note_confirmed(self, at: float) -> None:
        """A look of another process of this host succeeded, `at` seconds since the epoch; 0: none did."""
        with self._mine():
            # Another time than before, not a later one: the clock may have been put back.
            if at in {0.0, self._confirmed_by_other}:
                return
            self._confirmed_by_other = self._last_success_at = at
            confirmed_at = self._clock() - max(0.0, self._wall() - at)
            self._confirmed_at = max(self._confirmed_at or confirmed_at, confirmed_at)

    def say_once(self, text: str) -> None:
        """Logs what is wrong with something that looks can do without."""
        with self._mine():
            cause = cause_of(text)
            is_new = cause not in self._said and len(self._said) < _CAUSES_SAID
            self._said.add(cause)
        if is_new:
            _log.warning("%s", text)

    def check_stale(self) -> None:
        """Notices that the ruleset has become stale, or no longer is."""
        if self._stale_after is None:
            return
        with self._mine():
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
        with self._mine():
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
                failing=self._failing,
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

    def _tell_update(self, details: SyncDetails) -> None:
        in_use = self._in_use
        age = max(0.0, self._wall() - (in_use.config_time or 0) / 1000)
        text = "Statsig has an update: %s, version %s, last changed %.0f s ago"
        _log.info(text, in_use.source, in_use.version, age)
        self._call(self._on_update, "on_update", details)

    def _since(self) -> float:
        return self._made_at if self._confirmed_at is None else self._confirmed_at

    def _call(self, callback: Callable[..., object] | None, name: str, argument: object) -> None:
        if callback is None:
            return
        try:
            callback(argument)
        except BaseException:  # of the application's own, sys.exit too; looking goes on  # noqa: BLE001
            _log.warning("%s failed", name, exc_info=True)


def cause_of(text: str) -> str:
    """What texts about the same trouble have in common: everything but their numbers."""
    return _NUMBER.sub("#", text)
