"""The local KV store of a `fastly.toml` to publish to, for development without an account.

An item that has a file gets a new one. What is not there is added to the manifest at its end, with a file
beside it. Nothing else in the manifest is touched, so an item whose data stand in it cannot be written.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from statsig_fastly.adapters.local_stores import LocalFile, Manifest
from statsig_fastly.errors import AdapterError
from statsig_fastly.publish.directory_store import locked, replace_file
from statsig_fastly.publish.store import ABSENT, Conflict, Head, Item, Listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from statsig_fastly.adapters.local_stores import LocalEntry

__all__ = ["TomlStore"]

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


class TomlStore:
    """The items of one local KV store. Paths in the manifest start at the manifest's own directory or `root`.

    Args:
        path: The manifest; it is made with the first write.
        store: Name of the store.
        root: Where relative paths in the manifest start; None: the working directory, as for Fastly's own
            local server.
    """

    largest = 2**40
    most_items: int | None = None
    holds_text = False
    is_conditional = True

    def __init__(self, path: Path | str, store: str, root: Path | str | None = None) -> None:
        self._path = Path(path).absolute()
        self._store = store
        self._root = Path(root).absolute() if root is not None else Path.cwd()

    def __str__(self) -> str:
        return f"KV store {self._store!r} of {self._path}"

    def close(self) -> None:
        """Does nothing; no file stays open."""

    def head(self, key: str) -> Head | None:
        """What there is under a key."""
        return self.read(key)

    def read(self, key: str) -> Item | None:
        """An item; None if there is none. Its version is a digest of the value."""
        entry = self._entries(self._path).get(key)
        if entry is None:
            return None
        if isinstance(entry.source, LocalFile) and not entry.source.path.exists():
            return None  # the manifest came first
        value = entry.read().body
        return Item(sha256(value).hexdigest(), None, None, value)

    def read_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The values of items by key, as far as they are there."""
        return {key: item.value for key in keys if (item := self.read(key)) is not None}

    def write(self, key: str, value: bytes, metadata: str | None, *, replaces: str | None = None) -> None:
        """Writes an item: see `Store.write`. Metadata are not kept."""
        del metadata
        asked = f"writing key {key!r} of {self}"
        try:
            with locked(self._path.parent):
                there = self.read(key)
                if replaces is not None and (ABSENT if there is None else there.version) != replaces:
                    raise Conflict(f"{asked}: somebody else has written it meanwhile")
                entry = self._entries(self._path).get(key)
                if entry is None:
                    self._add(key, value, asked)
                elif isinstance(entry.source, LocalFile):
                    replace_file(entry.source.path, value)
                else:
                    raise AdapterError(
                        f"{asked}: its data stand in the manifest itself; give it a file: "
                        f'{{ key = {json.dumps(key)}, file = "specs.json" }}'
                    )
        except OSError as error:
            raise AdapterError(f"{asked}: {error.strerror}") from None

    def write_many(self, items: Mapping[str, bytes]) -> None:
        """Writes items one after the other."""
        for key, value in items.items():
            self.write(key, value, None)

    def delete(self, key: str, *, version: str | None = None) -> None:
        """Does not: what stands in the manifest is the developer's."""
        del version
        raise AdapterError(f"deleting key {key!r} of {self}: the manifest is left as it is")

    def delete_many(self, keys: Iterable[str]) -> None:
        """Deletes items one after the other."""
        for key in keys:
            self.delete(key)

    def entries(self, prefix: str) -> Iterator[Listed]:
        """The items whose keys start with `prefix`."""
        for key in sorted(self._entries(self._path)):
            if key.startswith(prefix):
                yield Listed(key)

    def _entries(self, path: Path) -> dict[str, LocalEntry]:
        """What the manifest says about the items; none if there is no such file or store."""
        if not path.exists():
            return {}
        manifest = Manifest(path, root=self._root)
        return manifest.kv_entries(self._store) if self._store in manifest.kv_stores else {}

    def _add(self, key: str, value: bytes, asked: str) -> None:
        """Adds an item at the end of the manifest, and looks whether it can be read before it is in place."""
        file = self._path.with_name(f"{re.sub(r'[^A-Za-z0-9._-]', '_', key)}.json")
        shown = file.relative_to(self._root) if file.is_relative_to(self._root) else file
        name = self._store if _BARE.fullmatch(self._store) else json.dumps(self._store)
        lines = (
            f"[[local_server.kv_stores.{name}]]",
            f"key = {json.dumps(key)}",
            f"file = {json.dumps(shown.as_posix())}",
        )
        before = self._path.read_text("utf-8") if self._path.exists() else ""
        text = f"{before.rstrip()}\n\n" if before.strip() else ""
        text += "\n".join((*lines, ""))
        replace_file(file, value)
        trial = self._path.with_name(f".{self._path.name}.trial")
        try:
            trial.write_text(text, "utf-8")
            try:
                found = self._entries(trial)
            except AdapterError:
                found = {}
        finally:
            trial.unlink(missing_ok=True)
        if key not in found:
            raise AdapterError(
                f"{asked}: the manifest has the store in a form that nothing can be added to; add "
                f"{{ key = {json.dumps(key)}, file = {json.dumps(shown.as_posix())} }} to it yourself"
            )
        replace_file(self._path, text.encode())
