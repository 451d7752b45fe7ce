"""Whether a payload can be published, and what somebody should know who does.

In: the JSON text of a payload. Out: `Validation`, or a `PayloadError` where no client could use it.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from statsig_fastly._native import Evaluator
from statsig_fastly.errors import PayloadError
from statsig_fastly.publish.specs import Ref, Specs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Validation", "Warned", "is_usable", "unsupported", "validate", "validated"]

_NEEDS_NO_OPERATOR: Final = frozenset({"public", "pass_gate", "fail_gate"})
_V1_ONLY: Final = frozenset({"multi_pass_gate", "multi_fail_gate"})
# fmt: off
_TYPES: Final = frozenset({
    "user_field", "environment_field", "unit_id", "user_bucket", "current_time", "ip_based", "ua_based",
    "target_app", "experiment_group",
})
_OPERATORS: Final = frozenset({
    "gt", "gte", "lt", "lte",
    "version_gt", "version_gte", "version_lt", "version_lte", "version_eq", "version_neq",
    "any", "none", "any_case_sensitive", "none_case_sensitive",
    "str_starts_with_any", "str_ends_with_any", "str_contains_any", "str_contains_none", "str_matches",
    "before", "after", "on", "eq", "neq", "in_segment_list", "not_in_segment_list",
    "array_contains_any", "array_contains_none", "array_contains_all", "not_array_contains_all",
})
# fmt: on


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that can be published, and is most likely not what was meant.

    Attributes:
        spec: What it is about, as in `gate 'checkout'`; empty for the payload as a whole.
        text: What is the matter.
    """

    spec: str
    text: str

    def __str__(self) -> str:
        return f"{self.spec}: {self.text}" if self.spec else self.text


@dataclass(frozen=True, slots=True)
class Validation:
    """A payload that compiles.

    Attributes:
        body: The payload.
        time: When the project was changed, in ms since the epoch.
        digest: SHA-256 of it, in hex.
        counts: How many specs it has, by entity: `feature_gate`, `segment`, `experiment` and so on.
        warnings: What somebody should look at.
    """

    body: bytes = field(repr=False)
    time: int
    digest: str
    counts: Mapping[str, int]
    warnings: tuple[Warned, ...]


def validate(body: bytes, *, with_id_lists: bool = False) -> Validation:
    """Compiles a payload, and looks for what will not work.

    Args:
        body: JSON text, in either of Statsig's formats.
        with_id_lists: Whether ID lists are there as well, so that nobody has to be told what uses them.

    Raises:
        PayloadError: It does not compile, or it has no specs because it says that nothing is new.
    """
    return validated(body, with_id_lists=with_id_lists)[0]


def validated(body: bytes, *, with_id_lists: bool = False) -> tuple[Validation, Specs]:
    """As `validate`, with the payload opened up, which takes several times its size in memory."""
    evaluator = Evaluator()
    outcome = evaluator._load(body, "Publish")  # noqa: SLF001 - its own package
    if outcome != "applied":
        raise PayloadError(
            "payload: expected config specs, got one that says that nothing is new (has_updates)"
        )
    left_out = [Warned(f"{kind} {name!r}", text) for kind, name, text in evaluator._issues()]  # noqa: SLF001
    del evaluator  # so that the payload is not in memory compiled and opened up at once
    specs = Specs.parse(body)
    warnings = dict.fromkeys(_warnings(specs, with_id_lists=with_id_lists))
    found = Validation(body, specs.time, sha256(body).hexdigest(), _counts(specs), (*left_out, *warnings))
    return found, specs


def is_usable(body: bytes) -> bool:
    """Whether a payload compiles, so that clients can use it."""
    try:
        return Evaluator()._load(body, "Publish") == "applied"  # noqa: SLF001 - its own package
    except PayloadError:
        return False


def unsupported(condition: Mapping[str, Any], *, v1: bool) -> str | None:
    """What of a condition no engine evaluates, in words; None if there is nothing.

    Args:
        condition: As the payload has it.
        v1: Whether the payload has the format in which both are read in any case.
    """
    kind, operator = condition.get("type"), condition.get("operator")
    written = kind, operator
    if v1:
        kind, operator = (each.lower() if isinstance(each, str) else each for each in written)
    if kind in _NEEDS_NO_OPERATOR or (v1 and kind in _V1_ONLY):
        return None
    if kind not in _TYPES:
        return f"a condition of type {_quoted(written[0])} is not supported"
    if operator not in _OPERATORS:
        return f"operator {_quoted(written[1])} of a condition is not supported"
    return None


def _counts(specs: Specs) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for ref in specs.refs():
        spec = specs.spec(ref) or {}
        entity = spec.get("entity")
        counts[entity if isinstance(entity, str) else ref.pool.replace(" ", "_")] += 1
    return dict(sorted(counts.items()))


def _warnings(specs: Specs, *, with_id_lists: bool) -> Iterator[Warned]:
    lists: set[str] = set()
    uses = {ref: specs.uses(ref) for ref in specs.refs()}
    for ref, used in uses.items():
        spec = specs.spec(ref) or {}
        lists |= specs.id_lists(ref)
        for rule in specs.rules(spec):
            where = f"rule {rule.get('id')!r}"
            table = specs.condition_map
            missing = [key for key in specs.condition_keys(rule) if key not in table]
            if missing:
                yield Warned(
                    str(ref), f"{where}: condition {missing[0]!r} does not exist, so the rule decides nothing"
                )
            for condition in specs.conditions(rule):
                if problem := unsupported(condition, v1=specs.is_v1):
                    yield Warned(str(ref), f"{where}: {problem}")
        for use in used:
            if specs.spec(use) is None and use.pool == "gate" and use.name not in specs.mappings:
                yield Warned(str(ref), f"{use} does not exist, and counts as one that nobody passes")
    for circle in _circles(specs, uses):
        yield Warned(str(circle[0]), f"it comes back to itself: {' -> '.join(ref.name for ref in circle)}")
    if lists and not with_id_lists:
        names = ", ".join(sorted(lists)[:5]) + (" …" if len(lists) > 5 else "")  # noqa: PLR2004
        noun = "ID list is" if len(lists) == 1 else "ID lists are"
        yield Warned("", f"{len(lists)} {noun} used ({names}); --id-lists publishes them too")


def _circles(specs: Specs, uses: Mapping[Ref, list[Ref]]) -> Iterator[list[Ref]]:
    """One way round for each knot of specs that refer to one another."""
    done: set[Ref] = set()
    for root in uses:
        # Not recursive: a chain of specs can be longer than Python's stack.
        path: list[Ref] = []
        on_path: set[Ref] = set()
        waiting: list[tuple[Ref, bool]] = [(root, True)]
        while waiting:
            ref, enter = waiting.pop()
            if not enter:
                on_path.discard(path.pop())
                continue
            if ref in on_path:
                yield [*path[path.index(ref) :], ref]
                continue
            if ref in done or specs.spec(ref) is None:
                continue
            done.add(ref)
            path.append(ref)
            on_path.add(ref)
            waiting.append((ref, False))
            waiting += [(use, True) for use in reversed(uses[ref])]


def _quoted(value: object) -> str:
    return json.dumps(value)[:60]
