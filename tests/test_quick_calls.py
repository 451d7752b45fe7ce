"""Methods that are made quick take what PyO3's take, may be replaced by subclasses, and keep nothing."""

from __future__ import annotations

import contextlib
import gc
import inspect
import sys
import weakref
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from small_project import TIME, payload
from statsig_fastly import (
    DynamicConfig,
    Experiment,
    FeatureGateEvaluationOptions,
    Layer,
    Statsig,
    StatsigOptions,
    StatsigUser,
)
from statsig_fastly._native import Evaluator, EventLog

if TYPE_CHECKING:
    from collections.abc import Callable


class Client(Evaluator, quick_calls=True):
    """Inherits everything, as `Statsig` does."""


class Never(Evaluator):
    """Has a method of its own."""

    def check_gate(self, *_args: object, **_options: object) -> bool:
        return False


class StillNever(Never, quick_calls=True): ...


class Aside:
    def check_gate(self, *_args: object, **_options: object) -> bool:
        return False


class Mixed(Aside, Evaluator, quick_calls=True): ...


def unlike(text: str) -> str:
    """The same text as another object."""
    return "".join([*text])


def loaded(kind: type[Evaluator] = Client, **options: Any) -> Evaluator:  # noqa: ANN401 - as Evaluator takes them
    made = kind(**options)
    made._load(payload(TIME), "Test")
    return made


@pytest.mark.parametrize("kind", [Evaluator, Client, Statsig])
@pytest.mark.parametrize("name", ["check_gate", "get_feature_gate", "get_dynamic_config", "get_experiment"])
def test_signatures_and_docs_are_those_of_pyo3(kind: type[Evaluator], name: str) -> None:
    method = getattr(kind, name)
    assert list(inspect.signature(method).parameters) == ["self", "user", "name", "options"]
    assert method.__doc__.endswith(".")
    assert method.__qualname__ == f"{kind.__name__}.{name}"


