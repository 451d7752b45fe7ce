"""`python -m conformance`: compares any number of checks with the official core, in several processes.

Ends with code 1 if there was a difference. The same seed asks the same questions.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Final

from conformance.batches import SOURCES, Batch, fixed_batches, random_batch
from conformance.compare import Report

_PROGRESS_S: Final = 2.0
_QUEUED: Final = 4  # batches waiting per worker
_CHECKS_PER_PAYLOAD: Final = 500  # at most, of the checks asked for


def main() -> int:
    """Runs the suite as the command line says."""
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__)
    parser.add_argument("checks", type=int, nargs="?", default=1_000_000, help="how many, at least")
    parser.add_argument("--seed", type=int, default=0, help="the first random payload")
    parser.add_argument("--users", type=int, default=5000, help="users of each real project")
    parser.add_argument("--only", choices=SOURCES, help="leave out the rest")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    arguments = parser.parse_args()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # payloads may hold unpaired surrogates
    started = time.monotonic()
    run = _Run(arguments.workers, arguments.checks)
    try:
        run.batches(fixed_batches(arguments.users, arguments.only))
        if arguments.only in (None, "random"):
            run.until(arguments.checks, arguments.seed)
    except BrokenProcessPool:
        print(f"\na worker ended during one of {run.pending}", file=sys.stderr)
        return 1
    report = run.report
    sys.stderr.write("\r\033[K")
    for difference in report.shown:
        print(f"{difference}\n")
    seeds = f"seeds {arguments.seed} to {run.next_seed - 1}, " if run.next_seed > arguments.seed else ""
    print(
        f"{report.checks:,} checks, {report.cases:,} payloads, {seeds}"
        f"{time.monotonic() - started:.0f} s: {report.differences:,} differences"
    )
    return 1 if report.differences else 0


class _Run:
    """Batches in worker processes, and what came of them so far."""

    def __init__(self, workers: int, wanted: int) -> None:
        self.report = Report()
        self.pending: list[Batch] = []
        self.next_seed = 0
        self._wanted = wanted
        self._workers = workers
        # The core runs threads, which a fork would not take along.
        self._pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
        self._futures: dict[Future[Report], Batch] = {}
        self._shown_at = 0.0

    def batches(self, batches: list[Batch]) -> None:
        """Runs these, all of them."""
        for batch in batches:
            self._submit(batch)
        while self._futures:
            self._collect()

    def until(self, checks: int, seed: int) -> None:
        """Runs random payloads from this seed on, for so many checks, and one for every 500 of them."""
        self.next_seed = seed
        while self.report.checks < checks or self.next_seed < seed + checks // _CHECKS_PER_PAYLOAD:
            while len(self._futures) < self._workers * _QUEUED:
                batch = random_batch(self.next_seed)
                self.next_seed += len(batch.numbers)
                self._submit(batch)
            self._collect()
        self.batches([])

    def _submit(self, batch: Batch) -> None:
        self._futures[self._pool.submit(Batch.run, batch)] = batch
        self.pending = list(self._futures.values())

    def _collect(self) -> None:
        done, _ = wait(self._futures, return_when=FIRST_COMPLETED)
        for future in done:
            self.report.add(future.result())
            del self._futures[future]
        self.pending = list(self._futures.values())
        now = time.monotonic()
        if now - self._shown_at > _PROGRESS_S:
            self._shown_at = now
            sys.stderr.write(
                f"\r\033[K{self.report.checks:,} of {self._wanted:,} checks, {self.report.cases:,} payloads, "
                f"{self.report.differences:,} differences"
            )
            sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
