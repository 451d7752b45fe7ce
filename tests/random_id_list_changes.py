"""What may happen to the lists of a server between two rounds: dice in, the next state out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from id_list_server import ListedFile
from loopback import http
from random_id_lists import random_lines

if TYPE_CHECKING:
    from statsig_fastly.sample_users import Dice

__all__ = ["TROUBLE", "changed_lists", "index_in_trouble"]

TROUBLE: Final = (
    http(500),
    http(404),
    http(416),
    http(204),
    http(200),
    http(200, b"<html>+h9rFFQbQ</html>"),
    http(200, b'{"error": "gone"}'),
    http(200, b"\r\n"),
    http(200, b"+h9rFFQbQ\n", length=20),
    http(206, b"+h9rFFQbQ\n+", length=20),
    b"HTTP/1.1 200 OK\r\nContent-Le",
    b"",
)
"""Answers in place of a file, of which none says anything of the list."""

_INDEX_TROUBLE: Final = (
    http(500),
    http(429),
    http(204),
    http(200),
    http(200, b"null"),
    http(200, b"[]"),
    http(200, b"<html>"),
    http(200, b'{"L0": {}}'),
    http(200, b'{"L0": null}'),
    http(200, b'{"L0": {"name": "L0", "size": "5", "url": "", "creationTime": 1, "fileID": "f"}}'),
    http(200, b'{"L0": {"name": "L0", "size": 5, "creationTime": 1, "fileID": "f"}}'),
    http(200, b'{"L0": {"name": "L0", "size": 5, "url": "", "creationTime": 1.5, "fileID": "f"}}'),
    http(200, b'{"L0": {"name": "L0", "size": 5, "url": "", "creationTime": 1, "fileID": 5}}'),
)


def index_in_trouble(dice: Dice) -> bytes | None:
    """An answer in place of the index, now and then."""
    return dice.pick(_INDEX_TROUBLE) if dice.chance(0.1) else None


def changed_lists(dice: Dice, lists: dict[str, ListedFile], names: list[str]) -> dict[str, ListedFile]:
    """The lists a while later."""
    later = {}
    for name in names:
        listed = lists.get(name)
        if listed is None:
            if dice.chance(0.4):
                later[name] = ListedFile(_lines(dice), f"file {dice.below(100)}", dice.below(5))
        elif not dice.chance(0.08):
            later[name] = _changed(dice, listed.but(answer=None))
    return later


def _changed(dice: Dice, listed: ListedFile) -> ListedFile:
    sort = dice.below(20)
    if sort < 7:
        listed = listed.but(file=listed.file + _lines(dice), size=None)
    elif sort < 10:  # another file, not always a newer one
        created = listed.created + dice.pick((-1, 0, 0, 1))
        listed = ListedFile(_lines(dice), f"file {dice.below(100)}", created)
    elif sort < 11:  # what is no line
        listed = listed.but(file=listed.file + dice.pick((b"<html>\n", b"\xff\n", b"\n", b"*\n")), size=None)
    elif sort < 13:  # less, or more, than there is
        listed = listed.but(size=max(0, len(listed.file) + dice.pick((-10, -1, 1, 10))))
    elif sort < 14:
        listed = listed.but(created=listed.created + dice.pick((-1, 1)))
    elif sort < 15:
        lines = listed.file.splitlines(keepends=True)
        listed = listed.but(file=b"".join(lines[: len(lines) // 2]))
    return listed.but(answer=dice.pick(TROUBLE)) if dice.chance(0.2) else listed


def _lines(dice: Dice) -> bytes:
    """Lines which all have an end: of one that has none, the official core takes the rest for another."""
    lines = b"".join(random_lines(dice))
    return lines if not lines or lines.endswith(b"\n") else lines + b"\n"
