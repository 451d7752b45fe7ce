"""Explanations: why a check comes to what it does, rule by rule and condition by condition."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from statsig_fastly._native import EvaluationDetails

__all__ = [
    "CheckKind",
    "CheckTrace",
    "ConditionTrace",
    "Explanation",
    "RuleTrace",
]

CheckKind: TypeAlias = Literal["gate", "config", "experiment", "layer"]

_SHOWN: Final = 60  # characters of a value, so that lists of thousands of ids do not hide the rest
_TYPES_WITHOUT_OPERATOR: Final = {
    "pass_gate": "gate {target} passes",
    "fail_gate": "gate {target} fails",
    "public": "everyone",
}


@dataclass(frozen=True, slots=True)
class ConditionTrace:
    """A condition that was looked at.

    Attributes:
        type: The condition's type in the payload, such as `user_field` or `pass_gate`.
        field: The user field, environment field or experiment it is about; None where it has none.
        operator: How `value` is compared with `target`; None for types that need no operator.
        target: What the payload wants, as JSON data.
        value: What was met, as JSON data; None also where the user has none. `(private)` stands for a private
            attribute.
        holds: Whether the condition holds; None if it is not supported.
        id_type: The id that is hashed or compared, for `user_bucket` and `unit_id`.
        checks: The gates (or the experiment) the condition is about.
    """

    type: str
    field: str | None
    operator: str | None
    target: Any
    value: Any
    holds: bool | None
    id_type: str | None
    checks: tuple[CheckTrace, ...]

    def __str__(self) -> str:
        """One line: what is asked, what was met, and the outcome."""
        words = _TYPES_WITHOUT_OPERATOR.get(self.type)
        if words:
            return f"{words.format(target=repr(self.target))}: {_outcome(self.holds)}"
        about = f"user_bucket of {self.id_type}" if self.type == "user_bucket" else self.type
        about = f"{about} {self.field}" if self.field is not None else about
        asked = f"{about} {self.operator or '(no operator)'} {_shown(self.target)}"
        return f"{asked}: met {_shown(self.value)}: {_outcome(self.holds)}"


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """A rule that was looked at.

    Attributes:
        rule_id: The rule's id.
        group_name: Its group, if it has one.
        conditions: The conditions that were looked at. Those that hold for everyone may be left out.
        matches: Whether all conditions hold; None if one is not supported.
        pass_percentage: How much of those who match it lets in, 0 to 100.
        id_type: The id that is hashed for that.
        unit: The user's id of that type; None where the percentage was not looked at.
        bucket: 0 to 9,999; the user is in if it is below `pass_percentage` * 100. None where the
            percentage says it all.
        passes: Whether the user is in; None where the percentage was not looked at.
        delegate: The experiment that decides in the rule's place.
        maps_to: For rules of a config mapping: the spec that takes the place of the one asked for.
    """

    rule_id: str
    group_name: str | None
    conditions: tuple[ConditionTrace, ...]
    matches: bool | None
    pass_percentage: float
    id_type: str
    unit: Any
    bucket: int | None
    passes: bool | None
    delegate: CheckTrace | None
    maps_to: str | None

    def __str__(self) -> str:
        """One line: whether the rule matches, and who of those who match is in."""
        name = f"rule {self.rule_id!r}" if self.maps_to is None else f"mapping to {self.maps_to!r}"
        words = {True: "matches", False: "does not match", None: "is not supported"}[self.matches]
        if self.passes is None:
            return f"{name} {words}"
        return f"{name} {words}; {self._rollout()}"

    def _rollout(self) -> str:
        percentage = f"{self.pass_percentage:g} %"
        if self.bucket is None:
            return f"{percentage} are in"
        compared = "is" if self.passes else "is not"
        return (
            f"{percentage} are in: bucket {self.bucket} of {self.id_type} {_shown(self.unit)} {compared} "
            f"below {self.pass_percentage * 100:g}"
        )


@dataclass(frozen=True, slots=True)
class CheckTrace:
    """A gate, config, experiment or layer that was evaluated.

    Attributes:
        kind: What it was asked for as.
        name: Its name.
        how: What decided: the `spec`, a local `override`, a `bandit`; `remembered` if it was
            evaluated earlier in the same check, `missing` if there is nothing of the name, `unfinished` if
            things are nested too deeply, as in a circle.
        value: A bool for a gate, else the parameters.
        rule_id: The rule that decided.
        group_name: The group the user is in.
        supported: False if a condition of a kind that is not supported ended the evaluation.
        rules: The rules that were looked at, in order, with those of config mappings.
        checks: Other checks it came to: what the name is mapped to, a bandit's targeting gate.
        entity: What the spec is: `feature_gate`, `segment`, `holdout`, `experiment` and so on.
        version: The spec's version.
        enabled: Whether the spec is switched on.
        choice: Of a bandit: the index of the group (`arm`), whether it was `explored` (left to chance),
            and the `scores` of all groups.
    """

    kind: CheckKind
    name: str
    how: Literal["spec", "override", "bandit", "remembered", "missing", "unfinished"]
    value: Any
    rule_id: str
    group_name: str | None
    supported: bool
    rules: tuple[RuleTrace, ...]
    checks: tuple[CheckTrace, ...]
    entity: str | None
    version: int | None
    enabled: bool | None
    choice: dict[str, Any] | None

    def __str__(self) -> str:
        """The whole tree, one line for each rule and condition."""
        return "\n".join(self._lines(""))

    def sentence(self) -> str:
        """What came out and which rule decided."""
        name = f"{self.kind} {self.name!r}"
        if self.how == "missing":
            return f"{name} does not exist"
        outcome = f"{name} is {_shown(self.value)}"
        if self.how == "unfinished":
            return f"{outcome}: not decided, too much is nested"
        if not self.supported:
            return f"{outcome}: a condition is not supported"
        if self.how == "override":
            return f"{outcome}: set by the application"
        group = f", group {self.group_name!r}" if self.group_name is not None else ""
        if self.how == "bandit":
            return f"{outcome}: the bandit chose {self.rule_id!r}{group}"
        again = " (evaluated before)" if self.how == "remembered" else ""
        if self.rule_id in ("default", "disabled"):
            off = "it is switched off and " if self.rule_id == "disabled" else ""
            return f"{outcome}: {off}no rule matches{again}"
        return f"{outcome}: rule {self.rule_id!r}{group} decided{again}"

    def _lines(self, indent: str) -> Iterator[str]:
        yield indent + self.sentence()
        inner = indent + "  "
        for check in self.checks:
            yield from check._lines(inner)  # noqa: SLF001 - its own class
        for rule in self.rules:
            yield f"{inner}{rule}"
            for condition in rule.conditions:
                yield f"{inner}  {condition}"
                for check in condition.checks:
                    yield from check._lines(inner + "    ")  # noqa: SLF001
            if rule.delegate is not None:
                yield from rule.delegate._lines(inner + "  ")  # noqa: SLF001


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """Why a check comes to what it does. `print` shows the whole tree.

    Attributes:
        check: What was asked for, with all it came to.
        user_fields: What was looked at about the user, such as `userID`, `custom.plan` or `country`.
        details: The details of the result: reason, time of the payload, version.
    """

    check: CheckTrace
    user_fields: tuple[str, ...]
    details: EvaluationDetails

    def __repr__(self) -> str:
        """One sentence."""
        return f"<{self.check.sentence()} ({self.details.reason})>"

    def __str__(self) -> str:
        """The whole tree, what it depends on, and the reason."""
        fields = ", ".join(self.user_fields) or "none"
        return f"{self.check}\nuser fields used: {fields}\nreason: {self.details.reason}"

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON data, for tools."""
        check = dataclasses.asdict(self.check)
        return {
            "check": check,
            "user_fields": list(self.user_fields),
            "details": self.details.to_dict(),
        }


