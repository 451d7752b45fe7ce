"""A project small enough to know by heart, in the v1 format: what the tests of the public API check against.

In: when it was changed, and a number its answers show. Out: a payload as a dict or as bytes; and a
client that was started, for those that need one.
"""

from __future__ import annotations

import json
from typing import Any, Final

from statsig_fastly import Statsig, StatsigOptions

__all__ = ["EVERY_TYPE", "TIME", "payload", "project", "started"]

TIME: Final = 1_760_000_000_000

# One parameter of every type JSON has.
EVERY_TYPE: Final[dict[str, Any]] = {
    "text": "blue",
    "empty": "",
    "integer": 7,
    "zero": 0,
    "big": 2**53 + 1,
    "float": 2.5,
    "whole_float": 3.0,
    "true": True,
    "false": False,
    "array": [1, [2, {"three": 3}], "4"],
    "object": {"inner": {"list": [1, 2]}, "n": None},
    "null": None,
}


def project(time: int = TIME, number: int = 1, checksum: str | None = None) -> dict[str, Any]:
    """The project.

    Args:
        time: When it was changed, ms since the epoch.
        number: What the config `number` says in each of its parameters, and in its rule's id.
        checksum: Its checksum, if any.
    """
    button_rules = [
        _rule("holdout_rule", [_gate_condition("pass_gate", "staff")], {"color": "grey"}, percentage=0),
        _rule(
            "blue_rule",
            [_field("country", "any", ["NZ"])],
            {"color": "blue", "size": 2},
            groupName="Blue",
            isExperimentGroup=True,
        ),
    ]
    nested_rules = [
        _rule("nested_rule", [_PUBLIC], {"title": "nested"}, groupName="Test", isExperimentGroup=True)
    ]
    return {
        "has_updates": True,
        "time": time,
        **({} if checksum is None else {"checksum": checksum}),
        "feature_gates": [
            _gate("on", [_rule("on_rule", [_PUBLIC])]),
            _gate("off", [_rule("off_rule", [_field("country", "any", ["nowhere"])])]),
            _gate("disabled", [_rule("disabled_rule", [_PUBLIC])], enabled=False),
            _gate("staff", [_rule("staff_rule", [_field("email", "str_ends_with_any", ["@example.com"])])]),
            _gate("paying", [_rule("paying_rule", [_field("plan", "any_case_sensitive", ["pro"])])]),
            _gate("says_true", [_rule("true_rule", [_field("flag", "any_case_sensitive", ["true"])])]),
            _gate(
                "companies", [_rule("company_rule", [_unit("companyID", "any", ["7"])], idType="companyID")]
            ),
            _gate("staging", [_rule("staging_rule", [_environment("tier", ["staging"])])]),
            _gate("follows_on", [_rule("follow_rule", [_gate_condition("pass_gate", "on")])]),
            _gate("unsupported", [_rule("unsupported_rule", [_field("country", "from_the_future", ["NZ"])])]),
        ],
        "dynamic_configs": [
            _config("every_type", [_rule("every_rule", [_PUBLIC], EVERY_TYPE)], {}, "dynamic_config"),
            _config(
                "number",
                [_rule(f"rule_{number}", [_PUBLIC], {"a": number, "b": [number], "c": {"d": number}})],
                {},
                "dynamic_config",
            ),
            _config("button", button_rules, {"color": "red"}, "experiment", isActive=True),
            _config("stopped", [], {"color": "red"}, "experiment", isActive=False),
            _config(
                "nested",
                nested_rules,
                {"title": "default"},
                "experiment",
                isActive=True,
                explicitParameters=["title"],
            ),
            _config("tuned", [], {"arm": 1}, "autotune"),
            _config(
                "unsupported_config",
                [_rule("unsupported_rule", [_field("country", "from_the_future", ["NZ"])], {"never": 1})],
                {"default": 1},
                "dynamic_config",
            ),
        ],
        "layer_configs": [
            _config(
                "page",
                [
                    _rule(
                        "page_rule",
                        [_gate_condition("pass_gate", "on")],
                        {"title": "layer"},
                        configDelegate="nested",
                    )
                ],
                {"title": "unset", "footer": ["a", "b"], "items": 3},
                "layer",
            ),
            _config("plain", [], {"title": "plain"}, "layer"),
        ],
    }


def payload(time: int = TIME, number: int = 1, checksum: str | None = None) -> bytes:
    """The project as it lies in a store; the arguments are those of `project`."""
    return json.dumps(project(time, number, checksum)).encode()


_PUBLIC: Final = {"type": "public", "targetValue": None, "operator": None, "field": None}


def _field(field: str, operator: str, target: list[str]) -> dict[str, Any]:
    return {"type": "user_field", "targetValue": target, "operator": operator, "field": field}


def _unit(unit: str, operator: str, target: list[str]) -> dict[str, Any]:
    return {"type": "unit_id", "targetValue": target, "operator": operator, "field": None, "idType": unit}


def _environment(field: str, target: list[str]) -> dict[str, Any]:
    return {"type": "environment_field", "targetValue": target, "operator": "any", "field": field}


def _gate_condition(kind: str, gate: str) -> dict[str, Any]:
    return {"type": kind, "targetValue": gate, "operator": None, "field": None}


def _rule(
    rule_id: str,
    conditions: list[dict[str, Any]],
    value: Any = True,  # noqa: ANN401 - JSON
    *,
    percentage: int = 100,
    **more: Any,  # noqa: ANN401 - JSON
) -> dict[str, Any]:
    return {
        "name": rule_id,
        "id": rule_id,
        "salt": f"salt of {rule_id}",
        "passPercentage": percentage,
        "conditions": conditions,
        "returnValue": value,
        "idType": "userID",
        **more,
    }


def _gate(name: str, rules: list[dict[str, Any]], *, enabled: bool = True) -> dict[str, Any]:
    return {**_config(name, rules, False, "feature_gate"), "type": "feature_gate", "enabled": enabled}


def _config(
    name: str,
    rules: list[dict[str, Any]],
    default: Any,  # noqa: ANN401 - JSON
    entity: str,
    **more: Any,  # noqa: ANN401 - JSON
) -> dict[str, Any]:
    return {
        "name": name,
        "type": "dynamic_config",
        "salt": f"salt of {name}",
        "enabled": True,
        "defaultValue": default,
        "rules": rules,
        "idType": "userID",
        "entity": entity,
        "version": 3,
        **more,
    }


def started(**options: Any) -> Statsig:  # noqa: ANN401 - as StatsigOptions takes them
    """A client whose start has ended; the options are those of `StatsigOptions`."""
    client = Statsig("secret-key", StatsigOptions(**options))
    assert client.initialize().wait(30)
    return client
