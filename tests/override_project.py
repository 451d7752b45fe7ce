"""A project in which everything that can be overridden also decides something else.

Gates are conditions of other gates, experiments are what layers delegate to, groups are what
conditions look at, names are mapped to other names, and a bandit and a spec share a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from answers import Kind

__all__ = ["CHECKS", "GROUPS", "NAMES", "USERS", "project"]

NAMES: Final[dict[Kind, tuple[str, ...]]] = {
    "gate": ("on", "nested", "not nested", "in group", "segment:s", "mapped", "nowhere", ""),
    "config": ("plain", "exp", "mapped", "bandit", "nowhere"),
    "experiment": ("plain", "exp", "other", "mapped", "to mapped", "bandit", "only bandit", "nowhere", "é"),
    "layer": (
        "classic", "merging", "merging late", "exp first", "bandit first", "bandit later", "of bandit",
        "mapped", "nowhere",
    ),
}  # fmt: skip
CHECKS: Final[list[tuple[Kind, str]]] = [(kind, name) for kind, names in NAMES.items() for name in names]
GROUPS: Final = ("Control", "Test", "of a boolean", "of a list", "", "control")
USERS: Final[list[dict[str, Any]]] = [
    {"userID": "u1"},
    {"userID": "u2", "customIDs": {"companyID": "c1"}},
    {"userID": "", "customIDs": {"companyID": "c1", "stableID": "u1"}},
    {"userID": "c1", "customIDs": {"stableID": "c2", "companyID": "c1", "number": 5}},
    {"customIDs": {"number": 5, "half": 2.5, "truth": True}},
    {},
]


def project() -> dict[str, Any]:
    """The project, in the v2 format."""
    experiment = {
        "rules": [
            _rule("first", {"x": 1, "of": "exp"}, "half", groupName="Control", isExperimentGroup=True),
            _rule("second", {"x": 2}, groupName="Test", isExperimentGroup=True),
            _rule("third", True, groupName="of a boolean"),
            _rule("fourth", [1], groupName="of a list", isExperimentGroup=True),
        ],
        "isActive": True,
        "explicitParameters": ["x"],
        "version": 4,
    }
    gates = {
        "on": _spec(rules=[_rule("on rule")]),
        "nested": _spec(rules=[_rule("nested rule", True, "pass on")]),
        "not nested": _spec(rules=[_rule("fail rule", True, "fail on", "pass nowhere")]),
        "in group": _spec(rules=[_rule("group rule", True, "in Test")]),
        "segment:s": _spec(rules=[_rule("segment rule", True, "pass on", "pass segment:s2")]),
        "mapped": _spec(rules=[_rule("mapped rule")]),
    }
    configs = {
        "plain": _spec("dynamic_config", rules=[_rule("plain rule", {"x": "plain"}, "pass nested")]),
        "exp": _spec("experiment", **experiment),
        "other": _spec("experiment", rules=[_rule("other rule", {"x": "other", "y": 1}, "pass on")]),
        "mapped": _spec("experiment", rules=[_rule("original", {"x": "original"})]),
        "to mapped": _spec("experiment", rules=[_rule("to mapped", {"x": "not mapped"}, "pass mapped")]),
        "bandit": _spec("experiment", rules=[_rule("not a bandit", {"x": "spec"})]),
    }
    layers = {
        "classic": _spec("layer", rules=[_rule("to exp", {}, "pass nested", configDelegate="exp")]),
        "merging": _merging(
            _rule("own", {"own": 1, "x": "own"}, "half"),
            _rule("to exp", {}, configDelegate="exp"),
            _rule("to other", {}, configDelegate="other"),
        ),
        "merging late": _merging(
            _rule("to other", {}, "pass on", configDelegate="other"),
            _rule("to mapped", {}, configDelegate="mapped"),
            _rule("own", {"own": 1, "x": "own"}, "half"),
        ),
        "exp first": _merging(
            _rule("to exp", {}, configDelegate="exp"), _rule("to mapped", {}, configDelegate="mapped")
        ),
        "bandit first": _merging(
            _rule("to bandit", {}, "half", configDelegate="bandit"), _rule("to exp", {}, configDelegate="exp")
        ),
        "bandit later": _merging(
            _rule("own", {"x": "own"}, "half"),
            _rule("to exp", {}, configDelegate="exp"),
            _rule("to bandit", {}, configDelegate="bandit"),
        ),
        "of bandit": _spec("layer", rules=[_rule("to bandit", {}, configDelegate="bandit")]),
        "mapped": _spec("layer", rules=[_rule("original", {"x": "original"})]),
    }
    bandit = {
        "salt": "x", "defaultValue": {"x": "default"}, "idType": "userID", "enabled": True, "version": 6,
        "sampleRate": 0, "higherIsBetter": True, "targetingGateName": "nested",
        "groups": [{"id": "arm", "name": "Arm", "parameterValues": {"x": "arm"}}],
    }  # fmt: skip
    to_other = [{"new_config_name": "on", "rules": [{"rule_name": "by on"}]}]
    to_other += [
        {"new_config_name": name, "rules": [{"rule_name": "by on"}]} for name in ("other", "classic")
    ]
    return {
        "has_updates": True,
        "time": 7,
        "feature_gates": gates,
        "dynamic_configs": configs,
        "layer_configs": layers,
        "condition_map": _conditions(),
        "experiment_to_layer": {},
        "cmab_configs": {"bandit": bandit, "only bandit": bandit},
        "overrides": {"mapped": to_other},
        "override_rules": {"by on": _rule("by on", True, "pass on")},
    }


def _conditions() -> dict[str, dict[str, Any]]:
    unit = {"idType": "userID"}
    gates = ("on", "nested", "mapped", "nowhere", "segment:s2")
    half = {"type": "user_bucket", "operator": "lt", "targetValue": 500, "additionalValues": {"salt": "s"}}
    group = {"type": "experiment_group", "field": "exp", "operator": "any", "targetValue": ["Test"]}
    return {
        "public": {"type": "public", **unit},
        "half": {**half, **unit},
        "in Test": {**group, **unit},
        **{f"pass {gate}": {"type": "pass_gate", "targetValue": gate, **unit} for gate in gates},
        **{f"fail {gate}": {"type": "fail_gate", "targetValue": gate, **unit} for gate in gates},
    }


def _rule(
    rule_id: str,
    value: Any = True,  # noqa: ANN401 - JSON
    *conditions: str,
    **more: Any,  # noqa: ANN401 - JSON
) -> dict[str, Any]:
    return {
        "name": rule_id,
        "id": rule_id,
        "passPercentage": 100,
        "conditions": conditions or ["public"],
        "returnValue": value,
        "idType": "userID",
        **more,
    }


def _merging(*rules: dict[str, Any]) -> dict[str, Any]:
    return _spec("layer", rules=list(rules), useNewLayerEval=True)


def _spec(entity: str = "feature_gate", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {
        "type": "feature_gate" if entity == "feature_gate" else "dynamic_config",
        "entity": entity,
        "salt": "salt",
        "enabled": True,
        "defaultValue": False if entity == "feature_gate" else {"d": 1},
        "idType": "userID",
        **more,
    }
