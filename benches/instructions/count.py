"""Counts the instructions of every case, and compares them with the budgets.

Wall-clock time changes with whatever else a machine does; the number of instructions does not. So this is
what is checked before every merge. callgrind has no SHA instructions: the hash is software there, counted
apart and not part of a budget.

In: `budgets.json` beside this file. Out: a table; exit status 1 if a count is off its budget by more than
3 %. `--record` writes the budgets anew, `--profile NAME` shows which functions take it. Budgets hold for one
machine architecture, compiler and Python version; elsewhere the table is shown and nothing is compared.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import callgrind
from cases import payload

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUDGETS = HERE / "budgets.json"
TOLERANCE = 0.03
LOOP = "loop"

# Instructions a check may take, hash excluded.
BARS = {"A, reuse, exposures off": 600, "B, reuse, exposures off": 900, "D, reuse, exposures off": 1200}

# What the hash takes: SHA-256 of one block in software.
HASH = "compress256"


class Count(NamedTuple):
    """Instructions of one call."""

    without_hash: float
    hash: float


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--record", action="store_true", help="write the budgets anew")
    parser.add_argument(
        "--only", metavar="PART", help="count loops at the Python boundary with this in their names"
    )
    parser.add_argument(
        "--profile", metavar="NAME", help="show the functions of a loop at the Python boundary"
    )
    given = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("Instructions are not counted: valgrind is not installed.")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        (directory / "payload.json").write_bytes(payload())
        runs = python_runs(directory, given.profile or given.only or "")
        if given.profile:
            show_profile(*runs[given.profile])
            return 0
        if given.only:
            print("\n".join(table({"python": python_counts(runs)}, json.loads(BUDGETS.read_text()))))
            return 0
        counts = {"python": python_counts(runs), "engine": engine_counts(directory)}
    return recorded(counts) if given.record else compared(counts)


def python_runs(
    directory: Path, part: str = ""
) -> dict[str, tuple[callgrind.Profile, callgrind.Profile, int]]:
    """Of each loop, a run with few rounds and one with many, and how many more those are."""
    children = directory / "children.jsonl"
    script = [
        sys.executable,
        str(HERE / "python_calls.py"),
        str(directory / "payload.json"),
        str(children),
        part,
    ]
    under_callgrind(directory, script)
    runs: dict[str, dict[int, callgrind.Profile]] = defaultdict(dict)
    for line in children.read_text().splitlines():
        child = json.loads(line)
        runs[child["name"]][child["rounds"]] = callgrind.read(directory / f"out.{child['pid']}")
    found = {}
    for name, by_rounds in runs.items():
        few, many = sorted(by_rounds)
        found[name] = by_rounds[few], by_rounds[many], many - few
    return found


def python_counts(
    runs: dict[str, tuple[callgrind.Profile, callgrind.Profile, int]],
) -> dict[str, Count]:
    few, many, rounds = runs[LOOP]
    loop = (many.total - few.total) / rounds
    counts = {}
    for name, (few, many, rounds) in runs.items():
        hashing = (many.own_of(HASH) - few.own_of(HASH)) / rounds
        counts[name] = Count((many.total - few.total) / rounds - loop - hashing, hashing)
    del counts[LOOP]
    return counts


def engine_counts(directory: Path) -> dict[str, Count]:
    """Every case is a function of the bench, whose name is that of the case after `case_`."""
    built = subprocess.run(
        [
            *("cargo", "bench", "--locked", "--quiet", "-p", "statsig-engine", "--bench", "instructions"),
            *("--no-run", "--message-format=json"),
        ],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    artifacts = [json.loads(line) for line in built.stdout.splitlines()]
    [program] = [artifact["executable"] for artifact in artifacts if artifact.get("executable")]
    for old in directory.glob("out.*"):
        old.unlink()
    under_callgrind(directory, [program], STATSIG_BENCH_PAYLOAD=str(directory / "payload.json"))
    [out] = directory.glob("out.*")
    profile = callgrind.read(out)
    counts = {}
    for function, cost in profile.called.items():
        if match := re.search(r"instructions::case_(\w+)", function):
            # The first call builds what is built once, so that there are two functions for it.
            counts[match[1].replace("_", " ")] = Count(cost / profile.calls[function], 0.0)
    return counts


def under_callgrind(directory: Path, command: list[str], **environment: str) -> None:
    places = [str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {"PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(places), **environment}
    subprocess.run(
        [
            *("valgrind", "--quiet", "--tool=callgrind", "--dump-line=no"),
            *(f"--callgrind-out-file={directory}/out.%p", *command),
        ],
        env={**os.environ, **variables},
        check=True,
    )


def environment() -> dict[str, str]:
    """What counts depend on besides the sources."""
    rustc = subprocess.run(["rustc", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return {
        "machine": platform.machine(),
        "rustc": rustc.split()[1],
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def recorded(counts: dict[str, dict[str, Count]]) -> int:
    budgets = {
        "environment": environment(),
        **{
            where: {name: round(count.without_hash) for name, count in by_name.items()}
            for where, by_name in counts.items()
        },
    }
    BUDGETS.write_text(json.dumps(budgets, indent=2) + "\n")
    for line in table(counts, budgets):
        print(line)
    return 0


def compared(counts: dict[str, dict[str, Count]]) -> int:
    budgets = json.loads(BUDGETS.read_text())
    here = environment()
    for line in table(counts, budgets):
        print(line)
    if budgets["environment"] != here:
        print(f"Not compared: the budgets are for {budgets['environment']}, this is {here}.")
        return 0
    names = {where: set(by_name) for where, by_name in counts.items()}
    if names != {where: set(budgets[where]) for where in counts}:
        print("There are budgets for other cases than these: record them anew.")
        return 1
    off = [
        f"{where}: {name}: {count.without_hash:.0f}, budget {budgets[where][name]}"
        for where, by_name in counts.items()
        for name, count in by_name.items()
        if abs(count.without_hash / budgets[where][name] - 1) > TOLERANCE
    ]
    for line in off:
        print(f"More than {TOLERANCE:.0%} off: {line}")
    if off:
        print("Fewer are welcome, too: record the budgets anew.")
    return 1 if off else 0


def table(counts: dict[str, dict[str, Count]], budgets: dict[str, dict[str, float]]) -> Iterator[str]:
    for where, by_name in counts.items():
        yield f"{where + ': instructions per call':<44}{'count':>8}{'budget':>8}{'hash':>8}"
        for name, count in by_name.items():
            budget = budgets.get(where, {}).get(name, "-")
            yield f"  {name:<42}{count.without_hash:>8.0f}{budget:>8}{count.hash:>8.0f}"
    for name, bar in BARS.items():
        if (count := counts["python"].get(name)) is not None:
            over = count.without_hash - bar
            verdict = "met" if over <= 0 else f"missed by {over:.0f}"
            yield f"{name}: {count.without_hash:.0f} instructions, bar {bar}: {verdict}"


def show_profile(few: callgrind.Profile, many: callgrind.Profile, rounds: int) -> None:
    costs = {name: (cost - few.own[name]) / rounds for name, cost in many.own.items()}
    for name, cost in sorted(costs.items(), key=lambda item: -item[1])[:40]:
        print(f"{cost:9.1f} {(many.calls[name] - few.calls[name]) / rounds:6.1f}  {name[:150]}")


if __name__ == "__main__":
    sys.exit(main())
