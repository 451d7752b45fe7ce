"""What a layer costs, and what it costs to read its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cases import user_fields
from statsig_fastly import StatsigUser
from statsig_fastly.sample_project import CHECKOUT_LAYER

if TYPE_CHECKING:
    from collections.abc import Callable

    from statsig_fastly import Statsig

USER = StatsigUser(**user_fields(0))

READS: dict[str, Callable[[Statsig], object]] = {
    "layer": lambda statsig: statsig.get_layer(USER, CHECKOUT_LAYER),
    "one parameter": lambda statsig: statsig.get_layer(USER, CHECKOUT_LAYER).get("steps", 1),
    "two parameters": lambda statsig: (
        (layer := statsig.get_layer(USER, CHECKOUT_LAYER)).get("steps", 1),
        layer.get("title", ""),
    ),
}


@pytest.mark.parametrize("read", READS)
def test_read(benchmark: Any, statsig: Statsig, read: str) -> None:
    benchmark.group = "layers, same user"
    benchmark(READS[read], statsig)
