"""Components in Viceroy, Fastly's own local server, where that is installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from compute.conftest import SERVICES
from statsig_fastly import Statsig, StatsigOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from event_sink import EventSink

pytestmark = [
    pytest.mark.skipif(shutil.which("viceroy") is None, reason="Viceroy is missing: cargo install viceroy"),
    *(
        pytest.mark.skipif(
            not (SERVICES / f"{name}.wasm").exists(), reason=f"`make compute-viceroy` builds the {name}"
        )
        for name in ("gate", "probe")
    ),
]

REQUESTS = 100
HEAD = """
manifest_version = 3
name = "statsig-gate"
language = "other"
"""
STORES = """
[local_server.kv_stores]
statsig = [{ key = "statsig-specs", file = "./specs.json", metadata = "lcut=1" }]

[local_server.config_stores.statsig]
format = "inline-toml"
contents = { specs = '{"a": 1}' }

[local_server.secret_stores]
statsig = [{ key = "SDK_KEY", env = "STATSIG_SDK_KEY" }]
"""


@contextmanager
def running(name: str, settings: str, directory: Path) -> Iterator[str]:
    """Serves a component. Gives the URL."""
    (directory / "fastly.toml").write_text(HEAD + settings)
    component = str(SERVICES / f"{name}.wasm")
    command = ["viceroy", "-v", "-C", "fastly.toml", "--addr", "127.0.0.1:0", component]
    environment = {**os.environ, "STATSIG_SDK_KEY": "secret-of-the-store"}
    with subprocess.Popen(
        command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        assert server.stdout is not None
        said = ""
        for line in server.stdout:
            said += line
            if listening := re.search(r"Listening on (http://\S+)", line):
                # What it says later must not fill the pipe.
                rest = threading.Thread(target=server.stdout.read, daemon=True)
                rest.start()
                break
        else:
            pytest.fail(f"Viceroy does not listen:\n{said}")
        try:
            yield listening[1]
        finally:
            server.terminate()
            rest.join()


@pytest.fixture
def stores(tmp_path: Path, project: dict[str, Any]) -> str:
    """Settings with all that the example needs, but no backend."""
    (tmp_path / "specs.json").write_text(json.dumps(project))
    return STORES


@pytest.fixture
def with_sink(stores: str, sink: EventSink) -> str:
    """Settings with all that the example needs."""
    return f'{stores}\n[local_server.backends.statsig]\nurl = "{sink.base}"\n'


def test_requests(with_sink: str, tmp_path: Path, sink: EventSink, project: dict[str, Any]) -> None:
    with running("gate", with_sink, tmp_path) as service, urllib3.PoolManager() as pool:
        answers = [pool.request("GET", service).json() for _ in range(REQUESTS)]
        sink.wait_for(REQUESTS)
    options = StatsigOptions(bootstrap=json.dumps(project), disable_all_logging=True)
    with Statsig("secret-native", options) as statsig:
        for answer in answers:
            assert answer["gateResult"] == statsig.check_gate(answer["userID"], "test_fastly")
    exposed = {event["user"]["userID"] for event in sink.events if "gate_exposure" in event["eventName"]}
    assert exposed == {answer["userID"] for answer in answers}
    assert {sent.headers["statsig-api-key"] for sent in sink.requests} == {"secret-of-the-store"}


def test_without_stores(tmp_path: Path) -> None:
    with running("gate", "", tmp_path) as service, urllib3.PoolManager() as pool:
        answers = [pool.request("GET", service, retries=False) for _ in range(3)]
    assert [answer.status for answer in answers] == [500] * 3
    said = "reading key 'statsig-specs' of KV store 'statsig': the service has no such store"
    assert all(said in answer.json()["error"] for answer in answers)


def test_without_a_backend(stores: str, tmp_path: Path) -> None:
    """Answers do not depend on it."""
    with running("gate", stores, tmp_path) as service, urllib3.PoolManager() as pool:
        answers = [pool.request("GET", service, retries=False) for _ in range(3)]
    assert [answer.status for answer in answers] == [200] * 3


# One request each: the next one may come to another sandbox.
LOOK = """
from statsig_fastly import ComputeConfigAdapter, ComputeKVAdapter
from statsig_fastly.compute.backend import BackendTransport
from statsig_fastly.compute.log_endpoint import LogEndpointTransport
from statsig_fastly.transport import Request

