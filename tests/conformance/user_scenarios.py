"""Scenarios of users: ID lists they are on by a file, floats JSON cannot hold, users that are the same."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, Final

from conformance.build import condition, only, payload
from conformance.case import Case, Question
from random_id_lists import LISTED, random_changes
from statsig_fastly.sample_users import Dice

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["user_cases"]

_FILES: Final = 40
_ODD_FLOATS: Final = (float("inf"), float("-inf"), float("nan"))


def user_cases() -> Iterator[Case]:
    """The scenarios of users."""
    yield _list_files()
    yield _odd_floats()
    yield _same_users()


def _list_files() -> Case:
    """Lists whose files are read in parts, taken away and read again."""
    dice = Dice(48)
    files: dict[str, list[bytes | None]] = {
        f"list {number}": random_changes(dice) for number in range(_FILES)
    }
    files |= {"page": [b"<!doctype html>\n+ypeBEsob\n"], "taken away": [b"+ypeBEsob\n", None]}
    files |= {"not UTF-8": [b"\xff+ypeBEsob\n"], "not UTF-8 later": [b"+ypeBEsob\n\xff\n", b"+PiPoFgA5\n"]}
    conditions = {
        f"{operator} {name}": condition("user_field", operator, name, field="f")
        for name in (*files, "no such list")
        for operator in ("in_segment_list", "not_in_segment_list")
    }
    users = [
        {"custom": {"f": value}} for value in (*LISTED, 0, 5, 5.0, 2**53 + 1, True, ["a"], {"a": 1}, None)
    ]
    return _case("files of ID lists", conditions, users, id_list_files=files)


def _odd_floats() -> Case:
    """Infinities and what is no number, wherever a user may have a float."""
    texts = ("0", "inf", "NaN", "9223372036854776000", "-9223372036854776000")
    asked: tuple[tuple[str, Any], ...] = (
        *product(("gt", "lte", "eq", "after", "before"), (0, 2**63 - 1)),
        *(("any", [text]) for text in (*texts, *(f"[{text}]" for text in ("0", "null", 2**63 - 1)))),
        *(("version_gte", text) for text in texts),
        ("eq", None), ("eq", ["0"]), ("eq", {"a": 0}), ("str_matches", "^-?[0-9]+$"),
        ("array_contains_any", list(texts)), ("in_segment_list", "a"),
    )  # fmt: skip
    conditions = {f"{operator} {target}": condition("user_field", operator, target, field="f")
        for operator, target in asked}  # fmt: skip
    conditions |= {
        f"unit {text}": {**condition("unit_id", "any", [text]), "idType": "unit"} for text in texts
    }
    users: list[dict[str, Any]] = [
        {part: {"f": held}}
        for number in _ODD_FLOATS
        for held in (number, [number, 1], {"a": number})
        for part in ("custom", "privateAttributes")
    ]
    users += [{"customIDs": {"unit": number}} for number in _ODD_FLOATS]
    return _case("odd floats", conditions, users, [Question("client_response", "", ("none", None, None))])


def _same_users() -> Case:
    """Users compared with each other: the same if all they hold is."""
    values: tuple[Any, ...] = (
        None, True, False, 1, 0, 1.0, 0.0, -0.0, 1.5, "1", "", "a", [], [1], [1.0], ["1"], [1, 2], [2, 1],
        [True], [None], {}, {"a": 1}, {"a": 1.0}, {"a": 1, "b": "x"}, {"b": "x", "a": 1}, {"a": None},
        {"a": {"b": [1]}}, {"a": {"b": [1.0]}}, {"b": 1},
    )  # fmt: skip
    users: list[dict[str, Any]] = [{"userID": "u", "custom": {"f": value}} for value in values]
    users += [{"userID": "u", "privateAttributes": {"f": value}} for value in values[:8]]
    users += [{"userID": "u", "custom": {"attribute one": 1, "attribute two": 2}}]
    users += [{"userID": "u", "custom": {"attribute two": 2, "attribute one": 1}}]
    users += [{"userID": "u", "custom": {}}, {"userID": "u", "custom": {"f": 1, "g": 1}}]
    users += [{"userID": text, "customIDs": {"a": other}} for text, other in product(("u", "v"), repeat=2)]
    users += [{"userID": "u", "statsigEnvironment": {"tier": tier}} for tier in ("dev", "prod")]
    for field in ("email", "ip", "userAgent", "country", "locale", "appVersion"):
        users += [{"userID": "u", field: text} for text in ("a", "b")]
    questions = [Question("same_user", "", (user,)) for user in (*users, {"userID": "u"})]
    return Case("scenario: same users", payload(), users, questions)


def _case(
    label: str,
    conditions: dict[str, dict[str, Any]],
    users: list[dict[str, Any]],
    questions: list[Question] | None = None,
    **more: Any,  # noqa: ANN401 - members of the case
) -> Case:
    """A case with a gate for each condition."""
    document = payload({key: only(key) for key in conditions}, conditions=conditions)
    asked = [Question("gate", key) for key in conditions]
    asked += [Question("explained", key, ("gate",)) for key in conditions]
    return Case(f"scenario: {label}", document, users, [*asked, *(questions or ())], **more)
