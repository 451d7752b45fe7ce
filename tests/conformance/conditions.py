"""Random conditions: dice and values in, conditions of every type and operator out.

Targets mostly are of the type an operator expects. Left out is only what the official core itself
does not survive: `eq` on arrays with entries that collide, `on` at the end of the 64-bit integers, hopeless
regexes, and IP addresses beyond its table; and what it decides by chance, see `decided`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from conformance.case import raw_number
from conformance.users import ADDRESSES, CUSTOM_IDS, FIELDS, USER_IDS
from conformance.values import REGEXES, element_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.values import Values
    from statsig_fastly.sample_specs import Json
    from statsig_fastly.sample_users import Dice

__all__ = ["ARRAY_OPERATORS", "GROUPS", "OPERATORS", "UNITS", "Conditions", "decided", "distinct"]

ARRAY_OPERATORS: Final = (
    "array_contains_any",
    "array_contains_none",
    "array_contains_all",
    "not_array_contains_all",
)

# Operators by what they look at, and the kinds of values worth giving them.
OPERATORS: Final[dict[tuple[str, ...], tuple[str, ...]]] = {
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
    ARRAY_OPERATORS: ("list",),
    ("in_segment_list", "not_in_segment_list"): ("text", "number"),
}
GROUPS: Final = ("Control", "Test", "test", "", "Gruppe é")
UNITS: Final = ("userID", "userID", "userID", "USERID", "stableID", "STABLEID", "companyID", "user_id", "")

_SCALAR_OPERATORS: Final = {
    operator
    for operators, (family, *_) in OPERATORS.items()
    for operator in operators
    if family in ("number", "version", "time") or "segment" in operator
}
_UNKNOWN_OPERATORS: Final = ("bogus", "ANY", "encoded_any", "", None)
_UNKNOWN_TYPES: Final = ("bogus", "PUBLIC", "User_Field", "multi_pass_gate", "multi_fail_gate", "")
_STANDARD_FIELDS: Final = (
    "userID", "userid", "user_id", "email", "EMAIL", "ip", "country", "locale", "appVersion", "app_version",
    "userAgent", "user_agent", "custom", "companyID", "shared", "Shared", "f_absent", "", None,
)  # fmt: skip
_IDS: Final[tuple[Json, ...]] = (*USER_IDS, *CUSTOM_IDS, "5", "9007199254740992")
_ODD_TARGETS: Final[tuple[Json, ...]] = (
    None, True, 5, 1.5, "a", [], ["a"], {}, {"a": 1}, [[1], {"a": 1}], ["b", "1", 2],
)  # fmt: skip
_RAW_NUMBERS: Final = (
    "1e2",
    "1E+2",
    "100.0",
    "-0",
    "-0.0",
    "1e-7",
    "0.1e1",
    "1e21",
    "1.50",
    "123456789012345678901234567890",
)
_AGENT_FIELDS: Final = (
    "os_name", "os_version", "browser_name", "browser_version", "osname", "osversion", "browsername",
    "browserversion", "OS_NAME", "f_text", "userAgent", None,
)  # fmt: skip
_AGENT_TARGETS: Final = [
    "iOS",
    "Windows",
    "Android",
    "Chrome",
    "Mobile Safari",
    "Firefox",
    "Other",
    "10",
    "16.5.1",
]
_USUAL_TYPES: Final = (
    *("user_field",) * 12,
    *("unit_id", "unit_id", "environment_field", "environment_field", "user_bucket", "user_bucket"),
    *("public", "public", "public", "current_time", "target_app"),
    "ua_based",
    "ua_based",
    "ip_based",
    "ip_based",
)


class Conditions:
    """Makes conditions of one random case.

    Args:
        dice: What decides.
        values: The values of the case.
        lists: Names of its ID lists.
    """

    def __init__(self, dice: Dice, values: Values, lists: Sequence[str] = ()) -> None:
        self._dice = dice
        self._values = values
        self._lists = lists

    def nested(self, names: Sequence[str], *, odd: bool = True) -> dict[str, Any]:
        """A condition on one of these gates, or, seldom and only if `odd`, on something else."""
        dice = self._dice
        target: Any = dice.pick((*names, *names, *names, "no such gate"))
        if odd and dice.chance(0.04):
            target = dice.pick((None, 5, ["g0"], "", "G0", {"a": 1}))
        kind = dice.pick(("pass_gate", "pass_gate", "fail_gate"))
        condition = {"type": kind, "targetValue": target, "operator": None, "idType": "userID"}
        if dice.chance(0.2):
            condition["operator"] = dice.pick(("any", "bogus"))
        return condition

    def group(self, experiments: Sequence[str]) -> dict[str, Any]:
        """A condition on the user's group in one of these experiments."""
        dice = self._dice
        condition = self._with_operator({"type": "experiment_group", "idType": "userID"}, "text")
        condition["field"] = dice.pick((*experiments, *experiments, "no such config", None))
        if dice.chance(0.8):
            groups = dice.take(GROUPS, 2)
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

    def value(self) -> dict[str, Any]:
        """A condition on anything but other specs."""
        dice = self._dice
        kind = dice.pick(_USUAL_TYPES)
        condition: dict[str, Any] = {"type": kind, "idType": dice.pick(UNITS)}
        operators = dice.pick(list(OPERATORS))
        family = dice.pick(OPERATORS[operators])
        condition = self._with_operator(condition, family, operators)
        if kind == "user_field":
            condition["field"] = dice.pick((*FIELDS[family], *FIELDS[family], dice.pick(_STANDARD_FIELDS)))
        elif kind != "public":
            getattr(self, f"_{kind}")(condition)
        salt = dice.pick(({}, {"salt": "b"}, {"salt": ""}, {"other": "x", "salt": "é"}, None, "absent"))
        if salt != "absent":
            condition["additionalValues"] = salt
        if dice.chance(0.02):
            condition["type"] = dice.pick(_UNKNOWN_TYPES)
        return condition

    def _unit_id(self, condition: dict[str, Any]) -> None:
        dice = self._dice
        if dice.chance(0.6):
            ids = dice.take(_IDS, 3)
            condition["operator"], condition["targetValue"] = dice.pick(
                (("any", ids), ("none", ids), ("eq", ids[0]), ("neq", None), ("eq", None), ("any", [""]))
            )

    def _environment_field(self, condition: dict[str, Any]) -> None:
        dice = self._dice
        condition["field"] = dice.pick(("tier", "tier", "TIER", "region", None))
        if dice.chance(0.7):
            condition["operator"] = dice.pick(("any", "none", "eq", "neq", "str_starts_with_any"))
            condition["targetValue"] = dice.pick(
                (["staging"], ["dev", ""], ["PRODUCTION"], "staging", None, [""])
            )

    def _user_bucket(self, condition: dict[str, Any]) -> None:
        dice = self._dice
        if dice.chance(0.2):
            return
        condition["operator"] = dice.pick(("lt", "lt", "gte", "gt", "any", "none", "eq"))
        threshold: Any = dice.below(1001)
        if condition["operator"] in ("any", "none"):
            buckets = [str(bucket) for bucket in range(1000) if dice.chance(0.4)]
            threshold = (
                dict.fromkeys(buckets, True) if dice.chance(0.7) else [int(bucket) for bucket in buckets]
            )
        condition["targetValue"] = threshold if dice.chance(0.9) else str(threshold)

    def _target_app(self, condition: dict[str, Any]) -> None:
        dice = self._dice
        if dice.chance(0.6):
            condition["operator"] = dice.pick(("any", "none", "eq", "neq"))
            condition["targetValue"] = dice.pick((["app"], ["x"], "app", None, {"app": True}, 5, ["5"]))

    def _current_time(self, condition: dict[str, Any]) -> None:
        dice = self._dice
        # Nothing near the time of the test, so that both engines look at the same side of it.
        condition["targetValue"] = dice.pick(
            (0, 1_000_000_000_000, 4_102_444_800_000, "2000-01-01T00:00:00Z", None, [""])
        )
        if dice.chance(0.7):
            condition["operator"] = dice.pick(("before", "after", "on", "any", "none", "eq", "gt"))

    def _ua_based(self, condition: dict[str, Any]) -> None:
        dice = self._dice
        condition["field"] = dice.pick(_AGENT_FIELDS)
        if dice.chance(0.8):
            version = "version" in (condition["field"] or "")
            condition["operator"] = dice.pick(
                ("version_gt", "version_lt", "version_eq", "any")
                if version
                else ("any", "none", "eq", "str_contains_any")
            )
            wanted = dice.pick(("10", "16.5", "100.0", "4.0.1")) if version else dice.take(_AGENT_TARGETS, 3)
            condition["targetValue"] = wanted
            if condition["operator"] == "eq":
                condition["targetValue"] = dice.pick(_AGENT_TARGETS)

    def _ip_based(self, condition: dict[str, Any]) -> None:
        dice = self._dice
        condition["field"] = dice.pick(("country", "country", "country", "COUNTRY", "ip", "f_text", None))
        if dice.chance(0.8):
            condition["operator"] = dice.pick(("any", "none", "eq", "neq", "any_case_sensitive"))
            condition["targetValue"] = dice.pick(
                (["US"], ["us", "CN"], "IN", None, ["AU", "UA"], list(ADDRESSES))
            )

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
        if "segment" in operator and dice.chance(0.8):
            return dice.pick((*self._lists, "no such list"))
        if dice.chance(0.07):  # of a type the operator does not expect
            return dice.pick(_ODD_TARGETS)
        if operator == "str_matches":
            return dice.pick(REGEXES)
        if operator in ("eq", "neq"):
            target = values.target_array("mixed") if family == "list" else values.of_user(family)
            return distinct(target) if isinstance(target, list) else target
        if operator in ("any", "none", "any_case_sensitive", "none_case_sensitive") and dice.chance(0.2):
            return values.target_object()
        if operator in _SCALAR_OPERATORS:
            return raw_number(dice.pick(_RAW_NUMBERS)) if dice.chance(0.04) else values.scalar(family)
        target = values.target_array(family)
        if dice.chance(0.05):
            target.append(raw_number(dice.pick(_RAW_NUMBERS)))
        if dice.chance(0.02):
            target += [f"filler {number}" for number in range(400)]
        return decided(target) if operator in ARRAY_OPERATORS else target


def decided(elements: list[Any]) -> list[Any]:
    """Without empty texts: whether a null or an object among a user's elements is one, the reference
    decides by chance (`test_empty_texts_in_arrays.py`)."""
    return [element for element in elements if element != ""]


def distinct(elements: list[Any]) -> list[Any]:
    """Entries with the same text shorten what the reference compares with, and it then panics."""
    return list({element_text(element).lower(): element for element in elements}.values())
