"""Parameters of configs, experiments and layers: getters by type, fallbacks, and who may change a value."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from small_project import EVERY_TYPE, TIME, payload, project, started
from statsig_fastly import (
    DynamicConfig,
    Experiment,
    Layer,
    MemoryAdapter,
    Statsig,
    StatsigUser,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Parameters: TypeAlias = "DynamicConfig | Experiment | Layer"

USER = StatsigUser("u-1", country="NZ")
CHECKS = ("get_feature_gate", "get_dynamic_config", "get_experiment", "get_layer")
ON_EXPOSURE = {"gate": "on", "gateValue": "true", "ruleID": "on_rule"}
HALF_A_PAIR = "\ud83d"


@pytest.fixture(scope="module")
def statsig() -> Statsig:
    return started(data_adapter=MemoryAdapter(payload()))


@pytest.fixture(params=["config", "experiment", "layer"])
def every_type(request: pytest.FixtureRequest) -> Parameters:
    """The same parameters as each of the three kinds of results that have parameters."""
    specs = project()
    specs["layer_configs"].append({**specs["layer_configs"][1], "name": "l", "defaultValue": EVERY_TYPE})
    client = started(bootstrap=MemoryAdapter(specs).fetch().body)  # type: ignore[union-attr]  # never None
    results: dict[str, Callable[[], Parameters]] = {
        "config": lambda: client.get_dynamic_config(USER, "every_type"),
        "experiment": lambda: client.get_experiment(USER, "every_type"),
        "layer": lambda: client.get_layer(USER, "l"),
    }
    return results[request.param]()


TYPED = {
    "get_string": {"text", "empty"},
    "get_integer": {"integer", "zero", "big"},
    "get_float": {"integer", "zero", "big", "float", "whole_float"},
    "get_bool": {"true", "false"},
    "get_array": {"array"},
    "get_object": {"object"},
}


@pytest.mark.parametrize("getter", TYPED)
@pytest.mark.parametrize("key", EVERY_TYPE)
def test_typed_getters(every_type: Parameters, getter: str, key: str) -> None:
    fallback = object()
    value = getattr(every_type, getter)(key, fallback)
    if key in TYPED[getter]:
        expected = float(EVERY_TYPE[key]) if getter == "get_float" else EVERY_TYPE[key]
        assert value == expected
        assert type(value) is type(expected)
    else:
        assert value is fallback


@pytest.mark.parametrize("getter", TYPED)
def test_typed_getters_want_a_fallback_and_take_any(every_type: Parameters, getter: str) -> None:
    fallbacks: list[object] = [None, "x", 1, []]
    for fallback in fallbacks:
        taken = getattr(every_type, getter)("absent", fallback)
        # As in the official package, what get_float returns for a number is a float.
        assert taken == fallback
        assert taken is fallback or (getter, fallback, type(taken)) == ("get_float", 1, float)
    with pytest.raises(TypeError, match="fallback"):
        getattr(every_type, getter)("absent")


FALLBACKS: dict[type, Any] = {str: "f", int: 99, float: 9.5, bool: True, list: ["f"], dict: {"f": 1}}


@pytest.mark.parametrize("getter", ["get", "get_typed"])
@pytest.mark.parametrize("key", EVERY_TYPE)
def test_get(every_type: Parameters, getter: str, key: str) -> None:
    get = getattr(every_type, getter)
    stored = EVERY_TYPE[key]
    assert repr(get(key)) == repr(get(key, None)) == repr(stored)
    for kind, fallback in FALLBACKS.items():
        value = get(key, fallback)
        # A bool is no integer here, an integer no float, and null is of no type.
        if type(stored) is kind:
            assert repr(value) == repr(stored)
        else:
            assert value is fallback


def test_get_what_is_absent(every_type: Parameters) -> None:
    fallback = object()
    assert every_type.get("absent") is None
    assert every_type.get("absent", fallback) is fallback
    assert every_type.get("text", fallback) is fallback
    assert every_type.get(param_name="absent", fallback=fallback) is fallback


def test_subscription_and_membership(every_type: Parameters) -> None:
    assert {key: every_type[key] for key in EVERY_TYPE} == EVERY_TYPE
    assert all(key in every_type for key in EVERY_TYPE)
    assert "absent" not in every_type
    assert 5 not in every_type
    assert None not in every_type
    with pytest.raises(KeyError) as caught:
        every_type["absent"]
    assert caught.value.args == ("absent",)


@pytest.mark.parametrize("wrong", [5, None, b"text", ["text"]], ids=lambda value: type(value).__name__)
def test_keys_of_another_type(every_type: Parameters, wrong: Any) -> None:  # noqa: ANN401
    for getter in ("get", "get_typed", *TYPED, "__getitem__"):
        with pytest.raises(TypeError) as caught:
            getattr(every_type, getter)(wrong, *([] if getter == "__getitem__" else [1]))
        # Not `match`, which also looks at notes: the message itself has to say it.
        assert str(caught.value).startswith("argument 'param_name': expected str, got ")
    assert wrong not in every_type


def test_keys_that_are_no_unicode_are_absent(every_type: Parameters) -> None:
    assert every_type.get(HALF_A_PAIR, 5) == 5
    assert HALF_A_PAIR not in every_type


def test_a_layer_merges_nothing_that_is_not_its_experiments(statsig: Statsig) -> None:
    layer = statsig.get_layer(USER, "page")
    assert layer.get_string("title", "") == "nested"
    assert layer.get("footer", ["fallback"]) == ["fallback"]


# Immutability


@pytest.mark.parametrize("check", CHECKS)
def test_results_cannot_be_changed(statsig: Statsig, check: str) -> None:
    result = getattr(statsig, check)(USER, "on")
    names = [name for name in dir(result) if not name.startswith("__")]
    assert "rule_id" in names
    for name in [*names, "something_new"]:
        with pytest.raises(AttributeError):
            setattr(result, name, "x")
        with pytest.raises(AttributeError):
            delattr(result, name)
    with pytest.raises(AttributeError):
        result.details.reason = "x"


def test_parameters_cannot_be_assigned(every_type: Parameters) -> None:
    with pytest.raises(TypeError):
        every_type["text"] = "x"  # type: ignore[index]  # wrong on purpose
    with pytest.raises(TypeError):
        del every_type["text"]  # type: ignore[union-attr]  # wrong on purpose


def test_values_belong_to_the_caller(every_type: Parameters) -> None:
    before = copy.deepcopy(EVERY_TYPE)
    taken: list[Any] = [every_type.get_value(), every_type.to_dict()]
    taken += [every_type.get(key) for key in ("array", "object")]
    taken += [every_type[key] for key in ("array", "object")]
    taken += [every_type.get("array", []), every_type.get("object", {})]
    taken += [every_type.get_array("array", None), every_type.get_object("object", None)]
    for value in taken:
        spoil(value)
    assert every_type.get_value() == before
    assert every_type["array"] == before["array"]
    assert every_type.get("object") == before["object"]


def test_changes_of_a_value_are_not_seen_by_the_next_check(statsig: Statsig) -> None:
    for check, name in (
        ("get_dynamic_config", "number"),
        ("get_experiment", "number"),
        ("get_layer", "page"),
    ):
        first = getattr(statsig, check)(USER, name)
        expected = copy.deepcopy(first.get_value())
        for value in (first.get_value(), first.to_dict(), first.secondary_exposures):
            spoil(value)
        second = getattr(statsig, check)(USER, name)
        assert second.get_value() == expected
        assert second == first
        assert second.secondary_exposures == getattr(statsig, check)(USER, name).secondary_exposures
    layer = statsig.get_layer(USER, "page")
    spoil(layer.explicit_parameters)
    spoil(layer.undelegated_secondary_exposures)
    assert layer.explicit_parameters == ["title"]
    assert layer.undelegated_secondary_exposures == [ON_EXPOSURE]


def spoil(value: object) -> None:
    """Empties every list and dict inside, the innermost first."""
    if isinstance(value, dict):
        for inner in list(value.values()):
            spoil(inner)
        value.clear()
    elif isinstance(value, list):
        for inner in list(value):
            spoil(inner)
        value.clear()


def test_lists_of_names_belong_to_the_caller(statsig: Statsig) -> None:
    names = statsig.get_feature_gate_list()
    statsig.get_feature_gate_list().clear()
    assert statsig.get_feature_gate_list() == names


def test_a_result_outlives_its_ruleset() -> None:
    adapter = MemoryAdapter(payload())
    client = started(data_adapter=adapter)
    old = client.get_dynamic_config(USER, "number")
    adapter.update(payload(TIME + 1, 2))
    assert client.sync().result(30).changed
    assert (old.value["a"], old["c"], old.details.lcut) == (1, {"d": 1}, TIME)
    assert client.get_dynamic_config(USER, "number").value["a"] == 2
