"""Asking again after what may pass: as often as is of use, and no sooner than the store wants it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

from statsig_fastly.backoff import Chance, pause_after
from statsig_fastly.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Patience"]

T = TypeVar("T")

_LONGEST_PAUSE_S: Final = 30.0
_TOO_MANY: Final = 429
_WRITE_INTERVAL_S: Final = 1.0


class Patience:
    """Asks again after failures that are `retryable`, and keeps writes to one key a second apart.

    Args:
        attempts: How often at most one thing is asked for.
        wait: What waits for so many seconds. It may raise to give up.
        clock: Seconds of a clock that only moves forward.
        chance: Numbers from 0 to 1; None for a generator of its own.
    """

    def __init__(
        self,
        attempts: int = 6,
        *,
        wait: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] | None = None,
    ) -> None:
        self._attempts = attempts
        self._chance = Chance(chance)
        self._clock = clock
        self._written: dict[str, float] = {}
        self.wait = wait

    def ask(self, what: Callable[[], T]) -> T:
        """What `what` returns, once it does not fail.

        Raises:
            AdapterError: It failed for good, or too often.
        """
        failures = 0
        while True:
            try:
                return what()
            except AdapterError as error:
                failures += 1
                if not error.retryable or failures >= self._attempts:
                    raise
                pause = self.pause(failures)
                if error.status == _TOO_MANY:  # of a KV Store it means: one write a second
                    pause = max(pause, _WRITE_INTERVAL_S)
                if error.retry_after is not None:
                    pause = max(pause, error.retry_after)
            self.wait(pause)

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row."""
        return pause_after(failures, _LONGEST_PAUSE_S, self._chance)

    def await_turn(self, key: str) -> None:
        """Waits until a key may be written to again, if it was written to less than a second ago."""
        at = self._written.get(key)
        if at is not None and (left := at + _WRITE_INTERVAL_S - self._clock()) > 0:
            self.wait(left)

    def note_write(self, key: str) -> None:
        """Notes that a key was written to just now."""
        self._written[key] = self._clock()
