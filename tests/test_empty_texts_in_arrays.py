"""`array_contains_…` with an empty text in its target, on nulls and objects among a user's elements.

They match nothing. The official core agrees but for about one check in 128, so it is asked many times here,
and random comparisons leave these targets out (`conformance.conditions.decided`).
"""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from conformance.conditions import ARRAY_OPERATORS
from engine_under_test import our_answer, our_engine
from reference import Reference, reference_user
from small_specs import condition, gate, project, rule

# By chance none of these were right, or all, once in 10 ** 10 runs.
TIMES: Final = 3_000

TARGETS: Final = ([""], ["", "x"], ["x", "", "y"])


@pytest.mark.parametrize("value", [[None], [{"a": 1}], ["x", None], [{}, "y", "x"]], ids=json.dumps)
def test_no_null_or_object_is_an_empty_text(value: list[Any]) -> None:
    conditions = {
        f"{operator} {target}": condition("user_field", "f", operator, target)
        for operator in ARRAY_OPERATORS
        for target in TARGETS
    }
    payload = json.dumps(project(conditions, {key: gate([rule(key)]) for key in conditions})).encode()
    user = {"userID": "u", "custom": {"f": value}}
    by_chance = 0
    with Reference(payload) as reference, our_engine(payload) as statsig:
        theirs = reference_user(user)
        for key in conditions:
            mine = our_answer(statsig, "gate", key, user)
            assert all(our_answer(statsig, "gate", key, user) == mine for _ in range(100))
            agreed = sum(reference.check("gate", key, theirs) == mine for _ in range(TIMES))
            assert agreed > 0.95 * TIMES, key
            by_chance += agreed < TIMES
    assert by_chance
