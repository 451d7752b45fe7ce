"""A payload opened up: its specs by name, whichever format it has, and what each of them refers to.

In: the JSON text of a payload. Out: `Specs`. Whether a payload can be used is for the engine to say; this
reads what it accepts, and leaves alone what it does not understand.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from statsig_fastly.errors import PayloadError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["POOLS", "Pool", "Ref", "Specs", "encoded", "target_apps"]

Pool: TypeAlias = Literal["gate", "config", "layer", "parameter store", "bandit"]

POOLS: Final[dict[Pool, str]] = {
    "gate": "feature_gates",
    "config": "dynamic_configs",
    "layer": "layer_configs",
    "parameter store": "param_stores",
    "bandit": "cmab_configs",
}
"""What the payload calls each kind of spec. Experiments and autotunes are among the configs."""

_V1_LISTS: Final = ("gate", "config", "layer")
_LIST_OPERATORS: Final = frozenset({"in_segment_list", "not_in_segment_list"})
_BEYOND: Final = 10**400
_NEGATIVE_ZERO: Final = re.compile(rb"-0(?![.0-9eE])")
_JSON_SPACE: Final = " \t\r\n"
# Where a parameter of a parameter store gets its value from.
_PARAMETER_SOURCES: Final[dict[str, Pool]] = {
    "gate_name": "gate",
    "config_name": "config",
    "experiment_name": "config",
    "layer_name": "layer",
}


class Ref(NamedTuple):
    """A spec by kind and name."""

    pool: Pool
    name: str

    def __str__(self) -> str:
        return f"{self.pool} {self.name!r}"


@dataclass(frozen=True, slots=True)
class Specs:
    """A payload's specs.

    Attributes:
        data: The whole payload.
        pools: The specs by kind and name.
    """

    data: dict[str, Any] = field(repr=False)
    pools: Mapping[Pool, dict[str, dict[str, Any]]] = field(repr=False)

    @classmethod
    def parse(cls, body: bytes) -> Specs:
        """Reads a payload.

        Args:
            body: JSON text, UTF-8. Bytes after the closing brace are passed over, as SDKs do.

        Raises:
            PayloadError: It is not a JSON object, or the objects or lists of its specs are none.
        """
        try:
            # Python has no -0 among integers; a hook for all of them would take its time.
            hook = _int_or_negative_zero if _NEGATIVE_ZERO.search(body) else None
            data, _ = json.JSONDecoder(parse_int=hook).raw_decode(body.decode().lstrip(_JSON_SPACE))
        except (ValueError, RecursionError) as error:
            raise PayloadError(f"payload: expected a JSON object, got other text ({error})") from None
        if not isinstance(data, dict):
            raise PayloadError(f"payload: expected a JSON object, got {type(data).__name__}")
        return cls.of(data)

    @classmethod
    def of(cls, data: dict[str, Any]) -> Specs:
        """The same for a payload that has been parsed.

        Raises:
            PayloadError: As for `parse`.
        """
        return cls(data, {pool: _pool(data, name) for pool, name in POOLS.items()})

    @property
    def is_v1(self) -> bool:
        """True for the format in which specs are lists and conditions stand in the rules."""
        return isinstance(self.data.get("feature_gates"), list)

    @property
    def time(self) -> int:
        """When the project was changed, in ms since the epoch; 0 if the payload does not say."""
        time = self.data.get("time")
        return time if isinstance(time, int) and not isinstance(time, bool) else 0

    def refs(self) -> Iterator[Ref]:
        """All specs there are."""
        for pool, specs in self.pools.items():
            for name in specs:
                yield Ref(pool, name)

    def spec(self, ref: Ref) -> dict[str, Any] | None:
        """A spec as the payload has it."""
        return self.pools[ref.pool].get(ref.name)

    def rules(self, spec: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rules of a spec."""
        rules = spec.get("rules")
        return [rule for rule in rules if isinstance(rule, dict)] if isinstance(rules, list) else []

    def condition_keys(self, rule: Mapping[str, Any]) -> list[str]:
        """Keys of a rule's conditions; none in v1."""
        found = rule.get("conditions")
        return [key for key in found if isinstance(key, str)] if isinstance(found, list) else []

    def conditions(self, rule: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The conditions of a rule, without those that the payload does not have."""
        found = rule.get("conditions")
        if not isinstance(found, list):
            return []
        table = self.condition_map
        looked_up = (table.get(each) if isinstance(each, str) else each for each in found)
        return [each for each in looked_up if isinstance(each, dict)]

    @property
    def condition_map(self) -> dict[str, Any]:
        """The conditions by key; empty in v1."""
        table = self.data.get("condition_map")
        return table if isinstance(table, dict) else {}

    def uses(self, ref: Ref) -> list[Ref]:
        """What a spec refers to directly, in order, whether it exists or not."""
        spec = self.spec(ref)
        found: list[Ref] = []
        if spec is not None and ref.pool == "parameter store":
            found += self._parameter_sources(spec)
        elif spec is not None and ref.pool == "bandit":
            if isinstance(gate := spec.get("targetingGateName"), str) and gate:
                found.append(Ref("gate", gate))
        elif spec is not None:
            for rule in self.rules(spec):
                found += self.uses_of_rule(rule)
        if ref.pool == "config" and ref.name in self.pools["bandit"]:
            found.append(Ref("bandit", ref.name))
        if ref.pool in _V1_LISTS:
            found += self._mapped(ref)
        return list(dict.fromkeys(found))

    def uses_of_rule(self, rule: Mapping[str, Any]) -> list[Ref]:
        """What a rule refers to: what its conditions ask for, the experiment that decides."""
        found = [use for condition in self.conditions(rule) for use in _uses_of_condition(condition)]
        if isinstance(delegate := rule.get("configDelegate"), str) and delegate:
            # A name without a spec is no delegate, also if there is a bandit of that name.
            found.append(Ref("config", delegate))
        return found

    def id_lists(self, ref: Ref) -> set[str]:
        """The names of the ID lists that the rules of a spec look into, those of its mappings included."""
        mapped = [self.override_rule(rule_name) for _, rule_name in self.mapping_rules(ref.name)]
        rules = [*self.rules(self.spec(ref) or {}), *(rule for rule in mapped if rule is not None)]
        return {
            str(condition.get("targetValue"))
            for rule in rules
            for condition in self.conditions(rule)
            # Older engines read operators in any case.
            if str(condition.get("operator")).lower() in _LIST_OPERATORS
        }

    def closure(self, roots: Iterable[Ref]) -> set[Ref]:
        """What is given and all it needs: specs that exist, and names that lead to others by a mapping."""
        found: set[Ref] = set()
        waiting = list(roots)
        while waiting:
            ref = waiting.pop()
            if ref not in found:
                found.add(ref)
                waiting += self.uses(ref)
        return {ref for ref in found if self.spec(ref) is not None or ref.name in self.mappings}

    @property
    def mappings(self) -> dict[str, Any]:
        """`overrides`: by name, which other spec takes a spec's place for whom."""
        found = self.data.get("overrides")
        return found if isinstance(found, dict) else {}

    def mapping_rules(self, name: str) -> Iterator[tuple[str, str]]:
        """What a name is mapped to, each with the name of the rule that says for whom."""
        for mapping in self.mappings.get(name) or ():
            new_name = mapping.get("new_config_name") if isinstance(mapping, dict) else None
            if isinstance(new_name, str):
                for rule in mapping.get("rules") or ():
                    if isinstance(rule, dict) and isinstance(rule.get("rule_name"), str):
                        yield new_name, rule["rule_name"]

    def override_rule(self, name: str) -> dict[str, Any] | None:
        """A rule of the mappings by name."""
        rules = self.data.get("override_rules")
        rule = rules.get(name) if isinstance(rules, dict) else None
        return rule if isinstance(rule, dict) else None

    def _mapped(self, ref: Ref) -> Iterator[Ref]:
        for new_name, rule_name in self.mapping_rules(ref.name):
            rule = self.override_rule(rule_name)
            if rule is not None:
                yield Ref(ref.pool, new_name)
                yield from self.uses_of_rule(rule)

    def _parameter_sources(self, store: Mapping[str, Any]) -> Iterator[Ref]:
        parameters = store.get("parameters")
        for parameter in parameters.values() if isinstance(parameters, dict) else ():
            if isinstance(parameter, dict) and "value" not in parameter:
                for member, pool in _PARAMETER_SOURCES.items():
                    if isinstance(name := parameter.get(member), str):
                        yield Ref(pool, name)


def target_apps(spec: Mapping[str, Any] | None) -> list[Any]:
    """The apps that a spec belongs to."""
    apps = spec.get("targetAppIDs") if spec else None
    return apps if isinstance(apps, list) else []


def encoded(data: dict[str, Any]) -> bytes:
    """A payload as JSON text, UTF-8."""
    try:
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except ValueError:
        data = _with_written_numbers(data)
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which only an escape can write
        return json.dumps(data, separators=(",", ":")).encode()


def _pool(data: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    found = data.get(name)
    if found is None:
        return {}
    if isinstance(found, list):
        return {
            spec["name"]: spec
            for spec in found
            if isinstance(spec, dict) and isinstance(spec.get("name"), str)
        }
    if isinstance(found, dict):
        return {key: spec for key, spec in found.items() if isinstance(spec, dict)}
    raise PayloadError(f"payload: {name}: expected an object or a list, got {type(found).__name__}")


def _int_or_negative_zero(text: str) -> int | float:
    return -0.0 if text == "-0" else int(text)


def _with_written_numbers(value: Any) -> Any:  # noqa: ANN401 - JSON
    """`value` with numbers beyond every float as integers, which JSON can hold and no reader a float."""
    if isinstance(value, dict):
        return {name: _with_written_numbers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_with_written_numbers(each) for each in value]
    if isinstance(value, float) and value in (inf, -inf):
        return _BEYOND if value > 0 else -_BEYOND
    return value


def _uses_of_condition(condition: Mapping[str, Any]) -> list[Ref]:
    kind, target = condition.get("type"), condition.get("targetValue")
    # Older engines read types in any case, and only v1 has the two with several gates.
    kind = kind.lower() if isinstance(kind, str) else ""
    if kind in {"pass_gate", "fail_gate"} and isinstance(target, str):
        return [Ref("gate", target)]
    if kind in {"multi_pass_gate", "multi_fail_gate"} and isinstance(target, list):
        return [Ref("gate", name) for name in target if isinstance(name, str)]
    if kind == "experiment_group" and isinstance(name := condition.get("field"), str):
        return [Ref("config", name)]
    return []
