"""Measures ours and the peers in one run: equal work, interleaved rounds.

Each round times loops of checks for every SDK in turn, so that whatever the machine does meanwhile meets all
of them. The least time of a loop is what the work takes; the median shows how far that is from what one gets.
The time of an empty loop is subtracted from all of them. CPU time is that of the whole process while a loop
runs, threads of the SDKs included. Garbage is collected between rounds, not in them, which spares those most
who make most of it. Exposures are recorded, not delivered: what was recorded is thrown away after each loop,
but for the official core, whose own threads do with it what they always do.
At the end ours is measured once more with no other SDK in between, which tells what those cost it.

In: nothing. Out: `results.md`, `summary.md`, `results.json` and `results.svg` in a directory, and every bar
as met, or by how much it is missed, and why, printed and in `bars.md`.
"""

from __future__ import annotations

import argparse
import gc
import json
import operator
import platform
import statistics
import sys
import time
from contextlib import contextmanager
from itertools import count, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cases import CASES, USERS
from peers import PEERS, Peer, UnavailableError
from plot import bars as picture

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS, CORE = "statsig-fastly", "statsig-python-core"

# Loops in a row that an SDK's turn has: what the others left in the caches is gone after the first.
TURN = 3

# Nanoseconds a check of ours may take, loop excluded: exposures off, exposures on.
BARS = {
    ("A", "reuse"): (90, 150),
    ("B", "reuse"): (160, 220),
    ("B", "fresh id"): (230, 450),
    ("C", "reuse"): (250, 320),
    ("C", "fresh attributes"): (600, 800),
    ("D", "reuse"): (250, 320),
    ("D", "fresh id"): (350, 550),
}

# What the official core took on the machine the bars are from, exposures off.
CORE_THERE = {
    ("A", "reuse"): 1366,
    ("B", "reuse"): 1470,
    ("B", "fresh id"): 3836,
    ("C", "reuse"): 1898,
    ("C", "fresh attributes"): 6067,
    ("D", "reuse"): 6486,
    ("D", "fresh id"): 9673,
}

# Users who pass, and of the experiment those in one of the groups.
SHARES = {"A": 1.0, "B": 0.5, "C": 0.2, "D": 0.333}
SLACK = 0.06

NUMBERS = count()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--loop", type=int, default=1500, help="checks per round, below 2,000")
    parser.add_argument("--out", type=Path, default=Path("target/versus"))
    given = parser.parse_args()
    results: list[dict[str, Any]] = []
    alone: list[dict[str, Any]] = []
    for exposures in (False, True):
        results += measured(exposures, given.rounds, given.loop, list(PEERS))
        alone += measured(exposures, given.rounds, given.loop, [OURS])
    given.out.mkdir(parents=True, exist_ok=True)
    about = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "date": time.strftime("%Y-%m-%d"),
    }
    (given.out / "results.json").write_text(
        json.dumps({**about, "results": results, "alone": alone}, indent=1) + "\n"
    )
    text = markdown(results)
    (given.out / "results.md").write_text(text)
    (given.out / "summary.md").write_text(summary(results))
    (given.out / "results.svg").write_text(picture(results))
    print(text)
    lines = list(bars(results, {key(result)[:3]: result["min_ns"] for result in alone}))
    (given.out / "bars.md").write_text("".join(f"* {line}\n" for line in lines))
    print("\n".join(lines))
    return 0


