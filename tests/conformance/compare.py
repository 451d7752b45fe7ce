"""Asks both engines what a case asks, and words what they answer differently."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from answers import differing, worded
from conformance.engines import Engines
from conformance.shrink import shrunk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conformance.case import Case, Question

__all__ = ["Report", "compare_case", "compare_cases"]

# What two answers say differently: both sides, by what it is.
Found: TypeAlias = dict[str, tuple[object, object]]

_SHOWN: Final = 5  # differences made small, and shown, of one report


@dataclass
class Report:
    """What comparing came to.

    Attributes:
        checks: Number of answers compared.
        cases: Number of payloads they were asked of.
        differences: Number of answers that differed.
        shown: The first differences, made small, in words.
    """

    checks: int = 0
    cases: int = 0
    differences: int = 0
    shown: list[str] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Takes in another report."""
        self.checks += other.checks
        self.cases += other.cases
        self.differences += other.differences
        known = {_fault(shown) for shown in self.shown}
        new = [shown for shown in other.shown if _fault(shown) not in known]
        self.shown += new[: _SHOWN - len(self.shown)]

    def expect_none(self) -> None:
        """Fails with the first differences if there were any."""
        shown = "\n\n".join(self.shown)
        assert not self.differences, f"{self.differences} of {self.checks} answers differ:\n{shown}"


def _fault(shown: str) -> str:
    """What differs, without the case it was met in."""
    return shown.partition("\n  case: ")[0]


def compare_cases(cases: Iterable[Case]) -> Report:
    """Compares case after case."""
    report = Report()
    for case in cases:
        report.add(compare_case(case, show=len(report.shown) < _SHOWN))
    return report


def compare_case(case: Case, *, show: bool = True) -> Report:
    """Asks every question of a case for every user; shows the first difference if asked to."""
    report = Report(cases=1)
    first: tuple[Question, dict[str, Any], Found] | None = None
    with _without_log():
        with Engines(case) as engines:
            for user in case.users:
                for question in case.questions:
                    if found := differing(*engines.ask(question, user)):
                        report.differences += 1
                        first = first or (question, user, found)
            report.checks = len(case.users) * len(case.questions)
        if first and show:
            report.shown = [_shown(case, *first)]
    return report


@contextmanager
def _without_log() -> Iterator[None]:
    """Keeps what this package says about faulty payloads out of the output."""
    log = logging.getLogger("statsig_fastly")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(level)


def _shown(case: Case, question: Question, user: dict[str, Any], seen: Found) -> str:
    """Both answers to the smallest question that still tells the engines apart; those seen, if none does."""
    small = shrunk(case, question, user)
    (question,), (user,) = small.questions, small.users
    context: dict[str, Any] = {
        "case": small.label,
        "question": [question.kind, question.name, *question.detail],
    }
    context |= {"user": user, "payload": small.payload}
    for name in (
        "environment",
        "global_custom_fields",
        "overrides",
        "id_lists",
        "id_list_files",
        "options",
        "v1",
    ):
        if getattr(small, name):
            context[name] = getattr(small, name)
    with Engines(small) as engines:
        found = differing(*engines.ask(question, user)) or seen
        if question.kind in ("gate", "config", "experiment", "layer"):
            context["explained"] = str(engines.explain(question, user))
    return worded(found, context)
