"""Config specs out of a KV Store: what is read, and what is not read again."""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING

import brotli
import pytest
import urllib3
import zstandard

from fastly_adapters import KEY, SPECS, TOKEN, adapter_for, asked, failure
from loopback import Listener, answering, http
from small_project import payload
from statsig_fastly.adapters import Payload, SpecAdapter
from statsig_fastly.adapters.fastly import FastlyDataAdapter
from statsig_fastly.emulator import Emulator, Fault

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def kv(fastly: Emulator) -> Emulator:
    """An emulator whose token must not show up in anything that was logged."""
    return fastly


# Reading


def test_it_is_an_adapter(kv: Emulator) -> None:
    kv.create_kv_store("specs")
    kv.put("specs", KEY, SPECS)
    adapter = adapter_for(kv)
    assert isinstance(adapter, SpecAdapter)
    assert adapter.name == "FastlyKV"
    assert (adapter.store, adapter.config_spec_key) == ("specs", KEY)
    assert adapter.fetch() is not None
    adapter.close()
    adapter.close()


def test_a_value_comes_with_its_generation_and_metadata(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    generation = kv.put("specs", KEY, SPECS, "lcut=1")
    for name in ("specs", store):
        payload = adapter_for(kv, name).fetch()
        assert payload == Payload(SPECS, str(generation), "lcut=1")


def test_an_absent_metadata_is_none(kv: Emulator) -> None:
    kv.create_kv_store("specs")
    kv.put("specs", KEY, SPECS)
    payload = adapter_for(kv).fetch()
    assert payload is not None
    assert payload.metadata is None


def test_metadata_is_utf_8() -> None:
    metadata = "größe=1".encode().decode("latin-1")
    with Listener(answering(http(200, SPECS, f"Metadata: {metadata}", "Generation: 5"))) as server:
        payload = FastlyDataAdapter("a" * 22, KEY, token=TOKEN, api=server.url).fetch()
    assert payload == Payload(SPECS, "5", "größe=1")


def test_an_id_is_used_as_it_is_and_a_name_looked_up_once(kv: Emulator) -> None:
    store = kv.create_kv_store("my specs/ü")
    kv.put(store, KEY, SPECS)
    by_id, by_name = adapter_for(kv, store), adapter_for(kv, "my specs/ü")
    by_id.fetch()
    assert asked(kv) == [f"GET /{store}/keys/{KEY}"]
    by_name.fetch()
    by_name.fetch()
    assert asked(kv) == [
        "GET ?name=my%20specs%2F%C3%BC",
        f"GET /{store}/keys/{KEY}",
        f"GET /{store}/keys/{KEY}",
    ]


@pytest.mark.parametrize("key", ["a/b", "../up", "a b", "100%", "%2e%2e", "ключ", "a&b=c+d", "a//b/./c"])
def test_any_legal_key_arrives_as_it_is(kv: Emulator, key: str) -> None:
    store = kv.create_kv_store("specs")
    kv.put(store, key, SPECS)
    payload = adapter_for(kv, store, key).fetch()
    assert payload is not None
    assert payload.body == SPECS
    assert len(kv.requests) == 1


def test_an_id_that_is_a_name(kv: Emulator) -> None:
    looks_like_an_id = "configspecsofproject01"
    assert len(looks_like_an_id) == 22
    store = kv.create_kv_store(looks_like_an_id)
    kv.put(store, KEY, SPECS)
    adapter = adapter_for(kv, looks_like_an_id)
    payload = adapter.fetch()
    assert payload is not None
    assert payload.body == SPECS
    asked(kv)
    assert adapter.fetch(payload.version) is None
    assert asked(kv) == [f"HEAD /{store}/keys/{KEY}"]


def test_a_store_made_anew_under_its_name_is_found_again(kv: Emulator) -> None:
    old = kv.create_kv_store("specs")
    kv.put(old, KEY, SPECS)
    adapter = adapter_for(kv)
    assert adapter.fetch() is not None
    with urllib3.PoolManager(headers={"Fastly-Key": TOKEN}) as pool:
        assert pool.request("DELETE", f"{kv.url}/resources/stores/kv/{old}/keys/{KEY}").status == 204
        assert pool.request("DELETE", f"{kv.url}/resources/stores/kv/{old}").status == 204
    new = kv.create_kv_store("specs")
    assert new != old
    kv.put(new, KEY, SPECS.replace(b":1", b":2"))
    payload = adapter.fetch()
    assert payload is not None
    assert payload.body.endswith(b'"time":2}')


def test_a_value_of_24_megabytes_is_read_and_one_of_26_is_not(kv: Emulator) -> None:
    large = b'{"x":"' + b"x" * 24_000_000 + b'"}'
    kv.create_kv_store("specs")
    kv.put("specs", KEY, large.replace(b"x", b"xx", 2_000_000))
    assert "max_value_bytes" in str(failure(adapter_for(kv)))
    kv.put("specs", KEY, large)
    payload = adapter_for(kv).fetch()
    assert payload is not None
    assert payload.body == large


# A digest in the metadata


@pytest.mark.parametrize(
    "form",
    [
        "sha256={}",
        "time=5;sha256={};n=3",
        "time=5; sha256={} ;n=3",
        ";sha256={};",
        "xsha256=0000;sha256={}",
    ],
)
@pytest.mark.parametrize("upper", [False, True])
def test_a_digest_in_the_metadata_is_verified(kv: Emulator, form: str, upper: bool) -> None:
    kv.create_kv_store("specs")
    digest = hashlib.sha256(SPECS).hexdigest()
    metadata = form.format(digest.upper() if upper else digest)
    kv.put("specs", KEY, SPECS, metadata)
    adapter = adapter_for(kv)
    found = adapter.fetch()
    assert found is not None
    assert found.metadata == metadata
    kv.put("specs", KEY, SPECS + b" ", metadata)
    problem = failure(adapter, found.version)
    assert (problem.status, problem.retryable) == (200, True)
    assert "the value is not the one whose sha256 is in its metadata; ask again later" in str(problem)
    kv.put("specs", KEY, SPECS, metadata)
    assert adapter.fetch(found.version) is not None


def test_the_digest_is_that_of_what_is_stored(kv: Emulator) -> None:
    kv.create_kv_store("specs")
    stored = gzip.compress(SPECS)
    kv.put("specs", KEY, stored, f"sha256={hashlib.sha256(stored).hexdigest()}")
    found = adapter_for(kv).fetch()
    assert found is not None
    assert found.body == SPECS
    kv.put("specs", KEY, stored, f"sha256={hashlib.sha256(SPECS).hexdigest()}")
    assert "sha256" in str(failure(adapter_for(kv)))


@pytest.mark.parametrize("metadata", ["sha256=", "sha256=abc", "xsha256=" + "0" * 64, "sha256=" + "0" * 65])
def test_other_metadata_are_no_digest(kv: Emulator, metadata: str) -> None:
    kv.create_kv_store("specs")
    kv.put("specs", KEY, SPECS, metadata)
    assert adapter_for(kv).fetch() is not None


# Compressed


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress, brotli.compress])
def test_a_compressed_value_is_read(kv: Emulator, compress: Callable[[bytes], bytes]) -> None:
    store = kv.create_kv_store("specs")
    generation = kv.put(store, KEY, compress(payload()))
    adapter = adapter_for(kv, store)
    assert adapter.fetch() == Payload(payload(), str(generation), None)
    asked(kv)
    assert adapter.fetch(str(generation)) is None
    assert asked(kv) == [f"HEAD /{store}/keys/{KEY}"]
    problem = failure(adapter_for(kv, store, max_payload_bytes=len(payload()) - 1))
    assert (problem.status, problem.retryable) == (200, False)
    assert "when it is decompressed" in str(problem)


