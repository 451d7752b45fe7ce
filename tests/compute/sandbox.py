"""Runs a Fastly Compute component in wasmtime.

In: a component and the `Fastly` it sees. Out: its responses, and what the running costs.
"""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING, Any

from wasmtime import Config, Engine, Store, WasiConfig
from wasmtime.component import (
    Component,
    ComponentInstanceType,
    FuncType,
    Linker,
    ResourceAny,
    ResourceHost,
    ResourceType,
    Variant,
)

from compute.fastly import POLLABLE, Ask, Resource
from compute.values import improve_wasmtime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from compute.fastly import Fastly, Response

__all__ = ["Program", "Sandbox"]

_PACKAGE = "fastly:compute/"
_INCOMING = f"{_PACKAGE}http-incoming@0.1.0"
# Types that interfaces take over from each other, with their names.
_SHARED = {
    "backend": ("backend", "backend"),
    "request": ("http-req", "request"),
    "response": ("http-resp", "response"),
    "secret": ("secret-store", "secret"),
}
_HEAP_BYTES = 128 * 1024 * 1024


class Program:
    """A component, compiled.

    Args:
        path: The `main.wasm`. What it compiles to is kept beside it, until it changes.
    """

    def __init__(self, path: Path) -> None:
        improve_wasmtime()
        self.engine = Engine(Config())
        kept = path.with_suffix(f".{path.stat().st_mtime_ns}.cwasm")
        if not kept.exists():
            for older in path.parent.glob(f"{path.stem}.*.cwasm"):
                older.unlink()
            kept.write_bytes(Component.from_file(self.engine, str(path)).serialize())
        self.component = Component.deserialize_file(self.engine, str(kept))


class Sandbox:
    """One instance of a component, with memory of its own.

    Args:
        program: The component.
        fastly: What it sees.
        heap_bytes: How much memory it may have.
        output: Where it writes what it prints; None leaves it on standard output and error.

    Attributes:
        instantiate_s: CPU seconds that making it took.
        calls: How many functions of the host it has called.
    """

    def __init__(
        self, program: Program, fastly: Fastly, *, heap_bytes: int = _HEAP_BYTES, output: Path | None = None
    ) -> None:
        self._fastly = fastly
        self._things: dict[int, Any] = {}
        self._number = count(1)
        self.calls = 0
        self._types: dict[tuple[str, str], int] = {}
        self._linker = Linker(program.engine)
        self._linker.add_wasip2()
        self._define(program)
        self._store = Store(program.engine)
        wasi = WasiConfig()
        if output is None:
            wasi.inherit_stdout()
            wasi.inherit_stderr()
        else:
            wasi.stdout_file = wasi.stderr_file = str(output)
        self._store.set_wasi(wasi)
        self._store.set_limits(memory_size=heap_bytes)
        started = time.process_time()
        self._instance = self._linker.instantiate(self._store, program.component)
        self.instantiate_s = time.process_time() - started
        incoming = self._instance.get_export_index(self._store, _INCOMING)
        handle = self._instance.get_export_index(self._store, "handle", incoming)
        assert handle is not None
        self._handle = self._instance.get_func(self._store, handle)

    def serve(self, requests: Iterable[Ask]) -> list[Response]:
        """Has requests answered, one after the other, by a service that reuses its sandbox.

        An iterator is asked for the next request when the service is: after all that follows a response.
        """
        waiting = iter(requests)
        first = next(waiting)
        self._fastly.queue(waiting)
        before = len(self._fastly.responses)
        request, body = self._own(first), self._own(first.body)
        assert self._handle is not None
        self._handle(self._store, request, body)
        return self._fastly.responses[before:]

    def get(self, query: str = "") -> Response:
        """Has one request answered."""
        (response,) = self.serve([Ask(uri=f"http://service.test/{query}")])
        return response

    # Resources

    def _own(self, thing: Resource) -> ResourceHost:
        number = next(self._number)
        self._things[number] = thing
        return ResourceHost.own(number, self._type(thing.resource))

    def _type(self, name: tuple[str, str]) -> int:
        return self._types.setdefault(name, len(self._types) + 1)

    def _in(self, store: Any, value: Any) -> Any:
        if isinstance(value, ResourceAny):
            host = value.to_host(store)
            return self._things.pop(host.rep) if host.owned else self._things[host.rep]
        return [self._in(store, one) for one in value] if isinstance(value, list) else value

    def _out(self, value: Any) -> Any:
        if isinstance(value, Resource):
            return self._own(value)
        if isinstance(value, tuple):
            return tuple(self._out(one) for one in value)
        return Variant(value.tag, self._out(value.payload)) if isinstance(value, Variant) else value

    # Linking

    def _define(self, program: Program) -> None:
        with self._linker.root() as root:
            for name, extern in program.component.type.imports(program.engine).items():
                if not name.startswith(_PACKAGE):
                    continue
                interface = name.removeprefix(_PACKAGE).partition("@")[0]
                described = extern.ty
                assert isinstance(described, ComponentInstanceType)
                with root.add_instance(name) as instance:
                    for item, item_extern in described.exports(program.engine).items():
                        kind = item_extern.ty
                        if isinstance(kind, ResourceType):
                            number = self._type(_resource(interface, item))
                            instance.add_resource(item, ResourceType.host(number), self._dropped)
                        elif isinstance(kind, FuncType):
                            instance.add_func(item, self._function(interface, item))

    def _dropped(self, _: object, number: int) -> None:
        self._things.pop(number, None)

    def _function(self, interface: str, name: str) -> Callable[..., Any]:
        function = self._fastly.functions.get(f"{interface}/{name}")

        def call(store: Any, *arguments: Any) -> Any:
            self.calls += 1
            if function is None:
                raise NotImplementedError(f"{interface}: {name}")
            return self._out(function(*(self._in(store, one) for one in arguments)))

        return call


def _resource(interface: str, name: str) -> tuple[str, str]:
    if name in {"pollable", "body"} or name.startswith("pending-"):
        return POLLABLE
    return _SHARED.get(name, (interface, name))