def measured(exposures: bool, rounds: int, loop: int, names: list[str]) -> Iterator[dict[str, Any]]:
    peers = {}
    for name in names:
        with reported(name):
            peers[name] = PEERS[name](exposures)
    for name, peer in peers.items():
        check_work(name, peer, exposures)
    empty, call = compiled("pass", {}), compiled("is_(n, n)", {"is_": operator.is_})
    loops = {
        (case, how, name): compiled(peer.source(case, how), peer.scope)
        for case in CASES
        for how in USERS
        for name, peer in peers.items()
    }
    times: dict[Any, list[tuple[int, int]]] = {key: [] for key in [*loops, None, "call"]}
    for run in loops.values():
        run(fresh_ids(loop), range(min(loop, 50)))
    gc.disable()
    for _ in range(rounds):
        times[None].append(timed(empty, fresh_ids(loop)))
        times["call"].append(timed(call, fresh_ids(loop)))
        for (case, how), group in groupby(loops, key=lambda key: key[:2]):
            turns = [fresh_ids(loop) for _ in range(TURN)]  # whom nobody has seen, or exposures would repeat
            for _, _, name in group:
                for ids in turns:
                    peers[name].forget()
                    times[case, how, name].append(timed(loops[case, how, name], ids))
        gc.collect()
    gc.enable()
    for peer in peers.values():
        peer.close()
    empty_loops = times.pop(None)
    floor, cpu_floor = (min(column) for column in zip(*empty_loops, strict=True))
    least = (min(wall for wall, _ in times.pop("call")) - floor) / loop
    print(f"The least a call of two arguments takes beside {', '.join(names)}: {least:.0f} ns")
    for (case, how, name), spent in times.items():
        walls = [(wall - floor) / loop for wall, _ in spent]
        yield {
            "case": case,
            "user": how,
            "exposures": exposures,
            "sdk": name,
            "version": peers[name].version,
            "min_ns": round(min(walls), 1),
            "median_ns": round(statistics.median(walls), 1),
            "cpu_ns": round((statistics.median(cpu for _, cpu in spent) - cpu_floor) / loop, 1),
        }


def fresh_ids(number: int) -> list[str]:
    """So many ids that no other list has."""
    return [f"user-{next(NUMBERS):09d}" for _ in range(number)]


def check_work(name: str, peer: Peer, exposures: bool) -> None:
    """Work is equal only if answers are, and what is recorded about them.

    The share of users who get something is that of the case, and each of them is exposed once, or nobody is.
    """
    users = 2000
    for case, share in SHARES.items():
        scope = {**peer.scope, "ids": [f"user-{number:07d}" for number in range(users)]}
        code = compile(peer.source(case, "fresh attributes"), case, "eval")
        answers, exposed = [], []
        for number in range(users):
            answers.append(eval(code, {**scope, "n": number}))  # noqa: S307
            exposed.append(peer.forget())
        found = sum(answer in {True, "blue"} for answer in answers) / users
        if abs(found - share) > SLACK:
            raise RuntimeError(f"{name}, case {case}: {found:.1%} of all users, expected {share:.1%}")
        if set(exposed) not in ({None}, {int(exposures)}):
            raise RuntimeError(f"{name}, case {case}: {sorted(set(exposed))} exposures for each user")


@contextmanager
def reported(name: str) -> Iterator[None]:
    try:
        yield
    except UnavailableError as error:
        print(f"{name} is not measured: {error}", file=sys.stderr)


def compiled(source: str, scope: dict[str, Any]) -> Any:
    found = dict(scope)
    names = ", ".join(f"{name}={name}" for name in scope)
    exec(f"def run(ids, rounds{', ' if names else ''}{names}):\n for n in rounds:\n  {source}", found)
    return found["run"]


def timed(run: Any, ids: list[str]) -> tuple[int, int]:
    rounds = range(len(ids))
    cpu, wall = time.process_time_ns(), time.perf_counter_ns()
    run(ids, rounds)
    return time.perf_counter_ns() - wall, time.process_time_ns() - cpu


