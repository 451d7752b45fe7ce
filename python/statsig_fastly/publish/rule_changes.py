"""What changed about the rules of one spec, in words.

Rules are the same rule if they have the same id; Statsig writes the share of a rollout into some ids
(`1a2b:10.00:3`), so one that differs only in that counts as the same as well.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from statsig_fastly.publish.specs import Specs

__all__ = [
    "RulesChanged",
    "condition_in_words",
    "conditions_in_words",
    "is_partial",
    "is_same",
    "rules_changed",
    "shown",
]

_SHOWN: Final = 60
_LISTED: Final = 5
_EVERYONE: Final = "everyone"


@dataclass(slots=True)
class RulesChanged:
    """What changed about rules.

    Attributes:
        words: One phrase for each change.
        reshuffles: Whether users are divided anew within a rule.
    """

    words: list[str] = field(default_factory=list)
    reshuffles: bool = False


def rules_changed(
    old: Specs, before: Mapping[str, Any], new: Specs, after: Mapping[str, Any]
) -> RulesChanged:
    """Compares the rules of a spec.

    Args:
        old: The payload that `before` is of.
        before: The spec as it was.
        new: The payload that `after` is of.
        after: The spec as it is.
    """
    found = RulesChanged()
    old_rules, new_rules = old.rules(before), new.rules(after)
    pairs = _pairs(old_rules, new_rules)
    paired_old = {at for at, _ in pairs}
    paired_new = {at for _, at in pairs}
    for at, rule in enumerate(old_rules):
        if at not in paired_old:
            found.words.append(f"rule {_name(rule)} removed (for {conditions_in_words(old, rule)})")
    for old_at, new_at in pairs:
        _rule_changed(old, old_rules[old_at], new, new_rules[new_at], found)
    for at, rule in enumerate(new_rules):
        if at not in paired_new:
            share = f"{shown(rule.get('passPercentage'))} % of {conditions_in_words(new, rule)}"
            found.words.append(f"rule {_name(rule)} added at place {at + 1}: {share}")
    if [new_at for _, new_at in sorted(pairs)] != sorted(paired_new):
        found.words.append("order of the rules changed")
    return found


def _pairs(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """Places of the rules that are the same ones, in the order of the new."""
    pairs: dict[int, int] = {}
    for key in (_id, _base_id):
        waiting: dict[str, list[int]] = {}
        for at, rule in enumerate(old):
            if at not in pairs.values():
                waiting.setdefault(key(rule), []).append(at)
        for at, rule in enumerate(new):
            if at not in pairs and (same := waiting.get(key(rule))):
                pairs[at] = same.pop(0)
    return [(old_at, new_at) for new_at, old_at in sorted(pairs.items())]


def _id(rule: Mapping[str, Any]) -> str:
    return str(rule.get("id"))


def _base_id(rule: Mapping[str, Any]) -> str:
    return _id(rule).partition(":")[0]


def _rule_changed(
    old: Specs, before: Mapping[str, Any], new: Specs, after: Mapping[str, Any], found: RulesChanged
) -> None:
    words: list[str] = []
    if before.get("passPercentage") != after.get("passPercentage"):
        words.append(
            f"percentage {shown(before.get('passPercentage'))} -> {shown(after.get('passPercentage'))}"
        )
    # Without a salt of its own a rule divides users by its id.
    if _salt(before) != _salt(after):
        words.append("salt changed" + _reshuffle(before, after, found))
    if before.get("idType") != after.get("idType"):
        words.append(
            f"divided by {shown(before.get('idType'))} -> {shown(after.get('idType'))}"
            + _reshuffle(before, after, found)
        )
    for member, word in (
        ("returnValue", "value"),
        ("groupName", "group"),
        ("configDelegate", "experiment"),
        ("isExperimentGroup", "isExperimentGroup"),
        ("samplingRate", "samplingRate"),
    ):
        if not is_same(before.get(member), after.get(member)):
            words.append(f"{word} {shown(before.get(member))} -> {shown(after.get(member))}")
    words += _conditions_changed(old, before, new, after, found)
    if words:
        found.words.append(f"rule {_name(after)}: {', '.join(words)}")


def is_partial(rule: Mapping[str, Any]) -> bool:
    """Whether a rule lets some of those in who match it, and others not, so that its salt matters."""
    percentage = rule.get("passPercentage")
    return isinstance(percentage, int | float) and 0 < percentage < 100  # noqa: PLR2004


def is_same(before: object, after: object) -> bool:
    """Whether two values are the same as JSON. Python takes 1, 1.0 and true for equal."""
    return before == after and json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)


def _reshuffle(before: Mapping[str, Any], after: Mapping[str, Any], found: RulesChanged) -> str:
    if not (is_partial(before) or is_partial(after)):
        return ""
    found.reshuffles = True
    return ": users reshuffle"


def _salt(rule: Mapping[str, Any]) -> object:
    salt = rule.get("salt")
    return rule.get("id") if salt is None else salt


def _conditions_changed(
    old: Specs,
    before: Mapping[str, Any],
    new: Specs,
    after: Mapping[str, Any],
    found: RulesChanged,
) -> Iterator[str]:
    across = old.is_v1 != new.is_v1
    gone = {_essence(each, across=across): each for each in old.conditions(before)}
    come = {_essence(each, across=across): each for each in new.conditions(after)}
    for essence in [*gone]:
        if essence in come:
            del gone[essence], come[essence]
    for essence, condition in [*gone.items()]:
        # The same question with another answer.
        same = next((other for other in come if _question(come[other]) == _question(condition)), None)
        if same is not None:
            yield _question_changed(condition, come[same], found)
            del gone[essence], come[same]
    for condition in gone.values():
        yield f"no longer asks for {condition_in_words(condition)}"
    for condition in come.values():
        yield f"also asks for {condition_in_words(condition)}"


def _question_changed(before: Mapping[str, Any], after: Mapping[str, Any], found: RulesChanged) -> str:
    words = []
    if not is_same(before.get("targetValue"), after.get("targetValue")):
        words.append(_targets(before.get("targetValue"), after.get("targetValue")))
    if before.get("additionalValues") != after.get("additionalValues"):
        if before.get("type") == "user_bucket":
            found.reshuffles = True
            words.append("salt changed: users reshuffle")
        else:
            words.append("additional values changed")
    return f"{_about(before)} {', '.join(words)}"


def _essence(condition: Mapping[str, Any], *, across: bool) -> str:
    """What a condition says; the same in both formats if payloads are compared across them."""
    known = ("type", "targetValue", "operator", "field", "additionalValues", "idType")
    said = {name: condition.get(name) or None for name in known}
    target = said["targetValue"]
    if across and isinstance(target, dict | list):  # only the names of v2's object count
        said["targetValue"] = sorted(map(str, target))
    return json.dumps(said, sort_keys=True)


def _question(condition: Mapping[str, Any]) -> tuple[object, ...]:
    return tuple(condition.get(name) for name in ("type", "operator", "field", "idType"))


def _targets(before: object, after: object) -> str:
    if isinstance(before, list) and isinstance(after, list):
        added = [each for each in after if each not in before]
        removed = [each for each in before if each not in after]
        if added or removed:
            return " and ".join(
                f"{sign} {_few(values)}" for sign, values in (("plus", added), ("minus", removed)) if values
            )
        return "in another order"
    return f"{shown(before)} -> {shown(after)}"


def _few(values: list[Any]) -> str:
    more = f" and {len(values) - _LISTED} more" if len(values) > _LISTED else ""
    return ", ".join(map(shown, values[:_LISTED])) + more


def conditions_in_words(specs: Specs, rule: Mapping[str, Any]) -> str:
    """Whom a rule is for."""
    words = [condition_in_words(condition) for condition in specs.conditions(rule)]
    asked = [each for each in words if each != _EVERYONE]
    return " and ".join(asked) if asked else _EVERYONE


def condition_in_words(condition: Mapping[str, Any]) -> str:
    """What a condition asks for."""
    target = shown(condition.get("targetValue"))
    match condition.get("type"):
        case "public":
            return _EVERYONE
        case "pass_gate":
            return f"those who pass {target}"
        case "fail_gate":
            return f"those who fail {target}"
    return f"{_about(condition)} {target}"


def _about(condition: Mapping[str, Any]) -> str:
    kind, about, operator = (condition.get(name) for name in ("type", "field", "operator"))
    what = about if kind == "user_field" and about else kind
    if kind in {"unit_id", "user_bucket"}:
        what = f"{condition.get('idType')} bucket" if kind == "user_bucket" else condition.get("idType")
    elif kind != "user_field" and about:
        what = f"{kind} {about}"
    return f"{what} {operator}" if operator else str(what)


def _name(rule: Mapping[str, Any]) -> str:
    group = rule.get("groupName")
    return f"{shown(group)} ({_base_id(rule)})" if group else repr(_base_id(rule))


def shown(value: object) -> str:
    """A value of a payload in a phrase."""
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
