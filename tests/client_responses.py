"""Responses for client SDKs: ours and the official core's for one payload, and where they differ."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from answers import Differences
from engine_under_test import our_engine
from reference import Reference

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Self

    from statsig_fastly.sample_specs import Json

__all__ = [
    "HASHES",
    "KEY",
    "Both",
    "compare_all",
    "djb2",
    "normal",
    "project",
    "response_differences",
    "spec",
]

KEY: Final = "client-kéy"

# Names of hash functions, and what has none.
HASHES: Final = (None, "none", "djb2", "sha256", "SHA256", "")


class Both:
    """The official core and this package with one payload."""

    def __init__(
        self,
        payload: dict[str, Any] | str,
        environment: str | None = None,
        global_custom_fields: dict[str, Any] | None = None,
    ) -> None:
        text = payload if isinstance(payload, str) else json.dumps(payload)
        self.reference = Reference(text, environment, global_custom_fields)
        self.statsig = our_engine(text.encode(), environment, global_custom_fields)
        self.differences = Differences()

    def __enter__(self) -> Self:
        self.statsig.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.statsig.shutdown().wait()
        self.reference.close()

    def override(self, method: str, *arguments: object) -> None:
        """Calls the method that sets an override on both."""
        getattr(self.statsig, method)(*arguments)
        getattr(self.reference.core, method)(*arguments)

    def compare(
        self,
        user: dict[str, Any],
        hash_name: str | None = "none",
        key: str | None = None,
        overrides: bool | None = None,
    ) -> dict[str, Any]:
        """Compares the responses for a user and returns ours."""
        ours = self.statsig.get_client_initialize_response(user, hash_name, key, overrides)
        theirs = self.reference.client_response(user, hash_name, key, overrides)
        self.differences.compared += 1
        lines = response_differences(ours, theirs)
        if lines:
            self.differences.add("\n".join([f"  {user!r}, hash {hash_name!r}, key {key!r}", *lines[:3]]))
        return normal(ours)


def compare_all(
    payload: dict[str, Any] | str,
    users: Iterable[dict[str, Any]],
    environment: str | None = None,
    shared: dict[str, Any] | None = None,
) -> int:
    """Compares the responses for users, with every hash and with and without a key; returns how many."""
    with Both(payload, environment, shared) as both:
        for index, user in enumerate(users):
            both.compare(user, HASHES[index % len(HASHES)])
            both.compare(user, "none", KEY)
    both.differences.expect_none()
    return both.differences.compared


def project(**parts: Json) -> dict[str, Any]:
    empty: dict[str, Any] = {
        "feature_gates": {},
        "dynamic_configs": {},
        "layer_configs": {},
        "experiment_to_layer": {},
    }
    conditions = {
        "always": {"type": "public", "idType": "userID"},
        "never": {
            "type": "user_field",
            "field": "x",
            "operator": "any",
            "targetValue": [],
            "idType": "userID",
        },
        "on": {"type": "pass_gate", "targetValue": "on", "idType": "userID"},
    }
    payload: dict[str, Any] = {
        "has_updates": True,
        "time": 1000,
        **empty,
        "condition_map": conditions,
        **parts,
    }
    payload["feature_gates"].setdefault("on", spec("feature_gate", True))
    return payload


def spec(entity: str, value: Json, *conditions: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - members of it
    """A spec with one rule that returns `value`."""
    rule = {
        "name": "r", "id": "r", "salt": "", "passPercentage": 100, "conditions": list(conditions),
        "returnValue": value, "idType": "userID", "groupName": "Group", "isExperimentGroup": True,
    }  # fmt: skip
    spec = {
        "type": "dynamic_config", "entity": entity, "salt": "", "enabled": True, "idType": "userID",
        "defaultValue": False if entity == "feature_gate" else {}, "rules": [rule],
    }  # fmt: skip
    rule.update(more.pop("rule", {}))
    return {**spec, **more}


def djb2(text: str) -> int:
    """The hash of names in responses, written down once more."""
    total = 0
    for char in text:
        total = (31 * total + ord(char)) % 2**32
    return total


def normal(response: str) -> dict[str, Any]:
    """A response without what differs from one SDK and session to the other."""
    parsed: dict[str, Any] = json.loads(response)
    parsed["sdkInfo"] = sorted(parsed["sdkInfo"])
    return parsed


def response_differences(ours: str, theirs: str) -> list[str]:
    """Where two responses differ, one line for each member or spec."""
    lines: list[str] = []
    one, other = normal(ours), normal(theirs)
    if _text(one) == _text(other):
        return lines
    for name in one | other:
        left, right = one.get(name, "absent"), other.get(name, "absent")
        if isinstance(left, dict) and isinstance(right, dict):
            for key in left | right:
                pair = _text(left.get(key, "absent")), _text(right.get(key, "absent"))
                if pair[0] != pair[1]:
                    lines.append(f"  {name}[{key!r}]:\n    ours   {pair[0]}\n    theirs {pair[1]}")
        elif _text(left) != _text(right):
            lines.append(f"  {name}:\n    ours   {_text(left)}\n    theirs {_text(right)}")
    return lines


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON
    # Unlike `==`, it tells 1, 1.0 and true apart.
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
