"""Specs whose results are worth keeping: a small project by heart, and random ones.

In: a seed. Out: a payload with users and checks as `random_specs` makes it, in which experiments are active,
rules are groups, overrides or targeting, and some names are mapped or those of bandits; and entries that
could have been kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from random_specs import random_case
from statsig_fastly.sample_users import Dice

if TYPE_CHECKING:
    from answers import Kind

__all__ = ["PAYLOAD", "PAYLOAD_AFTER", "StickyCase", "project_with", "some_entry", "sticky_case"]

_RULE_IDS: Final = (
    "targetingGate", "inlineTargetingRules", "xtargetingGate",
    "r:id_override", "override", "overrides", "Override",
)  # fmt: skip


@dataclass(frozen=True)
class StickyCase:
    """A payload with everything needed to check its experiments and layers.

    Attributes:
        payload: Config specs, v2 format, as JSON text.
        specs: The same as an object.
        users: Wire-name dicts.
        checks: Kind and name of every experiment and layer, and of some that do not exist.
        names: The names among the checks.
        environment: Global tier for the options of both engines.
        global_custom_fields: For the options of both engines.
    """

    payload: bytes
    specs: dict[str, Any]
    users: list[dict[str, Any]]
    checks: list[tuple[Kind, str]]
    names: list[str]
    environment: str | None
    global_custom_fields: dict[str, Any] | None


def sticky_case(seed: int) -> StickyCase:
    """Makes one case; the same seed makes the same case on every Python version."""
    dice = Dice(seed + 50_000)
    case = random_case(seed, users=6)
    specs = case.specs
    configs, layers = specs["dynamic_configs"], specs["layer_configs"]
    for condition in specs["condition_map"].values():
        if condition["type"] == "experiment_group":  # the official core deletes what is kept for those
            condition["type"] = "user_field"
    for spec in [*configs.values(), *layers.values()]:
        if dice.chance(0.6):
            spec["isActive"] = True
        for rule in spec["rules"] if isinstance(spec["rules"], list) else ():
            if dice.chance(0.6):
                rule["isExperimentGroup"] = True
            if dice.chance(0.3):
                rule["id"] = dice.pick(_RULE_IDS)
    names = [name for name in configs if not name.startswith("simple")]
    if dice.chance(0.3):
        _map(dice, specs)
    if dice.chance(0.3):
        bandits = dice.take((*names, "no such config"), 2)
        specs["cmab_configs"] = {name: _bandit(dice, number) for number, name in enumerate(bandits)}
        for layer in layers.values():
            layer["useNewLayerEval"] = False
    checks: list[tuple[Kind, str]] = [
        (kind, name) for kind, name in case.checks if kind in ("experiment", "layer")
    ]
    return StickyCase(
        payload=json.dumps(specs).encode(),
        specs=specs,
        users=case.users,
        checks=checks,
        names=[name for _, name in checks],
        environment=case.environment,
        global_custom_fields=case.global_custom_fields,
    )


def some_entry(dice: Dice, names: list[str]) -> dict[str, Any]:
    """An entry as a storage could hold it, with members left out."""
    exposures = [{"gate": "g0", "gateValue": dice.pick(("true", "odd")), "ruleID": "r"}]
    entry: dict[str, Any] = {
        "value": dice.chance(0.5),
        "json_value": dice.pick(({}, {"a": 1, "b": [1.5, None, {"é": True}]}, {"": "x"})),
        "rule_id": dice.pick(("kept", "", "règle")),
        "group_name": dice.pick(("Kept", "")),
        "secondary_exposures": exposures * dice.below(3),
        "undelegated_secondary_exposures": exposures * dice.below(2),
        "explicit_parameters": dice.pick((["a"], [])),
        "config_delegate": dice.pick((*names, "no such config", "")),
        "config_version": dice.pick((0, 3, 2**32 - 1)),
        "time": dice.pick((0, 1_600_000_000_000)),
    }
    left_out = [name for name in entry if dice.chance(0.15)]
    return {name: value for name, value in entry.items() if name not in left_out}


def _map(dice: Dice, specs: dict[str, Any]) -> None:
    """Config mappings. Only to what maps and delegates no further, or mappings could lead nowhere."""
    specs["override_rules"] = {
        f"m{number}": {
            "name": "m",
            "id": f"m{number}",
            "salt": "m",
            "passPercentage": dice.pick((100, 100, 50)),
            "conditions": [dice.pick([key for key in specs["condition_map"] if key.startswith(("p", "n"))])]
            if dice.chance(0.4)
            else [],
            "returnValue": True,
            "idType": "userID",
        }
        for number in range(3)
    }
    configs = ("simple0", "simple1", "no such config", "g4")
    gates = [name for name in specs["feature_gates"] if name.startswith("only p")]
    layers = list(specs["layer_configs"])
    targets: dict[str, tuple[str, ...]] = {
        name: configs for name in (*specs["dynamic_configs"], "no such config") if name not in configs
    }
    targets |= {"simple0": ("simple1",)}
    targets |= {name: tuple(layers[index + 1 :]) for index, name in enumerate(layers[:-1])}
    targets |= dict.fromkeys(("g0", "g1", "hold"), tuple(gates))
    specs["overrides"] = {
        name: [
            {
                "new_config_name": dice.pick(others),
                "rules": [{"rule_name": f"m{dice.below(3)}", "start_time": 0}],
            }
        ]
        for name, others in targets.items()
        if dice.chance(0.3)
    }


def _bandit(dice: Dice, number: int) -> dict[str, Any]:
    # Every arm is chosen by hash: with weights, the reference would draw lots.
    return {
        "salt": f"b{number}",
        "defaultValue": {"arm": 0},
        "idType": "userID",
        "enabled": dice.chance(0.7),
        "version": 5,
        "sampleRate": 0,
        "higherIsBetter": True,
        "groups": [
            {"id": f"a{arm}", "name": f"Arm {arm}", "parameterValues": {"arm": arm}} for arm in (1, 2)
        ],
    }


def project_with(
    experiments: dict[str, list[dict[str, Any]]],
    *,
    conditions: dict[str, Any] | None = None,
    gates: dict[str, list[dict[str, Any]]] | None = None,
    layers: dict[str, list[dict[str, Any]]] | None = None,
    **parts: Any,  # noqa: ANN401 - any JSON
) -> bytes:
    """A payload of active experiments, gates and layers by their rules: what differs from a plain one."""

    def spec(
        entity: str,
        rules: list[dict[str, Any]],
        **changes: Any,  # noqa: ANN401 - any JSON
    ) -> dict[str, Any]:
        return {
            "type": "feature_gate" if entity == "feature_gate" else "dynamic_config",
            "entity": entity,
            "salt": "s",
            "idType": "userID",
            "enabled": True,
            "defaultValue": {},
            "rules": [_rule(**rule) for rule in rules],
            "version": 7,
            **changes,
        }

    payload = {
        "has_updates": True,
        "time": 1_700_000_000_000,
        "condition_map": conditions or {},
        "feature_gates": {
            name: spec("feature_gate", rules, defaultValue=False) for name, rules in (gates or {}).items()
        },
        "dynamic_configs": {
            name: spec("experiment", rules, isActive=True, explicitParameters=["size"])
            for name, rules in experiments.items()
        },
        "layer_configs": {name: spec("layer", rules) for name, rules in (layers or {}).items()},
        "experiment_to_layer": {},
        "override_rules": {"m": _rule(id="m", returnValue=True)},
        **parts,
    }
    return json.dumps(payload).encode()


def _rule(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    plain = {"name": "", "salt": "r", "idType": "userID", "passPercentage": 100, "conditions": []}
    return {**plain, "returnValue": {}, **changes}


def _shelves(time: int, first: str) -> bytes:
    size = {"size": 2, "nested": {"list": [1, 2.5]}}
    group = {"groupName": "First", "isExperimentGroup": True, "returnValue": size}
    other = {"groupName": "Other", "isExperimentGroup": True, "returnValue": {"size": 3}}
    nobody = {"type": "user_field", "field": "country", "operator": "any", "targetValue": []}
    return project_with(
        {"grouped": [{"id": "first", "conditions": [first], **group}, {"id": "second", **other}]},
        conditions={
            "met": {"type": "pass_gate", "targetValue": "met", "idType": "userID"},
            "nobody": {**nobody, "idType": "userID"},
        },
        gates={"met": [{"id": "met_rule", "returnValue": True}]},
        layers={"shelf": [{"id": "to_grouped", "conditions": ["met"], "configDelegate": "grouped"}]},
        time=time,
    )


PAYLOAD: Final = _shelves(1_700_000_000_000, "met")
"""Everybody is in the group `First` of the experiment `grouped`, alone and through the layer `shelf`."""
PAYLOAD_AFTER: Final = _shelves(1_700_000_000_001, "nobody")
"""Now everybody is in the group `Other`."""
