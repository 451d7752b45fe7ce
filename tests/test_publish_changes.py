"""What changed, in words."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from statsig_fastly.publish.spec_changes import changes
from statsig_fastly.publish.specs import Specs
from statsig_fastly.sample_project import sample_project, to_v1

if TYPE_CHECKING:
    from collections.abc import Callable

OLD = sample_project(gates=20, configs=16)


def said(edit: Callable[[dict[str, Any]], object], *, v1: bool = False) -> list[str]:
    """What is said of the project after a change."""
    new = copy.deepcopy(OLD)
    edit(new)
    old, new = (to_v1(OLD), to_v1(new)) if v1 else (OLD, new)
    found = changes(Specs.of(old), Specs.of(new))
    return [str(each) for each in (*found.specs, *found.settings)]


def rule(project: dict[str, Any], gate: str = "test_fastly") -> dict[str, Any]:
    found: dict[str, Any] = project["feature_gates"][gate]["rules"][0]
    return found


def base(project: dict[str, Any]) -> str:
    return str(rule(project)["id"]).partition(":")[0]


ID = base(OLD)

CASES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "nothing": (lambda project: project.update(time=1), ""),
    "percentage": (
        lambda project: rule(project).update(passPercentage=20),
        f"gate 'test_fastly' changed: rule '{ID}': percentage 50 -> 20",
    ),
    "percentage in the id": (
        lambda project: rule(project).update(passPercentage=20, id=f"{ID}:20.00:99"),
        f"gate 'test_fastly' changed: rule '{ID}': percentage 50 -> 20",
    ),
    "salt": (
        lambda project: project["feature_gates"]["test_fastly"].update(salt="other"),
        "gate 'test_fastly' changed: salt changed: users reshuffle",
    ),
    "salt that divides nobody": (
        lambda project: project["feature_gates"]["maintenance_window"].update(salt="other"),
        "gate 'maintenance_window' changed: salt changed",
    ),
    "salt of a rule": (
        lambda project: rule(project).update(salt="other"),
        f"gate 'test_fastly' changed: rule '{ID}': salt changed: users reshuffle",
    ),
    "off": (
        lambda project: project["feature_gates"]["test_fastly"].update(enabled=False),
        "gate 'test_fastly' changed: switched off",
    ),
    "stopped": (
        lambda project: project["dynamic_configs"]["button_color"].update(isActive=False),
        "experiment 'button_color' changed: stopped",
    ),
    "rule removed": (
        lambda project: project["feature_gates"]["test_fastly"].update(rules=[]),
        f"gate 'test_fastly' changed: rule '{ID}' removed (for everyone)",
    ),
    "added": (
        lambda project: project["feature_gates"].update(fresh=project["feature_gates"]["test_fastly"]),
        "gate 'fresh' added: for everyone, 50 %",
    ),
    "removed": (
        lambda project: project["feature_gates"].pop("test_fastly"),
        "gate 'test_fastly' removed",
    ),
    "default": (
        lambda project: project["dynamic_configs"]["pricing"].update(defaultValue={"a": 1}),
        '-> {"a": 1}',
    ),
    "one and true": (
        lambda project: project["feature_gates"]["test_fastly"].update(defaultValue=0),
        "gate 'test_fastly' changed: default false -> 0",
    ),
    "version": (
        lambda project: project["feature_gates"]["test_fastly"].update(version=1000),
        "-> 1000 and nothing else",
    ),
    "setting": (
        lambda project: project["sdk_configs"].update(sampling_mode="on"),
        'setting \'sdk_configs\' changed: sampling_mode "none" -> "on"',
    ),
}


@pytest.mark.parametrize("v1", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_a_change_is_named(case: str, v1: bool) -> None:
    edit, expected = CASES[case]
    found = said(edit, v1=v1)
    assert len(found) == bool(expected)
    assert not expected or expected in found[0]


def test_conditions_are_told_by_what_they_ask() -> None:
    closed = OLD["feature_gates"]["checkout_is_open"]["rules"][0]["conditions"][0]

    def countries(project: dict[str, Any]) -> None:
        key = "new countries"
        project["condition_map"][key] = {
            **project["condition_map"][closed],
            "targetValue": ["BR", "NZ", "AU"],
        }
        rule(project, "checkout_is_open")["conditions"] = [key]

    (found,) = said(countries)
    assert 'country any plus "NZ", "AU" and minus "MX"' in found

    def another(project: dict[str, Any]) -> None:
        asked = {"field": "plan", "operator": "any", "targetValue": ["pro"]}
        project["condition_map"]["plan"] = {"type": "user_field", "idType": "userID", **asked}
        rule(project, "checkout_is_open")["conditions"].append("plan")

    (found,) = said(another)
    assert 'also asks for plan any ["pro"]' in found


def test_the_salt_of_an_experiments_buckets_reshuffles_too() -> None:
    def reshuffle(project: dict[str, Any]) -> None:
        for condition in project["condition_map"].values():
            if condition["type"] == "user_bucket":
                condition["additionalValues"] = {"salt": "other"}

    found = [text for text in said(reshuffle) if text.startswith("experiment 'button_color'")]
    assert "users reshuffle" in found[0]


def test_the_order_of_rules_and_rules_that_are_new() -> None:
    def reorder(project: dict[str, Any]) -> None:
        project["dynamic_configs"]["button_color"]["rules"].reverse()

    assert any("order of the rules changed" in text for text in said(reorder))

    def add(project: dict[str, Any]) -> None:
        rules = project["feature_gates"]["test_fastly"]["rules"]
        rules.insert(0, {**rules[0], "id": "new", "passPercentage": 5})

    (found,) = said(add)
    assert found == "gate 'test_fastly' changed: rule 'new' added at place 1: 5 % of everyone"


def test_another_format_is_one_change() -> None:
    found = changes(Specs.of(OLD), Specs.of(to_v1(OLD)))
    assert found.specs == ()
    assert [str(each) for each in found.settings] == ["setting 'format' changed: v2 -> v1"]
