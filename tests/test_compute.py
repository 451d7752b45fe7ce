"""The parts for Fastly Compute, outside a component: arguments, and what they say where they cannot work."""

from __future__ import annotations

import ast
import gzip
import importlib
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import statsig_fastly
from small_project import started
from statsig_fastly import AdapterError, ComputeConfigAdapter, ComputeKVAdapter, SpecAdapter, StatsigOptions
from statsig_fastly.compute.backend import BackendTransport
from statsig_fastly.compute.baked import bake
from statsig_fastly.compute.faults import fault_name, fault_text, is_passing
from statsig_fastly.compute.log_endpoint import LogEndpointTransport, lines
from statsig_fastly.compute.wsgi import StatsigHttpIncoming
from statsig_fastly.transport import Request, Transport, TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGE = Path(statsig_fastly.__file__).parent
# `imports` itself is not imported outside: it would load what others only load when they need it.
NAMES = ast.parse((PACKAGE / "compute" / "imports.py").read_text())


@pytest.mark.parametrize("kind", [ComputeKVAdapter, ComputeConfigAdapter])
def test_adapters(kind: Callable[[str, str], ComputeKVAdapter | ComputeConfigAdapter]) -> None:
    adapter = kind("store", "key")
    assert isinstance(adapter, SpecAdapter)
    assert StatsigOptions(data_adapter=adapter).data_adapter is adapter
    assert (adapter.store, adapter.config_spec_key) == ("store", "key")
    assert repr(adapter) == f"{kind.__name__}('store', 'key')"
    adapter.close()
    said = r"reading key 'key' of .* 'store': this works inside a Fastly Compute component only"
    with pytest.raises(AdapterError, match=said):
        adapter.fetch()


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: ComputeKVAdapter("", "k"), ValueError, "store: expected text"),
        (lambda: ComputeKVAdapter("s", 1), TypeError, "config_spec_key: expected str"),  # type: ignore[arg-type]
        (lambda: ComputeKVAdapter("s", "a|b"), ValueError, "config_spec_key: must not contain"),
        (lambda: ComputeKVAdapter("s", "k", max_payload_bytes=0), ValueError, "max_payload_bytes: expected"),
        (lambda: ComputeConfigAdapter(None, "k"), TypeError, "store: expected str"),  # type: ignore[arg-type]
        (lambda: ComputeConfigAdapter("s", "k" * 256), ValueError, "config_spec_key: expected at most 255"),
        (lambda: BackendTransport(""), ValueError, "backend: expected text"),
        (lambda: BackendTransport(sdk_key_secret="s"), TypeError, "sdk_key_secret: expected a tuple"),  # type: ignore[arg-type]
        (lambda: BackendTransport(sdk_key_secret=("s", "")), ValueError, "sdk_key_secret: expected text"),
        (lambda: LogEndpointTransport(""), ValueError, "endpoint: expected text"),
        (lambda: LogEndpointTransport("e", line_bytes=0), ValueError, "line_bytes: expected"),
        (lambda: StatsigHttpIncoming(5, started()), TypeError, "argument 'app': expected a WSGI"),  # type: ignore[arg-type]
        (lambda: StatsigHttpIncoming(print, 5), TypeError, "argument 'statsig': expected Statsig"),  # type: ignore[arg-type]
        (
            lambda: StatsigHttpIncoming(print, started(), reuse_sandboxes_for_ms=-1),  # type: ignore[arg-type]
            ValueError,
            "at least 0 ms",
        ),
    ],
)
def test_arguments(make: Callable[[], object], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        make()


@pytest.mark.parametrize("transport", [BackendTransport(), LogEndpointTransport("events")])
def test_transports(transport: Transport) -> None:
    assert isinstance(transport, Transport)
    assert StatsigOptions(log_event_transport=transport).log_event_transport is transport
    with pytest.raises(TransportError, match="inside a Fastly Compute component only"):
        transport.send(Request(method="POST", url="https://collector.test/v1/log_event"))
    transport.close()


def test_nothing_to_bake() -> None:
    statsig = statsig_fastly.Statsig("secret-key", StatsigOptions(disable_all_logging=True))
    with pytest.raises(ValueError, match=r"expected StatsigOptions\.bootstrap"):
        bake(statsig)


def test_what_bindings_raise() -> None:
    class TooManyRequests(Exception): ...  # noqa: N818 - so are these

    class KvError_InternalError: ...  # noqa: N801 - as the bindings call it

    class Err(Exception):  # noqa: N818
        value = KvError_InternalError()

    assert (fault_name(TooManyRequests()), is_passing(TooManyRequests())) == ("too many requests", True)
    assert fault_name(Err()) == fault_text(Err()) == "internal error"


def test_errors_with_details() -> None:
    """As sending a request raises them."""

    @dataclass
    class Error_GenericError: ...  # noqa: N801 - as the bindings call it

    @dataclass
    class Tls:
        alert: int

    @dataclass
    class ErrorWithDetail:
        detail: object
        error: object

    class Err(Exception):  # noqa: N818 - so is this
        def __init__(self, value: object) -> None:
            super().__init__(value)
            self.value = value

    bare = Err(ErrorWithDetail(None, Error_GenericError()))
    assert (fault_text(bare), is_passing(bare)) == ("generic error", True)
    told = fault_text(Err(ErrorWithDetail(Tls(40), Error_GenericError())))
    assert told == f"generic error: {Tls(40)!r}"
    assert fault_text(Err(Error_GenericError())) == "generic error"

    class Wrapped(Exception): ...  # noqa: N818 - as `fastly_compute` raises it

    assert fault_text(Wrapped(ErrorWithDetail(None, Error_GenericError()))) == "generic error"
    assert fault_text(Wrapped(ErrorWithDetail(Tls(40), Error_GenericError()))) == told


# Versions

ROOT = Path(__file__).parents[1]


def test_one_version() -> None:
    version = re.escape(statsig_fastly.__version__)
    for path, line in {
        PACKAGE / "compute" / "engine.py": f'^_VERSION = "{version}"$',
        ROOT / "pyproject.toml": f'^compute = \\["statsig-fastly-compute=={version}"\\]$',
        ROOT / "rust" / "compute" / "pyproject.toml": f'^version = "{version}"$',
    }.items():
        assert re.search(line, path.read_text(), re.MULTILINE), path


def test_engine_of_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ModuleType("statsig_fastly_compute._native")
    engine.__version__ = "0.0.9"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "statsig_fastly_compute", ModuleType("statsig_fastly_compute"))
    monkeypatch.setitem(sys.modules, "statsig_fastly_compute._native", engine)
    said = "statsig-fastly-compute has version 0.0.9, and statsig-fastly "
    with pytest.raises(ImportError, match=said):
        importlib.import_module("statsig_fastly.compute.engine")
    assert sys.modules["statsig_fastly._native"] is not engine


