"""The work of a conformance run, in batches: what a worker process is handed, and how it is done."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from conformance.compare import Report, compare_cases
from conformance.fault_scenarios import fault_cases
from conformance.generator import random_case
from conformance.matrix import matrix_cases
from conformance.projects import project_cases
from conformance.scenarios import scenario_cases

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.case import Case

__all__ = ["SOURCES", "Batch", "fixed_batches", "random_batch"]

SOURCES: Final = ("matrix", "scenarios", "faults", "projects", "random")

_SEEDS: Final = 10
_FAULTS: Final = 40  # cases of a few checks each
_USERS: Final = 6  # per random payload, which makes some 500 checks of it


@dataclass(frozen=True)
class Batch:
    """A part of the work, small enough to send to another process.

    Attributes:
        source: One of `SOURCES`.
        numbers: Which cases of the source; seeds of random ones.
        users: How many users to make up for each project.
    """

    source: str
    numbers: Sequence[int]
    users: int = 0

    def run(self) -> Report:
        """Compares its cases."""
        return compare_cases(self._case(number) for number in self.numbers)

    def _case(self, number: int) -> Case:
        if self.source == "random":
            return random_case(number, _USERS)
        return _fixed(self.source, self.users)[number]


def fixed_batches(users: int, only: str | None = None) -> list[Batch]:
    """The matrix, the scenarios, the faults and the payloads of real projects, with `users` users each."""
    batches = []
    for source in SOURCES:
        if source != "random" and only in (None, source):
            cases, step = len(_fixed(source, users)), _FAULTS if source == "faults" else 1
            batches += [
                Batch(source, range(first, min(first + step, cases)), users)
                for first in range(0, cases, step)
            ]
    return batches


def random_batch(seed: int) -> Batch:
    """Some random payloads from a seed on."""
    return Batch("random", range(seed, seed + _SEEDS))


@cache
def _fixed(source: str, users: int) -> list[Case]:
    if source == "projects":
        return project_cases(users)
    return list({"matrix": matrix_cases, "scenarios": scenario_cases, "faults": fault_cases}[source]())
