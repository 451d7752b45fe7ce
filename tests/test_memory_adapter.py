from __future__ import annotations

import json
from collections import OrderedDict
from types import MappingProxyType

import pytest

from statsig_fastly.adapters import Payload, SpecAdapter
from statsig_fastly.adapters.memory import MemoryAdapter

SPECS = b'{"time":1,"name":"\xc3\xbc"}'


def fetched(adapter: MemoryAdapter, held_version: str | None = None) -> Payload:
    payload = adapter.fetch(held_version)
    assert payload is not None
    return payload


def test_it_is_an_adapter() -> None:
    adapter = MemoryAdapter(SPECS)
    assert isinstance(adapter, SpecAdapter)
    assert adapter.name == "Memory"
    assert MemoryAdapter(SPECS, name="Bootstrap").name == "Bootstrap"
    assert (adapter.identity, MemoryAdapter(SPECS, name="Bootstrap").identity) == (
        "Memory Memory",
        "Memory Bootstrap",
    )
    assert repr(adapter) == f"MemoryAdapter(name='Memory', {len(SPECS)} bytes)"
    adapter.close()
    adapter.close()
    assert adapter.fetch() is not None


@pytest.mark.parametrize(
    "payload",
    [SPECS, SPECS.decode(), {"time": 1, "name": "ü"}, MappingProxyType(OrderedDict(time=1, name="ü"))],
)
def test_bytes_text_and_mappings_are_the_same_payload(payload: bytes | str | dict[str, object]) -> None:
    assert fetched(MemoryAdapter(payload)) == fetched(MemoryAdapter(SPECS))
    assert fetched(MemoryAdapter(payload)).body == SPECS


def test_mappings_inside_mappings() -> None:
    inner = MappingProxyType({"b": [MappingProxyType({"c": None})]})
    assert json.loads(fetched(MemoryAdapter({"a": inner})).body) == {"a": {"b": [{"c": None}]}}


def test_what_is_held_is_not_handed_out_again() -> None:
    adapter = MemoryAdapter(SPECS)
    payload = fetched(adapter)
    assert adapter.fetch(payload.version) is None
    assert fetched(adapter, "another") == payload
    assert payload.metadata is None


def test_update() -> None:
    adapter = MemoryAdapter(SPECS)
    first = fetched(adapter)
    adapter.update(SPECS.decode())
    assert adapter.fetch(first.version) is None  # the same again
    adapter.update({"time": 2})
    second = fetched(adapter, first.version)
    assert second.body == b'{"time":2}'
    assert second.version != first.version


def test_a_failed_update_changes_nothing() -> None:
    adapter = MemoryAdapter(SPECS)
    held = fetched(adapter)
    with pytest.raises(TypeError):
        adapter.update(5)  # type: ignore[arg-type]  # wrong on purpose
    assert adapter.fetch(held.version) is None


def test_later_changes_of_a_mapping_have_no_effect() -> None:
    specs: dict[str, object] = {"time": 1}
    adapter = MemoryAdapter(specs)
    specs["time"] = 2
    assert fetched(adapter).body == b'{"time":1}'


def test_what_is_wrong_with_a_payload_is_found_by_who_parses_it() -> None:
    for body in (b"", b"[]", b"<html>", b"\xff"):
        assert fetched(MemoryAdapter(body)).body == body


LOOP: dict[str, object] = {}
LOOP["self"] = LOOP


@pytest.mark.parametrize(
    ("payload", "kind", "says"),
    [
        (5, TypeError, "payload: expected bytes, str or a mapping, got int"),
        (None, TypeError, "payload: expected bytes, str or a mapping, got NoneType"),
        (["{}"], TypeError, "payload: expected bytes, str or a mapping, got list"),
        (bytearray(b"{}"), TypeError, "payload: expected bytes, str or a mapping, got bytearray"),
        ({"a": {1, 2}}, TypeError, "payload: expected a mapping that JSON can hold: got set"),
        ({"a": float("nan")}, ValueError, "payload: expected a mapping that JSON can hold: Out of range"),
        ({(1, 2): 3}, TypeError, "payload: expected a mapping that JSON can hold: keys must be"),
        (LOOP, ValueError, "payload: expected a mapping that JSON can hold: Circular"),
        ("\ud800", ValueError, "payload: expected valid Unicode, got half a surrogate pair at position 0"),
    ],
)
def test_payloads_that_cannot_be(payload: object, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind) as caught:
        MemoryAdapter(payload)  # type: ignore[arg-type]  # wrong on purpose
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(("name", "kind"), [("", ValueError), (5, TypeError), (None, TypeError)])
def test_names_that_cannot_be(name: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"^name: expected"):
        MemoryAdapter(SPECS, name=name)
