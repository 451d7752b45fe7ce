"""Short ways to write specs in the v2 format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["PUBLIC", "condition", "config", "gate", "layer", "nested", "only", "payload", "rule"]


def condition(kind: str, operator: str | None = None, target: Any = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """A condition; `more` are further members by their wire names."""
    return {"type": kind, "operator": operator, "targetValue": target, "idType": "userID", **more}


def nested(gate: str, *, fail: bool = False) -> dict[str, Any]:
    """A condition on another gate."""
    return {"type": "fail_gate" if fail else "pass_gate", "targetValue": gate, "idType": "userID"}


PUBLIC: Final = condition("public")


def rule(
    name: str,
    conditions: Sequence[str] = (),
    value: Any = True,  # noqa: ANN401 - JSON
    share: Any = 100,  # noqa: ANN401 - any number
    **more: Any,  # noqa: ANN401 - JSON
) -> dict[str, Any]:
    """A rule; `more` are further members by their wire names."""
    return {
        "name": name,
        "id": name,
        "salt": f"salt of {name}",
        "passPercentage": share,
        "conditions": list(conditions),
        "returnValue": value,
        "idType": "userID",
        **more,
    }


def gate(rules: Sequence[dict[str, Any]] = (), **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A gate; `more` are further members by their wire names."""
    return {
        "type": "feature_gate",
        "salt": "salt",
        "enabled": True,
        "defaultValue": False,
        "rules": list(rules),
        "idType": "userID",
        "entity": "feature_gate",
        **more,
    }


def config(rules: Sequence[dict[str, Any]] = (), **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A dynamic config, or an experiment if its entity says so."""
    return gate(
        rules, **{"type": "dynamic_config", "entity": "dynamic_config", "defaultValue": {"d": 1}, **more}
    )


def layer(rules: Sequence[dict[str, Any]] = (), **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A layer."""
    return config(rules, **{"entity": "layer", "defaultValue": {"a": "layer", "z": 0}, **more})


def only(key: str) -> dict[str, Any]:
    """A gate that says what one condition says."""
    return gate([rule("only", [key])])


def payload(
    gates: Mapping[str, Any] | None = None,
    configs: Mapping[str, Any] | None = None,
    layers: Mapping[str, Any] | None = None,
    conditions: Mapping[str, Any] | None = None,
    **more: Any,  # noqa: ANN401 - JSON
) -> dict[str, Any]:
    """A payload; `more` are further members of its top level."""
    return {
        "has_updates": True,
        "time": 1_700_000_000_000,
        "feature_gates": dict(gates or {}),
        "dynamic_configs": dict(configs or {}),
        "layer_configs": dict(layers or {}),
        "condition_map": dict(conditions or {}),
        "experiment_to_layer": {},
        **more,
    }
