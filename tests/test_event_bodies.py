"""What is sent is what the official core sends for the same calls, field for field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from event_project import DEEP, FULL_USER, PARAMETERS, event_project
from recorded_events import Both, expect_same

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from recorded_events import Program

# As the constructors of both packages take them.
USERS: Final[dict[str, dict[str, Any]]] = {
    "full": FULL_USER,
    "id only": {"user_id": "u"},
    "nobody": {"user_id": ""},
    "no user id": {"custom_ids": {"stableID": "s"}},
    "empty maps": {
        "user_id": "v",
        "custom": {},
        "custom_ids": {},
        "private_attributes": {},
        "statsig_environment": {},
    },
    "empty texts": {"user_id": "w", "email": "", "ip": "", "country": "", "locale": "", "app_version": ""},
}

# The limit is 64 gates below the one that is asked for.
ASKED_DEEP: Final = ("deep 0", "deep 64", "deep 65", f"deep {DEEP - 1}")

# See the test of a gate that is nested too deeply.
ODD_CALLS: Final = [("check_gate", name) for name in ASKED_DEEP[2:]]

GETTERS: Final[dict[str, tuple[Any, ...]]] = {
    "get": (None, "x", 1, 1.5, True, [], {}),
    "get_typed": (None, "x", 1),
    "get_string": ("x",),
    "get_integer": (1,),
    "get_float": (1.5,),
    "get_bool": (False,),
    "get_array": ([],),
    "get_object": ({},),
}
# For the official core, a bool is a good fallback for an integer: what the getters return differs as well.
INTEGERS: Final = ("b", "n", "m", "z", "whole")

OPTIONS: Final = {
    "get_feature_gate": "FeatureGateEvaluationOptions",
    "check_gate": "FeatureGateEvaluationOptions",
    "get_dynamic_config": "DynamicConfigEvaluationOptions",
    "get_experiment": "ExperimentEvaluationOptions",
    "get_layer": "LayerEvaluationOptions",
    "get_parameter_store": "ParameterStoreEvaluationOptions",
}


def call(method: str, user: Mapping[str, Any], *arguments: Any, quiet: bool = False) -> Program:  # noqa: ANN401
    """A call of a method about a user."""

    def program(sdk: Any, client: Any) -> object:  # noqa: ANN401
        options = [getattr(sdk, OPTIONS[method])(disable_exposure_logging=True)] if quiet else []
        return getattr(client, method)(sdk.StatsigUser(**user), *arguments, *options)

    return program


def read(
    method: str,
    user: Mapping[str, Any],
    name: str,
    getter: str,
    *arguments: Any,  # noqa: ANN401
    quiet: bool = False,
) -> Program:
    """A call of a getter of what a method returns."""

    def program(sdk: Any, client: Any) -> object:  # noqa: ANN401
        found = call(method, user, name, quiet=quiet)(sdk, client)
        return getattr(found, getter)(*arguments)

    return program


def checks(document: Mapping[str, Any], user: Mapping[str, Any]) -> Iterator[tuple[str, Program]]:
    """Every call about every spec, and about some that do not exist."""
    methods = {
        "feature_gates": ("check_gate", "get_feature_gate", "manually_log_gate_exposure"),
        "dynamic_configs": (
            "get_dynamic_config",
            "get_experiment",
            "manually_log_dynamic_config_exposure",
            "manually_log_experiment_exposure",
        ),
    }
    for table, names in methods.items():
        for method in names:
            asked = [name for name in _asked(document[table]) if (method, name) not in ODD_CALLS]
            for name in (*asked, "ghost", "", "mapped ghost", "explores"):
                yield f"{method} {name!r}", call(method, user, name)
    for name in (*document["layer_configs"], "ghost", "mapped ghost"):
        for parameter in PARAMETERS:
            yield f"layer {name!r}, {parameter}", read("get_layer", user, name, "get", parameter)
            manual = call("manually_log_layer_parameter_exposure", user, name, parameter)
            yield f"manual layer {name!r}, {parameter}", manual


def _asked(names: Iterable[str]) -> list[str]:
    """The names without most of those that are there for their depth only."""
    return [name for name in names if not name.startswith("deep ") or name in ASKED_DEEP]


@pytest.mark.parametrize("user", USERS)
def test_every_check_of_every_spec(user: str) -> None:
    document = event_project()
    with Both(document, exposure_dedupe_max_keys=1) as both:
        events = both.each(dict(checks(document, USERS[user])))
    assert sum(map(len, events.values())) > 300


def test_a_gate_nested_too_deeply_is_named() -> None:
    # The official core names it but for `check_gate`, where the name is empty.
    with Both(event_project(), exposure_dedupe_max_keys=1) as both:
        ours, theirs = both.run(call("check_gate", USERS["full"], "deep 65"))
    assert [event["metadata"].pop("gate") for event in (*ours, *theirs)] == ["deep 65", ""]
    expect_same(ours, theirs)
    (event,) = ours
    assert event["metadata"]["reason"] == "Error:Statsig Evaluation Depth Exceeded"
    assert "lcut" not in event["metadata"]


@pytest.mark.parametrize(
    ("environment", "of_payload"), [(None, None), (None, "payload"), ("option", None), ("option", "payload")]
)
def test_the_environment_is_the_first_there_is(environment: str | None, of_payload: str | None) -> None:
    document = event_project(**({"default_environment": of_payload} if of_payload else {}))
    calls = {
        f"{method} {name}": call(method, user, *arguments)
        for name, user in USERS.items()
        for method, *arguments in (
            ("check_gate", "A"),
            ("get_experiment", "e"),
            ("log_event", "event"),
            ("identify",),
        )
    }
    with Both(document, environment=environment, exposure_dedupe_max_keys=1) as both:
        both.each(calls)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"level": 9, "global": "g"},
        {"x": [1, "a", 2.5, True], "y": 1.5, "z": True, "": "", "object": {"k": "v"}},
    ],
)
def test_global_custom_fields_are_told_of_everybody(fields: dict[str, Any]) -> None:
    calls = {
        f"{method} {name}": call(method, user, *arguments)
        for name, user in USERS.items()
        for method, *arguments in (("check_gate", "A"), ("log_event", "event"), ("identify",))
    }
    with Both(event_project(), global_custom_fields=fields, exposure_dedupe_max_keys=1) as both:
        both.each(calls)


@pytest.mark.parametrize("layer", ["values", "l", "new", "ghost"])
def test_a_parameter_counts_if_it_is_there_and_of_the_type(layer: str) -> None:
    user = USERS["full"]
    calls = {
        f"{getter} {parameter}, {fallback!r}": read("get_layer", user, layer, getter, parameter, fallback)
        for getter, fallbacks in GETTERS.items()
        for fallback in fallbacks
        for parameter in PARAMETERS
        if not (isinstance(fallback, bool) and parameter in INTEGERS)
    }
    calls["get_value"] = read("get_layer", user, layer, "get_value")
    calls["to_dict"] = read("get_layer", user, layer, "to_dict")
    calls["nothing"] = call("get_layer", user, layer)
    with Both(event_project(), exposure_dedupe_max_keys=1) as both:
        events = both.each(calls)
    assert not events["get_value"] + events["to_dict"] + events["nothing"]


@pytest.mark.parametrize("method", ["get_dynamic_config", "get_experiment"])
def test_reading_a_parameter_of_a_config_counts_no_more(method: str) -> None:
    calls = {
        f"{getter} {parameter}": read(method, USERS["full"], "values", getter, parameter, *fallback[:1])
        for getter, fallback in GETTERS.items()
        for parameter in PARAMETERS
    }
    with Both(event_project(), exposure_dedupe_max_keys=1) as both:
        events = both.each(calls)
    assert {len(found) for found in events.values()} == {1}
