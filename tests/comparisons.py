"""What to compare of a project: its checks, users who meet its conditions, and what a failure shows."""

from __future__ import annotations

from typing import Any

from answers import Kind, spec_of
from statsig_fastly.sample_project import sample_users
from statsig_fastly.sample_users import Dice

__all__ = ["all_checks", "context", "users_for"]


def all_checks(payload: dict[str, Any]) -> list[tuple[Kind, str]]:
    """Every spec of a payload. Experiments and dynamic configs are one pool and are asked for as both."""
    checks: list[tuple[Kind, str]] = [("gate", name) for name in payload["feature_gates"]]
    checks += [("experiment", name) for name in payload["dynamic_configs"]]
    checks += [("config", name) for name in payload["dynamic_configs"]]
    checks += [("layer", name) for name in payload["layer_configs"]]
    return checks


def context(
    payload: dict[str, Any], kind: Kind, name: str, user: dict[str, Any], **more: object
) -> dict[str, Any]:
    """What a failure message shows beside the two answers."""
    return {**more, "kind": kind, "name": name, "user": user, "spec": spec_of(payload, kind, name)}


def users_for(payload: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Sample users, half of them with values the conditions of a payload look for."""
    wanted: dict[str, list[Any]] = {}
    for condition in payload["condition_map"].values():
        targets = condition.get("targetValue")
        field = "userID" if condition["type"] == "unit_id" else condition.get("field")
        if field and isinstance(targets, list):
            wanted.setdefault(field, []).extend(targets)
    dice = Dice(1)
    users = sample_users(count)
    for user in users[::2]:
        for field, values in wanted.items():
            value = dice.pick(values)
            if field in ("userID", "email", "country", "locale", "appVersion"):
                user[field] = f"someone{value}" if field == "email" else str(value)
            else:
                user.setdefault("custom", {})[field] = value
    return users
