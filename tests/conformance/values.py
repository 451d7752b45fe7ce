"""Odd values for random tests: seeded dice in, user values and condition targets out.

Users and targets draw from the same small pools, so that conditions are true about as often as
false. Each pool is one kind of thing an operator may look for, with its awkward neighbours: other
cases, other types with the same text, near misses of a syntax.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from statsig_fastly.sample_specs import Json
    from statsig_fastly.sample_users import Dice

__all__ = ["FAMILIES", "REGEXES", "Values", "element_text"]

TEXTS: Final = (
    "", "a", "A", "abc", "ABC", "abcdef", "bc", "Hello World", "hello world", "é", "É", "stra\u00dfe",
    "STRASSE", "\u0130", "i\u0307", "\u03a3\u03a3", "\u03c3\u03c2", "\u212a", "k", "中文", "\U0001f600", " a",
    "a ", "a\nb", "null", "true", "True", "false", "1", "1.0", "12.5", '["a"]', '["a","b"]', "[]", "{}",
    "user-1", "x@Example.com", "\u0000",
)  # fmt: skip
# -(2**63) is missing: `on` panics in the reference at the smallest 64-bit integer.
NUMBERS: Final = (
    0, 1, -1, 2, 5, 10, 42, 999, 1000, 1.0, 1.5, -2.5, 12.5, 0.1, -0.0, 1e21, 1e-7, 2**31, 2**53, 2**53+1,
    2**63-1, 2**63, 2**64, -(2**63)+1, 1e300,
)  # fmt: skip
NUMERIC_TEXTS: Final = (
    "0", "1", "1.0", "-1", "+5", "5.", ".5", "1e3", "1E3", "1e-7", "inf", "-Infinity", "NaN", " 2 ", "0x10",
    "1_000", "1,000", "12abc", "\u0661", "", "-", "9007199254740993", "9223372036854775808", "1e400",
)  # fmt: skip
VERSIONS: Final = (
    "1", "1.2", "1.2.0", "1.2.3", "1.10", "1.9", "2", "2.0.0-beta", "1.2.3-rc.1", "1.2.3+build", "v1.2",
    "1..2", "1.2.", ".1", "", "-1", "1.x", "2.x.9", " 1.2 ", "1. 2", "+1.2", "01.02", "1.2.3.4.5",
    "99999999999999999999", "170141183460469231731687303715884105728", "0", "--", "1_0", "1.2.3.Final",
)  # fmt: skip
TIMES: Final[tuple[float | str, ...]] = (
    0, -1, -1000, 1, 1_672_531_200, 1_672_531_200_000, 1_672_531_199_999, 1_672_617_600_000, 9_999_999_999,
    10_000_000_000, -9_999_999_999, 1_672_531_200_000.0, 1_672_531_200.5, "1672531200", "1672531200000",
    "+1672531200000", "1672531200000.0", "2023-01-01T00:00:00Z", "2023-01-01T00:00:00.000Z",
    "2023-01-01T00:00:00.5Z", "2023-01-01T01:00:00+01:00", "2023-01-01 00:00:00", "2023-1-1 0:0:0",
    "2023-01-01 00:00:00 ", " 2023-01-01 00:00:00", "2023-01-01", "2023-01-01T00:00:00",
    "2023-01-01t00:00:00z", "2022-12-31T23:59:60Z", "2023-02-30T00:00:00Z", "2023-01-01T24:00:00Z",
    "2023-01-01T00:00Z", "Sun, 01 Jan 2023 00:00:00 GMT", "1.6725312e12", "",
    2**63, 1e21,
)  # fmt: skip
# Every pattern is cheap on the texts above in any engine; some are invalid in the reference's dialect.
REGEXES: Final = (
    "", "a", "^a", "a$", "^$", ".*", "(?i)HELLO", "hello", "^[a-z]+$", r"^\w$", r"^\d+$", r"\bworld\b",
    "(ab)?c", "(?<=a)b", "(?<!a)b", "(?=x)", r"(a)\1", "(?P<n>b)c", r"(?<n>b)(?P=n)?", "a++b", "(?>a+)",
    r"\p{L}", r"\p{Han}", "[[:alpha:]]", "[a-z&&[^b]]", r"\Aabc\z", r"abc\Z", r"(?m)^b", "(?s)a.b", "a.b",
    r"\x41", r"\u0041", r"\101", r"\Qa\E", r"\h", "a{,2}", "a**", "[", "(", ")", "*a", "+", "[z-a]", "{",
    "a}b", "a|", r"@example\.com$", "(?x) a b c # x", "null", r"^\[", "true|false", r"a\nb", "^.$",
)  # fmt: skip

_POOLS: Final[dict[str, tuple[Json, ...]]] = {
    "text": TEXTS,
    "number": (*NUMBERS, *NUMERIC_TEXTS),
    "version": (*VERSIONS, 1, 1.2, 2, 1.0),
    "time": TIMES,
    "mixed": (None, True, False, *TEXTS, *NUMBERS, *NUMERIC_TEXTS, *VERSIONS),
}

_NESTED: Final[tuple[Json, ...]] = ([1, 2.5], ["a", [None]], {"a": 1}, [], {}, {"é": {"b": ["x"]}})

FAMILIES: Final = ("text", "number", "version", "time", "list", "object", "bool", "mixed")


class Values:
    """Values of one random case.

    Each family is narrowed to a few values first, or two of them would hardly ever meet.

    Args:
        dice: What decides.
    """

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._usual = {family: dice.take(pool, 7) for family, pool in _POOLS.items()}

    def scalar(self, family: str = "mixed") -> Json:
        """A string, number, bool or null; of the family asked for if that is one of scalars."""
        if family == "bool":
            return self._dice.chance(0.5)
        family = family if family in _POOLS else "mixed"
        return self._dice.pick(self._usual[family] if self._dice.chance(0.8) else _POOLS[family])

    def of_user(self, family: str) -> Json:
        """A value of a user's field.

        Objects inside of arrays have one member: of more the reference prints them in any order.
        """
        dice = self._dice
        if dice.chance(0.06):
            family = dice.pick(FAMILIES)
        if family == "list":
            inner = dice.pick(("text", "text", "number", "mixed"))
            items = [self.scalar(inner) for _ in range(dice.below(4))]
            if dice.chance(0.1):
                items.append(dice.pick(_NESTED))
            return items
        if family == "object":
            members: dict[str, Any] = {
                key: self.scalar() for key in dice.take(("a", "A", "b", "", "é"), dice.below(4))
            }
            if members and dice.chance(0.2):
                members["a"] = dice.pick(([1, "x"], {"b": None}, [], {}))
            return members
        return self.scalar(family)

    def target_array(self, family: str) -> list[Any]:
        """An array as most operators have it for a target, now and then with an entry nobody would write."""
        dice = self._dice
        family = "text" if family in ("list", "object") else family
        elements: list[Any] = [self.scalar(family) for _ in range(dice.below(7))]
        if dice.chance(0.15):
            elements.append(dice.pick((None, True, 1.0, ["a"], {"a": 1}, [[1]], [], 1e21)))
        return elements

    def target_object(self) -> dict[str, Any]:
        """An object as `any` and `none` have it for a target, too."""
        dice = self._dice
        keys = [element_text(self.scalar(dice.pick(("text", "mixed")))) for _ in range(dice.below(5))]
        keys += [str(dice.below(1000)) for _ in range(dice.below(3))]
        return {
            key: True if dice.chance(0.8) else dice.pick((False, None, 1, "x", [1], {"a": 1})) for key in keys
        }


def element_text(element: Json) -> str:
    """The text of an array element of a target, as operators see it."""
    if isinstance(element, str):
        return element
    return json.dumps(element, separators=(",", ":"), ensure_ascii=False)
