"""Files of ID lists for random tests: dice in, lines and changes out."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from statsig_fastly.sample_users import Dice

__all__ = ["LISTED", "file_after", "random_changes", "random_lines", "written"]

# Units of which every other one comes to be on a list.
LISTED: Final = ("", "a", "A", "b", "é", "0", "5", "5.0", "true", '["a"]', "user-1", "x" * 200)

# One way each to spoil a line; most leave a line that says nothing.
_SPOILT: Final[tuple[Callable[[str], str], ...]] = (
    lambda line: line[1:],
    lambda line: line[:-1],
    lambda line: line + "A",
    lambda line: line + " ",
    lambda line: line + "\r",
    lambda line: line + "=",
    lambda line: " " + line,
    lambda line: line[0] + " " + line[1:],
    lambda line: line[0] + line,
    lambda line: line.lower(),
    lambda line: line.replace("+", "-"),
    lambda line: line[:5] + "-" + line[6:],
    lambda line: line[:5] + "é" + line[6:],
    lambda line: "*" + line[1:],
    lambda line: "# " + line,
    lambda _: "",
    lambda _: "+",
)


def written(unit: str) -> str:
    """How a unit id is written in a file."""
    return base64.b64encode(hashlib.sha256(unit.encode()).digest())[:8].decode()


def random_lines(dice: Dice) -> list[bytes]:
    """Lines of a file with their ends."""
    lines = []
    for _ in range(dice.below(40)):
        line = dice.pick(("+", "+", "-")) + written(dice.pick(LISTED))
        if dice.chance(0.2):
            line = dice.pick(_SPOILT)(line)
        lines.append((line + dice.pick(("\n", "\n", "\r\n"))).encode())
    if lines and dice.chance(0.3):
        lines[-1] = lines[-1].rstrip(b"\n")
    return lines


def random_changes(dice: Dice) -> list[bytes | None]:
    """What a list goes through: files and what is added to them; None takes the list away.

    What does not start as a list is none, so only a line that is one is a place to cut a file.
    """
    changes: list[bytes | None] = []
    if dice.chance(0.3):
        changes = [b"".join(random_lines(dice)), None]
    lines = random_lines(dice)
    cut = dice.below(len(lines) + 1)
    while cut < len(lines) and lines[cut][:1] not in (b"+", b"-"):
        cut += 1
    changes += [part for part in (b"".join(lines[:cut]), b"".join(lines[cut:])) if part]
    if dice.chance(0.15):
        changes.append(None)
    return changes


def file_after(changes: Sequence[bytes | None]) -> bytes | None:
    """The file of a list that went through all of this; None if there is none in the end."""
    file: bytes | None = None
    for change in changes:
        file = None if change is None else (file or b"") + change
    return file