def send(backend, secret=None, size=10):
    headers = {"statsig-api-key": "the-client's", "x-latin": "\\xfc"}
    request = Request(method="POST", url="http://x.test/v1/log_event", headers=headers, body=bytes(size))
    return BackendTransport(backend, sdk_key_secret=secret).send(request).status

def told(work):
    try:
        return work()
    except Exception as error:
        return str(error)
"""


def test_stores_and_backends(with_sink: str, tmp_path: Path, sink: EventSink) -> None:
    settings = f'{with_sink}\n[local_server.backends.closed]\nurl = "http://127.0.0.1:1"\n'
    asked = {
        "ComputeKVAdapter('statsig', 'statsig-specs').fetch().metadata": "lcut=1",
        "(lambda one: one.fetch(one.fetch().version))(ComputeKVAdapter('statsig', 'statsig-specs'))": None,
        "ComputeKVAdapter('statsig', 'k').fetch()": "the store has no such key",
        "ComputeKVAdapter('nowhere', 'k').fetch()": "the service has no such store",
        "ComputeConfigAdapter('statsig', 'specs').fetch().body.decode()": '{"a": 1}',
        "ComputeConfigAdapter('statsig', 'k').fetch()": "the store has no such key",
        "ComputeConfigAdapter('nowhere', 'k').fetch()": "the service has no such store",
        "send('statsig', ('statsig', 'SDK_KEY'), 1_000_000)": 202,
        "send('nowhere')": "backend 'nowhere' does not exist",
        "send('closed')": "backend 'closed' did not answer: generic error",
        "send('statsig', ('nowhere', 'k'))": "secret 'k' of Secret Store 'nowhere': not found",
        "send('statsig', ('statsig', 'k'))": "there is no such secret",
    }
    source = f"{LOOK}\nanswer = [{', '.join(f'told(lambda: {one})' for one in asked)}]"
    with running("probe", settings, tmp_path) as service, urllib3.PoolManager() as pool:
        response = pool.request("POST", service, body=source.encode())
    assert response.status == 200, response.data.decode()
    for (question, expected), answer in zip(asked.items(), response.json(), strict=True):
        assert answer == expected or expected in answer, question
    (received,) = sink.requests
    assert received.headers["statsig-api-key"] == "secret-of-the-store"


def test_application(with_sink: str, tmp_path: Path) -> None:
    source = b"""
told = json.dumps([environ["PATH_INFO"], environ["QUERY_STRING"], environ["HTTP_COOKIE"]])
fields = [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-latin", "\\xfc"), ("x-told", told)]
response = "201 Made", fields, [b"0123456789"] * 500_000
"""
    headers = urllib3.HTTPHeaderDict([("cookie", "c=3"), ("cookie", "d=4")])
    with running("probe", with_sink, tmp_path) as service, urllib3.PoolManager() as pool:
        url = f"{service}/a%20%C3%BC;p?{'q' * 4000}"
        got = pool.request("POST", url, body=source, headers=headers)
    assert got.status == 201
    assert got.data == b"0123456789" * 500_000
    assert got.headers.getlist("set-cookie") == ["a=1", "b=2"]
    assert got.headers["x-latin"] == "\xfc"
    path = "/a \xfc;p".encode().decode("latin-1")
    assert json.loads(got.headers["x-told"]) == [path, "q" * 4000, "c=3; d=4"]


@pytest.mark.parametrize("response", ["'nope', [], []", "'200 OK', [('x', 'a\\nb')], []"])
def test_application_that_fails(with_sink: str, tmp_path: Path, response: str) -> None:
    source = f"response = {response}".encode()
    with running("probe", with_sink, tmp_path) as service, urllib3.PoolManager() as pool:
        got = pool.request("POST", service, body=source)
    assert (got.status, got.data) == (500, b"Internal Server Error")
