"""Users that cannot be made: the error names the argument, what was expected and what came, and no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from small_project import payload
from statsig_fastly import Statsig, StatsigOptions, StatsigUser

TEXT_FIELDS = ("user_id", "email", "ip", "country", "locale", "app_version", "user_agent")
MAP_FIELDS = ("custom", "custom_ids", "private_attributes", "statsig_environment")
HALF_A_PAIR = "\ud83d"


@pytest.fixture(scope="module")
def statsig() -> Statsig:
    client = Statsig("secret-key", StatsigOptions(bootstrap=payload()))
    assert client.initialize().result(30).init_success
    return client


def user_with(name: str, value: Any) -> StatsigUser:  # noqa: ANN401 - also what is not allowed
    return StatsigUser(**{name: value})


@pytest.mark.parametrize("name", TEXT_FIELDS)
@pytest.mark.parametrize(
    "wrong", [5, 1.5, True, b"bytes", ["list"], {}, object()], ids=lambda value: type(value).__name__
)
def test_text_of_another_type(name: str, wrong: object) -> None:
    with pytest.raises(TypeError) as caught:
        user_with(name, wrong)
    assert str(caught.value) == f"argument '{name}': expected str or None, got {type(wrong).__name__}"


@pytest.mark.parametrize("name", MAP_FIELDS)
@pytest.mark.parametrize(
    "wrong", [5, "text", b"bytes", [("a", 1)], {"a"}, object()], ids=lambda value: type(value).__name__
)
def test_mappings_of_another_type(name: str, wrong: object) -> None:
    with pytest.raises(TypeError) as caught:
        user_with(name, wrong)
    assert str(caught.value).startswith(f"argument '{name}': expected a mapping")
    assert str(caught.value).endswith(f"got {type(wrong).__name__}")


@pytest.mark.parametrize("name", MAP_FIELDS)
@pytest.mark.parametrize("key", [5, None, b"a", ("a",)], ids=lambda value: type(value).__name__)
def test_names_that_are_no_strings(name: str, key: object) -> None:
    with pytest.raises(TypeError) as caught:
        user_with(name, {"fine": 1, key: 2})
    assert str(caught.value) == f"argument '{name}': expected keys that are str, got {type(key).__name__}"


WRONG_VALUES = [b"bytes", {1, 2}, object(), Decimal("1.5"), datetime.now(timezone.utc), 1j, range(3), int]


@pytest.mark.parametrize("name", MAP_FIELDS)
@pytest.mark.parametrize("wrong", WRONG_VALUES, ids=lambda value: type(value).__name__)
def test_values_of_another_type(name: str, wrong: object) -> None:
    with pytest.raises(TypeError) as caught:
        user_with(name, {"fine": 1, "broken": wrong})
    assert str(caught.value).startswith(f"argument '{name}[\"broken\"]': expected str, int, float, bool")
    assert str(caught.value).endswith(f"got {type(wrong).__name__}")


@pytest.mark.parametrize("name", ["custom_ids", "statsig_environment"])
@pytest.mark.parametrize("wrong", [[1], {"a": 1}, ()], ids=lambda value: type(value).__name__)
def test_ids_and_environments_hold_no_lists_and_mappings(name: str, wrong: object) -> None:
    with pytest.raises(TypeError, match=rf"argument '{name}\[\"a\"\]'.*got {type(wrong).__name__}"):
        user_with(name, {"a": wrong})


@pytest.mark.parametrize("wrong", [[1, [object()]], {"b": {"c": object()}}, [{"b": object()}]])
def test_a_wrong_type_deep_inside_is_named(wrong: list[Any] | dict[str, Any]) -> None:
    with pytest.raises(TypeError) as caught:
        StatsigUser(custom={"a": wrong})
    assert "custom" in str(caught.value)
    assert str(caught.value).endswith("got object")


def test_a_wrong_name_deep_inside_is_said_to_be_one() -> None:
    with pytest.raises(TypeError, match=r"custom.*key.*got int"):
        StatsigUser(custom={"a": [{5: "x"}]})


def nested_list(levels: int) -> list[Any]:
    outermost: list[Any] = []
    innermost = outermost
    for _ in range(levels - 1):
        innermost.append([])
        innermost = innermost[0]
    return outermost


def test_deep_nesting_is_taken_or_refused_for_what_it_is() -> None:
    assert StatsigUser(custom={"a": nested_list(60)}).custom == {"a": nested_list(60)}
    for levels in (100, 100_000):
        with pytest.raises((TypeError, ValueError), match=r"custom.*nest"):
            StatsigUser(custom={"a": nested_list(levels)})


def test_values_that_hold_themselves_are_refused() -> None:
    own_list: list[Any] = []
    own_list.append(own_list)
    own_dict: dict[str, Any] = {}
    own_dict["own"] = own_dict
    for value in (own_list, own_dict):
        with pytest.raises((TypeError, ValueError), match="custom"):
            StatsigUser(custom={"a": value})


SURROGATES: list[tuple[str, dict[str, Any]]] = [
    *((name, {name: f"a{HALF_A_PAIR}"}) for name in TEXT_FIELDS),
    *((name, {name: {"key": HALF_A_PAIR}}) for name in MAP_FIELDS),
    *((name, {name: {HALF_A_PAIR: "value"}}) for name in MAP_FIELDS),
    ("custom", {"custom": {"key": [HALF_A_PAIR]}}),
    ("custom", {"custom": {"key": {HALF_A_PAIR: 1}}}),
]


@pytest.mark.parametrize(("name", "arguments"), SURROGATES)
def test_half_a_surrogate_pair_is_refused_by_name(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"{name}.*surrogate"):
        StatsigUser(**arguments)


def test_a_private_value_is_not_in_the_error_about_it() -> None:
    for wrong in ({"a": [b"hush-hush"]}, {"a": f"hush-hush{HALF_A_PAIR}"}):
        with pytest.raises((TypeError, ValueError)) as caught:
            StatsigUser(private_attributes=wrong)
        assert "hush" not in str(caught.value) + repr(caught.value)


@pytest.mark.parametrize("arguments", [{"userID": "u"}, {"nope": 1}])
def test_unknown_arguments(arguments: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=next(iter(arguments))):
        StatsigUser(**arguments)


class Liar(Mapping[str, Any]):
    """A mapping that is wrong about its length."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[str]:
        return iter(("a", "b"))

    def __getitem__(self, key: str) -> str:
        return key


