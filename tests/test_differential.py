"""This package against the official core: the same payload and user have to give the same answer."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from answers import Differences, Kind
from comparisons import all_checks, context, later_specs, users_for
from engine_under_test import our_answer, our_engine
from random_specs import random_case
from reference import Reference, reference_user
from reference_events import ReferenceEvents
from shared_data import shared_file
from statsig_fastly.sample_project import sample_project, sample_users, to_v1

if TYPE_CHECKING:
    from collections.abc import Iterable

USERS: Final = 200
RANDOM_SEEDS: Final = 1200
RANDOM_BATCH: Final = 200
EVENT_SEEDS: Final = 300  # these need a server and a flush each

REAL_PAYLOADS: Final = ("v2_demo_project.json", "v2_sampling.json", "v2_target_app.json")


def compare(
    payload: dict[str, Any],
    users: Iterable[dict[str, Any]],
    checks: list[tuple[Kind, str]],
    environment: str | None = None,
) -> Differences:
    body = json.dumps(payload).encode()
    differences = Differences()
    with Reference(body, environment) as reference, our_engine(body, environment) as statsig:
        for user in users:
            fields = reference_user(user)
            for kind, name in checks:
                ours = our_answer(statsig, kind, name, user)
                theirs = reference.check(kind, name, fields)
                differences.compare(ours, theirs, partial(context, payload, kind, name, user))
    return differences


@pytest.mark.parametrize("environment", [None, "staging"])
def test_sample_project_evaluates_as_in_the_official_core(environment: str | None) -> None:
    project = sample_project()
    checks = all_checks(project)
    specs = len(checks) - len(project["dynamic_configs"])  # those are asked for twice
    differences = compare(project, sample_users(USERS), checks, environment)
    differences.expect_none()
    assert differences.compared == USERS * len(checks)
    assert USERS * specs >= 20_000


def test_another_sample_project_evaluates_as_in_the_official_core() -> None:
    project = sample_project(7, 300, 150)
    compare(project, sample_users(40, seed=7), all_checks(project)).expect_none()


def test_both_payload_formats_evaluate_alike() -> None:
    project = sample_project()
    checks = all_checks(project)
    v2, v1 = (json.dumps(payload).encode() for payload in (project, to_v1(project)))
    differences = Differences()
    with our_engine(v2, "staging") as ours_v2, our_engine(v1, "staging") as ours_v1:
        for user in sample_users(USERS):
            for kind, name in checks:
                differences.compare(
                    our_answer(ours_v1, kind, name, user),
                    our_answer(ours_v2, kind, name, user),
                    partial(context, project, kind, name, user),
                )
    differences.expect_none()
    assert differences.compared == USERS * len(checks)


@pytest.mark.parametrize("name", REAL_PAYLOADS)
def test_payloads_of_real_projects_evaluate_as_in_the_official_core(name: str) -> None:
    payload = json.loads(shared_file("data", name).read_text(encoding="utf-8"))
    later = later_specs(payload)
    bandits = payload.get("cmab_configs") or {}
    table = {"gate": "feature_gates", "layer": "layer_configs"}
    checks = [
        (kind, name)
        for kind, name in all_checks(payload)
        if name not in bandits and (table.get(kind, "dynamic_configs"), name) not in later
    ]
    assert checks
    compare(payload, users_for(payload, 300), checks).expect_none()


def test_every_payload_of_a_real_project_is_compared() -> None:
    assert {path.name for path in shared_file("data").glob("v2_*.json")} == set(REAL_PAYLOADS)


@pytest.mark.parametrize("first", range(0, RANDOM_SEEDS, RANDOM_BATCH))
def test_random_specs_evaluate_as_in_the_official_core(first: int) -> None:
    differences = Differences()
    for seed in range(first, first + RANDOM_BATCH):
        case = random_case(seed)
        settings = (case.payload, case.environment, case.global_custom_fields)
        with Reference(*settings) as reference, our_engine(*settings) as statsig:
            for user in case.users:
                fields = reference_user(user)
                for kind, name in case.checks:
                    differences.compare(
                        our_answer(statsig, kind, name, user),
                        reference.check(kind, name, fields),
                        partial(context, case.specs, kind, name, user, seed=seed),
                    )
    differences.expect_none()
    assert differences.compared > 500 * RANDOM_BATCH


@pytest.mark.parametrize("first", range(0, EVENT_SEEDS, EVENT_SEEDS // 2))
def test_random_layers_tell_which_exposures_came_before_the_delegate(first: int) -> None:
    differences = Differences()
    for seed in range(first, first + EVENT_SEEDS // 2):
        case = random_case(seed)
        settings = (case.payload, case.environment, case.global_custom_fields)
        layers = [(name, user) for kind, name in case.checks if kind == "layer" for user in case.users]
        with ReferenceEvents(*settings) as reference, our_engine(*settings) as statsig:
            for (name, user), theirs in zip(layers, reference.undelegated(layers), strict=True):
                if theirs is None:
                    continue
                exposures = statsig.get_layer(user, name).undelegated_secondary_exposures or ()
                ours = tuple((entry["gate"], entry["gateValue"], entry["ruleID"]) for entry in exposures)
                differences.compared += 1
                if ours != theirs:
                    shown = context(case.specs, "layer", name, user, seed=seed)
                    differences.add(f"  ours {ours}, theirs {theirs}: {shown}")
    differences.expect_none()
    assert differences.compared > 10 * EVENT_SEEDS // 2
