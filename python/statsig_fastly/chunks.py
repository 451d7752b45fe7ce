"""Values that lie in a store as chunks: a manifest under the key, and the chunks it names beside it.

In: a payload, plain or compressed. Out: a `Manifest` and the chunks by key; and from what a store has,
the payload again, or an `AdapterError`. A chunk is named by a digest of itself, so one that is there is
never overwritten with another, and what a manifest names is of one version or not there.

The format is described in docs/adapters.md.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from statsig_fastly.adapters.checks import check_count, check_text, key_problem
from statsig_fastly.errors import AdapterError
from statsig_fastly.store_limits import (
    CHUNKS_REMEDIES,
    CONFIG_ITEMS,
    CONFIG_KEY_CHARACTERS,
    CONFIG_VALUE_CHARACTERS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

__all__ = ["Encoding", "Manifest", "chunk_id", "split"]

Encoding = Literal["text", "base64", "bytes"]

MANIFEST_BYTES = 65_536
"""Largest manifest, in bytes. What is larger is not looked at."""

_ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)
_ENCODINGS_IN_WORDS = "'text', 'base64' or 'bytes'"
_FORMAT = "chunks/1"
_FORMATS = "chunks/"
_MARK = b'"statsig_fastly"'
_ID_CHARACTERS = 12
_IDS = re.compile(rf"(?:[A-Za-z0-9_-]{{{_ID_CHARACTERS}}})+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_KV_CHUNK_BYTES = 20_000_000
_WHOLE_QUARTERS = 3  # where a text may be cut: in the last quarter of what a chunk holds
_LANDMARK_CHARACTERS = 32
_LARGEST = 2**53  # the largest number that every JSON parser reads as it is
_LONG = 10**40
_BEING_REPLACED = "it is being written or being replaced; ask again later"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What lies under the key in place of the value.

    Attributes:
        size: Bytes of the value.
        sha256: Hex digest of the value.
        encoding: What the chunks joined are: `text` and `bytes`, the value itself, in a store of text
            or of bytes; `base64`, the value in base64.
        chunks: Ids of the chunks in their order. One id may be there several times.
    """

    size: int
    sha256: str
    encoding: Encoding
    chunks: tuple[str, ...]

    @classmethod
    def parse(cls, value: bytes, place: str) -> Self | None:
        """Reads a manifest.

        Args:
            value: What lies under the key.
            place: Where that is, for messages.

        Returns:
            The manifest, or None if the value is none.

        Raises:
            AdapterError: It is a manifest of another format, or one that says something impossible.
        """
        if len(value) > MANIFEST_BYTES or _MARK not in value:
            return None
        try:
            data = json.loads(value)
        except (ValueError, RecursionError):
            return None  # the parser of payloads says more about what is wrong
        if not isinstance(data, dict) or "statsig_fastly" not in data:
            return None
        form = data["statsig_fastly"]
        if form != _FORMAT:
            newer = isinstance(form, str) and form.startswith(_FORMATS)
            hint = "; a newer statsig-fastly may be able to read it" if newer else ""
            raise AdapterError(
                f"{place}: manifest field 'statsig_fastly': expected {_FORMAT!r}, got {_shown(form)}{hint}"
            )
        size, digest, encoding, ids = (data.get(name) for name in ("size", "sha256", "encoding", "chunks"))
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= _LARGEST:
            raise _field_error(place, "size", "a number of bytes above 0", size)
        if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            raise _field_error(place, "sha256", "64 lower-case hex digits", digest)
        if encoding not in _ENCODINGS:
            raise _field_error(place, "encoding", _ENCODINGS_IN_WORDS, encoding)
        if not isinstance(ids, str) or not _IDS.fullmatch(ids):
            raise _field_error(place, "chunks", f"ids of {_ID_CHARACTERS} characters each", ids)
        return cls(size, digest, encoding, _parts(ids))

    @property
    def value(self) -> bytes:
        """The manifest as it is stored."""
        fields = {
            "statsig_fastly": _FORMAT,
            "size": self.size,
            "sha256": self.sha256,
            "encoding": self.encoding,
            "chunks": "".join(self.chunks),
        }
        return json.dumps(fields, separators=(",", ":")).encode()

    @property
    def stored_size(self) -> int:
        """Bytes of all chunks joined, repeated ones counted as often as they are there."""
        return (self.size + 2) // 3 * 4 if self.encoding == "base64" else self.size

    def chunk_keys(self, key: str) -> dict[str, str]:
        """The key of every chunk, by its id; each is there once, in the order of the value.

        Args:
            key: The key of the manifest.
        """
        return {chunk: f"chunk.{key}.{chunk}" for chunk in self.chunks}

    def join(self, chunks: Mapping[str, bytes], place: str) -> bytes:
        """The value, if every chunk and the whole are what the manifest says.

        Args:
            chunks: The chunks as they are stored, by id.
            place: Where the manifest is, for messages.

        Raises:
            AdapterError: A chunk is missing or is another one, or together they are not the value.
                Asking later may help, as all of it may be being replaced.
        """
        known = dict.fromkeys(self.chunks)
        for number, chunk in enumerate(known, 1):
            nth = f"{place}: chunk {chunk} ({number} of {len(known)})"
            if chunk not in chunks:
                raise AdapterError(f"{nth} is missing: {_BEING_REPLACED}", retryable=True)
            if chunk_id(chunks[chunk]) != chunk:
                raise AdapterError(f"{nth} has another content: {_BEING_REPLACED}", retryable=True)
        # Before anything is joined: a few chunks named very often would take any amount of memory.
        stored = sum(len(chunks[chunk]) for chunk in self.chunks)
        value = b""
        if stored == self.stored_size:
            value = b"".join([chunks[chunk] for chunk in self.chunks])
            if self.encoding == "base64":
                value = _from_base64(value)
        if len(value) != self.size or _sha256(value) != self.sha256:
            raise AdapterError(
                f"{place}: the chunks are not the value that the manifest describes: {_BEING_REPLACED}",
                retryable=True,
            )
        return value


