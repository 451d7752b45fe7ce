"""Results: every field, shape and comparison, evaluation options, and what there is when there is nothing."""

from __future__ import annotations

import time
from typing import Any, TypeAlias

import pytest

from small_project import TIME, payload, project, started
from statsig_fastly import (
    DynamicConfig,
    DynamicConfigEvaluationOptions,
    EvaluationDetails,
    Experiment,
    ExperimentEvaluationOptions,
    FeatureGate,
    FeatureGateEvaluationOptions,
    Layer,
    LayerEvaluationOptions,
    MemoryAdapter,
    Statsig,
    StatsigUser,
)

Result: TypeAlias = "FeatureGate | DynamicConfig | Experiment | Layer"

USER = StatsigUser("u-1", country="NZ")
CHECKS = ("get_feature_gate", "get_dynamic_config", "get_experiment", "get_layer")
OPTIONS: dict[str, Any] = {
    "check_gate": FeatureGateEvaluationOptions,
    "get_feature_gate": FeatureGateEvaluationOptions,
    "get_dynamic_config": DynamicConfigEvaluationOptions,
    "get_experiment": ExperimentEvaluationOptions,
    "get_layer": LayerEvaluationOptions,
}
ON_EXPOSURE = {"gate": "on", "gateValue": "true", "ruleID": "on_rule"}
HALF_A_PAIR = "\ud83d"


@pytest.fixture(scope="module")
def statsig() -> Statsig:
    return started(data_adapter=MemoryAdapter(payload()))


# Fields


def test_gate(statsig: Statsig) -> None:
    gate = statsig.get_feature_gate(USER, "on")
    assert isinstance(gate, FeatureGate)
    assert (gate.name, gate.value, gate.rule_id, gate.id_type) == ("on", True, "on_rule", "userID")
    assert (gate.get_name(), gate.get_rule_id(), gate.get_id_type()) == ("on", "on_rule", "userID")
    assert gate.get_evaluation_details() == gate.details
    assert repr(gate) == (
        "FeatureGate(name='on', value=True, rule_id='on_rule', id_type='userID', "
        "reason='Adapter(Memory):Recognized')"
    )


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("on", True, "on_rule"),
        ("off", False, "default"),
        ("disabled", False, "disabled"),
        ("nope", False, ""),
    ],
)
def test_a_gate_is_true_where_it_passes(statsig: Statsig, name: str, value: bool, rule: str) -> None:
    gate = statsig.get_feature_gate(USER, name)
    assert (bool(gate), gate.value, gate.rule_id) == (value, value, rule)
    assert statsig.check_gate(USER, name) is value


def test_dynamic_config(statsig: Statsig) -> None:
    config = statsig.get_dynamic_config(USER, "number")
    assert isinstance(config, DynamicConfig)
    assert (config.name, config.rule_id, config.id_type) == ("number", "rule_1", "userID")
    assert config.value == config.get_value() == {"a": 1, "b": [1], "c": {"d": 1}}
    assert config.secondary_exposures == []
    assert repr(config) == (
        "DynamicConfig(name='number', value={'a': 1, 'b': [1], 'c': {'d': 1}}, rule_id='rule_1', "
        "id_type='userID', reason='Adapter(Memory):Recognized')"
    )


def test_experiment(statsig: Statsig) -> None:
    experiment = statsig.get_experiment(USER, "button")
    assert isinstance(experiment, Experiment)
    assert (experiment.name, experiment.rule_id, experiment.id_type) == ("button", "blue_rule", "userID")
    assert experiment.value == {"color": "blue", "size": 2}
    assert experiment.group_name == experiment.get_group_name() == "Blue"
    assert experiment.is_experiment_active is True
    assert experiment.secondary_exposures == [{"gate": "staff", "gateValue": "false", "ruleID": "default"}]
    assert repr(experiment) == (
        "Experiment(name='button', value={'color': 'blue', 'size': 2}, rule_id='blue_rule', "
        "id_type='userID', group_name='Blue', reason='Adapter(Memory):Recognized')"
    )


