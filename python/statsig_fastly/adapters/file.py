"""Config specs out of a file.

In: a path. Out: a `Payload` whose version is a digest of what is in the file; None where that is what the
caller has; or an `AdapterError`.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from statsig_fastly.adapters import Payload
from statsig_fastly.adapters.checks import check_count, check_text, value_problem
from statsig_fastly.adapters.compression import decompressed
from statsig_fastly.adapters.plain_specs import MAX_PAYLOAD_BYTES
from statsig_fastly.errors import AdapterError

__all__ = ["FileAdapter"]

_TIMES_READ = 3


class FileAdapter:
    """Reads config specs from a file. Safe to use from several threads.

    The file is read with every `fetch`. Only what is in it counts: writing the same again is no new version,
    and a rewrite is one even if it leaves size and time of the file as they were.

    Whoever writes the file should write another one beside it and rename that, so that nobody ever sees half
    of it. A file that changes while it is read is read again. One that stands cut off is a `PayloadError`
    when it is parsed, and the next `fetch` reads it anew.

    Args:
        path: The file; a relative path starts at the working directory of now, not of the `fetch`.
        max_value_bytes: Largest file accepted, in bytes.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has a value that cannot work.
    """

    __slots__ = ("_limit", "_path")

    def __init__(self, path: str | os.PathLike[str], *, max_value_bytes: int = 25_000_000) -> None:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"path: expected str or os.PathLike, got {type(path).__name__}")
        text = os.fspath(path)
        if "\0" in check_text("path", text):
            raise ValueError("path: expected a path, got text with a null character")
        self._path = Path(text).absolute()
        self._limit = check_count("max_value_bytes", max_value_bytes)

    @property
    def name(self) -> str:
        """`File`, as in the evaluation reason `Adapter(File):Recognized`."""
        return "File"

    @property
    def path(self) -> Path:
        """The file, as an absolute path."""
        return self._path

    @property
    def identity(self) -> str:
        """Tells this source from others: the absolute path."""
        return f"{self.name} {self._path}"

    def fetch(self, held_version: str | None = None) -> Payload | None:
        """Reads the file, if there is something else in it than the caller has.

        Args:
            held_version: `Payload.version` of what the caller has, or None.

        Returns:
            What is in the file, its version a SHA-256 digest of it; or None if that is still `held_version`.

        Raises:
            AdapterError: The file cannot be read or decompressed, is too large, does not look like a JSON
            object, or was
                being written all the time; only in that last case, and where it is empty, it is `retryable`.
        """
        from hashlib import sha256

        body = decompressed(self._read(), MAX_PAYLOAD_BYTES, self._asked())
        problem = value_problem(body)
        if problem is not None:
            raise AdapterError(f"{self._asked()}: {problem[0]}", retryable=problem[1] or not body)
        version = sha256(body).hexdigest()
        return None if version == held_version else Payload(body, version)

    def close(self) -> None:
        """Does nothing; no file stays open."""

    def __repr__(self) -> str:
        return f"FileAdapter({str(self._path)!r})"

    def _read(self) -> bytes:
        try:
            for _ in range(_TIMES_READ):
                with open(self._path, "rb", opener=_without_waiting) as file:
                    body = self._read_once(file)
                if body is not None:
                    return body
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise AdapterError(f"{self._asked()}: {reason}; check path") from None
        raise AdapterError(
            f"{self._asked()}: it is being written; ask again later, and have it written to another file "
            "that is renamed to this one",
            retryable=True,
        )

    def _read_once(self, file: BinaryIO) -> bytes | None:
        """What is in the file; None if it changed meanwhile."""
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise AdapterError(f"{self._asked()}: it is not a regular file; check path")
        if before.st_size > self._limit:
            raise AdapterError(
                f"{self._asked()}: it has {before.st_size} bytes, more than {self._limit}; make the payload "
                "smaller or raise max_value_bytes"
            )
        body = file.read(before.st_size + 1)
        after = os.fstat(file.fileno())
        unchanged = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        return body if unchanged and len(body) == after.st_size else None

    def _asked(self) -> str:
        return f"reading {self._path}"


def _without_waiting(path: str, flags: int) -> int:
    # Opening a named pipe would wait for somebody to write into it.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
