"""What it costs to load a payload, and to write one for a client SDK."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cases import user_fields
from statsig_fastly import StatsigUser
from statsig_fastly._native import Evaluator
from statsig_fastly.sample_project import sample_project

if TYPE_CHECKING:
    from statsig_fastly import Statsig

USER = StatsigUser(**user_fields(0))


@pytest.mark.parametrize("gates", [50, 150, 1500])
def test_load(benchmark: Any, gates: int) -> None:
    project = sample_project(gates=gates, configs=gates // 2)
    project.pop("checksum", None)  # or it would be known already
    payload = json.dumps(project).encode()
    client = Evaluator()
    benchmark.group = "load"
    benchmark.name = f"{len(payload):,} bytes"
    benchmark(client._load, payload, "Bench")
    assert client.check_gate(USER, "test_fastly") in {True, False}


@pytest.mark.parametrize("hash_name", ["djb2", "sha256", "none"])
def test_client_response(benchmark: Any, statsig: Statsig, hash_name: str) -> None:
    benchmark.group = "get_client_initialize_response"
    benchmark(statsig.get_client_initialize_response, USER, hash_name)