def explanation(trace: str, details: EvaluationDetails) -> Explanation:
    """Reads what the engine told."""
    data = json.loads(trace)
    return Explanation(_check(data), tuple(data["user_fields"]), details)


def _check(data: Mapping[str, Any]) -> CheckTrace:
    return CheckTrace(
        kind=data["kind"],
        name=data["name"],
        how=data["how"],
        value=_value(data),
        rule_id=data.get("rule_id", ""),
        group_name=data.get("group_name"),
        supported=data.get("supported", True),
        rules=tuple(map(_rule, data.get("rules", ()))),
        checks=tuple(map(_check, data.get("checks", ()))),
        entity=data.get("entity"),
        version=data.get("version"),
        enabled=data.get("enabled"),
        choice=data.get("choice"),
    )


def _value(data: Mapping[str, Any]) -> object:
    if data["kind"] == "gate":
        return data.get("passes", False)
    value = data.get("value")
    return value if isinstance(value, dict) else {}


def _rule(data: Mapping[str, Any]) -> RuleTrace:
    return RuleTrace(
        rule_id=data["rule_id"],
        group_name=data["group_name"],
        conditions=tuple(map(_condition, data["conditions"])),
        matches=data.get("matches"),
        pass_percentage=data["pass_percentage"],
        id_type=data["id_type"],
        unit=data.get("unit"),
        bucket=data.get("bucket"),
        passes=data.get("passes"),
        delegate=_check(data["delegate"]) if "delegate" in data else None,
        maps_to=data.get("maps_to"),
    )


def _condition(data: Mapping[str, Any]) -> ConditionTrace:
    return ConditionTrace(
        type=data["type"],
        field=data.get("field"),
        operator=data.get("operator"),
        target=data.get("target"),
        value=data.get("value"),
        holds=data.get("holds"),
        id_type=data.get("id_type"),
        checks=tuple(map(_check, data.get("checks", ()))),
    )


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _outcome(holds: bool | None) -> str:
    return {True: "yes", False: "no", None: "not supported"}[holds]
