"""`StatsigUser`: what goes in comes out, users that are none, and nobody sees what is private."""

from __future__ import annotations

import copy
import json
import pickle
from collections import ChainMap, OrderedDict, UserDict
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine_under_test import our_engine
from small_project import payload
from small_specs import condition, gate, rule
from small_specs import project as small_v2
from statsig_fastly import ExperimentEvaluationOptions, Statsig, StatsigOptions, StatsigUser

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TEXT_FIELDS = ("user_id", "email", "ip", "country", "locale", "app_version", "user_agent")
MAP_FIELDS = ("custom", "custom_ids", "private_attributes", "statsig_environment")
CAMEL = {
    "user_id": "userID",
    "app_version": "appVersion",
    "user_agent": "userAgent",
    "custom_ids": "customIDs",
    "private_attributes": "privateAttributes",
    "statsig_environment": "statsigEnvironment",
}
EVERYTHING: dict[str, Any] = {
    "user_id": "u-1",
    "email": "ada@example.com",
    "ip": "192.0.2.7",
    "country": "NZ",
    "locale": "mi_NZ",
    "app_version": "1.2.3",
    "user_agent": "Mozilla/5.0",
    "custom": {"plan": "pro", "flag": True},
    "custom_ids": {"companyID": 7},
    "private_attributes": {"salary_band": "hush-hush"},
    "statsig_environment": {"tier": "staging"},
}


class Name(str):
    """A string that is not exactly a `str`."""

    __slots__ = ()


class Level(IntEnum):
    HIGH = 3


class Plan(str, Enum):
    PRO = "pro"


@pytest.fixture(scope="module")
def statsig() -> Statsig:
    client = Statsig("secret-key", StatsigOptions(bootstrap=payload()))
    assert client.initialize().result(30).init_success
    return client


def user_with(name: str, value: Any) -> StatsigUser:  # noqa: ANN401 - text or a mapping
    return StatsigUser(**{name: value})


def passes(statsig: Statsig, user: StatsigUser | str | Mapping[str, Any]) -> dict[str, bool]:
    return {name: statsig.check_gate(user, name) for name in statsig.get_feature_gate_list()}


# Arguments and getters


def test_every_argument_has_a_getter_that_gives_it_back() -> None:
    user = StatsigUser(**EVERYTHING)
    assert {name: getattr(user, name) for name in EVERYTHING} == EVERYTHING


def test_arguments_may_be_positional_in_the_official_order() -> None:
    assert StatsigUser(*EVERYTHING.values()) == StatsigUser(**EVERYTHING)


def test_what_is_not_given_is_none_but_the_id_is_empty() -> None:
    user = StatsigUser()
    assert user.user_id == ""
    assert [getattr(user, name) for name in (*TEXT_FIELDS, *MAP_FIELDS) if name != "user_id"] == [None] * 10


@pytest.mark.parametrize("name", [*TEXT_FIELDS, *MAP_FIELDS])
def test_none_is_the_same_as_not_given(name: str) -> None:
    assert StatsigUser(**{name: None}) == StatsigUser()


@pytest.mark.parametrize("name", MAP_FIELDS)
def test_an_empty_mapping_is_not_the_same_as_none(name: str) -> None:
    user = user_with(name, {})
    assert getattr(user, name) == {}
    assert user != StatsigUser()


@pytest.mark.parametrize("name", MAP_FIELDS)
def test_getters_of_mappings_give_copies(name: str) -> None:
    given_map: dict[str, Any] = {"a": "x"}
    user = user_with(name, given_map)
    given_map["a"] = "changed"
    getattr(user, name)["a"] = "changed"
    assert getattr(user, name) == {"a": "x"}


def test_nested_values_are_copies_too() -> None:
    inner: list[Any] = [1, {"b": [2]}]
    user = StatsigUser(custom={"a": inner})
    inner.append(3)
    custom = user.custom
    assert custom is not None
    custom["a"][1]["b"].append(4)
    assert user.custom == {"a": [1, {"b": [2]}]}


