"""Sticky values: what is kept for a unit, when it counts and what the storage is told."""

from __future__ import annotations

import json
import logging
import pickle
from types import MappingProxyType
from typing import Any, Final

import pytest

from answers import Differences
from comparisons import context
from engine_under_test import our_answer, our_engine
from recording_storage import RecordingStorage
from reference import Reference, reference_user
from statsig_fastly import (
    ExperimentEvaluationOptions,
    Layer,
    LayerEvaluationOptions,
    Statsig,
    StatsigOptions,
)
from statsig_fastly.sample_users import Dice
from sticky_checks import USER, check, client
from sticky_specs import PAYLOAD, PAYLOAD_AFTER, StickyCase, project_with, some_entry, sticky_case

SEEDS: Final = 160
BATCH: Final = 40


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_random_checks_as_in_the_official_core(first: int) -> None:
    differences = Differences()
    seen: dict[str, int] = {}
    for seed in range(first, first + BATCH):
        case, dice = sticky_case(seed), Dice(seed)
        ours, theirs = RecordingStorage(), RecordingStorage()
        settings = (case.payload, case.environment, case.global_custom_fields)
        with Reference(*settings, theirs) as reference, our_engine(*settings, ours) as statsig:
            for user in case.users:
                fields = reference_user(user)
                for kind, name in case.checks:
                    options = random_options(dice, ours, name, case)
                    answer = our_answer(statsig, kind, name, user, options)
                    expected = reference.check(kind, name, fields, options)
                    shown = {"seed": seed, "options": options}
                    told, expected_told = ours.take(), theirs.take()
                    differences.compare(
                        answer,
                        expected,
                        lambda: {**context(case.specs, kind, name, user), **shown},  # noqa: B023 - called at once
                    )
                    if told != expected_told:
                        differences.add(f"  {kind} {name!r}: told {told}, theirs {expected_told}, {shown}")
                    outcome = answer.reason if answer.reason == "Persisted" else [*told, ("live",)][0][0]
                    seen[outcome] = seen.get(outcome, 0) + 1
    differences.expect_none()
    assert all(seen[outcome] > 50 for outcome in ("Persisted", "save", "delete", "live")), seen


def random_options(
    dice: Dice, storage: RecordingStorage, name: str, case: StickyCase
) -> dict[str, Any] | None:
    """Options for one check, with what was saved before or with entries made up."""
    if dice.chance(0.15):
        return None
    values: dict[str, Any] = {}
    if dice.chance(0.6):
        saved = [entry for (_, saved_name), entry in storage.saved.items() if saved_name == name]
        entry = dice.pick(saved) if saved and dice.chance(0.5) else some_entry(dice, case.names)
        # The official core refuses entries of its own that have None there.
        values[name] = {key: value for key, value in entry.items() if value is not None}
    if dice.chance(0.3):
        values[dice.pick(case.names)] = some_entry(dice, case.names)
    # Enforcing, the official core leaves out rules of mapped gates and delegates too: see the test of that.
    enforced = 0.0 if "overrides" in case.specs else 0.4
    return {
        "user_persisted_values": values,
        "enforce_overrides": dice.chance(enforced),
        "enforce_targeting": dice.chance(enforced),
    }


@pytest.mark.parametrize("kind", ["experiment", "layer"])
@pytest.mark.parametrize("values", [None, {}, "entry"])
def test_what_is_overridden_is_not_kept(kind: Any, values: Any) -> None:  # noqa: ANN401
    name = {"experiment": "grouped", "layer": "shelf"}[kind]
    given = {name: {"rule_id": "kept", "config_delegate": "grouped"}} if values == "entry" else values
    options = None if given is None else {"user_persisted_values": given}
    ours, theirs = RecordingStorage(), RecordingStorage()
    with (
        Reference(PAYLOAD, None, None, theirs) as reference,
        our_engine(PAYLOAD, None, None, ours) as statsig,
    ):
        reference.override(f"override_{kind}", name, {"set": 1})
        {"experiment": statsig.override_experiment, "layer": statsig.override_layer}[kind](name, {"set": 1})
        answer = our_answer(statsig, kind, name, USER, options)
        assert answer == reference.check(kind, name, {"userID": "u-1"}, options)
        assert answer.reason == "LocalOverride:Recognized"
        assert ours.take() == theirs.take() == []


