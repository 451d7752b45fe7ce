"""How many users get another answer: as many as by asking the official core for every one of them."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Final

import pytest

import small_specs
from random_id_lists import written
from reference import Reference, reference_user
from small_project import payload
from statsig_fastly import AdapterError, PayloadError
from statsig_fastly.publish.flips import count_flips
from statsig_fastly.publish.specs import Specs
from statsig_fastly.publish.users import made_up_users
from statsig_fastly.sample_project import HOLDOUT, sample_project, sample_users, to_v1

if TYPE_CHECKING:
    from collections.abc import Callable

    from answers import Answer, Kind

USERS: Final = 10_000
USER_IDS: Final = [f"user-{number}" for number in range(4000)]


def rollout(project: dict[str, Any]) -> None:
    project["feature_gates"]["test_fastly"]["rules"][0]["passPercentage"] = 62.5


def changed(*edits: Callable[[dict[str, Any]], None]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The sample project, and the same after some changes."""
    old = sample_project(gates=20, configs=16)
    new = copy.deepcopy(old)
    for edit in edits:
        edit(new)
    return old, new


def brute_force(
    old: bytes, new: bytes, users: list[dict[str, Any]], asked: list[tuple[Kind, str]]
) -> dict[tuple[str, str], int]:
    """Asks the official core everything of everybody, twice, and counts."""
    flipped: dict[tuple[str, str], int] = {}
    with Reference(old) as before, Reference(new) as after:
        for user in users:
            asking = reference_user(user)
            for kind, name in asked:
                if seen(before.check(kind, name, asking)) != seen(after.check(kind, name, asking)):
                    flipped[kind, name] = flipped.get((kind, name), 0) + 1
    return flipped


def seen(answer: Answer) -> str:
    """What an application sees of an answer."""
    return json.dumps([answer.value, answer.group_name], sort_keys=True)


def edit_everything(project: dict[str, Any]) -> None:
    """A day of a busy team."""
    rollout(project)
    gates, configs = project["feature_gates"], project["dynamic_configs"]
    for condition in project["condition_map"].values():
        if condition["type"] == "user_bucket":
            condition["additionalValues"] = {"salt": f"another {condition['additionalValues']['salt']}"}
    gates[HOLDOUT]["rules"][0]["passPercentage"] = 25
    configs["pricing"]["defaultValue"] = {"nothing": True}
    configs["pricing"]["rules"] = configs["pricing"]["rules"][1:]
    project["layer_configs"]["checkout_layer"]["defaultValue"] = {"steps": ["none"]}
    del gates["checkout_is_open"]
    gates["brand_new"] = {**gates["test_fastly"], "salt": "new"}
    project["time"] += 1


def test_they_are_those_that_the_official_core_gives_for_ten_thousand_users() -> None:
    old, new = changed(edit_everything)
    users = sample_users(USERS)
    found = count_flips(json.dumps(old).encode(), json.dumps(new).encode(), users)
    asked: list[tuple[Kind, str]] = [
        ("gate", "test_fastly"),
        ("gate", HOLDOUT),
        ("gate", "brand_new"),
        ("gate", "legacy_sessions_allowed"),  # which has not changed
        ("experiment", "button_color"),
        ("config", "pricing"),
    ]
    theirs = brute_force(json.dumps(old).encode(), json.dumps(new).encode(), users, asked)
    ours = {(spec.kind, spec.name): spec.flipped for spec in found.specs}
    assert {key: count for key, count in ours.items() if key in asked} == theirs
    assert len(theirs) == len(asked) - 1
    assert {spec.how for spec in found.specs} == {"added", "removed", "changed"}


def test_what_is_not_asked_has_not_flipped() -> None:
    old, new = changed(edit_everything)
    users = sample_users(200)
    found = count_flips(json.dumps(old).encode(), json.dumps(new).encode(), users)
    every: list[tuple[Kind, str]] = [
        ("gate", name) for name in {**old["feature_gates"], **new["feature_gates"]}
    ]
    every += [("layer", name) for name in old["layer_configs"]]
    every += [
        ("config" if spec["entity"] == "dynamic_config" else "experiment", name)
        for name, spec in old["dynamic_configs"].items()
    ]
    flipped = brute_force(json.dumps(old).encode(), json.dumps(new).encode(), users, every)
    assert flipped == {(spec.kind, spec.name): spec.flipped for spec in found.specs}
    assert found.asked < len(every)


