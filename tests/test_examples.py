"""The examples run, answer as the store says, and their events arrive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from event_sink import EventSink
from programs import PATIENCE, arrived, environment
from server_processes import serving
from statsig_fastly import MemoryAdapter, Statsig, StatsigOptions
from statsig_fastly.sample_project import sample_project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statsig_fastly.emulator import Emulator

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
USERS = [f"user-{number}" for number in range(10, 22)]  # eight of whom pass

needs_unix = pytest.mark.skipif(os.name == "nt", reason="these servers do not run on Windows")


@pytest.fixture
def sink() -> Iterator[EventSink]:
    """A collector of this test's own."""
    with EventSink() as own:
        yield own


@pytest.fixture
def variables(emulator: Emulator, sink: EventSink) -> dict[str, str]:
    """What tells the examples where everything is."""
    emulator.create_kv_store("my-kv-store")
    emulator.put("my-kv-store", "statsig-1a2b3c", json.dumps(sample_project()).encode())
    paths = f"{EXAMPLES}{os.pathsep}{Path(__file__).parent}"
    return environment(
        sink.url,
        FASTLY_API_URL=emulator.url,
        FASTLY_API_TOKEN=emulator.token,
        STATSIG_LOG_EVENT_URL=sink.url,
        PYTHONPATH=paths,
    )


@pytest.fixture(scope="module")
def expected() -> dict[str, bool]:
    """Who passes the gate."""
    options = StatsigOptions(data_adapter=MemoryAdapter(sample_project()), disable_all_logging=True)
    with Statsig("secret-key", options) as statsig:
        passes = {user: statsig.check_gate(user, "test_fastly") for user in USERS}
    assert len(set(passes.values())) == 2
    return passes


def exposed(sink: EventSink) -> dict[str, bool]:
    """What exposures of the gate came, each once."""
    came = [
        (event["user"]["userID"], event["metadata"]["gateValue"] == "true")
        for event in sink.events
        if event["eventName"] == "statsig::gate_exposure"
    ]
    assert len(dict(came)) == len(came)
    return dict(came)


SERVERS = {
    "fastapi": ["uvicorn", "--fd", "{fd}", "--log-level", "warning", "fastapi_app:app"],
    "flask": ["gunicorn", "--preload", "--workers", "2", "--bind", "fd://{fd}", "flask_app:app"],
    "django": ["gunicorn", "--preload", "--workers", "2", "--bind", "fd://{fd}", "django_app"],
}


@needs_unix
@pytest.mark.parametrize("framework", SERVERS)
def test_web_applications(
    framework: str, variables: dict[str, str], expected: dict[str, bool], sink: EventSink
) -> None:
    command = SERVERS[framework]
    pytest.importorskip(framework)
    pytest.importorskip(command[0])
    with serving(EXAMPLES, sink.url, *command, **variables) as server:
        assert {user: server.ask(f"/{user}")["new"] for user in USERS} == expected
        server.end()
    assert exposed(sink) == expected


@needs_unix
@pytest.mark.parametrize("framework", SERVERS)
def test_web_applications_get_updates(
    framework: str, variables: dict[str, str], emulator: Emulator, tmp_path: Path
) -> None:
    command = SERVERS[framework]
    pytest.importorskip(framework)
    pytest.importorskip(command[0])
    variables = {**variables, "STATSIG_INTERVAL_S": "0.1", "STATSIG_DIR": str(tmp_path / "statsig")}
    everybody = sample_project()
    everybody |= {"time": everybody["time"] + 1, "checksum": "another"}
    for rule in everybody["feature_gates"]["test_fastly"]["rules"]:
        rule["passPercentage"] = 100
    with serving(EXAMPLES, "", *command, **variables) as server:
        assert not all(server.ask(f"/{user}")["new"] for user in USERS)
        emulator.put("my-kv-store", "statsig-1a2b3c", json.dumps(everybody).encode())
        deadline = time.monotonic() + PATIENCE
        while not all(server.ask(f"/{user}")["new"] for user in USERS):
            assert time.monotonic() < deadline
        server.end()


def run(program: str, directory: Path, variables: dict[str, str]) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=directory,
        env=variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_lambda(
    tmp_path: Path, variables: dict[str, str], expected: dict[str, bool], sink: EventSink
) -> None:
    program = f"""
import json, os
from lambda_handler import handler
print(json.dumps({{user: handler({{"user": user}}, None)["new"] for user in {USERS}}}), flush=True)
os._exit(0)  # as when an environment is frozen and never thawed
"""
    assert json.loads(run(program, tmp_path, variables)) == expected
    assert exposed(sink) == expected


CELERY = """
import celery_app
from celery_app import app, greet, statsig

app.conf.update(
    broker_url="filesystem://",
    broker_transport_options={"data_folder_in": "queue", "data_folder_out": "queue"},
    result_backend="file://results",
)

@app.task
def record(number):
    statsig.log_event("u-1", f"record {number}")
"""


@needs_unix
def test_celery(
    tmp_path: Path, variables: dict[str, str], expected: dict[str, bool], sink: EventSink
) -> None:
    pytest.importorskip("celery")
    for directory in ("queue", "results"):
        (tmp_path / directory).mkdir()
    (tmp_path / "tasks.py").write_text(CELERY.replace("file://results", f"file://{tmp_path}/results"))
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "tasks", "worker", "--concurrency", "2", "--pool", "prefork"],
        cwd=tmp_path,
        env=variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        program = f"""
import json
from tasks import greet, record
greetings = {{user: greet.delay(user) for user in {USERS}}}
print(json.dumps({{user: greeting.get(timeout={PATIENCE}) for user, greeting in greetings.items()}}))
for result in [record.delay(number) for number in range(10)]:
    result.get(timeout={PATIENCE})
"""
        greeted = json.loads(run(program, tmp_path, variables))
        assert {user: greeting == "new" for user, greeting in greeted.items()} == expected
        assert exposed(sink) == expected
        worker.terminate()
        assert worker.wait(PATIENCE) == 0
    finally:
        worker.kill()
        worker.wait(PATIENCE)
    # Nothing flushes these; they are sent when the processes of the pool end.
    assert arrived(sink) == {f"record {number}": 1 for number in range(10)}


def test_the_local_store(tmp_path: Path, variables: dict[str, str]) -> None:
    # It brings its own store and collector.
    variables = {name: variables[name] for name in variables if not name.startswith(("FASTLY_", "STATSIG_"))}
    program = f"import runpy\nrunpy.run_path({str(EXAMPLES / 'local_store.py')!r}, run_name='__main__')"
    *_, sent = run(program, tmp_path, variables).splitlines()
    exposures = [f"statsig::{kind}_exposure" for kind in ("gate", "config", "layer")]
    assert sent == f"sent: {exposures}"
