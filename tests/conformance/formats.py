"""Payloads that mean the same in both formats: v2, which the official core reads, and v1.

The formats differ in a few meanings; those are taken out of a payload before it is rewritten.
"""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any, Final

from statsig_fastly.sample_specs import to_v1

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["as_v1", "same_in_both"]

_TYPES: Final = {
    "public", "user_field", "environment_field", "unit_id", "user_bucket", "current_time", "target_app",
    "pass_gate", "fail_gate", "experiment_group", "ua_based", "ip_based",
}  # fmt: skip
# Read by the server core alone, where conditions are keys.
_V2_ONLY: Final = ("overrides", "override_rules")


def same_in_both(payload: dict[str, Any]) -> dict[str, Any]:
    """A copy that evaluates alike in both formats.

    All specs are on, as v1 ends at once where one is off; no rule names a condition that does not exist;
    types and operators that v1 reads in any case, and v2 does not know, are replaced.
    """
    conditions = {key: _plain(condition) for key, condition in payload["condition_map"].items()}
    changed = {key: value for key, value in payload.items() if key not in _V2_ONLY} | {
        "condition_map": conditions
    }
    for table in ("feature_gates", "dynamic_configs", "layer_configs"):
        changed[table] = {
            name: {
                **spec,
                "enabled": True,
                "rules": [
                    {**rule, "conditions": [key for key in rule["conditions"] if key in conditions]}
                    for rule in spec["rules"]
                ],
            }
            for name, spec in payload[table].items()
        }
    return changed


def as_v1(payload: dict[str, Any]) -> dict[str, Any]:
    """A payload of `same_in_both` in the v1 format, spelled in the ways that format allows.

    Types and operators come in any case, gates as lists of one gate, and between the specs are elements
    that are none.
    """
    rewritten = to_v1(payload)
    spellings: Iterator[Callable[[str], str]] = cycle((str, str.upper, str, str.title, str))
    listed = cycle((True, False, False))
    for table in ("feature_gates", "dynamic_configs", "layer_configs"):
        for spec in rewritten[table]:
            for rule in spec["rules"]:
                for condition in rule["conditions"]:
                    gate = condition["targetValue"]
                    if (
                        condition["type"] in ("pass_gate", "fail_gate")
                        and isinstance(gate, str)
                        and next(listed)
                    ):
                        condition["type"] = f"multi_{condition['type']}"
                        condition["targetValue"] = [gate]
                    condition["type"] = next(spellings)(condition["type"])
                    if condition.get("operator"):
                        condition["operator"] = next(spellings)(condition["operator"])
        rewritten[table] += [5, {}, {"name": None}]
    return rewritten


def _plain(condition: dict[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {"targetValue": None, **condition}
    operator, target = condition.get("operator"), changed["targetValue"]
    if condition["type"] not in _TYPES:
        changed["type"] = "bogus"
    if operator and operator != operator.lower():
        changed["operator"] = "bogus"
    if isinstance(target, dict):  # v1 has no objects; entries of `eq` must not collide
        changed["targetValue"] = None if operator in ("eq", "neq") else list(target)
    return changed
