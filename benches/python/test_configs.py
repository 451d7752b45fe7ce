"""What a dynamic config and an experiment cost, and what it costs to read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cases import NAMES, user_fields
from statsig_fastly import StatsigUser
from statsig_fastly.sample_project import PRICING_CONFIG

if TYPE_CHECKING:
    from collections.abc import Callable

    from statsig_fastly import Statsig

USER = StatsigUser(**user_fields(0))
EXPERIMENT = NAMES["D"]

READS: dict[str, Callable[[Statsig], object]] = {
    "experiment": lambda statsig: statsig.get_experiment(USER, EXPERIMENT),
    "experiment, one parameter": lambda statsig: statsig.get_experiment(USER, EXPERIMENT).get("color", "red"),
    "experiment, group": lambda statsig: statsig.get_experiment(USER, EXPERIMENT).group_name,
    "dynamic config": lambda statsig: statsig.get_dynamic_config(USER, PRICING_CONFIG),
    "dynamic config, whole value": lambda statsig: statsig.get_dynamic_config(USER, PRICING_CONFIG).value,
}


@pytest.mark.parametrize("read", READS)
def test_read(benchmark: Any, statsig: Statsig, read: str) -> None:
    benchmark.group = "configs, same user"
    benchmark(READS[read], statsig)