@pytest.mark.parametrize(("kind", "name"), [("experiment", "grouped"), ("layer", "shelf")])
def test_what_was_saved_comes_back(kind: Any, name: str) -> None:  # noqa: ANN401
    storage = RecordingStorage()
    with client(PAYLOAD, storage) as statsig:
        before = check(statsig, kind, name, {})
    assert before.details.reason == "Adapter(Memory):Recognized"
    # In the meantime the users were given to another group.
    with client(PAYLOAD_AFTER, storage) as statsig:
        values = storage.get_user_persisted_value(USER, "userID")
        assert values
        assert check(statsig, kind, name, {}).group_name == "Other"
        for kept in (values, json.loads(json.dumps(values))):
            after = check(statsig, kind, name, kept)
            assert after == before
            assert repr(after) == repr(before).replace("Adapter(Memory):Recognized", "Persisted")
            assert after.details.reason == "Persisted"
            assert (after.details.lcut, after.details.version) == (1_700_000_000_000, 7)
            assert after.to_dict() | {"details": None} == before.to_dict() | {"details": None}
            assert (after.is_experiment_active, after.secondary_exposures) == (
                before.is_experiment_active,
                before.secondary_exposures,
            )
            assert after.get("size") == before.get("size") == 2
            assert after.get_integer("size", 0) == 2
            assert after.get("nope", "fallback") == "fallback"
            assert (list(after), after["nested"], "size" in after) == (
                list(before),
                {"list": [1, 2.5]},
                True,
            )
            if isinstance(after, Layer):
                assert after.explicit_parameters == before.explicit_parameters == ["size"]
                assert after.undelegated_secondary_exposures == before.undelegated_secondary_exposures
                assert after.allocated_experiment_name == "grouped"


def test_a_kept_result_is_nobody_elses() -> None:
    entry: dict[str, Any] = {"json_value": {"list": [1, {"k": 1}]}}
    with client(PAYLOAD, RecordingStorage()) as statsig:
        kept = check(statsig, "experiment", "grouped", {"grouped": entry})
        kept.value["list"][1]["k"] = 2
        kept.get("list").append(3)
        entry["json_value"]["list"].clear()
        assert kept.value == {"list": [1, {"k": 1}]}
        assert kept["list"] == [1, {"k": 1}]


def test_what_is_saved_is_the_storages_own() -> None:
    storage = RecordingStorage()
    with client(PAYLOAD, storage) as statsig:
        check(statsig, "experiment", "grouped", {})
        storage.saved["u-1:userID", "grouped"]["json_value"]["nested"].clear()
        assert check(statsig, "experiment", "grouped", {}).value["nested"] == {"list": [1, 2.5]}


def test_without_a_storage_nothing_is_kept() -> None:
    options = {"user_persisted_values": {"grouped": {"rule_id": "kept"}}}
    with Reference(PAYLOAD) as reference, our_engine(PAYLOAD) as statsig:
        answer = our_answer(statsig, "experiment", "grouped", USER, options)
        assert answer == reference.check("experiment", "grouped", {"userID": "u-1"}, options)
        assert answer.reason == "Recognized"


def test_before_a_start_the_storage_is_not_told() -> None:
    storage = RecordingStorage()
    statsig = Statsig("secret-key", StatsigOptions(persistent_storage=storage))
    assert check(statsig, "experiment", "grouped", None).details.reason == "Uninitialized"
    assert check(statsig, "layer", "shelf", {"shelf": {}}).details.reason == "Uninitialized"
    assert storage.take() == []


# Where the official core is not followed


class Changing(str):
    """A key that changes the dict it is in when it is put into another."""

    __slots__ = ("members",)
    members: dict[str, Any]

    def __hash__(self) -> int:
        for number in range(8):
            self.members[f"{len(self.members)}-{number}"] = number
        return super().__hash__()


@pytest.mark.parametrize("kind", ["experiment", "layer"])
def test_an_entry_that_changes_while_it_is_read(kind: str) -> None:
    name = "grouped"
    payload = project_with({name: [{"id": "r", "groupName": "G", "isExperimentGroup": True}]})
    key = Changing("key")
    key.members = {}
    key.members.update({"a": 1, key: 2, "b": 3})
    with client(payload, RecordingStorage()) as statsig:
        kept = check(statsig, kind, name, {name: {"json_value": {"in": key.members}, "rule_id": "kept"}})
        assert isinstance(kept.get_value(), dict)


def test_a_kept_number_that_no_float_can_hold() -> None:
    payload = project_with({"grouped": [{"id": "r", "groupName": "G", "isExperimentGroup": True}]})
    entry = {"json_value": {"huge": 10**400}, "rule_id": "kept"}
    with client(payload, RecordingStorage()) as statsig:
        kept = check(statsig, "experiment", "grouped", {"grouped": entry})
        assert (kept.details.reason, kept["huge"]) == ("Persisted", 10**400)
        assert kept.get_float("huge", 1.5) == 1.5