def test_an_experiment_outside_every_group(statsig: Statsig) -> None:
    running, stopped = statsig.get_experiment("u-1", "button"), statsig.get_experiment(USER, "stopped")
    assert (running.group_name, running.rule_id, running.is_experiment_active) == (None, "default", True)
    assert (stopped.group_name, stopped.rule_id, stopped.is_experiment_active) == (None, "default", False)
    assert running.value == stopped.value == {"color": "red"}


def test_layer_of_an_experiment(statsig: Statsig) -> None:
    layer = statsig.get_layer(USER, "page")
    assert isinstance(layer, Layer)
    assert (layer.name, layer.rule_id, layer.id_type) == ("page", "nested_rule", "userID")
    assert layer.get_value() == {"title": "nested"}
    assert layer.group_name == layer.get_group_name() == "Test"
    assert layer.allocated_experiment_name == "nested"
    assert layer.explicit_parameters == ["title"]
    assert layer.is_experiment_active is True
    assert layer.secondary_exposures == layer.undelegated_secondary_exposures == [ON_EXPOSURE]
    assert repr(layer) == (
        "Layer(name='page', value={'title': 'nested'}, rule_id='nested_rule', id_type='userID', "
        "group_name='Test', allocated_experiment_name='nested', reason='Adapter(Memory):Recognized')"
    )


def test_layer_of_its_own(statsig: Statsig) -> None:
    layer = statsig.get_layer(USER, "plain")
    assert layer.get_value() == {"title": "plain"}
    assert (layer.group_name, layer.allocated_experiment_name, layer.explicit_parameters) == (None, None, [])
    assert (layer.is_experiment_active, layer.secondary_exposures) == (False, [])


def test_a_layer_has_no_public_value(statsig: Statsig) -> None:
    # As in the official package: reading a layer as a whole is not reading a parameter of it.
    assert not hasattr(statsig.get_layer(USER, "plain"), "value")


def test_details(statsig: Statsig) -> None:
    before = time.time() * 1000 - 1
    client = started(data_adapter=MemoryAdapter(payload(), name="Mine"))
    details = client.get_feature_gate(USER, "on").details
    assert isinstance(details, EvaluationDetails)
    assert (details.reason, details.lcut, details.version) == ("Adapter(Mine):Recognized", TIME, 3)
    assert isinstance(details.received_at, int)
    assert before <= details.received_at <= time.time() * 1000
    assert details.to_dict() == {
        "reason": "Adapter(Mine):Recognized",
        "lcut": TIME,
        "received_at": details.received_at,
        "version": 3,
    }
    assert repr(details) == (
        f"EvaluationDetails(reason='Adapter(Mine):Recognized', lcut={TIME}, "
        f"received_at={details.received_at}, version=3)"
    )
    again, other = client.get_layer(USER, "page").details, statsig.get_feature_gate(USER, "on").details
    assert details == again
    assert hash(details) == hash(again)
    assert details != other
    assert details != details.to_dict()


@pytest.mark.parametrize(("check", "name", "reason"), [
    ("get_feature_gate", "unsupported", "Adapter(Memory):Unsupported"),
    ("get_dynamic_config", "unsupported_config", "Adapter(Memory):Unsupported"),
    ("get_experiment", "unsupported_config", "Adapter(Memory):Unsupported"),
    *((check, "no such name", "Adapter(Memory):Unrecognized") for check in CHECKS),
    *((check, "", "Adapter(Memory):Unrecognized") for check in CHECKS),
    # A gate is no config, a config no layer.
    ("get_dynamic_config", "on", "Adapter(Memory):Unrecognized"),
    ("get_layer", "number", "Adapter(Memory):Unrecognized"),
    ("get_feature_gate", "page", "Adapter(Memory):Unrecognized"),
])  # fmt: skip
def test_defaults_with_a_reason(statsig: Statsig, check: str, name: str, reason: str) -> None:
    result = getattr(statsig, check)(USER, name)
    assert (result.name, result.rule_id, result.details.reason) == (name, "", reason)
    assert plain(result) in (False, {})
    assert result.details.lcut == TIME


def test_a_config_is_an_experiment_if_asked_for_as_one(statsig: Statsig) -> None:
    as_config, as_experiment = (
        statsig.get_dynamic_config(USER, "button"),
        statsig.get_experiment(USER, "number"),
    )
    assert as_config.value == {"color": "blue", "size": 2}
    assert as_experiment.value == {"a": 1, "b": [1], "c": {"d": 1}}
    assert as_experiment.group_name is None