def markdown(results: list[dict[str, Any]]) -> str:
    sdks = list(dict.fromkeys(result["sdk"] for result in results))
    versions = {result["sdk"]: result["version"] for result in results}
    lines = ["Nanoseconds per check: least time / median time / median CPU time of the process.", ""]
    for exposures in (False, True):
        lines += [f"Exposures {'recorded' if exposures else 'off'}:", ""]
        lines += ["| case | user | " + " | ".join(f"{sdk} {versions[sdk]}" for sdk in sdks) + " |"]
        lines += ["|---|---|" + "---|" * len(sdks)]
        for case in CASES:
            for how in USERS:
                cells = []
                for sdk in sdks:
                    [result] = [r for r in results if key(r) == (case, how, exposures, sdk)] or [None]
                    cells.append(
                        f"{result['min_ns']:,.0f} / {result['median_ns']:,.0f} / {result['cpu_ns']:,.0f}"
                        if result
                        else "-"
                    )
                lines.append(f"| {case} | {how} | " + " | ".join(cells) + " |")
        lines.append("")
    lines += [f"* {letter}: {what}." for letter, what in CASES.items()]
    lines += ["* C, fresh id: nobody meets the conditions; eppo-server-sdk and growthbook expose nobody."]
    return "\n".join(lines) + "\n"


def summary(results: list[dict[str, Any]]) -> str:
    """Ours beside the official core and the quickest of the others, least times."""
    lines = [
        "| case | user | exposures | statsig-fastly | statsig-python-core | quickest other SDK |",
        "|---|---|---|---|---|---|",
    ]
    for case, how in BARS:
        for exposures in (False, True):
            rows = {r["sdk"]: r["min_ns"] for r in results if key(r)[:3] == (case, how, exposures)}
            mine, core = rows.pop(OURS), rows.pop(CORE, None)
            best = min(rows, key=lambda sdk: rows[sdk], default=None)
            cells = [
                f"{mine:,.0f} ns",
                "-" if core is None else f"{core:,.0f} ns",
                "-" if best is None else f"{rows[best]:,.0f} ns ({best})",
            ]
            lines.append(f"| {case} | {how} | {'on' if exposures else 'off'} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def key(result: dict[str, Any]) -> tuple[str, str, bool, str]:
    return result["case"], result["user"], result["exposures"], result["sdk"]


def bars(results: list[dict[str, Any]], alone: dict[Any, float]) -> Iterator[str]:
    """Every bar as it is, and for a machine as slow as this one, by what the official core takes on both."""
    times = {(key(r)[:3], r["sdk"]): r["min_ns"] for r in results}
    core = {of: times.get(((*of, False), CORE)) for of in CORE_THERE}
    slower = [found / CORE_THERE[of] for of, found in core.items() if found is not None]
    factor = statistics.median(slower) if slower else 1.0
    yield f"The official core takes {factor:.2f} times what it took where the bars are from (median)."
    for of, limits in BARS.items():
        for exposures, bar in zip((False, True), limits, strict=True):
            rows = {sdk: found for (case, sdk), found in times.items() if case == (*of, exposures)}
            mine = rows.pop(OURS)
            undisturbed = min(mine, alone[(*of, exposures)])
            line = f"{', '.join(of)}, exposures {'on' if exposures else 'off'}: {mine:.0f} ns"
            line += f", alone {undisturbed:.0f}, bar {bar}: {verdict(mine, bar)}"
            if mine > bar:
                line += f", because of {cause(mine, undisturbed, bar, factor)}"
            if rows:
                best = min(rows, key=lambda sdk: rows[sdk])
                line += f"; {rows[best] / mine:.1f} times ahead of {best}"
            yield line


def cause(mine: float, alone: float, bar: float, factor: float) -> str:
    """What a bar would be met without."""
    if alone <= bar:
        return "what the other SDKs leave in the caches"
    if mine <= bar * factor:
        return f"the machine: {bar * factor:.0f} would be as much on it"
    if alone <= bar * factor:
        return f"the machine, where {bar * factor:.0f} would be as much, and what others leave in the caches"
    return f"what it does: even alone it is {alone / factor:.0f} ns by the machine the bar is from"


def verdict(found: float, bar: float) -> str:
    return "met" if found <= bar else f"missed by {found - bar:.0f} ns"


if __name__ == "__main__":
    sys.exit(main())
