"""Config specs are found without their key, where there is no doubt which ones are meant."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

import pytest
import urllib3

from fastly_adapters import KEY, SPECS, TOKEN, adapter_for, asked, failure
from statsig_fastly.emulator import Fault
from statsig_fastly.errors import AdapterError

if TYPE_CHECKING:
    from statsig_fastly.adapters import Payload
    from statsig_fastly.adapters.fastly import FastlyDataAdapter
    from statsig_fastly.emulator import Emulator

OTHER = SPECS.replace(b":1", b":2")
StoreType = Literal["kv", "config"]


@pytest.fixture(params=["kv", "config"])
def store_type(request: pytest.FixtureRequest) -> StoreType:
    kind: StoreType = request.param
    return kind


class Store:
    """A store of either kind, named `specs`."""

    def __init__(self, emulator: Emulator, store_type: StoreType) -> None:
        self.emulator = emulator
        self.store_type: StoreType = store_type
        create = emulator.create_kv_store if store_type == "kv" else emulator.create_config_store
        self.id = create("specs")
        self.prefix = f"/resources/stores/{store_type}"
        self.words = "KV store" if store_type == "kv" else "Config Store"

    def put(self, key: str, body: bytes = SPECS) -> None:
        if self.store_type == "kv":
            self.emulator.put("specs", key, body)
        else:
            self.emulator.set_config_item("specs", key, body.decode())

    def remove(self, key: str) -> None:
        path = "keys" if self.store_type == "kv" else "item"
        with urllib3.PoolManager(headers={"Fastly-Key": TOKEN}) as pool:
            url = f"{self.emulator.url}{self.prefix}/{self.id}/{path}/{key}"
            assert pool.request("DELETE", url).status in {200, 204}

    def adapter(self, store: str = "specs") -> FastlyDataAdapter:
        return adapter_for(self.emulator, store, None, store_type=self.store_type)

    def asked(self) -> list[str]:
        return asked(self.emulator, f"{self.prefix}/{self.id}")


@pytest.fixture
def store(fastly: Emulator, store_type: StoreType) -> Store:
    return Store(fastly, store_type)


def body_of(payload: Payload | None) -> bytes:
    assert payload is not None
    return payload.body


def test_the_only_key_is_found_once(store: Store) -> None:
    for key in (KEY, "other", "Statsig-x", f"chunk.{KEY}.abcdefghijkl", "-statsig-"):
        store.put(key, SPECS if key == KEY else b"x")
    adapter = store.adapter(store.id)
    assert adapter.config_spec_key is None
    assert body_of(adapter.fetch()) == SPECS
    assert body_of(adapter.fetch()) == SPECS
    lists = {"kv": "/keys?prefix=statsig-&limit=100", "config": "/items"}[store.store_type]
    item = {"kv": f"/keys/{KEY}", "config": f"/item/{KEY}"}[store.store_type]
    assert store.asked() == [f"GET {lists}", f"GET {item}", f"GET {item}"]


def test_several_keys_are_named(store: Store) -> None:
    store.put("statsig-b")
    store.put("statsig-a")
    problem = failure(store.adapter())
    assert not problem.retryable
    host = store.emulator.url.removeprefix("http://")
    assert str(problem) == (
        f"looking for config specs in {store.words} 'specs' at {host}: several keys start with 'statsig-': "
        "'statsig-a', 'statsig-b'; pass one of them as config_spec_key"
    )


def test_no_key_is_said(store: Store) -> None:
    store.put("zebra", b"x")
    adapter = store.adapter()
    problem = failure(adapter)
    assert (problem.status, problem.retryable) == (404, False)
    assert "no key starts with 'statsig-'; has Statsig's Fastly integration written to it?" in str(problem)
    assert "zebra" not in str(problem)
    store.put(KEY)
    assert body_of(adapter.fetch()) == SPECS


def test_a_key_that_took_the_place_of_another_is_found(store: Store) -> None:
    store.put(KEY)
    adapter = store.adapter()
    held = adapter.fetch()
    assert held is not None
    store.remove(KEY)
    store.put("statsig-other", OTHER)
    assert body_of(adapter.fetch(held.version)) == OTHER
    store.remove("statsig-other")
    assert "no key starts with" in str(failure(adapter, held.version))
    store.put(KEY, OTHER)
    assert body_of(adapter.fetch()) == OTHER


def test_a_second_key_does_not_disturb_one_that_was_found(store: Store) -> None:
    store.put(KEY)
    adapter = store.adapter()
    assert adapter.fetch() is not None
    store.put("statsig-other", OTHER)
    assert body_of(adapter.fetch()) == SPECS
    assert "several keys" in str(failure(store.adapter()))


def test_a_store_that_took_the_place_of_another(store: Store) -> None:
    store.put(KEY)
    adapter = store.adapter()
    assert adapter.fetch() is not None
    store.remove(KEY)
    with urllib3.PoolManager(headers={"Fastly-Key": TOKEN}) as pool:
        pool.request("DELETE", f"{store.emulator.url}{store.prefix}/{store.id}")
    again = Store(store.emulator, store.store_type)
    assert again.id != store.id
    again.put("statsig-new", OTHER)
    assert body_of(adapter.fetch()) == OTHER


def test_a_name_that_looks_like_an_id(fastly: Emulator, store_type: StoreType) -> None:
    name = "configspecsofproject01"
    if store_type == "kv":
        fastly.put(fastly.create_kv_store(name), KEY, SPECS)
    else:
        fastly.create_config_store(name, {KEY: SPECS.decode()})
    adapter = adapter_for(fastly, name, None, store_type=store_type)
    assert body_of(adapter.fetch()) == SPECS


def test_a_store_that_is_not_there(fastly: Emulator, store_type: StoreType) -> None:
    for name in ("nosuch", "abcdefghij0123456789zz"):
        problem = failure(adapter_for(fastly, name, None, store_type=store_type))
        assert (problem.status, problem.retryable) == (404, False)
        assert "no such store" in str(problem)


@pytest.mark.parametrize(
    ("fault", "retryable"),
    [
        (Fault(status=503, path="/(keys|items)$"), True),
        (Fault(status=403, path="/(keys|items)$"), False),
        (Fault(body=b"nonsense", path="/(keys|items)$"), False),
        (Fault.error_page(path="/(keys|items)$"), True),
        (Fault(reset="before", path="/(keys|items)$"), True),
    ],
)
def test_a_list_that_cannot_be_had(store: Store, fault: Fault, retryable: bool) -> None:
    store.put(KEY)
    adapter = store.adapter()
    store.emulator.fault(fault)
    problem = failure(adapter)
    assert problem.retryable is retryable
    assert "looking for config specs in" in str(problem)
    assert body_of(adapter.fetch()) == SPECS


def test_the_token_is_taken_out_of_keys(store: Store) -> None:
    for key in (f"statsig-{TOKEN}", "statsig-b"):
        store.put(key)
    with pytest.raises(AdapterError, match=r"'statsig-\[token\]', 'statsig-b'"):
        store.adapter().fetch()


def test_a_key_that_is_listed_but_not_there_yet(fastly: Emulator) -> None:
    fastly.create_kv_store("specs")
    fastly.put("specs", KEY, SPECS)
    for key in (KEY, None):
        fastly.fault(Fault(path="/keys/", status=404, times=2))
        problem = failure(adapter_for(fastly, key=key))
        assert (problem.status, problem.retryable) == (404, True)
        assert str(problem).endswith(
            "but it lists it, so it may not have got everywhere yet; ask again later"
        )
        fastly.clear_faults()


def test_twenty_threads_look_for_the_key_once(store: Store) -> None:
    store.put(KEY)
    store.emulator.fault(Fault(path="/(keys|items)$", delay=0.2))  # so that all of them wait for it
    adapter = store.adapter()
    start = threading.Barrier(20)

    def ask(_: int) -> bytes:
        start.wait(10)
        return body_of(adapter.fetch())

    with ThreadPoolExecutor(20) as threads:
        assert list(threads.map(ask, range(20))) == [SPECS] * 20
    lists = {"kv": "GET /keys?prefix=statsig-&limit=100", "config": "GET /items"}[store.store_type]
    assert store.asked().count(lists) == 1
