"""What is in a payload: how much of what, what it looks at about users, what is large, what will not work.

In: a payload that compiles. Out: `Inspection`.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, get_args

from statsig_fastly.publish.specs import encoded, target_apps
from statsig_fastly.publish.validation import validated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from statsig_fastly.publish.specs import Specs

__all__ = ["Inspection", "SpecSize", "inspect_payload"]

_LARGEST: Final = 10


@dataclass(frozen=True, slots=True)
class SpecSize:
    """A spec and how many bytes of JSON it takes, its conditions included."""

    kind: str
    name: str
    size: int
    rules: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is in a payload.

    Attributes:
        format: `v1` or `v2`.
        time: When the project was changed, in ms since the epoch.
        digest: SHA-256 of it, in hex.
        size: Bytes of it.
        compressed: Bytes of it by compression, for those that are installed.
        counts: Specs by entity.
        rules: How many rules there are.
        conditions: How many conditions the rules have together.
        condition_types: The same by type.
        operators: The same by operator.
        user_fields: What is looked at about users, with how many conditions look at it.
        unit_ids: By which ids users are divided, with how many rules do it.
        id_lists: ID lists that are used.
        target_apps: Apps that specs belong to, with how many do.
        largest: The specs that take most.
        warnings: What somebody should look at.
    """

    format: str
    time: int
    digest: str
    size: int
    compressed: Mapping[str, int]
    counts: Mapping[str, int]
    rules: int
    conditions: int
    condition_types: Mapping[str, int]
    operators: Mapping[str, int]
    user_fields: Mapping[str, int]
    unit_ids: Mapping[str, int]
    id_lists: tuple[str, ...]
    target_apps: Mapping[str, int]
    largest: tuple[SpecSize, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON data."""
        return asdict(self)


def inspect_payload(body: bytes) -> Inspection:
    """Looks through a payload.

    Raises:
        PayloadError: It does not compile.
    """
    valid, specs = validated(body)
    rules = [rule for ref in specs.refs() for rule in specs.rules(specs.spec(ref) or {})]
    conditions = [condition for rule in rules for condition in specs.conditions(rule)]
    lists = {name for ref in specs.refs() for name in specs.id_lists(ref)}
    apps = Counter(str(app) for ref in specs.refs() for app in target_apps(specs.spec(ref)))
    return Inspection(
        format="v1" if specs.is_v1 else "v2",
        time=valid.time,
        digest=valid.digest,
        size=len(body),
        compressed=_compressed(body),
        counts=valid.counts,
        rules=len(rules),
        conditions=len(conditions),
        condition_types=_most(Counter(str(each.get("type")) for each in conditions)),
        operators=_most(Counter(str(each["operator"]) for each in conditions if each.get("operator"))),
        user_fields=_most(Counter(field for each in conditions for field in _fields(each))),
        unit_ids=_most(Counter(str(rule.get("idType")) for rule in rules)),
        id_lists=tuple(sorted(lists)),
        target_apps=_most(apps),
        largest=tuple(_largest(specs)),
        warnings=tuple(map(str, valid.warnings)),
    )


def _most(counts: Counter[str]) -> dict[str, int]:
    """The most frequent first."""
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


def _fields(condition: Mapping[str, Any]) -> Iterator[str]:
    kind, field = condition.get("type"), condition.get("field")
    if kind == "user_field" and isinstance(field, str):
        yield field
    elif kind in {"ip_based", "ua_based", "environment_field"}:
        yield f"{field} ({kind})"
    elif kind in {"unit_id", "user_bucket"}:
        yield str(condition.get("idType"))


def _compressed(body: bytes) -> dict[str, int]:
    from statsig_fastly.publish.encoding import Compression, compressed

    found = {}
    for how in get_args(Compression):
        with suppress(ValueError):  # what it takes is not installed
            found[how] = len(compressed(body, how))
    del found["plain"]
    return found


def _largest(specs: Specs) -> list[SpecSize]:
    found = []
    for ref in specs.refs():
        spec = specs.spec(ref) or {}
        rules = specs.rules(spec)
        conditions = [] if specs.is_v1 else [specs.conditions(rule) for rule in rules]
        size = len(encoded({"spec": spec, "conditions": conditions})) - len('{"spec":,"conditions":[]}')
        found.append(SpecSize(ref.pool, ref.name, size, len(rules)))
    return sorted(found, key=lambda each: (-each.size, each.kind, each.name))[:_LARGEST]
