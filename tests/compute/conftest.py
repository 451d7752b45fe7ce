"""Components to run, and what they see. Where they cannot be had, the tests are skipped with the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from event_sink import EventSink
from statsig_fastly.sample_project import sample_project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from compute.fastly import Fastly
    from compute.sandbox import Program, Sandbox

SERVICES = Path(__file__).resolve().parents[2] / "target" / "compute" / "services"


def _program(name: str) -> Program:
    pytest.importorskip(
        "wasmtime", reason="`make compute-test` installs wasmtime where Python is 3.12 or newer"
    )
    path = SERVICES / f"{name}.wasm"
    if not path.exists():
        pytest.skip(f"the component {name} is not built: `make compute-test` does so")
    from compute.sandbox import Program

    return Program(path)


@pytest.fixture(scope="session")
def gate_program() -> Program:
    """The example."""
    return _program("gate")


@pytest.fixture(scope="session")
def probe_program() -> Program:
    """The service that runs what it is sent."""
    return _program("probe")


@pytest.fixture
def sink() -> Iterator[EventSink]:
    """A collector, over HTTP."""
    with EventSink() as running:
        yield running


@pytest.fixture(scope="session")
def project() -> dict[str, Any]:
    """The project that the stores have."""
    return sample_project()


@pytest.fixture
def fastly(sink: EventSink, project: dict[str, Any]) -> Fastly:
    """A platform on which everything is as the example wants it."""
    from compute.fastly import Fastly, Item
    from compute.forward import forward_to

    platform = Fastly()
    platform.kv["statsig"] = {"statsig-specs": Item(json.dumps(project).encode())}
    platform.secrets["statsig"] = {"SDK_KEY": b"secret-of-the-store\n"}
    platform.backends["statsig"] = forward_to(sink)
    return platform


@pytest.fixture
def gate(gate_program: Program, fastly: Fastly) -> Sandbox:
    """A sandbox of the example."""
    from compute.sandbox import Sandbox

    return Sandbox(gate_program, fastly)


@pytest.fixture
def probe(probe_program: Program, fastly: Fastly) -> Callable[..., list[Any]]:
    """Runs pieces of Python in one sandbox, a request each, and returns what they leave in `answer`."""
    from compute.fastly import Ask, Body
    from compute.sandbox import Sandbox

    sandbox = Sandbox(probe_program, fastly)

    def run(*sources: str | Callable[[], str]) -> list[Any]:
        def asks() -> Iterator[Ask]:
            for source in sources:
                text = source if isinstance(source, str) else source()
                yield Ask("POST", "http://service.test/", {}, Body(bytearray(text.encode())))

        answers = []
        for response in sandbox.serve(asks()):
            assert response.status == 200, response.text.decode()
            answers.append(json.loads(response.text))
        return answers

    return run
