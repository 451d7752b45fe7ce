"""docs/sync.md says what is so: the requests a policy makes, the names it uses."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import get_args

import pytest

from statsig_fastly import StatsigOptions, SyncPolicy, SyncStats
from statsig_fastly.sync.stats import Outcome
from sync_requests import ROWS, Row, measured

TEXT = (Path(__file__).parent.parent / "docs" / "sync.md").read_text(encoding="utf-8")

# Thirty workers that share nothing make thirty times the requests of one: too many to make at every run.
QUICK = [row for row in ROWS if row.workers == 1 or row.shared]


def line_of(row: Row) -> str:
    (line,) = (line for line in TEXT.splitlines() if line.startswith(f"| {row.title} |"))
    return line


@pytest.mark.parametrize("row", QUICK, ids=lambda row: row.title)
def test_the_requests_of_an_hour(row: Row) -> None:
    counted = measured(row)
    month = counted.total() * 730
    assert line_of(row) == f"| {row.title} | {counted['HEAD']:,} | {counted['GET']:,} | {month:,} |"


def test_every_outcome_is_explained() -> None:
    explained = set(re.findall(r"\| `([a-z_]+)` \|", TEXT))
    assert explained == set(get_args(Outcome)) - {"left_to_another"}


def test_the_names_are_those_of_the_code() -> None:
    options = {field.name for field in dataclasses.fields(StatsigOptions)}
    named = {"sync_policy", "last_known_good_dir", "shared_polling", "stale_after", "on_update", "on_stale"}
    assert named <= options
    assert all(name in TEXT for name in named)
    assert "unconfirmed" in {field.name for field in dataclasses.fields(SyncStats)}
    for policy in re.findall(r"SyncPolicy\.(\w+)", TEXT):
        assert hasattr(SyncPolicy, policy)