@pytest.mark.parametrize("length", [0, 1, 2**62, 2**63 - 1])
def test_the_length_a_mapping_claims_is_not_relied_on(length: int) -> None:
    assert StatsigUser(custom=Liar(length)).custom == {"a": "a", "b": "b"}


class Broken(Mapping[str, Any]):
    """A mapping that fails while it is read."""

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        raise LookupError("broken")

    def __getitem__(self, key: str) -> str:
        return key


@pytest.mark.parametrize(
    "arguments", [{"custom": Broken()}, {"custom": {"a": Broken()}}, {"custom": {"a": [Broken()]}}]
)
def test_the_error_of_a_mapping_is_passed_on(arguments: dict[str, Any]) -> None:
    with pytest.raises(LookupError, match="broken"):
        StatsigUser(**arguments)


class Growing(Mapping[str, Any]):
    """A mapping that changes the dict it is in while it is read."""

    def __init__(self, outer: dict[str, Any]) -> None:
        self._outer = outer

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        self._outer[f"more {len(self._outer)}"] = 1
        return iter(("a",))

    def __getitem__(self, key: str) -> str:
        return key


def test_a_dict_that_changes_while_it_is_read_is_no_panic() -> None:
    outer: dict[str, Any] = {}
    outer.update(first=Growing(outer), second=2)
    # Either a copy from before or Python's own error for this; a panic would be a BaseException.
    try:
        user = StatsigUser(custom=outer)
    except RuntimeError as error:
        assert "changed" in str(error)  # noqa: PT017 - one of two right outcomes
    else:
        assert user.custom is not None
        assert user.custom["first"] == {"a": "a"}


@pytest.mark.parametrize("name", ["nope", "userid", "UserID", "userId", "customIds", "", "user_id "])
def test_an_unknown_name_in_a_mapping(statsig: Statsig, name: str) -> None:
    with pytest.raises(ValueError, match=rf"argument 'user': unknown field \"{name}\""):
        statsig.check_gate({"user_id": "u-1", name: "x"}, "on")


@pytest.mark.parametrize(
    ("user", "says"),
    [
        (None, "argument 'user': expected StatsigUser, str (a user id) or mapping, got NoneType"),
        (5, "argument 'user': expected StatsigUser, str (a user id) or mapping, got int"),
        (b"u", "argument 'user': expected StatsigUser, str (a user id) or mapping, got bytes"),
        (["u"], "argument 'user': expected StatsigUser, str (a user id) or mapping, got list"),
        (StatsigUser, "argument 'user': expected StatsigUser, str (a user id) or mapping, got type"),
        ({5: "u"}, "argument 'user': expected keys that are str, got int"),
        ({"userID": 5}, "argument 'user_id': expected str or None, got int"),
        ({"custom": "x"}, "argument 'custom': expected a mapping of str to attribute, got str"),
        ({"customIDs": {5: 1}}, "argument 'custom_ids': expected keys that are str, got int"),
    ],
)
@pytest.mark.parametrize(
    "check", ["check_gate", "get_feature_gate", "get_dynamic_config", "get_experiment", "get_layer"]
)
def test_users_that_cannot_be(statsig: Statsig, check: str, user: object, says: str) -> None:
    with pytest.raises(TypeError) as caught:
        getattr(statsig, check)(user, "on")
    assert str(caught.value) == says


@pytest.mark.parametrize("user", [HALF_A_PAIR, {"userID": HALF_A_PAIR}, {HALF_A_PAIR: "u"}])
def test_half_a_surrogate_pair_in_a_user_that_is_none(statsig: Statsig, user: str | dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"user.*surrogate"):
        statsig.check_gate(user, "on")


def test_an_integer_that_changes_the_dict_it_is_in_is_no_panic() -> None:
    class Meddling(int):
        def __float__(self) -> float:
            custom[f"more {len(custom)}"] = 1
            return 1.0

    custom: dict[str, Any] = {"big": Meddling(2**70), "small": 1}
    assert StatsigUser("u-1", custom=custom).custom == {"big": 1.0, "small": 1}


def test_lists_that_hold_each_other_again_and_again_are_bounded() -> None:
    doubled: list[Any] = []
    for _ in range(40):
        doubled = [doubled, doubled]
    with pytest.raises(ValueError, match=r'custom\["a"\].*at most 100000 elements'):
        StatsigUser("u-1", custom={"a": doubled})


def test_a_field_in_both_spellings_is_refused() -> None:
    with Statsig("secret-key", StatsigOptions()) as statsig, pytest.raises(ValueError, match="user_id"):
        statsig.check_gate({"user_id": "a", "userID": "b"}, "on")
