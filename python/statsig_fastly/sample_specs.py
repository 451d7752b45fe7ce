"""The shapes a payload is made of: values in, gates, configs, rules and condition keys out.

What a sample project says is in `statsig_fastly.sample_project`; how Statsig writes it down, in the
v2 format and in the v1 format, is here.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from statsig_fastly.sample_users import Dice

__all__ = ["BUCKETS", "Json", "Specs", "number_of", "to_v1"]

Json: TypeAlias = "bool | float | str | list[Any] | dict[str, Any] | None"

BUCKETS: Final = 1000  # what user_bucket conditions divide users into

_BASE62: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Specs:
    """Makes the parts of one payload.

    Args:
        dice: Where ids, salts and versions come from.

    Attributes:
        conditions: The `condition_map` so far.
        everyone: Key of the `public` condition.
    """

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self.conditions: dict[str, dict[str, Any]] = {}
        self.everyone = self.condition("public")

    def gate(
        self,
        rules: list[dict[str, Any]],
        *,
        default: bool = False,
        entity: str = "feature_gate",
        unit: str = "userID",
        enabled: bool = True,
    ) -> dict[str, Any]:
        """A gate, segment or holdout."""
        spec = self.config(rules, default, entity=entity, unit=unit)
        return {**spec, "type": "feature_gate", "enabled": enabled}

    def config(
        self,
        rules: list[dict[str, Any]],
        default: Json,
        *,
        entity: str = "dynamic_config",
        salt: str | None = None,
        unit: str = "userID",
        active: bool | None = None,
        explicit: list[str] | None = None,
    ) -> dict[str, Any]:
        """A dynamic config, layer or, with `active`, an experiment; `explicit` puts that in a layer."""
        spec: dict[str, Any] = {
            "type": "dynamic_config",
            "salt": salt or self.salt(),
            "enabled": True,
            "defaultValue": default,
            "rules": rules,
            "idType": unit,
            "entity": entity,
            "version": 1 + self._dice.below(60),
        }
        if active is not None:
            spec["isActive"] = active
            spec["hasSharedParams"] = explicit is not None
        if explicit is not None:
            spec["explicitParameters"] = explicit
        return spec

    def rule(
        self,
        conditions: list[str],
        *,
        value: Json = True,
        percentage: float = 100,
        rule_id: str | None = None,
        salt: str | None = None,
        unit: str = "userID",
        group: str | None = None,
        delegate: str | None = None,
    ) -> dict[str, Any]:
        """A rule. `rule_id` and `salt` are made up where they are not given."""
        rule_id = self.id() if rule_id is None else rule_id
        rule: dict[str, Any] = {
            "name": rule_id,
            "passPercentage": percentage,
            "conditions": conditions,
            "returnValue": value,
            "id": rule_id,
            "salt": self.salt() if salt is None else salt,
            "idType": unit,
        }
        if group is not None:
            rule["groupName"] = group
        if delegate is not None:
            rule["configDelegate"] = delegate
        return rule

    def rollout(self, percentage: float, unit: str = "userID") -> dict[str, Any]:
        """A rule for `percentage` (0 to 100) of everyone; Statsig writes the share into its id."""
        rule_id = f"{self.id()}:{percentage:.2f}:{1 + self._dice.below(12)}"
        return self.rule([self.everyone], percentage=percentage, rule_id=rule_id, unit=unit)

    def id_override(
        self,
        what: str,
        conditions: list[str],
        unit: str,
        *,
        value: Json = True,
        group: str | None = None,
        delegate: str | None = None,
    ) -> dict[str, Any]:
        """A rule for the few ids its conditions name, as set by hand in Statsig's console."""
        rule_id = f"{what}:{unit}:id_override"
        return self.rule(
            conditions, value=value, rule_id=rule_id, salt="", unit=unit, group=group, delegate=delegate
        )

    def condition(
        self,
        kind: str,
        operator: str | None = None,
        target: Json = None,
        *,
        field: str | None = None,
        unit: str = "userID",
        salt: str | None = None,
    ) -> str:
        """Key of a condition in `conditions`; equal conditions share one."""
        condition = {
            "type": kind,
            "targetValue": target,
            "operator": operator,
            "field": field,
            "additionalValues": {} if salt is None else {"salt": salt},
            "idType": unit,
        }
        number = number_of(condition, 4)
        while self.conditions.setdefault(str(number), condition) != condition:
            number += 1
        return str(number)

    def field(self, field: str, operator: str, target: Json) -> str:
        """Key of a condition on a field of the user."""
        return self.condition("user_field", operator, target, field=field)

    def ids(self, operator: str, target: Json, unit: str) -> str:
        """Key of a condition on the user's own id, written as Statsig writes it for that unit."""
        if unit == "userID":
            return self.field(unit, operator, target)
        return self.condition("unit_id", operator, target, unit=unit)

    def bucket(self, operator: str, target: Json, salt: str, unit: str = "userID") -> str:
        """Key of a condition on the bucket, 0 to `BUCKETS` - 1, that a salt puts the user in."""
        return self.condition("user_bucket", operator, target, unit=unit, salt=salt)

    def passes(self, gate: str) -> str:
        """Key of the condition that another gate passes."""
        return self.condition("pass_gate", None, gate)

    def fails(self, gate: str) -> str:
        """Key of the condition that another gate fails."""
        return self.condition("fail_gate", None, gate)

    def id(self) -> str:
        """A new id as rules have them, 22 characters."""
        return self._dice.text(_BASE62, 22)

    def salt(self) -> str:
        """A new salt, in the form of a UUID of version 4."""
        digits = self._dice.text("0123456789abcdef", 30)
        variant = self._dice.pick("89ab")
        return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-{variant}{digits[15:18]}-{digits[18:]}"


