"""Python values as attributes that the official core reads as something else; see docs/compatibility.md."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any, Final

import pytest

from conformance import build
from engine_under_test import our_answer, our_engine
from reference import Reference

TESTS: Final[dict[str, tuple[str, Any]]] = {
    "is null": ("eq", None),
    "is empty text": ("eq", ""),
    "is a list": ("array_contains_none", ["nothing"]),
    "has an a": ("str_contains_any", ["a"]),
    "has a bracket": ("str_contains_any", ["["]),
    "has text": ("str_matches", "."),
    "is large": ("gt", 1e300),
    "is small": ("lt", -1e300),
}
PAYLOAD: Final = json.dumps(
    build.payload(
        {name: build.only(name) for name in TESTS},
        conditions={
            name: build.condition("user_field", operator, target, field="f")
            for name, (operator, target) in TESTS.items()
        },
    )
).encode()


def seen(engine: Any, own: dict[str, Any], shared: dict[str, Any] | None = None) -> set[str]:  # noqa: ANN401
    """The conditions that hold of the field `f`."""
    user = {"userID": "u", "custom": own}
    with engine(PAYLOAD, None, shared) as asked:
        if engine is Reference:
            return {name for name in TESTS if asked.check("gate", name, user).value}
        return {name for name in TESTS if our_answer(asked, "gate", name, user).value}


@pytest.mark.parametrize(
    ("given", "to_the_core"),
    [
        (None, ""),
        ([["a"]], ""),
        ([{"a": 1}], ""),
        (["a", {"b": 1}, 2], ""),
        (float("inf"), None),
        (float("-inf"), None),
        (float("nan"), None),
    ],
)
def test_global_custom_fields_are_read_as_attributes_of_a_user(given: object, to_the_core: object) -> None:
    ours = seen(our_engine, {}, {"f": given})
    assert ours == seen(our_engine, {"f": given}) == seen(Reference, {"f": given})
    assert seen(Reference, {}, {"f": given}) == seen(Reference, {"f": to_the_core}) != ours


@pytest.mark.parametrize(
    "given", [("a", "b"), [("a",)], MappingProxyType({"a": 1}), [MappingProxyType({"a": 1})]]
)
def test_tuples_are_lists_and_all_mappings_are_dicts(given: object) -> None:
    ours = seen(our_engine, {"f": given})
    plain = json.loads(json.dumps(given, default=dict))
    assert ours == seen(Reference, {"f": plain})
    nothing = [None] if isinstance(given, list) else None
    assert seen(Reference, {"f": given}) == seen(Reference, {"f": nothing}) != ours
