"""How long checks of a payload take on this machine.

In: a payload. Out: nanoseconds per check for each spec, and what loading the payload takes.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from statsig_fastly._native import Evaluator
from statsig_fastly.publish.specs import Specs
from statsig_fastly.publish.users import made_up_users

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statsig_fastly._native import StatsigUser

__all__ = ["Measured", "SpecTime", "measure"]

_USERS: Final = 64
_ROUNDS: Final = 7
_LOADS: Final = 5


@dataclass(frozen=True, slots=True)
class SpecTime:
    """How long a check of one spec takes, in nanoseconds: the median of rounds over many users."""

    kind: str
    name: str
    ns: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured.

    Attributes:
        size: Bytes of the payload.
        load_ms: Milliseconds to parse and compile it, the shortest of five times.
        users: How many users each spec was checked for. They are made before.
        checks: How many checks were made.
        ns: Nanoseconds per check by kind: median, and the largest over all specs.
        slowest: The specs that take longest.
    """

    size: int
    load_ms: float
    users: int
    checks: int
    ns: dict[str, dict[str, float]]
    slowest: tuple[SpecTime, ...]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON data."""
        return asdict(self)


def measure(
    body: bytes, *, seconds: float = 2.0, progress: Callable[[int, int], object] | None = None
) -> Measured:
    """Times checks of every spec, without exposures.

    Args:
        body: The payload.
        seconds: For how long about, all together.
        progress: Told how many specs are done, and of how many.

    Raises:
        PayloadError: It does not compile.
    """
    loads = []
    for _ in range(_LOADS):
        evaluator = Evaluator()
        began = time.perf_counter()
        evaluator._load(body, "Bench")  # noqa: SLF001 - its own package
        loads.append(time.perf_counter() - began)
    specs = Specs.parse(body)
    users = made_up_users(_USERS, [specs])
    asked = _asked(specs, evaluator)
    times: list[SpecTime] = []
    checks = 0
    for number, (kind, name, check) in enumerate(asked, 1):
        repeats = _repeats(check, name, users, seconds / max(len(asked), 1))
        rounds = [_round(check, name, users, repeats) for _ in range(_ROUNDS)]
        checks += _ROUNDS * repeats * len(users)
        times.append(SpecTime(kind, name, median(rounds)))
        if progress is not None:
            progress(number, len(asked))
    kinds = {
        kind: [each.ns for each in times if each.kind == kind] for kind in dict.fromkeys(k for k, *_ in asked)
    }
    return Measured(
        len(body),
        min(loads) * 1000,
        len(users),
        checks,
        {kind: {"median": median(found), "largest": max(found)} for kind, found in kinds.items()},
        tuple(sorted(times, key=lambda each: -each.ns)[:10]),
    )


def _asked(specs: Specs, evaluator: Evaluator) -> list[tuple[str, str, Callable[[StatsigUser, str], object]]]:
    found: list[tuple[str, str, Callable[[StatsigUser, str], object]]] = []
    for ref in specs.refs():
        spec = specs.spec(ref) or {}
        if ref.pool == "gate" and spec.get("entity") not in {"segment", "holdout"}:
            found.append(("gate", ref.name, evaluator.check_gate))
        elif ref.pool == "config" and spec.get("entity") == "dynamic_config":
            found.append(("config", ref.name, evaluator.get_dynamic_config))
        elif ref.pool == "config":
            found.append(("experiment", ref.name, evaluator.get_experiment))
        elif ref.pool == "layer":
            found.append(("layer", ref.name, evaluator.get_layer))
    return found


def _repeats(
    check: Callable[[StatsigUser, str], object], name: str, users: Sequence[StatsigUser], seconds: float
) -> int:
    once = _round(check, name, users, 1) * len(users) / 1e9
    return max(1, min(10_000, int(seconds / _ROUNDS / max(once, 1e-9))))


def _round(
    check: Callable[[StatsigUser, str], object], name: str, users: Sequence[StatsigUser], repeats: int
) -> float:
    """Nanoseconds per check, the loop around it included."""
    began = time.perf_counter_ns()
    for _ in range(repeats):
        for user in users:
            check(user, name)
    return (time.perf_counter_ns() - began) / (repeats * len(users))
