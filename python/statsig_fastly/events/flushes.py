"""Flushes that somebody waits for: asked for in any thread, answered by the one that sends."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Flushes"]


class Flushes:
    """Numbered in the order they are asked for; an answer is for all that were asked for before it began."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._asked = self._answered = 0

    @property
    def are_open(self) -> bool:
        """True if one was asked for that is not answered."""
        return self._answered < self._asked

    def ask(self) -> int:
        """Asks for one. Returns its number."""
        with self._changed:
            self._asked += 1
            return self._asked

    def wait_for(self, number: int, end: float | None) -> None:
        """Waits until it is answered, or until `end`, in seconds of `time.monotonic`."""
        with self._changed:
            while self._answered < number:
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    return
                self._changed.wait(left if left is None else min(left, threading.TIMEOUT_MAX))

    @contextmanager
    def answering(self) -> Iterator[None]:
        """A block that does what was asked for so far; with its end that is answered, whatever came of it."""
        asked = self._asked
        try:
            yield
        finally:
            with self._changed:
                self._answered = max(self._answered, asked)
                self._changed.notify_all()

    def call_off(self) -> None:
        """Answers all of them."""
        with self._changed:
            self._answered = self._asked
            self._changed.notify_all()
