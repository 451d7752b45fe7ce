"""Updates in web servers as people run them: every worker gets them, whatever was forked and spawned."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from programs import PATIENCE
from server_processes import serving
from small_project import TIME, payload

if TYPE_CHECKING:
    from pathlib import Path

    from server_processes import Server
    from statsig_fastly.emulator import Emulator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="these servers do not run on Windows")

CLIENT = """
import asyncio, json, os, sys
from statsig_fastly import FastlyDataAdapter, Statsig, StatsigOptions, SyncPolicy

adapter = FastlyDataAdapter("specs", "statsig-key", token="emulator-token", api=os.environ["STORE_API"])
options = StatsigOptions(data_adapter=adapter, sync_policy={policy}, disable_all_logging=True{more})
statsig = Statsig("secret-key", options)
statsig.initialize().wait()

def answer():
    return [os.getpid(), statsig.get_dynamic_config("u-1", "number")["a"]]
"""

WSGI = """
from statsig_fastly.web.wsgi import FlushAfterResponse

def answering(environ, start_response):
    body = json.dumps(answer()).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]

app = FlushAfterResponse(answering, statsig)
"""

ASGI = """
from statsig_fastly.web.asgi import FlushAfterResponse

async def answering(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            event = (await receive())["type"]
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return
    if scope["path"] == "/spawn":
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
        assert await process.wait() == 0
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(answer()).encode()})

app = FlushAfterResponse(answering, statsig)
"""

POLICIES = {
    "background": "SyncPolicy.background(0.05)",
    "on request": "SyncPolicy.on_request(0.05)",
}


@pytest.fixture
def store(emulator: Emulator) -> Emulator:
    """An emulator with the project where programs look for it."""
    emulator.create_kv_store("specs")
    emulator.put("specs", "statsig-key", payload(TIME, 1))
    return emulator


def ask_until(server: Server, number: int, workers: int, path: str = "/") -> set[int]:
    """Asks until so many workers have answered with the number."""
    updated: set[int] = set()
    deadline = time.monotonic() + PATIENCE
    while len(updated) < workers:
        assert time.monotonic() < deadline
        pid, answered = server.ask(path)
        assert answered <= number
        if answered == number:
            updated.add(pid)
    return updated


def downloads(store: Emulator) -> int:
    """How many times the payload was asked for."""
    asked = [request.method for request in store.requests if request.path.endswith("statsig-key")]
    return asked.count("GET")


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("worker", [["sync"], ["gthread", "--threads", "4"], ["gevent"]], ids=lambda w: w[0])
def test_preloaded_workers_of_gunicorn(
    tmp_path: Path, store: Emulator, worker: list[str], policy: str
) -> None:
    pytest.importorskip("gunicorn")
    if worker == ["gevent"]:
        pytest.importorskip("gevent")
    (tmp_path / "app.py").write_text(CLIENT.format(policy=POLICIES[policy], more="") + WSGI)
    command = ["gunicorn", "--preload", "--workers", "2", "--bind", "fd://{fd}", "--log-level", "warning"]
    with serving(tmp_path, "", *command, "--worker-class", *worker, "app:app", STORE_API=store.url) as server:
        pids = ask_until(server, 1, 2)
        assert server.process.pid not in pids
        for number in (2, 3):
            store.put("specs", "statsig-key", payload(TIME + number, number))
            assert ask_until(server, number, 2) == pids
        assert server.end() == 0


def test_workers_that_share_a_poller(tmp_path: Path, store: Emulator) -> None:
    pytest.importorskip("gunicorn")
    more = f", last_known_good_dir={str(tmp_path / 'shared')!r}, shared_polling=True"
    (tmp_path / "app.py").write_text(CLIENT.format(policy=POLICIES["background"], more=more) + WSGI)
    command = ["gunicorn", "--workers", "4", "--bind", "fd://{fd}", "--log-level", "warning"]
    with serving(tmp_path, "", *command, "app:app", STORE_API=store.url) as server:
        pids = ask_until(server, 1, 4)
        at_start = downloads(store)  # a worker that starts when a look is due makes it
        store.put("specs", "statsig-key", payload(TIME + 2, 2))
        assert ask_until(server, 2, 4) == pids
        assert server.end() == 0
    assert downloads(store) == at_start + 1  # for four workers


@pytest.mark.parametrize("policy", POLICIES)
def test_uvicorn_on_uvloop_that_spawns_a_process(tmp_path: Path, store: Emulator, policy: str) -> None:
    pytest.importorskip("uvicorn")
    pytest.importorskip("uvloop")
    (tmp_path / "app.py").write_text(CLIENT.format(policy=POLICIES[policy], more="") + ASGI)
    command = ["uvicorn", "--loop", "uvloop", "--fd", "{fd}", "--log-level", "warning", "app:app"]
    with serving(tmp_path, "", *command, STORE_API=store.url) as server:
        ask_until(server, 1, 1)
        for number in (2, 3):
            ask_until(server, number - 1, 1, "/spawn")
            store.put("specs", "statsig-key", payload(TIME + number, number))
            ask_until(server, number, 1)
        server.end()