@pytest.mark.parametrize("kind", [DynamicConfig, Experiment, Layer])
def test_signature_of_get(kind: type) -> None:
    assert list(inspect.signature(kind.get).parameters) == ["self", "param_name", "fallback"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("user", ["u", StatsigUser("u"), {"user_id": "u"}])
def test_arguments_by_position_and_by_name(user: Any) -> None:  # noqa: ANN401 - three of them
    checks = loaded()
    options = FeatureGateEvaluationOptions()
    calls: list[Callable[[], object]] = [
        lambda: checks.check_gate(user, "on"),
        lambda: checks.check_gate(user, name="on"),
        lambda: checks.check_gate(name="on", user=user),
        lambda: checks.check_gate(user, "on", None),
        lambda: checks.check_gate(user, "on", options),
        lambda: checks.check_gate(user, "on", options=options),
        lambda: bool(checks.get_feature_gate(user, name="on")),
    ]
    assert [call() for call in calls] == [True] * len(calls)
    number = checks.get_dynamic_config(user, "number")
    assert [number.get("a"), number.get(param_name="a"), number.get("a", 5), number.get("a", "x")] == [
        1,
        1,
        1,
        "x",
    ]
    assert [number.get("b"), number.get("b", [])] == [[1], [1]]


WRONG: dict[str, tuple[Callable[[Any], object], str]] = {
    "nothing": (lambda of: of.check_gate(), "missing 2 required positional arguments: 'user' and 'name'"),
    "one": (lambda of: of.check_gate("u"), "missing 1 required positional argument: 'name'"),
    "too many": (
        lambda of: of.check_gate("u", "on", None, 4),
        "takes from 2 to 3 positional arguments but 4 were",
    ),
    "unknown": (lambda of: of.check_gate("u", "on", nope=1), "got an unexpected keyword argument 'nope'"),
    "twice": (lambda of: of.check_gate("u", "on", name="on"), "got multiple values for argument 'name'"),
    "name": (lambda of: of.check_gate("u", 5), "argument 'name': expected str, got int"),
    "user": (
        lambda of: of.check_gate(5, "on"),
        r"argument 'user': expected StatsigUser, str \(a user id\) or mapping",
    ),
    "options": (
        lambda of: of.check_gate("u", "on", 5),
        "argument 'options': expected FeatureGateEvaluationOptions",
    ),
    "parameter": (
        lambda of: of.get_dynamic_config("u", "number").get(5),
        "argument 'param_name': expected str",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_arguments_are_named(wrong: str) -> None:
    call, text = WRONG[wrong]
    with pytest.raises(TypeError, match=text):
        call(loaded())


def test_a_name_that_cannot_be_encoded() -> None:
    with pytest.raises(ValueError, match="argument 'name': expected text that can be encoded"):
        loaded().check_gate("u", "\ud800")


@pytest.mark.parametrize("kind", [Never, StillNever, Mixed])
def test_a_subclass_that_has_a_method_of_its_own_keeps_it(kind: type[Evaluator]) -> None:
    checks = loaded(kind)
    assert not checks.check_gate("u", "on")
    assert Evaluator.check_gate(checks, "u", "on")
    assert checks.get_feature_gate("u", "on").value


class Plain(Statsig): ...


class Always(Statsig):
    def check_gate(self, *_args: object, **_options: object) -> bool:
        return True


class Both(Plain, Always): ...


def test_subclasses_of_the_client_follow_the_order_of_python() -> None:
    with Both("secret-key", StatsigOptions(disable_all_logging=True)) as checks:
        assert checks.check_gate("u", "none")
        assert not Statsig.check_gate(checks, "u", "none")


def test_a_method_of_the_client_that_is_replaced_is_so_in_subclasses() -> None:
    checks: Any = Plain("secret-key", StatsigOptions(disable_all_logging=True))
    with patch.object(Statsig, "check_gate", return_value="patched"):
        assert checks.check_gate("u", "none") == "patched"
    assert checks.check_gate("u", "none") is False


def test_names_that_are_equal_but_not_the_same() -> None:
    checks = loaded()
    for _ in range(3):
        names = [unlike(text) for text in ("on", "off") for _ in range(400)]
        assert [checks.check_gate("u", name) for name in names] == [True] * 400 + [False] * 400
        assert checks.get_dynamic_config("u", unlike("number"))[unlike("a")] == 1


def test_another_payload_gives_other_answers_to_the_same_names() -> None:
    checks = loaded()
    for number in range(1, 5):
        checks._load(payload(TIME + number, number), "Test")
        config = checks.get_dynamic_config("u", "number")
        assert (config.get("a"), config.get("a", 0), config.rule_id) == (number, number, f"rule_{number}")
        assert checks.get_dynamic_config("u", "number") == config


class Named(str):
    """A name that refers to something."""

    __slots__ = ("owner",)
    owner: object


@pytest.mark.parametrize("method", ["get_feature_gate", "get_dynamic_config", "get_experiment", "get_layer"])
@pytest.mark.parametrize("name", ["number", "none"])
@pytest.mark.parametrize("is_overridden", [False, True])
def test_names_of_results_are_strings_and_no_more(method: str, name: str, is_overridden: bool) -> None:
    checks = loaded()
    if is_overridden:
        checks._set_override("gate", "on", False, None)
    for asked in (Named(name), name, Named(name)):
        result = getattr(checks, method)("u", asked)
        assert type(result.name) is str
        assert result == getattr(checks, method)("u", name)
        assert repr(result) == repr(getattr(checks, method)("u", name))


def test_a_name_that_refers_to_the_evaluator_does_not_keep_it() -> None:
    checks = loaded()
    gone, name = weakref.ref(checks), Named("number")
    name.owner = checks
    checks.get_dynamic_config("u", name)
    del checks, name
    gc.collect()
    assert gone() is None


class Owner:
    """Is told of events, and has what is read of a layer."""

    def __init__(self) -> None:
        log = EventLog(batch_size=10, capacity=10, dedupe_ms=60_000, dedupe_keys=10)
        log.on_waiting(self.told)
        self.layer = loaded(events=log).get_layer("u", "page")

    def told(self, _is_full: bool) -> None: ...


def test_a_layer_does_not_keep_who_is_told_of_its_events() -> None:
    owner = Owner()
    assert owner.layer.get("title") is not None
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None


def refused(call: Callable[[], object]) -> None:
    with contextlib.suppress(TypeError, ValueError):
        call()


def test_nothing_waits_for_a_call_the_long_way_to_be_dropped() -> None:
    checks, user = loaded(), StatsigUser("u")
    config = checks.get_dynamic_config(user, "number")
    wrong: Any = 5
    calls: dict[str, Callable[[], object]] = {
        "another name object": lambda: checks.check_gate(user, unlike("on")),
        "another parameter object": lambda: config.get(unlike("size")),
        "a name": lambda: refused(lambda: checks.check_gate(user, wrong)),
        "a name that cannot be encoded": lambda: refused(lambda: checks.check_gate(user, "\ud800")),
        "a user": lambda: refused(lambda: checks.check_gate(wrong, "on")),
        "a mapping": lambda: refused(lambda: checks.check_gate({"nope": 1}, "on")),
        "options": lambda: refused(lambda: checks.check_gate(user, "on", wrong)),
        "a parameter": lambda: refused(lambda: config.get(wrong)),
        "a new user": lambda: refused(lambda: made_wrongly(5)),
    }
    for call in calls.values():
        call()
    gc.collect()
    gc.disable()
    try:
        for name, call in calls.items():
            before = sys.getallocatedblocks()
            for _ in range(1000):
                call()
            assert sys.getallocatedblocks() - before < 600, name
    finally:
        gc.enable()


@pytest.mark.parametrize("ends", ["another payload", "the evaluator is gone"])
@pytest.mark.parametrize("exposures", [False, True])
def test_nothing_is_kept_of_a_payload_that_was_replaced(ends: str, exposures: bool) -> None:
    log = EventLog(batch_size=10, capacity=100, dedupe_ms=60_000, dedupe_keys=100)
    name, parameter = unlike("number"), unlike("a")
    before = sys.getrefcount(name), sys.getrefcount(parameter)
    checks = loaded(events=log if exposures else None)
    for _ in range(3):
        assert checks.get_dynamic_config("u", name).get(parameter) == 1
        assert checks.get_experiment("u", name).get(parameter) == 1
    assert sys.getrefcount(name) > before[0]
    log.clear()
    if ends == "another payload":
        checks._load(payload(TIME + 1, 2), "Test")
    else:
        del checks
    assert (sys.getrefcount(name), sys.getrefcount(parameter)) == before


def test_a_result_outlives_its_payload() -> None:
    checks = loaded()
    config = checks.get_dynamic_config("u", "number")
    checks._load(payload(TIME + 1, 2), "Test")
    del checks
    assert (config.name, config.get("a"), config.value["a"], config.rule_id) == ("number", 1, 1, "rule_1")


TEXTS = ("user_id", "email", "ip", "country", "locale", "app_version", "user_agent")
MAPS = ("custom", "custom_ids", "private_attributes", "statsig_environment")
ARGUMENTS = (*TEXTS, *MAPS)
TEXT = st.text(max_size=5).filter(lambda text: text.isprintable())
SOME_TEXT = st.none() | TEXT
SOME_MAP = st.none() | st.dictionaries(TEXT, TEXT | st.integers(0, 99) | st.booleans(), max_size=3)


@st.composite
def user_arguments(draw: st.DrawFn) -> tuple[list[Any], dict[str, Any]]:
    """Some by position, some of the others by name, in any order, by the names of source or equal ones."""
    values: list[Any] = [draw(SOME_TEXT if name in TEXTS else SOME_MAP) for name in ARGUMENTS]
    count = draw(st.integers(0, len(ARGUMENTS)))
    rest = draw(st.permutations(range(count, len(ARGUMENTS))))
    chosen = rest[: draw(st.integers(0, len(rest)))]
    write = sys.intern if draw(st.booleans()) else unlike
    return values[:count], {write(ARGUMENTS[index]): values[index] for index in chosen}


@given(user_arguments())
def test_users_are_those_pyo3_makes(arguments: tuple[list[Any], dict[str, Any]]) -> None:
    args, named = arguments
    user, made = StatsigUser(*args, **named), StatsigUser.__new__(StatsigUser, *args, **named)
    assert user == made
    assert repr(user) == repr(made)
    given = {**dict(zip(ARGUMENTS, args, strict=False)), **named}
    for name in ARGUMENTS:
        expected = given.get(name)
        assert getattr(user, name) == ("" if name == "user_id" and expected is None else expected)


def made_wrongly(*args: Any, **named: Any) -> StatsigUser:  # noqa: ANN401 - what the types do not allow
    return StatsigUser(*args, **named)


WRONG_USERS: dict[str, tuple[Callable[[], object], str]] = {
    "too many": (
        lambda: made_wrongly(*[None] * 12),
        "takes from 0 to 11 positional arguments but 12 were given",
    ),
    "unknown": (lambda: made_wrongly("u", nope=1), "got an unexpected keyword argument 'nope'"),
    "twice": (lambda: made_wrongly("u", user_id="v"), "got multiple values for argument 'user_id'"),
    "id": (lambda: made_wrongly(5), "argument 'user_id': expected str or None, got int"),
    "field": (lambda: made_wrongly("u", ip=5), "argument 'ip': expected str or None, got int"),
    "map": (lambda: made_wrongly("u", custom=5), "argument 'custom': expected a mapping of str"),
}


@pytest.mark.parametrize("wrong", WRONG_USERS)
def test_wrong_arguments_of_users_are_named(wrong: str) -> None:
    call, text = WRONG_USERS[wrong]
    with pytest.raises(TypeError, match=text):
        call()


def test_a_user_keeps_nothing_it_was_made_of() -> None:
    values: list[Any] = [unlike("text") for _ in TEXTS] + [{unlike("key"): unlike("value")} for _ in MAPS]
    before = [sys.getrefcount(value) for value in values]
    for _ in range(50):
        StatsigUser(*values)
        StatsigUser(**dict(zip(ARGUMENTS, values, strict=True)))
        StatsigUser(**{unlike(name): value for name, value in zip(ARGUMENTS, values, strict=True)})
        with pytest.raises(TypeError):
            made_wrongly(*values, 5)
        with pytest.raises(TypeError):
            made_wrongly(values[0], user_id=values[0])
    assert [sys.getrefcount(value) for value in values] == before
