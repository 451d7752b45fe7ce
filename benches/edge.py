"""Percentiles of single checks under a reload every 100 ms, and rates of batches.

In: how many checks. Out: the 50th, 99th and 99.9th percentile, time of the timer subtracted; gate evaluations
per second and core of a batch, and how that grows with threads.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from array import array
from typing import Any

from cases import NAMES, payload, project, user_fields
from statsig_fastly import StatsigUser
from statsig_fastly._native import Evaluator

BAR_PER_CORE = 6_000_000


def main(checks: int = 10_000_000) -> None:
    client = Evaluator("production")
    client._load(payload(), "Bench")
    latency(client, checks)
    batches(client)


def latency(client: Evaluator, checks: int) -> None:
    over = threading.Event()
    specs = project()
    reloads = 0

    def reload() -> None:
        nonlocal reloads
        import json

        while not over.wait(0.1):
            specs["time"] += 1
            specs["checksum"] = str(specs["time"])
            client._load(json.dumps(specs).encode(), "Bench")
            reloads += 1

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
    ordered = sorted(times)
    print(
        f"{checks:,} checks of a 50 % gate, {reloads} reloads meanwhile; {timer} ns of the timer subtracted:"
    )
    for percent in (50, 99, 99.9):
        print(f"  p{percent}: {max(0, ordered[int(checks * percent / 100)] - timer):,} ns")


def batches(client: Evaluator) -> None:
    import pyarrow as pa

    rows = 1_000_000
    table = pa.table({"user_id": [f"user-{n:07d}" for n in range(rows)]})
    gates = [NAMES["B"]]
    for threads in range(1, (os.cpu_count() or 1) + 1):
        times = [timed(client, table, gates, threads) for _ in range(5)]
        rate = rows / min(times)
        verdict = "met" if rate / threads >= BAR_PER_CORE else "missed"
        print(
            f"batch, {threads} thread(s): {rate / 1e6:.1f} million evaluations per second, "
            f"{rate / threads / 1e6:.1f} per core, bar {BAR_PER_CORE / 1e6:.0f}: {verdict}"
        )


def timed(client: Evaluator, table: Any, gates: list[str], threads: int) -> float:
    started = time.perf_counter()
    client.evaluate_batch(table, gates=gates, threads=threads)
    return time.perf_counter() - started


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