def chunk_id(chunk: bytes) -> str:
    """The id of a chunk: the first 12 characters of its SHA-256 in base64 for URLs."""
    from hashlib import sha256

    return base64.urlsafe_b64encode(sha256(chunk).digest())[:_ID_CHARACTERS].decode()


def split(
    value: bytes,
    key: str,
    *,
    store_type: Literal["kv", "config"] = "config",
    encoding: Encoding | None = None,
    chunk_size: int | None = None,
    most_chunks: int = CONFIG_ITEMS - 1,
) -> tuple[Manifest, dict[str, bytes]]:
    """Makes chunks of a value. Write the manifest after all of them, and delete old ones later.

    A text is cut where its content says so, as long as there is room for that: a change somewhere leaves
    the chunks before and after it as they are.

    Args:
        value: The value, plain or compressed.
        key: The key of the manifest.
        store_type: What it is for. A Config Store holds text in small items, a KV Store bytes in large ones.
        encoding: How it is stored. None: as it is where the store can hold that, else in base64.
        chunk_size: Most that a chunk holds, in characters of `text` and bytes of anything else. None: 8,000
            for a Config Store, 20,000,000 for a KV Store.
        most_chunks: How many chunks a Config Store has room for.

    Returns:
        The manifest, and the chunks by key. Those for a Config Store are UTF-8.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: The value is empty or too large, it cannot be stored as `encoding` says, or the key is
            no key or leaves no room for those of chunks.
    """
    if not isinstance(value, bytes):
        raise TypeError(f"value: expected bytes, got {type(value).__name__}")
    if not value:
        raise ValueError("value: expected bytes, got none")
    check_text("key", key)
    if store_type not in ("kv", "config"):  # a tuple: what comes may not be hashable
        raise ValueError(f"store_type: expected 'kv' or 'config', got {store_type!r}")
    if encoding not in (None, *_ENCODINGS):
        raise ValueError(f"encoding: expected {_ENCODINGS_IN_WORDS}, got {encoding!r}")
    check_count("most_chunks", most_chunks)
    size = _KV_CHUNK_BYTES if store_type == "kv" else CONFIG_VALUE_CHARACTERS
    if chunk_size is not None:
        size = check_count("chunk_size", chunk_size)
    text = _utf8(value)
    if encoding is None:
        encoding = "bytes" if store_type == "kv" else "base64" if text is None else "text"
    elif encoding == "text" and text is None:
        raise ValueError("encoding: 'text' takes a value in UTF-8, got other bytes; use 'base64'")
    elif encoding == "bytes" and store_type == "config":
        raise ValueError("encoding: 'bytes' is for KV Stores, a Config Store holds text; use 'base64'")
    if encoding == "text" and text is not None:
        pieces = [piece.encode() for piece in _text_pieces(text, size, most_chunks)]
    else:
        stored = base64.b64encode(value) if encoding == "base64" else value
        pieces = [stored[at : at + size] for at in range(0, len(stored), size)]

    ids = [chunk_id(piece) for piece in pieces]
    manifest = Manifest(len(value), _sha256(value), encoding, tuple(ids))
    keys = manifest.chunk_keys(key)
    if store_type == "kv":
        _check_kv(manifest, keys)
    else:
        _check_config(manifest, keys, key, most_chunks)
    return manifest, {keys[chunk]: piece for chunk, piece in zip(ids, pieces, strict=True)}


