"""What a slow processor makes of checks, percentiles of single checks under reloads, and rates of batches.

In: how many single checks. Out: the instructions of every case, the hash in software included, where valgrind
is installed; the time of every case with and without SHA instructions; the 50th, 99th and 99.9th percentile
with a reload every 100 ms, time of the timer subtracted; gate evaluations per second and core of a batch, and
how that grows with threads.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from bisect import bisect_right
from collections import Counter
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import statsig_fastly
from cases import NAMES, payload, project, user_fields
from statsig_fastly import StatsigUser
from statsig_fastly._native import Evaluator

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
BAR_PER_CORE = 6_000_000
MICROSECOND = 1000


def main(checks: int = 10_000_000) -> None:
    client = Evaluator("production")
    client._load(payload(), "Bench")
    instructions()
    without_hardware()
    latency(client, checks)
    batches(client)


def instructions() -> None:
    """What a processor without SHA instructions has to do for a reused user, exposures off."""
    if shutil.which("valgrind") is None:
        print("Instructions are not counted: valgrind is not installed.")
        return
    sys.path.append(str(ROOT / "benches" / "instructions"))
    count = importlib.import_module("count")
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "payload.json").write_bytes(payload())
        counts = count.python_counts(count.python_runs(Path(scratch), "reuse, exposures off"))
    print("instructions per check: without the hash, hash in software; µs at 2 GHz and one per cycle:")
    for name, (without, hashing) in counts.items():
        print(f"  {name[0]} {without:6.0f} {hashing:6.0f} {(without + hashing) / 2000:6.2f}")


def per_check() -> dict[str, float]:
    """The least time of each case with a reused user, in ns, loop included."""
    client, user = Evaluator("production"), StatsigUser(**user_fields(0))
    client._load(payload(), "Bench")
    calls: dict[str, Any] = {letter: (client.check_gate, NAMES[letter]) for letter in "ABC"}
    calls["D"] = (client.get_experiment, NAMES["D"])
    found = {}
    for letter, (call, name) in calls.items():
        best = float("inf")
        for _ in range(300):
            started = time.perf_counter_ns()
            for _ in range(1000):
                call(user, name)
            best = min(best, (time.perf_counter_ns() - started) / 1000)
        found[letter] = best
    return found


def without_hardware() -> None:
    """The same cases by an extension that is built not to use SHA instructions."""
    place = ROOT / "target" / "soft-sha"
    environment = {**os.environ, "RUSTFLAGS": '--cfg sha2_backend="soft"'}
    build = ["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", str(place)]
    features = ["-p", "statsig-fastly-native", "--features", "pyo3/abi3-py310"]
    subprocess.run([*build, *features], cwd=ROOT, env=environment, check=True)
    package = place / "python" / "statsig_fastly"
    source = Path(statsig_fastly.__file__).parent
    shutil.rmtree(package, ignore_errors=True)
    shutil.copytree(source, package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    [library] = [*(place / "release").glob("lib_native.so"), *(place / "release").glob("lib_native.dylib")]
    shutil.copy(library, package / "_native.abi3.so")
    program = "import json; from edge import per_check; print(json.dumps(per_check()))"
    times: list[dict[str, float]] = [{}, {}]
    for number, first in enumerate((source.parent, package.parent) * 3):  # in turns
        paths = os.pathsep.join([str(first), str(Path(__file__).parent)])
        command = [sys.executable, "-c", program]
        ran = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": paths}, stdout=subprocess.PIPE, check=True
        )
        for letter, took in json.loads(ran.stdout).items():
            times[number % 2][letter] = min(took, times[number % 2].get(letter, took))
    print("ns per check of the same user: with SHA instructions, without:")
    for letter in times[0]:
        verdict = "met" if times[1][letter] < MICROSECOND else "missed"
        print(f"  {letter} {times[0][letter]:6.0f} {times[1][letter]:6.0f}   below a microsecond: {verdict}")


def latency(client: Evaluator, checks: int) -> None:
    over = threading.Event()
    # Written once: a reload gets bytes, and what makes them here holds the GIL.
    before_time, after_time = json.dumps({**project(), "time": "TIME", "checksum": "TIME"}).split('"TIME"', 1)
    newest = project()["time"]
    reloads = 0

    def reload() -> None:
        nonlocal reloads
        while not over.wait(0.1):
            now = str(newest + reloads + 1)
            body = (before_time + now + after_time.replace("TIME", now)).encode()
            reloads += client._load(body, "Bench") == "applied"

    user, name, clock, check = (
        StatsigUser(**user_fields(0)),
        NAMES["B"],
        time.perf_counter_ns,
        client.check_gate,
    )
    timer = sorted(-(clock() - clock()) for _ in range(100_000))[50_000]
    times = array("I", bytes(4 * checks))
    reloader = threading.Thread(target=reload)
    gc.disable()
    reloader.start()
    for index in range(checks):
        before = clock()
        check(user, name)
        times[index] = min(clock() - before, 2**32 - 1)
    over.set()
    reloader.join()
    gc.enable()
    # By how often each is met: sorted, ten million numbers take more memory than a small machine has.
    ordered = sorted(Counter(times).items())
    up_to = list(accumulate(often for _, often in ordered))
    print(
        f"{checks:,} checks of a 50 % gate, {reloads} reloads meanwhile; {timer} ns of the timer subtracted:"
    )
    for percent in (50, 99, 99.9):
        taken = max(0, ordered[bisect_right(up_to, int(checks * percent / 100))][0] - timer)
        verdict = "met" if taken < MICROSECOND else f"missed by {taken - MICROSECOND:,}"
        print(f"  p{percent}: {taken:,} ns   below a microsecond: {verdict}")


def batches(client: Evaluator) -> None:
    import pyarrow as pa

    rows = 1_000_000
    table = pa.table({"user_id": [f"user-{n:07d}" for n in range(rows)]})
    gates = [NAMES["B"]]
    for threads in range(1, (os.cpu_count() or 1) + 1):
        times = [timed(client, table, gates, threads) for _ in range(5)]
        rate = rows / min(times)
        line = f"batch, {threads} thread(s): {rate / 1e6:.1f} million evaluations per second, "
        line += f"{rate / threads / 1e6:.1f} per core, bar {BAR_PER_CORE / 1e6:.0f}: "
        if rate / threads >= BAR_PER_CORE:
            line += "met"
        else:
            # Processes share nothing: what they lose beside each other, the machine takes.
            least = max(apart(lambda: timed(client, table, gates, 1), threads))
            line += (
                f"missed, where as many processes with a thread each come to {rows / least / 1e6:.1f} each"
            )
        print(line)


def apart(call: Callable[[], float], processes: int) -> list[float]:
    """The least of five calls in each of so many processes at a time."""
    from multiprocessing import get_context

    fork = get_context("fork")
    results = fork.SimpleQueue()
    started = [
        fork.Process(target=lambda: results.put(min(call() for _ in range(5)))) for _ in range(processes)
    ]
    for process in started:
        process.start()
    found = [results.get() for _ in started]
    for process in started:
        process.join()
    return found


def timed(client: Evaluator, table: Any, gates: list[str], threads: int) -> float:
    started = time.perf_counter()
    client.evaluate_batch(table, gates=gates, threads=threads)
    return time.perf_counter() - started


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
