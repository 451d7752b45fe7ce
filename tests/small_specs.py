"""Parts of payloads in the v2 format, each as plain as it can be, and the payload they make up."""

from __future__ import annotations

from typing import Any

__all__ = ["condition", "config", "gate", "project", "rule"]


def condition(kind: str, field: str | None, operator: str, target: object) -> dict[str, Any]:
    return {"type": kind, "field": field, "operator": operator, "targetValue": target, "idType": "userID"}


def rule(key: str, value: object = True) -> dict[str, Any]:
    """For everybody whom the condition of that key holds for; its id is the key."""
    return {
        "name": key,
        "id": key,
        "salt": key,
        "passPercentage": 100,
        "idType": "userID",
        "conditions": [key],
        "returnValue": value,
    }


def config(rules: list[dict[str, Any]], default: object) -> dict[str, Any]:
    """A dynamic config."""
    return {
        "type": "dynamic_config",
        "entity": "dynamic_config",
        "salt": "s",
        "idType": "userID",
        "enabled": True,
        "defaultValue": default,
        "rules": rules,
    }


def gate(rules: list[dict[str, Any]]) -> dict[str, Any]:
    """A gate that is off unless a rule turns it on."""
    return {**config(rules, default=False), "type": "feature_gate", "entity": "feature_gate"}


def project(
    conditions: dict[str, Any],
    gates: dict[str, Any] | None = None,
    configs: dict[str, Any] | None = None,
    time: int = 1_760_000_000_000,
) -> dict[str, Any]:
    """The payload; each part by name."""
    return {
        "has_updates": True,
        "time": time,
        "feature_gates": gates or {},
        "dynamic_configs": configs or {},
        "layer_configs": {},
        "condition_map": conditions,
        "experiment_to_layer": {},
    }
