"""Payloads for one target app: what belongs to it answers as in the whole one, by the official core."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from answers import Differences
from client_responses import KEY
from conformance.generator import random_case
from reference import Reference, reference_user
from shared_data import shared_file
from statsig_fastly import PayloadError
from statsig_fastly.publish.specs import Ref, Specs, encoded
from statsig_fastly.publish.target_app import Filtered, filter_for_app
from statsig_fastly.sample_project import sample_project, to_v1

if TYPE_CHECKING:
    from collections.abc import Iterator

    from answers import Kind

APPS: Final = ("app", "b", "APP")
SEEDS: Final = range(30)


def filtered_cases() -> Iterator[tuple[str, Specs, Filtered, list[dict[str, Any]]]]:
    """Random payloads, for each app that something in them belongs to."""
    for seed in SEEDS:
        case = random_case(seed, users=6)
        if case.v1 or not isinstance(case.payload, dict):
            continue
        try:
            specs = Specs.parse(case.text.encode())
        except PayloadError:
            continue
        for app in APPS:
            with suppress(PayloadError):
                yield app, specs, filter_for_app(specs, app), list(case.users)


def questions(filtered: Filtered) -> list[tuple[Kind, str]]:
    """What an application of this app asks for."""
    kinds: dict[str, list[Kind]] = {
        "gate": ["gate"],
        "config": ["config", "experiment"],
        "layer": ["layer"],
        "bandit": ["experiment"],
    }
    return [(kind, ref.name) for ref in filtered.targeted for kind in kinds.get(ref.pool, ())]


def test_answers_are_those_of_the_whole_payload_for_that_app() -> None:
    differences = Differences()
    dropped = needed = 0
    for app, specs, filtered, users in filtered_cases():
        whole = encoded({**specs.data, "app_id": app})
        dropped += len(filtered.dropped)
        needed += len(filtered.needed)
        with Reference(whole) as full, Reference(encoded(filtered.specs.data)) as part:
            if full.source == "NoValues":
                continue
            for user in users:
                asking = reference_user(user)
                for kind, name in questions(filtered):
                    differences.compare(
                        part.check(kind, name, asking),
                        full.check(kind, name, asking),
                        partial(dict[str, Any], kind=kind, name=name, user=user),
                    )
    differences.expect_none()
    assert differences.compared > 600
    assert dropped > 50
    assert needed > 50


def test_client_responses_for_the_app_are_the_same() -> None:
    compared = 0
    for app, specs, filtered, users in filtered_cases():
        parts = []
        for data in (specs.data, filtered.specs.data):
            # Recording is left to chance, and the time of the payload stays.
            about = {name: value for name, value in data.items() if name != "session_replay_info"}
            about["sdk_keys_to_app_ids"] = {KEY: app}
            about.pop("hashed_sdk_keys_to_app_ids", None)
            with Reference(encoded(about)) as reference:
                parts.append([response(reference, user) for user in users])
        assert parts[0] == parts[1]
        compared += len(users)
    assert compared > 60


def response(reference: Reference, user: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(reference.client_response(user, "none", KEY))
    for name in ("sdkInfo", "user"):  # the core now and then leaves out an empty environment
        found.pop(name, None)
    return found


def test_statsigs_own_example() -> None:
    specs = Specs.parse(shared_file("data", "v2_target_app.json").read_bytes())
    filtered = filter_for_app(specs, "app_a")
    kept = set(filtered.specs.refs())
    assert Ref("gate", "gate_app_a") in kept
    assert not {ref for ref in kept if ref.name.endswith("_b")} - set(filtered.needed)
    assert filtered.specs.data["app_id"] == "app_a"


def with_apps(apps: dict[str, list[str]]) -> dict[str, Any]:
    """The sample project, with these specs belonging to apps."""
    project = sample_project()
    for specs in (project["feature_gates"], project["dynamic_configs"], project["layer_configs"]):
        for name, spec in specs.items():
            spec["targetAppIDs"] = apps.get(name, ["other"])
    return project


@pytest.mark.parametrize("form", ["v1", "v2"])
def test_a_layer_brings_its_experiments_gates_segments_and_holdouts(form: str) -> None:
    project = with_apps({"checkout_layer": ["shop"]})
    specs = Specs.of(to_v1(project) if form == "v1" else project)
    filtered = filter_for_app(specs, "shop")
    assert filtered.targeted == (Ref("layer", "checkout_layer"),)
    assert {Ref("config", "checkout_flow"), Ref("gate", "holiday_holdout")} <= set(filtered.needed)
    layers = filtered.specs.data.get("layers") or filtered.specs.data["experiment_to_layer"]
    assert "checkout_layer" in (layers if form == "v1" else layers.values())
    assert len(encoded(filtered.specs.data)) < len(encoded(specs.data)) / 5


def test_the_checksum_is_another_and_the_same_each_time() -> None:
    specs = Specs.of(with_apps({"test_fastly": ["shop"], "pricing": ["admin"]}))
    first, again, other = (
        filter_for_app(specs, app).specs.data["checksum"] for app in ("shop", "shop", "admin")
    )
    assert first == again
    assert len({first, other, specs.data["checksum"]}) == 3


def test_an_app_that_nothing_belongs_to_is_an_error_with_the_names_there_are() -> None:
    specs = Specs.of(with_apps({"test_fastly": ["shop"]}))
    with pytest.raises(PayloadError, match=r"no spec .* belongs to 'shpo'; its target apps: 'other', 'shop'"):
        filter_for_app(specs, "shpo")
    with pytest.raises(PayloadError, match="it has no target apps"):
        filter_for_app(Specs.of(sample_project()), "shop")
