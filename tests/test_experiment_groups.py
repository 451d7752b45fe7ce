"""Experiment groups against the official core, and what only this package promises about them."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any, Final

import pytest

from answers import Answer, Differences
from engine_under_test import our_engine, our_experiment
from override_project import NAMES, project
from random_specs import random_case
from reference import Reference
from small_project import started
from statsig_fastly import Experiment, ExperimentGroup, ExperimentGroupsResult, Statsig
from statsig_fastly.sample_project import sample_project

RANDOM_SEEDS: Final = 100


def groups_project() -> dict[str, Any]:
    """One experiment with a group of every kind, also as a config, an autotune and a layer."""

    def rule(rule_id: str, value: Any, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        return {
            "name": "", "id": rule_id, "passPercentage": 0, "conditions": [], "returnValue": value,
            "idType": "userID", "isExperimentGroup": True, **more,
        }  # fmt: skip

    values: tuple[Any, ...] = ({"x": [1, {"y": 2.5}]}, {}, True, False, None, [1], "text", 5)
    rules = [rule(f"rule {n}", value, groupName=f"group {n}") for n, value in enumerate(values)]
    rules += [
        rule("no name", {"x": 1}),
        rule("rule 0", {"x": "same id"}, groupName="same id", idType="stableID"),
        rule("same name", {"x": "same name"}, groupName="group 0"),
        rule("", {"x": "empty"}, groupName=""),
        rule("no group", {"x": 1}, groupName="no group", isExperimentGroup=False),
        rule("null", {"x": 1}, groupName="null", isExperimentGroup=None),
    ]
    payload = project()
    of = {"salt": "", "enabled": True, "defaultValue": {}, "idType": "companyID", "rules": rules}
    configs = payload["dynamic_configs"]
    for entity in ("experiment", "dynamic_config", "autotune", "EXPERIMENT", ""):
        configs[f"all {entity}"] = {**of, "type": "", "entity": entity, "isActive": True, "version": 3}
    configs["stopped"] = {**configs["all experiment"], "isActive": False, "enabled": False}
    configs["unsaid"] = {**configs["all experiment"], "isActive": None}
    configs["mapped"] = configs["bandit"] = configs["all experiment"]
    configs["broken"] = {**configs["all experiment"], "salt": None}
    payload["layer_configs"]["layer"] = configs["all experiment"]
    return payload


def test_every_group_of_every_entity() -> None:
    payload = groups_project()
    body = json.dumps(payload).encode()
    with Reference(body) as reference, our_engine(body) as statsig:
        names = [*payload["dynamic_configs"], *NAMES["experiment"], *NAMES["layer"], "layer", "on", "é"]
        compared = compare(reference, statsig, payload, names)
        assert compared > 1000
        for method in ("override_experiment", "override_dynamic_config"):
            for engine in (reference.core, statsig):
                getattr(engine, method)("all experiment", {"x": "set"})
        for engine in (reference.core, statsig):
            engine.override_experiment_by_group_name("stopped", "group 0")
        assert compare(reference, statsig, payload, names) == compared
        groups = statsig.get_experiment_groups("all experiment").groups
        assert len(groups) == 12
        assert groups[0].return_value == {"x": [1, {"y": 2.5}]}


def test_the_groups_of_random_projects() -> None:
    for seed in range(RANDOM_SEEDS):
        case = random_case(seed, users=1)
        with Reference(case.payload) as reference, our_engine(case.payload) as statsig:
            names = [name for kind, name in case.checks if kind in ("experiment", "layer")]
            compare(reference, statsig, case.specs, names)


def test_the_groups_of_a_sample_project() -> None:
    payload = sample_project()
    body = json.dumps(payload).encode()
    with Reference(body) as reference, our_engine(body) as statsig:
        assert compare(reference, statsig, payload, list(payload["dynamic_configs"])) > 100


def test_nothing_is_loaded() -> None:
    payload = groups_project()
    for start, reason in ((False, "Uninitialized"), (True, "NoValues")):
        with Reference("{}", start=start) as reference:
            statsig = started() if start else our_engine(b"{}")
            compare(reference, statsig, payload, ["exp"])
            assert statsig.get_experiment_by_group_name("exp", "Test").details.reason == reason


def compare(reference: Reference, statsig: Statsig, payload: dict[str, Any], names: list[str]) -> int:
    """Compares the groups of these names, and each of them by name and by rule."""
    differences = Differences()
    tables = ("dynamic_configs", "layer_configs")
    specs = [spec for table in tables for spec in payload[table].values() if isinstance(spec["rules"], list)]
    rules = [rule for spec in specs for rule in spec["rules"]]
    groups = {"", "no such group", *(rule.get("groupName") for rule in rules)} - {None}
    ids = {"", "no such rule", "default", *(rule["id"] for rule in rules)}
    for name in names:
        ours, theirs = statsig.get_experiment_groups(name), reference.core.get_experiment_groups(name)
        assert ours.to_dict() == theirs.to_dict(), name
        assert ours.is_experiment_active is theirs.is_experiment_active
        for one, other in zip(ours.groups, theirs.groups, strict=True):
            expected = (other.group_name, other.rule_id, other.id_type, other.return_value)
            assert (one.group_name, one.rule_id, one.id_type, one.return_value) == expected
        for group in groups:
            experiment = statsig.get_experiment_by_group_name(name, group)
            answer = as_object(reference.group(name, group))
            differences.compare(our_experiment(experiment), answer, partial(dict, name=name, group=group))
        for rule_id in ids:
            experiment = statsig.get_experiment_by_group_id_advanced(name, rule_id)
            answer = as_object(reference.group(name, rule_id, by_id=True))
            differences.compare(our_experiment(experiment), answer, partial(dict, name=name, rule=rule_id))
    differences.expect_none()
    return differences.compared


def as_object(answer: Answer) -> Answer:
    """The reference gives `True` where a rule's value is that."""
    return replace(answer, value={}) if answer.value is True else answer


