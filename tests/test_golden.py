"""Recorded answers of the official core, replayed without it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from answers import Answer, Differences, Kind, without_source
from client_responses import normal
from engine_under_test import our_answer, our_engine
from shared_data import shared_file

if TYPE_CHECKING:
    from statsig_fastly import Statsig

EVALUATIONS: Final = ("gate", "config", "experiment", "layer")

# The methods that make the overrides of a recording.
OVERRIDES: Final = {
    "gate": "override_gate",
    "experiment": "override_experiment",
    "experiment_group": "override_experiment_by_group_name",
}
# Differences on purpose: docs/compatibility.md.
OTHER_PAYLOADS: Final = {
    "top has_updates=false": "a start with nothing to use is a failed start",
    "raw {has_updates:false}": "the same",
}


def golden(name: str) -> Any:  # noqa: ANN401 - each file has its own shape
    return json.loads(shared_file("oracle", "golden", name).read_text(encoding="utf-8"))


def recorded_engine(case: dict[str, Any]) -> Statsig:
    """This package as the official core was set up for a recording."""
    taken = ("environment", "global_custom_fields", "id_lists")
    options = {name: value for name, value in case["options"].items() if name in taken}
    statsig = our_engine(json.dumps(case["spec"]).encode(), **options)
    for kind, name, value, unit in case["options"].get("overrides", ()):
        getattr(statsig, OVERRIDES[kind])(name, value, unit)
    return statsig


def recorded_answer(result: dict[str, Any]) -> Answer:
    kind = result["kind"]
    value: Any = result.get("value")
    exposures = result.get("secondary_exposures") or ()
    return Answer(
        value=value if kind == "gate" else value or {},
        rule_id=result.get("rule_id") or "",
        id_type=result.get("id_type") or "",
        reason=without_source(result["reason"]),
        lcut=result["lcut"],
        version=result["version"],
        group_name=result.get("group_name"),
        allocated_experiment_name=result.get("allocated_experiment_name"),
        secondary_exposures=tuple(
            (entry["gate"], entry["gateValue"], entry["ruleID"]) for entry in exposures
        ),
        is_experiment_active=kind in ("experiment", "layer") and bool(result["is_experiment_active"]),
    )


def test_condition_matrix_gives_the_recorded_outcomes() -> None:
    differences = Differences()
    for group, case in golden("matrix.json").items():
        with recorded_engine(case) as statsig:
            rows = zip(case["labels"], case["checks"], case["results"], strict=True)
            for label, check, result in rows:
                ours = our_answer(statsig, "gate", check["name"], check["user"])
                # Where recording it made the official core panic, false is the answer to give.
                expected = (result.get("value", False), "Unsupported" in (result.get("reason") or ""))
                got = (ours.value, "Unsupported" in ours.reason)
                differences.compared += 1
                if got != expected:
                    differences.add(
                        f"  {group}: {label}: ours {got}, recorded {expected}, user {check['user']}"
                    )
    differences.expect_none()
    assert differences.compared > 750


def test_scenarios_give_the_recorded_answers() -> None:
    scenarios = golden("scenarios.json")
    differences = Differences()
    for name, case in scenarios.items():
        with recorded_engine(case) as statsig:
            for check, result in zip(case["checks"], case["results"], strict=True):
                kind: Kind = check["kind"]
                shown: partial[dict[str, Any]] = partial(dict, scenario=name, check=check)
                if kind in EVALUATIONS:
                    ours = our_answer(statsig, kind, check["name"], check["user"])
                    differences.compare(ours, recorded_answer(result), shown)
                else:
                    assert check["kind"] == "gcir"
                    names = ("hash", "client_sdk_key", "include_local_overrides")
                    response = statsig.get_client_initialize_response(check["user"], *map(check.get, names))
                    differences.compared += 1
                    ours_said = {**normal(response), "sdkInfo": None}
                    if ours_said != {**result["value"], "sdkInfo": None}:
                        differences.add(f"  {name}: {check}: ours {response}, recorded {result['value']}")
    differences.expect_none()
    assert differences.compared > 200


def test_layers_tell_which_exposures_came_before_the_delegate() -> None:
    differences = Differences()
    for name, case in golden("scenarios.json").items():
        with recorded_engine(case) as statsig:
            for check, result in zip(case["checks"], case["results"], strict=True):
                # What a parameter that is not explicit logs are the exposures before the delegate.
                recorded = [
                    event["secondary_exposures"] or []
                    for event in result.get("exposures", ())
                    if event["metadata"].get("isExplicitParameter") == "false"
                ]
                if check["kind"] == "layer" and recorded:
                    layer = statsig.get_layer(check["user"], check["name"])
                    ours = layer.undelegated_secondary_exposures or []
                    differences.compared += 1
                    if ours != recorded[0]:
                        differences.add(f"  {name}: {check}: ours {ours}, recorded {recorded[0]}")
    differences.expect_none()
    assert differences.compared > 25


def test_payloads_load_or_are_refused_as_recorded() -> None:
    entries = golden("payloads.json")
    assert {entry["label"] for entry in entries} >= OTHER_PAYLOADS.keys()
    differences = Differences()
    for entry in entries:
        with our_engine(entry["payload"].encode()) as statsig:
            for check, result in zip(entry["checks"], entry["results"], strict=True):
                ours = our_answer(statsig, check["kind"], check["name"], check["user"])
                theirs = recorded_answer(result)
                if entry["label"] in OTHER_PAYLOADS:
                    assert theirs.reason == "Loading:Unrecognized"
                    theirs = replace(theirs, reason="NoValues", lcut=None)
                differences.compare(ours, theirs, partial(dict, payload=entry["label"], check=check))
    differences.expect_none()
    assert differences.compared > 700


@pytest.mark.parametrize("name", ["matrix.json", "scenarios.json", "payloads.json"])
def test_recordings_hold_what_is_replayed(name: str) -> None:
    entries = golden(name)
    cases = entries if isinstance(entries, list) else entries.values()
    assert all(len(case["checks"]) == len(case["results"]) > 0 for case in cases)
