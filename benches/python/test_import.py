"""How long `import` takes in a fresh interpreter. The time of the interpreter itself is the first row."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

PROGRAMS = {
    "nothing": "pass",
    "statsig_fastly": "import statsig_fastly",
    "statsig_fastly and an adapter": "from statsig_fastly import FastlyDataAdapter, Statsig",
    "statsig_python_core": "import statsig_python_core",
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_import(benchmark: Any, program: str) -> None:
    command = [sys.executable, "-c", PROGRAMS[program]]
    # As it is installed: with its bytecode, which the first round writes.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    benchmark.group = "import"
    benchmark.pedantic(subprocess.run, (command,), {"check": True, "env": kept}, rounds=20, warmup_rounds=2)