def test_results_can_be_compared_and_shown() -> None:
    payload = groups_project()
    with (
        our_engine(json.dumps(payload).encode()) as statsig,
        our_engine(json.dumps(payload).encode()) as other,
    ):
        one, same = statsig.get_experiment_groups("exp"), other.get_experiment_groups("exp")
        assert one == same
        assert one.groups == same.groups
        assert one != statsig.get_experiment_groups("other")
        assert one.groups[0] != one.groups[1]
        assert one != one.groups[0] != one.to_dict()["groups"][0]
        assert isinstance(one, ExperimentGroupsResult)
        assert isinstance(one.groups[0], ExperimentGroup)
        shown = (
            "ExperimentGroup(group_name='Test', rule_id='second', id_type='userID', return_value={'x': 2})"
        )
        assert repr(one.groups[1]) == shown
        assert repr(one).startswith(
            "ExperimentGroupsResult(is_experiment_active=True, groups=[ExperimentGroup("
        )
        nothing = statsig.get_experiment_groups("nowhere")
        assert repr(nothing) == "ExperimentGroupsResult(is_experiment_active=None, groups=[])"
        assert nothing.to_dict() == {"is_experiment_active": None, "groups": []}
        experiment = statsig.get_experiment_by_group_name("exp", "Test")
        assert isinstance(experiment, Experiment)
        assert (experiment.name, experiment.secondary_exposures) == ("exp", [])
        assert experiment == statsig.get_experiment_by_group_id_advanced("exp", "second")


def test_results_belong_to_the_caller_and_cannot_be_set() -> None:
    with our_engine(json.dumps(groups_project()).encode()) as statsig:
        result = statsig.get_experiment_groups("all experiment")
        before = result.to_dict()
        result.groups.clear()
        result.groups[0].return_value["x"].append("changed")
        result.to_dict()["groups"][0]["return_value"]["x"][1]["y"] = "changed"
        statsig.get_experiment_by_group_name("all experiment", "group 0").value["x"].append("changed")
        assert result.to_dict() == before == statsig.get_experiment_groups("all experiment").to_dict()
        anything: Any = result
        for thing, name in ((anything, "groups"), (anything.groups[0], "return_value")):
            with pytest.raises(AttributeError):
                setattr(thing, name, None)
        for cls in (ExperimentGroup, ExperimentGroupsResult):
            with pytest.raises(TypeError):
                cls()


def test_wrong_arguments() -> None:
    statsig = our_engine(b"")
    by: tuple[tuple[Any, str], ...] = (
        (statsig.get_experiment_by_group_name, "group_name"),
        (statsig.get_experiment_by_group_id_advanced, "group_id"),
    )
    for wrong in (None, 5, b"x"):
        found = type(wrong).__name__
        expected = f"^argument 'experiment_name': expected str, got {found}$"
        groups: Any = statsig.get_experiment_groups
        with pytest.raises(TypeError, match=expected):
            groups(wrong)
        for method, argument in by:
            with pytest.raises(TypeError, match=expected):
                method(wrong, "x")
            with pytest.raises(TypeError, match=f"^argument '{argument}': expected str, got {found}$"):
                method("x", wrong)
            with pytest.raises(
                ValueError, match=f"^argument '{argument}': expected text that can be encoded"
            ):
                method("x", "\ud83d")
