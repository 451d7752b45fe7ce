"""Checks that are not exposed are counted, as the official core counts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conformance.stores import GETTERS
from event_calls import OPTIONS, USERS, call, read
from event_project import DEEP, PARAMETERS, event_project
from recorded_events import Both

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recorded_events import Events, Program

SPECS = {
    "check_gate": ("A", "odd", "ghost", "groups", "deep group", "asks mapped", "mapped from", ""),
    "get_feature_gate": ("A", "odd", "ghost", "deep 79", "asks mapped", "mapped from", ""),
    "get_dynamic_config": ("dynamic", "e", "by group", "odd", "ghost", "deep", "mapped from"),
    "get_experiment": ("dynamic", "e", "by group", "odd", "ghost", "deep", "mapped from", "bandit"),
    "get_layer": ("plain", "l", "new", "by group", "l odd", "ghost", "deep", "to mapped"),
    "get_parameter_store": ("store", "ghost"),
}


def counted(events: Events) -> dict[str, int]:
    """What the one event that counts checks says."""
    (event,) = [event for event in events if event["eventName"] == "statsig::non_exposed_checks"]
    checks: dict[str, int] = event["metadata"]["checks"]
    return checks


def together(calls: Mapping[str, Program]) -> Program:
    """All of them, one after the other."""

    def program(sdk: Any, client: Any) -> None:  # noqa: ANN401 - either package
        for made in calls.values():
            made(sdk, client)

    return program


@pytest.mark.parametrize("method", OPTIONS)
def test_quiet_calls_are_counted_by_name(method: str) -> None:
    user = USERS["full"]
    for name in SPECS[method]:
        checked = call(method, user, name, quiet=True)
        with Both(event_project(), exposure_dedupe_max_keys=1) as both:
            both.same(checked)
            if method == "get_layer":
                reads = {
                    f"{getter} {parameter}": read(method, user, name, getter, parameter, "x", quiet=True)
                    for parameter in PARAMETERS
                    for getter in ("get", "get_string", "get_typed")
                }
                both.same(reads["get a"])
                both.same(together(reads))


@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.parametrize("user", ["full", "id only", "no user id"])
def test_every_parameter_of_a_store(user: str, quiet: bool) -> None:
    document = event_project()
    # The official core does not name a gate that is nested too deeply.
    parameters = set(document["param_stores"]["store"]["parameters"]) - {f"gate deep {DEEP - 1}"}
    calls: dict[str, Program] = {}
    for getter, (fallback, _) in GETTERS.items():
        for parameter in (*sorted(parameters), "ghost"):
            made = read("get_parameter_store", USERS[user], "store", getter, parameter, fallback, quiet=quiet)
            calls[f"{getter} {parameter}"] = made
        made = read("get_parameter_store", USERS[user], "ghost", getter, "ghost", fallback, quiet=quiet)
        calls[f"{getter} of no store"] = made
    with Both(document, exposure_dedupe_max_keys=1) as both:
        events = both.each(calls)
        assert quiet != any(events.values())


def test_a_quiet_check_exposes_no_group() -> None:
    # In the official core `get_feature_gate` does, as the only one.
    with Both(event_project()) as both:
        ours, theirs = both.run(call("get_feature_gate", USERS["full"], "groups", quiet=True))
    assert counted(ours) == {"groups": 1, "e": 1, "e2": 1, "ghost": 1, "odd": 1}
    assert len(ours) == 1
    assert counted(theirs) == {"groups": 1}
    assert [event["metadata"]["config"] for event in theirs[:-1]] == ["e", "e2", "ghost", "odd"]


def test_mixed_calls_are_counted_until_they_are_sent() -> None:
    user = USERS["full"]
    calls = {
        f"{method} {name} {quiet}": call(method, user, name, quiet=quiet)
        for quiet in (True, False, True)
        for method, names in SPECS.items()
        for name in names
        if method not in ("get_parameter_store", "get_feature_gate")
    }
    with Both(event_project(), exposure_dedupe_max_keys=1) as both:
        both.each(calls)
        both.each(calls)
        assert both.sent() == ([], [])


@pytest.mark.parametrize("start", [False, True])
def test_before_the_start_too(start: bool) -> None:
    calls = {
        f"{method} {name}": call(method, USERS["full"], name, quiet=True)
        for method, names in SPECS.items()
        for name in names
    }
    store = read("get_parameter_store", USERS["full"], "store", "get_string", "gate A", "x")
    layer = read("get_layer", USERS["full"], "l", "get", "a", quiet=True)
    with Both(None, start=start) as both:
        both.same(together({**calls, "store": store, "layer": layer}))


def test_odd_names_are_counted() -> None:
    names = ('quoted " \\', "é\n\u2028\U0001f600", "", "x" * 1000)
    calls = {name: call("check_gate", USERS["full"], name, quiet=True) for name in names}
    with Both(event_project()) as both:
        assert counted(both.same(together(calls))) == dict.fromkeys(names, 1)


def test_what_is_no_check_is_neither_exposed_nor_counted() -> None:
    def program(sdk: Any, client: Any) -> None:  # noqa: ANN401 - either package
        user = sdk.StatsigUser("u")
        client.get_experiment_by_group_name("e", "G")
        client.get_experiment_by_group_id_advanced("e", "g")
        client.get_experiment_groups("e")
        client.get_client_initialize_response(user)
        client.get_feature_gate_list()
        client.get_parameter_store(user, "store")

    with Both(event_project()) as both:
        assert both.same(program) == []
        for kind in ("gate", "config", "experiment", "layer"):
            both.ours.explain("u", "e", kind)
        assert both.sent() == ([], [])
