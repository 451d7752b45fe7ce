"""Local stores as Fastly's development tools describe them in `fastly.toml`.

In: the path of a `fastly.toml`. Out: `LocalStores`, every item read into memory; or, through
`Manifest`, the items of one store. Whatever is wrong is an `AdapterError` that names the file, the
store, the key and the field.

The grammar is that of the local server behind `fastly compute serve`; fields it ignores are ignored.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from statsig_fastly.adapters.checks import key_problem, listed
from statsig_fastly.errors import AdapterError

if TYPE_CHECKING:
    import os

__all__ = ["LocalItem", "LocalStores", "Manifest", "load_local_stores"]

_KV_NAMES = ("kv_stores", "object_stores", "object_store")
_CONFIG_NAMES = ("config_stores", "dictionaries")
_MANIFEST_VERSION = 3
_METADATA_BYTES = 2000
_CONFIG_KEY_CHARACTERS = 256
_CONFIG_VALUE_CHARACTERS = 8000


@dataclass(frozen=True, slots=True)
class LocalItem:
    """One item of a local KV store.

    Attributes:
        body: The value.
        metadata: Its metadata; empty if there is none.
    """

    body: bytes = field(repr=False)
    metadata: str = ""


@dataclass(frozen=True, slots=True)
class LocalStores:
    """The stores of one `fastly.toml`.

    Attributes:
        kv_stores: Items by store name and key.
        config_stores: Values by store name and key.
    """

    kv_stores: dict[str, dict[str, LocalItem]]
    config_stores: dict[str, dict[str, str]]


def load_local_stores(
    path: str | os.PathLike[str], *, root: str | os.PathLike[str] | None = None
) -> LocalStores:
    """Reads every KV and config store that a `fastly.toml` describes.

    Args:
        path: The file.
        root: Where relative paths in it start. None means the working directory of the process,
            as in Fastly's local server, and not the directory of the file.

    Raises:
        AdapterError: A file cannot be read, or breaks a rule of the grammar.
    """
    manifest = Manifest(path, root=root)
    return LocalStores(
        {
            store: {key: entry.read() for key, entry in manifest.kv_entries(store).items()}
            for store in manifest.kv_stores
        },
        {store: manifest.config_entries(store) for store in manifest.config_stores},
    )


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file that a `fastly.toml` names.

    Attributes:
        path: Where it is looked for.
        beside: Where it would be if paths started at the directory of the `fastly.toml`.
    """

    path: Path
    beside: Path

    def read(self, place: str) -> bytes:
        """Reads it.

        Raises:
            AdapterError: It cannot be read; the message starts with `place`.
        """
        try:
            return self.path.read_bytes()
        except OSError as problem:
            reason = problem.strerror or type(problem).__name__
        hint = ""
        if not self.path.exists() and self.beside.is_file():
            # Fastly's tool behaves the same, and it surprises.
            hint = (
                f" (there is {self.beside.absolute()}: relative paths start at the working directory, "
                "or at root= if given)"
            )
        raise AdapterError(f"{place}: {self.path.absolute()}: {reason}{hint}")


@dataclass(frozen=True, slots=True)
class LocalEntry:
    """An item of a local KV store whose value may still lie in a file.

    Attributes:
        place: File, store and key, for messages.
        metadata: Its metadata; empty if there is none.
        source: The value, or the file that holds it.
    """

    place: str
    metadata: str
    source: bytes | LocalFile = field(repr=False)

    def read(self) -> LocalItem:
        """Reads the value.

        Raises:
            AdapterError: The file cannot be read.
        """
        if isinstance(self.source, bytes):
            return LocalItem(self.source, self.metadata)
        return LocalItem(self.source.read(f"{self.place}, field 'file'"), self.metadata)


