"""How long to leave the collector alone after failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Backoff"]

SHORTEST_S = 1.0
LONGEST_S = 60.0


class Backoff:
    """Doubles with every failure and halves with every success, as the official SDK's does.

    Args:
        clock: Seconds of some clock that only moves forward.
        random: Numbers from 0 to 1; None for a generator of its own.

    Attributes:
        seconds: How long the next failure counts, before chance shortens it to between all and half of it.
        own_until: When this backoff is over, on the clock.
        asked_until: When the time is over for which the server asked to be left alone, on the clock.
    """

    def __init__(self, clock: Callable[[], float], random: Callable[[], float] | None) -> None:
        self._clock = clock
        self._random = random
        self.seconds = SHORTEST_S
        self.own_until = self.asked_until = clock()

    @property
    def until(self) -> float:
        """When the collector may be asked again."""
        return max(self.own_until, self.asked_until)

    def failed(self, retry_after: float | None) -> None:
        """Notes a failure, and the seconds its answer asked for."""
        now = self._clock()
        self.own_until = now + self.seconds * (0.5 + self._chance() / 2)
        self.seconds = min(self.seconds * 2, LONGEST_S)
        if retry_after is not None:
            self.asked_until = now + retry_after

    def succeeded(self) -> None:
        """Notes that the collector took something."""
        self.seconds = max(self.seconds / 2, SHORTEST_S)
        self.own_until = self.asked_until = self._clock()

    def _chance(self) -> float:
        if self._random is None:
            # Imported with the first failure: it brings hashlib. Not the module's own numbers, which may be
            # seeded, and counted on, by the application.
            from random import Random

            self._random = Random().random  # noqa: S311 - nothing secret
        return self._random()
