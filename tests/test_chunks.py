"""The chunked form: what is split comes back, and nothing that was tampered with does."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
from typing import Any, Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from small_project import payload
from statsig_fastly.chunks import Encoding, Manifest, chunk_id, split
from statsig_fastly.errors import AdapterError

KEY = "statsig-1a2b3c"
PLACE = f"reading key '{KEY}'"
VALUES = st.one_of(
    st.binary(min_size=1, max_size=3000),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=1500).map(str.encode),
    st.text("ab", min_size=1, max_size=3000).map(str.encode),
)


def stored(value: bytes, size: int, encoding: Encoding | None = None) -> tuple[Manifest, dict[str, bytes]]:
    """A value in chunks, by key, small enough for there to be several."""
    store_type: Literal["kv", "config"] = "kv" if encoding == "bytes" else "config"
    return split(value, KEY, store_type=store_type, encoding=encoding, chunk_size=size, most_chunks=5000)


def joined(manifest_value: bytes, items: dict[str, bytes]) -> bytes | None:
    """What a reader makes of what lies in a store; None if it sees no manifest."""
    manifest = Manifest.parse(manifest_value, PLACE)
    if manifest is None:
        return None
    keys = manifest.chunk_keys(KEY).items()
    return manifest.join({chunk: items[key] for chunk, key in keys if key in items}, PLACE)


def encodings_of(value: bytes) -> list[Encoding]:
    try:
        value.decode()
    except UnicodeDecodeError:
        return ["base64", "bytes"]
    return ["text", "base64", "bytes"]


# Round trips


@given(data=st.data(), value=VALUES, size=st.integers(16, 400))
def test_what_is_split_comes_back(data: st.DataObject, value: bytes, size: int) -> None:
    encoding = data.draw(st.sampled_from(encodings_of(value)))
    # A manifest for a Config Store holds no more chunks than fit into one of its values.
    assume(encoding == "bytes" or len(value) / size < 200)
    manifest, chunks = stored(value, size, encoding)
    assert joined(manifest.value, chunks) == value
    assert manifest.encoding == encoding
    assert sum(len(chunks[manifest.chunk_keys(KEY)[chunk]]) for chunk in manifest.chunks) == (
        manifest.stored_size
    )
    for key, chunk in chunks.items():
        assert key == f"chunk.{KEY}.{chunk_id(chunk)}"
        assert 0 < len(chunk if encoding == "bytes" else chunk.decode()) <= size


@given(value=VALUES, size=st.integers(16, 400))
def test_a_manifest_comes_back(value: bytes, size: int) -> None:
    assume(len(value) / size < 200)
    manifest, _ = stored(value, size)
    assert Manifest.parse(manifest.value, PLACE) == manifest
    assert len(manifest.value) <= 8000
    assert (manifest.size, manifest.sha256) == (len(value), hashlib.sha256(value).hexdigest())


def test_the_format_is_the_documented_one() -> None:
    manifest, chunks = stored(b'{"a":1}{"a":1}!', 7, "bytes")
    one = base64.urlsafe_b64encode(hashlib.sha256(b'{"a":1}').digest())[:12].decode()
    other = base64.urlsafe_b64encode(hashlib.sha256(b"!").digest())[:12].decode()
    # What is there twice is stored once.
    assert chunks == {f"chunk.{KEY}.{one}": b'{"a":1}', f"chunk.{KEY}.{other}": b"!"}
    assert json.loads(manifest.value) == {
        "statsig_fastly": "chunks/1",
        "size": 15,
        "sha256": hashlib.sha256(b'{"a":1}{"a":1}!').hexdigest(),
        "encoding": "bytes",
        "chunks": one + one + other,
    }


def test_what_a_store_holds_decides_how_chunks_are_written() -> None:
    assert stored(b"text", 10)[0].encoding == "text"
    assert stored(b"\xff\x00", 10)[0].encoding == "base64"
    assert split(b"text", KEY, store_type="kv")[0].encoding == "bytes"


def test_a_config_store_that_is_full_of_chunks() -> None:
    values = random.Random(5)
    value = "".join(values.choices("0123456789abcdef\N{SNOWMAN}", k=499 * 800)).encode()
    manifest, chunks = split(value, KEY, chunk_size=800)
    assert len(chunks) == len(manifest.chunks) == 499
    assert max(len(chunk.decode()) for chunk in chunks.values()) == 800
    assert len(manifest.value) <= 8000
    assert joined(manifest.value, chunks) == value
    with pytest.raises(ValueError, match=r"take 500 chunks, and there is room for 499; .*use a KV Store"):
        split(value + b"x", KEY, chunk_size=800)
    compressed = values.randbytes(499 * 6000)
    manifest, chunks = split(compressed, KEY)
    assert {len(chunk) for chunk in chunks.values()} == {8000}
    assert len(chunks) == 499
    assert joined(manifest.value, chunks) == compressed
    with pytest.raises(ValueError, match="take 500 chunks"):
        split(compressed + b"x", KEY)


def test_a_change_leaves_most_chunks_as_they_are() -> None:
    values = random.Random(7)
    text = json.dumps([{"name": f"g{number}", "salt": values.random()} for number in range(3000)])
    _, before = split(text.encode(), KEY, chunk_size=2000)
    assert len(before) > 70
    new = 0
    for _ in range(20):
        start = values.randrange(len(text))
        changed = text[:start] + "x" * values.randrange(300) + text[start + values.randrange(300) :]
        _, after = split(changed.encode(), KEY, chunk_size=2000)
        new += len(after.keys() - before.keys())
    assert new <= 20 * 8  # where chunks were cut at fixed places it would be some 700


# Corruption


@given(data=st.data(), value=VALUES, size=st.integers(16, 400))
def test_no_change_to_a_chunk_goes_unnoticed(data: st.DataObject, value: bytes, size: int) -> None:
    assume(len(value) / size < 200)
    manifest, chunks = stored(value, size, data.draw(st.sampled_from(encodings_of(value))))
    key = data.draw(st.sampled_from(sorted(chunks)))
    other = data.draw(st.sampled_from(sorted(chunks.values())) | st.binary(max_size=50))
    assume(other != chunks[key])
    for damaged in ({**chunks, key: other}, {k: v for k, v in chunks.items() if k != key}):
        with pytest.raises(AdapterError) as caught:
            joined(manifest.value, damaged)
        assert caught.value.retryable
        said = "is missing" if key not in damaged else "has another content"
        assert said in str(caught.value)
        assert str(caught.value).startswith(f"{PLACE}: chunk ")
        assert str(caught.value).endswith("it is being written or being replaced; ask again later")


@given(data=st.data(), value=VALUES)
def test_no_change_to_a_manifest_goes_unnoticed(data: st.DataObject, value: bytes) -> None:
    manifest, chunks = stored(value, 400, data.draw(st.sampled_from(encodings_of(value))))
    damaged = bytearray(manifest.value)
    at = data.draw(st.integers(0, len(damaged) - 1))
    damaged[at] ^= data.draw(st.integers(1, 255))
    try:
        found = joined(bytes(damaged), chunks)
    except AdapterError:
        return
    # It is no manifest any more, and no config specs either; or the change was none, as to a blank.
    assert found in (None, value)


@given(data=st.data(), values=st.lists(VALUES, min_size=2, max_size=2, unique=True))
def test_two_versions_are_never_mixed(data: st.DataObject, values: list[bytes]) -> None:
    (old, old_chunks), (new, new_chunks) = (stored(value, 400) for value in values)
    left = data.draw(st.sets(st.sampled_from(sorted(old_chunks))))
    store = {**{key: old_chunks[key] for key in left}, **new_chunks}
    assert joined(new.value, store) == values[1]
    if old_chunks.keys() <= store.keys():
        assert joined(old.value, store) == values[0]
    else:
        with pytest.raises(AdapterError, match="is missing") as caught:
            joined(old.value, store)
        assert caught.value.retryable
    reordered = Manifest(new.size, new.sha256, new.encoding, tuple(reversed(new.chunks)))
    if reordered != new and reordered.chunks[0] != reordered.chunks[-1]:
        with pytest.raises(AdapterError, match="the chunks are not the value that the manifest describes"):
            joined(reordered.value, new_chunks)


def test_a_digest_of_something_else() -> None:
    manifest, chunks = stored(payload(), 500, "text")
    ids, size = manifest.chunks, manifest.size
    for wrong in (
        Manifest(size, hashlib.sha256(b"").hexdigest(), "text", ids),
        Manifest(size + 1, manifest.sha256, "text", ids),
        Manifest(size, manifest.sha256, "text", ids[:-1]),
        Manifest(size, manifest.sha256, "base64", ids),
        Manifest(size, manifest.sha256, "text", ids + ids),
    ):
        with pytest.raises(AdapterError, match="not the value that the manifest describes") as caught:
            joined(wrong.value, chunks)
        assert caught.value.retryable


def test_a_manifest_that_names_one_chunk_ever_so_often_takes_no_memory() -> None:
    chunk = b"x" * 25_000_000
    one = chunk_id(chunk)
    bomb = Manifest(len(chunk) * 5000, "0" * 64, "bytes", (one,) * 5000)
    small = Manifest(5, "0" * 64, "bytes", (one,) * 5000)
    assert bomb.size == 125_000_000_000
    with pytest.raises(AdapterError, match="not the value"):
        small.join({one: chunk}, PLACE)


# Manifests that are none


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{}",
        payload(),
        b'{"name":"statsig_fastly"}',
        b'["statsig_fastly"]',
        b'{"statsig_fastly":"chunks/1"',
        b'{"statsig_fastly":"chunks/1"}' + b" " * 65_536,
        b'{"statsig_fastly":' + b"[" * 50_000,
        b'\xff{"statsig_fastly":"chunks/1"}',
    ],
)
def test_what_is_no_manifest(value: bytes) -> None:
    assert Manifest.parse(value, PLACE) is None


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (
            {"statsig_fastly": "chunks/2"},
            "'statsig_fastly': expected 'chunks/1', got 'chunks/2'; a newer statsig-fastly may",
        ),
        ({"statsig_fastly": 1}, "'statsig_fastly': expected 'chunks/1', got 1"),
        ({"statsig_fastly": None}, "'statsig_fastly': expected 'chunks/1', got nothing"),
        ({"size": 0}, "'size': expected a number of bytes above 0, got 0"),
        ({"size": -1}, "'size': expected a number of bytes above 0, got -1"),
        ({"size": True}, "'size': expected a number of bytes above 0, got True"),
        ({"size": 10.0}, "'size': expected a number of bytes above 0, got 10.0"),
        ({"size": 10**4000}, "'size': expected a number of bytes above 0, got a very long number"),
        ({"size": None}, "'size': expected a number of bytes above 0, got nothing"),
        ({"sha256": "a" * 63}, "'sha256': expected 64 lower-case hex digits, got 'aaa"),
        ({"sha256": "A" * 64}, "'sha256': expected 64 lower-case hex digits, got 'AAA"),
        ({"sha256": "a" * 64 + "\n"}, "'sha256': expected 64 lower-case hex digits, got 'aaa"),
        ({"sha256": 5}, "'sha256': expected 64 lower-case hex digits, got 5"),
        ({"encoding": "gzip"}, "'encoding': expected 'text', 'base64' or 'bytes', got 'gzip'"),
        ({"encoding": ["text"]}, "'encoding': expected 'text', 'base64' or 'bytes', got list"),
        ({"chunks": ""}, "'chunks': expected ids of 12 characters each, got ''"),
        ({"chunks": "a" * 13}, "'chunks': expected ids of 12 characters each, got 'aaa"),
        ({"chunks": "aaaaaaaaaaa/"}, "'chunks': expected ids of 12 characters each, got 'aaa"),
        ({"chunks": "aaaaaaaaaaa\n"}, "'chunks': expected ids of 12 characters each, got 'aaa"),
        ({"chunks": ["a" * 12]}, "'chunks': expected ids of 12 characters each, got list"),
    ],
)
def test_a_manifest_with_a_mistake(fields: dict[str, Any], says: str) -> None:
    manifest, _ = stored(payload(), 500)
    value = json.dumps({**json.loads(manifest.value), **fields}).encode()
    with pytest.raises(AdapterError) as caught:
        Manifest.parse(value, PLACE)
    assert not caught.value.retryable
    assert str(caught.value).startswith(f"{PLACE}: manifest field {says}")
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("field", ["size", "sha256", "encoding", "chunks"])
def test_a_manifest_without_a_field(field: str) -> None:
    manifest, _ = stored(payload(), 500)
    fields = json.loads(manifest.value)
    del fields[field]
    with pytest.raises(AdapterError, match=f"manifest field '{field}': expected .*, got nothing$"):
        Manifest.parse(json.dumps(fields).encode(), PLACE)


def test_fields_of_later_versions_and_blanks_are_fine() -> None:
    manifest, _ = stored(payload(), 500)
    value = json.dumps({"more": [1], **json.loads(manifest.value)}, indent=2).encode()
    assert Manifest.parse(value, PLACE) == manifest


# Arguments


@pytest.mark.parametrize(
    ("value", "key", "arguments", "says"),
    [
        (b"", KEY, {}, "value: expected bytes, got none"),
        (b"\xff", KEY, {"encoding": "text"}, "encoding: 'text' takes a value in UTF-8, got other bytes"),
        (b"x", KEY, {"encoding": "bytes"}, "encoding: 'bytes' is for KV Stores"),
        (
            b"x",
            "k" * 237,
            {},
            "key: expected at most 236 characters, as the keys of chunks are longer, got 237",
        ),
        (b"x", "k" * 1006, {"store_type": "kv"}, "key: the key of a chunk must have 1 to 1024 bytes"),
        (b"x", "a|b", {"store_type": "kv"}, "key: the key of a chunk must not contain '|'"),
        (
            bytes(range(256)) * 300,
            KEY,
            {"store_type": "kv", "chunk_size": 10},
            "chunk_size: expected one for which a manifest of 65,536 bytes will do, got one that makes 7,680",
        ),
        (b"abcdef" * 10, KEY, {"chunk_size": 7, "most_chunks": 5}, "value: 60 bytes take 9 chunks"),
        (b"x" * 700_000, KEY, {"chunk_size": 1000}, "value: 700,000 bytes take 700 chunks"),
        (b"x", KEY, {"store_type": "KV"}, "store_type: expected 'kv' or 'config', got 'KV'"),
        (b"x", KEY, {"encoding": "utf-8"}, "encoding: expected 'text', 'base64' or 'bytes', got 'utf-8'"),
        (b"x", KEY, {"chunk_size": 0}, "chunk_size: expected a number above 0, got 0"),
        (b"x", KEY, {"most_chunks": -1}, "most_chunks: expected a number above 0, got -1"),
        (b"x", "", {}, "key: expected text, got ''"),
    ],
)
def test_what_cannot_be_split(value: bytes, key: str, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(says)}"):
        split(value, key, **arguments)


@pytest.mark.parametrize(
    ("value", "key", "arguments", "says"),
    [
        ("x", KEY, {}, "value: expected bytes, got str"),
        (b"x", 5, {}, "key: expected str, got int"),
        (b"x", KEY, {"chunk_size": "8000"}, "chunk_size: expected int, got str"),
        (b"x", KEY, {"most_chunks": 5.0}, "most_chunks: expected int, got float"),
    ],
)
def test_arguments_of_other_types(value: Any, key: Any, arguments: dict[str, Any], says: str) -> None:  # noqa: ANN401
    with pytest.raises(TypeError, match=f"^{re.escape(says)}$"):
        split(value, key, **arguments)


def test_the_longest_keys() -> None:
    _, chunks = split(b"x", "k" * 236)
    assert {len(key) for key in chunks} == {255}
    _, chunks = split(b"x", "k" * 1005, store_type="kv")
    assert {len(key) for key in chunks} == {1024}