# The build


@pytest.mark.parametrize("rustc", ["there-is-no-such-rustc", sys.executable])
def test_build_says_what_is_missing(rustc: str) -> None:
    """Also where there is a `rustc` that fails, as that of rustup does without a toolchain."""
    built = subprocess.run(
        [sys.executable, ROOT / "rust" / "compute" / "build.py"],
        env={**os.environ, "RUSTC": rustc},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert built.returncode == 1
    assert built.stderr.startswith("a Rust toolchain is needed: https://rustup.rs")
    assert len(built.stderr.splitlines()) == 1


# Lines of a log

texts = st.text(max_size=30)
events = st.lists(st.dictionaries(texts, st.none() | texts | st.integers() | st.lists(texts)), max_size=20)


@given(events=events, rest=st.dictionaries(texts.filter("events".__ne__), texts), most=st.integers(1, 400))
def test_lines(events: list[dict[str, Any]], rest: dict[str, str], most: int) -> None:
    body = json.dumps({"events": events, **rest}).encode()
    split = [*lines(gzip.compress(body), most)]
    assert split == [*lines(body, most)]
    read = [json.loads(line) for line in split]
    assert [event for one in read for event in one.pop("events")] == events
    assert all(one == rest for one in read)
    assert all(b"\n" not in line for line in split)
    assert all(len(line) <= most or len(json.loads(line)["events"]) == 1 for line in split)


# Imports


def constant(name: str) -> set[str]:
    """The strings in what a name of `compute.imports` is set to."""
    (value,) = [
        node.value
        for node in NAMES.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    ]
    return {str(node.value) for node in ast.walk(value) if isinstance(node, ast.Constant)}


def late_imports(path: Path) -> Iterator[str]:
    """Modules that are imported inside functions."""
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Import):
                    yield from (alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom):
                    yield node.module or ""


def early_imports(module: str, seen: set[str]) -> None:
    """Adds a module of the package to those that are imported with another, and so on."""
    path = PACKAGE.parent / Path(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if module in seen or not path.exists():
        return
    seen.add(module)
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("statsig_fastly"):
            early_imports(node.module or "", seen)
            for alias in node.names:
                early_imports(f"{node.module}.{alias.name}", seen)


def test_nothing_is_left_to_import_later() -> None:
    """A component cannot import anything when it runs: see `compute.imports`."""
    needed, left_out, host = constant("NEEDED"), constant("LEFT_OUT"), constant("_OF_THE_SERVICE")
    early: set[str] = set()
    for module in ("statsig_fastly", *sorted(needed)):
        early_imports(module, early)
    assert not early & left_out
    extension = Path(__file__).parents[1] / "rust" / "python" / "src"
    unknown = {
        name: path.name
        for path in extension.glob("*.rs")
        for name in re.findall(r'import\((?:py, )?"([\w.]+)"', path.read_text())
        if name not in early
    }
    for module in sorted(early):
        path = PACKAGE.parent / Path(*module.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        for name in late_imports(path):
            if name in early | needed | left_out | host | {"wit_world.imports", "statsig_fastly._native"}:
                continue
            unknown[name] = module
    assert unknown == {}


def test_what_is_needed_exists() -> None:
    for name in constant("NEEDED"):
        top = name.partition(".")[0]
        if top == "statsig_fastly":
            path = PACKAGE.parent / Path(*name.split("."))
            assert path.is_dir() or path.with_suffix(".py").exists()
        else:
            assert top in sys.stdlib_module_names
