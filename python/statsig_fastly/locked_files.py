"""Single files: written whole, read whole, and locked against other processes."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "is_still",
    "lock",
    "open_existing",
    "open_to_read",
    "read_start",
    "read_whole",
    "unlock",
    "write_start",
    "write_whole",
]

_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
# Past the end of every file: on Windows a locked byte can be neither read nor written by others.
_LOCKED_BYTE = 1 << 40


def open_existing(path: Path) -> int:
    """Opens a file that is no link, to read and to lock it."""
    return os.open(path, os.O_RDWR | _FLAGS)


def open_to_read(path: Path) -> int:
    """Opens a file that is no link, to read it."""
    return os.open(path, os.O_RDONLY | _FLAGS)


def write_whole(path: Path, body: bytes) -> None:
    """Makes a file that only its owner can read, and waits until it is on the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
    try:
        rest = memoryview(body)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_whole(descriptor: int) -> bytes:
    """All of a file that was just opened."""
    body = bytearray()
    while piece := os.read(descriptor, 1 << 20):
        body += piece
    return bytes(body)


if sys.platform == "win32":
    # Two calls, between which another thread may come: whoever reads checks what came.

    def read_start(descriptor: int, size: int) -> bytes:
        """The first bytes of a file."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        return os.read(descriptor, size)

    def write_start(descriptor: int, start: bytes) -> None:
        """Replaces the first bytes of a file."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, start)

else:

    def read_start(descriptor: int, size: int) -> bytes:
        """The first bytes of a file."""
        return os.pread(descriptor, size, 0)

    def write_start(descriptor: int, start: bytes) -> None:
        """Replaces the first bytes of a file."""
        os.pwrite(descriptor, start, 0)


def is_still(descriptor: int, path: Path) -> bool:
    """True if the name still stands for the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except OSError:
        return False


if sys.platform == "win32":

    def lock(descriptor: int) -> bool:
        """Takes the file's lock. False if somebody else has it."""
        import msvcrt

        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return True

    def unlock(descriptor: int) -> None:
        """Gives the lock back."""
        import msvcrt

        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        with suppress(OSError):
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:

    def lock(descriptor: int) -> bool:
        """Takes the file's lock. False if somebody else has it."""
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def unlock(descriptor: int) -> None:
        """Gives the lock back."""
        import fcntl

        # Said, not left to closing: a child forked meanwhile has the descriptor too.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
