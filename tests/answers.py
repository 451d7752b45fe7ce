"""What two engines said about the same checks, and where they differ.

`Answer` is one result in the terms every engine has: this package (`engine_under_test`), the official
core (`reference`), recorded results. `Differences` compares them and words the failure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from textwrap import indent
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Answer", "Differences", "Kind", "Secondary", "differing", "spec_of", "without_source", "worded"]

Kind: TypeAlias = Literal["gate", "config", "experiment", "layer"]
Secondary: TypeAlias = tuple[tuple[str, str, str], ...]

_SHOWN: Final = 5  # differences in a failure message
_TABLES: Final[dict[Kind, str]] = {
    "gate": "feature_gates",
    "config": "dynamic_configs",
    "experiment": "dynamic_configs",
    "layer": "layer_configs",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What one check returned.

    Attributes:
        value: The bool of a gate; the object of a config, experiment or layer, {} where there is none.
        rule_id: "" where no rule was recorded.
        id_type: "" where no spec was found.
        reason: The reason without its source: `Recognized`, not `Adapter(DataStore):Recognized`.
        lcut: Time of the payload in ms.
        version: Version of the spec.
        group_name: Experiments and layers only; no engine tells for the other kinds.
        allocated_experiment_name: Layers only.
        secondary_exposures: Experiments and layers only, as (gate, value, rule id) in order.
        is_experiment_active: Experiments and layers only.
    """

    value: bool | dict[str, Any]
    rule_id: str
    id_type: str
    reason: str
    lcut: int | None
    version: int | None
    group_name: str | None = None
    allocated_experiment_name: str | None = None
    secondary_exposures: Secondary = ()
    is_experiment_active: bool = False


def without_source(reason: str) -> str:
    """`Adapter(FastlyKV):Recognized` -> `Recognized`; a reason without an adapter stays as it is."""
    source, colon, rest = reason.partition(":")
    return rest if colon and source.startswith("Adapter(") else reason


def spec_of(payload: dict[str, Any], kind: Kind, name: str) -> dict[str, Any]:
    """The spec a check is about, with the conditions its rules refer to, for failure messages."""
    spec = payload[_TABLES[kind]].get(name)
    if spec is None:
        return {}
    keys = {key for rule in spec["rules"] for key in rule["conditions"]}
    conditions = payload["condition_map"]
    return {**spec, "conditions": {key: conditions.get(key) for key in sorted(keys)}}


@dataclass
class Differences:
    """Compares answers, counts, and keeps the first differences to show.

    Attributes:
        compared: Number of answers compared.
        count: Number of answers that differed.
    """

    compared: int = 0
    count: int = 0
    _shown: list[str] = field(default_factory=list)

    def compare(self, ours: object, theirs: object, context: Callable[[], dict[str, Any]]) -> None:
        """Compares one pair; `context` is called for what to show beside a difference."""
        self.compared += 1
        found = differing(ours, theirs)
        if found:
            self.add(worded(found, context()))

    def add(self, difference: str) -> None:
        """Counts a difference found elsewhere."""
        self.count += 1
        if len(self._shown) < _SHOWN:
            self._shown.append(difference)

    def expect_none(self) -> None:
        """Fails with the first differences if there were any."""
        shown = "\n\n".join(self._shown)
        assert not self.count, f"{self.count} of {self.compared} answers differ, the first:\n{shown}"


def differing(ours: object, theirs: object) -> dict[str, tuple[object, object]]:
    """What two answers, or two JSON values, say differently: both sides, by what it is."""
    if ours == theirs and repr(ours) == repr(theirs):
        return {}
    if not isinstance(ours, Answer) or not isinstance(theirs, Answer):
        return _differing_json(ours, theirs, "answer")
    names = [entry.name for entry in fields(Answer)]
    pairs = {name: (getattr(ours, name), getattr(theirs, name)) for name in names}
    return {name: pair for name, pair in pairs.items() if _text(pair[0]) != _text(pair[1])}


def worded(found: dict[str, tuple[object, object]], context: dict[str, Any]) -> str:
    """The lines to show for a difference."""
    lines = [f"  {name}: ours {one!r}, theirs {other!r}" for name, (one, other) in found.items()]
    lines += [f"  {name}: {_text(value)}" for name, value in context.items() if "\n" not in str(value)]
    lines += [
        f"  {name}:\n{indent(str(value), '    ')}" for name, value in context.items() if "\n" in str(value)
    ]
    return "\n".join(lines)


def _differing_json(ours: Any, theirs: Any, path: str) -> dict[str, tuple[object, object]]:  # noqa: ANN401
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found: dict[str, tuple[object, object]] = {}
        for key in sorted({*ours, *theirs}):
            if key in ours and key in theirs:
                found |= _differing_json(ours[key], theirs[key], f"{path}.{key}")
            else:
                found[f"{path}.{key}"] = (ours.get(key, "(absent)"), theirs.get(key, "(absent)"))
        return found
    return {} if _text(ours) == _text(theirs) else {path: (ours, theirs)}


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON
    """JSON text: unlike `==`, it tells 1, 1.0 and true apart."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=repr)
