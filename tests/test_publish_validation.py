"""What is said of a payload before it is published."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from small_project import payload, project
from small_specs import condition, gate, rule
from small_specs import project as specs_project
from statsig_fastly import PayloadError
from statsig_fastly._native import Evaluator
from statsig_fastly.publish.validation import _OPERATORS, _TYPES, _V1_ONLY, unsupported, validate, validated
from statsig_fastly.sample_project import sample_project


def texts(data: dict[str, Any]) -> list[str]:
    return [str(warning) for warning in validate(json.dumps(data).encode()).warnings]


def test_a_sound_project_has_counts_and_no_warnings() -> None:
    found, specs = validated(json.dumps(sample_project()).encode())
    assert found.warnings == ()
    assert sum(found.counts.values()) == sum(1 for _ in specs.refs())
    assert found.counts["holdout"] == 1
    assert found.time == sample_project()["time"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "HTML"),
        (b"{}", "feature_gates|has_updates|time"),
        (b'{"has_updates": false}', "nothing is new"),
        (payload()[:-40], "EOF|end|expected"),
    ],
)
def test_what_no_client_could_use_is_an_error(body: bytes, said: str) -> None:
    with pytest.raises(PayloadError, match=said):
        validate(body)


def test_a_spec_that_is_left_out_is_named_with_the_reason() -> None:
    data = project()
    del data["feature_gates"][0]["salt"]
    data["feature_gates"].pop()
    data["dynamic_configs"].pop()
    assert [text for text in texts(data) if "left out" in text] == [
        text for text in texts(data) if text.startswith("gate 'on': left out") and "salt" in text
    ]


def test_conditions_that_are_not_supported_are_named() -> None:
    said = "rule 'unsupported_rule': operator \"from_the_future\" of a condition is not supported"
    assert f"gate 'unsupported': {said}" in texts(project())


def test_gates_that_do_not_exist_circles_and_id_lists_are_named() -> None:
    conditions = {
        "to b": condition("pass_gate", None, "", "b"),
        "to a": condition("pass_gate", None, "", "a"),
        "to nobody": condition("fail_gate", None, "", "gone"),
        "listed": condition("unit_id", None, "in_segment_list", "vip"),
    }
    data = specs_project(
        conditions,
        {
            "a": gate([rule("to b")]),
            "b": gate([rule("to a")]),
            "c": gate([rule("to nobody")]),
            "d": gate([rule("listed")]),
            "e": gate([rule("no such key")]),
        },
    )
    said = texts(data)
    assert "gate 'a': it comes back to itself: a -> b -> a" in said
    assert "gate 'c': gate 'gone' does not exist, and counts as one that nobody passes" in said
    assert any("1 ID list is used (vip)" in text for text in said)
    assert any(re.search("condition 'no such key' does not exist", text) for text in said)


@pytest.mark.parametrize("v1", [True, False])
def test_what_is_called_unsupported_is_what_the_engine_does_not_support(v1: bool) -> None:
    """Every type and operator, asked of the engine."""
    asked: list[tuple[str, str | None]] = [
        (kind, "any") for kind in (*_TYPES, *_V1_ONLY, "public", "pass_gate", "PUBLIC", "from_the_future", "")
    ]
    asked += [("user_field", operator) for operator in (*_OPERATORS, "ANY", "encoded_any", "", None)]
    for kind, operator in asked:
        one = {"type": kind, "operator": operator, "targetValue": ["x"], "field": "email", "idType": "userID"}
        spec = gate([rule("c")])
        data = specs_project({"c": one}, {"g": spec})
        if v1:
            rules = [{**each, "conditions": [one]} for each in spec["rules"]]
            inline = {**spec, "name": "g", "rules": rules}
            data = {**data, "feature_gates": [inline], "dynamic_configs": [], "layer_configs": []}
        evaluator = Evaluator()
        evaluator._load(json.dumps(data).encode(), "Test")
        reason = evaluator.get_feature_gate("u", "g").details.reason
        assert (unsupported(one, v1=v1) is not None) == reason.endswith("Unsupported"), (
            kind,
            operator,
            reason,
        )
