"""Clients in web servers as people run them: gunicorn with preloaded workers, uvicorn on uvloop, gevent."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from event_sink import EventSink
from programs import PATIENCE, arrived, run
from server_processes import serving
from small_project import TIME, payload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from statsig_fastly.emulator import Emulator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="these servers do not run on Windows")


@pytest.fixture
def sink() -> Iterator[EventSink]:
    """A collector of this test's own."""
    with EventSink() as own:
        yield own


@pytest.fixture
def store(emulator: Emulator) -> Emulator:
    """An emulator with the project where programs look for it."""
    emulator.create_kv_store("specs")
    emulator.put("specs", "statsig-key", payload(TIME, 1))
    return emulator


WSGI = """
import json, os, signal, sys
from program_client import statsig

def number():
    return statsig.get_dynamic_config("u-1", "number")["a"]

def app(environ, start_response):
    if environ["PATH_INFO"] == "/event":
        statsig.log_event("u-1", environ["QUERY_STRING"])
    if environ["PATH_INFO"] == "/sync":
        statsig.sync().result(60)
    body = json.dumps([os.getpid(), number()]).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
"""


@pytest.mark.parametrize("worker", [["sync"], ["gthread", "--threads", "4"], ["gevent"]], ids=lambda w: w[0])
def test_gunicorn_with_workers_that_were_preloaded(
    tmp_path: Path, sink: EventSink, store: Emulator, worker: list[str]
) -> None:
    pytest.importorskip("gunicorn")
    if worker == ["gevent"]:
        pytest.importorskip("gevent")
    (tmp_path / "app.py").write_text(WSGI + "statsig.log_event('u-1', 'preloaded')\n")
    command = ["gunicorn", "--preload", "--workers", "2", "--bind", "fd://{fd}", "--log-level", "warning"]
    with serving(
        tmp_path, sink.url, *command, "--worker-class", *worker, "app:app", STORE_API=store.url
    ) as server:
        expected = Counter(["preloaded"])
        pids: set[int] = set()
        deadline = time.monotonic() + PATIENCE
        while len(pids) < 2 or expected.total() < 50:
            assert time.monotonic() < deadline
            name = f"event {expected.total()}"
            pid, number = server.ask(f"/event?{name.replace(' ', '%20')}")
            assert number == 1
            expected[name.replace(" ", "%20")] += 1
            pids.add(pid)
        assert server.process.pid not in pids

        store.put("specs", "statsig-key", payload(TIME + 1, 2))
        synced: dict[int, int] = {}
        while synced.keys() < pids:
            assert time.monotonic() < deadline
            pid, number = server.ask("/sync")
            synced[pid] = number
        assert synced == dict.fromkeys(pids, 2)
        assert server.end() == 0
    assert arrived(sink) == expected


ASGI = """
import asyncio, contextlib, json, os, signal, sys
from program_client import statsig

async def lifespan(receive, send):
    assert (await receive())["type"] == "lifespan.startup"
    await send({"type": "lifespan.startup.complete"})
    assert (await receive())["type"] == "lifespan.shutdown"
    if SHUTS_DOWN:
        await statsig.shutdown()
    await send({"type": "lifespan.shutdown.complete"})

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    if scope["path"] == "/event":
        statsig.log_event("u-1", scope["query_string"].decode())
    if scope["path"] == "/spawn":
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
        assert await process.wait() == 0
    if scope["path"] == "/sync":
        assert (await statsig.sync()).error is None
    if scope["path"] == "/flush":
        assert (await statsig.flush()).pending == 0
    loop = type(asyncio.get_running_loop()).__module__
    answer = [loop, statsig.get_dynamic_config("u-1", "number")["a"]]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
"""

# What else the application says, the exit status, and whether the last event arrives.
STOPS = {
    "shuts down in its lifespan": ("SHUTS_DOWN = True", -signal.SIGTERM, True),
    "exits on SIGTERM": (
        "SHUTS_DOWN = False\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(143))",
        143,
        True,
    ),
    # uvicorn ends its process with the signal it got, after it has shut down itself.
    "does nothing": ("SHUTS_DOWN = False", -signal.SIGTERM, False),
}


@pytest.mark.parametrize("stop", STOPS)
def test_uvicorn_on_uvloop_that_spawns_a_process(
    tmp_path: Path, sink: EventSink, store: Emulator, stop: str
) -> None:
    pytest.importorskip("uvicorn")
    pytest.importorskip("uvloop")
    program, status, last = STOPS[stop]
    (tmp_path / "app.py").write_text(f"{ASGI}\n{program}\n")
    command = ["uvicorn", "--loop", "uvloop", "--fd", "{fd}", "--log-level", "warning", "app:app"]
    with serving(tmp_path, sink.url, *command, STORE_API=store.url) as server:
        assert server.ask("/event?first") == ["uvloop", 1]
        assert server.ask("/spawn") == ["uvloop", 1]
        store.put("specs", "statsig-key", payload(TIME + 1, 2))
        assert server.ask("/sync") == ["uvloop", 2]
        server.ask("/event?second")
        server.ask("/flush")
        assert arrived(sink) == Counter(["first", "second"])
        server.ask("/spawn")
        store.put("specs", "statsig-key", payload(TIME + 2, 3))
        assert server.ask("/sync") == ["uvloop", 3]
        server.ask("/event?last")
        assert server.end() == status
    assert arrived(sink) == Counter(["first", "second", *["last"] * last])


GEVENT = """
import gevent
from program_client import adapter
from small_project import TIME, payload

ticks = []
def tick():
    while True:
        ticks.append(1)
        gevent.sleep(0)
gevent.spawn(tick)

def work(number):
    for each in range(20):
        statsig.check_gate(f"u-{number}", "on")
        statsig.log_event("u-1", f"event {number} {each}")
        gevent.sleep(0)

gevent.joinall([gevent.spawn(work, number) for number in range(10)], raise_error=True)
before = len(ticks)
assert statsig.flush().result(60).pending == 0
adapter.update(payload(TIME + 1, 2))
assert statsig.sync().result(60).changed
assert len(ticks) > before  # others ran while these waited
statsig.log_event("u-1", "held")
"""


def test_a_program_that_gevent_has_patched(tmp_path: Path, sink: EventSink) -> None:
    pytest.importorskip("gevent")
    ran = run(tmp_path, GEVENT, sink.url, first="from gevent import monkey\nmonkey.patch_all()")
    assert (ran.returncode, ran.stderr) == (0, "")
    names = (f"event {number} {each}" for number in range(10) for each in range(20))
    assert arrived(sink) == Counter([*names, "held"])
    assert len(sink.events) == 201 + 10
