"""Exposures are not repeated within a minute: as in the official core, but for what its keys confuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conformance.build import condition, config, gate, layer, payload, rule
from recorded_events import Both

if TYPE_CHECKING:
    from recorded_events import Events, Program

_EVERYBODY = {"yes": {"type": "public", "idType": "userID"}}
_PAID = condition("user_field", "any", ["yes"], field="paid")


def project() -> dict[str, Any]:
    """Specs whose results depend on a field, and some that do not."""
    rules = [rule("paid", ["paid"], {"a": 1}), rule("all", ["yes"], {"a": 2})]
    return payload(
        {
            "gate": gate([rule("on", ["paid"])]),
            "other": gate([rule("on", ["yes"])]),
            "companies": gate([rule("on", ["yes"], idType="companyID")], idType="companyID"),
            "by group": gate([rule("on", ["group"])]),
            "same": gate([rule("on", ["yes"])]),
        },
        {
            "config": config(rules),
            "experiment": config(rules, entity="experiment", isActive=True),
            "same": config([rule("on", ["yes"], {"a": 1})]),
        },
        {"layer": layer([rule("all", ["yes"], {"a": 1, "z": 2})])},
        {
            **_EVERYBODY,
            "paid": _PAID,
            "group": condition("experiment_group", "any", ["G"], field="experiment"),
        },
    )


def checking(
    *users: dict[str, Any], method: str = "check_gate", name: str = "gate", times: int = 1
) -> Program:
    """The same check for users, one after the other."""

    def program(sdk: Any, client: Any) -> None:  # noqa: ANN401 - either package
        for fields in users:
            for _ in range(times):
                getattr(client, method)(sdk.StatsigUser(**fields), name)

    return program


def both_send(program: Program) -> tuple[Events, Events]:
    with Both(project()) as both:
        return both.run(program)


ONE: dict[str, Any] = {"user_id": "u"}
METHODS = {
    "check_gate": "gate",
    "get_feature_gate": "gate",
    "get_dynamic_config": "config",
    "get_experiment": "experiment",
    "manually_log_gate_exposure": "gate",
    "manually_log_dynamic_config_exposure": "config",
    "manually_log_experiment_exposure": "experiment",
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("users", "sent"),
    [
        ([ONE], 1),
        ([ONE, {"user_id": "v"}, ONE], 2),
        ([ONE, {**ONE, "email": "e@x"}, {**ONE, "ip": "8.8.8.8", "country": "NZ", "locale": "en"}], 1),
        ([ONE, {**ONE, "custom": {"a": 1}}, {**ONE, "private_attributes": {"b": 1}}], 1),
        ([ONE, {**ONE, "statsig_environment": {"tier": "x"}}], 1),
        ([ONE, {**ONE, "custom": {"paid": "yes"}}, ONE, {**ONE, "custom": {"paid": "yes"}}], 2),
        ([ONE, {**ONE, "custom_ids": {"companyID": "c"}}], 2),
        ([{**ONE, "custom_ids": {"companyID": "c"}}, {**ONE, "custom_ids": {"companyID": "d"}}], 2),
        ([{**ONE, "custom_ids": {"stableID": "c"}}, {**ONE, "custom_ids": {"stableID": "d"}}], 2),
        ([{**ONE, "custom_ids": {"a": "c", "b": "d"}}, {**ONE, "custom_ids": {"b": "d", "a": "c"}}], 1),
        ([{**ONE, "custom_ids": {"a": 1}}, {**ONE, "custom_ids": {"a": "1"}}], 1),
        ([{"user_id": ""}, {"custom_ids": {"a": "1"}}, {"user_id": "", "custom_ids": {"a": "1"}}], 2),
    ],
)
def test_the_same_to_the_same_ids_is_sent_once(method: str, users: list[dict[str, Any]], sent: int) -> None:
    program = checking(*users, method=method, name=METHODS[method], times=3)
    with Both(project()) as both:
        assert len(both.same(program)) == sent


def test_parameters_of_a_layer_are_sent_once_each() -> None:
    def program(sdk: Any, client: Any) -> None:  # noqa: ANN401 - either package
        for _ in range(3):
            found = client.get_layer(sdk.StatsigUser("u"), "layer")
            for parameter in ("a", "z", "a", "none"):
                found.get(parameter)
            client.manually_log_layer_parameter_exposure(sdk.StatsigUser("u"), "layer", "a")

    with Both(project()) as both:
        assert [event["metadata"]["parameterName"] for event in both.same(program)] == ["a", "z"]


@pytest.mark.parametrize(
    ("automatic", "manual"),
    [
        ("get_feature_gate", "manually_log_gate_exposure"),
        ("get_dynamic_config", "manually_log_dynamic_config_exposure"),
    ],
)
def test_an_exposure_by_hand_repeats_that_of_a_check(automatic: str, manual: str) -> None:
    name = METHODS[automatic]

    def program(sdk: Any, client: Any) -> None:  # noqa: ANN401 - either package
        for number, order in enumerate(((automatic, manual), (manual, automatic))):
            for method in order:
                getattr(client, method)(sdk.StatsigUser(f"u{number}"), name)

    with Both(project()) as both:
        assert ["isManualExposure" in event["metadata"] for event in both.same(program)] == [False, True]


def test_what_is_remembered_is_bounded() -> None:
    def program(sdk: Any, client: Any) -> None:  # noqa: ANN401 - either package
        for number in (0, 1, 2, 3, 3, 2, 1, 0):
            client.check_gate(sdk.StatsigUser(f"u{number}"), "gate")

    with Both(project(), exposure_dedupe_max_keys=2) as both:
        assert len(both.same(program)) == 6


def test_both_ways_of_checking_a_gate_are_one() -> None:
    # The official core's keys have another id in the one than in the other.
    def program(sdk: Any, client: Any) -> None:  # noqa: ANN401 - either package
        client.check_gate(sdk.StatsigUser("u"), "gate")
        client.get_feature_gate(sdk.StatsigUser("u"), "gate")

    ours, theirs = both_send(program)
    assert (len(ours), len(theirs)) == (1, 2)
    assert theirs == [*ours, *ours]


def test_a_check_of_an_experiment_repeats_that_for_a_group() -> None:
    # Their keys differ in the official core, too.
    def program(sdk: Any, client: Any) -> None:  # noqa: ANN401 - either package
        client.get_feature_gate(sdk.StatsigUser("u"), "by group")
        client.get_experiment(sdk.StatsigUser("u"), "experiment")

    ours, theirs = both_send(program)
    assert [event["metadata"].get("config") for event in ours] == ["experiment", None]
    assert [event["metadata"].get("config") for event in theirs] == ["experiment", None, "experiment"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # The name of an id does not count for the official core, and it adds up what the ids are.
        ({"a": "1"}, {"b": "1"}),
        ({"a": "1", "b": "2"}, {"a": "2", "b": "1"}),
    ],
)
def test_ids_count_by_name_and_value(first: dict[str, str], second: dict[str, str]) -> None:
    users = [{**ONE, "custom_ids": first}, {**ONE, "custom_ids": second}]
    ours, theirs = both_send(checking(*users))
    assert [event["user"]["customIDs"] for event in ours] == [first, second]
    assert [event["user"]["customIDs"] for event in theirs] == [first]


def test_a_config_does_not_repeat_the_gate_of_its_name() -> None:
    # For the official core it does, where rule and value are the same.
    def program(sdk: Any, client: Any) -> None:  # noqa: ANN401 - either package
        client.get_feature_gate(sdk.StatsigUser("u"), "same")
        client.get_dynamic_config(sdk.StatsigUser("u"), "same")

    ours, theirs = both_send(program)
    assert [event["eventName"] for event in ours] == ["statsig::gate_exposure", "statsig::config_exposure"]
    assert [event["eventName"] for event in theirs] == ["statsig::gate_exposure"]
