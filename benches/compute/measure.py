"""Measures a component in wasmtime, beside the same work outside it: `make compute-bench`."""

from __future__ import annotations

import gzip
import json
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent / "bench"), str(ROOT / "tests")]

import checks
from wasmtime import WasmtimeError

from compute.fastly import Ask, Body, Fastly, Item, Response
from compute.sandbox import Program, Sandbox
from statsig_fastly.sample_project import sample_project

if TYPE_CHECKING:
    from collections.abc import Iterable

SERVICES = ROOT / "target" / "compute" / "services"
SANDBOXES = 15
WARM = 200
# As large as a project of some hundred specs.
PAYLOAD = json.dumps(sample_project(gates=180, configs=90), separators=(",", ":")).encode()


def accepted(_: Ask) -> Response:
    """A collector that takes no time."""
    return Response(202, {}, Body(bytearray(b'{"success":true}')))


def platform() -> Fastly:
    """Stores with the payload, and a clock that a service can read: CPU time, in ns."""
    fastly = Fastly()
    fastly.functions["compute-runtime/get-vcpu-ms"] = time.process_time_ns
    fastly.kv["statsig"] = {"statsig-specs": Item(PAYLOAD)}
    fastly.backends["statsig"] = accepted
    return fastly


def asks(count: int, start: int = 0) -> Iterable[Ask]:
    """Requests of different users."""
    return (Ask(uri=f"http://x.test/?userID=user-{start + number}") for number in range(count))


def rows(title: str, samples: dict[str, list[float]], unit: str) -> None:
    """Prints the least and the median of each row."""
    print(f"\n{title:<34}{'least':>10}{'median':>10}  {unit}")
    for name, values in samples.items():
        print(f"  {name:<32}{min(values):>10.3f}{statistics.median(values):>10.3f}")


def cold(program: Program) -> dict[str, list[float]]:
    """Milliseconds of the parts of a first request."""
    parts: dict[str, list[float]] = {"instantiate": []}
    for _ in range(SANDBOXES):
        sandbox = Sandbox(program, platform())
        _, second = sandbox.serve(asks(2))
        told = json.loads(second.text)["before"]
        parts["instantiate"].append(sandbox.instantiate_s * 1000)
        told["respond"] = told.pop("answer") - told["read"] - told["load"] - told["check"]
        told["load + check"] = told["load"] + told["check"]
        for name, seconds in told.items():
            parts.setdefault(name, []).append(seconds * 1000)
    return parts


def warm(program: Program) -> dict[str, list[float]]:
    """Milliseconds of the parts of later requests; what calls of the host cost is shown apart."""
    parts: dict[str, list[float]] = {}
    sandbox = Sandbox(program, platform())
    calls: list[int] = []

    def counted() -> Iterable[Ask]:
        for ask in asks(WARM):
            calls.append(sandbox.calls)
            yield ask

    responses = sandbox.serve(counted())
    # The clock is read seven times.
    made = statistics.median(after - before for before, after in pairwise(calls[20:])) - 7
    for response in responses[20:]:
        told = {name: seconds * 1000 for name, seconds in json.loads(response.text)["before"].items()}
        for name in ("check", "answer", "after"):
            parts.setdefault(name, []).append(told[name])
        parts.setdefault(f"of which {made:.0f} calls of the host", []).append(made * told["a call"])
    return parts


def least_memory(program: Program) -> int:
    """How many MiB a sandbox needs for the first request."""
    least, most = 1, 128
    while least < most:
        middle = (least + most) // 2
        try:
            (response,) = Sandbox(program, platform(), heap_bytes=middle << 20).serve(asks(1))
            enough = response.status == 200
        except WasmtimeError:
            enough = False
        least, most = (least, middle) if enough else (middle + 1, most)
    return least


def main() -> None:
    """Prints everything."""
    sizes: dict[str, Any] = {}
    for name in ("plain", "gate"):
        body = (SERVICES / f"{name}.wasm").read_bytes()
        sizes[name] = len(body), len(gzip.compress(body, 6))
    more = [sizes["gate"][kind] - sizes["plain"][kind] for kind in (0, 1)]
    print(f"payload: {len(PAYLOAD):,} bytes, {SANDBOXES} sandboxes")
    print("component: {:.2f} MB without, {:.2f} MB with".format(*(sizes[n][0] / 1e6 for n in sizes)), end="")
    print(f": + {more[0] / 1e6:.2f} MB ({more[1] / 1e6:.2f} MB with gzip)")
    program = Program(SERVICES / "bench.wasm")
    rows("cold request", cold(program), "CPU ms")
    rows("warm request", warm(program), "CPU ms")
    told = json.loads(Sandbox(program, platform()).get("?checks=1").text)
    outside = {"checks": checks.microseconds(PAYLOAD), "loads": checks.loads(PAYLOAD)}
    for kind, unit in (("checks", "CPU µs"), ("loads", "CPU ms")):
        print(f"\n{kind + ', ' + unit:<34}{'component':>10}{'outside':>10}")
        for name, value in told[kind].items():
            print(f"  {name:<32}{value:>10.3f}{outside[kind][name]:>10.3f}")
    print(f"\nmemory for the first request: {least_memory(program)} MiB")


if __name__ == "__main__":
    main()