def test_the_order_inside_of_lists_decides_nothing() -> None:
    inner = {"b": 1, "a": {"d": 2, "c": 3}}
    other = {"a": {"c": 3, "d": 2}, "b": 1}
    users = [StatsigUser("u", custom={"f": [members]}) for members in (inner, other)]
    assert users[0] == users[1]
    text = '[{"a":{"c":3,"d":2},"b":1}]'
    specs = small_v2({"is": condition("user_field", "f", "any", [text])}, {"g": gate([rule("is")])})
    with our_engine(json.dumps(specs).encode()) as statsig:
        assert [statsig.check_gate(user, "g") for user in users] == [True, True]


@pytest.mark.parametrize("name", [*TEXT_FIELDS, *MAP_FIELDS, "something_new"])
def test_a_user_cannot_be_changed(name: str) -> None:
    user = StatsigUser(**EVERYTHING)
    with pytest.raises(AttributeError):
        setattr(user, name, None)
    with pytest.raises(AttributeError):
        delattr(user, name)


def test_ids_keep_their_types() -> None:
    ids: dict[str, Any] = {"text": "7", "int": 7, "float": 7.5, "bool": True, "none": None}
    taken = StatsigUser(custom_ids=ids).custom_ids
    assert taken == ids
    assert [type(value) for value in taken.values()] == [str, int, float, bool, type(None)]


def test_attributes_keep_their_types() -> None:
    values: dict[str, Any] = {
        "text": "",
        "zero": 0,
        "negative": -(2**63),
        "largest": 2**63 - 1,
        "float": -0.5,
        "whole": 3.0,
        "true": True,
        "none": None,
        "list": [1, [2, []], {"a": {}}],
        "dict": {"a": [None, {"b": 1.5}], "": "empty name"},
    }
    taken = StatsigUser(custom=values).custom
    assert taken == values
    assert [type(value) for value in taken.values()] == [type(value) for value in values.values()]


def test_a_tuple_is_a_list() -> None:
    assert StatsigUser(custom={"a": (1, ("x",))}).custom == {"a": [1, ["x"]]}


@pytest.mark.parametrize("number", [2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**300])
def test_an_integer_beyond_64_bits_is_a_float(number: int) -> None:
    custom = StatsigUser(custom={"n": number}).custom
    assert custom is not None
    assert type(custom["n"]) is float
    assert custom["n"] == float(number)


@pytest.mark.parametrize("name", ["custom", "custom_ids", "private_attributes"])
def test_an_integer_beyond_every_float_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name}.*huge"):
        user_with(name, {"huge": 10**400})


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_floats_that_json_cannot_hold(number: float) -> None:
    custom = StatsigUser(custom={"n": number, "in": [number]}).custom
    assert custom is not None
    assert repr(custom) == repr({"n": number, "in": [number]})


def test_subclasses_of_the_plain_types_are_what_they_derive_from() -> None:
    user = StatsigUser(
        Name("u-1"),
        email=Plan.PRO,
        custom={Name("name"): Name("value"), "level": Level.HIGH, "plan": Plan.PRO},
    )
    assert user == StatsigUser("u-1", email="pro", custom={"name": "value", "level": 3, "plan": "pro"})
    assert type(user.user_id) is str


class Pairs(UserDict[str, Any]):
    pass


@pytest.mark.parametrize(
    "kind", [MappingProxyType, ChainMap, OrderedDict, Pairs], ids=lambda kind: kind.__name__
)
def test_mappings_that_are_no_dicts(kind: Any) -> None:  # noqa: ANN401 - a class of mappings
    inner = kind({"b": 1})
    user = StatsigUser(custom=kind({"a": inner, "c": [inner]}), custom_ids=kind({"companyID": 7}))
    assert user == StatsigUser(custom={"a": {"b": 1}, "c": [{"b": 1}]}, custom_ids={"companyID": 7})


class Interrupted:
    """Is interrupted by a signal while it is asked what it is."""

    def __getattribute__(self, name: str) -> object:
        if name == "__class__":
            raise KeyboardInterrupt
        return super().__getattribute__(name)


