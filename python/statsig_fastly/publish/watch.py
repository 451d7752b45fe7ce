"""Keeping a store up to date: a loop that looks at the source, publishes what is new, and tells how it goes.

In: a source and a publisher. Out: calls of `report`, one for each look that has something to tell. Several of
these may run at once: what one has published is unchanged for the others.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from statsig_fastly.backoff import Chance, pause_after
from statsig_fastly.errors import AdapterError, StatsigFastlyError
from statsig_fastly.publish.refused import PublishRefusedError
from statsig_fastly.publish.report import Outcome

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from statsig_fastly.adapters import SpecAdapter
    from statsig_fastly.publish.publisher import Publisher
    from statsig_fastly.publish.report import PublishReport

__all__ = ["Stopped", "Watch", "WatchState"]

# How often the store is looked at where the source has nothing new: somebody else may have written to it.
_STORE_AGAIN_S: Final = 60.0
_BESIDE_S: Final = 60.0
_LONGEST_PAUSE_S: Final = 60.0
_JITTER: Final = 0.1


WatchOutcome: TypeAlias = Literal[Outcome, "nothing new", "refused", "failed"]


class Stopped(BaseException):
    """The loop is to end, and something was waiting."""


@dataclass(frozen=True, slots=True)
class WatchState:
    """How it goes, after a look.

    Attributes:
        outcome: What became of a payload as in `PublishReport`; `nothing new` if the source has nothing new;
            `refused` if a guard kept it from being published; `failed`.
        at: When the look ended, in seconds since the epoch.
        error: What went wrong, or why it was refused.
        failures: How many looks in a row have failed.
        succeeded_at: When a look last did not fail, in seconds since the epoch; None for never.
        published_at: When something was last published, in seconds since the epoch; None for never.
        time: Time of the payload in the store as far as it is known, in ms since the epoch.
        refused: Why what the source has is not in the store: what a guard said of it last; None if it is.
    """

    outcome: WatchOutcome
    at: float
    error: str | None = None
    failures: int = 0
    succeeded_at: float | None = None
    published_at: float | None = None
    time: int | None = None
    refused: str | None = None

    def is_healthy(self, now: float, within: float) -> bool:
        """Whether a look succeeded within so many seconds."""
        return self.succeeded_at is not None and now - self.succeeded_at <= within

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON data."""
        return asdict(self)


class Watch:
    """Looks again and again.

    Args:
        source: Where payloads come from.
        publisher: What publishes them. Its waits should end with `wait`.
        interval: Seconds from the end of a look to the next.
        stopped: Ends the loop when it is set.
        report: Told of every look.
        beside: What else is to be done, about once a minute, such as publishing ID lists.
        clock: Seconds since the epoch.
        chance: Numbers from 0 to 1; None for a generator of its own.
    """

    def __init__(
        self,
        source: SpecAdapter,
        publisher: Publisher,
        interval: float,
        *,
        stopped: threading.Event,
        report: Callable[[WatchState, PublishReport | None], object],
        beside: Callable[[], object] | None = None,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] | None = None,
    ) -> None:
        self._source = source
        self._publisher = publisher
        self._interval = interval
        self._stopped = stopped
        self._report = report
        self._beside = beside
        self._beside_at: float | None = None
        self._clock = clock
        self._chance = Chance(chance)
        self._state = WatchState("nothing new", 0.0)
        self._held: str | None = None
        self._body: bytes | None = None
        self._store_seen_at = 0.0

    def run(self) -> None:
        """Looks until it is stopped. A look that is under way then is ended first, but for its waits."""
        while not self._stopped.is_set():
            try:
                pause = self.look()
            except Stopped:
                return
            if self._stopped.wait(pause):
                return

    def look(self) -> float:
        """Looks once, and returns for how many seconds to wait."""
        before = self._state
        report: PublishReport | None = None
        asked_for: float | None = None
        error: str | None = None
        refused = before.refused
        outcome: WatchOutcome
        try:
            try:
                report = self._publish()
                outcome = "nothing new" if report is None else report.outcome
                refused = refused if report is None else None
            except PublishRefusedError as kept_from:
                outcome, error = "refused", str(kept_from)
                refused = error
            self._do_beside()
        except (StatsigFastlyError, OSError) as failed:
            outcome, error = "failed", str(failed)
            asked_for = failed.retry_after if isinstance(failed, AdapterError) else None
        now = self._clock()
        failures = before.failures + 1 if outcome == "failed" else 0
        self._state = WatchState(
            outcome,
            now,
            error,
            failures,
            before.succeeded_at if failures else now,
            now if report is not None and report.outcome == "published" else before.published_at,
            before.time if report is None else report.time,
            refused,
        )
        self._report(self._state, report)
        pause = self._interval * (1 + _JITTER * self._chance())
        if failures:
            pause = max(pause, pause_after(failures, _LONGEST_PAUSE_S, self._chance))
        return pause if asked_for is None else max(pause, asked_for)

    def _do_beside(self) -> None:
        now = self._clock()
        if self._beside is None or (self._beside_at is not None and now - self._beside_at < _BESIDE_S):
            return
        self._beside()
        self._beside_at = now  # if it failed, the next look tries again

    def _publish(self) -> PublishReport | None:
        payload = self._source.fetch(self._held)
        now = self._clock()
        if payload is not None:
            # Remembered before it is published: what is refused is not downloaded at every look.
            self._held, self._body = payload.version, payload.body
        elif self._body is None or now - self._store_seen_at < _STORE_AGAIN_S:
            return None
        assert self._body is not None  # noqa: S101 - what the lines above say
        self._store_seen_at = 0.0  # if it fails, the next look tries again
        try:
            report = self._publisher.publish(self._body)
        except PublishRefusedError:
            self._store_seen_at = now
            raise
        self._store_seen_at = now
        return report
