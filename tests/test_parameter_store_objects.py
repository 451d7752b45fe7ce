"""Parameter stores as objects: fallbacks, wrong arguments, what a store shows of itself."""

from __future__ import annotations

import gc
import json
import weakref
from typing import TYPE_CHECKING, Any, Final

import pytest

from engine_under_test import our_engine
from override_project import project
from reference import Reference, reference_user
from statsig_fastly import (
    FeatureGateEvaluationOptions,
    ParameterStore,
    ParameterStoreEvaluationOptions,
    Statsig,
    StatsigUser,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# What each getter takes for a fallback: by value, what it becomes.
FALLBACKS: Final[dict[str, tuple[str, list[tuple[Any, Any]]]]] = {
    "get_string": ("str", [("", ""), ("x", "x")]),
    "get_float": ("float", [(1.5, 1.5), (1, 1.0), (True, 1.0), (2**70, float(2**70))]),
    "get_integer": ("int", [(1, 1), (True, 1)]),
    "get_bool": ("bool", [(True, True), (False, False)]),
    "get_array": ("list", [([], []), ([1], [1])]),
    "get_map": ("dict", [({}, {}), ({"a": 1}, {"a": 1})]),
}
ANY_FALLBACKS: Final = (None, "s", b"s", 1, 1.5, True, [1], (1,), {"a": 1}, object())


@pytest.mark.parametrize("getter", FALLBACKS)
def test_fallbacks(getter: str) -> None:
    expected, taken = FALLBACKS[getter]
    with Reference(json.dumps(project())) as reference, our_engine(json.dumps(project()).encode()) as statsig:
        theirs = reference.core.get_parameter_store(reference_user({"userID": "u"}), "nowhere")
        ours = statsig.get_parameter_store("u", "nowhere")
        for fallback, becomes in taken:
            for store in (theirs, ours):
                value = getattr(store, getter)("p", fallback)
                assert (type(value), value) == (type(becomes), becomes)
        for fallback in ANY_FALLBACKS:
            if outcome(getattr(theirs, getter), fallback) is not TypeError:
                assert outcome(getattr(ours, getter), fallback) == outcome(getattr(theirs, getter), fallback)
                continue
            with pytest.raises(TypeError) as caught:
                getattr(ours, getter)("p", fallback)
            found = type(fallback).__name__
            assert str(caught.value) == f"argument 'fallback': expected {expected}, got {found}"
        for name in (None, 5, b"p"):
            with pytest.raises(TypeError, match=r"^argument 'param_name': expected str, got "):
                getattr(ours, getter)(name, taken[0][0])
        with pytest.raises(ValueError, match=r"^argument 'param_name': expected text that can be encoded"):
            getattr(ours, getter)("\ud83d", taken[0][0])


def outcome(getter: Callable[[str, Any], Any], fallback: Any) -> Any:  # noqa: ANN401
    try:
        return getter("p", fallback)
    except TypeError:
        return TypeError


def test_wrong_arguments() -> None:
    statsig = our_engine(b"")
    wrong: Any
    for wrong in (None, 5, b"x"):
        with pytest.raises(TypeError, match=r"^argument 'name': expected str, got "):
            statsig.get_parameter_store("u", wrong)
    for wrong in (None, 5, ["u"]):
        with pytest.raises(
            TypeError, match=r"^argument 'user': expected StatsigUser, str \(a user id\) or mapping"
        ):
            statsig.get_parameter_store(wrong, "store")
    for wrong in (5, {}, FeatureGateEvaluationOptions()):
        with pytest.raises(
            TypeError, match=r"^argument 'options': expected ParameterStoreEvaluationOptions or None"
        ):
            statsig.get_parameter_store("u", "store", wrong)
    with pytest.raises(ValueError, match=r"^argument 'user': unknown field \"nme\""):
        statsig.get_parameter_store({"nme": "u"}, "store")
    with pytest.raises(ValueError, match=r"^argument 'user': expected text that can be encoded"):
        statsig.get_parameter_store("\ud83d", "store")


def test_options_and_what_a_store_shows_of_itself() -> None:
    statsig = our_engine(b"")
    options = ParameterStoreEvaluationOptions(disable_exposure_logging=True)
    assert options == ParameterStoreEvaluationOptions(True) != ParameterStoreEvaluationOptions()
    shown = repr(statsig.get_parameter_store(StatsigUser("u"), "store", options))
    user = repr(StatsigUser("u"))
    assert shown == f"ParameterStore(name='store', user={user}, disable_exposure_logging=True)"
    assert repr(statsig.get_parameter_store("u", "s")).endswith("disable_exposure_logging=False)")


def test_a_client_that_holds_its_own_store_is_collected() -> None:
    class Client(Statsig):
        store: ParameterStore

    client = Client("secret-key")
    client.store = client.get_parameter_store("u", "store")
    gone = weakref.ref(client)
    del client
    gc.collect()
    assert gone() is None