def test_an_interrupt_while_a_mapping_is_recognized_is_not_lost() -> None:
    odd: Any = Interrupted()
    calls: list[Callable[[], object]] = [
        lambda: StatsigUser(custom=odd),
        lambda: StatsigUser(custom={"in": odd}),
        lambda: Statsig("secret-key", StatsigOptions(disable_all_logging=True)).check_gate(odd, "gate"),
        lambda: ExperimentEvaluationOptions(user_persisted_values=odd),
    ]
    for call in calls:
        with pytest.raises(KeyboardInterrupt):
            call()


class Shouted(dict[str, Any]):
    """Has other items than lie in it, as the multi-dicts of web frameworks do."""

    def items(self) -> Any:  # noqa: ANN401 - of a class that cannot be named
        return {key.upper(): value for key, value in super().items()}.items()


@pytest.mark.parametrize("value", ["text", ["text"]])
@pytest.mark.parametrize("name", ["custom", "private_attributes"])
def test_a_dict_that_has_its_items_another_way(name: str, value: object) -> None:
    assert user_with(name, Shouted(a=value)) == user_with(name, {"A": value})
    assert user_with(name, {"in": Shouted(a=value)}) == user_with(name, {"in": {"A": value}})


def test_a_name_given_twice_by_a_chain_counts_once() -> None:
    assert StatsigUser(custom=ChainMap({"a": 1}, {"a": 2, "b": 3})).custom == {"a": 1, "b": 3}


def test_nul_and_other_odd_characters_survive() -> None:
    odd = "a\0b\x7f\u2028\ufeff\uffff\U0001f600é"
    user = StatsigUser(odd, email=odd, custom={odd: [odd, {odd: odd}]})
    assert (user.user_id, user.email, user.custom) == (odd, odd, {odd: [odd, {odd: odd}]})


def test_long_text_and_many_attributes() -> None:
    long = "é" * 1_000_000
    many = {f"attribute {number}": number for number in range(20_000)}
    user = StatsigUser(long, custom=many, private_attributes={"long": long})
    assert user.user_id == long
    assert user.custom == many
    assert user.private_attributes == {"long": long}


# What is shown


def test_repr_shows_what_was_given() -> None:
    user = StatsigUser("u-1", country="NZ", custom={"plan": "pro"})
    assert repr(user) == "StatsigUser(user_id='u-1', country='NZ', custom={'plan': 'pro'})"
    assert eval(repr(user), {"StatsigUser": StatsigUser}) == user  # noqa: S307 - our own repr
    assert repr(StatsigUser()) == "StatsigUser(user_id='')"


def test_private_attributes_are_not_shown() -> None:
    shown = repr(StatsigUser("u-1", private_attributes={"salary_band": "hush-hush", "b": 1})) + str(
        StatsigUser(**EVERYTHING)
    )
    assert "hush-hush" not in shown
    assert "salary_band" not in shown
    assert "private_attributes=<2 hidden>" in shown
    assert "private_attributes=<1 hidden>" in shown


# Equality


def test_equal_users_are_equal_and_hash_alike() -> None:
    one, other = StatsigUser(**EVERYTHING), StatsigUser(**copy.deepcopy(EVERYTHING))
    assert one is not other
    assert one == other
    assert hash(one) == hash(other)
    assert len({one, other, StatsigUser("someone else")}) == 2


@pytest.mark.parametrize("name", [*TEXT_FIELDS, *MAP_FIELDS])
def test_a_difference_in_any_field_counts(name: str) -> None:
    user = StatsigUser(**EVERYTHING)
    assert user != StatsigUser(**{**EVERYTHING, name: None})
    other: object = "other" if name in TEXT_FIELDS else {"other": 1}
    assert user != StatsigUser(**{**EVERYTHING, name: other})


def test_the_order_of_attributes_does_not_count() -> None:
    assert StatsigUser(custom={"a": 1, "b": 2}) == StatsigUser(custom={"b": 2, "a": 1})


def test_a_user_equals_nothing_but_users() -> None:
    user = StatsigUser("u-1")
    assert [other for other in ("u-1", {"user_id": "u-1"}, None, 5, object()) if user == other] == []


def test_equal_users_get_equal_answers(statsig: Statsig) -> None:
    # `True == 1` in Python, but conditions tell them apart, and a cache by user must not mix them up.
    yes, one = StatsigUser(custom={"flag": True}), StatsigUser(custom={"flag": 1})
    assert (statsig.check_gate(yes, "says_true"), statsig.check_gate(one, "says_true")) == (True, False)
    assert yes != one


