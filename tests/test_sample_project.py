"""The sample project is what it says: the same every time, accepted whole, and worth checking."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from reference import Reference, reference_user
from statsig_fastly.sample_project import (
    BUTTON_EXPERIMENT,
    CHECKOUT_EXPERIMENT,
    CHECKOUT_LAYER,
    HOLDOUT,
    MINIMUM_CONFIGS,
    MINIMUM_GATES,
    PRICING_CONFIG,
    TEST_GATE,
    sample_project,
    sample_users,
    to_v1,
)

if TYPE_CHECKING:
    from answers import Kind

KINDS = ("feature_gates", "dynamic_configs", "layer_configs")

# What every interpreter has to come to. A change of the generator changes them; so may nothing else.
PROJECT_SHA256 = "db9e63eafe256939c028744aedd22badf16472bf8daff74e24663084dbe16f07"
USERS_SHA256 = "d7d8741af24ce283e64ff3b9e0da78a7b693eb68c52342188a59eeeb3fa9a02a"


def rules_of(project: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for kind in KINDS for spec in project[kind].values() for rule in spec["rules"]]


def digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def test_same_seed_gives_the_same_project_on_every_python() -> None:
    # A fixed digest, not two calls: another interpreter has to come to the same project.
    assert digest(sample_project()) == PROJECT_SHA256


def test_same_seed_gives_the_same_users_on_every_python() -> None:
    assert digest(sample_users(500)) == USERS_SHA256


def test_another_seed_gives_another_project_with_the_same_names_in_it() -> None:
    first, second = sample_project(1), sample_project(2)
    assert first["checksum"] != second["checksum"]
    assert digest(first["feature_gates"]) != digest(second["feature_gates"])
    for project in (first, second):
        assert {TEST_GATE, HOLDOUT} <= project["feature_gates"].keys()
        assert {BUTTON_EXPERIMENT, CHECKOUT_EXPERIMENT, PRICING_CONFIG} <= project["dynamic_configs"].keys()
        assert CHECKOUT_LAYER in project["layer_configs"]


@pytest.mark.parametrize(
    ("gates", "configs", "layers"), [(100, 50, 4), (MINIMUM_GATES, MINIMUM_CONFIGS, 4), (700, 300, 25)]
)
def test_has_as_many_specs_as_asked_for(gates: int, configs: int, layers: int) -> None:
    project = sample_project(7, gates, configs)
    assert len(project["feature_gates"]) == gates
    assert len(project["dynamic_configs"]) == configs
    assert len(project["layer_configs"]) == layers


@pytest.mark.parametrize(
    ("gates", "configs", "field"), [(19, 50, "gates"), (100, 15, "configs"), (0, 0, "gates")]
)
def test_refuses_fewer_specs_than_the_named_ones_need(gates: int, configs: int, field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: expected .* or more, got "):
        sample_project(2024, gates, configs)


@pytest.mark.parametrize(
    ("seed", "gates", "configs"), [(2024, 100, 50), (1, MINIMUM_GATES, MINIMUM_CONFIGS), (99, 300, 120)]
)
def test_the_official_core_accepts_every_spec(seed: int, gates: int, configs: int) -> None:
    project = sample_project(seed, gates, configs)
    checks: list[tuple[Kind, str]] = [("gate", name) for name in project["feature_gates"]]
    checks += [("experiment", name) for name in project["dynamic_configs"]]
    checks += [("layer", name) for name in project["layer_configs"]]
    with Reference(json.dumps(project)) as reference:
        for user in sample_users(20, seed):
            fields = reference_user(user)
            # Anything else would be a spec that was dropped, or a condition nobody understands.
            assert {reference.check(kind, name, fields).reason for kind, name in checks} == {"Recognized"}


def test_test_gate_is_half_of_everyone() -> None:
    project = sample_project()
    gate = project["feature_gates"][TEST_GATE]
    (rule,) = gate["rules"]
    (key,) = rule["conditions"]
    assert project["condition_map"][key]["type"] == "public"
    assert (rule["passPercentage"], rule["idType"], gate["idType"]) == (50, "userID", "userID")
    with Reference(json.dumps(project)) as reference:
        passed = sum(
            reference.check("gate", TEST_GATE, {"userID": str(n)}).value is True for n in range(2000)
        )
    assert 900 < passed < 1100


def test_button_experiment_has_three_groups_of_a_third() -> None:
    project = sample_project()
    experiment = project["dynamic_configs"][BUTTON_EXPERIMENT]
    assert [rule["groupName"] for rule in experiment["rules"]] == ["Control", "Blue", "Green"]
    assert all(rule["returnValue"].keys() == {"color", "size"} for rule in experiment["rules"])
    with Reference(json.dumps(project)) as reference:
        groups = Counter(
            reference.check("experiment", BUTTON_EXPERIMENT, {"userID": str(n)}).group_name
            for n in range(3000)
        )
    assert groups.keys() == {"Control", "Blue", "Green"}
    assert all(900 < count < 1100 for count in groups.values())


def test_checkout_layer_delegates_and_has_explicit_and_other_parameters() -> None:
    project = sample_project()
    layer = project["layer_configs"][CHECKOUT_LAYER]
    experiment = project["dynamic_configs"][CHECKOUT_EXPERIMENT]
    explicit = set(experiment["explicitParameters"])
    assert project["experiment_to_layer"][CHECKOUT_EXPERIMENT] == CHECKOUT_LAYER
    assert explicit < layer["defaultValue"].keys()
    with Reference(json.dumps(project)) as reference:
        answers = [reference.check("layer", CHECKOUT_LAYER, {"userID": str(n)}) for n in range(500)]
    delegated = [answer for answer in answers if answer.allocated_experiment_name == CHECKOUT_EXPERIMENT]
    assert 100 < len(delegated) < 400
    assert {answer.group_name for answer in delegated} >= {"Control", "Test", "Test #2"}
    assert any(answer.allocated_experiment_name is None for answer in answers)


def test_holdout_holds_out_and_shows_in_exposures() -> None:
    project = sample_project()
    held_out = [
        name
        for name, gate in project["feature_gates"].items()
        for rule in gate["rules"][:2]
        if rule["returnValue"] is False
        and project["condition_map"][rule["conditions"][0]]["targetValue"] == HOLDOUT
    ]
    assert len(held_out) >= 10
    with Reference(json.dumps(project)) as reference:
        members = [user for user in sample_users(200) if reference.check("gate", HOLDOUT, user).value]
        assert 5 < len(members) < 40
        answers = [reference.check("layer", CHECKOUT_LAYER, user) for user in members]
        overridden = [
            name for name in held_out for user in members if reference.check("gate", name, user).value is True
        ]
    # An id override may stand before the holdout; nothing else lets a member through.
    assert len(overridden) <= 2
    assert all(HOLDOUT in {gate for gate, _, _ in answer.secondary_exposures} for answer in answers)


def test_most_gates_pass_for_some_users_and_fail_for_others() -> None:
    project = sample_project()
    users = sample_users(400)
    with Reference(json.dumps(project)) as reference:
        fields = [reference_user(user) for user in users]
        shares = {
            name: sum(reference.check("gate", name, user).value is True for user in fields) / len(users)
            for name in project["feature_gates"]
        }
    mixed = [name for name, share in shares.items() if 0 < share < 1]
    assert len(mixed) >= 90
    assert len([share for share in shares.values() if 0.05 < share < 0.95]) >= 65


def test_every_shape_of_a_real_project_occurs() -> None:
    project = sample_project()
    gates, configs = project["feature_gates"].values(), project["dynamic_configs"].values()
    conditions = project["condition_map"].values()
    rules = rules_of(project)
    assert {spec["entity"] for spec in gates} == {"feature_gate", "segment", "holdout"}
    assert {spec["entity"] for spec in configs} == {"dynamic_config", "experiment", "autotune"}
    assert {spec["idType"] for spec in (*gates, *configs)} == {"userID", "stableID", "companyID"}
    assert {condition["type"] for condition in conditions} == {
        "public", "user_field", "user_bucket", "unit_id", "environment_field", "current_time", "pass_gate",
        "fail_gate",
    }  # fmt: skip
    assert {"layerAssignment", "prestart", "inlineTargetingRules", "experimentAssignment"} <= {
        rule["id"] for rule in rules
    }
    assert any(rule["id"].endswith(":id_override") for rule in rules)
    assert any(rule.get("isExperimentGroup") for rule in rules)
    assert any("configDelegate" in rule for rule in rules)
    assert any(0 < rule["passPercentage"] < 100 for rule in rules)
    assert [name for name, spec in project["feature_gates"].items() if not spec["enabled"]]
    assert [name for name, spec in project["feature_gates"].items() if spec["defaultValue"] is True]
    assert [spec for spec in project["layer_configs"].values() if spec.get("useNewLayerEval")]
    assert {spec.get("isActive") for spec in configs if spec["entity"] == "experiment"} == {True, False}
    assert {"hasSharedParams", "explicitParameters", "version"} <= {key for spec in configs for key in spec}


def test_a_disabled_spec_has_no_rules() -> None:
    # Engines of the two formats differ in whether they would run them.
    project = sample_project()
    assert all(spec["enabled"] or not spec["rules"] for kind in KINDS for spec in project[kind].values())


def test_conditions_are_all_used_and_all_there() -> None:
    for seed in range(5):
        project = sample_project(seed)
        used = Counter(key for rule in rules_of(project) for key in rule["conditions"])
        assert used.keys() == project["condition_map"].keys()
        assert all(key.isdecimal() for key in used)
        assert used.most_common(1)[0][1] > 10  # rules share conditions
        texts = Counter(
            json.dumps(condition, sort_keys=True) for condition in project["condition_map"].values()
        )
        assert set(texts.values()) == {1}


def test_nested_gates_exist_and_form_no_circle() -> None:
    for seed in range(5):
        project = sample_project(seed)
        gates = project["feature_gates"]
        nested = {
            name: {
                project["condition_map"][key]["targetValue"]
                for rule in gate["rules"]
                for key in rule["conditions"]
                if project["condition_map"][key]["type"] in ("pass_gate", "fail_gate")
            }
            for name, gate in gates.items()
        }
        assert all(names <= gates.keys() for names in nested.values())
        while nested:
            finished = {name for name, names in nested.items() if not names & nested.keys()}
            assert finished, f"gates in a circle: {sorted(nested)}"
            nested = {name: names for name, names in nested.items() if name not in finished}


def test_rules_can_be_changed_without_changing_others() -> None:
    project = sample_project()
    layer = project["layer_configs"][CHECKOUT_LAYER]
    layer["defaultValue"]["steps"] = "changed"
    assert all(rule["returnValue"]["steps"] != "changed" for rule in layer["rules"])


def test_v1_loses_nothing() -> None:
    project = sample_project()
    before = copy.deepcopy(project)
    v1 = to_v1(project)
    assert project == before
    assert v1["time"] == project["time"]
    conditions = project["condition_map"]
    for kind in KINDS:
        assert [spec["name"] for spec in v1[kind]] == list(project[kind])
        for spec in v1[kind]:
            original = project[kind][spec["name"]]
            assert {key: spec[key] for key in original if key != "rules"} == {
                key: value for key, value in original.items() if key != "rules"
            }
            assert spec["isDeviceBased"] is (spec["idType"] == "stableID")
            for rule, original_rule in zip(spec["rules"], original["rules"], strict=True):
                assert {key: rule[key] for key in original_rule if key != "conditions"} == {
                    key: value for key, value in original_rule.items() if key != "conditions"
                }
                expected = [conditions[key] for key in original_rule["conditions"]]
                for condition, original_condition in zip(rule["conditions"], expected, strict=True):
                    target = original_condition["targetValue"]
                    target = list(target) if isinstance(target, dict) else target
                    device = original_condition["idType"] == "stableID"
                    assert condition == {**original_condition, "targetValue": target, "isDeviceBased": device}
    assert v1["layers"] == {
        layer: [name for name, its in project["experiment_to_layer"].items() if its == layer]
        for layer in project["layer_configs"]
    }
    assert not {"condition_map", "experiment_to_layer"} & v1.keys()


def test_v1_with_a_condition_that_does_not_exist_is_refused() -> None:
    project = sample_project()
    project["feature_gates"][TEST_GATE]["rules"][0]["conditions"] = ["4711"]
    with pytest.raises(KeyError, match="4711"):
        to_v1(project)


def test_a_longer_list_of_users_starts_with_the_shorter_one() -> None:
    assert sample_users(50) == sample_users(200)[:50]
    assert sample_users(5, seed=1) != sample_users(5, seed=2)
    assert sample_users(0) == []


def test_users_differ_in_what_they_lack() -> None:
    users = sample_users(500)
    wire_names = {
        "userID", "email", "ip", "country", "locale", "appVersion", "userAgent", "custom", "customIDs",
        "privateAttributes", "statsigEnvironment",
    }  # fmt: skip
    present = Counter(name for user in users for name in user)
    assert present.keys() == wire_names
    assert all(0 < count < len(users) for count in present.values())
    assert all("userID" in user or "stableID" in user["customIDs"] for user in users)
    numbers = [
        value for user in users for value in user.get("custom", {}).values() if isinstance(value, float)
    ]
    assert numbers
    assert all(math.isfinite(number) for number in numbers)
