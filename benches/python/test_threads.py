"""What threads cost each other: checks, which hold the GIL, and batches and loads, which do not."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from cases import NAMES, payload, user_fields
from statsig_fastly import StatsigUser
from statsig_fastly._native import Evaluator

if TYPE_CHECKING:
    from collections.abc import Callable

    from statsig_fastly import Statsig

USER = StatsigUser(**user_fields(0))
CHECKS = 200_000
ROWS = 200_000


def together(work: Callable[[int], object], threads: int) -> None:
    running = [threading.Thread(target=work, args=(threads,)) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_checks(benchmark: Any, statsig: Statsig, threads: int) -> None:
    """The same number of checks, shared out."""

    def work(sharing: int) -> None:
        check, name = statsig.check_gate, NAMES["B"]
        for _ in range(CHECKS // sharing):
            check(USER, name)

    benchmark.group = f"{CHECKS:,} checks, in threads"
    benchmark.pedantic(together, (work, threads), rounds=10, warmup_rounds=1)


@pytest.mark.parametrize("threads", [1, 2])
def test_loads(benchmark: Any, threads: int) -> None:
    """So many loads at the same time: no slower than one, where there are cores for them."""
    body = payload()

    def work(_: int) -> None:
        for _ in range(20):
            Evaluator()._load(body, "Bench")

    benchmark.group = "20 loads in each thread"
    benchmark.pedantic(together, (work, threads), rounds=10, warmup_rounds=1)


@pytest.mark.parametrize("threads", [1, 2])
def test_batch(benchmark: Any, statsig: Statsig, threads: int) -> None:
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"user_id": [f"user-{number}" for number in range(ROWS)]})
    benchmark.group = f"a batch of {ROWS:,} users, in threads"
    benchmark(statsig.evaluate_batch, table, gates=[NAMES["B"]], threads=threads)
