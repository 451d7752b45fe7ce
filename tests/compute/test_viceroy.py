"""The example in Viceroy, Fastly's own local server, where that is installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
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
    pytest.mark.skipif(not (SERVICES / "gate.wasm").exists(), reason="`make compute` builds the component"),
]

REQUESTS = 100


@pytest.fixture
def service(tmp_path: Path, sink: EventSink, project: dict[str, Any]) -> Iterator[str]:
    """Where the service answers."""
    (tmp_path / "specs.json").write_text(json.dumps(project))
    (tmp_path / "fastly.toml").write_text(f"""
manifest_version = 3
name = "statsig-gate"
language = "other"

[local_server.kv_stores]
statsig = [{{ key = "statsig-specs", file = "./specs.json" }}]

[local_server.secret_stores]
statsig = [{{ key = "SDK_KEY", env = "STATSIG_SDK_KEY" }}]

[local_server.backends.statsig]
url = "{sink.base}"
""")
    command = ["viceroy", "-v", "-C", "fastly.toml", "--addr", "127.0.0.1:0", str(SERVICES / "gate.wasm")]
    environment = {**os.environ, "STATSIG_SDK_KEY": "secret-of-the-store"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        assert server.stdout is not None
        said = ""
        for line in server.stdout:
            said += line
            if listening := re.search(r"http://127\.0\.0\.1:[1-9]\d*", line):
                # What it says later must not fill the pipe.
                threading.Thread(target=server.stdout.read, daemon=True).start()
                yield listening[0]
                break
        else:
            pytest.fail(f"Viceroy does not listen:\n{said}")
        server.terminate()


def test_requests(service: str, sink: EventSink, project: dict[str, Any]) -> None:
    with urllib3.PoolManager() as pool:
        answers = [pool.request("GET", service).json() for _ in range(REQUESTS)]
    options = StatsigOptions(bootstrap=json.dumps(project), disable_all_logging=True)
    with Statsig("secret-native", options) as statsig:
        for answer in answers:
            assert answer["gateResult"] == statsig.check_gate(answer["userID"], "test_fastly")
    sink.wait_for(REQUESTS)
    exposed = {event["user"]["userID"] for event in sink.events if "gate_exposure" in event["eventName"]}
    assert exposed == {answer["userID"] for answer in answers}
    assert {sent.headers["statsig-api-key"] for sent in sink.requests} == {"secret-of-the-store"}
