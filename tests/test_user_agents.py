"""`ua_based` conditions see in a user agent what the official core sees in it."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Final

import pytest

from answers import Differences, Kind
from comparisons import context
from engine_under_test import our_answer, our_engine
from random_user_agents import random_user_agents
from reference import Reference, reference_user
from shared_data import shared_file
from statsig_fastly._native import parse_user_agent

PARTS: Final = ("os_name", "os_version", "browser_name", "browser_version")
NOTHING: Final = (None, None, None, None)
COUNT: Final = 3000

PHONE: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.4 Mobile/15E148 Safari/604.1"
)
DESKTOP: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0"


def payload_of(conditions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A payload with a gate for each condition, on where the condition holds."""
    rule = {
        "name": "yes",
        "id": "yes",
        "salt": "s",
        "passPercentage": 100,
        "idType": "userID",
        "returnValue": True,
    }
    gate = {
        "type": "feature_gate", "entity": "feature_gate", "salt": "s", "idType": "userID", "enabled": True,
        "defaultValue": False,
    }  # fmt: skip
    return {
        "has_updates": True,
        "time": 1,
        "feature_gates": {name: {**gate, "rules": [{**rule, "conditions": [name]}]} for name in conditions},
        "dynamic_configs": {},
        "layer_configs": {},
        "experiment_to_layer": {},
        "condition_map": {name: {"idType": "userID", **condition} for name, condition in conditions.items()},
    }


def is_answer(part: str, answer: str | None) -> dict[str, Any]:
    """A condition that holds if a part of the user agent is exactly this."""
    if answer is None:
        return {"type": "ua_based", "field": part, "operator": "eq", "targetValue": None}
    return {"type": "ua_based", "field": part, "operator": "any_case_sensitive", "targetValue": [answer]}


@pytest.mark.parametrize("seed", [1, 2])
def test_random_user_agents_have_the_parts_the_official_core_sees(seed: int) -> None:
    texts = random_user_agents(seed, COUNT)
    answers = {text: parse_user_agent(text) or NOTHING for text in texts}
    # One gate for each answer that any of them has: it has to be on for those who have it.
    gates = {
        f"{part} is {answer}": (part, answer)
        for parts in answers.values()
        for part, answer in zip(PARTS, parts, strict=True)
    }
    body = json.dumps(payload_of({name: is_answer(*asked) for name, asked in gates.items()})).encode()
    differences = Differences()
    with Reference(body) as reference, our_engine(body) as statsig:
        for text, parts in answers.items():
            user = {"userID": "u", "userAgent": text}
            fields = reference_user(user)
            for part, answer in zip(PARTS, parts, strict=True):
                name = f"{part} is {answer}"
                differences.compared += 1
                assert statsig.check_gate(user, name), (text, name)
                if not reference.check("gate", name, fields).value:
                    theirs = [
                        other
                        for gate, (asked, other) in gates.items()
                        if asked == part and reference.check("gate", gate, fields).value
                    ]
                    differences.add(f"  {part} of {text!r}: ours {answer!r}, theirs {theirs or 'another'!r}")
    differences.expect_none()
    assert differences.compared == len(PARTS) * COUNT
    # Not everything is unknown, and not everything is too long.
    assert len(gates) > 500
    assert 0 < sum(parts == NOTHING for parts in answers.values()) < COUNT / 20


def test_the_same_seed_makes_the_same_user_agents() -> None:
    texts = random_user_agents(1, 500)
    assert random_user_agents(1, 1000)[:500] == texts != random_user_agents(2, 500)
    assert len(set(texts)) == 500


def test_recorded_user_agents_have_the_recorded_parts() -> None:
    differences = Differences()
    for entry in json.loads(shared_file("oracle", "golden", "ua.json").read_text(encoding="utf-8")):
        differences.compared += 1
        ours, recorded = parse_user_agent(entry["userAgent"]), tuple(entry[part] for part in PARTS)
        if ours != recorded:
            differences.add(f"  {entry['userAgent']}: ours {ours}, recorded {recorded}")
    differences.expect_none()
    assert differences.compared > 50


def test_parts_by_themselves() -> None:
    assert parse_user_agent(PHONE) == ("iOS", "17.5", "Mobile Safari", "17.4")
    assert parse_user_agent(DESKTOP) == ("Windows", "10", "Firefox", "127.0")
    assert parse_user_agent("") == ("Other", "0.0.0", "Other", "0.0.0")
    assert parse_user_agent("é" * 500) is not None
    assert parse_user_agent("é" * 500 + " ") is None
    with pytest.raises(TypeError, match="user_agent"):
        parse_user_agent(None)  # type: ignore[arg-type]


