"""How long to leave a server alone after failures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Backoff", "Chance", "pause_after", "shortened"]

SHORTEST_S = 1.0
LONGEST_S = 60.0


class Chance:
    """Numbers from 0 to 1.

    Args:
        given: What gives them; None for the system.
    """

    def __init__(self, given: Callable[[], float] | None = None) -> None:
        self._given = given

    def __call__(self) -> float:
        """The next one."""
        if self._given is None:
            # Imported with the first use: it brings hashlib. Not the module's own numbers, which may be
            # seeded, and counted on, by the application; and none with a state, which forked children and the
            # sandboxes of a Compute service would have in common.
            from random import SystemRandom

            self._given = SystemRandom().random
        return self._given()


def shortened(seconds: float, chance: Callable[[], float]) -> float:
    """Seconds between all and half of `seconds`, so that many who failed together do not return together."""
    return seconds * (0.5 + chance() / 2)


def pause_after(failures: int, longest: float, chance: Callable[[], float]) -> float:
    """Seconds to wait after so many failures in a row.

    Doubles from 1 s on, up to `longest`; chance shortens it to between all and half of it.

    Args:
        failures: At least 1.
        longest: Seconds.
        chance: Numbers from 0 to 1.
    """
    doublings = min(failures - 1, 62)  # a float holds more, and nobody waits for so long
    return shortened(min(SHORTEST_S * 2.0**doublings, longest), chance)


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
        self._chance = Chance(random)
        self.seconds = SHORTEST_S
        # Not now: that may be the future of a Compute service, which is made by a machine with another clock.
        self.own_until = self.asked_until = -math.inf

    @property
    def until(self) -> float:
        """When the server may be asked again."""
        return max(self.own_until, self.asked_until)

    def failed(self, retry_after: float | None) -> None:
        """Notes a failure, and the seconds its answer asked for."""
        now = self._clock()
        self.own_until = now + shortened(self.seconds, self._chance)
        self.seconds = min(self.seconds * 2, LONGEST_S)
        if retry_after is not None:
            self.asked_until = now + retry_after

    def succeeded(self) -> None:
        """Notes that the server did what it was asked."""
        self.seconds = max(self.seconds / 2, SHORTEST_S)
        self.own_until = self.asked_until = self._clock()
