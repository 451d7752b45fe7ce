"""Local overrides against the official core, and what only this package promises about them."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from answers import Differences, Kind
from comparisons import context
from engine_under_test import our_answer, our_engine
from override_project import CHECKS, GROUPS, NAMES, USERS, project
from random_specs import random_case
from reference import Reference, reference_user
from statsig_fastly import DynamicConfig, Experiment, Layer, Statsig, StatsigUser
from statsig_fastly.sample_users import Dice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

STEPS: Final = 120
RANDOM_SEEDS: Final = 60

OVERRIDE: Final[dict[Kind, str]] = {
    "gate": "override_gate",
    "config": "override_dynamic_config",
    "experiment": "override_experiment",
    "layer": "override_layer",
}
REMOVE: Final[dict[Kind, str]] = {
    "gate": "remove_gate_override",
    "config": "remove_dynamic_config_override",
    "experiment": "remove_experiment_override",
    "layer": "remove_layer_override",
}
IDS: Final = (None, None, "u1", "u2", "c1", "c2", "5", "2.5", "true", "", "user-1", "é", "1.5")
VALUES: Final[tuple[dict[str, Any], ...]] = (
    {}, {"x": "set"}, {"d": [1, {"y": 2.5}], "é": None}, {"own": True, "x": 2**40}, {"of": {"deep": []}},
)  # fmt: skip

Call = tuple[str, tuple[Any, ...]]


def random_call(dice: Dice, names: Mapping[Kind, Sequence[str]]) -> Call:
    """A method that both packages have, and its arguments."""
    kind: Kind = dice.pick(("gate", "gate", "config", "experiment", "experiment", "layer"))
    name, unit = dice.pick(names[kind]), dice.pick(IDS)
    if dice.chance(0.02):
        return "remove_all_overrides", ()
    if dice.chance(0.3):
        return REMOVE[kind], (name, unit)
    if kind == "experiment" and dice.chance(0.4):
        return "override_experiment_by_group_name", (name, dice.pick(GROUPS), unit)
    return OVERRIDE[kind], (name, dice.chance(0.5) if kind == "gate" else dice.pick(VALUES), unit)


def compare_while_overriding(
    payload: dict[str, Any],
    users: Sequence[dict[str, Any]],
    checks: Sequence[tuple[Kind, str]],
    calls: Callable[[], Call],
    steps: int,
) -> None:
    body = json.dumps(payload).encode()
    differences, made = Differences(), list[Call]()
    with Reference(body) as reference, our_engine(body) as statsig:
        known = [(user, reference_user(user)) for user in users]
        for _ in range(steps):
            method, arguments = calls()
            made.append((method, arguments))
            for engine in (reference.core, statsig):
                assert getattr(engine, method)(*arguments) is None
            for user, theirs in known:
                for kind, name in checks:
                    differences.compare(
                        our_answer(statsig, kind, name, user),
                        reference.check(kind, name, theirs),
                        partial(context, payload, kind, name, user, calls=made[-12:]),
                    )
            if differences.count:
                break
    differences.expect_none()


@pytest.mark.parametrize("seed", range(4))
def test_overrides_of_a_project_that_depends_on_itself(seed: int) -> None:
    dice = Dice(seed)
    compare_while_overriding(project(), USERS, CHECKS, partial(random_call, dice, NAMES), STEPS)


def test_overrides_of_random_projects() -> None:
    for seed in range(RANDOM_SEEDS):
        case, dice = random_case(seed, users=4), Dice(seed)
        names: dict[Kind, list[str]] = {"gate": [], "config": [], "experiment": [], "layer": []}
        for kind, name in case.checks:
            names[kind].append(name)
        checks = dice.take(case.checks, 12)
        compare_while_overriding(case.specs, case.users, checks, partial(random_call, dice, names), 8)


def compare_one(*calls: Call) -> Statsig:
    """Makes the calls and compares everything once; returns the engine, which goes on answering."""
    pending = iter(calls)
    compare_while_overriding(project(), USERS, CHECKS, lambda: next(pending), len(calls))
    statsig = our_engine(json.dumps(project()).encode())
    assert statsig.initialize().wait(30)
    for method, arguments in calls:
        getattr(statsig, method)(*arguments)
    return statsig


def test_the_user_id_goes_before_custom_ids_and_those_before_everybody() -> None:
    statsig = compare_one(
        *(("override_dynamic_config", ("new", {"for": unit}, unit)) for unit in (None, "u2", "c1", "5"))
    )
    expected = ["u2", "c1", "c1", None]
    users = [USERS[1], USERS[2], USERS[3], USERS[5]]
    assert [statsig.get_dynamic_config(user, "new").value["for"] for user in users] == expected


def test_removing_for_one_unit_leaves_the_others() -> None:
    set_all: list[Call] = [("override_gate", ("new", True, unit)) for unit in (None, "u1", "c1")]
    one = compare_one(
        *set_all, ("override_gate", ("new", False, "u1")), ("remove_gate_override", ("new", "u1"))
    )
    assert all(one.check_gate(user, "new") for user in USERS)
    none = compare_one(*set_all, ("remove_gate_override", ("new",)))
    assert not any(none.check_gate(user, "new") for user in USERS)


def test_what_an_override_looks_like() -> None:
    statsig = compare_one(("override_experiment", ("exp", {"x": "set"})), ("override_gate", ("on", False)))
    experiment = statsig.get_experiment("u1", "exp")
    assert experiment.value == {"x": "set"}
    assert (experiment.rule_id, experiment.id_type, experiment.group_name) == ("override", "", None)
    assert (experiment.details.reason, experiment.details.version) == ("LocalOverride:Recognized", None)
    assert not experiment.is_experiment_active
    assert statsig.get_experiment("u1", "exp").secondary_exposures == []
    assert not statsig.check_gate("u1", "nested")
    assert statsig.get_dynamic_config("u1", "exp").value != {"x": "set"}
    assert statsig.get_feature_gate("u1", "on").rule_id == "override"


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_gives_its_parameters_and_not_its_name(group: str) -> None:
    statsig = compare_one(("override_experiment_by_group_name", ("exp", group)))
    experiment = statsig.get_experiment("u1", "exp")
    assert experiment.value == {"Control": {"x": 1, "of": "exp"}, "Test": {"x": 2}}.get(group, {})
    assert (experiment.rule_id, experiment.group_name) == ("override", None)


def test_overrides_before_the_start_count_also_after_it() -> None:
    body = json.dumps(project()).encode()
    with Reference(body, start=False) as reference:
        statsig = our_engine(body)
        for started in (False, True):
            if started:
                reference.start()
                assert statsig.initialize().wait(30)
            else:
                for engine in (reference.core, statsig):
                    engine.override_gate("on", False)
                    engine.override_gate("for u1", True, "u1")
                    engine.override_layer("classic", {"x": "set"}, "c1")
                    engine.override_experiment_by_group_name("exp", "Test")
            differences = Differences()
            for user in USERS:
                for kind, name in [*CHECKS, ("gate", "for u1")]:
                    differences.compare(
                        our_answer(statsig, kind, name, user),
                        reference.check(kind, name, user),
                        partial(context, project(), kind, name, user, started=started),
                    )
            differences.expect_none()


def test_results_keep_the_value_they_were_made_with() -> None:
    statsig = compare_one(
        ("override_dynamic_config", ("plain", {"n": 1})),
        ("override_experiment", ("exp", {"n": 1})),
        ("override_layer", ("classic", {"n": 1})),
    )
    results: list[DynamicConfig | Experiment | Layer] = [
        statsig.get_dynamic_config("u", "plain"),
        statsig.get_experiment("u", "exp"),
        statsig.get_layer("u", "classic"),
        statsig.get_layer("u", "merging"),
    ]
    before = [result.get_value() for result in results]
    assert all(value["n"] == 1 for value in before)
    for step in (
        partial(statsig.override_dynamic_config, "plain", {"n": 2}),
        statsig.remove_all_overrides,
        partial(statsig.override_layer, "nowhere", {"n": 3}),
    ):
        step()
        assert [result.get_value() for result in results] == before
        assert [result.get("n") for result in results] == [1] * len(results)


def test_a_value_is_what_it_was_when_it_was_set() -> None:
    statsig = compare_one()
    value: dict[str, Any] = {"list": [1]}
    statsig.override_layer("plain", value)
    value["list"].append(2)
    value["new"] = True
    result = statsig.get_layer("u", "plain")
    result.get_value()["list"].append(3)
    assert result.get_value() == {"list": [1]}


def test_mappings_and_tuples_are_taken() -> None:
    from types import MappingProxyType

    statsig = compare_one()
    statsig.override_dynamic_config("plain", MappingProxyType({"t": (1, 2)}))
    assert statsig.get_dynamic_config(StatsigUser("u"), "plain").value == {"t": [1, 2]}


METHODS_WITH_VALUES: Final = (
    "override_dynamic_config", "override_experiment", "override_layer", "override_parameter_store",
)  # fmt: skip
METHODS_WITH_IDS: Final = (
    *(OVERRIDE.values()), *(REMOVE.values()), "override_parameter_store", "remove_parameter_store_override",
    "override_experiment_by_group_name",
)  # fmt: skip


def arguments_for(method: str) -> list[Any]:
    if method.startswith("remove"):
        return ["name"]
    return [
        "name",
        {"override_gate": True, "override_experiment_by_group_name": "Test"}.get(method, {"x": 1}),
    ]


@pytest.mark.parametrize("method", METHODS_WITH_IDS)
def test_names_and_ids_of_another_type(method: str) -> None:
    statsig = our_engine(b"{}")
    name, *rest = arguments_for(method)
    for wrong in (None, 5, b"x"):
        with pytest.raises(
            TypeError, match=rf"^argument '\w+_name': expected str, got {type(wrong).__name__}$"
        ):
            getattr(statsig, method)(wrong, *rest)
    for wrong in (5, b"x", True):
        with pytest.raises(TypeError) as caught:
            getattr(statsig, method)(name, *rest, id=wrong)
        assert str(caught.value) == f"argument 'id': expected str or None, got {type(wrong).__name__}"
    for half_a_pair in (["\ud83d", *rest], [name, *rest, "\ud83d"]):
        with pytest.raises(ValueError, match=r"^argument '(id|\w+_name)': expected text that can be encoded"):
            getattr(statsig, method)(*half_a_pair)


@pytest.mark.parametrize("method", METHODS_WITH_VALUES)
def test_values_that_are_no_json(method: str) -> None:
    override = getattr(our_engine(b"{}"), method)
    for wrong, expected in (
        (None, "expected a mapping, got NoneType"),
        ([1], "expected a mapping, got list"),
        ("{}", "expected a mapping, got str"),
        ({1: 2}, "expected names that are str, got int"),
        ({"x": {2: 2}}, "expected names that are str, got int"),
        ({"x": [({None: 2},)]}, "expected names that are str, got NoneType"),
        ({"x": object()}, "expected JSON data, but Object of type object is not JSON serializable"),
    ):
        with pytest.raises(TypeError) as caught:
            override("name", wrong)
        assert str(caught.value) == f"argument 'value': {expected}"
    for number in (float("nan"), float("inf"), -float("inf")):
        with pytest.raises(ValueError, match=r"^argument 'value': expected JSON data, but Out of range"):
            override("name", {"x": [number]})
    for half_a_pair in ({"x": ["\ud83d"]}, {"\ud83d": 1}):
        with pytest.raises(ValueError, match=r"^argument 'value': expected text that can be encoded"):
            override("name", half_a_pair)
    deep: dict[str, Any] = {}
    for _ in range(10_000):
        deep = {"x": deep}
    with pytest.raises(ValueError, match=r"^argument 'value': expected JSON data, but it is nested"):
        override("name", deep)
    circle: dict[str, Any] = {}
    circle["circle"] = circle
    with pytest.raises(ValueError, match=r"^argument 'value': expected JSON data, but Circular"):
        override("name", circle)


def test_values_of_gates_and_groups_of_another_type() -> None:
    statsig = our_engine(b"{}")
    wrong: Any
    for wrong in (1, 0, None, "true", {}):
        with pytest.raises(TypeError) as caught:
            statsig.override_gate("name", wrong)
        assert str(caught.value) == f"argument 'value': expected bool, got {type(wrong).__name__}"
    for wrong in (None, 5, {}):
        with pytest.raises(TypeError) as caught:
            statsig.override_experiment_by_group_name("name", wrong)
        assert str(caught.value) == f"argument 'group_name': expected str, got {type(wrong).__name__}"
    assert not statsig.check_gate("u", "name")