class Manifest:
    """A parsed `fastly.toml`. Its stores are looked into when they are asked for.

    Args:
        path: The file.
        root: Where relative paths in it start; None means the working directory.

    Attributes:
        kv_stores: What the file says about each KV store, by name.
        config_stores: What the file says about each config store, by name.

    Raises:
        AdapterError: The file cannot be read, is not TOML, or its outer structure is wrong.
    """

    def __init__(self, path: str | os.PathLike[str], *, root: str | os.PathLike[str] | None = None) -> None:
        self._path = Path(path)
        self._root = Path.cwd() if root is None else Path(root)
        document = _toml(self._path)
        version = document.get("manifest_version")
        if version is not None and (
            isinstance(version, bool) or not isinstance(version, int) or not 0 <= version <= _MANIFEST_VERSION
        ):
            raise AdapterError(
                f"{self._path}: field 'manifest_version': expected a number up to {_MANIFEST_VERSION}, "
                f"got {_shown(version)}"
            )
        local = document.get("local_server", {})
        if not isinstance(local, dict):
            raise AdapterError(f"{self._path}: field 'local_server': expected a table, got {_kind(local)}")
        self._kv_name, self.kv_stores = self._section(local, _KV_NAMES)
        self._config_name, self.config_stores = self._section(local, _CONFIG_NAMES)

    def kv_entries(self, store: str) -> dict[str, LocalEntry]:
        """The items of one KV store, by key. If a key is there twice the last one counts.

        Args:
            store: A name out of `kv_stores`.

        Raises:
            AdapterError: The store breaks a rule of the grammar, or its file cannot be read.
        """
        place = f"{self._path}: {self._kv_name} store {store!r}"
        given = self.kv_stores[store]
        if isinstance(given, dict):
            return self._kv_file(place, given)
        if not isinstance(given, list):
            raise AdapterError(
                f"{place}: expected an array of items, or a table with 'file' and 'format', "
                f"got {_kind(given)}"
            )
        entries = {}
        for number, item in enumerate(given, 1):
            if not isinstance(item, dict):
                raise AdapterError(f"{place}, item {number}: expected a table, got {_kind(item)}")
            if "key" not in item:
                raise AdapterError(f"{place}, item {number}: the field 'key' is missing")
            key = _text(item["key"], f"{place}, item {number}, field 'key'")
            entries[key] = self._entry(f"{place}, key {key!r}", key, item, ("file", "path"))
        return entries

    def config_entries(self, store: str) -> dict[str, str]:
        """The values of one config store, by key.

        Args:
            store: A name out of `config_stores`.

        Raises:
            AdapterError: The store breaks a rule of the grammar, or its file cannot be read.
        """
        place = f"{self._path}: {self._config_name} store {store!r}"
        given = self.config_stores[store]
        if not isinstance(given, dict):
            raise AdapterError(f"{place}: expected a table, got {_kind(given)}")
        if "format" not in given:
            raise AdapterError(f"{place}: the field 'format' is missing; expected 'inline-toml' or 'json'")
        form = _text(given["format"], f"{place}, field 'format'")
        if form not in {"inline-toml", "json"}:
            raise AdapterError(f"{place}, field 'format': expected 'inline-toml' or 'json', got {form!r}")
        wanted = "contents" if form == "inline-toml" else "file"
        if wanted not in given:
            raise AdapterError(f"{place}: the field {wanted!r} is missing; format {form!r} needs it")
        if unknown := given.keys() - {"format", wanted}:
            raise AdapterError(
                f"{place}: expected only 'format' and {wanted!r}, got also {listed(sorted(unknown))}"
            )
        contents = given[wanted]
        if wanted == "file":
            file = self._file(contents, f"{place}, field 'file'")
            contents = _json_object(file, f"{place}, field 'file'")
            place = f"{place}, file {file.path}"
        elif not isinstance(contents, dict):
            raise AdapterError(f"{place}, field 'contents': expected a table, got {_kind(contents)}")
        return {
            key: _config_value(f"{place}, key {key[:80]!r}", key, value) for key, value in contents.items()
        }

    def _section(self, local: dict[str, object], names: tuple[str, ...]) -> tuple[str, dict[str, object]]:
        used = [name for name in names if name in local]
        if len(used) > 1:
            raise AdapterError(
                f"{self._path}: local_server has {' and '.join(repr(name) for name in used)}, which are "
                "names for the same thing; use one"
            )
        name = used[0] if used else names[0]
        section = local.get(name, {})
        if not isinstance(section, dict):
            raise AdapterError(
                f"{self._path}: field 'local_server.{name}': expected a table of stores, got {_kind(section)}"
            )
        return f"local_server.{name}", section

    def _kv_file(self, place: str, given: dict[str, object]) -> dict[str, LocalEntry]:
        missing = {"file", "format"} - given.keys()
        if missing:
            raise AdapterError(
                f"{place}: expected an array of items, or a table with both 'file' and 'format', got a table "
                f"without {listed(sorted(missing))}"
            )
        file = self._file(given["file"], f"{place}, field 'file'")
        form = _text(given["format"], f"{place}, field 'format'")
        if form != "json":
            raise AdapterError(f"{place}, field 'format': expected 'json', got {form!r}")
        entries = {}
        for key, item in _json_object(file, f"{place}, field 'file'").items():
            where = f"{place}, file {file.path}, key {key!r}"
            if isinstance(item, str):
                item = {"data": item}  # noqa: PLW2901  # the short spelling of the same thing
            if not isinstance(item, dict):
                raise AdapterError(f"{where}: expected a string or an object, got {_kind(item)}")
            entries[key] = self._entry(where, key, item, ("file",))
        return entries

    def _entry(
        self, place: str, key: str, item: dict[str, object], file_names: tuple[str, ...]
    ) -> LocalEntry:
        if problem := key_problem(key, local=True):
            raise AdapterError(f"{place[:1000]}: a key {problem}")
        file_name = next((name for name in file_names if name in item), None)
        if (file_name is None) == ("data" not in item):
            both = "both" if file_name else "neither"
            raise AdapterError(f"{place}: expected exactly one of 'data' and 'file', got {both}")
        metadata = _text(item.get("metadata", ""), f"{place}, field 'metadata'")
        if problem := _metadata_problem(metadata):
            raise AdapterError(f"{place}, field 'metadata': {problem}")
        source: bytes | LocalFile
        if file_name is None:
            source = _encoded(_text(item["data"], f"{place}, field 'data'"), f"{place}, field 'data'")
        else:
            source = self._file(item[file_name], f"{place}, field {file_name!r}")
        return LocalEntry(place, metadata, source)

    def _file(self, given: object, place: str) -> LocalFile:
        name = _text(given, place)
        if not name or "\0" in name:
            raise AdapterError(f"{place}: expected the path of a file, got {name!r}")
        return LocalFile(self._root / name, self._path.parent / name)


