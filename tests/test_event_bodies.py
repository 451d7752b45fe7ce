"""What is sent is what the official core sends for the same calls, field for field."""

from __future__ import annotations

from typing import Any, Final

import pytest

from event_calls import USERS, call, checks, read
from event_project import PARAMETERS, event_project
from recorded_events import Both, expect_same

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
