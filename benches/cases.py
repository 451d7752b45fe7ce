"""The cases that are measured: four specs within the sample project, and the users they are asked about.

In: the number of a user. Out: the payload, the users, and how users come about as Python source, so that
whoever measures can put a check into a loop of its own without a call around it.
"""

from __future__ import annotations

import json
from typing import Any, Final

from statsig_fastly.sample_project import sample_project

__all__ = ["CASES", "NAMES", "USERS", "payload", "project", "user_fields"]

# What each case is, by letter.
CASES: Final = {
    "A": "a gate for everybody",
    "B": "a gate for 50 % of all users",
    "C": "a gate for 20 % of those who meet three conditions",
    "D": "an experiment with three groups, one parameter read",
}

NAMES: Final = {"A": "case_everybody", "B": "case_half", "C": "case_targeted", "D": "case_experiment"}

# How the user comes about, and the source that makes one; `n` counts up, and every id is new.
USERS: Final = {
    "reuse": "user",
    "fresh id": "StatsigUser(ids[n])",
    "fresh attributes": (
        "StatsigUser(ids[n], country='NZ', app_version='2.10.3', custom={'plan': 'pro', 'seats': 12})"
    ),
}

_SPEC_SALTS: Final = {
    "A": "0b1d5f0e-6f0f-4f6c-9a35-5f1c7d7b1a01",
    "B": "5d0a9d52-1f6e-4a53-8a9c-2f6c3d5e7b02",
    "C": "9c4f4a37-0d2b-4d5a-b1f7-6a2e8c9d0f03",
    "D": "e2a7c6b1-7c3d-4b8e-8d1f-0b5a4c3e2d04",
}
_RULE_SALT: Final = "7f3b2c1d-4e5f-4a6b-8c7d-9e0f1a2b3c"


def user_fields(number: int) -> dict[str, Any]:
    """The user of a number, who meets the conditions of case C, as arguments of `StatsigUser`."""
    return {
        "user_id": f"user-{number:07d}",
        "country": "NZ",
        "app_version": "2.10.3",
        "custom": {"plan": "pro", "seats": 12},
    }


def project() -> dict[str, Any]:
    """The sample project with the specs of all cases, in the v2 format."""
    project = sample_project()
    conditions = project["condition_map"]
    conditions["case_everyone"] = _condition("public", None, None)
    conditions["case_country"] = _condition("user_field", "any", ["NZ", "AU", "GB"], field="country")
    conditions["case_version"] = _condition("user_field", "version_gte", "2.4.0", field="appVersion")
    conditions["case_plan"] = _condition("user_field", "any", ["pro", "enterprise"], field="plan")
    groups = [("control", 334, "grey"), ("blue", 667, "blue"), ("green", 1000, "green")]
    rules = []
    for number, (group, limit, color) in enumerate(groups):
        key = f"case_below_{limit}"
        conditions[key] = _condition("user_bucket", "lt", limit, additionalValues={"salt": _SPEC_SALTS["D"]})
        value = {"color": color, "size": 12 + number}
        rules.append(_rule(number, [key], 100, value, groupName=group, isExperimentGroup=True))
    targeted = ["case_country", "case_version", "case_plan"]
    gates = {"A": (["case_everyone"], 100), "B": (["case_everyone"], 50), "C": (targeted, 20)}
    for letter, (keys, percentage) in gates.items():
        project["feature_gates"][NAMES[letter]] = _spec(
            letter, "feature_gate", [_rule(0, keys, percentage, True)], False
        )
    experiment = _spec("D", "experiment", rules, {}, isActive=True, explicitParameters=["color", "size"])
    project["dynamic_configs"][NAMES["D"]] = {**experiment, "type": "dynamic_config"}
    return project


def payload() -> bytes:
    """The project as it lies in a store."""
    return json.dumps(project()).encode()


def _condition(kind: str, operator: str | None, target: Any, **more: Any) -> dict[str, Any]:
    plain = {"field": None, "additionalValues": {}, "isDeviceBased": False, "idType": "userID"}
    return {"type": kind, "operator": operator, "targetValue": target, **plain, **more}


def _rule(number: int, conditions: list[str], percentage: int, value: Any, **more: Any) -> dict[str, Any]:
    return {
        "name": "",
        "id": f"4fEkPZ2mWcTq7LhRs0y{number:03d}",
        "salt": f"{_RULE_SALT}{number:02d}",
        "passPercentage": percentage,
        "conditions": conditions,
        "returnValue": value,
        "idType": "userID",
        **more,
    }


def _spec(letter: str, entity: str, rules: list[dict[str, Any]], default: Any, **more: Any) -> dict[str, Any]:
    return {
        "type": entity,
        "entity": entity,
        "salt": _SPEC_SALTS[letter],
        "enabled": True,
        "idType": "userID",
        "version": 3,
        "defaultValue": default,
        "rules": rules,
        **more,
    }
