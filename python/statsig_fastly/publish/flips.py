"""How many of some users would get another answer from one payload than from another.

In: two payloads and users. Out: `Flips`. Only what can have changed is asked: specs that are another one, and
those that refer to such. Both payloads are compiled, and every user is asked for in both.

An answer is what an application sees: of a gate whether it passes, of a dynamic config its parameters, of an
experiment or a layer the group as well.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from statsig_fastly._native import (
    DynamicConfig,
    Evaluator,
    Experiment,
    Layer,
    StatsigUser,
)
from statsig_fastly.errors import PayloadError
from statsig_fastly.publish.list_lines import changed_lists, use_lines
from statsig_fastly.publish.specs import Pool, Ref, Specs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from statsig_fastly.publish.list_lines import IdLines

__all__ = ["Flips", "SpecFlips", "count_flips"]

AnswerKind: TypeAlias = Literal["gate", "config", "experiment", "layer"]

_EXAMPLES: Final = 5
_WORDS: Final = 60
_PROGRESS_EVERY: Final = 1_000
# What of a payload every check may depend on.
_EVERYWHERE: Final = ("default_environment", "app_id")
# What says nothing about answers, or is written otherwise in the other format.
_FORMAT_ONLY: Final = frozenset(
    {"rules", "conditions", "name", "checksum", "version", "fieldsUsed", "isDeviceBased"}
)
_ASKED: Final[tuple[Pool, ...]] = ("gate", "config", "layer", "bandit")


@dataclass(frozen=True, slots=True)
class SpecFlips:
    """How many users get another answer about one spec.

    Attributes:
        kind: What it is asked for as.
        name: Its name.
        how: `added` if the old payload does not have it, `removed` if the new one does not, else `changed`.
        flipped: How many users.
        share: The same as a share of all users, 0 to 1.
        moves: From what to what, with how many users, the most frequent first.
        examples: Some of these users, by their ids.
    """

    kind: AnswerKind
    name: str
    how: Literal["added", "removed", "changed"]
    flipped: int
    share: float
    moves: tuple[tuple[str, str, int], ...]
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flips:
    """How many users get other answers.

    Attributes:
        users: How many were asked for.
        asked: How many specs were.
        any_flip: How many users get any other answer about what both payloads have.
        specs: What flipped for somebody, the most first.
    """

    users: int
    asked: int
    any_flip: int
    specs: tuple[SpecFlips, ...]

    @property
    def worst(self) -> SpecFlips | None:
        """Where most users flip. What is new does not count: nobody can have had another answer."""
        return next((spec for spec in self.specs if spec.how != "added"), None)


def count_flips(
    old: bytes,
    new: bytes,
    users: Sequence[StatsigUser | str | Mapping[str, Any]],
    *,
    environment: str | None = None,
    old_lists: IdLines | None = None,
    new_lists: IdLines | None = None,
    progress: Callable[[int], object] | None = None,
) -> Flips:
    """Asks for every user with both payloads.

    Args:
        old: The payload in use.
        new: The one that is to take its place.
        users: Whom to ask for: users, user ids, or mappings with the names of the payload.
        environment: Tier to check with, as in `StatsigOptions`.
        old_lists: ID lists for the old payload, as `read_lines` reads them; None for none.
        new_lists: The same for the new one.
        progress: Called with how many users are done.

    Raises:
        PayloadError: A payload does not compile.
        AdapterError: An ID list is none.
        TypeError: A user is none.
    """
    old_lists, new_lists = old_lists or {}, new_lists or {}
    before = _evaluator("old", old, environment, old_lists)
    after = _evaluator("new", new, environment, new_lists)
    asked = _asked(Specs.parse(old), Specs.parse(new), changed_lists(old_lists, new_lists))
    tallies = [_Tally(kind, name, how, before, after) for kind, name, how in asked]
    any_flip = 0
    for number, given in enumerate(users, 1):
        user = _user(given)
        # All of them, so no generator: every tally is to hear of every user.
        flipped = [tally.ask(user) and tally.how != "added" for tally in tallies]
        any_flip += any(flipped)
        if progress is not None and number % _PROGRESS_EVERY == 0:
            progress(number)
    found = [tally.result(len(users)) for tally in tallies if tally.flipped]
    found.sort(key=lambda spec: (-spec.flipped, spec.kind, spec.name))
    return Flips(len(users), len(asked), any_flip, tuple(found))


def _evaluator(which: str, body: bytes, environment: str | None, lists: IdLines) -> Evaluator:
    evaluator = Evaluator(environment)
    try:
        evaluator._load(body, "Publish")  # noqa: SLF001 - its own package
    except PayloadError as error:
        raise PayloadError(f"the {which} payload: {error}") from None
    use_lines(evaluator, lists)
    return evaluator


def _user(given: StatsigUser | str | Mapping[str, Any]) -> StatsigUser:
    if isinstance(given, StatsigUser):
        return given
    if isinstance(given, str):
        return StatsigUser(given)
    from statsig_fastly.publish.users import user_of

    return user_of(given)


def _asked(
    old: Specs, new: Specs, lists: set[str]
) -> list[tuple[AnswerKind, str, Literal["added", "removed", "changed"]]]:
    """What can have changed, as kind, name and how."""
    everything = any(old.data.get(name) != new.data.get(name) for name in _EVERYWHERE)
    differs = _differing(old, new, lists)
    found: dict[tuple[AnswerKind, str], Literal["added", "removed", "changed"]] = {}
    for ref in dict.fromkeys((*old.refs(), *new.refs())):
        if ref.pool not in _ASKED:
            continue
        before, after = (specs.spec(ref) is not None for specs in (old, new))
        if everything or ref in differs:
            kind = _kind(ref, new.spec(ref) or old.spec(ref) or {})
            found[kind, ref.name] = "changed" if before and after else "added" if after else "removed"
    return [(kind, name, how) for (kind, name), how in found.items()]


def _kind(ref: Ref, spec: Mapping[str, Any]) -> AnswerKind:
    if ref.pool == "gate":
        return "gate"
    if ref.pool == "layer":
        return "layer"
    return "config" if ref.pool == "config" and spec.get("entity") == "dynamic_config" else "experiment"


def _differing(old: Specs, new: Specs, lists: set[str]) -> set[Ref]:
    """Specs whose definition or one of whose ID lists is another one, or that lead to one whose is."""
    refs = {*old.refs(), *new.refs()}
    refs |= {Ref(pool, name) for specs in (old, new) for name in specs.mappings for pool in _ASKED}
    users: dict[Ref, set[Ref]] = {}
    for specs in (old, new):
        for ref in refs:
            for use in specs.uses(ref):
                users.setdefault(use, set()).add(ref)
    waiting = [
        ref
        for ref in refs
        if _definition(old, ref) != _definition(new, ref)
        or any(specs.id_lists(ref) & lists for specs in (old, new) if lists)
    ]
    found: set[Ref] = set()
    while waiting:
        ref = waiting.pop()
        if ref not in found:
            found.add(ref)
            waiting += users.get(ref, ())
    return found


def _definition(specs: Specs, ref: Ref) -> str:
    """All that is written about a spec, its conditions and mappings with it, as JSON."""
    spec = specs.spec(ref)
    mapped = [
        (new_name, rule := specs.override_rule(rule_name), rule and specs.conditions(rule))
        for new_name, rule_name in specs.mapping_rules(ref.name)
    ]
    asked = [
        {**_essence(rule), "conditions": [_essence(condition) for condition in specs.conditions(rule)]}
        for rule in specs.rules(spec or {})
    ]
    # Text, because Python takes 1, 1.0 and true for the same.
    return json.dumps(
        [spec is None, _essence(spec or {}), asked, specs.mappings.get(ref.name), mapped], sort_keys=True
    )


def _essence(part: Mapping[str, Any]) -> dict[str, Any]:
    """What a spec, rule or condition says, in the same way in both formats."""
    found = {name: value for name, value in part.items() if value is not None and name not in _FORMAT_ONLY}
    if isinstance(found.get("targetValue"), dict):  # of which only the names count
        found["targetValue"] = [*found["targetValue"]]
    return found


class _Tally:
    """The answers to one question."""

    def __init__(
        self,
        kind: AnswerKind,
        name: str,
        how: Literal["added", "removed", "changed"],
        old: Evaluator,
        new: Evaluator,
    ) -> None:
        self.kind: AnswerKind = kind
        self.name = name
        self.how: Literal["added", "removed", "changed"] = how
        self.flipped = 0
        self._examples: list[str] = []
        self._moves: dict[tuple[str, str], int] = {}
        self._old, self._new = _question(kind, old), _question(kind, new)

    def ask(self, user: StatsigUser) -> bool:
        """Asks both, and says whether the answers differ."""
        before, after = self._old(user, self.name), self._new(user, self.name)
        if _is_same(before, after):
            return False
        self.flipped += 1
        if len(self._examples) < _EXAMPLES:
            self._examples.append(user.user_id)
        move = (_in_words(before), _in_words(after))
        self._moves[move] = self._moves.get(move, 0) + 1
        return True

    def result(self, users: int) -> SpecFlips:
        """What it came to."""
        moves = sorted(self._moves.items(), key=lambda move: (-move[1], move[0]))
        return SpecFlips(
            self.kind,
            self.name,
            self.how,
            self.flipped,
            self.flipped / users,
            tuple((before, after, count) for (before, after), count in moves[:_EXAMPLES]),
            tuple(self._examples),
        )


_Result: TypeAlias = "DynamicConfig | Experiment | Layer | bool"


def _question(kind: AnswerKind, evaluator: Evaluator) -> Callable[[StatsigUser, str], _Result]:
    if kind == "gate":
        return evaluator.check_gate
    if kind == "config":
        return evaluator.get_dynamic_config
    return evaluator.get_experiment if kind == "experiment" else evaluator.get_layer


def _is_same(before: _Result, after: _Result) -> bool:
    """Whether an application sees the same."""
    if isinstance(before, bool) or isinstance(after, bool):
        return before is after
    if _group(before) != _group(after):
        return False
    # Text, because Python takes 1, 1.0 and true for equal.
    old, new = before.get_value(), after.get_value()
    if repr(old) == repr(new):
        return True
    return json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)


def _group(result: DynamicConfig | Experiment | Layer) -> str | None:
    return None if isinstance(result, DynamicConfig) else result.group_name


def _in_words(result: _Result) -> str:
    if isinstance(result, bool):
        return "passes" if result else "fails"
    if (group := _group(result)) is not None:
        return f"group {group!r}"
    words = json.dumps(result.get_value(), ensure_ascii=False)
    return words if len(words) <= _WORDS else f"{words[: _WORDS - 3]}..."
