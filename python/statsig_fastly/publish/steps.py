"""The steps that a publish is made of: who is told of them, and how long each of them took."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Steps"]


class Steps:
    """Tells of steps, and takes their time.

    Args:
        progress: Told of every step by its name, and within it of how much is done of how much.

    Attributes:
        seconds: How long each step took, by its name; the sum where it was done several times.
    """

    def __init__(self, progress: Callable[[str, int, int], object] | None = None) -> None:
        self._progress = progress
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Tells of a step, and notes how long it took."""
        self.tell(step, 0, 0)
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - began

    def tell(self, step: str, done: int, all_of_it: int) -> None:
        """Tells how much of a step is done."""
        if self._progress is not None:
            self._progress(step, done, all_of_it)
