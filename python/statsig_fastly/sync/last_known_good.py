"""A copy on disk of the payload that was used last, for starts at which the store does not answer.

In: payloads that were put in use. Out: the last of them, whole, or nothing. A file is one line of JSON (what
is in it), and then the payload as it was. It takes its place in one step, and only its owner can read it.
"""

from __future__ import annotations

import json
import math
import os
import stat
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from statsig_fastly.adapters import Payload
from statsig_fastly.errors import AdapterError
from statsig_fastly.locked_files import open_to_read, read_whole, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Kept", "LastKnownGood"]

_FORMAT = "statsig-fastly last-known-good 1"
_LONGEST_HEAD = 16 * 1024
_TEMPORARY_KEPT_S = 600


@dataclass(frozen=True, slots=True)
class Kept:
    """A payload that was kept.

    Attributes:
        payload: The payload, its version, and what its source is called in evaluation reasons.
        digest: SHA-256 of its bytes.
        saved_at: When it was kept, in seconds since the epoch.
    """

    payload: Payload
    digest: bytes = field(repr=False)
    saved_at: float


class LastKnownGood:
    """The last payload of one source that was in use, in a file.

    Args:
        directory: Where the file is; made, for its owner only, with the first `save`.
        name: What the file is called, without its ending.
        wall: Seconds since the epoch.

    Attributes:
        path: The file.
        digest: SHA-256 of the payload in the file, as far as this object has written or read it, or None.
    """

    def __init__(self, directory: Path, name: str, *, wall: Callable[[], float] = time.time) -> None:
        self.path = directory / f"{name}-1.specs"
        self._wall = wall
        self.digest: bytes | None = None

    def save(self, payload: Payload, digest: bytes, source: str) -> None:
        """Keeps a payload in place of the one before.

        Args:
            payload: What to keep.
            digest: SHA-256 of its bytes.
            source: What it is called in evaluation reasons.

        Raises:
            OSError: It cannot be written; the one before is still there.
        """
        head = {
            "format": _FORMAT,
            "bytes": len(payload.body),
            "sha256": digest.hex(),
            "version": payload.version,
            "source": source,
            "saved_at": self._wall(),
        }
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
        try:
            write_whole(temporary, json.dumps(head).encode() + b"\n" + payload.body)
            temporary.replace(self.path)
            self.digest = digest
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        self._remove_left_behind()

    def load(self) -> Kept | None:
        """Reads what is kept; None if nothing is.

        Raises:
            AdapterError: The file cannot be read, is damaged, or others could have written it.
        """
        try:
            whole = self._read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise AdapterError(f"{self.path}: {error.strerror or type(error).__name__}") from None
        line, _, body = whole.partition(b"\n")
        try:
            head = json.loads(line[:_LONGEST_HEAD])
            size, digest, version = head["bytes"], bytes.fromhex(head["sha256"]), head["version"]
            source, saved_at, form = head["source"], float(head["saved_at"]), head["format"]
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
            raise self._something_else() from None
        if not (isinstance(version, str | None) and isinstance(source, str) and math.isfinite(saved_at)):
            raise self._something_else()
        if form != _FORMAT:
            raise AdapterError(f"{self.path}: expected the format {_FORMAT!r}, got {str(form)[:60]!r}")
        from hashlib import sha256

        if len(body) != size or sha256(body).digest() != digest:
            raise AdapterError(
                f"{self.path}: the copy is damaged: its digest is not the one it was kept with"
            )
        self.digest = digest
        return Kept(Payload(body, version, source=source), digest, saved_at)

    def _something_else(self) -> AdapterError:
        return AdapterError(f"{self.path}: expected a copy of config specs, got something else")

    def _read(self) -> bytes:
        descriptor = open_to_read(self.path)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(0, "expected a regular file")
            if sys.platform != "win32":
                _check_owner(status)
            return read_whole(descriptor)
        finally:
            os.close(descriptor)

    def _remove_left_behind(self) -> None:
        """Removes what processes left that were killed while they wrote."""
        with suppress(OSError):
            for path in self.path.parent.glob(f"{self.path.name}.*.tmp"):
                if self._wall() - path.stat().st_mtime > _TEMPORARY_KEPT_S:
                    path.unlink()


if sys.platform != "win32":

    def _check_owner(status: os.stat_result) -> None:
        mode = stat.S_IMODE(status.st_mode)
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise OSError(0, f"expected a file that only its owner can write, got mode {mode:04o}")
        if status.st_uid != os.geteuid():
            raise OSError(0, f"expected a file of user {os.geteuid()}, got one of user {status.st_uid}")
