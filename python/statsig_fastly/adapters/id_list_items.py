"""How ID lists lie in a store, beside the config specs: an index under one key, and a list under each other.

In: lists, for whoever writes them, or an index, for whoever reads it. Out: items by key, or the
`IdListFile`s of the index. A list's key has a digest of the item in it, so an item never changes, and what an
index names is of one version or not there.

The form is described in docs/id-lists.md.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from statsig_fastly.adapters import IdListFile
from statsig_fastly.adapters.checks import check_text, key_problem

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "IdListContent",
    "IdListIndex",
    "check_id_list_key",
    "id_list_items",
    "index_key",
    "item_digest",
]

_FORM = "id-lists/1"
_FORMS = "id-lists/"
_DIGEST_CHARACTERS = 12
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LARGEST = 2**53  # the largest number that every JSON parser reads as it is


@dataclass(frozen=True, slots=True)
class IdListContent:
    """A list to be written to a store.

    Attributes:
        lines: What its file says: lines of `+` or `-` and the first eight characters of the base64 of the
            SHA-256 of a unit id.
        file_id: What the file is called. Another one where lines were not only added at the end.
        created_ms: When the file was begun, in ms since the epoch. Not lower for a later file.
    """

    lines: bytes = field(repr=False)
    file_id: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class IdListIndex:
    """What an index says.

    Attributes:
        time_ms: When it was written, in ms since the epoch.
        files: The lists. The location of each is a key.
    """

    time_ms: int
    files: tuple[IdListFile, ...]

    @classmethod
    def parse(cls, value: bytes) -> IdListIndex:
        """Reads an index.

        Raises:
            ValueError: It is none, or of a version that is not known. The message says what is wrong where.
        """
        try:
            index: object = json.loads(value.decode())
        except (ValueError, RecursionError):
            raise ValueError("expected an index of ID lists, got no JSON") from None
        form = index.get("statsig_fastly") if isinstance(index, dict) else None
        if not isinstance(index, dict) or not isinstance(form, str) or not form.startswith(_FORMS):
            raise ValueError(f'expected an index of ID lists, with "statsig_fastly": "{_FORM}" in it')
        if form != _FORM:
            shown = form[:40]
            raise ValueError(f"the index is in the form {shown!r}, which a newer statsig-fastly can read")
        lists = index.get("lists")
        if not isinstance(lists, dict):
            raise _odd("the index: field `lists`", "an object", lists)
        files = tuple(_file(name, entry) for name, entry in lists.items())
        return cls(_number(index, "time", "the index"), files)


def index_key(config_spec_key: str) -> str:
    """Under which key the index lies."""
    return f"id_lists.{config_spec_key}"


def item_digest(item: bytes) -> str:
    """What the key of a list's item ends in: the start of the base64url of its SHA-256."""
    from hashlib import sha256

    return base64.urlsafe_b64encode(sha256(item).digest())[:_DIGEST_CHARACTERS].decode()


def id_list_items(
    config_spec_key: str, lists: Mapping[str, IdListContent], *, time_ms: int, compress: bool = False
) -> dict[str, bytes]:
    """What to write to a store for these lists.

    Args:
        config_spec_key: Key of the config specs that the lists belong to.
        lists: The lists by name: all there are, because others are dropped by those who read.
        time_ms: When that is, in ms since the epoch; higher than in the index that this one replaces.
        compress: True if lists are to be compressed with gzip.

    Returns:
        Items by key, in the order they are to be written: the index is the last. An item that is there
        already need not be written again. Those that no index names any more may be removed once nobody
        reads the index before any longer.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: `config_spec_key` makes no keys; the lines of a list are none; a number is out of range.
    """
    check_id_list_key(config_spec_key)
    items = {}
    entries = {}
    for name, content in lists.items():
        item = _item(name, content, compress=compress)
        key = f"id_list.{config_spec_key}.{item_digest(item)}"
        items[key] = item
        entries[name] = _entry(content, key)
    index = {"statsig_fastly": _FORM, "time": time_ms, "lists": entries}
    value = json.dumps(index, ensure_ascii=False, separators=(",", ":")).encode()
    IdListIndex.parse(value)  # what cannot be read must not be written
    return {**items, index_key(config_spec_key): value}


def check_id_list_key(config_spec_key: object) -> str:
    """Returns `config_spec_key` if the keys of ID lists can be made of it.

    Raises:
        TypeError: It is not a `str`.
        ValueError: It is empty, too long, or has a character that no key may have.
    """
    key = check_text("config_spec_key", config_spec_key)
    longest = f"id_list.{key}.{'A' * _DIGEST_CHARACTERS}"
    if problem := key_problem(longest):
        raise ValueError(f"config_spec_key: {problem} with what is added to it, got {key[:100]!r}")
    return key


def _item(name: str, content: IdListContent, *, compress: bool) -> bytes:
    if content.lines and not (content.lines.startswith((b"+", b"-")) and content.lines.isascii()):
        raise ValueError(f"list {name[:80]!r}: expected ASCII lines of '+' or '-' and a hash")
    if not compress:
        return content.lines
    import gzip

    return gzip.compress(content.lines, mtime=0)


def _entry(content: IdListContent, key: str) -> dict[str, Any]:
    from hashlib import sha256

    return {
        "fileID": content.file_id,
        "creationTime": content.created_ms,
        "size": len(content.lines),
        "sha256": sha256(content.lines).hexdigest(),
        "key": key,
    }


def _file(name: str, entry: object) -> IdListFile:
    place = f"list {name[:80]!r}"
    if not isinstance(entry, dict):
        raise _odd(place, "an object", entry)
    size, created = _number(entry, "size", place), _number(entry, "creationTime", place)
    file_id, key, digest = (_text(entry, field, place) for field in ("fileID", "key", "sha256"))
    if not _SHA256.fullmatch(digest):
        raise ValueError(f"{place}: field `sha256`: expected 64 hex digits, got {digest[:80]!r}")
    if problem := key_problem(key):
        raise ValueError(f"{place}: field `key`: {problem}, got {key[:80]!r}")
    return IdListFile(name, file_id, created, size, key, digest)


def _number(entry: dict[str, Any], name: str, place: str) -> int:
    value: object = entry.get(name)
    if type(value) is not int:
        raise _odd(f"{place}: field `{name}`", "an integer", value)
    if not 0 <= value <= _LARGEST:
        raise ValueError(f"{place}: field `{name}`: expected a number from 0 to 2^53, got {str(value)[:40]}")
    return value


def _text(entry: dict[str, Any], name: str, place: str) -> str:
    value: object = entry.get(name)
    if not isinstance(value, str):
        raise _odd(f"{place}: field `{name}`", "a string", value)
    return value


def _odd(place: str, expected: str, value: object) -> ValueError:
    return ValueError(f"{place}: expected {expected}, got {type(value).__name__}")
