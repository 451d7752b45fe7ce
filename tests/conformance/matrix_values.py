"""The values the matrix is made of: what users have, what conditions look for, and how both are spelled."""

# ruff: noqa: RUF001 - letters that look like others are the point

from __future__ import annotations

from typing import Any, Final

from conformance.case import raw_number
from conformance.values import NUMBERS, NUMERIC_TEXTS, REGEXES, TEXTS, TIMES, VERSIONS

__all__ = [
    "ARRAYS",
    "BROKEN_TIMES",
    "CASES",
    "EDGES",
    "NAMES",
    "NESTED",
    "OBJECTS",
    "PATTERNS",
    "PATTERN_TEXTS",
    "SCALARS",
    "TIME_TEXTS",
]

ARRAYS: Final[tuple[Any, ...]] = (
    [], ["a"], ["A"], ["a", "b"], ["b", "a"], [1], ["1"], [1.0], [1.5], [True], ["true"], [None], ["null"],
    ["a", 1],
    ["1", 2], ["é"], ["É"], ["a", "a"], ["", "a"], [""], ["user-1"], ["x@Example.com"], [9007199254740993],
    [1e21],
    ["a", "b", "c", "d", "e", "f"], [False], ["a", "A"],
)  # fmt: skip
NESTED: Final[tuple[Any, ...]] = ([["a"]], [{"a": 1}], [[]], [[1, [2]], "a"], [1e300], [raw_number("1e2")])
OBJECTS: Final[tuple[Any, ...]] = (
    {}, {"a": 1}, {"A": 1}, {"a": "1"}, {"a": None}, {"a": True}, {"a": "a", "b": "b"}, {"a": {"b": 1}},
    {"1": True},
    {"true": True}, {"": True}, {"null": 1}, {"é": 1}, {"É": 1}, {"a": [1]}, {"12.5": True}, {"a": 1.0},
)  # fmt: skip
SCALARS: Final[tuple[Any, ...]] = (None, True, False, *TEXTS, *NUMBERS, *NUMERIC_TEXTS, *VERSIONS, *TIMES)
# Pairs of texts that a lower-cased comparison may or may not tell apart.
CASES: Final = (
    "ß", "ẞ", "ss", "SS", "İ", "i̇", "i", "I", "ı", "K", "k", "K", "Å", "å", "Å", "ΑΣ", "ας", "ασ", "ΑΣΑ",
    "ασα", "Σ", "σ", "ς",
    "ǅ", "ǆ", "Ǆ", "ﬁ", "fi", "FI", "Ⅷ", "ⅷ", "Ꭰ", "ꭰ", "𐐀", "𐐨", "é", "É", "é", "É", "Ω", "ω", "Ω", "ſ", "s",
)  # fmt: skip
TIME_TEXTS: Final = (
    "2023-01-01T00:00:00Z", "2023-01-01T00:00:00z", "2023-01-01t00:00:00Z", "2023-01-01 00:00:00Z",
    "2023-01-01T00:00:00.1Z", "2023-01-01T00:00:00.123456789Z", "2023-01-01T00:00:00.Z",
    "2023-01-01T00:00:00,5Z",
    "2023-01-01T00:00:00+00:00", "2023-01-01T00:00:00-00:00", "2023-01-01T00:00:00+0000",
    "2023-01-01T00:00:00+00",
    "2023-01-01T00:00:00+23:59", "2023-01-01T00:00:00+24:00", "2023-01-01T00:00:00+14:60",
    "2023-01-01T00:00Z",
    "2023-01-01T24:00:00Z", "2023-01-01T23:59:60Z", "2023-01-01T23:59:61Z", "2023-01-01T00:60:00Z",
    "2023-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "2023-13-01T00:00:00Z", "2023-00-01T00:00:00Z",
    "2023-1-1T0:0:0Z", "23-01-01T00:00:00Z", "12023-01-01T00:00:00Z", "+2023-01-01T00:00:00Z",
    "-0001-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z",
    "2023-01-01 00:00:00", "2023-01-01  00:00:00", "2023-1-1 0:0:0", "2023-1-1 00:00:00",
    " 2023-01-01 00:00:00",
    "2023-01-01 00:00:00 ", "2023-01-01 00:00:00.5", "2023-01-01 00:00", "2023-01-01 23:59:60",
    "+2023-01-01 00:00:00",
    "2023-01-01T00:00:00", "2023-01-01", "2023", "202301", "20230101000000", "1672531200", "1672531200000",
    "+1672531200", "-1672531200", "-1", "0", "00", "1e12", "1672531200.0", " 1672531200", "1672531200 ",
    "9999999999",
    "10000000000", "-9999999999", "-10000000000", "9223372036854775807", "9223372036854775808", "Jan 1 2023",
    "Sun, 01 Jan 2023 00:00:00 GMT", "2023/01/01 00:00:00", "2023-01-01\t00:00:00", "2023-01-01\n00:00:00",
    "", " ",
    "2023-01-01T00:00:00Zx", "2023-01-01T00:00:00 Z", "２０２３-01-01 00:00:00", "2023-01-01 00:00:0",
    "2023-01-01 0:00:00",
    "2023- 1- 1 0: 0: 0", "2023-001-01 00:00:00", "2023-01-01 000:00:00",
)  # fmt: skip
# Times with one character too few, or another one.
_GOOD_TIMES: Final = (
    "2023-01-01T00:00:00Z", "2023-01-01 00:00:00", "2023-1-1 0:0:0", "2023-01-01T00:00:00+01:30",
)  # fmt: skip
BROKEN_TIMES: Final = (
    *(text[:at] + "x" + text[at + 1 :] for text in _GOOD_TIMES for at in range(len(text))),
    *(text[:at] + text[at + 1 :] for text in _GOOD_TIMES for at in range(len(text))),
    "2023-04-30T00:00:00Z", "2023-04-31T00:00:00Z", "2023-06-31T00:00:00Z", "2023-01-31T00:00:00Z",
    "2000-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2100-02-28T00:00:00Z", "2023-12-32T00:00:00Z",
    "2024-02-30T00:00:00Z", "1600-02-29T00:00:00Z",
)  # fmt: skip
PATTERNS: Final = (
    *REGEXES, r"(a|b)+$", r"^(?:(?=.*\d)(?=.*[a-z]).*)$", r"(?i:A)b", r"(?-i)a", r"(?u)é", r"(?U)a+",
    r"\w+@\w+\.com",
    r"^\p{Lu}", r"\P{L}", r"\p{Greek}", r"[^a]", r"[\w-]+", r"[a-]", r"[]a]", r"[^]]", r"[a&&b]",
    r"[[a-z]--[b]]",
    r"\d{2,3}", r"a{2}", r"a{2,}", r"a{,2}", r"a{2,1}", r"a{99999}", r"(?<=ab|c)d", r"(?<=a+)b", r"(?<!a*)b",
    r"(?!a)b",
    r"\bab\b", r"\Bab", r"\<a\>", r"a\b{start}", r"\k<n>", r"(?<n>a)\k<n>", r"(?P<n>a)(?P=n)", r"(?P>n)",
    r"(?1)", r"(?R)",
    r"(?(1)a|b)", r"(a)?(?(1)b|c)", r"\Ka", r"a\Kb", r"\Ga", r"\z", r"\Z", r"\A", r"(?#comment)a",
    r"(?x) a # c", r"\x{41}",
    r"\x4", r"\u{41}", r"\U00000041", r"\cA", r"\e", r"\a", r"\f", r"\v", r"\0", r"\8", r"\_", r"\-", r"\/",
    r"\@", r"\é",
    r"\X", r"\R", r"\N", r"\H", r"\V", r"\pL", r"\p{^L}", r"\p{Any}", r"\p{bogus}", r"(?s-m:.)", r"(?ix)A B",
    r"(*FAIL)",
    r"a??", r"a*?b", r"a+?+", r"a?+b", r"a{1,2}+", r"(?|a|b)", r"(?'n'a)", r"(?i)straße", r"(?i)ſ", r"(?i)k",
    r"^$|a", "\n", "a\\",
    "(" * 60 + "a" + ")" * 60, "a" * 3000, r"(?:a?){30}a{30}", "(?:x+x+)+y", "[a-zA-Z0-9]{1,200}",
)  # fmt: skip
PATTERN_TEXTS: Final[tuple[Any, ...]] = (
    *TEXTS, "ab", "aab", "cd", "abcd", "abab", "a.b", "a b", "A", "aa", "aaa", "12", "123", "1a2b",
    "user@site.com", "\n", "a\n",
    "a\r\n", "ſ", "a" * 3000, "x" * 40, "\u2028", "A1!", "-", "_", "]", "ﬁ", True, 12, 1.5, ["a"], None, {},
)  # fmt: skip
NAMES: Final = (
    "userID", "userid", "USERID", "user_id", "User_Id", "email", "Email", "ip", "IP", "country", "COUNTRY",
    "locale",
    "appVersion", "appversion", "app_version", "App_Version", "userAgent", "useragent", "user_agent",
    "ipAddress",
    "ip_address", "custom", "customIDs", "privateAttributes", "statsigEnvironment", "tier", "stableID",
    "plan", "Plan",
    "PLAN", "pläN", "", None,
)  # fmt: skip
EDGES: Final[tuple[Any, ...]] = (
    0, 0.0, raw_number("-0"), 1e-300, 0.001, 0.005, 0.01, 0.010001, 0.02, 1, 1.1, 9.99, 10, 33.33, 49.99, 50,
    50.005, 81.14,
    81.15, 99.98, 99.99, 99.995, 99.999, 100, 100.0, raw_number("1e2"), 100.01, 150, 1e300, -1, -1e300,
    raw_number("99.99000000000000001"), raw_number("5E1"),
)  # fmt: skip
