"""What a check takes while rulesets are replaced: the slowest of thousand, quiet and during reloads.

Rounds of both kinds take turns. A reload is what a look that finds something newer does: compile a payload of
the sample project and put it in use, ten times a second, in a thread.
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

from statsig_fastly import MemoryAdapter, Statsig, StatsigOptions, StatsigUser, SyncPolicy
from statsig_fastly.sample_project import TEST_GATE, sample_project

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

ROUNDS = 7
CHECKS = 500_000
EVERY_S = 0.1
USER = StatsigUser("user-42", country="NZ", custom={"plan": "pro"})


def payloads(count: int) -> list[bytes]:
    """The project, each time changed a ms later; made before anything is timed."""
    project, made = sample_project(), []
    for number in range(count):
        project |= {"time": project["time"] + 1, "checksum": str(number)}
        made.append(json.dumps(project).encode())
    return made


class Reloads:
    """A context manager that reloads as long as it is entered."""

    def __init__(self, statsig: Statsig, newer: Iterator[bytes]) -> None:
        self._statsig, self._newer = statsig, newer
        self._ended = threading.Event()
        self.number = 0

    def __enter__(self) -> None:
        self._ended.clear()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(EVERY_S):
            body = next(self._newer)
            assert self._statsig._sync.in_use.put(body, source="Bench", origin="bench") == "applied"
            self.number += 1


def timed(statsig: Statsig) -> list[int]:
    """How long each of so many checks took, in ns, with the clock's own time."""
    clock, check = time.perf_counter_ns, statsig.check_gate
    taken = []
    for _ in range(CHECKS):
        before = clock()
        check(USER, TEST_GATE)
        taken.append(clock() - before)
    return sorted(taken)


def at(share: float, taken: list[int]) -> int:
    return taken[min(len(taken) - 1, int(len(taken) * share))]


def test_checks_during_reloads(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    newer = iter(payloads(200))
    options = StatsigOptions(
        data_adapter=MemoryAdapter(next(newer)), sync_policy=SyncPolicy.manual(), disable_all_logging=True
    )
    quiet: list[list[int]] = []
    loud: list[list[int]] = []
    with Statsig("secret-bench", options) as statsig:
        reloads = Reloads(statsig, newer)
        timed(statsig)
        for _ in range(ROUNDS):
            quiet.append(timed(statsig))
            with reloads:
                loud.append(timed(statsig))
        assert reloads.number >= ROUNDS / 2
        benchmark.group = "checks during reloads"
        benchmark.pedantic(lambda: statsig.check_gate(USER, TEST_GATE), rounds=1000, iterations=100)
    with capsys.disabled():
        rounds = f"median of {ROUNDS} rounds of {CHECKS:,} checks"
        print(f"\n{reloads.number} reloads; ns, clock included, {rounds}")
        print(f"{'':8}{'quiet':>10}{'reloads':>10}{'ratio':>8}")
        for name, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)):
            middle = [sorted(at(share, taken) for taken in kind)[ROUNDS // 2] for kind in (quiet, loud)]
            print(f"{name:8}{middle[0]:>10,}{middle[1]:>10,}{middle[1] / middle[0]:>8.2f}")
