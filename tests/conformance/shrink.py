"""Makes a difference small: leaves out whatever the engines also differ without.

Delta debugging over the payload and the user: members of objects and elements of arrays are taken away
in halves, quarters and so on down to single ones, part after part, until nothing more can go or the steps
are used up. What is left has to differ in something the whole differed in, too, and for the reason the
official core gave then, so that one difference does not turn into another.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from answers import differing
from conformance.engines import Engines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.case import Case, Question

__all__ = ["shrunk"]

_STEPS: Final = 600  # each starts both engines once
_TABLES: Final = ("feature_gates", "dynamic_configs", "layer_configs")
# Members whose absence is a fault of its own.
_REQUIRED: Final = {
    "payload": {*_TABLES, "condition_map", "experiment_to_layer", "has_updates", "time"},
    "spec": {"type", "salt", "enabled", "defaultValue", "rules", "idType", "entity"},
    "rule": {"name", "id", "passPercentage", "conditions", "returnValue", "idType"},
    "condition": {"type", "idType", "targetValue"},
}

_Path = tuple[Any, ...]


def shrunk(case: Case, question: Question, user: dict[str, Any]) -> Case:
    """The smallest case found with this one question that still differs; its user and payload are copies."""
    small = replace(case, questions=(question,), users=(user,))
    wanted, reason = _difference(small)
    if not wanted:  # it takes the questions before it
        return small
    steps = iter(range(_STEPS))

    def still(candidate: Case) -> bool:
        found, found_reason = _difference(candidate)
        return reason == found_reason and bool(wanted & found)

    for name in ("environment", "global_custom_fields"):
        if getattr(small, name) and next(steps, None) is not None:
            without = _with(small, **{name: None})
            small = without if still(without) else small
    parts = {"payload": small.payload, "user": user, "overrides": list(small.overrides)}
    return _with(small, **_smaller(parts, lambda changed: still(_with(small, **changed)), steps))


def _with(case: Case, **parts: Any) -> Case:  # noqa: ANN401 - parts of a case, and its one user
    if "user" in parts:
        parts["users"] = (parts.pop("user"),)
    return replace(case, **parts)


def _difference(case: Case) -> tuple[set[str], str]:
    """What differs, and the reason of the official core's answer, if that is one with a reason."""
    (question,), (user,) = case.questions, case.users
    try:
        with Engines(case) as engines:
            ours, theirs = engines.ask(question, user)
    except Exception:  # noqa: BLE001 - a case the reference cannot take shows no difference
        return set(), ""
    return set(differing(ours, theirs)), getattr(theirs, "reason", "")


def _smaller(
    document: dict[str, Any], differs: Callable[[dict[str, Any]], bool], steps: Iterator[int]
) -> dict[str, Any]:
    changed = True
    while changed:
        changed = False
        for path in list(_containers(document, ())):
            try:
                container = _at(document, path)
            except (KeyError, IndexError, TypeError):
                continue  # went with something larger
            if not isinstance(container, (dict, list)):
                continue
            share = len(container)
            while share >= 1:
                for start in range(0, len(container), share):
                    keys = [key for key in _keys(container)[start : start + share] if _may_go(path, key)]
                    if not keys:
                        continue
                    if next(steps, None) is None:
                        return document
                    candidate = _without(document, path, keys)
                    if differs(candidate):
                        document, changed = candidate, True
                        container = _at(document, path)
                        break
                else:
                    share //= 2
    return document


def _containers(value: Any, path: _Path) -> Iterator[_Path]:  # noqa: ANN401 - JSON
    """Paths of all objects and arrays, outer ones first."""
    level: list[tuple[_Path, Any]] = [(path, value)]
    while level:
        yield from (path for path, _ in level)
        level = [
            ((*path, key), held[key])
            for path, held in level
            for key in _keys(held)
            if isinstance(held[key], (dict, list)) and held[key]
        ]


def _keys(container: dict[str, Any] | list[Any]) -> list[Any]:
    return list(container) if isinstance(container, dict) else list(range(len(container)))


def _may_go(path: _Path, key: object) -> bool:
    """False for what a payload cannot be without."""
    match path:
        case ():
            return False
        case ("payload", "cmab_configs", _, *_):
            return False  # with fewer weights the official core takes a group at random
        case ("payload",):
            part = "payload"
        case ("payload", "condition_map", _):
            part = "condition"
        case ("payload", table, _) if table in _TABLES:
            part = "spec"
        case ("payload", table, _, "rules", _) if table in _TABLES:
            part = "rule"
        case _:
            return True
    return key not in _REQUIRED[part]


def _at(document: Any, path: _Path) -> Any:  # noqa: ANN401 - JSON
    for key in path:
        document = document[key]
    return document


def _without(document: Any, path: _Path, keys: list[Any]) -> Any:  # noqa: ANN401 - JSON
    """A copy of a document without some members of what is at a path."""
    if path:
        first, *rest = path
        changed = document.copy()
        changed[first] = _without(document[first], tuple(rest), keys)
        return changed
    if isinstance(document, dict):
        return {key: value for key, value in document.items() if key not in keys}
    return [value for index, value in enumerate(document) if index not in keys]