def _text_pieces(text: str, size: int, most: int) -> list[str]:
    """Cuts a text before what looks most like a landmark in reach: the same one after a change elsewhere."""
    from zlib import crc32

    pieces = []
    at = 0
    while at < len(text):
        end = at + size
        if end < len(text):
            in_reach = range(at + max(size * _WHOLE_QUARTERS // 4, 1), end + 1)
            end = max(in_reach, key=lambda cut: crc32(text[cut : cut + _LANDMARK_CHARACTERS].encode()))
        pieces.append(text[at:end])
        at = end
    if len(pieces) > most:
        return [text[at : at + size] for at in range(0, len(text), size)]
    return pieces


def _check_kv(manifest: Manifest, keys: Mapping[str, str]) -> None:
    longest = max(keys.values(), key=len)
    if problem := key_problem(longest):
        raise ValueError(f"key: the key of a chunk {problem}, got {longest[:100]!r}")
    if len(manifest.value) > MANIFEST_BYTES:
        raise ValueError(
            f"chunk_size: expected one for which a manifest of {MANIFEST_BYTES:,} bytes will do, got one "
            f"that makes {len(manifest.chunks):,} chunks"
        )


def _check_config(manifest: Manifest, keys: Mapping[str, str], key: str, most: int) -> None:
    room = CONFIG_KEY_CHARACTERS - (len(max(keys.values(), key=len)) - len(key))
    if len(key) > room:
        raise ValueError(
            f"key: expected at most {room} characters, as the keys of chunks are longer, got {len(key)}"
        )
    if len(keys) > most or len(manifest.value) > CONFIG_VALUE_CHARACTERS:
        taken = f"{manifest.size:,} bytes take {len(manifest.chunks):,} chunks"
        raise ValueError(f"value: {taken}, and there is room for {most:,}; {CHUNKS_REMEDIES}")


def _parts(ids: str) -> tuple[str, ...]:
    return tuple(ids[at : at + _ID_CHARACTERS] for at in range(0, len(ids), _ID_CHARACTERS))


def _utf8(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _from_base64(joined: bytes) -> bytes:
    try:
        return base64.b64decode(joined, validate=True)
    except binascii.Error:
        return b""


def _sha256(value: bytes) -> str:
    from hashlib import sha256

    return sha256(value).hexdigest()


def _field_error(place: str, field: str, expected: str, value: object) -> AdapterError:
    return AdapterError(f"{place}: manifest field {field!r}: expected {expected}, got {_shown(value)}")


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, int) and abs(value) >= _LONG:
        return "a very long number"
    return repr(value)[:80] if isinstance(value, str | int | float) else type(value).__name__
