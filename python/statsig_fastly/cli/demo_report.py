"""What one run of `statsig-fastly demo` measured: every figure together with what was expected of it.

`demo_run` fills a `DemoReport`; `demo` shows it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

__all__ = [
    "STANDARD_ERRORS",
    "Answer",
    "Count",
    "DemoReport",
    "Explained",
    "Share",
    "Step",
    "Timing",
    "Traffic",
]

STANDARD_ERRORS: Final = 4.9
"""Half width of a band; a share that is as it should be falls outside once in a million."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of the users, 0 to 1, and the band it has to be in."""

    name: str
    measured: float
    expected: float
    low: float
    high: float
    ok: bool

    @classmethod
    def of(cls, name: str, hits: int, users: int, expected: float) -> Share:
        """The share `hits` of `users`, to be within `STANDARD_ERRORS` of `expected`."""
        margin = STANDARD_ERRORS * math.sqrt(expected * (1 - expected) / users)
        low, high = expected - margin, expected + margin
        measured = hits / users
        return cls(name, measured, expected, low, high, low <= measured <= high)

    @property
    def failure(self) -> str:
        """What is off, in one line."""
        return (
            f"{self.name}: expected {self.low:.2%} to {self.high:.2%} of the users, got {self.measured:.2%}"
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What one user got, and why."""

    value: object
    rule_id: str
    group: str | None
    secondary_exposures: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Explained:
    """One user's answer beside the one that the published project gives this user."""

    user: str
    case: str
    asked_for: str
    got: Answer
    expected: Answer
    ok: bool

    @property
    def failure(self) -> str:
        """What is off, in one line."""
        expected, got = asdict(self.expected), asdict(self.got)
        differences = [
            f"{name}: expected {expected[name]!r}, got {got[name]!r}"
            for name in expected
            if expected[name] != got[name]
        ]
        return f"{self.asked_for} for {self.user}: {'; '.join(differences)}"


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one step sent over HTTP and led to.

    Attributes:
        requests: Methods of the requests that the emulator recorded, in order.
        spec_bytes: Bytes of config specs in the bodies of requests and answers.
        applied: Whether the client uses a new ruleset now; None where no client took part.
        error: What the client says went wrong.
    """

    requests: tuple[str, ...]
    spec_bytes: int
    applied: bool | None = None
    error: str | None = None

    def __str__(self) -> str:
        parts = [" ".join(self.requests) or "no request", f"{self.spec_bytes} bytes of config specs"]
        if self.applied is not None:
            parts.append("a new ruleset" if self.applied else "no new ruleset")
        return ", ".join(parts) + (f" ({self.error})" if self.error else "")


@dataclass(frozen=True, slots=True)
class Step:
    """One step's traffic beside the one it should have had."""

    name: str
    got: Traffic
    expected: Traffic
    ok: bool

    @property
    def failure(self) -> str:
        """What is off, in one line."""
        return f"{self.name}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, slots=True)
class Count:
    """Something counted beside the number it should be."""

    name: str
    got: int
    expected: int
    ok: bool

    @classmethod
    def of(cls, name: str, got: int, expected: int) -> Count:
        """A count that is to be as expected."""
        return cls(name, got, expected, got == expected)

    @property
    def failure(self) -> str:
        """What is off, in one line."""
        return f"{self.name}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a check takes, in ns: the median of some rounds."""

    name: str
    ns_per_check: float
    rounds: int
    checks_per_round: int


@dataclass(frozen=True, slots=True)
class DemoReport:
    """All that one run measured. `steps` is in the order of events; timings are never off.

    `deduplicated` exposures were not sent, as they were repeated within a minute.
    """

    users: int
    seed: int
    store: str
    key: str
    metadata: str
    gates: int
    configs: int
    layers: int
    shares: tuple[Share, ...]
    explained: tuple[Explained, ...]
    steps: tuple[Step, ...]
    events: tuple[Count, ...]
    deduplicated: int
    timings: tuple[Timing, ...]

    @property
    def expectations(self) -> tuple[Share | Explained | Step | Count, ...]:
        """All figures that can be off."""
        return *self.shares, *self.explained, *self.steps, *self.events

    @property
    def failures(self) -> list[str]:
        """What is off, one line each."""
        return [figure.failure for figure in self.expectations if not figure.ok]

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values for JSON, with an `ok` for the whole."""
        return {"ok": not self.failures, **asdict(self)}