def _toml(path: Path) -> dict[str, object]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        return tomllib.loads(path.read_bytes().decode())
    except OSError as problem:
        raise AdapterError(f"{path.absolute()}: {problem.strerror or type(problem).__name__}") from None
    except UnicodeDecodeError as problem:
        raise AdapterError(f"{path}: expected UTF-8, got another byte at offset {problem.start}") from None
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise AdapterError(f"{path}: expected TOML: {problem}") from None


def _json_object(file: LocalFile, place: str) -> dict[str, object]:
    body = file.read(place)
    try:
        data = json.loads(body.decode())
    except (ValueError, RecursionError) as problem:
        raise AdapterError(f"{place}: expected a JSON object in {file.path}: {problem}") from None
    if not isinstance(data, dict):
        raise AdapterError(f"{place}: expected a JSON object in {file.path}, got {_kind(data)}")
    return data


def _config_value(place: str, key: str, value: object) -> str:
    text = _text(value, place)
    if len(key) > _CONFIG_KEY_CHARACTERS:
        raise AdapterError(
            f"{place}: expected a key of at most {_CONFIG_KEY_CHARACTERS} characters, got {len(key)}"
        )
    if len(text) > _CONFIG_VALUE_CHARACTERS:
        raise AdapterError(
            f"{place}: expected a value of at most {_CONFIG_VALUE_CHARACTERS} characters, got {len(text)}; "
            "a KV store takes larger ones"
        )
    return text


def _metadata_problem(metadata: str) -> str | None:
    size = len(metadata.encode("utf-8", "surrogatepass"))
    if size > _METADATA_BYTES:
        return f"expected at most {_METADATA_BYTES} bytes, got {size}"
    if any(letter in metadata for letter in "\r\n\0"):
        return "expected text without line breaks, got one with"
    return None


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise AdapterError(f"{place}: expected a string, got {_kind(value)}")
    return value


def _encoded(text: str, place: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as problem:
        raise AdapterError(
            f"{place}: expected valid Unicode, got half a surrogate pair at position {problem.start}"
        ) from None


def _kind(value: object) -> str:
    """What TOML and JSON call the type of `value`."""
    kinds = {
        "dict": "a table",
        "list": "an array",
        "str": "a string",
        "bool": "a boolean",
        "int": "a number",
        "float": "a number",
        "NoneType": "null",
    }
    return kinds.get(type(value).__name__, f"a {type(value).__name__}")


def _shown(value: object) -> str:
    return repr(value)[:40] if isinstance(value, int | float | str) else _kind(value)
