"""The adapter for Redis that examples/ and docs/adapters.md show, over the protocol of Redis."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import socket
import subprocess
import sys
import textwrap
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from event_sink import EventSink
from programs import PATIENCE, environment
from statsig_fastly import AdapterError, MemoryAdapter, Statsig, StatsigOptions
from statsig_fastly.adapters import SpecAdapter
from statsig_fastly.sample_project import sample_project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from redis import Redis

    from statsig_fastly import Payload

redis = pytest.importorskip("redis")

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "redis_adapter.py"
KEY = "statsig-1a2b3c"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a Redis is: the real one if this machine has it."""
    server = shutil.which("redis-server")
    if server is None:
        yield from _in_this_process()
        return
    directory = tmp_path_factory.mktemp("redis")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            assert any("eady to accept connections" in line for line in running.stdout)
            yield f"redis://127.0.0.1:{port}"
        finally:
            running.terminate()
            running.stdout.read()


def _in_this_process() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a package that is not this one
        fakeredis = pytest.importorskip("fakeredis")
    with fakeredis.TcpFakeServer(("127.0.0.1", 0), server_type="redis") as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"redis://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def client(url: str) -> Iterator[Redis]:
    """A client of a Redis that has nothing in it."""
    with redis.Redis.from_url(url) as client:
        client.flushall()
        yield client


@pytest.fixture(scope="module")
def example() -> ModuleType:
    """The example as a module."""
    spec = importlib.util.spec_from_file_location("redis_adapter", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fetched(adapter: SpecAdapter, held_version: str | None = None) -> Payload:
    payload = adapter.fetch(held_version)
    assert payload is not None
    return payload


def test_it_is_an_adapter(example: ModuleType, client: Redis) -> None:
    adapter = example.RedisAdapter(client, KEY)
    assert isinstance(adapter, SpecAdapter)
    with pytest.raises(AdapterError, match="there is no such key"):
        adapter.fetch()
    client.set(KEY, b'{"time":1}')
    payload = fetched(adapter)
    assert payload.body == b'{"time":1}'
    assert adapter.fetch(payload.version) is None
    client.set(KEY, b'{"time":2}')
    assert fetched(adapter, payload.version).body == b'{"time":2}'
    adapter.close()
    adapter.close()
    assert adapter.fetch() is not None


def test_a_redis_that_is_not_there(example: ModuleType) -> None:
    with socket.socket() as deaf:  # nobody listens there, nor can anybody else
        deaf.bind(("127.0.0.1", 0))
        client = redis.Redis(port=deaf.getsockname()[1], retry=None)
        with client, pytest.raises(AdapterError) as caught:
            example.RedisAdapter(client, KEY).fetch()
    assert caught.value.retryable
    assert "refused" in str(caught.value)


def test_the_program(url: str, client: Redis, tmp_path: Path) -> None:
    client.set(KEY, json.dumps(sample_project()))
    with EventSink() as sink:
        variables = environment(sink.url, REDIS_URL=url, STATSIG_LOG_EVENT_URL=sink.url)
        ran = subprocess.run(
            [sys.executable, str(EXAMPLE)],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        (event,) = sink.events
    options = StatsigOptions(data_adapter=MemoryAdapter(sample_project()), disable_all_logging=True)
    with Statsig("secret-key", options) as statsig:
        passes = statsig.check_gate("user-42", "test_fastly")
    assert ran.stdout.startswith("FeatureGate(")
    assert f"value={passes}" in ran.stdout
    assert "Adapter(Redis):Recognized" in ran.stdout
    assert event["metadata"]["gateValue"] == str(passes).lower()


def test_the_document_shows_the_same() -> None:
    document = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")
    (shown,) = re.findall(
        r"^```python\n([^`]*class RedisAdapter.*?)^```$", document, re.DOTALL | re.MULTILINE
    )
    _, _, adapter = shown.partition("class RedisAdapter")
    assert textwrap.dedent(f"class RedisAdapter{adapter}").strip() in EXAMPLE.read_text(encoding="utf-8")
