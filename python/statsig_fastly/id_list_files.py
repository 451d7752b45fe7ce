"""What was read of the file of an ID list, and what a further part of it means.

In: how an index describes a file, and bytes that came. Out: whether there is news, what is wrong with the
bytes, and a `ReadFile` to go on from. Nothing is fetched and nothing is used here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from hashlib import _Hash

    from statsig_fastly.adapters import IdListFile

__all__ = ["MAX_LIST_BYTES", "ReadFile", "fit_for_use", "problem_with"]

MAX_LIST_BYTES = 256 * 1024 * 1024
"""Largest file that is read unless told otherwise, in bytes: about 25 million ids."""

_START_BYTES = 64
_LINE_BYTES = 9  # of a line that says something, without its end


@dataclass(slots=True)
class ReadFile:
    """What was read of a file.

    Attributes:
        file_id: As in the index.
        created_ms: As in the index.
        size: How many bytes were read.
        sha256: Hex digest of these.
        lines: How many of them are whole lines. A line without an end is used, and read once more with what
            follows, or its rest would look like a line.
        digest: SHA-256 of the whole lines, to go on with.
    """

    file_id: str
    created_ms: int
    size: int
    sha256: str
    lines: int
    digest: _Hash

    @classmethod
    def of(cls, file: IdListFile, part: bytes, before: ReadFile | None) -> ReadFile:
        """What was read after a part came, which begins where the whole lines of `before` end."""
        from hashlib import sha256

        start, digest = (0, sha256()) if before is None else (before.lines, before.digest.copy())
        whole = part.rfind(b"\n") + 1
        view = memoryview(part)
        digest.update(view[:whole])
        to_the_end = digest.copy()
        to_the_end.update(view[whole:])
        size = start + len(part)
        return cls(file.file_id, file.created_ms, size, to_the_end.hexdigest(), start + whole, digest)

    def news(self, file: IdListFile) -> Literal["none", "more", "all"]:
        """What is to be read of a file: none of it, what comes after the whole lines, or all."""
        if file.file_id != self.file_id:
            # Stores and caches may bring an older index after a newer one.
            return "all" if file.created_ms >= self.created_ms else "none"
        if file.size > self.size:
            return "more"
        if file.size == self.size and not self.has_digest_of(file):
            return "all"
        self.created_ms = file.created_ms
        return "none"

    def has_digest_of(self, file: IdListFile) -> bool:
        """False if what was read has another digest than the one the index says."""
        return file.sha256 is None or file.sha256.lower() == self.sha256

    def starts(self, part: bytes) -> bool:
        """True if a part starts with what was read, as whole files do."""
        from hashlib import sha256

        if not 0 < self.lines <= len(part):
            return False
        return sha256(memoryview(part)[: self.lines]).digest() == self.digest.digest()

    def goes_on(self, part: bytes) -> bool:
        """True if a part goes on with the line without an end, if there is one.

        False also if that line said something, and with what follows says something else.
        """
        seen = self.size - self.lines
        if not seen:
            return True
        digest = self.digest.copy()
        digest.update(memoryview(part)[:seen])
        rest = part[seen : seen + 2]
        ended = seen != _LINE_BYTES or rest.startswith(b"\n") or rest == b"\r\n"
        return ended and digest.hexdigest() == self.sha256


def problem_with(part: bytes, file: IdListFile, before: ReadFile | None) -> str | None:
    """Says what is wrong with bytes at a glance.

    Args:
        part: What came.
        file: The file it is of.
        before: What was read before, if it is to go on with that.
    """
    if not file.size:
        return None
    start, known = (0, 0) if before is None else (before.lines, before.size)
    place = f"from byte {start:,} of its file on" if start else "in its file"
    end = start + len(part)
    if end <= known or (file.sha256 is not None and end < file.size):
        return f"{place} there are {len(part):,} of {file.size - start:,} bytes"
    if start == known and not _starts_with_a_line(part):
        return f"{place} there are no lines of a list: they start with neither '+' nor '-'"
    return None


def fit_for_use(part: bytes) -> bytes:
    """The same lines, of which the first is one of a list: an evaluator looks at that."""
    return part if _starts_with_a_line(part) else b"-\n" + part


def _starts_with_a_line(part: bytes) -> bool:
    """False for what is something else, such as an error page."""
    first = part[:_START_BYTES].lstrip() or part.lstrip()
    if first.startswith((b"+", b"-")):
        return True
    # There is white space beyond ASCII.
    return part.decode(errors="replace").lstrip().startswith(("+", "-"))
