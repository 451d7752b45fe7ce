"""Events of the application's own are sent as the official core sends them."""

from __future__ import annotations

import math
from typing import Any, Final

import pytest
import statsig_python_core

from event_project import FULL_USER, event_project
from recorded_events import Both, expect_same

VALUES: Final[tuple[Any, ...]] = (
    None, "text", "", 'é\n"\\ \u2028 \U0001f600', "12.5", "x" * 10_000,
    0, 1, -1, 12, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63), -(2**63) - 1, 10**30,
    12.5, 0.1, -0.0, 1.0, 1e21, 1e-7, 1e308, 5e-324, 123456789.123456789,
    True, False, math.nan, math.inf, -math.inf,
)  # fmt: skip
METADATA: Final[tuple[Any, ...]] = (
    None,
    {},
    {"": ""},
    {"text": 'é\n"\\ \u2028', "empty": "", "long": "x" * 10_000},
    {"int": 1, "zero": 0, "negative": -5, "most": 2**63 - 1, "least": -(2**63)},
    {"unsigned": 2**63, "most unsigned": 2**64 - 1, "more": 2**64, "far more": 10**30, "less": -(2**63) - 1},
    {"float": 1.5, "whole": 2.0, "negative zero": -0.0, "large": 1e21, "small": 1e-7, "least": 5e-324},
    {"nan": math.nan, "inf": math.inf, "minus inf": -math.inf},
    {"true": True, "false": False, "none": None},
    {"list": [], "mixed": [1, "a", None, 1.5, True, [1, [2]], {"k": [1]}], "numbers": [1.0, 2**53 + 1]},
    {"dict": {}, "nested": {"a": {"b": {"c": [None, {"d": 1}]}}}},
    {str(n): n for n in range(200)},
    {'é " \\ \n': "odd name"},
)  # fmt: skip


def test_values_and_metadata_keep_what_they_are() -> None:
    def program(sdk: Any, client: Any) -> None:  # noqa: ANN401 - either package
        user = sdk.StatsigUser(**FULL_USER)
        for value in VALUES:
            client.log_event(user, "event", value)
        for metadata in METADATA:
            client.log_event(user, "event", None, metadata)
            client.log_event(user, 'é " \n', "value", metadata)
            client.log_event(user, "", value=1, metadata=metadata)
        client.identify(user)

    with Both(event_project(), environment="test", global_custom_fields={"global": 1}) as both:
        events = both.same(program)
    assert len(events) == len(VALUES) + 3 * len(METADATA) + 1


def test_events_are_never_taken_for_repetitions() -> None:
    def program(sdk: Any, client: Any) -> None:  # noqa: ANN401 - either package
        user = sdk.StatsigUser("u")
        for _ in range(5):
            client.log_event(user, "event", 1, {"k": "v"})
            client.identify(user)

    with Both(event_project()) as both:
        assert len(both.same(program)) == 10


def test_events_are_sent_whatever_is_loaded() -> None:
    def program(sdk: Any, client: Any) -> None:  # noqa: ANN401 - either package
        for fields in ({"user_id": "u"}, FULL_USER):
            user = sdk.StatsigUser(**fields)
            client.log_event(user, "event", 1, {"k": "v"})
            client.identify(user)

    for payload in (None, event_project(default_environment="of the payload")):
        with Both(payload, start=False) as both:
            before = both.same(program)
            both.start()
            after = both.same(program)
        assert len(before) == len(after) == 4
        tiers = [event["user"].get("statsigEnvironment") for event in (*before, *after)]
        assert tiers[0] is None
        assert tiers[4] == (None if payload is None else {"tier": "of the payload"})


@pytest.mark.parametrize("value", [[1], {"k": 1}, (1,), {1}, b"x", object()])
def test_a_value_that_cannot_be_sent_is_refused(value: Any) -> None:  # noqa: ANN401
    # The official core sends an event without a value.
    with Both(event_project()) as both:
        with pytest.raises(TypeError, match="argument 'value'"):
            both.ours.log_event("u", "event", value)
        both.theirs.log_event(statsig_python_core.StatsigUser("u"), "event", value)
        ours, theirs = both.sent()
    assert ours == []
    assert [event["value"] for event in theirs] == [None]


@pytest.mark.parametrize("metadata", [{1: "x"}, {"k": object()}, {"k": {1}}, {"k": b"x"}, {"k": {1: 2}}])
def test_metadata_that_cannot_be_sent_is_refused(metadata: Any) -> None:  # noqa: ANN401
    # The official core leaves it out.
    with Both(event_project()) as both:
        with pytest.raises(TypeError, match="'metadata"):
            both.ours.log_event("u", "event", None, metadata)
        both.theirs.log_event(statsig_python_core.StatsigUser("u"), "event", None, metadata)
        ours, theirs = both.sent()
    assert ours == []
    assert len(theirs) == 1


def test_a_tuple_in_metadata_is_a_list() -> None:
    # The official core leaves it out.
    with Both(event_project()) as both:
        both.ours.log_event("u", "event", None, {"k": (1, 2)})
        both.theirs.log_event(statsig_python_core.StatsigUser("u"), "event", None, {"k": (1, 2)})
        ours, theirs = both.sent()
    assert ours[0].pop("metadata") == {"k": [1, 2]}
    assert theirs[0].pop("metadata") == {}
    expect_same(ours, theirs)
