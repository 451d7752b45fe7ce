"""Floats that JSON cannot hold: a user's count as the whole number next to them, as in the official core."""

from __future__ import annotations

import json
from typing import Any

import pytest

from answers import Differences
from engine_under_test import our_answer, our_engine
from reference import Reference
from small_specs import condition, gate, project, rule

TARGETS = [
    ("gte", 0),
    ("lt", 0),
    ("eq", 0),
    ("eq", None),
    ("eq", ["0"]),
    ("after", 0),
    ("version_gte", "0"),
    ("str_matches", "^-?[0-9]+$"),
    ("array_contains_any", ["0", "9223372036854776000", "-9223372036854776000"]),
    *(("any", [text]) for text in ("0", "inf", "NaN", "9223372036854776000", "-9223372036854776000")),
    *(("any", [f"[{text}]"]) for text in ("0", "null", "9223372036854775807", "-9223372036854775808")),
]


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize("within", [lambda number: number, lambda number: [number]])
@pytest.mark.parametrize("field", ["custom", "privateAttributes"])
def test_as_in_the_official_core(number: float, within: Any, field: str) -> None:  # noqa: ANN401 - a callable
    conditions = {str(index): condition("user_field", "n", *test) for index, test in enumerate(TARGETS)}
    body = json.dumps(project(conditions, {key: gate([rule(key)]) for key in conditions})).encode()
    user = {"userID": "u", field: {"n": within(number)}}
    differences = Differences()
    with Reference(body) as reference, our_engine(body) as statsig:
        for key in conditions:
            ours, theirs = our_answer(statsig, "gate", key, user), reference.check("gate", key, user)
            differences.compare(ours, theirs, lambda key=key: {"test": TARGETS[int(key)]})  # type: ignore[misc]
    differences.expect_none()


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), 2**63 - 1, -(2**63)])
def test_no_date_is_too_far_away_to_be_compared(number: float) -> None:
    conditions = {
        str(target): condition("user_field", "n", "on", target) for target in (0, 2**63 - 1, -(2**63), None)
    }
    body = json.dumps(project(conditions, {key: gate([rule(key)]) for key in conditions})).encode()
    with our_engine(body) as statsig:
        for key in conditions:
            answer = our_answer(statsig, "gate", key, {"userID": "u", "custom": {"n": number}})
            assert answer.reason == "Recognized"
            assert answer.value == (key == str(int(min(max(number, -(2**63)), 2**63 - 1))))
