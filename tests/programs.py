"""Programs in processes of their own, which send their events to a collector on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from event_sink import EventSink

__all__ = ["PATIENCE", "arrived", "environment", "run", "write"]

PATIENCE = 120
"""Seconds after which a program that does not end is stopped, and the test fails."""


def environment(events_to: str, **more: str) -> dict[str, str]:
    """Variables for a program that has the test support at hand."""
    return {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parent),
        "PYTHONFAULTHANDLER": "1",
        "EVENTS_TO": events_to,
        **more,
    }


def write(directory: Path, program: str, first: str = "") -> Path:
    """A program as a file, which children that are spawned import; `first` comes before all imports."""
    path = directory / "program.py"
    path.write_text(
        f"{first}\nimport os, signal, sys, threading\nfrom program_client import statsig\n{program}"
    )
    return path


def run(
    directory: Path, program: str, events_to: str, *flags: str, first: str = "", **more: str
) -> subprocess.CompletedProcess[str]:
    """Runs a program that finds its client under the name `statsig`.

    Args:
        directory: Where to put it.
        program: What it does then.
        events_to: URL of its collector.
        flags: Options of the interpreter.
        first: What it does before it imports anything.
        more: Further environment variables.
    """
    return subprocess.run(
        [sys.executable, *flags, str(write(directory, program, first))],
        env=environment(events_to, **more),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def arrived(sink: EventSink) -> Counter[str]:
    """How often each event of the programs' own came, by name; exposures and the like are left out."""
    names = (event["eventName"] for event in sink.events)
    return Counter(name for name in names if not name.startswith("statsig::"))