# Fields a condition may name: the parts in every way of writing, near misses, and attributes of users.
FIELDS: Final = (
    *PARTS, "OS_NAME", "osName", "osversion", "browserVersion", "BROWSERNAME", "os__name", "os-name",
    "os name", "o\u017f_name", "", "device", "userAgent", "user_agent", "userID", "user_id", "email",
    "app_version", "country",
)  # fmt: skip
TESTS: Final[tuple[tuple[str, Any], ...]] = (
    ("eq", None),
    ("any", ["IOS", "windows", "mine", "12", "17.5", "Mobile Safari", "u", "a@b.test", "0.0.0"]),
    ("any_case_sensitive", ["", "Other", "android"]),
    ("none", ["ios", "17.4"]),
    ("version_gte", "10.0.1"),
    ("str_contains_any", ["Mobile", "Gecko", "."]),
    ("str_matches", "^[0-9.]+$"),
    ("gt", 9),
)
# Where the user agent and attributes with a part's name can be.
OWN: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"os_name": "mine", "os_version": 12, "browser_name": True, "browser_version": ["17.5"]},
    {"os_name": "", "os_version": None, "browser_name": {"a": 1}, "browser_version": 9.5},
    {"osname": "mine", "osName": "windows", "BROWSERNAME": "mine", "browserversion": "12", "device": "12"},
)
AGENTS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"userAgent": PHONE},
    {"userAgent": ""},
    {"userAgent": " "},
    {"userAgent": PHONE.ljust(1000)},
    {"userAgent": PHONE.ljust(1001)},
    {"userAgent": PHONE + "é" * ((1000 - len(PHONE)) // 2)},
    {"userAgent": PHONE + "é" * ((1002 - len(PHONE)) // 2)},
    {"userAgent": PHONE, "custom": {"userAgent": DESKTOP}},
    {"userAgent": "", "custom": {"userAgent": DESKTOP}},
    {"custom": {"useragent": PHONE}},
    {"custom": {"useragent": PHONE, "userAgent": DESKTOP}},
    {"custom": {"user_agent": PHONE}},
    {"custom": {"userAgent": ""}, "privateAttributes": {"userAgent": PHONE}},
    {"custom": {"userAgent": None}, "privateAttributes": {"userAgent": PHONE}},
    {"custom": {"userAgent": 12}},
    {"custom": {"userAgent": 1e300}},
    {"custom": {"userAgent": True}},
    {"custom": {"userAgent": {"a": PHONE}}},
    {"custom": {"userAgent": ["x Android 13 Chrome/3.1 y", 1]}},
    {"custom": {"userAgent": ["x" * 996]}},
    {"custom": {"userAgent": ["x" * 997]}},
    {"privateAttributes": {"userAgent": PHONE}},
    {"privateAttributes": {"userAgent": PHONE, "useragent": DESKTOP}},
    {"email": "a@b.test", "appVersion": "12", "country": "", "userAgent": PHONE},
)


@pytest.mark.parametrize(
    "application", [None, {"userAgent": DESKTOP}, {"os_name": "mine", "osVersion": "12"}]
)
def test_user_agent_and_attributes_are_looked_up_as_in_the_official_core(
    application: dict[str, Any] | None,
) -> None:
    conditions = {
        f"{field} {operator}": {
            "type": "ua_based",
            "field": field,
            "operator": operator,
            "targetValue": target,
        }
        for field in FIELDS
        for operator, target in TESTS
    }
    conditions["no field"] = {"type": "ua_based", "operator": "eq", "targetValue": None}
    conditions["null field"] = {"type": "ua_based", "field": None, "operator": "eq", "targetValue": None}
    conditions["no operator"] = {"type": "ua_based", "field": "os_name", "targetValue": None}
    conditions["other case"] = {
        "type": "UA_Based",
        "field": "os_name",
        "operator": "any",
        "targetValue": ["iOS"],
    }
    payload = payload_of(conditions)
    kind: Kind = "gate"
    body = json.dumps(payload).encode()
    differences = Differences()
    with Reference(body, None, application) as reference, our_engine(body, None, application) as statsig:
        for agent in AGENTS:
            for own in OWN:
                for attributes in ("custom", "privateAttributes"):
                    user = {"userID": "u", **agent, attributes: {**agent.get(attributes, {}), **own}}
                    fields = reference_user(user)
                    for name in conditions:
                        differences.compare(
                            our_answer(statsig, kind, name, user),
                            reference.check(kind, name, fields),
                            partial(context, payload, kind, name, user),
                        )
    differences.expect_none()
    assert differences.compared > 30_000
