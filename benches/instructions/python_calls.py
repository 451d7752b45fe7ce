"""What is counted at the Python boundary: each call in a loop, in two children with unequal rounds.

Run by `count.py` under callgrind, in one process: interpreter and project are loaded once, and every loop
runs in forks of that. In: the file of a payload, the file that is to say which child ran what, and optionally
the only loops that are run, by a part of their names. Out: that file.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path
from typing import Any

from cases import NAMES, USERS, user_fields
from statsig_fastly import StatsigUser
from statsig_fastly._native import Evaluator, EventLog

FEW, MANY = 100, 1100

# Not a case, but what every case contains; the second is the least that a call of two arguments can cost.
BESIDES = {
    "loop": "pass",
    "call": "is_(user, name)",
    "unknown gate": "statsig.check_gate(user, 'nope')",
    "plain id": "statsig.check_gate(ids[n], name)",
    "new user, id": "StatsigUser(ids[n])",
    "new user, attributes": USERS["fresh attributes"],
}


class Client(Evaluator, quick_calls=True):
    """As `Statsig` is: a subclass in Python that leaves the checks alone."""


def client(payload: bytes, exposures: bool) -> Client:
    log = EventLog(batch_size=2 * MANY, capacity=2 * MANY, dedupe_ms=3_600_000, dedupe_keys=100_000)
    made = Client("production", None, events=log if exposures else None)
    made._load(payload, "Bench")
    return made


def loops() -> dict[str, tuple[str, bool, str]]:
    """Source of the call, whether it is exposed, and the name of the spec, by what it is."""
    found = {name: (source, False, NAMES["B"]) for name, source in BESIDES.items()}
    for letter, spec in NAMES.items():
        for how, user in USERS.items():
            check = f"statsig.check_gate({user}, name)"
            if letter == "D":
                check = f"statsig.get_experiment({user}, name).get('color', 'red')"
            for exposures in (False, True):
                what = f"{letter}, {how}, exposures {'on' if exposures else 'off'}"
                found[what] = (check, exposures, spec)
    return found


def compiled(source: str) -> Any:
    scope: dict[str, Any] = {"StatsigUser": StatsigUser}
    exec("from operator import is_", scope)
    exec(f"def run(statsig, user, ids, name, rounds):\n for n in rounds:\n  {source}", scope)
    return scope["run"]


def main(payload: Path, children: Path, part: str = "") -> None:
    clients = {exposures: client(payload.read_bytes(), exposures) for exposures in (False, True)}
    ids = [f"user-{number:07d}" for number in range(MANY)]
    user = StatsigUser(**user_fields(0))
    for name, (source, exposures, spec) in loops().items():
        if part not in name and name != "loop":
            continue
        run = compiled(source)
        # Now, not in the loop, code is adapted to what it meets, and what is built once is built.
        run(clients[False], user, ids, spec, range(50))
        for rounds in (FEW, MANY):
            child = os.fork()
            if child == 0:
                gc.disable()
                run(clients[exposures], user, ids, spec, range(rounds))
                os._exit(0)
            os.waitpid(child, 0)
            with children.open("a") as lines:
                lines.write(json.dumps({"name": name, "rounds": rounds, "pid": child}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
