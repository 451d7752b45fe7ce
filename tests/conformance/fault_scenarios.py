"""Scenarios of faults: every part of a payload, one after the other, missing or of a wrong type.

Where the random generator spoils a member here and there, this takes them all, one payload each.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Final

from conformance.build import PUBLIC, condition, config, gate, layer, payload, rule
from conformance.case import Case, Question, raw_number
from conformance.faults import PARTS, broken_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["fault_cases"]

# One of each type, and the number that is none to this parser.
_WRONG: Final[tuple[Any, ...]] = (None, True, 1.5, "x", [], ["a", None], {}, {"a": 5}, raw_number("1e400"))
_ABSENT: Final = object()

_USER: Final = {"userID": "u", "custom": {"f": "a"}}
_QUESTIONS: Final = (
    Question("gate", "g0"),
    Question("experiment", "c"),
    Question("layer", "l"),
    Question("explained", "c", ("experiment",)),
    Question("store", "x", ("p", "get_integer", 9)),
    Question("client_response", "", ("none", None, None)),
)
_TEXTS: Final = (
    "", " ", "\n", "null", "true", "false", "truth", "5", "-5.5e3x", '"text"', "[]", "[1]", "{", "{}", "}",
    "<!doctype html>", "not json", "é", "\ufeff{}", '{"has_updates"', '{"has_updates":',
    '{"has_updates":true',
    '{"has_updates":true}', '{"has_updates":false}', '{"has_updates":null}', '{"has_updates":1}',
)  # fmt: skip


def fault_cases() -> Iterator[Case]:
    """Every part of a small payload that has everything, with each fault."""
    for text in _TEXTS:
        yield _case(f"text {text!r}", text)
    whole = _whole()
    written = json.dumps(whole)
    for number, text in enumerate(broken_texts(written, len(written) // 2)):
        yield _case(f"broken text {number}", text)
    for path in _paths(whole):
        for wrong in (_ABSENT, *_WRONG):
            shown = "nothing" if wrong is _ABSENT else json.dumps(wrong)
            yield _case(f"{shown} at {'.'.join(map(str, path))}", _spoilt(whole, path, wrong))


def _whole() -> dict[str, Any]:
    """A payload with one of everything."""
    target = condition(
        "user_field", "any", ["a", "b"], field="f", additionalValues={"salt": "s"}, checksum="c"
    )
    parts = copy.deepcopy(PARTS)
    return {
        **payload(),
        **parts,
        "feature_gates": {"g0": gate([rule("r", ["p0"], samplingRate=1)], fieldsUsed=["f"])},
        "dynamic_configs": {
            "c": config(
                [rule("r", ["field"], {"a": [1, {"b": None}]}, groupName="G", isExperimentGroup=True)],
                entity="experiment", isActive=True, hasSharedParams=True, explicitParameters=["a"], version=3,
                targetAppIDs=["a"], forwardAllExposures=False, checksum="c",
            )
        },
        "layer_configs": {"l": layer([rule("r", ["p0"], {}, configDelegate="c")], useNewLayerEval=True)},
        "condition_map": {"p0": PUBLIC, "field": target},
    }  # fmt: skip


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    """Where there is anything in it, but not inside of values of rules."""
    if path:
        yield path
    if path[-1:] in (("returnValue",), ("defaultValue",)):
        return
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield from _paths(value[key], (*path, key))


def _spoilt(value: Any, path: tuple[Any, ...], wrong: Any) -> Any:  # noqa: ANN401 - JSON
    """A copy with this in that place."""
    if not path:
        return wrong
    key, *rest = path
    changed = copy.copy(value)
    part = _spoilt(value[key], tuple(rest), wrong)
    if part is _ABSENT:
        del changed[key]
    else:
        changed[key] = part
    return changed


def _case(label: str, document: dict[str, Any] | str) -> Case:
    return Case(f"scenario: {label}", document, [_USER], _QUESTIONS)
