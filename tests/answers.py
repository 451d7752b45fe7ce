"""What two engines said about the same checks, and where they differ.

`Answer` is one result in the terms every engine has: this package (`engine_under_test`), the official
core (`reference`), recorded results. `Differences` compares them and words the failure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Answer", "Differences", "Kind", "Secondary", "spec_of", "without_source"]

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
        is_experiment_active: Experiments only.
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

    def compare(self, ours: Answer, theirs: Answer, context: Callable[[], dict[str, Any]]) -> None:
        """Compares one pair; `context` is called for what to show beside a difference."""
        self.compared += 1
        if ours == theirs and (ours.value is theirs.value or _text(ours.value) == _text(theirs.value)):
            return
        names = [entry.name for entry in fields(Answer)]
        if theirs.reason.startswith("Error:"):  # nothing else is told about an evaluation that failed
            names = ["value", "rule_id", "reason"]
        pairs = {name: (getattr(ours, name), getattr(theirs, name)) for name in names}
        differing = {name: pair for name, pair in pairs.items() if _text(pair[0]) != _text(pair[1])}
        if differing:
            lines = [f"  {name}: ours {one!r}, theirs {other!r}" for name, (one, other) in differing.items()]
            lines += [f"  {name}: {_text(value)}" for name, value in context().items()]
            self.add("\n".join(lines))

    def add(self, difference: str) -> None:
        """Counts a difference found elsewhere."""
        self.count += 1
        if len(self._shown) < _SHOWN:
            self._shown.append(difference)

    def expect_none(self) -> None:
        """Fails with the first differences if there were any."""
        shown = "\n\n".join(self._shown)
        assert not self.count, f"{self.count} of {self.compared} answers differ, the first:\n{shown}"


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON
    """JSON text: unlike `==`, it tells 1, 1.0 and true apart."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=repr)