# Nothing loaded


def plain(result: Result) -> object:
    return result.value if isinstance(result, FeatureGate) else result.get_value()


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("reason", ["Uninitialized", "NoValues"])
def test_without_a_ruleset(check: str, reason: str) -> None:
    client = started() if reason == "NoValues" else Statsig("secret-key")
    result = getattr(client, check)(USER, "on")
    assert (result.name, result.rule_id, result.id_type) == ("on", "", "")
    assert plain(result) in (False, {})
    details = result.details
    assert (details.reason, details.lcut, details.received_at, details.version) == (reason, None, None, None)
    if isinstance(result, DynamicConfig | Experiment | Layer):
        assert result.get("a") is None
        assert result.get("a", 5) == 5
        assert "a" not in result
        assert result.secondary_exposures == []
    if isinstance(result, Experiment | Layer):
        assert (result.group_name, result.is_experiment_active) == (None, False)
    if isinstance(result, Layer):
        assert (result.allocated_experiment_name, result.explicit_parameters) == (None, [])
    assert client.check_gate(USER, "on") is False
    assert (client.is_ready, client.is_initialized(), client.config_time) == (False, False, None)
    assert client.get_feature_gate_list() == client.get_layer_list() == []


def test_a_failed_start_has_no_values() -> None:
    client = started(data_adapter=MemoryAdapter(b"<html>"))
    assert client.get_feature_gate(USER, "on").details.reason == "NoValues"


# Shapes and comparison


def test_to_dict(statsig: Statsig) -> None:
    gate = statsig.get_feature_gate(USER, "on")
    head = {"rule_id": "on_rule", "id_type": "userID", "details": gate.details.to_dict()}
    assert gate.to_dict() == {"name": "on", "value": True, **head}
    config = statsig.get_dynamic_config(USER, "number")
    head = {"rule_id": "rule_1", "id_type": "userID", "details": config.details.to_dict()}
    assert config.to_dict() == {"name": "number", "value": config.value, **head}
    experiment = statsig.get_experiment(USER, "button")
    head = {"rule_id": "blue_rule", "id_type": "userID", "details": experiment.details.to_dict()}
    assert experiment.to_dict() == {"name": "button", "value": experiment.value, "group_name": "Blue", **head}
    layer = statsig.get_layer(USER, "page")
    assert layer.to_dict() == {
        "name": "page",
        "rule_id": "nested_rule",
        "id_type": "userID",
        "details": layer.details.to_dict(),
        "group_name": "Test",
        "allocated_experiment_name": "nested",
        "__value": {"title": "nested"},
    }


@pytest.mark.parametrize(
    ("check", "name"),
    [
        ("get_feature_gate", "on"),
        ("get_dynamic_config", "number"),
        ("get_experiment", "button"),
        ("get_layer", "page"),
    ],
)
def test_equal_results(statsig: Statsig, check: str, name: str) -> None:
    result = getattr(statsig, check)(USER, name)
    assert result == getattr(statsig, check)(USER, name)
    # When and from where the payload came does not matter.
    assert result == getattr(started(bootstrap=payload(TIME + 5)), check)(USER, name)
    assert result != getattr(statsig, check)(USER, "no such name")
    assert result != result.to_dict()
    assert result not in (None, name, True)


def test_different_results(statsig: Statsig) -> None:
    assert statsig.get_experiment(USER, "button") != statsig.get_experiment("u-1", "button")
    assert statsig.get_dynamic_config(USER, "number") != statsig.get_experiment(USER, "number")
    other = started(bootstrap=payload(TIME, 2))
    assert statsig.get_dynamic_config(USER, "number") != other.get_dynamic_config(USER, "number")
    assert statsig.get_feature_gate(USER, "on") != other.get_feature_gate(USER, "follows_on")


# Evaluation options


@pytest.mark.parametrize("check", OPTIONS)
def test_options_of_the_right_type(statsig: Statsig, check: str) -> None:
    call, options = getattr(statsig, check), OPTIONS[check]
    expected = call(USER, "on")
    for given in (None, options(), options(disable_exposure_logging=True), options(True)):
        assert call(USER, "on", given) == expected
        assert call(user=USER, name="on", options=given) == expected


