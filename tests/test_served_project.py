"""A real project out of the store, over HTTP, against the official core that holds it in memory."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from answers import Differences
from comparisons import all_checks, context, users_for
from engine_under_test import our_answer
from reference import Reference, reference_user
from shared_data import shared_file
from statsig_fastly import FastlyDataAdapter, Statsig, StatsigOptions
from statsig_fastly.sample_project import sample_project

if TYPE_CHECKING:
    from statsig_fastly.emulator import Emulator

KEY = "statsig-demo"


def compare_served(emulator: Emulator, body: bytes, users: int) -> Differences:
    """Every spec but those that need a condition type that comes later."""
    project = json.loads(body)
    emulator.create_kv_store("specs")
    emulator.put("specs", KEY, body)
    adapter = FastlyDataAdapter("specs", KEY, token=emulator.token, api=emulator.url)
    checks = all_checks(project)
    assert checks
    differences = Differences()
    with (
        Statsig("secret-key", StatsigOptions(data_adapter=adapter)) as statsig,
        Reference(body) as reference,
    ):
        for user in users_for(project, users):
            fields = reference_user(user)
            for kind, name in checks:
                differences.compare(
                    our_answer(statsig, kind, name, user),
                    reference.check(kind, name, fields),
                    partial(context, project, kind, name, user),
                )
    assert differences.compared == users * len(checks)
    return differences


def test_a_real_project_is_served_as_the_official_core_evaluates_it(emulator: Emulator) -> None:
    body = shared_file("data", "v2_demo_project.json").read_bytes()
    compare_served(emulator, body, 1000).expect_none()


def test_the_sample_project_is_served_as_the_official_core_evaluates_it(emulator: Emulator) -> None:
    compare_served(emulator, json.dumps(sample_project()).encode(), 50).expect_none()
