"""One poller per host: what processes that share a directory tell each other about the store.

In: what a look at the store came to. Out: whether another one is due, and which payload is the newest. It is
a few bytes of a file that every process has mapped into its memory, so that looking there costs no system
call; who asks the store has the file's lock. The payload itself is the file of `LastKnownGood`.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from statsig_fastly.events.spool_files import lock, unlock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["SharedPolling", "SharedState"]

_MAGIC = b"SFP1"
_FIELDS = struct.Struct("<4sIddd32s")
_SIZE = _FIELDS.size + 4  # with their CRC-32
_TRIES = 100  # a state is found half written for less than a microsecond


@dataclass(frozen=True, slots=True)
class SharedState:
    """What processes know of the store.

    Attributes:
        failures: How many looks in a row did not succeed.
        asked_at: When the last look was made, in seconds since the epoch; 0 if none was.
        due_at: When the next one is to be made, in seconds since the epoch.
        confirmed_at: When a look succeeded last, in seconds since the epoch; 0 if none did.
        digest: SHA-256 of the payload that is kept; empty if none is.
    """

    failures: int = 0
    asked_at: float = 0.0
    due_at: float = 0.0
    confirmed_at: float = 0.0
    digest: bytes = b""

    def is_due(self, now: float) -> bool:
        """True if the store is to be asked. A time before the last look is that of a clock put back."""
        return not self.asked_at <= now < self.due_at


class SharedPolling:
    """The state of one source, shared by the processes of a host.

    Args:
        directory: Where its file is; made, for its owner only, when it is needed.
        name: What the file is called, without its ending `.poll`.

    Raises:
        OSError: From every method: the file cannot be made or mapped.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self._path = directory / f"{name}.poll"
        self._process = os.getpid()
        self._in_process = threading.Lock()  # the file's lock is the same for all threads
        self._descriptor: int | None = None
        self._memory: mmap.mmap | None = None

    def state(self) -> SharedState:
        """What is known now."""
        memory = self._mapped()
        for _ in range(_TRIES):
            whole = memory[:_SIZE]
            fields, check = whole[: _FIELDS.size], whole[_FIELDS.size :]
            if int.from_bytes(check, "little") == zlib.crc32(fields):
                magic, failures, asked_at, due_at, confirmed_at, digest = _FIELDS.unpack(fields)
                if magic == _MAGIC:
                    kept = digest if any(digest) else b""
                    return SharedState(failures, asked_at, due_at, confirmed_at, kept)
                break
        return SharedState()

    def write(self, state: SharedState) -> None:
        """Replaces what is known. Only for whoever has the turn."""
        digest = state.digest or bytes(32)
        fields = _FIELDS.pack(
            _MAGIC, state.failures, state.asked_at, state.due_at, state.confirmed_at, digest
        )
        self._mapped()[:_SIZE] = fields + zlib.crc32(fields).to_bytes(4, "little")

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Takes the turn to ask the store. False if another process has it."""
        self._mapped()
        in_process, descriptor = self._in_process, self._descriptor
        if descriptor is None or not in_process.acquire(blocking=False):
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
        """Lets the file go. A later use opens it again."""
        memory, self._memory = self._memory, None
        descriptor, self._descriptor = self._descriptor, None
        if memory is not None:
            memory.close()
        if descriptor is not None:
            os.close(descriptor)

    def _mapped(self) -> mmap.mmap:
        if self._process != os.getpid():
            # Forked: an open file that is inherited has the parent's lock.
            self.close()
            self._process, self._in_process = os.getpid(), threading.Lock()
        memory = self._memory
        if memory is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
            descriptor = os.open(self._path, flags, 0o600)
            try:
                if os.fstat(descriptor).st_size < _SIZE:
                    os.ftruncate(descriptor, _SIZE)  # with zeros, whoever else does so too
                memory = mmap.mmap(descriptor, _SIZE)
            except BaseException:
                os.close(descriptor)
                raise
            self._descriptor, self._memory = descriptor, memory
        return memory
