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
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from statsig_fastly.events.batches import Batch, demoted, is_whole
from statsig_fastly.events.spool_accounts import Accounts
from statsig_fastly.locked_files import is_still, lock, open_existing, read_whole, unlock, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from statsig_fastly.events.spool_accounts import Fate, SpoolCounts

__all__ = ["Claim", "Spool", "Written", "key_digest"]

_log = logging.getLogger("statsig_fastly")

_TEMPORARY_KEPT_S = 600

# Whoever is told this today is told it tomorrow. Others, such as that too many files are open, pass.
_FOR_GOOD = frozenset({errno.EACCES, errno.EPERM, errno.EISDIR, errno.ELOOP, errno.ENOTDIR, errno.EROFS})


def key_digest(sdk_key: str) -> str:
    """What stands for an SDK key in the names of its files."""
    import hashlib

    return hashlib.sha256(sdk_key.encode()).hexdigest()[:8]


class _File(NamedTuple):
    name: str
    path: str
    events: int
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
        self.name, self.path = file.name, Path(file.path)

    def done(self, fate: Fate = "handed over") -> bool:
        """Removes the file. True if this process had recorded its events."""
        own = self.spool.accounts.has_gone(self.name, self.batch.count, fate)
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


class Written:
    """A batch on the disk that nobody sees yet, until `publish` or `discard`.

    Attributes:
        name: What the file will be called.
    """

    __slots__ = ("_batch", "_path", "_spool", "_temporary", "name")

    def __init__(self, spool: Spool, batch: Batch, path: Path, temporary: Path) -> None:
        self._spool = spool
        self._batch = batch
        self._path, self._temporary = path, temporary
        self.name = path.name

    def publish(self, *, own: bool = True) -> None:
        """Gives the file its name, under which it can be claimed. It takes one operation.

        Args:
            own: False if another process recorded its events.

        Raises:
            OSError: That is not possible. The file is removed.
        """
        accounts, batch = self._spool.accounts, self._batch
        with self._spool.lock:
            # Before it is there: whoever claims it at once finds it on the account.
            accounts.has_come(self.name, batch.count, (batch.retries, batch.failures), own=own)
            try:
                self._temporary.replace(self._path)
            except BaseException:
                accounts.has_gone(self.name, batch.count, "handed over")
                self.discard()
                raise

    def discard(self) -> None:
        """Removes it."""
        with suppress(OSError):
            self._temporary.unlink()


