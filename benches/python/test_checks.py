"""What a check of a gate costs, by what is asked about whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cases import CASES, NAMES, user_fields
from statsig_fastly import StatsigUser

if TYPE_CHECKING:
    from collections.abc import Callable

    from statsig_fastly import Statsig

USER = StatsigUser(**user_fields(0))
GATE = NAMES["B"]

WAYS: dict[str, Callable[[Statsig], object]] = {
    "call that does nothing": lambda _: None,
    "unknown name": lambda statsig: statsig.check_gate(USER, "nope"),
    "id as str": lambda statsig: statsig.check_gate("user-42", GATE),
    "user as dict": lambda statsig: statsig.check_gate({"userID": "user-42"}, GATE),
    "whole result": lambda statsig: statsig.get_feature_gate(USER, GATE),
    "whole result, value and reason read": lambda statsig: (
        (gate := statsig.get_feature_gate(USER, GATE)).value,
        gate.details.reason,
    ),
}


@pytest.mark.parametrize("letter", "ABC")
def test_case(benchmark: Any, statsig: Statsig, letter: str) -> None:
    benchmark.group = "check_gate, same user"
    benchmark.name = f"{letter}: {CASES[letter]}"
    benchmark(statsig.check_gate, USER, NAMES[letter])


@pytest.mark.parametrize("way", WAYS)
def test_way_to_ask(benchmark: Any, statsig: Statsig, way: str) -> None:
    benchmark.group = "50 % gate, in a lambda"
    benchmark(WAYS[way], statsig)


@pytest.mark.parametrize("count", [1, 10, 100])
def test_many_gates(benchmark: Any, statsig: Statsig, count: int) -> None:
    benchmark.group = "check_gates, same user"
    benchmark(statsig.check_gates, USER, [GATE, *(f"gate_{n}" for n in range(1, count))])


def test_everything(benchmark: Any, statsig: Statsig) -> None:
    benchmark.group = "evaluate_all"
    benchmark(statsig.evaluate_all, USER)
