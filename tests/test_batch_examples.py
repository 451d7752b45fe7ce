"""The examples of batches answer as single checks do, alone and within the engines they are for."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from programs import PATIENCE, environment
from sample_checks import PAYLOAD, evaluator
from test_examples import EXAMPLES

if TYPE_CHECKING:
    from statsig_fastly.emulator import Emulator

USERS = [f"user-{number}" for number in range(10, 22)]
GATE = "test_fastly"

IN_BATCHES = f"""
import json, pyarrow as pa
from distributed import in_batches, statsig
users = pa.table({{"user_id": {USERS}}}).to_batches(max_chunksize=5)
print(json.dumps([row for batch in in_batches(users) for row in batch.to_pylist()]))
statsig.shutdown().wait()
"""

IN_RAY = f"""
import json, pyarrow as pa, ray
from distributed import in_table
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
data = ray.data.from_arrow(pa.table({{"user_id": {USERS}}})).map_batches(in_table, batch_format="pyarrow")
print(json.dumps(data.take_all()))
"""

IN_SPARK = f"""
import json
from pyspark.sql import SparkSession
from distributed import in_batches
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
frame = spark.createDataFrame([(user,) for user in {USERS}], "user_id string").coalesce(1)
answers = frame.mapInArrow(in_batches, "user_id string, new boolean").collect()
print(json.dumps([row.asDict() for row in answers]))
"""

ENGINES = {"pyarrow": IN_BATCHES, "ray": IN_RAY, "pyspark": IN_SPARK}


@pytest.fixture
def variables(emulator: Emulator) -> dict[str, str]:
    emulator.create_kv_store("my-kv-store")
    emulator.put("my-kv-store", "statsig-1a2b3c", PAYLOAD)
    return environment(
        "http://127.0.0.1:9/v1/log_event",
        FASTLY_API_URL=emulator.url,
        FASTLY_API_TOKEN=emulator.token,
        PYTHONPATH=str(EXAMPLES),
    )


def ran(variables: dict[str, str], *arguments: str) -> str:
    run = subprocess.run(
        [sys.executable, *arguments],
        env=variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("engine", ENGINES)
def test_in_an_engine(variables: dict[str, str], engine: str) -> None:
    pytest.importorskip(engine)
    rows: list[dict[str, Any]] = json.loads(ran(variables, "-c", ENGINES[engine]).splitlines()[-1])
    checks = evaluator()
    assert rows == [{"user_id": user, "new": checks.check_gate(user, GATE)} for user in USERS]


def test_on_one_machine(variables: dict[str, str]) -> None:
    pytest.importorskip("polars")
    pytest.importorskip("duckdb")
    *rows, shares = ran(variables, str(EXAMPLES / "batches.py")).splitlines()
    checks = evaluator()
    assert rows == [
        f"{user} {checks.check_gate(user, GATE)} {checks.get_experiment(user, 'button_color').group_name}"
        for user in USERS
    ]
    passes = sum(checks.check_gate(f"user-{number}", GATE) for number in range(1000))
    assert eval(shares) == {True: passes, False: 1000 - passes}  # noqa: S307 - a dict that was printed
