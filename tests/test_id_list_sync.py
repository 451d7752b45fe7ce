"""`IdListSync`: which files are read from where on, and what becomes of an evaluator's lists."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from engine_under_test import our_engine
from random_id_lists import LISTED, random_lines
from reference_id_lists import id_list_file
from small_specs import condition, gate, project, rule
from statsig_fastly._native import Evaluator
from statsig_fastly.adapters import IdListAdapter, IdListFile
from statsig_fastly.errors import AdapterError
from statsig_fastly.id_list_sync import IdListRound, IdListSync
from statsig_fastly.sample_users import Dice
from test_id_lists import checks_project

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from statsig_fastly import Statsig

NAMES = ["L", "M", "N"]
PAYLOAD = json.dumps(checks_project(NAMES)).encode()
PAGE = b"<!doctype html>\n+h9rFFQbQ\n"


class Shelf:
    """An adapter whose lists lie in memory.

    Attributes:
        index: The lists.
        files: The bytes of their files, by name.
        trouble: What is raised or returned in place of a file, by the list's name, or of the index, under "".
        read: Names of lists that were read, with the byte they were read from.
    """

    def __init__(self) -> None:
        self.index: dict[str, IdListFile] = {}
        self.files: dict[str, bytes] = {}
        self.trouble: dict[str, Any] = {}
        self.read: list[tuple[str, int]] = []

    def put(self, name: str, file: bytes, file_id: str = "1", created: int = 1, **more: Any) -> None:  # noqa: ANN401
        self.files[name] = file
        self.index[name] = IdListFile(name, file_id, created, more.pop("size", len(file)), name, **more)

    def fetch_id_lists(self) -> Sequence[IdListFile]:
        index: Sequence[IdListFile] = self._or_trouble("", list(self.index.values()))
        return index

    def fetch_id_list(self, file: IdListFile, start: int) -> bytes:
        self.read.append((file.name, start))
        part: bytes = self._or_trouble(file.name, self.files[file.location][start:])
        return part

    def taken(self) -> list[tuple[str, int]]:
        """What was read since the last call."""
        taken, self.read = self.read, []
        return taken

    def _or_trouble(self, name: str, right: Any) -> Any:  # noqa: ANN401
        trouble = self.trouble.get(name, right)
        if isinstance(trouble, BaseException):
            raise trouble
        return trouble


def sha256(file: bytes) -> str:
    return hashlib.sha256(file).hexdigest()


@pytest.fixture
def shelf() -> Shelf:
    shelf = Shelf()
    assert isinstance(shelf, IdListAdapter)
    return shelf


@pytest.fixture
def statsig() -> Iterator[Statsig]:
    with our_engine(PAYLOAD, id_lists={"N": ["f"]}) as statsig:
        yield statsig


def members(statsig: Evaluator, name: str = "L", units: Sequence[str] = "abcdef") -> list[str]:
    return [unit for unit in units if statsig.check_gate(unit, f"unit {name}")]


def on(statsig: Evaluator, name: str = "L") -> str:
    return "".join(members(statsig, name))


# Files that change


@pytest.mark.parametrize("digests", [False, True])
def test_lists_are_as_their_files_after_every_round(shelf: Shelf, statsig: Statsig, digests: bool) -> None:
    dice = Dice(7)
    sync = IdListSync(shelf, statsig, own=["N"])
    on = 0
    for number in range(300):
        for name in ("L", "M"):
            held = shelf.index.get(name)
            lines = b"".join(random_lines(dice))
            if lines and not lines.startswith((b"+", b"-")):
                lines = b"+" + lines
            if dice.chance(0.1):
                shelf.index.pop(name, None)
                continue
            file_id, before = (str(number), b"")
            if held is not None and dice.chance(0.8):
                # What has no end yet goes on, maybe in the middle of a line.
                file_id, before = held.file_id, shelf.files[name]
            file = before + lines
            shelf.put(name, file, file_id, sha256=sha256(file) if digests else None)
        outcome = sync.round()
        assert outcome.complete, outcome
        fresh = Evaluator()
        fresh._load(PAYLOAD, "Bootstrap")
        for name in shelf.index:
            assert fresh._set_id_list(name, shelf.files[name])
        for name in ("L", "M"):
            expected = members(fresh, name, LISTED)
            assert members(statsig, name, LISTED) == expected, (number, name)
            on += len(expected)
    assert 300 < on < 300 * 2 * len(LISTED) * 0.8


@pytest.mark.parametrize("digests", [False, True])
def test_files_may_end_anywhere_for_a_while(shelf: Shelf, statsig: Statsig, digests: bool) -> None:
    # As a cache may have them, or a writer that has not finished.
    dice = Dice(8)
    whole = id_list_file(LISTED) + id_list_file("abc").replace(b"+", b"-") + b"+" + id_list_file("b")[1:]
    sync = IdListSync(shelf, statsig)
    size = 0
    while size < len(whole):
        size = min(len(whole), size + 1 + dice.below(12))
        file = whole[:size]
        shelf.put("L", file, sha256=sha256(file) if digests else None)
        assert sync.round().complete
        fresh = Evaluator()
        fresh._load(PAYLOAD, "Bootstrap")
        assert fresh._set_id_list("L", file)
        assert members(statsig, "L", LISTED) == members(fresh, "L", LISTED)
    assert members(statsig, "L", LISTED) == [unit for unit in LISTED if unit != "a"]


@pytest.mark.parametrize(
    ("before", "after", "read", "units"),
    [
        (b"+ypeBEsob", b"\n-ypeBEsob\n+PiPoFgA5\n", [0], "b"),
        (b"+ypeBEsob\n+PiPoFgA5", b"\r\n-ypeBEsob\r\n", [10], "b"),
        (b"+ypeBEsob\n+PiPo", b"FgA5\n", [10], "ab"),
        (b"+ypeBEsob\n+PiPoFgA5", b"+\n", [10, 0], "a"),
        (b"+ypeBEsob\n-ypeBEsob", b"b\n", [10, 0], "a"),
        (b"+ypeBEsob\n+PiPoFgA5", b"\r", [10, 0], "a"),
        (b"+ypeBEsob\n* none", b" at all\n+PiPoFgA5\n", [10], "ab"),
        (b"+ypeBEsob\n<html>", b"<p>", [10], "a"),
    ],
)
def test_a_line_without_an_end_may_go_on(
    shelf: Shelf, statsig: Statsig, before: bytes, after: bytes, *, read: list[int], units: str
) -> None:
    sync = IdListSync(shelf, statsig)
    shelf.put("L", before)
    sync.round()
    shelf.taken()
    shelf.put("L", before + after)
    assert sync.round().complete
    assert shelf.taken() == [("L", start) for start in read]
    assert on(statsig) == units
    assert sync.round() == IdListRound(1, 0, 0)


def test_what_does_not_go_on_with_a_line_is_not_of_the_file(shelf: Shelf, statsig: Statsig) -> None:
    sync = IdListSync(shelf, statsig)
    shelf.put("L", id_list_file("a") + b"+Pi")
    sync.round()
    shelf.put("L", id_list_file("ab"))
    shelf.trouble["L"] = PAGE
    outcome = sync.round()
    assert (list(outcome.failed), outcome.bytes_read, on(statsig)) == (["L"], 2 * len(PAGE), "a")


def test_only_what_is_new_is_read(shelf: Shelf, statsig: Statsig) -> None:
    sync = IdListSync(shelf, statsig)
    assert sync.round() == IdListRound(0, 0, 0)
    shelf.put("L", id_list_file("ab"))
    shelf.put("M", b"")
    assert sync.round() == IdListRound(2, 2, 20)
    assert shelf.taken() == [("L", 0)]  # an empty file need not be read
    assert sync.round() == IdListRound(2, 0, 0)
    shelf.put("L", id_list_file("abc"))
    assert sync.round() == IdListRound(2, 1, 10)
    assert (shelf.taken(), on(statsig)) == ([("L", 20)], "abc")
    shelf.put("L", id_list_file("d"), "2")
    del shelf.index["M"]
    assert sync.round() == IdListRound(1, 2, 10)
    assert (shelf.taken(), on(statsig)) == ([("L", 0)], "d")
    shelf.put("L", b"", "3")
    assert sync.round() == IdListRound(1, 1, 0)
    assert (shelf.taken(), on(statsig)) == ([], "")
    del shelf.index["L"]
    assert sync.round() == IdListRound(0, 1, 0)


def test_an_older_index_changes_nothing(shelf: Shelf, statsig: Statsig) -> None:
    # As another cache may have it.
    sync = IdListSync(shelf, statsig)
    shelf.put("L", id_list_file("ab"), "2", 5)
    sync.round()
    for file, file_id, created in ((id_list_file("a"), "2", 5), (id_list_file("def"), "1", 4)):
        shelf.put("L", file, file_id, created)
        assert sync.round() == IdListRound(1, 0, 0)
        assert on(statsig) == "ab"
    shelf.put("L", id_list_file("def"), "1", 5)
    sync.round()
    assert on(statsig) == "def"


def test_a_list_is_swapped_whole() -> None:
    conditions = {
        f"{operator} {field}": condition("user_field", field, operator, "L")
        for operator in ("in_segment_list", "not_in_segment_list")
        for field in ("one", "other")
    }
    gates = {
        operator: gate([{**rule(operator), "conditions": [f"{operator} one", f"{operator} other"]}])
        for operator in ("in_segment_list", "not_in_segment_list")
    }
    files = [id_list_file(["a", *map(str, range(2000))]), id_list_file(["b", *map(str, range(2000, 4000))])]
    users = [
        {"userID": "u", "custom": dict(zip(("one", "other"), pair, strict=True))}
        for pair in (("a", "b"), ("7", "2999"))
    ]
    shelf, ended = Shelf(), threading.Event()
    found: list[object] = []
    with our_engine(json.dumps(project(conditions, gates)).encode()) as statsig:

        def look() -> None:
            while not ended.is_set():
                found.extend(
                    (user, name) for user in users for name in gates if statsig.check_gate(user, name)
                )

        sync = IdListSync(shelf, statsig)
        threads = [threading.Thread(target=look) for _ in range(2)]
        for number in range(80):
            shelf.put("L", files[number % 2], str(number))
            assert sync.round().changed == 1
            if not number:
                for thread in threads:
                    thread.start()
        ended.set()
        for thread in threads:
            thread.join(30)
    # Never on both files, nor on neither.
    assert found == []


# What goes wrong


@pytest.mark.parametrize(
    ("trouble", "says", "retryable"),
    [
        (AdapterError("no route", status=503, retryable=True, retry_after=9.0), "no route", True),
        (OSError("gone"), "Shelf raised OSError: gone", False),
        (PAGE, "ID list 'L': in its file there are no lines of a list: they start with neither", True),
        (b"\n \r\n", "in its file there are no lines of a list", True),
        ("\u3000\n".encode(), "in its file there are no lines of a list", True),
        (b" " * 100 + PAGE, "in its file there are no lines of a list", True),
        (b"+h9rFFQbQ\n\xff\n", "ID list 'L': its file is not UTF-8", False),
        (b"", "ID list 'L': in its file there are 0 of 20 bytes; ask again later", True),
        (None, "ID list 'L': Shelf: expected bytes, got NoneType", False),
        ("+h9rFFQbQ\n", "ID list 'L': Shelf: expected bytes, got str", False),
        (bytearray(b"+h9rFFQbQ\n"), "ID list 'L': Shelf: expected bytes, got bytearray", False),
    ],
)
def test_a_list_in_trouble_stays_as_it_was(
    shelf: Shelf, statsig: Statsig, trouble: object, says: str, retryable: bool
) -> None:
    sync = IdListSync(shelf, statsig)
    shelf.put("L", id_list_file("a"))
    sync.round()
    shelf.put("L", id_list_file("bc"), "2")
    shelf.put("M", id_list_file("c"))
    shelf.trouble["L"] = trouble
    for changed in (1, 0):
        outcome = sync.round()
        assert (outcome.lists, outcome.changed, outcome.complete) == (2, changed, False)
        assert outcome.error is None
        assert list(outcome.failed) == ["L"]
        problem = outcome.failed["L"]
        assert says in str(problem)
        assert problem.retryable is retryable
        # What it keeps alive would be whole files.
        assert (problem.__traceback__, problem.__context__, problem.__cause__) == (None, None, None)
        assert (on(statsig), on(statsig, "M")) == ("a", "c")
    if isinstance(trouble, AdapterError):
        assert (problem.status, problem.retry_after) == (503, 9.0)
    shelf.trouble.clear()
    assert sync.round().complete
    assert on(statsig) == "bc"


@pytest.mark.parametrize("part", [PAGE, b"", b"\n", b"+h9rFFQbQ\n\xff\n"])
def test_a_part_in_trouble_changes_nothing(shelf: Shelf, statsig: Statsig, part: bytes) -> None:
    sync = IdListSync(shelf, statsig)
    shelf.put("L", id_list_file("a"))
    sync.round()
    shelf.put("L", id_list_file("ab"))
    shelf.trouble["L"] = part
    outcome = sync.round()
    says = "its file is not UTF-8" if b"\xff" in part else "from byte 10 of its file on there are "
    assert str(outcome.failed["L"]).startswith(f"ID list 'L': {says}")
    assert (outcome.changed, outcome.bytes_read, on(statsig)) == (0, len(part), "a")
    shelf.trouble.clear()
    assert sync.round() == IdListRound(1, 1, 10)
    assert on(statsig) == "ab"


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (AdapterError("no route", status=503), "no route"),
        (KeyError("lists"), "Shelf raised KeyError: 'lists'"),
        (None, "Shelf raised TypeError: "),
        ([{"name": "L"}], "Shelf: expected an IdListFile for each list, got dict"),
        ([IdListFile(5, "1", 1, 1, "")], "Shelf: name of an IdListFile: expected str, got int"),  # type: ignore[arg-type]
        ([IdListFile("L", "1", 1, "1", "")], "Shelf: size of an IdListFile: expected int, got str"),  # type: ignore[arg-type]
        ([IdListFile("L", "1", 1, -1, "")], "Shelf: size of an IdListFile: expected at least 0, got -1"),
        ([IdListFile("\ud800", "1", 1, 1, "")], "Shelf: name of an IdListFile: expected valid Unicode"),
        ([IdListFile("L", None, 1, 1, "")], "Shelf: file_id of an IdListFile: expected str, got NoneType"),  # type: ignore[arg-type]
        ([IdListFile("L", "1", 0.5, 1, "")], "Shelf: created_ms of an IdListFile: expected int, got float"),  # type: ignore[arg-type]
        ([IdListFile("L", "1", 1, 1, "", 5)], "Shelf: sha256 of an IdListFile: expected str or None"),  # type: ignore[arg-type]
    ],
)
def test_without_an_index_everything_stays(
    shelf: Shelf, statsig: Statsig, trouble: object, says: str
) -> None:
    sync = IdListSync(shelf, statsig)
    shelf.put("L", id_list_file("a"))
    sync.round()
    shelf.taken()
    shelf.trouble[""] = trouble
    outcome = sync.round()
    assert (outcome.lists, outcome.changed, outcome.bytes_read, outcome.failed) == (1, 0, 0, {})
    assert says in str(outcome.error)
    assert outcome.error is not None
    assert (outcome.error.__traceback__, outcome.error.__context__) == (None, None)
    assert not outcome.complete
    assert (shelf.taken(), on(statsig)) == ([], "a")
    shelf.trouble.clear()
    assert sync.round() == IdListRound(1, 0, 0)


def test_a_cache_that_lags_behind_the_index(shelf: Shelf, statsig: Statsig) -> None:
    sync = IdListSync(shelf, statsig)
    shelf.put("L", id_list_file("ab"), size=40)
    assert sync.round().complete
    assert on(statsig) == "ab"
    outcome = sync.round()
    assert (
        str(outcome.failed["L"])
        == "ID list 'L': from byte 20 of its file on there are 0 of 20 bytes; ask again later"
    )
    shelf.put("L", id_list_file("abcde"), size=40)  # and now it is ahead of it
    assert sync.round().complete
    assert on(statsig) == "abcde"
    shelf.put("L", id_list_file("abcdef"))
    shelf.taken()
    sync.round()
    assert (shelf.taken(), on(statsig)) == ([("L", 50)], "abcdef")


def test_whole_files_in_place_of_parts_are_cut(shelf: Shelf, statsig: Statsig) -> None:
    sync = IdListSync(shelf, statsig)
    for units in ("a", "ab", "abc", "abcd"):
        file = id_list_file(units)
        shelf.put("L", file)
        shelf.trouble["L"] = file
        assert sync.round() == IdListRound(1, 1, len(file))
        assert on(statsig) == units
    assert shelf.taken() == [("L", 0), ("L", 10), ("L", 20), ("L", 30)]
    # As it was before.
    shelf.put("L", id_list_file("abcde"))
    assert list(sync.round().failed) == ["L"]
    # More of the same is more.
    shelf.put("L", id_list_file("a"), "2")
    del shelf.trouble["L"]
    sync.round()
    shelf.put("L", id_list_file("aab"), "2")
    assert sync.round().complete
    sync.round()
    assert on(statsig) == "ab"


# Digests


def test_what_does_not_continue_what_was_read_is_read_again(shelf: Shelf, statsig: Statsig) -> None:
    sync = IdListSync(shelf, statsig)
    file = id_list_file("abc")
    shelf.put("L", file, sha256=sha256(file))
    sync.round()
    shelf.taken()
    file = id_list_file("defa")
    shelf.put("L", file, sha256=sha256(file).upper())
    assert sync.round() == IdListRound(1, 1, 50)
    assert (shelf.taken(), on(statsig)) == ([("L", 30), ("L", 0)], "adef")
    file = id_list_file("abcd")
    shelf.put("L", file, sha256=sha256(file))
    assert sync.round() == IdListRound(1, 1, 40)
    assert (shelf.taken(), on(statsig)) == ([("L", 0)], "abcd")


def test_files_with_another_digest_are_not_used(shelf: Shelf, statsig: Statsig) -> None:
    sync = IdListSync(shelf, statsig)
    file = id_list_file("ab")
    shelf.put("L", file, sha256=sha256(file))
    sync.round()
    for name, part, says in (
        ("1", id_list_file("abcd"), "its file has not the SHA-256 digest that the index says"),
        ("2", id_list_file("dc"), "its file has not the SHA-256 digest that the index says"),
        ("3", id_list_file("a"), "in its file there are 10 of 20 bytes"),
    ):
        shelf.put("L", part, name, sha256=sha256(b"another"), size=max(len(part), 20))
        outcome = sync.round()
        assert says in str(outcome.failed["L"])
        assert outcome.failed["L"].retryable
        assert on(statsig) == "ab"
    # What was added since is left for the next time.
    file = id_list_file("cd")
    shelf.put("L", file + b"+", "4", size=20, sha256=sha256(file))
    assert sync.round().complete
    assert on(statsig) == "cd"


def test_a_file_that_is_not_whole_is_never_used_where_its_digest_is_known(
    shelf: Shelf, statsig: Statsig
) -> None:
    sync = IdListSync(shelf, statsig)
    file, longer = id_list_file("ab"), id_list_file("abcdef")
    shelf.put("L", file, sha256=sha256(file))
    sync.round()
    shelf.put("L", longer, sha256=sha256(longer))
    for size in range(len(longer) - len(file)):
        shelf.trouble["L"] = longer[20 : 20 + size]
        outcome = sync.round()
        assert f"there are {size} of 40 bytes" in str(outcome.failed["L"])
        assert on(statsig) == "ab"
    shelf.trouble.clear()
    assert sync.round().complete
    assert on(statsig) == "abcdef"


# Lists of the application's own, and limits


def test_lists_of_the_applications_own_are_left_alone(shelf: Shelf, statsig: Statsig) -> None:
    sync = IdListSync(shelf, statsig, own=["N"])
    shelf.put("N", id_list_file("a"))
    shelf.put("L", id_list_file("a"))
    assert sync.round() == IdListRound(1, 1, 10)
    assert (on(statsig, "N"), on(statsig)) == ("f", "a")
    shelf.index.clear()
    assert sync.round() == IdListRound(0, 1, 0)
    assert (on(statsig, "N"), on(statsig)) == ("f", "")


def test_a_list_that_is_too_large_is_not_read(shelf: Shelf, statsig: Statsig) -> None:
    sync = IdListSync(shelf, statsig, max_list_bytes=25)
    shelf.put("L", id_list_file("ab"))
    sync.round()
    shelf.put("L", id_list_file("abc"))
    shelf.put("M", id_list_file("a"), size=10)
    shelf.files["M"] = id_list_file("abcdef")
    shelf.taken()
    outcome = sync.round()
    limit = "which is more than max_list_bytes, 25"
    assert str(outcome.failed["L"]) == f"ID list 'L': its file has 30 bytes, {limit}"
    assert str(outcome.failed["M"]) == f"ID list 'M': its file has 60 bytes, {limit}"
    assert (shelf.taken(), outcome.bytes_read) == ([("M", 0)], 60)
    assert (on(statsig), on(statsig, "M")) == ("ab", "")


def test_all_lists_together_have_a_limit(shelf: Shelf, statsig: Statsig) -> None:
    sync = IdListSync(shelf, statsig, max_total_bytes=50)
    shelf.put("L", id_list_file("abc"))
    shelf.put("M", id_list_file("abc"))
    outcome = sync.round()
    assert str(outcome.failed["M"]) == (
        "ID list 'M': its file has 30 bytes, and with the 30 bytes of the others that is more than "
        "max_total_bytes, 50"
    )
    assert (on(statsig), on(statsig, "M")) == ("abc", "")
    # What is replaced, or gone, makes room.
    shelf.put("L", id_list_file("ab"), "2")
    assert sync.round().complete
    shelf.put("M", id_list_file("abcdef"))
    assert list(sync.round().failed) == ["M"]
    del shelf.index["L"]
    assert list(sync.round().failed) == ["M"]
    shelf.put("M", id_list_file("abcde"))
    assert sync.round().complete
    assert on(statsig, "M") == "abcde"


@pytest.mark.parametrize("name", ["max_list_bytes", "max_total_bytes"])
def test_limits_that_cannot_work_are_named(shelf: Shelf, statsig: Statsig, name: str) -> None:
    with pytest.raises(TypeError, match=f"^{name}: expected int, got float$"):
        IdListSync(shelf, statsig, **{name: 1.5})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"^{name}: expected a number above 0, got 0$"):
        IdListSync(shelf, statsig, **{name: 0})  # type: ignore[arg-type]


# Threads and processes


def test_of_two_rounds_at_once_the_second_waits_for_the_first(shelf: Shelf, statsig: Statsig) -> None:
    sync = IdListSync(shelf, statsig)
    reading, go_on = threading.Event(), threading.Event()

    class Slow(Shelf):
        def fetch_id_list(self, file: IdListFile, start: int) -> bytes:
            reading.set()
            assert go_on.wait(30)
            return super().fetch_id_list(file, start)

    slow = Slow()
    slow.put("L", id_list_file("a"))
    sync = IdListSync(slow, statsig)
    outcomes: list[IdListRound] = []
    threads = [threading.Thread(target=lambda: outcomes.append(sync.round())) for _ in range(2)]
    threads[0].start()
    assert reading.wait(30)
    threads[1].start()
    assert outcomes == []
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert outcomes == [IdListRound(1, 1, 10), IdListRound(1, 0, 0)]
    assert slow.taken() == [("L", 0)]


FORK = """
import os, sys, threading, warnings
from test_id_list_sync import *

warnings.simplefilter("ignore", DeprecationWarning)
reading, go_on = threading.Event(), threading.Event()

class Slow(Shelf):
    def fetch_id_list(self, file, start):
        if threading.current_thread() is not threading.main_thread():
            reading.set()
            assert go_on.wait(30)
        return super().fetch_id_list(file, start)

shelf, statsig = Slow(), our_engine(PAYLOAD)
statsig.initialize().wait()
shelf.put("L", id_list_file("a"))
sync = IdListSync(shelf, statsig)
thread = threading.Thread(target=sync.round)
thread.start()
assert reading.wait(30)
child = os.fork()
if child == 0:
    done = sync.round() == IdListRound(1, 1, 10) and on(statsig) == "a"
    os._exit(0 if done else 1)
assert os.waitpid(child, 0)[1] == 0
go_on.set()
thread.join(30)
assert on(statsig) == "a"
statsig.shutdown().wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_child_forked_during_a_round_makes_rounds_of_its_own() -> None:
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])  # noqa: PTH120 - as in sys.path
    ran = subprocess.run(
        [sys.executable, "-c", FORK],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_outcome_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        IdListRound(0, 0, 0).lists = 1  # type: ignore[misc]
