"""A directory of batches that could not be sent, shared by any number of processes.

In: `Batch`es. Out: `Claim`s of them, oldest first, each held by one process at a time. A file holds the
body of a request as it will be sent and is named

    <created, ms since the epoch>-<pid>-<number>-<events>-<8 hex digits of the SDK key's SHA-256>.batch

Files of other SDK keys are not looked at.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from statsig_fastly.events.batches import Batch, demoted, is_whole
from statsig_fastly.locked_files import is_still, lock, open_existing, read_whole, unlock, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Container

__all__ = ["Claim", "Lost", "Spool", "key_digest"]

_log = logging.getLogger("statsig_fastly")

_TEMPORARY_KEPT_S = 600


def key_digest(sdk_key: str) -> str:
    """What stands for an SDK key in the names of its files."""
    import hashlib

    return hashlib.sha256(sdk_key.encode()).hexdigest()[:8]


class Lost(NamedTuple):
    """Events that files held which are gone without having been sent.

    Attributes:
        own: Recorded by this process.
        others: Recorded by other processes.
    """

    own: int
    others: int

    def plus(self, count: int, *, own: bool) -> Lost:
        """With so many more."""
        return Lost(self.own + count, self.others) if own else Lost(self.own, self.others + count)


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    path: Path
    count: int
    created_ms: int
    size: int


class Claim:
    """A spool file that is this process' to send until `done` or `release`.

    Attributes:
        batch: What is in it.
        name: Name of the file.
        path: Where it is.
        spool: What it was claimed from.
    """

    __slots__ = ("_descriptor", "batch", "name", "path", "spool")

    def __init__(self, spool: Spool, file: _File, descriptor: int, batch: Batch) -> None:
        self.spool = spool
        self._descriptor: int | None = descriptor
        self.batch = batch
        self.name, self.path = file.name, file.path

    def done(self) -> bool:
        """Removes the file. True if this process had recorded its events."""
        own = self.spool.disown(self.name)
        descriptor = self._descriptor
        if descriptor is not None:
            # Where an open file cannot be removed, whoever finds it empty knows that it was sent.
            with suppress(OSError):
                os.ftruncate(descriptor, 0)
        if os.name == "nt":
            self.release()
        with suppress(OSError):
            self.path.unlink()
        self.release()
        return own

    def release(self) -> None:
        """Leaves the file to whoever claims it next. Calling it again does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        self.spool.let_go(self)
        if descriptor is not None:
            unlock(descriptor)
            os.close(descriptor)

    def forget(self) -> None:
        """In a forked child: closes its copy of the descriptor; the lock stays the parent's."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class Spool:
    """The files of one SDK key in one directory.

    `put` and `claim` touch the disk; everything else only memory.

    Args:
        directory: Where the files are; made with the first `put`.
        digest: `key_digest` of the SDK key.
        max_bytes: How much all of its files may take. A batch that is being written may exceed it for a
            moment where several processes write at once.
        wall: Seconds since the epoch.
    """

    def __init__(
        self, directory: Path, digest: str, max_bytes: int, *, wall: Callable[[], float] = time.time
    ) -> None:
        self._directory = Path(directory)
        self._suffix = f"-{digest}.batch"
        self._max_bytes = max_bytes
        self._wall = wall
        self._start_over()

    def _start_over(self) -> None:
        self._lock = threading.RLock()
        # Not from 0: processes on other machines that share the directory may have the same pid.
        self._number = int.from_bytes(os.urandom(4), "big")
        self._own: dict[str, int] = {}
        self._tries: dict[str, tuple[int, int]] = {}  # how often by name, and how often it was answered
        self._useless: set[str] = set()
        self._claims: set[Claim] = set()
        self.dropped_for_space = Lost(0, 0)
        self.dropped_unreadable = Lost(0, 0)
        self.taken_by_others = 0

    @property
    def own_events(self) -> int:
        """Events of this process that wait in files, as of the last look at the directory."""
        with self._lock:
            return sum(self._own.values())

    def is_empty(self) -> bool:
        """True if there is no file of this SDK key."""
        return not self._files()

    def put(self, batch: Batch, *, own: bool = True) -> str:
        """Writes a batch, after removing the oldest ones where space is short.

        Args:
            batch: What to write.
            own: False if another process recorded its events.

        Returns:
            Name of the file.

        Raises:
            OSError: It cannot be written, or is larger than `max_bytes`.
        """
        if len(batch.body) > self._max_bytes:
            raise OSError(errno.EFBIG, f"a batch of {len(batch.body)} bytes exceeds {self._max_bytes} bytes")
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._make_room(len(batch.body))
        with self._lock:
            self._number += 1
            stem = f"{batch.created_ms:013d}-{os.getpid()}-{self._number:010d}-{batch.count}"
        name = stem + self._suffix
        path = self._directory / name
        temporary = self._directory / f"{name}.tmp"
        try:
            write_whole(temporary, batch.body)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        with self._lock:
            if own:
                self._own[name] = batch.count
            self._tries[name] = (batch.retries, batch.failures)
        self._make_room(0)
        return name

    def claim(self, skip: Container[object] = (), *, with_demoted: bool = True) -> Claim | None:
        """The oldest file that no process is sending, or None.

        Args:
            skip: Names to pass over.
            with_demoted: False leaves out files that failed again and again in this process.
        """
        for file in self._files():
            retries, failures = self._tries.get(file.name, (0, 0))
            if file.name in skip or (demoted(failures) and not with_demoted):
                continue
            claim = self._claim(file, retries, failures)
            if claim is not None:
                return claim
        return None

    def tried(self, claim: Claim) -> None:
        """Remembers how often a claimed batch was tried, and releases it."""
        with self._lock:
            self._tries[claim.name] = (claim.batch.retries, claim.batch.failures)
        claim.release()

    def withdraw(self, name: str) -> bool:
        """Removes a file of this process that nobody needs to send any more. False if it was taken."""
        for file in self._files():
            if file.name == name:
                claim = self._claim(file, 0, 0)
                return claim is not None and claim.done()
        return False

    def forked(self) -> None:
        """In a forked child: the files that wait and the one being sent are the parent's."""
        claims = self._claims
        self._start_over()
        for claim in claims:
            claim.forget()

    def owns(self, name: str) -> bool:
        """True if this process recorded the events of a file and is to account for them."""
        with self._lock:
            return name in self._own

    def disown(self, name: str) -> bool:
        """Takes a file off this process' account. True if it was on it."""
        with self._lock:
            self._tries.pop(name, None)
            return self._own.pop(name, None) is not None

    def let_go(self, claim: Claim) -> None:
        """Forgets a claim that was released."""
        with self._lock:
            self._claims.discard(claim)

    # The directory

    def _files(self) -> list[_File]:
        """The batches there are, oldest first; takes own ones that are gone off the account."""
        with self._lock:
            expected = {*self._own, *self._tries}
        found: list[_File] = []
        try:
            with os.scandir(self._directory) as entries:
                for entry in entries:
                    file = self._file(entry)
                    if file is not None:
                        found.append(file)
        except FileNotFoundError:
            pass
        except OSError as error:
            self._say_useless(self._directory, f"cannot be read: {error.strerror}")
            return []
        gone = expected.difference(file.name for file in found)
        with self._lock:
            for name in gone:
                self.taken_by_others += self._own.pop(name, 0)
                self._tries.pop(name, None)
            usable = [file for file in found if file.name not in self._useless]
        return sorted(usable, key=lambda file: file.name)

    def _file(self, entry: os.DirEntry[str]) -> _File | None:
        name = entry.name
        if not name.endswith((self._suffix, f"{self._suffix}.tmp")):
            return None
        fields = name.split("-")
        try:
            if not entry.is_file(follow_symlinks=False):
                return None
            status = entry.stat(follow_symlinks=False)
            if name.endswith(".tmp"):
                # Its writer was killed.
                if time.time() - status.st_mtime > _TEMPORARY_KEPT_S:
                    Path(entry.path).unlink()
                return None
            created_ms, _pid, _number, count = (int(field) for field in fields[:4])
        except (OSError, ValueError):
            return None
        return _File(name, Path(entry.path), count, created_ms, status.st_size) if len(fields) == 5 else None  # noqa: PLR2004

    def _make_room(self, needed: int) -> None:
        """Removes the oldest files until there is room for so many bytes more."""
        files = self._files()
        over = sum(file.size for file in files) + needed - self._max_bytes
        for file in files:
            if over <= 0:
                return
            descriptor = self._lock_file(file)
            if descriptor is None:
                continue
            claim = Claim(self, file, descriptor, Batch(b"", file.count, file.created_ms))
            own = claim.done()
            over -= file.size
            with self._lock:
                self.dropped_for_space = self.dropped_for_space.plus(file.count, own=own)

    def _claim(self, file: _File, retries: int, failures: int) -> Claim | None:
        descriptor = self._lock_file(file)
        if descriptor is None:
            return None
        batch = Batch(b"", file.count, file.created_ms, retries, failures)
        claim = Claim(self, file, descriptor, batch)
        try:
            body = read_whole(descriptor)
        except OSError as error:
            claim.release()
            self._say_useless(file.path, f"cannot be read: {error.strerror}")
            return None
        if not body:  # sent by a process that could not remove it
            claim.done()
            return None
        if not is_whole(body):
            own = claim.done()
            with self._lock:
                self.dropped_unreadable = self.dropped_unreadable.plus(file.count, own=own)
            _log.warning("%s is damaged: removed, and %d events with it", file.path, file.count)
            return None
        batch.body, batch.claim = body, claim
        with self._lock:
            self._claims.add(claim)
        return claim

    def _lock_file(self, file: _File) -> int | None:
        """A descriptor of the file with its lock; None if another process has it or it is gone."""
        try:
            descriptor = open_existing(file.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._say_useless(file.path, f"cannot be opened: {error.strerror}")
            return None
        try:
            if lock(descriptor) and is_still(descriptor, file.path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def _say_useless(self, path: Path, why: str) -> None:
        with self._lock:
            known = path.name in self._useless
            self._useless.add(path.name)
        if not known:
            _log.warning("%s %s", path, why)
