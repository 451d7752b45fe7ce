"""Before anything is loaded, and with local overrides, events are the official core's, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from event_calls import USERS, checks
from event_project import event_project
from recorded_events import Both

if TYPE_CHECKING:
    from recorded_events import Program

# What is set, whatever else there is.
OVERRIDES: Final[tuple[tuple[Any, ...], ...]] = (
    ("override_gate", "A", False),
    ("override_gate", "ghost", True),
    ("override_gate", "B", True, "u"),
    ("override_gate", "B", False, "s"),
    ("override_dynamic_config", "dynamic", {"a": "set", "extra": 1}),
    ("override_dynamic_config", "ghost", {}),
    ("override_experiment", "e", {"a": "set", "b": None}),
    ("override_experiment", "chain", {"a": "set"}, "u"),
    ("override_experiment", "ghost", {"a": "set"}),
    ("override_experiment_by_group_name", "half", "H2"),
    ("override_experiment_by_group_name", "e2", "no such group"),
    ("override_layer", "plain", {"a": "set", "n": 1, "null": None}),
    ("override_layer", "new", {"a": "set"}),
    ("override_layer", "ghost", {"a": "set"}),
    ("override_layer", "values", {}, "full"),
)


def set_overrides(both: Both) -> None:
    for method, *arguments in OVERRIDES:
        getattr(both.ours, method)(*arguments)
        getattr(both.theirs, method)(*arguments)


@pytest.mark.parametrize("user", USERS)
def test_local_overrides(user: str) -> None:
    document = event_project()
    with Both(document, exposure_dedupe_max_keys=1) as both:
        set_overrides(both)
        events = both.each(dict(checks(document, USERS[user])))
    reasons = [event["metadata"]["reason"] for found in events.values() for event in found]
    assert reasons.count("LocalOverride:Recognized") > 10


@pytest.mark.parametrize("overrides", [False, True])
@pytest.mark.parametrize("start", [False, True])
def test_nothing_is_loaded(start: bool, overrides: bool) -> None:
    document = event_project()
    with Both(None if start else document, start=start, exposure_dedupe_max_keys=1) as both:
        if overrides:
            set_overrides(both)
        calls: dict[str, Program] = {}
        for name in ("full", "id only", "no user id"):
            calls |= {f"{name}: {label}": made for label, made in checks(document, USERS[name])}
        events = both.each(calls)
    reasons = {event["metadata"]["reason"] for found in events.values() for event in found}
    assert reasons - {"LocalOverride:Recognized"} == {"NoValues" if start else "Uninitialized"}


def test_a_result_tells_what_it_was_made_from() -> None:
    def before(sdk: Any, client: Any) -> None:  # noqa: ANN401 - either package
        kept[sdk] = client.get_layer(sdk.StatsigUser("u"), "l"), client.get_layer(sdk.StatsigUser("u"), "new")

    def after(sdk: Any, client: Any) -> None:  # noqa: ANN401 - either package
        for layer in kept[sdk]:
            layer.get("a")
        client.check_gate(sdk.StatsigUser("u"), "A")
        client.get_layer(sdk.StatsigUser("u"), "l").get("a")

    kept: dict[Any, Any] = {}
    with Both(event_project(), start=False) as both:
        assert both.same(before) == []
        both.start()
        both.same(after)
        both.same(before)
        set_overrides(both)
        both.same(after)
