"""Random config specs and users: a seed in, a payload in the v2 format and users to check it with out.

Every condition type and operator the engine knows occurs, with targets of the right and of the
wrong type; rules, layers, delegates and nested gates are put together in every way the format allows.
Left out is only what the reference itself does not survive: `eq` on arrays with entries that
collide, `on` at the end of the 64-bit integers, experiment groups that depend on themselves, hopeless
regexes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from conformance.values import FAMILIES, REGEXES, Values, element_text
from statsig_fastly.sample_users import Dice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from answers import Kind
    from statsig_fastly.sample_specs import Json

__all__ = ["RandomCase", "random_case"]

# Operators by what they look at, and the kinds of values worth giving them.
_OPERATORS: Final[dict[tuple[str, ...], tuple[str, ...]]] = {
    ("gt", "gte", "lt", "lte"): ("number",),
    ("any", "none", "any_case_sensitive", "none_case_sensitive"): ("text", "number", "bool", "mixed", "list"),
    ("str_starts_with_any", "str_ends_with_any", "str_contains_any", "str_contains_none"): (
        "text",
        "mixed",
        "list",
    ),
    ("version_gt", "version_gte", "version_lt", "version_lte", "version_eq", "version_neq"): ("version",),
    ("before", "after", "on"): ("time",),
    ("str_matches",): ("text", "mixed"),
    ("eq", "neq"): ("text", "number", "bool", "mixed", "list", "object"),
    ("array_contains_any", "array_contains_none", "array_contains_all", "not_array_contains_all"): ("list",),
    ("in_segment_list", "not_in_segment_list"): ("text", "number"),
}
_SCALAR_OPERATORS: Final = {
    operator
    for operators, (family, *_) in _OPERATORS.items()
    for operator in operators
    if family in ("number", "version", "time") or "segment" in operator
}
_UNKNOWN_OPERATORS: Final = ("bogus", "ANY", "encoded_any", "", None)
_UNKNOWN_TYPES: Final = ("bogus", "PUBLIC", "User_Field", "multi_pass_gate", "multi_fail_gate", "")
_FIELDS: Final = {family: (f"f_{family}", f"F_{family}") for family in FAMILIES}
_STANDARD_FIELDS: Final = (
    "userID", "userid", "user_id", "email", "EMAIL", "ip", "country", "locale", "appVersion", "app_version",
    "userAgent", "user_agent", "custom", "companyID", "shared", "Shared", "f_absent", "", None,
)  # fmt: skip
_USER_IDS: Final = ("user-1", "user-2", "a", "é", "", "0", "true", "USER-1", "x" * 70)
_CUSTOM_IDS: Final[tuple[Json, ...]] = ("c1", "C1", "", "é", 5, 1.5, 2**53 + 1, True)
_IDS: Final[tuple[Json, ...]] = (*_USER_IDS, *_CUSTOM_IDS, "5", "9007199254740992")
# Addresses of some countries and of none, in every spelling that has one and in some that have not.
_ADDRESSES: Final = (
    "8.8.8.8", "8.8.8.8", "1.0.1.0", "81.23.24.1", "115.240.90.163", "10.0.0.1", "008.+8.8.8", "8.8.7.264",
    "-1.8.8.8", "8.8.8", "8.8.8.8 ", "a.b.c.d", "::1", "",
)  # fmt: skip
_COUNTRIES: Final = ("US", "us", "CN", "UA", "IN", "NZ", "", "--")
_UNITS: Final = ("userID", "userID", "userID", "USERID", "stableID", "STABLEID", "companyID", "user_id", "")
_PERCENTAGES: Final = (
    100, 100, 100, 100.0, 0, 50, 50, 33.3, 1.1, 81.15, 0.01, 99.99, 99.995, 1e-9, 150, 1000, -5, 1e300, 10,
)  # fmt: skip
_ODD_VALUES: Final[tuple[Json, ...]] = (None, True, False, 0, 5, 1.5, "", "text", [], [1, "a"], {}, 2**63)
_PARAMETERS: Final[tuple[Json, ...]] = (
    None, True, 0, 1, 1.0, -0.0, 1e21, 2**53 + 1, "x", "é", [], [1, [2.5, None]], {}, {"k": {"n": 1.5}},
)  # fmt: skip
_ODD_TARGETS: Final[tuple[Json, ...]] = (
    None, True, 5, 1.5, "a", [], ["a"], {}, {"a": 1}, [[1], {"a": 1}], ["b", "1", 2],
)  # fmt: skip
_GROUPS: Final = ("Control", "Test", "test", "", "Gruppe é")

# One change each that makes a spec unusable, and only that spec.
_BROKEN: Final[tuple[dict[str, Any], ...]] = (
    {"version": 1.0}, {"version": -1}, {"salt": None}, {"enabled": 1}, {"idType": 5}, {"rules": {}},
    {"explicitParameters": "x"}, {"entity": None}, {"isActive": "x"}, {"useNewLayerEval": 1},
)  # fmt: skip


@dataclass(frozen=True)
class RandomCase:
    """A payload with everything needed to check it.

    Attributes:
        payload: Config specs, v2 format, as JSON text.
        specs: The same as an object.
        users: Wire-name dicts.
        checks: Kind and name of every spec, and of some that do not exist.
        environment: Global tier for the options of both engines.
        global_custom_fields: For the options of both engines.
    """

    payload: bytes
    specs: dict[str, Any]
    users: list[dict[str, Any]]
    checks: list[tuple[Kind, str]]
    environment: str | None
    global_custom_fields: dict[str, Any] | None


def random_case(seed: int, users: int = 12) -> RandomCase:
    """Makes one case; the same seed makes the same case on every Python version."""
    dice = Dice(seed)
    values = Values(dice)
    specs = _RandomSpecs(dice, values)
    payload = specs.payload()
    fields = {"shared": values.scalar(), "f_text": values.scalar("text"), "F_list": values.of_user("list")}
    # The reference's Python binding turns a null among these into "".
    fields = {name: value for name, value in fields.items() if value is not None and dice.chance(0.5)}
    return RandomCase(
        specs=payload,
        payload=json.dumps(payload, ensure_ascii=dice.chance(0.5)).encode(),
        users=[_random_user(dice, values) for _ in range(users)],
        checks=[
            *(("gate", name) for name in specs.gate_names),
            *(("experiment", name) for name in specs.config_names),
            ("config", dice.pick(specs.config_names)),
            *(("layer", name) for name in specs.layer_names),
        ],
        environment=dice.pick((None, "staging", "Production", "")),
        global_custom_fields=fields or None,
    )


def _random_user(dice: Dice, values: Values) -> dict[str, Any]:
    user: dict[str, Any] = {}
    if dice.chance(0.93):
        user["userID"] = dice.pick(_USER_IDS)
    for field in ("email", "ip", "country", "locale", "appVersion", "userAgent"):
        if dice.chance(0.4):
            user[field] = element_text(values.scalar("version" if field == "appVersion" else "text"))
    if dice.chance(0.5):
        user["ip"] = dice.pick(_ADDRESSES)
    if dice.chance(0.3):
        user["country"] = dice.pick(_COUNTRIES)
    for part, share in (("custom", 0.9), ("privateAttributes", 0.4)):
        if dice.chance(share):
            user[part] = _random_fields(dice, values)
    if dice.chance(0.6):
        units = dice.take(
            ("stableID", "stableid", "companyID", "companyid", "user_id", "other"), 1 + dice.below(4)
        )
        user["customIDs"] = {unit: dice.pick(_CUSTOM_IDS) for unit in units}
    if dice.chance(0.5):
        keys = dice.take(("tier", "TIER", "region"), 1 + dice.below(2))
        user["statsigEnvironment"] = {key: dice.pick(("staging", "production", "", "dev")) for key in keys}
    return user


def _random_fields(dice: Dice, values: Values) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for family, (lower, mixed) in _FIELDS.items():
        if dice.chance(0.7):
            fields[lower] = values.of_user(family)
        if dice.chance(0.15):
            fields[mixed] = values.of_user(family)
    for name in ("email", "userID", "user_id", "app_version", "appversion", "shared"):
        if dice.chance(0.1):
            fields[name] = values.of_user("text")
    for name, usual in (("ip", _ADDRESSES), ("country", _COUNTRIES)):
        if dice.chance(0.15):
            fields[name] = dice.pick((*usual, *usual, None, 5, [usual[0]], {}, values.of_user("mixed")))
    return fields


class _RandomSpecs:
    """One payload while it is made."""

    def __init__(self, dice: Dice, values: Values) -> None:
        self._dice = dice
        self._values = values
        self.gate_names = ["g0", "g1", "g2", "g3", "segment:s", "Gate é", "segment:nested", "hold", "g4", ""]
        self.config_names = ["simple0", "simple1", "c0", "c1", "c2", "exp é", "c3"]
        self.layer_names = ["l0", "l1", "l2", "l3", "l4"]
        self._conditions: dict[str, dict[str, Any]] = {}

    def payload(self) -> dict[str, Any]:
        dice = self._dice
        plain = [self._condition(f"p{number}", self._value_condition()) for number in range(26)]
        groups = [self._condition(f"e{number}", self._group_condition()) for number in range(3)]
        configs = {
            name: self._spec(plain, name, "config") for name in self.config_names if name.startswith("simple")
        }
        usual = [*plain, *groups, self._condition("", {"type": "public", "idType": "userID"}), "dangling"]
        gates = {}
        for index, name in enumerate(self.gate_names):
            # Mostly gates made before, so that circles stay rare.
            others = self.gate_names if dice.chance(0.04) else self.gate_names[:index]
            nested = [self._nested(f"n{index}{number}", others) for number in range(2)]
            # Delegates that nest nothing, for the same reason.
            gates[name] = self._spec([*usual, *nested, *nested, *nested], name, "gate", tuple(configs))
        # And every condition on its own, where nothing else can hide what it says.
        alone = {f"only {key}": self._alone(key) for key in self._conditions if key}
        nested = [self._nested(f"n{number}", self.gate_names) for number in range(8)]
        for index, name in enumerate(self.config_names):
            if name not in configs:
                delegates = self.config_names if dice.chance(0.03) else self.config_names[:index]
                configs[name] = self._spec([*usual, *nested], name, "config", delegates)
        layers = {
            name: self._spec([*usual, *nested], name, "layer", self.config_names) for name in self.layer_names
        }
        gates.update(alone)
        self.gate_names += ["no such gate", *alone]
        self.config_names.append("no such config")
        self.layer_names.append("no such layer")
        payload: dict[str, Any] = {
            "has_updates": True,
            "time": dice.pick((0, 1, 1_700_000_000_000, 2**53 + 1)),
            "feature_gates": gates,
            "dynamic_configs": configs,
            "layer_configs": layers,
            "condition_map": self._conditions,
            "experiment_to_layer": {"c0": "l0"},
        }
        if dice.chance(0.5):
            payload["app_id"] = dice.pick((None, "app", "APP", 5, True, ["app", "b"], {"a": 1}))
        if dice.chance(0.4):
            payload["default_environment"] = dice.pick((None, "production", "dev", ""))
        return payload

    # ---- specs and rules

    def _spec(
        self, conditions: Sequence[str], name: str, kind: Kind, delegates: Sequence[str] = ()
    ) -> dict[str, Any]:
        dice = self._dice
        spec: dict[str, Any] = {
            "type": "feature_gate" if kind == "gate" else "dynamic_config",
            "salt": dice.pick(("salt", "", f"s-{name}")),
            "enabled": dice.chance(0.9),
            "defaultValue": self._return_value(kind),
            "rules": [
                self._rule(conditions, number, kind, delegates)
                for number in range(dice.pick((0, 1, 2, 2, 3, 3, 4)))
            ],
            "idType": dice.pick(_UNITS),
            "entity": dice.pick(
                ("feature_gate", "segment", "holdout", "dynamic_config", "experiment", "odd")
            ),
        }
        if dice.chance(0.5):
            spec["version"] = dice.pick((0, 1, 7, 2**32 - 1, None))
        if dice.chance(0.5):
            spec["isActive"] = dice.pick((True, True, False, None))
        if dice.chance(0.4):
            spec["explicitParameters"] = dice.pick((["a"], ["a", "b"], [], None, ["zzz"]))
        if dice.chance(0.3):
            spec["hasSharedParams"] = dice.chance(0.5)
        if kind == "layer" and dice.chance(0.5):
            spec["useNewLayerEval"] = dice.chance(0.85)
        if dice.chance(0.03):
            spec.update(dice.pick(_BROKEN))
        return spec

    def _rule(
        self, conditions: Sequence[str], number: int, kind: Kind, delegates: Sequence[str]
    ) -> dict[str, Any]:
        dice = self._dice
        # Layers are about how rules add up, so more of their rules pass.
        counts = (0, 0, 0, 1, 1, 2) if kind == "layer" else (0, 1, 1, 1, 2, 2, 3)
        rule: dict[str, Any] = {
            "name": "rule",
            "id": dice.pick((f"r{number}", f"r{number}", "r", "", "règle")),
            "passPercentage": dice.pick(_PERCENTAGES),
            "conditions": [dice.pick(conditions) for _ in range(dice.pick(counts))],
            "returnValue": self._return_value(kind),
            "idType": dice.pick(_UNITS),
        }
        salt = dice.pick(("rs", "rs", "", None, "absent"))
        if salt != "absent":
            rule["salt"] = salt
        if dice.chance(0.5):
            rule["groupName"] = dice.pick((*_GROUPS, None))
        if dice.chance(0.3):
            rule["isExperimentGroup"] = dice.pick((True, False, None))
        if dice.chance(0.1):
            rule["samplingRate"] = dice.below(300)
        if delegates and dice.chance(0.6 if kind == "layer" else 0.15):
            rule["configDelegate"] = dice.pick((*delegates, *delegates, "no such config", "", None))
        if dice.chance(0.004):
            rule["passPercentage"] = "100"  # makes the whole spec unusable
        return rule

    def _alone(self, key: str) -> dict[str, Any]:
        """A gate that says what one condition says."""
        rule = {
            "name": "only",
            "id": "only",
            "passPercentage": 100,
            "conditions": [key],
            "returnValue": True,
            "idType": "userID",
        }
        return {
            "type": "feature_gate",
            "salt": "",
            "enabled": True,
            "defaultValue": False,
            "rules": [rule],
            "idType": "userID",
            "entity": "feature_gate",
        }

    def _return_value(self, kind: Kind) -> Json:
        dice = self._dice
        if dice.chance(0.15):
            return dice.pick(_ODD_VALUES)
        if kind == "gate":
            return dice.chance(0.7)
        keys = dice.take(("a", "b", "c", "é", ""), 1 + dice.below(3))
        return {key: dice.pick(_PARAMETERS) for key in keys}

    # ---- conditions

    def _condition(self, key: str, condition: dict[str, Any]) -> str:
        self._conditions[key] = condition
        return key

    def _nested(self, key: str, names: Sequence[str]) -> str:
        target: Any = self._dice.pick((*names, *names, *names, "no such gate"))
        if self._dice.chance(0.04):
            target = self._dice.pick((None, 5, ["g0"], "", "G0"))
        kind = self._dice.pick(("pass_gate", "pass_gate", "fail_gate"))
        condition = {"type": kind, "targetValue": target, "operator": None, "idType": "userID"}
        if self._dice.chance(0.2):
            condition["operator"] = self._dice.pick(("any", "bogus"))
        return self._condition(key, condition)

    def _group_condition(self) -> dict[str, Any]:
        # Only experiments that nest nothing: one that depends on itself overflows the reference's stack.
        dice = self._dice
        condition = self._with_operator({"type": "experiment_group", "idType": "userID"}, "text")
        condition["field"] = dice.pick(("simple0", "simple0", "simple1", "no such config", None))
        if dice.chance(0.8):
            groups = dice.take(_GROUPS, 2)
            condition["operator"], condition["targetValue"] = dice.pick(
                (
                    ("any", groups),
                    ("none", groups),
                    ("any_case_sensitive", groups),
                    ("eq", groups[0]),
                    ("neq", None),
                )
            )
        return condition

    def _value_condition(self) -> dict[str, Any]:
        dice = self._dice
        kind = dice.pick(
            (
                *("user_field",) * 12,
                *(
                    "unit_id",
                    "unit_id",
                    "environment_field",
                    "environment_field",
                    "user_bucket",
                    "user_bucket",
                    "ip_based",
                    "ip_based",
                ),
                *("public", "public", "public", "current_time", "target_app"),
            )
        )
        condition: dict[str, Any] = {"type": kind, "idType": dice.pick(_UNITS)}
        if kind == "unit_id" and dice.chance(0.6):
            ids = dice.take(_IDS, 3)
            operator, target = dice.pick(
                (("any", ids), ("none", ids), ("eq", ids[0]), ("neq", None), ("eq", None), ("any", [""]))
            )
            return {**condition, "operator": operator, "targetValue": target}
        operators = dice.pick(list(_OPERATORS))
        family = dice.pick(_OPERATORS[operators])
        condition = self._with_operator(condition, family, operators)
        if kind == "user_field":
            condition["field"] = dice.pick((*_FIELDS[family], *_FIELDS[family], dice.pick(_STANDARD_FIELDS)))
        elif kind == "ip_based":
            condition["field"] = dice.pick(("country",) * 6 + ("Country", "ip", "f_text", "", None))
            if dice.chance(0.8):
                condition["operator"], condition["targetValue"] = dice.pick(
                    (
                        *(("any", dice.take(_COUNTRIES, 3)), ("none", dice.take(_COUNTRIES, 3))),
                        *(("eq", None), ("eq", "US"), ("neq", None), ("in_segment_list", "US")),
                    )
                )
        elif kind == "environment_field":
            condition["field"] = dice.pick(("tier", "tier", "TIER", "region", None))
            if dice.chance(0.7):
                condition["operator"] = dice.pick(("any", "none", "eq", "neq", "str_starts_with_any"))
                condition["targetValue"] = dice.pick(
                    (["staging"], ["dev", ""], ["PRODUCTION"], "staging", None, [""])
                )
        elif kind == "user_bucket" and dice.chance(0.8):
            condition["operator"] = dice.pick(("lt", "lt", "gte", "gt", "any", "none", "eq"))
            threshold: Any = dice.below(1001)
            if condition["operator"] in ("any", "none"):
                buckets = [str(bucket) for bucket in range(1000) if dice.chance(0.4)]
                threshold = (
                    dict.fromkeys(buckets, True) if dice.chance(0.7) else [int(bucket) for bucket in buckets]
                )
            condition["targetValue"] = threshold if dice.chance(0.9) else str(threshold)
        elif kind == "target_app" and dice.chance(0.6):
            condition["operator"] = dice.pick(("any", "none", "eq", "neq"))
            condition["targetValue"] = dice.pick((["app"], ["x"], "app", None, {"app": True}, 5, ["5"]))
        elif kind == "current_time":
            # Nothing near the time of the test, so that both engines look at the same side of it.
            condition["targetValue"] = dice.pick(
                (0, 1_000_000_000_000, 4_102_444_800_000, "2000-01-01T00:00:00Z", None, [""])
            )
            if dice.chance(0.7):
                condition["operator"] = dice.pick(("before", "after", "on", "any", "none", "eq", "gt"))
        salt = dice.pick(({}, {"salt": "b"}, {"salt": ""}, {"other": "x", "salt": "é"}, None, "absent"))
        if salt != "absent":
            condition["additionalValues"] = salt
        if dice.chance(0.02):
            condition["type"] = dice.pick(_UNKNOWN_TYPES)
        return condition

    def _with_operator(
        self, condition: dict[str, Any], family: str, operators: Sequence[str] = ("any", "none")
    ) -> dict[str, Any]:
        dice = self._dice
        operator = dice.pick(operators)
        condition["operator"] = operator
        condition["targetValue"] = self._target(operator, family)
        if dice.chance(0.02):
            condition["operator"] = dice.pick(_UNKNOWN_OPERATORS)
        if dice.chance(0.01):
            del condition["operator"]
        if dice.chance(0.02):
            del condition["targetValue"]
        return condition

    def _target(self, operator: str, family: str) -> Json:
        dice, values = self._dice, self._values
        if dice.chance(0.07):  # of a type the operator does not expect
            return dice.pick(_ODD_TARGETS)
        if operator == "str_matches":
            return dice.pick(REGEXES)
        if operator in ("eq", "neq"):
            target = values.target_array("mixed") if family == "list" else values.of_user(family)
            return _distinct(target) if isinstance(target, list) else target
        if operator in ("any", "none", "any_case_sensitive", "none_case_sensitive") and dice.chance(0.2):
            return values.target_object()
        if operator in _SCALAR_OPERATORS:
            return values.scalar(family)
        return values.target_array(family)


def _distinct(elements: list[Any]) -> list[Any]:
    """Entries with the same text shorten what the reference compares with, and it then panics."""
    return list({element_text(element).lower(): element for element in elements}.values())
