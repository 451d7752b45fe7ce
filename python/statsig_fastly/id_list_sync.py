"""Keeps the ID lists of an evaluator as an adapter describes them, one round after the other.

In: an `IdListAdapter` and an evaluator. Out: lists that are replaced, extended and dropped in the evaluator,
and an `IdListRound` that says what came of it. When to make a round is for the caller to know: there is no
thread and no clock in here.

Which files are read, and from which byte on, is as in the official core.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from statsig_fastly.adapters import IdListFile
from statsig_fastly.adapters.checks import check_count
from statsig_fastly.errors import AdapterError, described

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from hashlib import _Hash

    from statsig_fastly._native import Evaluator
    from statsig_fastly.adapters import IdListAdapter

__all__ = ["MAX_LIST_BYTES", "MAX_TOTAL_BYTES", "IdListRound", "IdListSync"]

MAX_LIST_BYTES = 256 * 1024 * 1024
"""Largest file of a list that is read unless told otherwise, in bytes: about 24 million ids."""

MAX_TOTAL_BYTES = 1024 * 1024 * 1024
"""Most that all files together may have unless told otherwise, in bytes."""

_START_BYTES = 64


@dataclass(frozen=True, slots=True)
class IdListRound:
    """What came of one round.

    Attributes:
        lists: How many lists of the adapter the evaluator has now.
        changed: How many of them are new, replaced or longer, and how many were dropped.
        bytes_read: How many bytes of list files came.
        failed: Why lists could not be read, by name. These are as they were before.
        error: Why the index could not be read; None if it could. Otherwise all lists are as they were.
    """

    lists: int
    changed: int
    bytes_read: int
    failed: Mapping[str, AdapterError] = field(default_factory=dict)
    error: AdapterError | None = None

    @property
    def complete(self) -> bool:
        """True if every list is as the adapter describes it."""
        return self.error is None and not self.failed


class IdListSync:
    """Reads the lists of one adapter into one evaluator. Safe to use from several threads and across a fork.

    Args:
        adapter: Where the lists are.
        evaluator: Whose checks they are for.
        own: Names of the lists that the application gave the evaluator itself. The adapter's lists of these
            names are passed over.
        max_list_bytes: Largest file that is read, in bytes.
        max_total_bytes: Most that the files of all lists together may have, in bytes. A list that would
            exceed it is not read.

    Raises:
        TypeError: A limit is no `int`.
        ValueError: A limit is not above zero.
    """

    __slots__ = ("_adapter", "_evaluator", "_held", "_limits", "_lock", "_own", "_process", "_size")

    def __init__(
        self,
        adapter: IdListAdapter,
        evaluator: Evaluator,
        *,
        own: Collection[str] = (),
        max_list_bytes: int = MAX_LIST_BYTES,
        max_total_bytes: int = MAX_TOTAL_BYTES,
    ) -> None:
        self._adapter = adapter
        self._evaluator = evaluator
        self._own = frozenset(own)
        self._limits = (
            check_count("max_list_bytes", max_list_bytes),
            check_count("max_total_bytes", max_total_bytes),
        )
        self._held: dict[str, _Held] = {}
        self._size = 0
        self._lock = threading.Lock()
        self._process = os.getpid()

    def round(self) -> IdListRound:
        """Makes the lists what the adapter says they are by now.

        Returns once every list was looked at. A check sees a list before or after a change, never between.
        What an adapter raises is in the result. Of two calls at the same time the second begins when the
        first has ended.
        """
        if self._process != os.getpid():  # forked, perhaps while another thread held the lock
            self._lock, self._process = threading.Lock(), os.getpid()
        with self._lock:
            return self._round()

    def _round(self) -> IdListRound:
        files = self._index()
        if isinstance(files, AdapterError):
            return IdListRound(len(self._held), 0, 0, error=files)
        changed = self._drop_all_but(files)
        bytes_read = 0
        failed = {}
        for name, file in files.items():
            outcome = self._update(file)
            bytes_read += outcome.bytes_read
            changed += outcome.changed
            if outcome.error is not None:
                failed[name] = outcome.error
        return IdListRound(len(self._held), changed, bytes_read, failed)

    def _index(self) -> dict[str, IdListFile] | AdapterError:
        """What the adapter has, by name, without the names that are the application's own."""
        try:
            files: list[object] = list(self._adapter.fetch_id_lists())
        except Exception as error:  # an adapter of the user's own may raise anything  # noqa: BLE001
            return self._raised(error)
        by_name = {}
        for file in files:
            if isinstance(file, IdListFile):
                problem = _wrong_field(file)
                by_name[file.name] = file
            else:
                problem = f"expected an IdListFile for each list, got {type(file).__name__}"
            if problem is not None:
                return AdapterError(f"{self._adapter_type}: {problem}")
        return {name: file for name, file in by_name.items() if name not in self._own}

    def _drop_all_but(self, files: Mapping[str, IdListFile]) -> int:
        """Drops the lists that there are no files of; says how many."""
        gone = [name for name in self._held if name not in files]
        for name in gone:
            self._evaluator._drop_id_list(name)  # noqa: SLF001 - made for the rest of the package
            self._size -= self._held.pop(name).size
        return len(gone)

    def _update(self, file: IdListFile) -> _Outcome:
        """Reads what is new of a list."""
        held = self._held.get(file.name)
        start = 0 if held is None else held.start_of_news(file)
        if start is None:
            return _Outcome()
        if problem := self._limit_exceeded(file.name, file.size):
            return _Outcome(error=problem)
        outcome = self._read(file, start)
        if outcome.other_file:
            # What is new continues another file than the one that was read.
            again = self._read(file, 0)
            return _Outcome(outcome.bytes_read + again.bytes_read, again.changed, again.error)
        return outcome

    def _read(self, file: IdListFile, start: int) -> _Outcome:
        """Reads a list from a byte of its file on, and uses what comes if it is right."""
        part = self._fetch(file, start) if file.size else b""
        if isinstance(part, AdapterError):
            return _Outcome(error=part)
        came = len(part)
        held = self._held.get(file.name) if start else None
        if held is not None and held.starts(part):
            part = part[start:]  # the whole file: somebody ignored where to start
        if problem := _useless(file, start, part, held):
            return _Outcome(came, error=problem)
        if file.sha256 is not None:
            part = part[: file.size - start]
        if problem := self._limit_exceeded(file.name, start + len(part)):
            return _Outcome(came, error=problem)
        now = _Held.of(file, start, part, held)
        if file.sha256 is not None and now.sha256 != file.sha256.lower():
            what = "its file has not the SHA-256 digest that the index says; ask again later"
            problem = _problem(file, what, retryable=True)
            return _Outcome(came, error=problem, other_file=start > 0)
        use = self._evaluator._extend_id_list if start else self._evaluator._set_id_list  # noqa: SLF001
        if not use(file.name, part):
            return _Outcome(came, error=_problem(file, f"{_from(start)} there is no UTF-8"))
        self._size += now.size - self._size_of(file.name)
        self._held[file.name] = now
        return _Outcome(came, changed=True)

    def _fetch(self, file: IdListFile, start: int) -> bytes | AdapterError:
        try:
            part: object = self._adapter.fetch_id_list(file, start)
        except Exception as error:  # an adapter of the user's own may raise anything  # noqa: BLE001
            return self._raised(error)
        if isinstance(part, bytes):
            return part
        return _problem(file, f"{self._adapter_type}: expected bytes, got {type(part).__name__}")

    def _limit_exceeded(self, name: str, size: int) -> AdapterError | None:
        most, most_in_all = self._limits
        if size > most:
            what = f"its file has {size:,} bytes, which is more than max_list_bytes, {most:,}"
            return AdapterError(f"ID list {name[:80]!r}: {what}")
        others = self._size - self._size_of(name)
        if others + size > most_in_all:
            what = (
                f"its file has {size:,} bytes, and with the {others:,} bytes of the others that is more than "
                f"max_total_bytes, {most_in_all:,}"
            )
            return AdapterError(f"ID list {name[:80]!r}: {what}")
        return None

    def _size_of(self, name: str) -> int:
        held = self._held.get(name)
        return 0 if held is None else held.size

    def _raised(self, error: Exception) -> AdapterError:
        """An error without its traceback, which would keep whole files alive."""
        if isinstance(error, AdapterError):
            return AdapterError(
                str(error), status=error.status, retryable=error.retryable, retry_after=error.retry_after
            )
        return AdapterError(f"{self._adapter_type} raised {described(error)}")

    @property
    def _adapter_type(self) -> str:
        return type(self._adapter).__name__


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of one list.

    Attributes:
        bytes_read: How many bytes came.
        changed: Whether the evaluator's list is another one now.
        error: Why it is not.
        other_file: Whether that is because what came does not continue what was read before.
    """

    bytes_read: int = 0
    changed: bool = False
    error: AdapterError | None = None
    other_file: bool = False


@dataclass(slots=True)
class _Held:
    """What was read of a list's file.

    Attributes:
        file_id: As in the index.
        created_ms: As in the index.
        size: How many bytes were read.
        sha256: Hex digest of these.
        lines: How many of them are whole lines. A line without an end is used, and read once more with
            what follows, or the rest of it would look like a line of its own.
        digest: SHA-256 of the whole lines.
    """

    file_id: str
    created_ms: int
    size: int
    sha256: str
    lines: int
    digest: _Hash

    @classmethod
    def of(cls, file: IdListFile, start: int, part: bytes, held: _Held | None) -> _Held:
        """What was read, with what came from `start` on, which is where the whole lines of `held` end."""
        from hashlib import sha256

        whole = part.rfind(b"\n") + 1
        view = memoryview(part)
        digest = sha256() if held is None else held.digest.copy()
        digest.update(view[:whole])
        to_the_end = digest.copy()
        to_the_end.update(view[whole:])
        size = start + len(part)
        return cls(file.file_id, file.created_ms, size, to_the_end.hexdigest(), start + whole, digest)

    def start_of_news(self, file: IdListFile) -> int | None:
        """From which byte on the file is to be read; None if there is nothing new in it."""
        if file.file_id != self.file_id:
            # Stores and caches may bring an older index after a newer one.
            return 0 if file.created_ms >= self.created_ms else None
        if file.size > self.size:
            return self.lines
        if file.size == self.size and file.sha256 is not None and file.sha256.lower() != self.sha256:
            return 0
        self.created_ms = file.created_ms
        return None

    def starts(self, part: bytes) -> bool:
        """True if `part` starts with what was read."""
        from hashlib import sha256

        if not 0 < self.lines <= len(part):
            return False
        return sha256(memoryview(part)[: self.lines]).digest() == self.digest.digest()


_FIELDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "name": (str, "str"),
    "file_id": (str, "str"),
    "created_ms": (int, "int"),
    "size": (int, "int"),
    "sha256": ((str, type(None)), "str or None"),
}


def _wrong_field(file: IdListFile) -> str | None:
    """What of a file has the wrong type: adapters of the user's own need not be checked by anything."""
    for name, (expected, words) in _FIELDS.items():
        value: object = getattr(file, name)
        if not isinstance(value, expected):
            return f"{name} of an IdListFile: expected {words}, got {type(value).__name__}"
    try:
        file.name.encode()
    except UnicodeEncodeError:
        return "name of an IdListFile: expected valid Unicode, got half a surrogate pair"
    return f"size of an IdListFile: expected at least 0, got {file.size}" if file.size < 0 else None


def _useless(file: IdListFile, start: int, part: bytes, held: _Held | None) -> AdapterError | None:
    """Why what came is of no use at a glance, if it is not."""
    if not file.size:
        return None
    end = start + len(part)
    if end <= (0 if held is None else held.size) or (file.sha256 is not None and end < file.size):
        what = f"{_from(start)} there are {len(part):,} of {file.size - start:,} bytes; ask again later"
        return _problem(file, what, retryable=True)
    if not _starts_with_a_line(part):
        what = f"{_from(start)} there are no lines of a list: they start with neither '+' nor '-'"
        return _problem(file, what, retryable=True)
    return None


def _starts_with_a_line(part: bytes) -> bool:
    """False for what is something else, such as an error page."""
    first = part[:_START_BYTES].lstrip() or part.lstrip()
    if first.startswith((b"+", b"-")):
        return True
    # There is white space beyond ASCII.
    return part.decode(errors="replace").lstrip().startswith(("+", "-"))


def _problem(file: IdListFile, what: str, *, retryable: bool = False) -> AdapterError:
    return AdapterError(f"ID list {file.name[:80]!r}: {what}", retryable=retryable)


def _from(start: int) -> str:
    return f"from byte {start:,} of its file on" if start else "in its file"