def test_an_entry_comes_back_as_it_was_saved() -> None:
    """The official core refuses its own None, and then removes what is kept."""
    name = "dull"
    payload = project_with(
        {name: [{"id": "r", "groupName": "G", "isExperimentGroup": True, "returnValue": {"a": 1}}]}
    )
    ours, theirs = RecordingStorage(), RecordingStorage()
    user = {"userID": "u-1"}
    with (
        Reference(payload, None, None, theirs) as reference,
        our_engine(payload, None, None, ours) as statsig,
    ):
        options: dict[str, Any] = {"user_persisted_values": {}}
        our_answer(statsig, "experiment", name, user, options)
        reference.check("experiment", name, user, options)
        assert ours.take() == theirs.take() != []
        options = {"user_persisted_values": theirs.load("u-1:userID")}
        assert options["user_persisted_values"][name]["undelegated_secondary_exposures"] is None
        assert our_answer(statsig, "experiment", name, user, options).reason == "Persisted"
        assert reference.check("experiment", name, user, options).reason == "Recognized"
        assert (ours.take(), theirs.take()) == ([], [("delete", "u-1:userID", name)])


def test_a_look_at_anothers_group_removes_nothing() -> None:
    condition = {
        "type": "experiment_group",
        "field": "grouped",
        "operator": "any",
        "targetValue": ["G"],
        "idType": "userID",
    }
    payload = project_with(
        {
            "grouped": [{"id": "r", "groupName": "G", "isExperimentGroup": True}],
            "asking": [{"id": "in_g", "conditions": ["group"]}],
        },
        conditions={"group": condition},
    )
    ours, theirs = RecordingStorage(), RecordingStorage()
    user = {"userID": "u-1"}
    options: dict[str, Any] = {"user_persisted_values": {}}
    with (
        Reference(payload, None, None, theirs) as reference,
        our_engine(payload, None, None, ours) as statsig,
    ):
        answer = our_answer(statsig, "experiment", "asking", user, options)
        assert answer == reference.check("experiment", "asking", user, options)
        assert answer.rule_id == "in_g"
    assert (ours.take(), theirs.take()) == ([], [("delete", "u-1:userID", "grouped")])


def test_enforcing_leaves_out_rules_of_the_experiment_alone() -> None:
    gate = {"id": "gate_rule", "returnValue": True}
    payload = project_with(
        {"enforced": [{"id": "x_override", "conditions": ["mapped"]}]},
        conditions={"mapped": {"type": "pass_gate", "targetValue": "from", "idType": "userID"}},
        gates={"from": [gate], "to": [gate]},
        overrides={"from": [{"new_config_name": "to", "rules": [{"rule_name": "m", "start_time": 0}]}]},
    )
    user = {"userID": "u-1"}
    options = {"user_persisted_values": {"enforced": {"rule_id": "kept"}}, "enforce_overrides": True}
    storage = RecordingStorage()
    with (
        Reference(payload, None, None, storage) as reference,
        our_engine(payload, None, None, storage) as statsig,
    ):
        assert our_answer(statsig, "experiment", "enforced", user, options).rule_id == "x_override"
        assert reference.check("experiment", "enforced", user, options).rule_id == "kept"
    assert storage.take() == []


# Entries that cannot be read


MALFORMED: Final[list[Any]] = [
    [],
    "x",
    None,
    {"value": 1},
    {"json_value": [1]},
    {"json_value": {"set": {1}}},
    {"json_value": {1: 2}},
    {"rule_id": 5},
    {"rule_id": "\ud83d"},
    {"group_name": b"x"},
    {"secondary_exposures": "x"},
    {"secondary_exposures": [{"gate": "g", "gateValue": "true"}]},
    {"secondary_exposures": [{"gate": "g", "gateValue": True, "ruleID": "r"}]},
    {"undelegated_secondary_exposures": [5]},
    {"explicit_parameters": [5]},
    {"config_delegate": 5},
    {"config_version": "3"},
    {"config_version": True},
    {"config_version": 2**32},
    {"time": -1},
    {"time": 1.5},
]


