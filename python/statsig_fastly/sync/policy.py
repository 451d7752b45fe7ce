"""When to look for something newer, as data."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal

__all__ = ["SyncPolicy"]

_SHORTEST_S = 0.001


@dataclass(frozen=True, slots=True)
class SyncPolicy:
    """When a client looks whether its adapter has something newer. Made by one of its class methods.

    Attributes:
        kind: `manual`, `on_request` or `background`.
        seconds: `max_age` or `interval`; 0 for `manual`.
        jitter: By which share of an interval chance brings a look forward at most, 0 to 1.
    """

    kind: Literal["manual", "on_request", "background"]
    seconds: float = 0.0
    jitter: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in ("manual", "on_request", "background"):  # a tuple: what comes may not be hashable
            raise ValueError(
                f"argument 'kind': expected 'manual', 'on_request' or 'background', got {self.kind!r}"
            )
        argument = {"manual": "seconds", "on_request": "max_age", "background": "interval"}[self.kind]
        least = 0.0 if self.kind == "manual" else _SHORTEST_S
        _check(argument, self.seconds, "seconds", least, threading.TIMEOUT_MAX)
        _check("jitter", self.jitter, "a share", 0.0, 1.0)

    @classmethod
    def manual(cls) -> SyncPolicy:
        """Only when `Statsig.sync` is called: for scripts, and where something else keeps time."""
        return cls("manual")

    @classmethod
    def on_request(cls, max_age: float = 10.0) -> SyncPolicy:
        """By a check that finds the last look `max_age` seconds old, or older; it does not wait for it.

        One look at a time is made by a process: after the response where a middleware of `statsig_fastly.web`
        is in place, and at once in a thread elsewhere. A process without traffic asks for nothing: for
        functions and other processes that are frozen between requests, and for many that are mostly idle.

        Args:
            max_age: Seconds.

        Raises:
            TypeError: It is no number.
            ValueError: It is less than 0.001.
        """
        return cls("on_request", max_age)

    @classmethod
    def background(cls, interval: float = 10.0, jitter: float = 0.1) -> SyncPolicy:
        """Every `interval` seconds, in one daemon thread: for servers.

        Args:
            interval: Seconds from the end of a look to the next one.
            jitter: By which share of the interval chance brings the next look forward at most, so that
                processes that were started together do not ask together.

        Raises:
            TypeError: An argument is no number.
            ValueError: An argument is out of range.
        """
        return cls("background", interval, jitter)


def _check(argument: str, value: object, what: str, least: float, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"argument '{argument}': expected {what} as int or float, got {type(value).__name__}")
    if not least <= value <= most:
        shown = value if isinstance(value, float) or abs(value) < most else "another number"
        raise ValueError(f"argument '{argument}': expected {what} from {least:g} to {most:g}, got {shown}")
