"""A directory to publish to: one file for each item, its metadata in another beside it.

Files are written whole and renamed, so that a reader, or a process that is killed, sees the old value or the
new one. What is checked before that is checked under a lock that other publishers on the host take as well.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from statsig_fastly.errors import AdapterError
from statsig_fastly.publish.metadata import ValueMetadata
from statsig_fastly.publish.store import ABSENT, Conflict, Head, Item, Listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["DirectoryStore", "locked", "replace_file"]

_METADATA: Final = ".metadata"


class DirectoryStore:
    """The items in one directory, which is made with the first write.

    Args:
        path: The directory.
    """

    largest = 2**40
    most_items: int | None = None
    holds_text = False
    is_conditional = True

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path).absolute()

    def __str__(self) -> str:
        return f"directory {self._path}"

    def close(self) -> None:
        """Does nothing; no file stays open."""

    def head(self, key: str) -> Head | None:
        """What there is under a key."""
        return self.read(key)

    def read(self, key: str) -> Item | None:
        """An item; None if there is none. Its version is a digest of the value."""
        file = self._file(key)
        try:
            value = file.read_bytes()
            modified = file.stat().st_mtime
        except FileNotFoundError:
            return None
        except OSError as error:
            raise AdapterError(f"reading {file}: {error.strerror}") from None
        metadata: str | None = None
        with suppress(OSError, UnicodeDecodeError):
            metadata = file.with_name(file.name + _METADATA).read_text("utf-8")
        known = ValueMetadata.parse(metadata)
        digest = sha256(value).hexdigest()
        return Item(digest, metadata if known and known.sha256 == digest else None, modified, value)

    def read_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The values of items by key, as far as they are there."""
        return {key: item.value for key in keys if (item := self.read(key)) is not None}

    def write(self, key: str, value: bytes, metadata: str | None, *, replaces: str | None = None) -> None:
        """Writes an item: see `Store.write`."""
        file = self._file(key)
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            with locked(self._path):
                there = None if replaces is None else self.read(key)
                if replaces is not None and (ABSENT if there is None else there.version) != replaces:
                    raise Conflict(f"writing {file}: somebody else has written it meanwhile")
                beside = file.with_name(file.name + _METADATA)
                if metadata is None:
                    beside.unlink(missing_ok=True)
                else:
                    replace_file(beside, metadata.encode())
                replace_file(file, value)
        except OSError as error:
            raise AdapterError(f"writing {file}: {error.strerror}") from None

    def write_many(self, items: Mapping[str, bytes]) -> None:
        """Writes items one after the other."""
        for key, value in items.items():
            self.write(key, value, None)

    def delete(self, key: str, *, version: str | None = None) -> None:
        """Deletes an item: see `Store.delete`."""
        file = self._file(key)
        if not self._path.exists():
            return
        try:
            with locked(self._path):
                there = None if version is None else self.read(key)
                if version is not None and (there is None or there.version != version):
                    raise Conflict(f"deleting {file}: it is another one by now")
                file.unlink(missing_ok=True)
                file.with_name(file.name + _METADATA).unlink(missing_ok=True)
        except OSError as error:
            raise AdapterError(f"deleting {file}: {error.strerror}") from None

    def delete_many(self, keys: Iterable[str]) -> None:
        """Deletes items one after the other."""
        for key in keys:
            self.delete(key)

    def entries(self, prefix: str) -> Iterator[Listed]:
        """The items whose keys start with `prefix`."""
        files = sorted(self._path.iterdir()) if self._path.is_dir() else []
        for file in files:
            key = unquote(file.name)
            if not file.name.startswith(".") and file.suffix != _METADATA and key.startswith(prefix):
                yield Listed(key, file.stat().st_mtime)

    def _file(self, key: str) -> Path:
        name = quote(key, safe="")
        # A key may start with a dot or end like metadata; a file of ours then does not.
        if name.startswith("."):
            name = f"%2E{name[1:]}"
        if name.endswith(_METADATA):
            name = f"{name[: -len(_METADATA)]}%2E{_METADATA[1:]}"
        return self._path / name


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keeps others out who lock the same directory, also in other processes of the host."""
    try:
        import fcntl
    except ImportError:  # Windows has no such lock: there, renaming alone has to do
        yield
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def replace_file(path: Path, content: bytes) -> None:
    """Writes a file so that nobody ever sees half of it.

    Raises:
        OSError: It could not be written.
    """
    from tempfile import mkstemp

    handle, name = mkstemp(dir=path.parent, prefix=".", suffix=".new")
    new = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(OSError):  # a new file is readable by all who may read the old one
            new.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