class Spool:
    """The files of one SDK key in one directory.

    `write`, `claim`, `withdraw` and `is_empty` touch the disk; everything else only memory.

    Args:
        directory: Where the files are; made with the first `write`.
        digest: `key_digest` of the SDK key.
        max_bytes: How much all of its files may take. A batch that is being written may exceed it for a
            moment where several processes write at once.
        wall: Seconds since the epoch.

    Attributes:
        lock: Held for moments: while a file gets its name, above all.
        accounts: Whose events are in the files.
        is_hindered: True if the last `claim` or `is_empty` met something that it could not open or read now,
            but may be able to later.
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
        self.lock = threading.RLock()
        # Not from 0: processes on other machines that share the directory may have the same pid.
        self._number = int.from_bytes(os.urandom(4), "big")
        self._troubled: set[str] = set()  # what could not be opened when it was last tried
        self._claims: set[Claim] = set()
        self.accounts = Accounts()
        self.is_hindered = False

    @property
    def counts(self) -> SpoolCounts:
        """What became of the events, as of the last look at the directory."""
        return self.accounts.counts

    def is_empty(self) -> bool:
        """True if there is no file of this SDK key, as far as can be told."""
        self.is_hindered = False
        return not self._files() and not self.is_hindered

    def write(self, batch: Batch) -> Written:
        """Writes a batch, after removing the oldest ones where space is short.

        Raises:
            OSError: It cannot be written, or is larger than `max_bytes`.
        """
        if len(batch.body) > self._max_bytes:
            raise OSError(errno.EFBIG, f"a batch of {len(batch.body)} bytes exceeds {self._max_bytes} bytes")
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.make_room(len(batch.body))
        with self.lock:
            self._number += 1
            stem = f"{batch.created_ms:013d}-{os.getpid()}-{self._number:010d}-{batch.count}"
        path = self._directory / f"{stem}{self._suffix}"
        temporary = self._directory / f"{path.name}.tmp"
        written = Written(self, batch, path, temporary)
        try:
            write_whole(temporary, batch.body)
        except BaseException:
            written.discard()
            raise
        return written

    def claim(self, skip: Container[object] = (), *, with_demoted: bool = True) -> Claim | None:
        """The first of `claims`, or None."""
        return next(self.claims(skip, with_demoted=with_demoted), None)

    def claims(self, skip: Container[object] = (), *, with_demoted: bool = True) -> Iterator[Claim]:
        """The files that no process is sending, the oldest first, and then what this one wrote meanwhile.

        Each is claimed when it is asked for.

        Args:
            skip: Names to pass over.
            with_demoted: False leaves out files that failed again and again in this process. True takes what
                failed least often first.
        """
        self.is_hindered = False
        passed: set[str] = set()
        looked_at: int | None = None
        while looked_at != self._number:
            looked_at = self._number
            # One look for all: there may be thousands.
            files = [file for file in self._files() if file.name not in passed]
            if with_demoted:
                files.sort(key=lambda file: self.accounts.tries(file.name)[1])
            for file in files:
                passed.add(file.name)
                retries, failures = self.accounts.tries(file.name)
                if file.name in skip or (demoted(failures) and not with_demoted):
                    continue
                claim = self._claim(file, retries, failures)
                if claim is not None:
                    yield claim

    def tried(self, claim: Claim) -> None:
        """Remembers how often a claimed batch was tried, and releases it."""
        self.accounts.tried(claim.name, (claim.batch.retries, claim.batch.failures))
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

    def let_go(self, claim: Claim) -> None:
        """Forgets a claim that was released."""
        with self.lock:
            self._claims.discard(claim)

    # The directory

    def _files(self) -> list[_File]:
        """The batches there are, oldest first; takes own ones that are gone off the account."""
        with self.lock:  # what is on the account has its name then
            expected = self.accounts.names()
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
            self._cannot_use(self._directory, "cannot be read", error)
            return []
        self._can_use(self._directory)
        self.accounts.were_taken(expected.difference(file.name for file in found))
        found.sort()  # by name
        return found

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
        return _File(name, entry.path, count, created_ms, status.st_size) if len(fields) == 5 else None  # noqa: PLR2004

    def make_room(self, needed: int = 0) -> None:
        """Removes the oldest files until there is room for so many bytes more.

        What cannot be opened cannot be removed either, and must not cost the others their place.
        """
        files = [file for file in self._files() if file.name not in self._troubled]
        over = sum(file.size for file in files) + needed - self._max_bytes
        for file in files:
            if over <= 0:
                return
            descriptor = self._lock_file(file)
            if descriptor is None:
                continue
            claim = Claim(self, file, descriptor, Batch(b"", file.events, file.created_ms))
            claim.done("lost for space")
            over -= file.size

    def _claim(self, file: _File, retries: int, failures: int) -> Claim | None:
        descriptor = self._lock_file(file)
        if descriptor is None:
            return None
        batch = Batch(b"", file.events, file.created_ms, retries, failures)
        claim = Claim(self, file, descriptor, batch)
        try:
            body = read_whole(descriptor)
        except OSError as error:
            claim.release()
            self._cannot_use(claim.path, "cannot be read", error)
            return None
        self._can_use(claim.path)
        if not body:  # sent by a process that could not remove it
            claim.done("taken")
            return None
        if not is_whole(body):
            claim.done("unreadable")
            _log.warning("%s is damaged: removed, and %d events with it", file.path, file.events)
            return None
        batch.body, batch.claim = body, claim
        with self.lock:
            self._claims.add(claim)
        return claim

    def _lock_file(self, file: _File) -> int | None:
        """A descriptor of the file with its lock; None if another process has it or it is gone."""
        path = Path(file.path)
        try:
            descriptor = open_existing(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._cannot_use(path, "cannot be opened", error)
            return None
        try:
            if lock(descriptor) and is_still(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def _can_use(self, path: Path) -> None:
        self._troubled.discard(path.name)

    def _cannot_use(self, path: Path, why: str, error: OSError) -> None:
        """Says so, once until it works again."""
        if error.errno not in _FOR_GOOD:
            self.is_hindered = True
        if path.name not in self._troubled:
            self._troubled.add(path.name)
            _log.warning("%s %s: %s", path, why, error.strerror)
