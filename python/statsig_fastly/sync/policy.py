"""When to look for something newer, as data."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Literal

__all__ = ["SyncPolicy"]


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
        if self.kind not in {"manual", "on_request", "background"}:
            raise ValueError(
                f"argument 'kind': expected 'manual', 'on_request' or 'background', got {self.kind!r}"
            )
        if self.kind != "manual":
            argument = "max_age" if self.kind == "on_request" else "interval"
            _check(argument, self.seconds, "seconds", threading.TIMEOUT_MAX)
            if self.seconds == 0:
                raise ValueError(f"argument '{argument}': expected seconds above 0, got {self.seconds}")
        _check("jitter", self.jitter, "a share", 1.0)

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
            ValueError: It is not above 0.
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


def _check(argument: str, value: object, what: str, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"argument '{argument}': expected {what} as int or float, got {type(value).__name__}")
    if not math.isfinite(value) or not 0 <= value <= most:
        raise ValueError(f"argument '{argument}': expected {what} from 0 to {most:g}, got {value!r}")