def test_a_share_that_grows_moves_those_in_between_and_nobody_else() -> None:
    old, new = changed(rollout)
    found = count_flips(
        json.dumps(old).encode(), json.dumps(new).encode(), [f"user-{n}" for n in range(4000)]
    )
    gate = next(spec for spec in found.specs if spec.name == "test_fastly")
    assert [move[:2] for move in gate.moves] == [("fails", "passes")]
    assert 0.10 < gate.share < 0.15
    assert len(gate.examples) == 5
    assert found.worst is not None
    assert found.worst.share >= gate.share


def test_what_is_new_is_counted_but_is_not_the_worst() -> None:
    old, new = changed(
        lambda project: project["feature_gates"].update(fresh=project["feature_gates"]["test_fastly"])
    )
    found = count_flips(json.dumps(old).encode(), json.dumps(new).encode(), ["a", "b", "c", "d", "e", "f"])
    assert [(spec.name, spec.how) for spec in found.specs] == [("fresh", "added")]
    assert found.worst is None
    assert found.any_flip == 0


def test_the_other_format_asks_nothing_again() -> None:
    """But for what that format says otherwise."""
    old, _ = changed()
    found = count_flips(json.dumps(old).encode(), json.dumps(to_v1(old)).encode(), ["a", "b"])
    assert found.asked <= 2
    assert found.any_flip == 0


def test_members_of_id_lists_count_and_a_list_that_changed_is_one_change() -> None:
    specs = small_specs.project(
        {"listed": small_specs.condition("unit_id", None, "in_segment_list", "vip")},
        {"vips": small_specs.gate([small_specs.rule("listed")]), "others": small_specs.gate([])},
    )
    body = json.dumps(specs).encode()
    before = {"vip": f"+{written('a')}\n+{written('b')}\n".encode(), "not used": b""}
    after = {"vip": f"+{written('a')}\n+{written('c')}\n".encode()}
    users = ["a", "b", "c", "d"]
    found = count_flips(body, body, users, old_lists=before, new_lists=after)
    assert found.asked == 1
    assert [(spec.name, spec.flipped, spec.examples) for spec in found.specs] == [("vips", 2, ("b", "c"))]
    assert count_flips(body, body, users, old_lists=before, new_lists=before).asked == 0
    with pytest.raises(AdapterError, match="ID list 'vip': expected lines that start"):
        count_flips(body, body, users, new_lists={"vip": b"<html>"})


def test_the_payload_that_does_not_compile_is_named() -> None:
    with pytest.raises(PayloadError, match="the new payload: "):
        count_flips(payload(), b"{", ["a"])


def test_the_same_payload_asks_nothing() -> None:
    found = count_flips(payload(), payload(time=1_760_000_000_001), ["a"])
    assert (found.asked, found.specs, found.users) == (0, (), 1)


def test_numbers_and_booleans_that_python_takes_for_equal_differ() -> None:
    def config(value: object) -> bytes:
        old = sample_project(gates=20, configs=16)
        old["dynamic_configs"]["pricing"]["rules"] = []
        old["dynamic_configs"]["pricing"]["defaultValue"] = {"n": value}
        return json.dumps(old).encode()

    assert [spec.flipped for spec in count_flips(config(1), config(True), ["a"]).specs] == [1]
    assert [spec.flipped for spec in count_flips(config(1), config(1.0), ["a"]).specs] == [1]


def test_made_up_users_are_the_same_each_time_and_meet_the_conditions() -> None:
    specs = Specs.of(sample_project())
    users = made_up_users(500, [specs])
    assert users == made_up_users(500, [specs])
    assert users != made_up_users(500, [specs], seed=7)
    for attribute in ("email", "country", "app_version"):
        assert len({getattr(user, attribute) for user in users}) > 3
    assert len({user.user_id for user in users}) > 490


def test_a_user_that_is_none_is_named() -> None:
    with pytest.raises(TypeError, match="no such field 'plan'"):
        count_flips(payload(), payload(number=2), [{"userID": "a", "plan": "pro"}])