@pytest.mark.parametrize("check", OPTIONS)
def test_options_of_the_wrong_type(statsig: Statsig, check: str) -> None:
    wrong: list[object] = [cls() for cls in {*OPTIONS.values()} - {OPTIONS[check]}]
    wrong += [{"disable_exposure_logging": True}, True, 5, "x"]
    for options in wrong:
        with pytest.raises(TypeError) as caught:
            getattr(statsig, check)(USER, "on", options)
        assert str(caught.value) == (
            f"argument 'options': expected {OPTIONS[check].__name__} or None, got {type(options).__name__}"
        )


@pytest.mark.parametrize("options", [*dict.fromkeys(OPTIONS.values())])
def test_options_as_values(options: Any) -> None:  # noqa: ANN401 - one of four classes
    on, off = options(disable_exposure_logging=True), options()
    assert (on.disable_exposure_logging, off.disable_exposure_logging) == (True, False)
    assert on == options(True)
    assert hash(on) == hash(options(True))
    assert on != off
    assert repr(on) == f"{options.__name__}(disable_exposure_logging=True)"
    with pytest.raises(AttributeError):
        on.disable_exposure_logging = False
    for wrong in ({"disable_exposure_logging": 1}, {"disable_exposure_logging": None}, {"nope": True}):
        with pytest.raises(TypeError) as caught:
            options(**wrong)
        assert next(iter(wrong)) in str(caught.value)


@pytest.mark.parametrize("check", OPTIONS)
def test_names_that_cannot_be(statsig: Statsig, check: str) -> None:
    call = getattr(statsig, check)
    for wrong in (None, 5, b"on", ["on"], USER):
        with pytest.raises(TypeError) as caught:
            call(USER, wrong)
        assert str(caught.value) == f"argument 'name': expected str, got {type(wrong).__name__}"
    with pytest.raises(TypeError, match="name"):
        call(USER)
    with pytest.raises(ValueError, match=r"name.*surrogate"):
        call(USER, HALF_A_PAIR)


# Lists


def test_lists_name_what_there_is(statsig: Statsig) -> None:
    specs = project()
    names = {"gates": [spec["name"] for spec in specs["feature_gates"]], "layers": ["page", "plain"]}
    assert sorted(statsig.get_feature_gate_list()) == sorted(names["gates"])
    assert sorted(statsig.get_layer_list()) == names["layers"]
    assert sorted(statsig.get_dynamic_config_list()) == ["every_type", "number", "unsupported_config"]
    assert sorted(statsig.get_experiment_list()) == ["button", "nested", "stopped"]
    assert statsig.get_autotune_list() == ["tuned"]


def test_segments_and_holdouts_are_no_gates_of_the_list() -> None:
    specs = project()
    specs["feature_gates"][1]["entity"] = "segment"
    specs["feature_gates"][2]["entity"] = "holdout"
    client = started(data_adapter=MemoryAdapter(specs))
    assert not {"off", "disabled"} & set(client.get_feature_gate_list())
    assert client.get_feature_gate(USER, "off").details.reason == "Adapter(Memory):Recognized"


# Settings that evaluation looks at


def test_environment_of_the_options_and_of_the_user() -> None:
    staging = started(bootstrap=payload(), environment="staging")
    production = started(bootstrap=payload(), environment="production")
    user = StatsigUser("u-1", statsig_environment={"tier": "staging"})
    other = StatsigUser("u-1", statsig_environment={"tier": "development"})
    assert staging.check_gate("u-1", "staging")
    assert not production.check_gate("u-1", "staging")
    assert production.check_gate(user, "staging")
    assert not staging.check_gate(other, "staging")


def test_global_custom_fields_are_below_the_users_own() -> None:
    fields = {"plan": "pro"}
    client = started(bootstrap=payload(), global_custom_fields=fields)
    fields["plan"] = "free"
    assert client.check_gate("u-1", "paying")
    assert not client.check_gate(StatsigUser("u-1", custom={"plan": "free"}), "paying")
