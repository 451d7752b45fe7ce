"""What changed from one payload to the next, by name and in words.

In: two payloads. Out: `Changes`. How many users that concerns is for `flips` to count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from statsig_fastly.publish.rule_changes import (
    conditions_in_words,
    is_partial,
    is_same,
    rules_changed,
    shown,
)
from statsig_fastly.publish.specs import POOLS, Ref, Specs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Changes", "SpecChange", "changes"]

# Fields that have words of their own, or none because others tell the same.
_SPOKEN: Final = frozenset(
    {"rules", "enabled", "salt", "isActive", "defaultValue", "name", "version", "checksum", "fieldsUsed"}
)
# What only one of the two formats says.
_OF_V1: Final = frozenset({"isDeviceBased"})
# Parts of a payload that hold specs, or come with every change.
_NO_SETTINGS: Final = frozenset({*POOLS.values(), "time", "checksum", "condition_map", "override_rules"})


@dataclass(frozen=True, slots=True)
class SpecChange:
    """What became of one spec, or of a setting of the payload.

    Attributes:
        kind: As in `gate`, `experiment`, `setting`.
        name: Its name.
        how: Whether it is new, gone or another.
        words: What changed, one phrase each; none where only its version did.
        reshuffles: Whether users are divided anew, so that many get another group than before.
    """

    kind: str
    name: str
    how: Literal["added", "removed", "changed"]
    words: tuple[str, ...] = ()
    reshuffles: bool = False

    def __str__(self) -> str:
        words = f": {'; '.join(self.words)}" if self.words else ""
        return f"{self.kind} {self.name!r} {self.how}{words}"


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed between two payloads.

    Attributes:
        old_time: When the project was changed according to the old one, in ms since the epoch.
        new_time: The same for the new one.
        specs: What became of specs, by kind and name.
        settings: What became of the rest of the payload.
    """

    old_time: int
    new_time: int
    specs: tuple[SpecChange, ...]
    settings: tuple[SpecChange, ...]

    def __bool__(self) -> bool:
        return bool(self.specs or self.settings)


def changes(old: Specs, new: Specs) -> Changes:
    """Compares two payloads, which may have different formats."""
    refs = sorted({*old.refs(), *new.refs()}, key=lambda ref: (list(POOLS).index(ref.pool), ref.name))
    found = [change for ref in refs if (change := _change(old, new, ref)) is not None]
    return Changes(old.time, new.time, tuple(found), tuple(_settings(old, new)))


def _change(old: Specs, new: Specs, ref: Ref) -> SpecChange | None:
    before, after = old.spec(ref), new.spec(ref)
    kind = _kind(ref, after or before or {})
    if before is None:
        return SpecChange(kind, ref.name, "added", tuple(_first_words(new, after or {})))
    if after is None:
        return SpecChange(kind, ref.name, "removed")
    words: list[str] = []
    reshuffles = False
    if before.get("salt") != after.get("salt"):
        # The salt divides users only where a rule is for some of them.
        reshuffles = any(map(is_partial, (*old.rules(before), *new.rules(after))))
        words.append("salt changed: users reshuffle" if reshuffles else "salt changed")
    if before.get("enabled") != after.get("enabled"):
        words.append("switched on" if after.get("enabled") else "switched off")
    if bool(before.get("isActive")) != bool(after.get("isActive")):
        words.append("started" if after.get("isActive") else "stopped")
    if not is_same(before.get("defaultValue"), after.get("defaultValue")):
        words.append(f"default {shown(before.get('defaultValue'))} -> {shown(after.get('defaultValue'))}")
    words += [
        f"{name} {shown(before.get(name))} -> {shown(after.get(name))}"
        for name in dict.fromkeys((*before, *after))
        if name not in _SPOKEN
        and not (name in _OF_V1 and old.is_v1 != new.is_v1)
        and not is_same(before.get(name), after.get(name))
    ]
    rules = rules_changed(old, before, new, after)
    words += rules.words
    if not words and before.get("version") != after.get("version"):
        words.append(
            f"version {shown(before.get('version'))} -> {shown(after.get('version'))} and nothing else"
        )
    if not words:
        return None
    return SpecChange(kind, ref.name, "changed", tuple(words), reshuffles or rules.reshuffles)


def _kind(ref: Ref, spec: Mapping[str, Any]) -> str:
    entity = spec.get("entity")
    if ref.pool in {"gate", "config"} and isinstance(entity, str) and entity:
        return {"feature_gate": "gate"}.get(entity, entity.replace("_", " "))
    return ref.pool


def _first_words(specs: Specs, spec: Mapping[str, Any]) -> Iterator[str]:
    rules = specs.rules(spec)
    for rule in rules[:3]:
        percentage = rule.get("passPercentage")
        share = "" if percentage == 100 else f", {shown(percentage)} %"  # noqa: PLR2004
        yield f"for {conditions_in_words(specs, rule)}{share}"
    if len(rules) > 3:  # noqa: PLR2004
        yield f"and {len(rules) - 3} rules more"


def _settings(old: Specs, new: Specs) -> Iterator[SpecChange]:
    if old.is_v1 != new.is_v1:
        formats = " -> ".join("v1" if specs.is_v1 else "v2" for specs in (old, new))
        yield SpecChange("setting", "format", "changed", (formats,))
        return  # what else differs says no more than that
    for name in sorted({*old.data, *new.data} - _NO_SETTINGS):
        before, after = old.data.get(name), new.data.get(name)
        if is_same(before, after):
            continue
        if before is None or after is None:
            yield SpecChange("setting", name, "added" if before is None else "removed")
        elif isinstance(before, dict) and isinstance(after, dict):
            words = tuple(
                f"{key} {shown(before.get(key))} -> {shown(after.get(key))}"
                for key in sorted({*before, *after})
                if before.get(key) != after.get(key)
            )
            more = (f"and {len(words) - 5} more",) if len(words) > 5 else ()  # noqa: PLR2004
            yield SpecChange("setting", name, "changed", (*words[:5], *more))
        else:
            yield SpecChange("setting", name, "changed", (f"{shown(before)} -> {shown(after)}",))
