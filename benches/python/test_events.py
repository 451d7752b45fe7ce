"""What exposures add to a check, and what it takes to write them. Run with `make bench`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from statsig_fastly import FeatureGateEvaluationOptions, StatsigUser
from statsig_fastly._native import Evaluator, EventLog
from statsig_fastly.events.batches import encoded
from statsig_fastly.sample_project import TEST_GATE, sample_project

if TYPE_CHECKING:
    from collections.abc import Callable

PAYLOAD = json.dumps(sample_project()).encode()
USER = StatsigUser("user-42", country="NZ", custom={"plan": "pro"})
UNEXPOSED = FeatureGateEvaluationOptions(disable_exposure_logging=True)
BATCH = 2000


def log_of(capacity: int = 200_000) -> EventLog:
    return EventLog(batch_size=BATCH, capacity=capacity, dedupe_ms=3_600_000, dedupe_keys=100_000)


def evaluator(log: EventLog | None) -> Evaluator:
    made = Evaluator("production", {"service": "bench"}, events=log)
    made._load(PAYLOAD, "Bench")
    return made


SAME_USER: dict[str, Callable[[], Callable[[], object]]] = {
    "nothing recorded": lambda: _check(evaluator(None)),
    "exposed before": lambda: _check(evaluator(log_of())),
    "counted, not exposed": lambda: _check(evaluator(log_of()), UNEXPOSED),
}


def _check(of: Evaluator, options: FeatureGateEvaluationOptions | None = None) -> Callable[[], object]:
    return lambda: of.check_gate(USER, TEST_GATE, options)


@pytest.mark.parametrize("case", SAME_USER)
def test_check_of_the_same_user(benchmark: Any, case: str) -> None:
    benchmark.group = "check_gate, 50 %, same user"
    benchmark(SAME_USER[case]())


@pytest.mark.parametrize("records", [False, True], ids=["nothing recorded", "exposed"])
def test_check_of_each_user_once(benchmark: Any, records: bool) -> None:
    """Per 2,000 users, who were made before."""
    log = log_of() if records else None
    check = evaluator(log).check_gate
    made = 0

    def users() -> tuple[tuple[list[StatsigUser]], dict[str, Any]]:
        nonlocal made
        made += BATCH
        if log is not None:
            while log.take(BATCH) is not None:
                pass
        return ([StatsigUser(f"user-{n}") for n in range(made - BATCH, made)],), {}

    def check_each(users: list[StatsigUser]) -> None:
        for user in users:
            check(user, TEST_GATE)

    benchmark.group = "check_gate, 50 %, each of 2,000 users once"
    benchmark.pedantic(check_each, setup=users, rounds=100)


@pytest.mark.parametrize("compress", [False, True], ids=["JSON", "JSON and gzip"])
def test_encode(benchmark: Any, compress: bool) -> None:
    """Per 2,000 exposures of as many users."""
    log = log_of()
    check = evaluator(log).check_gate
    made = 0

    def batch() -> tuple[tuple[Any], dict[str, Any]]:
        nonlocal made
        made += BATCH
        for n in range(made - BATCH, made):
            check(StatsigUser(f"user-{n}", email=f"user-{n}@example.com", custom={"plan": "pro"}), TEST_GATE)
        return (log.take(BATCH),), {}

    benchmark.group = "encode 2,000 exposures"
    benchmark.pedantic(lambda taken: encoded(taken, {}, compress=compress), setup=batch, rounds=50)
