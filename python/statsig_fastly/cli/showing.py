"""What commands print: JSON, tables and bars for a terminal, and the same as plain text for pipes."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import Console

__all__ = ["bars", "line", "print_json", "printable", "progress", "size", "table", "when"]


def print_json(found: Mapping[str, Any] | Sequence[Any], *, indent: int | None = 2) -> None:
    """Prints data as JSON."""
    sys.stdout.write(json.dumps(found, indent=indent, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def line(text: str = "", *, style: str = "") -> None:
    """Prints a line, or several."""
    text = "\n".join(map(printable, text.split("\n")))
    console = _console()
    if console is None:
        sys.stdout.write(f"{text}\n")
    else:
        from rich.text import Text

        console.print(Text(text, style=style), soft_wrap=True)
    sys.stdout.flush()


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Prints a table.

    Args:
        header: Names of the columns.
        rows: As many cells each as `header` has.
        right: Columns to align to the right.
    """
    rows = [[printable(cell) for cell in cells] for cells in rows]
    console = _console()
    if console is None:
        lines = [header, *rows]
        widths = [max(len(cells[column]) for cells in lines) for column in range(len(header))]
        for cells in lines:
            padded = [
                cell.rjust(width) if column in right else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
            ]
            sys.stdout.write("  ".join(padded).rstrip() + "\n")
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column, name in enumerate(header):
        drawn.add_column(name, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*map(Text, row))
    console.print(drawn)


def bars(rows: Sequence[tuple[str, float, str]], *, width: int = 30) -> None:
    """Prints bars: a label, a share of the longest bar, and what stands behind it."""
    rows = [(printable(label), share, printable(behind)) for label, share, behind in rows]
    console = _console()
    block = "█" if console is not None else "#"
    most = max([share for _, share, _ in rows], default=0.0) or 1.0
    label_width = max([len(label) for label, _, _ in rows], default=0)
    for label, share, behind in rows:
        bar = block * max(1, round(width * share / most)) if share else ""
        if console is None:
            sys.stdout.write(f"{label.ljust(label_width)}  {bar.ljust(width)}  {behind}\n")
        else:
            from rich.text import Text

            drawn = Text.assemble(f"{label.ljust(label_width)}  ", (bar.ljust(width), "cyan"), f"  {behind}")
            console.print(drawn, no_wrap=True, overflow="ellipsis")


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """Shows on stderr, if it is a terminal, which step is being done and how much of it."""
    if not sys.stderr.isatty():
        yield lambda _step, _done, _all: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=None)

        def tell(step: str, done: int, all_of_it: int) -> None:
            shown.update(task, description=step, completed=done, total=all_of_it or None)

        yield tell


def printable(text: str) -> str:
    """Text of a payload or a store without what a terminal takes for an order, such as to clear itself."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def when(time_ms: float | None) -> str:
    """A time in ms since the epoch, in words."""
    if time_ms is None:
        return "-"
    try:
        return f"{datetime.fromtimestamp(time_ms / 1000, timezone.utc):%Y-%m-%d %H:%M:%S}Z"
    except (OverflowError, ValueError, OSError):
        return f"{time_ms:.0f}"


def size(count: int) -> str:
    """A number of bytes."""
    return f"{count:,}"


def _console() -> Console | None:
    """The terminal on stdout; None if it is none."""
    if not sys.stdout.isatty():
        return None
    from rich.console import Console

    console = Console(highlight=False)
    return None if console.is_dumb_terminal else console