@pytest.mark.parametrize("entry", MALFORMED, ids=repr)
def test_an_entry_that_cannot_be_read_counts_as_none(entry: object, caplog: pytest.LogCaptureFixture) -> None:
    storage = RecordingStorage()
    values: Any = {"grouped": entry, "shelf": {"rule_id": "kept", "config_delegate": "grouped"}}
    with client(PAYLOAD, storage) as statsig, caplog.at_level(logging.WARNING, "statsig_fastly"):
        for _ in range(3):
            assert check(statsig, "experiment", "grouped", values).rule_id == "first"
        # It is saved anew, and the other entry is as good as it was.
        assert [call[:3] for call in storage.take()] == [("save", "u-1:userID", "grouped")] * 3
        assert check(statsig, "layer", "shelf", values).rule_id == "kept"
    [record] = caplog.records
    assert record.getMessage().startswith("the entry 'grouped' of user_persisted_values is not used: ")


def test_an_entry_that_is_nested_without_end(caplog: pytest.LogCaptureFixture) -> None:
    endless: list[Any] = []
    endless.append(endless)
    with client(PAYLOAD, RecordingStorage()) as statsig, caplog.at_level(logging.WARNING, "statsig_fastly"):
        values = {"grouped": {"json_value": {"a": endless}}}
        assert check(statsig, "experiment", "grouped", values).rule_id == "first"
    assert "nested deeper" in caplog.text


def test_members_that_are_absent_or_none() -> None:
    members = dict.fromkeys(
        (
            "value",
            "json_value",
            "rule_id",
            "group_name",
            "secondary_exposures",
            "undelegated_secondary_exposures",
            "explicit_parameters",
            "config_delegate",
            "config_version",
            "time",
        )
    )
    with client(PAYLOAD, RecordingStorage()) as statsig:
        for entry in ({}, members):
            kept = check(statsig, "experiment", "grouped", {"grouped": entry})
            assert (kept.value, kept.rule_id, kept.id_type, kept.group_name) == ({}, "", "userID", None)
            assert (kept.details.reason, kept.details.lcut, kept.details.version) == ("Persisted", None, None)
            assert kept.secondary_exposures == []


# Options


@pytest.mark.parametrize("options", [ExperimentEvaluationOptions, LayerEvaluationOptions])
def test_sticky_options_as_values(options: Any) -> None:  # noqa: ANN401 - one of two classes
    values = {"a": {"rule_id": "r"}}
    given = options(True, values, enforce_overrides=True, enforce_targeting=True)
    values["b"] = {}
    assert given.user_persisted_values == {"a": {"rule_id": "r"}}
    given.user_persisted_values.clear()
    assert given.user_persisted_values == {"a": {"rule_id": "r"}}
    assert (given.disable_exposure_logging, given.enforce_overrides, given.enforce_targeting) == (True,) * 3
    shown = "disable_exposure_logging=True, user_persisted_values={'a': {'rule_id': 'r'}}"
    assert repr(given) == f"{options.__name__}({shown}, enforce_overrides=True, enforce_targeting=True)"
    assert pickle.loads(pickle.dumps(given)) == given  # noqa: S301 - our own
    assert given == options(True, MappingProxyType({"a": {"rule_id": "r"}}), True, True)
    with pytest.raises(TypeError, match="unhashable"):
        hash(given)

    plain = options()
    assert plain.user_persisted_values is None
    assert not plain.enforce_overrides
    assert not plain.enforce_targeting
    assert hash(plain) == hash(options(user_persisted_values=None))
    different = [
        plain,
        options(True),
        options(user_persisted_values={}),
        options(user_persisted_values={"a": {}}),
        options(enforce_overrides=True),
        options(enforce_targeting=True),
        "x",
    ]
    for index, one in enumerate(different):
        assert [one == other for other in different] == [index == at for at in range(len(different))]
        assert [one != other for other in different] == [index != at for at in range(len(different))]


@pytest.mark.parametrize("options", [ExperimentEvaluationOptions, LayerEvaluationOptions])
@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"user_persisted_values": [("a", {})]},
            "expected a mapping of experiment or layer name to entry, or None, got list",
        ),
        ({"user_persisted_values": "x"}, "got str"),
        ({"user_persisted_values": {5: {}}}, "expected names that are str, got int"),
        ({"enforce_overrides": 1}, "expected bool, got int"),
        ({"enforce_targeting": None}, "expected bool, got NoneType"),
    ],
)
def test_sticky_options_that_cannot_be(options: Any, given: dict[str, Any], says: str) -> None:  # noqa: ANN401
    with pytest.raises(TypeError) as caught:
        options(**given)
    [name] = given
    assert str(caught.value).startswith(f"argument '{name}': ")
    assert str(caught.value).endswith(says)
