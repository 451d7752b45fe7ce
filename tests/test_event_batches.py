"""Bodies of requests: what is in them, how they are halved, and how damage is noticed."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statsig_fastly.events.batches import Batch, encoded, halves, is_gzip, is_whole

METADATA = {"sdkType": "x", "text": 'é"],['}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
EVENTS = st.lists(st.dictionaries(st.text(), VALUES, max_size=3), min_size=1, max_size=12)


def plain(body: bytes) -> bytes:
    return gzip.decompress(body) if is_gzip(body) else body


def batch_of(events: list[Any], *, compress: bool) -> Batch:
    text = ",".join(json.dumps(event, separators=(",", ":")) for event in events).encode()
    pieces = [text[at : at + 7] for at in range(0, len(text), 7)]
    return Batch(encoded(pieces, METADATA, compress=compress), len(events), 5, retries=2)


@given(EVENTS, st.booleans())
def test_a_body_is_the_events_and_the_metadata(events: list[Any], compress: bool) -> None:
    body = batch_of(events, compress=compress).body
    assert is_gzip(body) == compress
    assert json.loads(plain(body)) == {"events": events, "statsigMetadata": METADATA}
    assert is_whole(body)


@given(EVENTS, st.booleans())
def test_halves_hold_the_same_bytes_between_them(events: list[Any], compress: bool) -> None:
    batch = batch_of(events, compress=compress)
    parts = halves(batch)
    if len(events) == 1:
        assert parts is None
        return
    assert parts is not None
    assert [part.count for part in parts] == [len(events) // 2, len(events) - len(events) // 2]
    assert [(part.created_ms, part.retries, is_gzip(part.body)) for part in parts] == [(5, 2, compress)] * 2
    head, tail = b'{"events":[', plain(batch.body)[plain(batch.body).rindex(b'],"statsigMetadata"') :]
    inner = [plain(part.body).removeprefix(head).removesuffix(tail) for part in parts]
    assert head + b",".join(inner) + tail == plain(batch.body)
    assert all(is_whole(part.body) for part in parts)


@pytest.mark.parametrize(
    "body", [b'{"events":[{"a":1},{"b":', b'{"events":[', b'{"events":[1 2]}', b'{"events":[]}']
)
def test_what_is_no_batch_cannot_be_halved(body: bytes) -> None:
    assert halves(Batch(body, 2, 0)) is None
    assert halves(Batch(gzip.compress(body), 2, 0)) is None


@given(st.data())
def test_damage_to_a_compressed_body_is_noticed(data: st.DataObject) -> None:
    body = batch_of([{"eventName": f"event-{number}"} for number in range(40)], compress=True).body
    cut = data.draw(st.integers(0, len(body) - 1))
    assert not is_whole(body[:cut])
    assert not is_whole(body + b"\0")
    # The head of a gzip file has bytes that mean nothing.
    at = data.draw(st.integers(10, len(body) - 1))
    damaged = body[:at] + bytes([body[at] ^ (1 << data.draw(st.integers(0, 7)))]) + body[at + 1 :]
    # The bits between the end of the compressed text and the next byte mean nothing either.
    assert not is_whole(damaged) or gzip.decompress(damaged) == gzip.decompress(body)
