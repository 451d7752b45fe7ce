"""Config specs in chunks, read from real stores: whole, of one version, and no more often than needed."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from fastly_adapters import KEY, adapter_for, asked, failure, put_chunks
from small_project import TIME, payload
from statsig_fastly import FastlyTomlAdapter, Statsig, StatsigOptions
from statsig_fastly.chunks import split
from statsig_fastly.emulator import Fault
from statsig_fastly.errors import AdapterError
from statsig_fastly.transport import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from statsig_fastly.adapters.fastly import FastlyDataAdapter
    from statsig_fastly.chunks import Manifest
    from statsig_fastly.emulator import Emulator
    from statsig_fastly.transport import Request, Response

StoreType = Literal["kv", "config"]
PATIENCE = 30


def filled(number: int, size: int = 60_000) -> bytes:
    """A payload whose size is given: no two numbers have much in common."""
    filler = random.Random(number).randbytes(size // 2).hex()
    return json.dumps({"time": number, "has_updates": True, "filler": filler}).encode()


@pytest.fixture(params=["kv", "config"])
def store_type(request: pytest.FixtureRequest) -> StoreType:
    kind: StoreType = request.param
    return kind


class Store:
    """A store of either kind, in which config specs lie in chunks of at most 8,000 characters or bytes."""

    def __init__(self, emulator: Emulator, store_type: StoreType) -> None:
        self.emulator = emulator
        self.store_type: StoreType = store_type
        create = emulator.create_kv_store if store_type == "kv" else emulator.create_config_store
        self.id = create("specs")

    def put(self, value: bytes) -> Manifest:
        return put_chunks(self.emulator, "specs", value, self.store_type, chunk_size=8000)

    def remove(self, chunk: str) -> None:
        key = f"chunk.{KEY}.{chunk}"
        if self.store_type == "kv":
            assert self.emulator.delete("specs", key)
        else:
            self.emulator._config.change(self.id, [("delete", key, "")])

    def set(self, key: str, body: bytes) -> None:
        if self.store_type == "kv":
            self.emulator.put("specs", key, body)
        else:
            self.emulator.set_config_item("specs", key, body.decode())

    def adapter(self, **more: Any) -> FastlyDataAdapter:  # noqa: ANN401
        return adapter_for(self.emulator, self.id, store_type=self.store_type, **more)

    def asked(self) -> list[str]:
        """What was asked for: `keys/<key>`, `item/<key>` or `items`, with HEAD where it was."""
        said = asked(self.emulator, f"/resources/stores/{self.store_type}/{self.id}/")
        return [request.removeprefix("GET ") for request in said]


@pytest.fixture
def store(fastly: Emulator, store_type: StoreType) -> Store:
    return Store(fastly, store_type)


def body_of(adapter: FastlyDataAdapter, held: str | None = None) -> bytes:
    found = adapter.fetch(held)
    assert found is not None
    return found.body


@pytest.mark.parametrize("size", [200, 30_000, 300_000])
def test_the_value_comes_whole(store: Store, size: int) -> None:
    value = filled(1, size)
    manifest = store.put(value)
    found = store.adapter().fetch()
    assert found is not None
    assert found.body == value
    if store.store_type == "config":
        assert found.version == manifest.sha256 == hashlib.sha256(value).hexdigest()
    else:
        item = store.emulator.item("specs", KEY)
        assert item is not None
        assert found.version == str(item.generation)


def test_a_client_evaluates_what_is_in_chunks(store: Store) -> None:
    value = payload()
    put_chunks(store.emulator, "specs", value, store.store_type, chunk_size=100)
    with Statsig("secret-key", StatsigOptions(data_adapter=store.adapter())) as statsig:
        assert statsig.check_gate("u-1", "on") is True
        put_chunks(store.emulator, "specs", payload(TIME + 1, 2), store.store_type, chunk_size=100)
        assert statsig.sync().result(PATIENCE).changed
        assert statsig.get_dynamic_config("u-1", "number")["a"] == 2


def test_compressed_values_may_be_in_chunks(store: Store) -> None:
    value = filled(1)
    manifest = store.put(gzip.compress(value))
    assert manifest.encoding == ("base64" if store.store_type == "config" else "bytes")
    assert body_of(store.adapter()) == value


# How often what is asked for


def test_for_an_unchanged_manifest_no_chunk_is_asked_for(store: Store) -> None:
    store.put(filled(1))
    adapter = store.adapter()
    held = adapter.fetch()
    assert held is not None
    store.asked()
    assert adapter.fetch(held.version) is None
    assert store.asked() == {"kv": [f"HEAD keys/{KEY}"], "config": [f"item/{KEY}"]}[store.store_type]
    # Not by another adapter either, which has no chunks yet.
    assert store.adapter().fetch(held.version) is None
    assert len(store.asked()) == 1


def test_the_same_value_in_another_form_is_no_news_in_a_config_store(fastly: Emulator) -> None:
    store = Store(fastly, "config")
    value = filled(1, 5000)
    store.put(value)
    held = store.adapter().fetch()
    assert held is not None
    store.set(KEY, value)
    assert store.adapter().fetch(held.version) is None


def test_many_chunks_of_a_config_store_take_one_request(fastly: Emulator) -> None:
    store = Store(fastly, "config")
    value = filled(1, 3_000_000)
    manifest = store.put(value)
    assert len(manifest.chunks) > 370
    assert body_of(store.adapter()) == value
    assert store.asked() == [f"item/{KEY}", "items"]


def test_an_update_reads_only_new_chunks(store: Store) -> None:
    before = filled(1)
    store.put(before)
    adapter = store.adapter()
    assert body_of(adapter) == before
    store.asked()
    changed = before.replace(b'"time": 1', b'"time": 2')
    old, _ = split(before, KEY, store_type=store.store_type, chunk_size=8000)
    new = store.put(changed)
    fresh = [f"chunk.{KEY}.{chunk}" for chunk in new.chunks if chunk not in old.chunks]
    assert len(fresh) == 1
    assert body_of(adapter) == changed
    word = "keys" if store.store_type == "kv" else "item"
    assert store.asked() == [f"{word}/{KEY}", *[f"{word}/{key}" for key in fresh]]


def test_chunks_that_came_before_a_failure_are_not_asked_for_again(store: Store) -> None:
    value = filled(1)
    manifest = store.put(value)
    adapter = store.adapter()
    store.emulator.fault(
        Fault(path="(chunk|items)", skip=0 if store.store_type == "config" else 5, status=503)
    )
    problem = failure(adapter)
    assert (problem.status, problem.retryable) == (503, True)
    first = store.asked()
    assert body_of(adapter) == value
    again = store.asked()
    if store.store_type == "kv":
        assert (len(first), len(again)) == (1 + 6, 1 + len(manifest.chunks) - 5)
        assert not set(first[1:-1]) & set(again)
    else:
        assert (len(first), len(again)) == (2, 2)


def test_chunks_of_versions_that_are_gone_are_forgotten(store: Store) -> None:
    adapter = store.adapter()
    for number in range(5):
        store.put(filled(number))
        body_of(adapter)
    kept = adapter._chunks._kept
    assert sum(map(len, kept.values())) == len(filled(4))


def test_chunks_too_large_to_keep_are_not_kept(fastly: Emulator) -> None:
    store = Store(fastly, "kv")
    value = b'{"x":"' + b"x" * 17_000_000 + b'"}'
    put_chunks(fastly, "specs", value, "kv", chunk_size=6_000_000)
    adapter = store.adapter()
    assert body_of(adapter) == value
    assert adapter._chunks._kept == {}


# Being written, being replaced


def test_a_missing_chunk_is_a_failure_that_may_pass(store: Store) -> None:
    value = filled(1)
    manifest = store.put(value)
    adapter = store.adapter()
    store.remove(manifest.chunks[2])
    problem = failure(adapter)
    assert (problem.status, problem.retryable) == (None, True)
    assert str(problem).startswith(f"reading key '{KEY}' of ")
    assert f"chunk {manifest.chunks[2]} (3 of {len(manifest.chunks)}) is missing: it is being " in str(
        problem
    )
    manifests = [request for request in store.asked() if request.endswith(KEY)]
    assert len(manifests) == 2  # it was looked at again, once
    store.put(value)
    assert body_of(adapter) == value


def test_a_chunk_with_another_content_is_refused_and_not_kept(store: Store) -> None:
    value = filled(1)
    manifest = store.put(value)
    adapter = store.adapter()
    store.set(f"chunk.{KEY}.{manifest.chunks[1]}", b"x" * 8000)
    problem = failure(adapter)
    assert problem.retryable
    assert f"chunk {manifest.chunks[1]} (2 of {len(manifest.chunks)}) has another content" in str(problem)
    store.put(value)
    assert body_of(adapter) == value


class Interrupted:
    """A transport that does something else before it sends a certain request, once."""

    def __init__(self, path: str, do: Callable[[], object]) -> None:
        self.inner = HttpTransport()
        self.path: str | None = path
        self.do = do

    def send(self, request: Request) -> Response:
        if self.path is not None and self.path in request.url:
            self.path = None
            self.do()
        return self.inner.send(request)

    def close(self) -> None:
        self.inner.close()


@pytest.mark.parametrize("new", [filled(2), b'{"time":2}'])
def test_a_value_replaced_while_it_is_read_comes_in_its_new_version(store: Store, new: bytes) -> None:
    manifest = store.put(filled(1))

    def replace() -> None:
        if len(new) > 8000:
            store.put(new)
        else:
            store.set(KEY, new)
        for chunk in manifest.chunks:
            store.remove(chunk)

    at = f"chunk.{KEY}.{manifest.chunks[3]}" if store.store_type == "kv" else "/items"
    transport = Interrupted(at, replace)
    adapter = store.adapter(transport=transport)
    found = adapter.fetch()
    assert transport.path is None
    assert found is not None
    assert found.body == new
    assert adapter.fetch(found.version) is None
    transport.close()


def test_the_same_value_in_other_chunks_meanwhile_is_no_news(fastly: Emulator) -> None:
    store = Store(fastly, "config")
    old, new = filled(1), filled(2)
    store.put(old)
    held = store.adapter().fetch()
    assert held is not None
    manifest = store.put(new)

    def go_back() -> None:
        store.put(old)
        store.remove(manifest.chunks[0])

    transport = Interrupted("/items", go_back)
    assert store.adapter(transport=transport).fetch(held.version) is None
    assert transport.path is None
    transport.close()


def test_readers_never_see_a_mixture(store: Store) -> None:
    """A writer replaces the value again and again, and deletes what is old at once."""
    versions = [filled(number, 24_000 + 8000 * (number % 3)) for number in range(25)]
    store.put(versions[0])
    done = threading.Event()

    def write() -> None:
        before: set[str] = set()
        for value in versions:
            now = set(store.put(value).chunks)
            for chunk in sorted(before - now):
                store.remove(chunk)
            before = now
        done.set()

    seen: list[bytes] = []
    adapter = store.adapter()
    writer = threading.Thread(target=write)
    writer.start()
    held = None
    deadline = time.monotonic() + PATIENCE
    while not done.is_set() or not seen or seen[-1] != versions[-1]:
        assert time.monotonic() < deadline
        try:
            found = adapter.fetch(held)
        except AdapterError as problem:
            assert problem.retryable  # noqa: PT017 - some fail, as chunks are deleted under the reader
            continue
        if found is not None:
            seen.append(found.body)
            held = found.version
    writer.join(PATIENCE)
    order = [versions.index(body) for body in seen]
    assert order == sorted(order)


def test_the_documented_way_to_write_them(fastly: Emulator) -> None:
    document = (Path(__file__).resolve().parent.parent / "docs" / "adapters.md").read_text(encoding="utf-8")
    example = next(part for part in document.split("```python\n") if "import split" in part).split("```")[0]
    fastly.create_config_store("specs")
    value = filled(1)

    def put(key: str, body: bytes) -> None:
        fastly.set_config_item("specs", key, body.decode())

    exec(example, {"put": put, "specs": value})  # noqa: S102 - of this project
    assert body_of(adapter_for(fastly, store_type="config")) == value


# Manifests with mistakes


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        (b'{"statsig_fastly":"chunks/2"}', "got 'chunks/2'; a newer statsig-fastly may be able to read it"),
        (b'{"statsig_fastly":"chunks/1"}', "manifest field 'size': expected a number of bytes above 0"),
    ],
)
def test_a_manifest_that_cannot_be_read(store: Store, manifest: bytes, says: str) -> None:
    store.set(KEY, manifest)
    problem = failure(store.adapter())
    assert not problem.retryable
    assert says in str(problem)


def test_a_value_larger_than_the_limit_is_not_begun(store: Store) -> None:
    value = filled(1)
    store.put(value)
    assert body_of(store.adapter(max_payload_bytes=len(value))) == value
    store.asked()
    problem = failure(store.adapter(max_payload_bytes=len(value) - 1))
    assert not problem.retryable
    assert f"the manifest announces {len(value):,} bytes, which is more than the limit" in str(problem)
    assert "raise max_payload_bytes" in str(problem)
    assert len(store.asked()) == 1


def test_reading_stops_when_chunks_are_larger_than_announced(fastly: Emulator) -> None:
    store = Store(fastly, "kv")
    manifest = store.put(filled(1))
    fields = json.loads(manifest.value)
    store.set(KEY, json.dumps({**fields, "size": 10_000}).encode())
    assert failure(store.adapter()).retryable
    assert len(store.asked()) == 1 + 2 + 1  # the manifest, two chunks, the manifest again


# Local stores


def write_toml(directory: Path, value: bytes, store_type: StoreType, size: int) -> FastlyTomlAdapter:
    manifest, chunks = split(value, KEY, store_type=store_type, chunk_size=size)
    items = {key: body.decode() for key, body in {**chunks, KEY: manifest.value}.items()}
    (directory / "items.json").write_text(json.dumps(items), "utf-8")
    where = f"local_server.{store_type}_stores.specs"
    (directory / "fastly.toml").write_text(f"[{where}]\nformat = 'json'\nfile = 'items.json'\n", "utf-8")
    return FastlyTomlAdapter(
        directory / "fastly.toml",
        store="specs",
        config_spec_key=KEY,
        root=directory,
        max_payload_bytes=60_000,
    )


def test_local_stores_may_hold_chunks(tmp_path: Path, store_type: StoreType) -> None:
    value = filled(1, 50_000)
    adapter = write_toml(tmp_path, value, store_type, 8000)
    found = adapter.fetch()
    assert found is not None
    assert (found.body, found.version) == (value, hashlib.sha256(value).hexdigest())
    assert adapter.fetch(found.version) is None
    value = filled(2, 60_000)
    with pytest.raises(
        AdapterError, match=r"in .*fastly.toml: the manifest announces .* raise max_payload_bytes"
    ):
        write_toml(tmp_path, value, store_type, 8000).fetch()


def test_a_chunk_that_a_local_store_lacks(tmp_path: Path, store_type: StoreType) -> None:
    adapter = write_toml(tmp_path, filled(1, 50_000), store_type, 8000)
    items = json.loads((tmp_path / "items.json").read_text("utf-8"))
    del items[next(key for key in items if key.startswith("chunk."))]
    (tmp_path / "items.json").write_text(json.dumps(items), "utf-8")
    with pytest.raises(AdapterError, match=r"chunk [\w-]{12} \(1 of \d+\) is missing") as caught:
        adapter.fetch()
    assert (caught.value.status, caught.value.retryable) == (None, True)
