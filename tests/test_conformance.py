"""This package against the official core: the same payload and user have to give the same answer.

A part of what `python -m conformance` compares, small enough for every test run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

import conformance.engines
from answers import Differences
from comparisons import context
from conformance.build import config, gate, nested, payload, rule
from conformance.case import Case, Question
from conformance.compare import compare_case, compare_cases
from conformance.engines import Engines
from conformance.fault_scenarios import fault_cases
from conformance.generator import random_case
from conformance.matrix import matrix_cases
from conformance.projects import REAL_PAYLOADS, project_cases
from conformance.scenarios import scenario_cases
from conformance.shrink import shrunk
from engine_under_test import our_answer, our_engine
from reference_events import ReferenceEvents
from shared_data import shared_file
from statsig_fastly.sample_project import sample_project, sample_users

if TYPE_CHECKING:
    from answers import Answer

RANDOM_SEEDS: Final = 100
RANDOM_BATCH: Final = 50
FAULT_BATCHES: Final = 4
FAULTS_OF: Final = 3  # every third of them; `python -m conformance` takes them all
EVENT_SEEDS: Final = 300  # these need a server and a flush each

cached_matrix = cache(matrix_cases)
cached_scenarios = cache(scenario_cases)
cached_faults = cache(lambda: list(fault_cases()))


@pytest.mark.parametrize("number", range(len(cached_matrix())))
def test_every_operator_target_and_value_agrees(number: int) -> None:
    case = cached_matrix()[number]
    # A share of the users of the large crosses; `python -m conformance` takes them all.
    every = 1 + len(case.users) * len(case.questions) // 15_000
    report = compare_case(replace(case, users=case.users[number % every :: every]))
    report.expect_none()
    assert report.checks


@pytest.mark.parametrize("number", range(len(cached_scenarios())))
def test_every_small_arrangement_agrees(number: int) -> None:
    report = compare_case(cached_scenarios()[number])
    report.expect_none()
    assert report.checks


@pytest.mark.parametrize("batch", range(FAULT_BATCHES))
def test_every_fault_of_a_payload_agrees(batch: int) -> None:
    cases = cached_faults()[batch::FAULT_BATCHES][::FAULTS_OF]
    report = compare_cases(cases)
    report.expect_none()
    assert report.cases == len(cases) > 100


@pytest.mark.parametrize("first", range(0, RANDOM_SEEDS, RANDOM_BATCH))
def test_random_payloads_agree(first: int) -> None:
    report = compare_cases(random_case(seed) for seed in range(first, first + RANDOM_BATCH))
    report.expect_none()
    assert report.checks > 500 * RANDOM_BATCH


def test_projects_agree() -> None:
    report = compare_cases(project_cases(200))
    report.expect_none()
    assert report.checks > 4_000  # of the sample project alone


@pytest.mark.parametrize("environment", [None, "staging"])
def test_sample_projects_agree_in_both_formats(environment: str | None) -> None:
    projects = [(sample_project(), sample_users(60)), (sample_project(7, 300, 150), sample_users(40, seed=7))]
    for project, users in projects:
        questions = [
            *(Question("gate", name) for name in project["feature_gates"]),
            *(Question("experiment", name) for name in project["dynamic_configs"]),
            *(Question("layer", name) for name in project["layer_configs"]),
        ]
        for v1 in (False, True):
            case = Case("sample project", project, users, questions, environment=environment, v1=v1)
            compare_case(case).expect_none()


def test_every_payload_of_a_real_project_is_compared() -> None:
    assert {path.name for path in shared_file("data").glob("v2_*.json")} == set(REAL_PAYLOADS)


@pytest.mark.parametrize("first", range(0, EVENT_SEEDS, EVENT_SEEDS // 2))
def test_random_layers_tell_which_exposures_came_before_the_delegate(first: int) -> None:
    differences = Differences()
    for seed in range(first, first + EVENT_SEEDS // 2):
        case = random_case(seed)
        if not isinstance(case.payload, dict) or case.overrides or case.v1:
            continue
        settings = (case.text.encode(), case.environment, case.global_custom_fields)
        layers = [
            (asked.name, user) for asked in case.questions if asked.kind == "layer" for user in case.users
        ]
        with ReferenceEvents(*settings) as reference, our_engine(*settings) as statsig:
            for (name, user), theirs in zip(layers, reference.undelegated(layers), strict=True):
                if theirs is None:
                    continue
                exposures = statsig.get_layer(user, name).undelegated_secondary_exposures or ()
                ours = tuple((entry["gate"], entry["gateValue"], entry["ruleID"]) for entry in exposures)
                shown = partial(context, case.payload, "layer", name, user, seed=seed)
                differences.compare(ours, theirs, shown)
    differences.expect_none()
    assert differences.compared > 5 * EVENT_SEEDS // 2


def test_the_same_seed_makes_the_same_case() -> None:
    for seed in range(20):
        assert random_case(seed) == random_case(seed)
    assert random_case(1).payload != random_case(2).payload


def test_a_difference_is_found_and_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(statsig: Any, kind: Any, name: str, user: Any) -> Answer:  # noqa: ANN401 - as the original
        answer = our_answer(statsig, kind, name, user)
        met = kind == "experiment" and ("inner", "true", "ri") in answer.secondary_exposures
        return replace(answer, rule_id="wrong") if met and user.custom["level"] == 3 else answer

    monkeypatch.setattr(conformance.engines, "our_answer", wrong)
    specs = payload(
        {"inner": gate([rule("ri", ["yes"])]), "unused": gate()},
        {"e": config([rule("r0", ["to unused"]), rule("r", ["yes", "to inner"], {"a": 1, "b": {"c": 2}})])},
        conditions={
            "yes": {"type": "public", "idType": "userID"},
            "to inner": nested("inner"),
            "to unused": nested("unused"),
        },
        app_id="app",
    )
    user = {"userID": "u", "email": "e@x", "custom": {"level": 3, "plan": "pro"}}
    questions = [Question("gate", "inner"), Question("experiment", "e")]
    case = Case("made up", specs, [{"custom": {"level": 2}}, user], questions, environment="staging")
    report = compare_case(case)
    assert (report.checks, report.differences) == (4, 1)
    with pytest.raises(AssertionError, match="rule_id: ours 'wrong', theirs 'r'"):
        report.expect_none()

    small = shrunk(case, questions[1], user)
    assert small.environment is None
    assert small.users == ({"custom": {"level": 3}},)
    assert isinstance(small.payload, dict)
    assert set(small.payload["feature_gates"]) == {"inner"}
    (left,) = small.payload["dynamic_configs"]["e"]["rules"]
    assert left["conditions"] == ["to inner"]
    assert "app_id" not in small.payload


def test_both_engines_are_asked_about_faulty_payloads() -> None:
    case = Case("broken", '{"has_updates": true', [{}], [Question("gate", "g")])
    with Engines(case) as engines:
        ours, theirs = engines.ask(case.questions[0], case.users[0])
    assert ours == theirs
    assert ours.reason == "NoValues"


def test_the_command_tells_what_it_compared() -> None:
    tests = Path(__file__).parent
    run = subprocess.run(
        [sys.executable, "-m", "conformance", "3000", "--seed", "7", "--users", "20", "--only", "random"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tests)},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    last = run.stdout.splitlines()[-1]
    found = re.fullmatch(r"([\d,]+) checks, ([\d,]+) payloads, seeds 7 to (\d+), \d+ s: 0 differences", last)
    assert found, run.stdout
    assert int(found[1].replace(",", "")) >= 3000
    assert int(found[3]) - 7 + 1 == int(found[2].replace(",", ""))
