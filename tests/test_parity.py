"""Names and signatures of the official package, for all that both have."""

from __future__ import annotations

import inspect

import pytest
import statsig_python_core as official

import statsig_fastly

RESULTS = ["FeatureGate", "DynamicConfig", "Experiment", "Layer", "EvaluationDetails"]


def parameters(method: object) -> list[tuple[str, bool]]:
    """Name of each parameter but `self`, and whether it may be left out."""
    signature = inspect.signature(method)  # type: ignore[arg-type]
    return [
        (name, parameter.default is not inspect.Parameter.empty)
        for name, parameter in signature.parameters.items()
        if name != "self"
    ]


@pytest.mark.parametrize("name", RESULTS)
def test_results_have_every_official_method_with_its_parameters(name: str) -> None:
    theirs, ours = getattr(official, name), getattr(statsig_fastly, name)
    methods = [method for method, _ in inspect.getmembers(theirs, callable) if not method.startswith("_")]
    assert methods
    for method in methods:
        assert parameters(getattr(ours, method)) == parameters(getattr(theirs, method)), method


@pytest.mark.parametrize(
    "method", ["check_gate", "get_feature_gate", "get_dynamic_config", "get_experiment", "get_layer"]
)
def test_checks_have_the_official_parameters(method: str) -> None:
    # The official instance wraps its methods; the names stand in its stub.
    expected = [("user", False), ("name", False), ("options", True)]
    assert parameters(getattr(statsig_fastly.Statsig, method)) == expected


def test_users_have_the_official_parameters() -> None:
    assert parameters(statsig_fastly.StatsigUser) == parameters(official.StatsigUser)


def test_initialize_details_have_the_official_attributes() -> None:
    theirs = {name for name in dir(official.InitializeDetails) if not name.startswith("_")}
    assert theirs <= set(dir(statsig_fastly.InitializeDetails))
