"""What processes that share a directory tell each other about the store.

In: what a look at the store came to. Out: whether another one is due, and which payload is the newest. It is
a few bytes of a file, written and read in one system call; who asks the store has the file's lock. The
payload itself is the file of `LastKnownGood`.

The file is not mapped into memory: where it is truncated, or the disk is full, a mapped one ends the process.
"""

from __future__ import annotations

import os
import struct
import threading
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from statsig_fastly.locked_files import is_still, lock, read_start, unlock, write_start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["SharedPolling", "SharedState"]

# Processes with another format have another file.
_ENDING = "-1.poll"
_FIELDS = struct.Struct("<Idddd32s")
_SIZE = _FIELDS.size + 4  # with their CRC-32
_TRIES = 100  # a state is found half written for a moment at most


@dataclass(frozen=True, slots=True)
class SharedState:
    """What processes know of the store. Times are in seconds since the epoch, 0 if there was none.

    Attributes:
        failures: How many looks in a row did not succeed.
        begun_at: When the last look was begun.
        asked_at: When the last look was over.
        due_at: When the next one is to be made.
        confirmed_at: When a look succeeded last.
        digest: SHA-256 of the payload that whoever looked has in use; empty if none has.
    """

    failures: int = 0
    begun_at: float = 0.0
    asked_at: float = 0.0
    due_at: float = 0.0
    confirmed_at: float = 0.0
    digest: bytes = b""

    def is_due(self, now: float) -> bool:
        """True if the store is to be asked. A time before the last look is that of a clock put back."""
        return not self.asked_at <= now < self.due_at

    def hangs(self, now: float, patience: float) -> bool:
        """True if a look was begun more than `patience` seconds ago, and is not over."""
        return self.begun_at > self.asked_at and now - self.begun_at > patience


class SharedPolling:
    """The state of one source, shared by the processes of a host.

    Args:
        directory: Where its file is; made, for its owner only, when it is needed.
        name: What the file is called, without its ending.

    Raises:
        OSError: From every method: the file cannot be made, read or written.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self._path = directory / f"{name}{_ENDING}"
        self._process = os.getpid()
        self._in_process = threading.Lock()  # the file's lock is the same for all threads
        self._descriptor: int | None = None

    def state(self) -> SharedState:
        """What is known now; nothing, if what is there makes no sense."""
        descriptor = self._opened()
        for _ in range(_TRIES):
            whole = read_start(descriptor, _SIZE)
            fields, check = whole[: _FIELDS.size], whole[_FIELDS.size :]
            if len(whole) == _SIZE and int.from_bytes(check, "little") == zlib.crc32(fields):
                failures, begun_at, asked_at, due_at, confirmed_at, digest = _FIELDS.unpack(fields)
                kept = digest if any(digest) else b""
                return SharedState(failures, begun_at, asked_at, due_at, confirmed_at, kept)
            if not whole:
                break
        return SharedState()

    def write(self, state: SharedState) -> None:
        """Replaces what is known."""
        fields = _FIELDS.pack(
            state.failures,
            state.begun_at,
            state.asked_at,
            state.due_at,
            state.confirmed_at,
            state.digest or bytes(32),
        )
        write_start(self._opened(), fields + zlib.crc32(fields).to_bytes(4, "little"))

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Takes the turn to ask the store. False if another process has it."""
        descriptor = self._opened()
        if not is_still(descriptor, self._path):  # somebody removed it; others have a new one
            self.close()
            descriptor = self._opened()
        in_process = self._in_process
        if not in_process.acquire(blocking=False):
            yield False
            return
        try:
            if not lock(descriptor):
                yield False
                return
            try:
                yield True
            finally:
                unlock(descriptor)
        finally:
            in_process.release()

    def close(self) -> None:
        """Lets the file go, in a forked child too: an open file that is inherited has the parent's lock.

        A later use opens it again.
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _opened(self) -> int:
        if self._process != os.getpid():
            self.close()
            self._process, self._in_process = os.getpid(), threading.Lock()
        if self._descriptor is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
            self._descriptor = os.open(self._path, flags, 0o600)
        return self._descriptor
