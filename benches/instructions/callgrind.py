"""What callgrind writes, as numbers of instructions.

In: an output file. Out: `Profile`: the total, and for each function how much it took itself, how much with
all it called, and how often it was called.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Profile", "read"]

# A function is named where it is met first, `fn=(12) name`, and from then on only `fn=(12)`.
_FUNCTION = re.compile(r"(c?fn)=\((\d+)\)(?: (.*))?")


@dataclass
class Profile:
    """Instructions of one process."""

    total: int = 0
    own: Counter[str] = field(default_factory=Counter)
    called: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)

    def own_of(self, part: str) -> int:
        """What functions took themselves whose name has this in it."""
        return sum(cost for name, cost in self.own.items() if part in name)


def read(path: Path) -> Profile:
    """Reads an output file with one kind of event, written without line numbers (`--dump-line=no`)."""
    profile = Profile()
    names: dict[str, str] = {}
    current = callee = ""
    in_call = False
    with path.open() as lines:
        for line in lines:
            if match := _FUNCTION.match(line):
                which, number, name = match.groups()
                if name is not None:
                    names[number] = name.strip()
                if which == "fn":
                    current = names[number]
                else:
                    callee = names[number]
            elif line.startswith("calls="):
                profile.calls[callee] += int(line[6:].split()[0])
                in_call = True
            elif line[0] in "0123456789+-*":
                cost = int(line.split()[1])
                if in_call:
                    profile.called[callee] += cost
                    in_call = False
                else:
                    profile.own[current] += cost
            elif line.startswith("totals:"):
                profile.total = int(line.split()[1])
    return profile