# Copies


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickled_user_keeps_everything(protocol: int) -> None:
    user = StatsigUser(**EVERYTHING)
    again = pickle.loads(pickle.dumps(user, protocol))  # noqa: S301 - our own
    assert again == user
    assert again.private_attributes == {"salary_band": "hush-hush"}


@pytest.mark.parametrize("user", [StatsigUser(**EVERYTHING), StatsigUser(), StatsigUser("u", custom={})])
def test_copies_are_equal(user: StatsigUser) -> None:
    for again in (copy.copy(user), copy.deepcopy(user), pickle.loads(pickle.dumps(user))):  # noqa: S301 - our own
        assert again == user
        assert again.private_attributes == user.private_attributes
        assert repr(again) == repr(user)


@pytest.mark.parametrize("name", [*TEXT_FIELDS, *MAP_FIELDS])
def test_replace_changes_one_field_and_leaves_the_original(name: str) -> None:
    user = StatsigUser(**EVERYTHING)
    value: object = "new" if name in TEXT_FIELDS else {"new": 1}
    changed = user.replace(**{name: value})
    assert getattr(changed, name) == value
    assert changed == StatsigUser(**{**EVERYTHING, name: value})
    assert user == StatsigUser(**EVERYTHING)
    assert user.replace(**{name: None}) == StatsigUser(**{**EVERYTHING, name: None})


def test_replace_with_nothing_and_with_something_wrong() -> None:
    user = StatsigUser(**EVERYTHING)
    assert user.replace() == user
    with pytest.raises(TypeError, match="nope"):
        user.replace(nope=1)
    with pytest.raises(TypeError, match="'email'"):
        user.replace(email=5)
    with pytest.raises(TypeError, match="positional"):
        user.replace("u-2")  # type: ignore[call-arg]  # wrong on purpose


# Users that are not a StatsigUser


def test_a_string_is_a_user_id(statsig: Statsig) -> None:
    for user_id in ("u-1", "", "é" * 300, Name("u-1")):
        assert passes(statsig, user_id) == passes(statsig, StatsigUser(user_id))


@pytest.mark.parametrize("kind", [dict, MappingProxyType, ChainMap, Pairs], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("spelling", ["python", "payload"])
def test_a_mapping_is_a_user_in_both_spellings(statsig: Statsig, spelling: str, kind: Any) -> None:  # noqa: ANN401
    names = CAMEL if spelling == "payload" else {}
    mapping = kind({names.get(name, name): value for name, value in EVERYTHING.items()})
    answers = passes(statsig, mapping)
    assert answers == passes(statsig, StatsigUser(**EVERYTHING))
    assert {name for name, value in answers.items() if value} >= {"staff", "paying", "companies", "staging"}


def test_none_in_a_mapping_is_the_same_as_not_given(statsig: Statsig) -> None:
    assert passes(statsig, dict.fromkeys(EVERYTHING)) == passes(statsig, {}) == passes(statsig, "")


# Round trips of whatever JSON can hold

WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | WORDS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


@given(
    texts=st.fixed_dictionaries({}, optional=dict.fromkeys(TEXT_FIELDS, WORDS)),
    attributes=st.dictionaries(WORDS, VALUES, max_size=6),
    ids=st.dictionaries(WORDS, SCALARS, max_size=6),
)
def test_round_trip(texts: dict[str, Any], attributes: dict[str, Any], ids: dict[str, Any]) -> None:
    user = StatsigUser(**texts, custom=attributes, custom_ids=ids, private_attributes=attributes)
    assert repr(user.custom) == repr(attributes)  # repr tells 1, 1.0 and True apart
    assert repr(user.custom_ids) == repr(ids)
    assert repr(user.private_attributes) == repr(attributes)
    assert {name: getattr(user, name) for name in texts} == texts
    again = pickle.loads(pickle.dumps(user))  # noqa: S301 - our own
    assert again == user == user.replace()
    assert repr(again.private_attributes) == repr(attributes)
