"""Conditions on ID lists: the same answers as in the official core, and where the lists come from."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Final

import pytest

from answers import Differences
from engine_under_test import our_answer, our_engine
from random_id_lists import LISTED, random_lines, written
from reference_id_lists import reference_with_id_lists
from small_specs import condition, gate, project, rule
from statsig_fastly import Statsig, StatsigOptions
from statsig_fastly.sample_users import Dice

LISTS: Final = 200
VALUES: Final[tuple[Any, ...]] = (*LISTED, 0, 5, 5.0, 2**53 + 1, True, ["a"], [5], {"a": 1}, None)
OPERATORS: Final = ("in_segment_list", "not_in_segment_list")


def checks_project(names: list[str]) -> dict[str, Any]:
    """For each list two gates on the attribute `f` and one on the user id."""
    conditions = {}
    for name in names:
        for operator in OPERATORS:
            conditions[f"{operator} {name}"] = condition("user_field", "f", operator, name)
        conditions[f"unit {name}"] = condition("unit_id", None, "in_segment_list", name)
    return project(conditions, {key: gate([rule(key)]) for key in conditions})


def compare(files: dict[str, bytes], statsig: Statsig, payload: dict[str, Any], missing: str) -> int:
    """How many gates were on; fails if this client and the official core with these files disagree."""
    differences, on = Differences(), 0
    with reference_with_id_lists(json.dumps(payload).encode(), files) as reference:
        for value in VALUES:
            user = {"userID": value if isinstance(value, str) else "user-1", "custom": {"f": value}}
            for name in payload["feature_gates"]:
                theirs = reference.check("gate", name, user)
                on += theirs.value is True and not name.endswith(missing)
                file = files.get(name.rpartition(" ")[2])
                differences.compare(
                    our_answer(statsig, "gate", name, user),
                    theirs,
                    partial(dict[str, Any], name=name, user=user, file=file),
                )
    differences.expect_none()
    assert differences.compared == len(VALUES) * len(payload["feature_gates"])
    return on


def test_random_files_mean_what_they_mean_in_the_official_core() -> None:
    dice = Dice(2024)
    split = {f"list{number}": random_lines(dice) for number in range(LISTS)}
    files = {name: b"".join(lines) for name, lines in split.items()}
    payload = checks_project([*files, "nolist"])
    with our_engine(json.dumps(payload).encode()) as statsig:
        for name, lines in split.items():
            # As a file that grows: a part first, then what was added to it. What does not start as a list is
            # none, so only a line that is one is a place to cut.
            cut = dice.below(len(lines) + 1)
            while cut < len(lines) and lines[cut][:1] not in (b"+", b"-"):
                cut += 1
            if statsig._set_id_list(name, b"".join(lines[:cut])):
                assert statsig._extend_id_list(name, b"".join(lines[cut:]))
        on = compare(files, statsig, payload, "nolist")
    gates = len(VALUES) * len(files) * 3
    assert gates // 5 < on < gates * 4 // 5


def test_lists_of_the_application_are_as_lists_of_the_official_core() -> None:
    members: dict[str, Any] = {
        "tuple": ("a", "5"),
        "set": {"", "é"},
        "frozenset": frozenset(["true", "x" * 200]),
        "list": ["a", "a", '["a"]'],
        "keys": {"a": 1, "user-1": 2}.keys(),
        "empty": [],
    }
    files = {
        name: "".join(f"+{written(unit)}\n" for unit in units).encode() for name, units in members.items()
    }
    payload = checks_project([*files, "nolist"])
    with our_engine(json.dumps(payload).encode(), id_lists=members) as statsig:
        assert compare(files, statsig, payload, "nolist") > len(files)


def on(statsig: Statsig, unit: str, name: str = "L") -> bool:
    return statsig.check_gate(unit, f"unit {name}")


def test_lists_are_replaced_extended_and_dropped_while_in_use() -> None:
    payload = json.dumps(checks_project(["L", "M"])).encode()
    with our_engine(payload, id_lists={"L": ["a"], "M": ["a"]}) as statsig:
        assert [on(statsig, unit) for unit in "abc"] == [True, False, False]
        statsig._extend_id_list("L", f"+{written('b')}\n".encode())
        assert [on(statsig, unit) for unit in "abc"] == [True, True, False]
        statsig._extend_id_list("L", f"-{written('a')}\n".encode())
        assert [on(statsig, unit) for unit in "abc"] == [False, True, False]
        statsig._set_id_list("L", f"+{written('c')}\n".encode())
        assert [on(statsig, unit) for unit in "abc"] == [False, False, True]
        statsig._drop_id_list("L")
        statsig._drop_id_list("no list")
        assert [on(statsig, unit) for unit in "abc"] == [False, False, False]
        statsig._extend_id_list("L", f"+{written('a')}\n".encode())
        assert [on(statsig, unit) for unit in "abc"] == [True, False, False]
        assert on(statsig, "a", "M")
        # An error page, for one.
        page = b"<!doctype html>\n+" + written("b").encode()
        assert not statsig._set_id_list("L", page)
        assert not statsig._extend_id_list("L", page)
        assert [on(statsig, unit) for unit in "abc"] == [True, False, False]


def test_later_changes_to_what_was_given_change_nothing() -> None:
    lists = {"L": ["a"]}
    with our_engine(json.dumps(checks_project(["L"])).encode(), id_lists=lists) as statsig:
        lists["L"].append("b")
        assert (on(statsig, "a"), on(statsig, "b")) == (True, False)


@pytest.mark.parametrize(
    ("lists", "says"),
    [
        ({5: ["a"]}, "argument 'id_lists': expected keys that are str, got int"),
        ({"L": "abc"}, "argument 'id_lists[\"L\"]': expected a list, tuple or set of str, got str"),
        ({"L": 5}, "argument 'id_lists[\"L\"]': expected a list, tuple or set of str, got int"),
        ({"L": None}, "argument 'id_lists[\"L\"]': expected a list, tuple or set of str, got NoneType"),
        (
            {"L": iter(["a"])},
            "argument 'id_lists[\"L\"]': expected a list, tuple or set of str, got list_iterator",
        ),
        ({"L": b"abc"}, "argument 'id_lists[\"L\"][0]': expected str, got int"),
        ({"L": ["a", 5]}, "argument 'id_lists[\"L\"][1]': expected str, got int"),
    ],
)
def test_lists_of_the_wrong_type_are_named(lists: Any, says: str) -> None:  # noqa: ANN401
    with pytest.raises(TypeError) as caught:
        StatsigOptions(id_lists=lists)
    assert str(caught.value) == says


def test_the_repr_of_options_shows_nobody() -> None:
    assert "user-1" not in repr(StatsigOptions(id_lists={"L": ["user-1"]}))