def number_of(value: Json, length: int) -> int:
    """A number of `length` bytes that depends on the JSON text of a value and on nothing else."""
    text = json.dumps(value, sort_keys=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:length], "big")


def to_v1(project: dict[str, Any]) -> dict[str, Any]:
    """Rewrites a v2 payload in the v1 format (arrays, inline conditions), for the same answers.

    v1 engines of other vendors ignore `defaultValue` and `returnValue` of gates; this package reads
    them in both formats.

    Args:
        project: A payload in the v2 format. Not changed.

    Returns:
        A new payload in the v1 format.

    Raises:
        KeyError: A rule refers to a condition that is not in `condition_map`.
    """
    conditions = {key: _inline(condition) for key, condition in project["condition_map"].items()}
    layers: dict[str, list[str]] = {}
    for experiment, layer in project["experiment_to_layer"].items():
        layers.setdefault(layer, []).append(experiment)
    rewritten = ("feature_gates", "dynamic_configs", "layer_configs")
    left_out = (*rewritten, "condition_map", "experiment_to_layer", "response_format", "checksum")
    payload = {key: value for key, value in project.items() if key not in left_out}
    for kind in rewritten:
        payload[kind] = [
            {
                "name": name,
                **spec,
                "isDeviceBased": _is_device_based(spec),
                "rules": [
                    {
                        **rule,
                        "isDeviceBased": _is_device_based(rule),
                        "conditions": [conditions[key] for key in rule["conditions"]],
                    }
                    for rule in spec["rules"]
                ],
            }
            for name, spec in project[kind].items()
        ]
    payload["layers"] = layers
    # A copy through JSON, so that neither payload can be changed through the other.
    copied: dict[str, Any] = json.loads(json.dumps(payload))
    return copied


def _inline(condition: dict[str, Any]) -> dict[str, Any]:
    """A condition as v1 writes it: sets of buckets are arrays there, not objects."""
    inline = {**condition, "isDeviceBased": _is_device_based(condition)}
    if isinstance(condition["targetValue"], dict):
        inline["targetValue"] = list(condition["targetValue"])
    return inline


def _is_device_based(part: dict[str, Any]) -> bool:
    return bool(part["idType"] == "stableID")
