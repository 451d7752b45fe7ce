"""What a call of the public API costs on the sample project with nothing recorded. Run with `make bench`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from statsig_fastly import MemoryAdapter, Statsig, StatsigOptions, StatsigUser
from statsig_fastly.sample_project import (
    BUTTON_EXPERIMENT,
    CHECKOUT_LAYER,
    PRICING_CONFIG,
    TEST_GATE,
    sample_project,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAYLOAD = json.dumps(sample_project()).encode()
USER = StatsigUser("user-42", country="NZ", custom={"plan": "pro"})


@pytest.fixture(scope="module")
def statsig() -> Iterator[Statsig]:
    options = StatsigOptions(data_adapter=MemoryAdapter(PAYLOAD), disable_all_logging=True)
    with Statsig("secret-bench", options) as statsig:
        yield statsig


CASES: dict[str, Callable[[Statsig], Any]] = {
    "call that does nothing": lambda _: None,
    "check_gate, unknown name": lambda s: s.check_gate(USER, "nope"),
    "check_gate, 50 %, same user": lambda s: s.check_gate(USER, TEST_GATE),
    "check_gate, 50 %, id as str": lambda s: s.check_gate("user-42", TEST_GATE),
    "check_gate, 50 %, new user": lambda s: s.check_gate(StatsigUser("user-42"), TEST_GATE),
    "new user with attributes": lambda _: StatsigUser("user-42", country="NZ", custom={"plan": "pro"}),
    "get_feature_gate": lambda s: s.get_feature_gate(USER, TEST_GATE).value,
    "get_experiment, one parameter": lambda s: s.get_experiment(USER, BUTTON_EXPERIMENT).get("color", "blue"),
    "get_layer, one parameter": lambda s: s.get_layer(USER, CHECKOUT_LAYER).get("steps", 1),
    "get_dynamic_config, whole value": lambda s: s.get_dynamic_config(USER, PRICING_CONFIG).value,
}


@pytest.mark.parametrize("case", CASES)
def test_call(benchmark: Any, statsig: Statsig, case: str) -> None:
    benchmark.group = "calls"
    benchmark(CASES[case], statsig)


@pytest.mark.parametrize("hash_name", ["djb2", "sha256", "none"])
def test_client_response(benchmark: Any, statsig: Statsig, hash_name: str) -> None:
    benchmark.group = "response for a client SDK"
    benchmark(statsig.get_client_initialize_response, USER, hash_name)


def test_load(benchmark: Any, statsig: Statsig) -> None:
    benchmark.group = f"load {len(PAYLOAD):,} bytes"
    benchmark(statsig._load, PAYLOAD, "bench")
