"""Exposures of results that were kept for the unit are the official core's, too."""

from __future__ import annotations

from typing import Any, Final

import pytest

from event_calls import USERS
from event_project import PARAMETERS, event_project
from recorded_events import Both
from recording_storage import RecordingStorage

ENTRY: Final[dict[str, Any]] = {
    "value": True,
    "json_value": {"a": "kept", "b": 7, "n": None, "text": "x"},
    "rule_id": "kept rule",
    "group_name": "kept group",
    "secondary_exposures": [{"gate": "kept gate", "gateValue": "true", "ruleID": "kr"}],
    "undelegated_secondary_exposures": [{"gate": "before", "gateValue": "false", "ruleID": "bf"}],
    "config_delegate": "e",
    "explicit_parameters": ["a", "n"],
    "config_version": 77,
    "time": 1_600_000_000_000,
}
ENTRIES: Final[dict[str, dict[str, Any]]] = {
    "whole": ENTRY,
    "not passed": {**ENTRY, "value": False},
    "nothing met": {**ENTRY, "secondary_exposures": [], "undelegated_secondary_exposures": []},
    "nothing explicit": {**ENTRY, "explicit_parameters": []},
    **{
        f"without {name}": {member: value for member, value in ENTRY.items() if member != name}
        for name in ENTRY
        if name != "value"
    },
}
OPTIONS: Final = {"get_experiment": "ExperimentEvaluationOptions", "get_layer": "LayerEvaluationOptions"}


@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.parametrize("label", ENTRIES)
def test_every_entry(label: str, quiet: bool) -> None:
    def check(method: str, name: str) -> Any:  # noqa: ANN401 - a program
        def program(sdk: Any, client: Any) -> None:  # noqa: ANN401 - either package
            for fields in (USERS["full"], USERS["id only"]):
                options = getattr(sdk, OPTIONS[method])(
                    user_persisted_values={name: ENTRIES[label]}, disable_exposure_logging=quiet
                )
                found = getattr(client, method)(sdk.StatsigUser(**fields), name, options)
                for parameter in PARAMETERS:
                    found.get(parameter)
                    found.get_string(parameter, "x")

        return program

    calls = {
        f"{method} {name}": check(method, name)
        for method, names in {
            "get_experiment": (
                "e",
                "inactive",
                "ghost",
                "bandit",
                "mapped from",
                "by group",
                "active by group",
            ),
            "get_layer": ("l", "new", "plain", "ghost", "by group", "to mapped"),
        }.items()
        for name in names
    }
    with Both(event_project(), RecordingStorage, exposure_dedupe_max_keys=1) as both:
        both.each(calls)


def test_kept_results_are_not_sampled() -> None:
    def program(sdk: Any, client: Any) -> None:  # noqa: ANN401 - either package
        for number in range(3):
            for method, name in (("get_experiment", "e"), ("get_layer", "l")):
                for rule_id in ("kept rule", "default", ""):
                    kept = {name: {**ENTRY, "rule_id": rule_id}}
                    options = getattr(sdk, OPTIONS[method])(user_persisted_values=kept)
                    getattr(client, method)(sdk.StatsigUser(f"u{number}"), name, options).get("a")

    sampling = {"sampling_mode": "on", "special_case_sampling_rate": 10**12}
    with Both(event_project(sdk_configs=sampling), RecordingStorage) as both:
        assert len(both.same(program)) == 18
