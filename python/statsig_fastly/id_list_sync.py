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
from statsig_fastly.id_list_files import MAX_LIST_BYTES, ReadFile, fit_for_use, problem_with

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from statsig_fastly._native import Evaluator
    from statsig_fastly.adapters import IdListAdapter

__all__ = ["MAX_TOTAL_BYTES", "IdListRound", "IdListSync"]

MAX_TOTAL_BYTES = 1024 * 1024 * 1024
"""Most that all files together may have unless told otherwise, in bytes."""


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

    __slots__ = ("_adapter", "_evaluator", "_limits", "_lock", "_own", "_process", "_read_files", "_size")

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
        self._read_files: dict[str, ReadFile] = {}
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
            return IdListRound(len(self._read_files), 0, 0, error=files)
        changed = self._drop_all_but(files)
        bytes_read = 0
        failed = {}
        for name, file in files.items():
            outcome = self._update(file)
            bytes_read += outcome.bytes_read
            changed += outcome.changed
            if outcome.error is not None:
                failed[name] = outcome.error
        return IdListRound(len(self._read_files), changed, bytes_read, failed)

    def _index(self) -> dict[str, IdListFile] | AdapterError:
        """What the adapter has, by name, without the names that are the application's own."""
        try:
            files: list[object] = list(self._adapter.fetch_id_lists())
        except Exception as error:  # an adapter of the user's own may raise anything  # noqa: BLE001
            return self._raised(error)
        by_name = {}
        for file in files:
            if not isinstance(file, IdListFile):
                problem: str | None = f"expected an IdListFile for each list, got {type(file).__name__}"
            else:
                problem = _wrong_field(file)
                if problem is None and file.name not in self._own:
                    by_name[file.name] = file
            if problem is not None:
                return AdapterError(f"{self._adapter_type}: {problem}")
        return by_name

    def _drop_all_but(self, files: Mapping[str, IdListFile]) -> int:
        """Drops the lists that there are no files of; says how many."""
        gone = [name for name in self._read_files if name not in files]
        for name in gone:
            self._evaluator._drop_id_list(name)  # noqa: SLF001 - made for the rest of the package
            self._size -= self._read_files.pop(name).size
        return len(gone)

    def _update(self, file: IdListFile) -> _Outcome:
        """Reads what is new of a list."""
        before = self._read_files.get(file.name)
        news = "all" if before is None else before.news(file)
        if news == "none":
            return _Outcome()
        if problem := self._limit_exceeded(file, file.size):
            return _Outcome(error=problem)
        if news == "all":
            return self._read(file, None)
        outcome = self._read(file, before)
        if outcome.start_again:
            again = self._read(file, None)
            return _Outcome(outcome.bytes_read + again.bytes_read, again.changed, again.error)
        return outcome

    def _read(self, file: IdListFile, before: ReadFile | None) -> _Outcome:
        """Reads what comes after that which was read before, or all, and uses it if it is right."""
        start = 0 if before is None else before.lines
        part = self._fetch(file, start) if file.size else b""
        if isinstance(part, AdapterError):
            return _Outcome(error=part)
        came = len(part)
        if before is not None and before.starts(part):
            part = part[start:]  # the whole file: somebody ignored where to start
        if wrong := problem_with(part, file, before):
            return _Outcome(came, error=_error(file, f"{wrong}; ask again later", retryable=True))
        if before is not None and not before.goes_on(part):
            return _Outcome(came, start_again=True)
        if file.sha256 is not None:
            part = part[: file.size - start]
        if problem := self._limit_exceeded(file, start + len(part)):
            return _Outcome(came, error=problem)
        after = ReadFile.of(file, part, before)
        if not after.has_digest_of(file):
            what = "its file has not the SHA-256 digest that the index says; ask again later"
            return _Outcome(came, error=_error(file, what, retryable=True), start_again=before is not None)
        use = self._evaluator._set_id_list if before is None else self._evaluator._extend_id_list  # noqa: SLF001
        if not use(file.name, fit_for_use(part)):
            return _Outcome(came, error=_error(file, "its file is not UTF-8"))
        self._size += after.size - self._size_of(file.name)
        self._read_files[file.name] = after
        return _Outcome(came, changed=True)

    def _fetch(self, file: IdListFile, start: int) -> bytes | AdapterError:
        try:
            part: object = self._adapter.fetch_id_list(file, start)
        except Exception as error:  # an adapter of the user's own may raise anything  # noqa: BLE001
            return self._raised(error)
        if isinstance(part, bytes):
            return part
        return _error(file, f"{self._adapter_type}: expected bytes, got {type(part).__name__}")

    def _limit_exceeded(self, file: IdListFile, size: int) -> AdapterError | None:
        most, most_in_all = self._limits
        if size > most:
            return _error(file, f"its file has {size:,} bytes, which is more than max_list_bytes, {most:,}")
        others = self._size - self._size_of(file.name)
        if others + size > most_in_all:
            what = (
                f"its file has {size:,} bytes, and with the {others:,} bytes of the others that is more than"
            )
            return _error(file, f"{what} max_total_bytes, {most_in_all:,}")
        return None

    def _size_of(self, name: str) -> int:
        read = self._read_files.get(name)
        return 0 if read is None else read.size

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
        start_again: Whether what came does not go on with what was read before, so that all has to be read.
    """

    bytes_read: int = 0
    changed: bool = False
    error: AdapterError | None = None
    start_again: bool = False


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


def _error(file: IdListFile, what: str, *, retryable: bool = False) -> AdapterError:
    return AdapterError(f"ID list {file.name[:80]!r}: {what}", retryable=retryable)
