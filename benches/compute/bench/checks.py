"""What one check costs: the same loops inside a component and outside."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cpu import cpu_seconds
from plain_gate import PlainGates

from statsig_fastly import Statsig, StatsigOptions, StatsigUser

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["loads", "microseconds"]

_GATE = "test_fastly"

# The least of so many.
_CHECKS = 5000
_REPEATS = 9
_LOADS = 15


def _best(count: int, work: Callable[[], object], repeats: int = _REPEATS) -> float:
    best = 1e9
    for _ in range(repeats):
        started = cpu_seconds()
        work()
        best = min(best, cpu_seconds() - started)
    return best / count * 1e6


def microseconds(body: bytes, count: int = _CHECKS) -> dict[str, float]:
    """Microseconds of one check, in several forms."""
    users = [f"user-{number}" for number in range(count)]
    user = StatsigUser("user-42")
    plain = PlainGates(body)
    options = StatsigOptions(bootstrap=body, disable_all_logging=True)
    with Statsig("secret-bench", options) as statsig:
        check = statsig.check_gate
        assert [check(one, _GATE) for one in users] == [plain.check_gate(one, _GATE) for one in users]
        costs = {
            "the loop alone": _best(count, lambda: [None for _ in users]),
            "one user object": _best(count, lambda: [check(user, _GATE) for _ in users]),
            "a new user object each": _best(count, lambda: [check(StatsigUser(one), _GATE) for one in users]),
            "an id each": _best(count, lambda: [check(one, _GATE) for one in users]),
            "plain Python": _best(count, lambda: [plain.check_gate(one, _GATE) for one in users]),
        }
    recording = Statsig(
        "secret-bench",
        StatsigOptions(bootstrap=body, log_event_transport=_Nowhere(), exposure_dedupe_max_keys=1000),
    )
    recording.initialize().wait()
    exposed = recording.check_gate
    costs["an id each, exposed"] = _best(count, lambda: [exposed(one, _GATE) for one in users])
    return costs


class _Nowhere:
    """Takes events and keeps none."""

    def send(self, request: object) -> object:
        """Says that they were accepted."""
        from statsig_fastly.transport import Response

        del request
        return Response(202, {}, b'{"success":true}')

    def close(self) -> None:
        """Does nothing."""


def loads(body: bytes) -> dict[str, float]:
    """Milliseconds to make a payload usable."""

    def load() -> None:
        Statsig("secret-bench", StatsigOptions(bootstrap=body, disable_all_logging=True)).initialize().wait()

    return {
        "the engine": _best(1, load, _LOADS) / 1000,
        "json.loads": _best(1, lambda: json.loads(body), _LOADS) / 1000,
    }