# HEAD first


def test_nothing_held_downloads_at_once(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    kv.put(store, KEY, SPECS)
    adapter_for(kv, store).fetch(None)
    assert asked(kv) == [f"GET /{store}/keys/{KEY}"]


def test_an_unchanged_value_is_not_downloaded(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    kv.put(store, KEY, SPECS)
    adapter = adapter_for(kv, store)
    first = adapter.fetch()
    assert first is not None
    asked(kv)
    assert [adapter.fetch(first.version) for _ in range(3)] == [None] * 3
    assert asked(kv) == [f"HEAD /{store}/keys/{KEY}"] * 3

    generation = kv.put(store, KEY, SPECS.replace(b":1", b":2"))
    second = adapter.fetch(first.version)
    assert second is not None
    assert second.version == str(generation)
    assert asked(kv) == [f"HEAD /{store}/keys/{KEY}", f"GET /{store}/keys/{KEY}"]


def test_changed_metadata_is_a_change(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    held = str(kv.put(store, KEY, SPECS, "a"))
    kv.put(store, KEY, SPECS, "b")
    payload = adapter_for(kv, store).fetch(held)
    assert payload is not None
    assert payload.metadata == "b"


@pytest.mark.parametrize("status", [405, 501])
def test_where_head_is_refused_it_is_not_tried_again(kv: Emulator, status: int) -> None:
    store = kv.create_kv_store("specs")
    held = str(kv.put(store, KEY, SPECS))
    adapter = adapter_for(kv, store)
    kv.fault(Fault(method="HEAD", status=status))
    assert adapter.fetch(held) is None
    assert adapter.fetch(held) is None
    kv.put(store, KEY, SPECS)
    assert adapter.fetch(held) is not None
    adapter.close()
    assert adapter.fetch(held) is not None
    assert asked(kv) == [f"HEAD /{store}/keys/{KEY}", *[f"GET /{store}/keys/{KEY}"] * 4]


def test_where_head_names_no_generation_it_is_not_tried_again(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    held = str(kv.put(store, KEY, SPECS))
    adapter = adapter_for(kv, store)
    kv.fault(Fault(method="HEAD", drop_headers=("Generation",)))
    assert adapter.fetch(held) is None
    assert adapter.fetch(held) is None
    assert asked(kv) == [f"HEAD /{store}/keys/{KEY}", *[f"GET /{store}/keys/{KEY}"] * 2]


def test_another_adapter_still_tries_head(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    held = str(kv.put(store, KEY, SPECS))
    kv.fault(Fault(method="HEAD", status=405))
    adapter_for(kv, store).fetch(held)
    asked(kv)
    adapter_for(kv, store).fetch(held)
    assert asked(kv) == [f"HEAD /{store}/keys/{KEY}"]


def test_a_failing_head_is_a_failure_and_head_stays_in_use(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    held = str(kv.put(store, KEY, SPECS))
    adapter = adapter_for(kv, store)
    kv.fault(Fault(method="HEAD", status=503))
    problem = failure(adapter, held)
    assert (problem.status, problem.retryable) == (503, True)
    asked(kv)
    assert adapter.fetch(held) is None
    assert asked(kv) == [f"HEAD /{store}/keys/{KEY}"]


def test_an_older_copy_from_the_cache_of_what_is_held_is_no_news(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    held = str(kv.put(store, KEY, SPECS))
    kv.put(store, KEY, SPECS.replace(b":1", b":2"))
    kv.fault(Fault(method="GET", stale=True))
    assert adapter_for(kv, store).fetch(held) is None


def test_a_value_without_generation_has_no_version(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    kv.put(store, KEY, SPECS)
    kv.fault(Fault(method="GET", drop_headers=("Generation",)))
    assert adapter_for(kv, store).fetch() == Payload(SPECS, None, None)


def test_held_version_of_another_type(kv: Emulator) -> None:
    with pytest.raises(TypeError, match=r"^held_version: expected str or None, got int$"):
        adapter_for(kv).fetch(17)  # type: ignore[arg-type]  # wrong on purpose
    kv.create_kv_store("specs")
    failure(adapter_for(kv))
