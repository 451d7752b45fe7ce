"""The matrix: one condition against one user, for all operators, targets and values there are.

A gate for each condition and a user for each value, so that a payload of a few hundred gates crosses
everything with everything.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from conformance.build import condition, gate, only, payload, rule
from conformance.case import Case, Question
from conformance.conditions import ARRAY_OPERATORS, OPERATORS, decided, distinct
from conformance.matrix_values import (
    ARRAYS,
    BROKEN_TIMES,
    CASES,
    EDGES,
    NAMES,
    NESTED,
    OBJECTS,
    PATTERN_TEXTS,
    PATTERNS,
    SCALARS,
    TIME_TEXTS,
)
from conformance.users import ADDRESSES, AGENTS
from conformance.values import NUMBERS, NUMERIC_TEXTS, TEXTS, TIMES, VERSIONS
from random_user_agents import every_user_agent
from statsig_fastly._native import parse_user_agent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["matrix_cases"]


def matrix_cases() -> list[Case]:
    """Every part of the matrix, each with a payload of its own."""
    return [
        *_operators(),
        _crossed(
            "times",
            "user_field",
            (("before", "after", "on"), TIME_TEXTS),
            (*TIME_TEXTS, *TIMES, None, True, []),
        ),
        _crossed("regexes", "user_field", (("str_matches",), PATTERNS), PATTERN_TEXTS),
        _crossed(
            "letter case",
            "user_field",
            (
                ("any", "any_case_sensitive", "str_starts_with_any", "str_contains_any", "eq"),
                [[text] for text in CASES],
            ),
            CASES,
        ),
        _crossed("broken times", "user_field", (("after",), (0, *BROKEN_TIMES)), (1, *BROKEN_TIMES)),
        _odd_conditions(),
        _look_up(),
        *_environments(),
        _units(),
        _shares(),
        _buckets(),
        _now(),
        *_apps(),
        *_later(),
    ]


def _case(
    label: str,
    conditions: Iterable[dict[str, Any]],
    users: Sequence[dict[str, Any]],
    **more: Any,  # noqa: ANN401 - members of the case, and `top` for its payload
) -> Case:
    """A case with a gate for each condition."""
    held = {json.dumps(entry, ensure_ascii=False): entry for entry in conditions}
    top = more.pop("top", {})
    return Case(
        label=f"matrix: {label}",
        payload=payload({key: only(key) for key in held}, conditions=held, **top),
        users=users,
        questions=[Question("gate", key) for key in held],
        **more,
    )


def _distinct(values: Iterable[Any]) -> list[Any]:
    return list({json.dumps(value): value for value in values}.values())


def _crossed(
    label: str,
    kind: str,
    crossed: tuple[Sequence[str], Sequence[Any]],
    values: Sequence[Any],
    **more: Any,  # noqa: ANN401
) -> Case:
    operators, targets = crossed
    conditions = (
        condition(kind, operator, target, field="f", **more)
        for operator in operators
        for target in _distinct(targets)
    )
    return _case(label, conditions, [{"userID": "u", "custom": {"f": value}} for value in _distinct(values)])


def _operators() -> Iterator[Case]:
    """Every operator, on targets of all kinds and most on those it is for."""
    nested: tuple[Any, ...] = ([["a"]], [{"a": 1}], [[]], [[1, [2]], "a"], [{}], [{"a": [{"b": 1.5}]}, None])
    values: tuple[Any, ...] = (*SCALARS, *ARRAYS, *nested, *OBJECTS)
    odd: tuple[Any, ...] = (None, True, False, 5, 1.5, "a", "1", [], ["a"], [1], {}, {"a": 1})
    texts = (*ARRAYS, *NESTED, *OBJECTS, *([text] for text in TEXTS), [*TEXTS])
    targets: dict[str, Sequence[Any]] = {
        "gt": (*NUMBERS, *NUMERIC_TEXTS),
        "version_gt": (*VERSIONS, 1, 1.2),
        "eq": (*SCALARS, *(distinct(target) for target in (*ARRAYS, *NESTED)), *OBJECTS),
        "in_segment_list": ("no such list", "", "a"),
    }
    for operators in OPERATORS:
        if operators[0] not in ("before", "str_matches"):  # they have crosses of their own
            wanted = (*targets.get(operators[0], texts), *odd)
            if operators == ARRAY_OPERATORS:
                wanted = tuple(decided(target) if isinstance(target, list) else target for target in wanted)
            yield _crossed(operators[0], "user_field", (operators, wanted), values)
    empty = [target for target in texts if isinstance(target, list) and "" in target]
    sure = [value for value in values if not isinstance(value, list) or not any(
        element is None or isinstance(element, dict) for element in value)]  # fmt: skip
    yield _crossed("empty texts in arrays", "user_field", (ARRAY_OPERATORS, empty), sure)


def _odd_conditions() -> Case:
    """Types and operators that are missing, unknown, or spelled otherwise."""
    types = (
        "public", "user_field", "environment_field", "unit_id", "user_bucket", "current_time", "target_app",
        "pass_gate",
        "fail_gate", "experiment_group", "multi_pass_gate", "multi_fail_gate", "PUBLIC", "User_Field",
        "bogus", "", " public",
    )  # fmt: skip
    operators = (
        None,
        "",
        "bogus",
        "ANY",
        "Eq",
        "any",
        "none",
        "eq",
        "gt",
        "encoded_any",
        " any",
        "version_gt",
        "on",
    )
    targets: tuple[Any, ...] = (None, "a", ["a"], 5)
    conditions = [
        condition(kind, operator, target, field="f")
        for kind in types
        for operator in operators
        for target in targets
    ]
    bare = [{"type": kind, "idType": "userID"} for kind in types]
    fieldless = [condition(kind, "eq", None) for kind in types]
    return _case(
        "odd conditions", [*conditions, *bare, *fieldless], [{"custom": {"f": "a"}}, {"userID": "a"}, {}]
    )


def _look_up() -> Case:
    """Where a field is looked for, by presence and emptiness in each of the places."""
    conditions = [
        condition("user_field", "any", [place], field=name)
        for name in NAMES
        for place in ("s", "c", "C", "g", "p", "")
    ]
    conditions += [condition("user_field", "eq", None, field=name) for name in NAMES]
    standard = ("userID", "email", "ip", "country", "locale", "appVersion", "userAgent")
    lower = {str(name).lower() for name in NAMES}
    users: list[dict[str, Any]] = []
    for held in ("s", "", None):
        for custom in ("c", "", None, "absent"):
            for private in ("p", "absent"):
                for exact in (True, False):
                    names = {str(name) for name in NAMES} if exact else lower
                    user: dict[str, Any] = {} if held is None else dict.fromkeys(standard, held)
                    if custom != "absent":
                        user["custom"] = dict.fromkeys(names, custom)
                    if private != "absent":
                        user["privateAttributes"] = dict.fromkeys(names, private)
                    users.append(user)
    users.append({"custom": {name.lower(): "c" for name in standard} | {"userID": "C"}})
    users.append({"customIDs": {"stableID": "s", "plan": "c"}, "statsigEnvironment": {"tier": "s"}})
    return _case(
        "look-up",
        conditions,
        users,
        global_custom_fields={"plan": "g", "Plan": "g", "email": "g", "app_version": "g"},
    )


def _environments() -> Iterator[Case]:
    fields = ("tier", "TIER", "Tier", "region", "", None)
    targets: tuple[Any, ...] = (["staging"], ["Staging"], ["prod"], [""], ["x"])
    conditions = [
        condition("environment_field", operator, target, field=field)
        for operator in ("any", "none", "any_case_sensitive", "array_contains_any")
        for field in fields
        for target in targets
    ] + [
        condition("environment_field", operator, target, field=field)
        for operator in ("eq", "neq")
        for field in fields
        for target in (None, "staging")
    ]
    users: list[dict[str, Any]] = [{"userID": "u"}] + [
        {"userID": "u", "statsigEnvironment": held}
        for held in (
            {},
            {"tier": "prod"},
            {"TIER": "prod"},
            {"tier": ""},
            {"region": "x"},
            {"Tier": "x", "tier": "staging"},
        )
    ]
    for option in (None, "staging", "Staging", "", "x"):
        for default in (None, "prod", ""):
            yield _case(
                f"environments {option!r} {default!r}",
                conditions,
                users,
                environment=option,
                top={"default_environment": default},
            )


def _units() -> Case:
    """Unit ids by id type, found by name and shown by their text."""
    types = (
        "userID",
        "userid",
        "USERID",
        "user_id",
        "stableID",
        "stableid",
        "STABLEID",
        "companyID",
        "other",
        "",
    )
    texts = (
        "u",
        "5",
        "1.5",
        "9007199254740992",
        "9007199254740993",
        "true",
        "",
        "é",
        "1000000000000000000000",
    )
    conditions = [
        {**condition("unit_id", operator, target), "idType": kind}
        for kind in types
        for operator, target in (
            *(("any", [text]) for text in texts),
            *(("eq", text) for text in texts),
            ("eq", None), ("neq", None), ("eq", 5), ("gt", 4), ("str_matches", "."), ("none", ["u"]),
            ("version_eq", "5"),
        )
    ]  # fmt: skip
    values: tuple[Any, ...] = ("u", "", "5", 5, 5.0, 1.5, 2**53 + 1, str(2**53 + 1), True, "é", 1e21, -0.0, 0)
    users: list[dict[str, Any]] = [{"userID": text} for text in texts] + [{}]
    users += [{"userID": "x", "customIDs": {name: value}} for name in types if name for value in values]
    users += [{"customIDs": {"stableID": "u", "stableid": "5"}}, {"customIDs": {"userID": "u"}}]
    return _case("units", conditions, users)


def _shares() -> Case:
    """Pass percentages at their edges, by salt and unit."""
    salts: tuple[dict[str, Any], ...] = ({}, {"salt": None}, {"salt": ""}, {"salt": "é"})
    gates = {}
    for share in EDGES:
        for number, salt in enumerate(salts):
            for unit in ("userID", "companyID"):
                held = rule("r", share=share, idType=unit)
                del held["salt"]
                gates[f"{share} {number} {unit}"] = gate([{**held, **salt}], salt=("", "salt")[number % 2])
    users: list[dict[str, Any]] = [{"userID": f"user-{number}"} for number in range(60)]
    users += [
        {},
        {"userID": ""},
        {"userID": "u", "customIDs": {"companyID": 5}},
        {"customIDs": {"companyid": "5"}},
    ]
    return Case("matrix: shares", payload(gates), users, [Question("gate", name) for name in gates])


def _buckets() -> Case:
    conditions = [
        {**condition("user_bucket", operator, target, additionalValues=extra), "idType": unit}
        for operator, target in (
            *((operator, edge) for operator in ("lt", "lte", "gt", "gte") for edge in (0, 1, 50, 500, 999,
            1000, "500")),
            ("any", {str(bucket): True for bucket in range(0, 1000, 2)}), ("any", list(range(0, 1000, 3))),
            ("any", [str(bucket) for bucket in range(500)]), ("none", {"-1": True}), ("none", {}), ("eq", 50),
            ("eq", "50"),
            ("neq", None), ("version_gt", "500"), ("str_matches", "^1"), ("on", 0), ("before", 500000),
        )
        for extra in (None, {}, {"salt": ""}, {"salt": "layer-salt"}, {"other": "x"})
        for unit in ("userID", "companyID")
    ]  # fmt: skip
    users: list[dict[str, Any]] = [{"userID": f"user-{number}"} for number in range(30)]
    users += [{}, {"userID": "u"}, {"userID": "u", "customIDs": {"companyID": "user-123"}}]
    return _case("buckets", conditions, users)


def _now() -> Case:
    targets: tuple[Any, ...] = (
        0,
        1,
        -1,
        1_000_000_000_000,
        4_102_444_800_000,
        "2000-01-01T00:00:00Z",
        "2100-01-01T00:00:00Z",
        None,
        "",
        "x",
        [],
        [""],
        True,
    )
    names = [operator for operators in OPERATORS for operator in operators]
    return _case(
        "now", [condition("current_time", name, target) for name in names for target in targets], [{}]
    )


def _apps() -> Iterator[Case]:
    targets: tuple[Any, ...] = (
        None,
        "app",
        "5",
        5,
        True,
        ["app"],
        ["APP"],
        ["5"],
        ["true"],
        ["x"],
        {"app": True},
        [],
        {"a": 1},
        "1.5",
        ["app", "b"],
        '[[1,[2.5]],{"z":{"b":1.0},"a":[true,null],"":"é"}]',
    )
    names = [operator for operators in OPERATORS for operator in operators]
    conditions = [
        condition("target_app", name, target)
        for name in names
        for target in targets
        if target != ["app", "b"] or name != "on"
    ]
    for app in ("absent", None, "app", "APP", "", 5, 1.5, True, ["app"], ["app", "b"], {"a": 1}, "1.5.0",
                [[1, [2.5]], {"z": {"b": 1.0}, "a": [True, None], "": "é"}]):  # fmt: skip
        yield _case(f"app {app!r}", conditions, [{}], top={} if app == "absent" else {"app_id": app})


def _later() -> Iterator[Case]:
    """What needs a feature of its own."""
    yield _countries()
    yield _agents()
    yield from _agent_parts()
    yield _id_lists()


def _countries() -> Case:
    """Countries of addresses, and what goes before them."""
    asked: tuple[tuple[str | None, Any], ...] = (
        ("any", ["us"]),
        ("any", ["US", "CN", "AU", "IN", "UA"]),
        ("eq", "US"),
        ("eq", None),
        ("neq", None),
        ("any", [""]),
        ("any_case_sensitive", ["us"]),
        ("str_matches", "^U"),
        (None, None),
    )
    conditions = [
        condition("ip_based", operator, target, field=field)
        for operator, target in asked
        for field in ("country", "COUNTRY", "ip", "other", None)
    ]
    addresses = [*ADDRESSES, *(f"{first}.{first * 7 % 256}.{first * 13 % 256}.1" for first in range(256))]
    users: list[dict[str, Any]] = [{"ip": address} for address in addresses]
    users += [{"custom": {"ip": address}} for address in addresses[:8]]
    users += [{"ip": "8.8.8.8", "country": country} for country in ("NZ", "")]
    users += [{"ip": "8.8.8.8", "custom": {"country": country}} for country in ("NZ", "", None)]
    return _case("countries", conditions, users)


def _agents() -> Case:
    """What user agents are read as, and what goes before them."""
    fields = (
        "os_name",
        "os_version",
        "browser_name",
        "browser_version",
        "osname",
        "osversion",
        "browsername",
        "browserversion",
        "OS_Name",
        "other",
        None,
    )
    asked: tuple[tuple[str | None, Any], ...] = (
        ("eq", None),
        ("any", [""]),
        ("any", ["iOS", "Windows", "Android", "Chrome"]),
        ("str_matches", "^[A-Z]"),
        ("version_gt", "10"),
        ("version_lt", "100.0"),
        ("eq", "Other"),
        ("any", ["0.0.0"]),
        (None, None),
    )
    conditions = [
        condition("ua_based", operator, target, field=field) for operator, target in asked for field in fields
    ]
    users: list[dict[str, Any]] = [{"userAgent": agent} for agent in AGENTS]
    users += [{"custom": {"userAgent": agent}} for agent in AGENTS[:3]]
    users += [{"userAgent": AGENTS[0], "custom": {"os_name": name}} for name in ("x", "")]
    odd: tuple[Any, ...] = (None, True, 5, 1.5, "", ["Windows NT 6.1"], ["curl/8.1"], {"a": 1}, [])
    users += [{"custom": {"userAgent": value}} for value in odd]
    return _case("user agents", conditions, users)


def _agent_parts() -> Iterator[Case]:
    """User agents of all shapes, each asked for exactly what this package reads it as, and for what it reads
    the others as."""
    agents = every_user_agent(3)
    parts = ("os_name", "os_version", "browser_name", "browser_version")
    for start in range(0, len(agents), 60):
        some = agents[start : start + 60]
        read = [dict(zip(parts, parse_user_agent(agent) or (None,) * 4, strict=True)) for agent in some]
        conditions = [
            condition("ua_based", "eq", None, field=part)
            if wanted is None
            else condition("ua_based", "any_case_sensitive", [wanted], field=part)
            for part in parts
            for wanted in _distinct(answers[part] for answers in read)
        ]
        yield _case(
            f"parts of user agents from {start}", conditions, [{"userAgent": agent} for agent in some]
        )


def _id_lists() -> Case:
    """Members of ID lists, by the text of all kinds of values."""
    lists = {"list": ["u", "5", "1.5", "true", "é", ""], "empty": [], "Liste é": ["a"]}
    conditions = [
        condition("user_field", operator, target, field="f")
        for operator in ("in_segment_list", "not_in_segment_list")
        for target in (*lists, "LIST", "no such list", "", None, 5, ["list"], {"list": True})
    ]
    conditions += [
        {**condition("unit_id", "in_segment_list", "list"), "idType": unit} for unit in ("userID", "other")
    ]
    values: tuple[Any, ...] = (
        None, True, "u", "U", "5", 5, 5.0, 1.5, "é", "", "a", ["u"], {}, "+u", "user",
    )  # fmt: skip
    users: list[dict[str, Any]] = [{"userID": "u", "custom": {"f": value}} for value in values]
    return _case("id lists", conditions, [*users, {}, {"userID": "é"}], id_lists=lists)
