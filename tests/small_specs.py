"""Parts of payloads in the v2 format, each as plain as it can be, and the payload they make up."""

from __future__ import annotations

from typing import Any

from conformance import build

__all__ = ["condition", "config", "gate", "project", "rule"]


def condition(kind: str, field: str | None, operator: str, target: object) -> dict[str, Any]:
    """A condition on a field."""
    return build.condition(kind, operator, target, field=field)


def rule(key: str, value: object = True) -> dict[str, Any]:
    """For everybody whom the condition of that key holds for; its id is the key."""
    return build.rule(key, [key], value, salt=key)


def config(rules: list[dict[str, Any]], default: object) -> dict[str, Any]:
    """A dynamic config."""
    return build.config(rules, defaultValue=default, salt="s")


def gate(rules: list[dict[str, Any]]) -> dict[str, Any]:
    """A gate that is off unless a rule turns it on."""
    return build.gate(rules, salt="s")


def project(
    conditions: dict[str, Any],
    gates: dict[str, Any] | None = None,
    configs: dict[str, Any] | None = None,
    time: int = 1_760_000_000_000,
) -> dict[str, Any]:
    """The payload; each part by name."""
    return build.payload(gates, configs, conditions=conditions, time=time)
