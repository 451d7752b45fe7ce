"""`statsig-fastly demo`: shows the whole way from a published project to answers, and that it works.

In: the options of the command. Out: a report on stdout, for a terminal, as plain text or as JSON; what
is off on stderr, one line each; status 1 if anything is. What the report holds comes from `demo_run`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.text import Text

    from statsig_fastly.cli.demo_report import DemoReport

__all__ = ["present", "register", "show_plain", "show_rich"]

# Fewer users make a band so wide that nothing falls outside.
_FEWEST_USERS, _MOST_USERS = 100, 1_000_000


def register(app: typer.Typer) -> None:
    """Adds the command to the application."""
    app.command("demo")(demo)


def demo(
    *,
    users: Annotated[
        int, typer.Option(min=_FEWEST_USERS, max=_MOST_USERS, help="Users to check the gate for.")
    ] = 10_000,
    seed: Annotated[int, typer.Option(help="Another seed makes other user ids.")] = 2024,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Publish a sample project to a local KV Store, read it back over HTTP, and evaluate it.

    Needs no account and no network.

    Example: statsig-fastly demo --users 2000

    Ends with 0, 1 if any figure is not as expected, and 2 if the command line is wrong.
    """
    from statsig_fastly.cli.demo_run import collect
    from statsig_fastly.errors import StatsigFastlyError

    try:
        report = collect(users, seed)
    except (OSError, StatsigFastlyError) as error:
        sys.stderr.write(f"statsig-fastly demo: {error}\n")
        raise typer.Exit(1) from None
    raise typer.Exit(present(report, as_json=as_json))


def present(report: DemoReport, *, as_json: bool) -> int:
    """Writes a report to stdout and what is off to stderr, and returns the exit status."""
    from rich.console import Console

    console = Console()
    # Not `console.is_terminal`, which an environment variable can make true for a pipe.
    drawn = sys.stdout.isatty() and not console.is_dumb_terminal
    if as_json:
        sys.stdout.write(json.dumps(report.to_dict(), indent=2) + "\n")
    elif drawn:
        show_rich(report, console)
    else:
        sys.stdout.write(show_plain(report))
    sys.stdout.flush()
    for failure in report.failures:
        sys.stderr.write(f"statsig-fastly demo: {failure}\n")
    return 1 if report.failures else 0


@dataclass(frozen=True, slots=True)
class _Table:
    """A table, however it is drawn.

    Attributes:
        title: One line above it.
        header: Names of the columns; the column without a name says which rows are off.
        rows: As many cells each as `header` has.
        right: Columns to align to the right.
        note: One line below it, or nothing.
    """

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    right: frozenset[int]
    note: str


def _tables(report: DemoReport) -> Iterator[_Table]:
    from statsig_fastly.cli.demo_report import STANDARD_ERRORS

    yield _Table(
        f"Shares of {report.users:,} users (seed {report.seed})",
        ("gate or group", "measured", "expected", "band", ""),
        [
            (
                share.name,
                f"{share.measured:.2%}",
                f"{share.expected:.2%}",
                f"{share.low:.2%} to {share.high:.2%}",
                _mark(share.ok),
            )
            for share in report.shares
        ],
        frozenset({1, 2, 3}),
        f"Band: {STANDARD_ERRORS} standard errors either way; chance leaves it once in a million.",
    )
    yield _Table(
        "What users get",
        ("user", "asked for", "got", "published", ""),
        [
            (
                f"{each.user}, {each.case}",
                each.asked_for,
                str(each.got.value),
                str(each.expected.value),
                _mark(each.got.value == each.expected.value),
            )
            for each in report.explained
        ],
        frozenset(),
        "",
    )
    reasons = " and ".join(sorted({each.got.reason for each in report.explained}))
    yield _Table(
        "Why they get it",
        ("user", "rule", "group", "secondary exposures", ""),
        [
            (
                f"{each.user}, {each.case}",
                each.got.rule_id,
                each.got.group or "-",
                ", ".join(each.got.secondary_exposures) or "-",
                _mark(each.ok),
            )
            for each in report.explained
        ],
        frozenset(),
        f"Reason: {reasons}.",
    )
    yield _Table(
        "What travelled",
        ("step", "requests", "bytes of specs", "new ruleset", ""),
        [
            (
                step.name,
                ", ".join(step.got.requests) or "-",
                f"{step.got.spec_bytes:,}",
                {True: "yes", False: "no", None: "-"}[step.got.applied],
                _mark(step.ok),
            )
            for step in report.steps
        ],
        frozenset({2}),
        "HEAD shows whether Generation has changed; only then is the value downloaded.",
    )
    yield _Table(
        "What was logged",
        ("events", "number", "expected", ""),
        [(count.name, f"{count.got:,}", f"{count.expected:,}", _mark(count.ok)) for count in report.events],
        frozenset({1, 2}),
        f"Left out: {report.deduplicated:,} exposures that were repeated within a minute.",
    )
    first = report.timings[0]
    yield _Table(
        "Time per check_gate call, for information",
        ("with", "ns"),
        [(timing.name, f"{timing.ns_per_check:,.0f}") for timing in report.timings],
        frozenset({1}),
        f"Median of {first.rounds} rounds of {first.checks_per_round:,} calls, loop included; exposures on, "
        "all repeats.",
    )


def _mark(ok: bool) -> str:
    return "ok" if ok else "OFF"


def _introduction(report: DemoReport) -> str:
    specs = f"{report.gates} gates, {report.configs} configs, {report.layers} layers"
    return (
        f"A sample project ({specs}; {report.steps[0].got.spec_bytes:,} bytes),\n"
        f"published to key {report.key!r} of the local KV Store {report.store!r},\n"
        "read back over HTTP by FastlyDataAdapter, and evaluated."
    )


def _verdict(report: DemoReport) -> str:
    total, off = len(report.expectations), len(report.failures)
    return f"{off} of {total} expectations are off." if off else f"All {total} expectations are met."


def show_plain(report: DemoReport) -> str:
    """The report as text for pipes and files: ASCII, no colours, columns padded with spaces."""
    lines = [*_introduction(report).splitlines(), ""]
    for table in _tables(report):
        cells = [table.header, *table.rows]
        widths = [max(len(row[column]) for row in cells) for column in range(len(table.header))]
        lines.append(table.title)
        for row in cells:
            padded = [
                cell.rjust(width) if column in table.right else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append(f"  {'  '.join(padded)}".rstrip())
        lines += [f"  {table.note}", ""] if table.note else [""]
    return "\n".join([*lines, _verdict(report), ""])


def show_rich(report: DemoReport, console: Console) -> None:
    """Draws the report on a terminal, in the width it has."""
    from rich import box
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    introduction = Text(_introduction(report).replace("\n", " "))
    console.print(Panel(introduction, title="statsig-fastly demo", title_align="left", border_style="cyan"))
    for table in _tables(report):
        drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
        for column, name in enumerate(table.header):
            drawn.add_column(name, justify="right" if column in table.right else "left", overflow="fold")
        for row in table.rows:
            drawn.add_row(
                *(_cell(cell, marks=not name) for cell, name in zip(row, table.header, strict=True))
            )
        console.print(Text(f"\n{table.title}", style="bold cyan"))
        console.print(drawn)
        if table.note:
            console.print(Text(table.note, style="dim"))
    console.print(Text(f"\n{_verdict(report)}", style="bold red" if report.failures else "bold green"))


def _cell(text: str, *, marks: bool) -> Text:
    from rich.text import Text

    colour = "green" if text == _mark(True) else "bold red"
    return Text(text, style=colour if marks else "")
