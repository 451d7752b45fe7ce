"""`ChainAdapter`: who is asked for what, in which order, and what is said when all fail."""

from __future__ import annotations

import copy
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopback import http
from scripted_adapter import ScriptedAdapter
from specs_server import SpecsServer
from statsig_fastly import (
    AdapterError,
    ChainAdapter,
    FastlyDataAdapter,
    MemoryAdapter,
    Payload,
    Statsig,
    StatsigCdnAdapter,
    StatsigOptions,
)
from statsig_fastly.adapters import IdListAdapter, IdListFile, SpecAdapter
from statsig_fastly.sample_project import sample_project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api_client import StandingClock

SPECS = b'{"time":1}'
NEWER = b'{"time":2}'


class Store:
    """A store that has a payload or fails, and remembers what it was asked."""

    def __init__(self, name: str, body: bytes | AdapterError, version: str | None = "1") -> None:
        self.name = name
        self.body, self.version = body, version
        self.held: list[str | None] = []
        self.closed = 0

    def fetch(self, held_version: str | None = None) -> Payload | None:
        self.held.append(held_version)
        if isinstance(self.body, AdapterError):
            raise self.body
        if held_version is not None and held_version == self.version:
            return None
        return Payload(self.body, self.version, "metadata")

    def close(self) -> None:
        self.closed += 1

    def __repr__(self) -> str:
        return f"Store({self.name})"


class ListStore(Store):
    """One that has ID lists as well."""

    def __init__(self, name: str, lists: Sequence[IdListFile] | AdapterError) -> None:
        super().__init__(name, SPECS)
        self.lists = lists
        self.files: list[tuple[IdListFile, int]] = []

    def fetch_id_lists(self) -> Sequence[IdListFile]:
        if isinstance(self.lists, AdapterError):
            raise self.lists
        return self.lists

    def fetch_id_list(self, file: IdListFile, start: int) -> bytes:
        self.files.append((file, start))
        if isinstance(self.lists, AdapterError):
            raise self.lists
        return b"+abcdefgh\n"


def fetched(chain: ChainAdapter, held_version: str | None = None) -> Payload:
    payload = chain.fetch(held_version)
    assert payload is not None
    return payload


def failure(chain: ChainAdapter, held_version: str | None = None) -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        chain.fetch(held_version)
    return caught.value


def broken(text: str = "no answer", **more: Any) -> AdapterError:  # noqa: ANN401 - of the class
    return AdapterError(text, **more)


# Order


def test_it_is_an_adapter() -> None:
    first, second = Store("A", SPECS), Store("B", SPECS)
    chain = ChainAdapter(first, second)
    assert isinstance(chain, SpecAdapter)
    assert not isinstance(chain, IdListAdapter)
    assert chain.name == "Chain"
    assert chain.adapters == (first, second)
    assert repr(chain) == "ChainAdapter(Store(A), Store(B))"
    assert isinstance(ChainAdapter(chain, second), SpecAdapter)


def test_the_first_that_answers_is_enough() -> None:
    first, second = Store("A", SPECS), Store("B", NEWER)
    payload = fetched(ChainAdapter(first, second))
    assert (payload.body, payload.source, payload.metadata) == (SPECS, "Adapter(A)", "metadata")
    assert (first.held, second.held) == ([None], [])


def test_a_version_is_shown_to_the_adapter_it_is_from() -> None:
    first, second = Store("A", SPECS), Store("B", NEWER)  # both call theirs "1"
    chain = ChainAdapter(first, second)
    of_first = fetched(chain).version
    assert chain.fetch(of_first) is None

    first.body = broken()
    payload = fetched(chain, of_first)
    assert (payload.body, payload.source) == (NEWER, "Adapter(B)")
    of_second = payload.version
    assert of_second != of_first
    assert chain.fetch(of_second) is None

    # The first works again, and what it has is handed out, older or not.
    first.body = SPECS
    assert fetched(chain, of_second).version == of_first
    assert first.held == [None, "1", "1", None, None]
    assert second.held == [None, "1"]


@pytest.mark.parametrize("version", ["", "1", "A:1", "7:A:1", "1:A:1", "0:B:1", "0:A"])
def test_a_version_of_somebody_else_is_shown_to_nobody(version: str) -> None:
    first, second = Store("A", broken()), Store("B", NEWER)
    assert fetched(ChainAdapter(first, second), version).body == NEWER
    assert (first.held, second.held) == ([None], [None])


@given(st.lists(st.sampled_from(["A", "A:", "0:A", ":", "1"]), min_size=1, max_size=4), st.text(), st.data())
def test_whatever_names_and_versions_are(names: list[str], version: str, data: st.DataObject) -> None:
    stores = [Store(name, broken(), version) for name in names]
    answers = data.draw(st.sampled_from(stores))
    answers.body = SPECS
    chain = ChainAdapter(*stores)
    assert chain.fetch(fetched(chain).version) is None
    for store in stores:
        assert store.held == ([None, version] if store is answers else [None, None][: len(store.held)])


def test_a_chain_in_a_chain() -> None:
    inner = ChainAdapter(Store("A", broken()), Store("B", SPECS))
    chain = ChainAdapter(Store("C", broken()), inner)
    payload = fetched(chain)
    assert payload.source == "Adapter(B)"
    assert chain.fetch(payload.version) is None
    chain.close()


def test_a_payload_without_a_version_and_one_that_names_its_source() -> None:
    chain = ChainAdapter(Store("A", SPECS, None))
    assert fetched(chain).version is None
    with SpecsServer(http(200, SPECS)) as server:
        cdn = StatsigCdnAdapter("secret-key", specs_url=server.specs_url)
        assert fetched(ChainAdapter(Store("A", broken()), cdn)).source == "Network"


# Failures


def test_when_all_fail() -> None:
    chain = ChainAdapter(
        Store("A", broken("reading a: HTTP 503", status=503, retryable=True, retry_after=60)),
        Store("B", broken("reading b: HTTP 404", status=404)),
        ScriptedAdapter(RuntimeError("oops\nagain")),
        Store("D", broken("reading d: HTTP 429", status=429, retryable=True, retry_after=5)),
    )
    problem = failure(chain)
    assert str(problem) == (
        "no adapter answered: 1. A: reading a: HTTP 503; 2. B: reading b: HTTP 404; "
        "3. Scripted: it raised RuntimeError: oops again; 4. D: reading d: HTTP 429"
    )
    assert (problem.status, problem.retryable, problem.retry_after) == (None, True, None)


def test_the_shortest_time_counts_where_all_ask_to_be_left_alone() -> None:
    waits = (60, 5, 900)
    chain = ChainAdapter(*(Store(f"S{wait}", broken(status=429, retry_after=wait)) for wait in waits))
    assert failure(chain).retry_after == 5


@pytest.mark.parametrize("retryable", [False, True])
def test_what_the_error_says_about_later(retryable: bool) -> None:
    chain = ChainAdapter(Store("A", broken(status=403)), Store("B", broken(status=403, retryable=retryable)))
    problem = failure(chain)
    assert (problem.status, problem.retryable, problem.retry_after) == (403, retryable, None)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (None, "it says that nothing is new, and was not told of any version"),
        (lambda: "text", "expected a Payload or None from fetch, got str"),
    ],
)
def test_an_adapter_that_does_not_do_as_it_should(answer: object, says: str) -> None:
    assert str(failure(ChainAdapter(ScriptedAdapter(answer)))) == f"no adapter answered: 1. Scripted: {says}"
    assert fetched(ChainAdapter(ScriptedAdapter(answer), Store("B", SPECS))).body == SPECS


def test_what_is_no_failure_goes_through() -> None:
    second = Store("B", SPECS)
    with pytest.raises(KeyboardInterrupt):
        ChainAdapter(ScriptedAdapter(KeyboardInterrupt()), second).fetch()
    assert second.held == []


def test_who_asks_to_be_left_alone_is(clock: StandingClock) -> None:
    first, second = Store("A", broken("HTTP 429", retry_after=60)), Store("B", SPECS)
    chain = ChainAdapter(first, second, clock=clock)
    for _ in range(3):
        assert fetched(chain).source == "Adapter(B)"
    assert len(first.held) == 1

    clock.now += 45
    second.body = broken("HTTP 500")
    problem = failure(chain)
    assert str(problem) == (
        "no adapter answered: 1. A: not asked for another 15 s after: HTTP 429; 2. B: HTTP 500"
    )
    assert problem.retry_after is None  # the other one may be well before that

    clock.now += 15
    first.body = SPECS
    assert fetched(chain).source == "Adapter(A)"


# Closing


def test_all_are_closed_in_order_whatever_they_raise() -> None:
    adapters = [ScriptedAdapter(SPECS) for _ in range(3)]
    adapters[0].close_error, adapters[1].close_error = RuntimeError("first"), OSError("second")
    chain = ChainAdapter(*adapters)
    with pytest.raises(OSError, match="second") as caught:
        chain.close()
    assert isinstance(caught.value.__context__, RuntimeError)
    assert [adapter.closed for adapter in adapters] == [1, 1, 1]


# ID lists


def a_list(location: str) -> IdListFile:
    return IdListFile("staff", "file-1", 5, 10, location)


def test_a_chain_has_id_lists_if_one_of_its_adapters_has() -> None:
    without, first = Store("A", SPECS), ListStore("B", [a_list("/b")])
    second = ListStore("C", [a_list("/c"), a_list("/c2")])
    chain = ChainAdapter(without, first, second)
    assert isinstance(chain, IdListAdapter)
    assert isinstance(chain, SpecAdapter)
    assert repr(chain) == "ChainAdapter(Store(A), Store(B), Store(C))"
    assert fetched(chain).source == "Adapter(A)"

    (of_first,) = chain.fetch_id_lists()
    assert chain.fetch_id_list(of_first, 3) == b"+abcdefgh\n"
    assert first.files == [(a_list("/b"), 3)]

    first.lists = broken()
    of_second = chain.fetch_id_lists()
    assert [(file.name, file.file_id, file.size) for file in of_second] == [("staff", "file-1", 10)] * 2
    chain.fetch_id_list(of_second[1], 0)
    assert second.files == [(a_list("/c2"), 0)]
    # Another adapter's file of the same name may be another one.
    with pytest.raises(AdapterError, match="no answer"):
        chain.fetch_id_list(of_first, 0)
    assert len(second.files) == 1


def test_when_all_id_lists_fail(clock: StandingClock) -> None:
    first = ListStore("B", broken("HTTP 503", retryable=True, retry_after=9))
    chain = ChainAdapter(Store("A", SPECS), first, clock=clock)
    assert isinstance(chain, IdListAdapter)
    for said in ("1. B: HTTP 503", "1. B: not asked for another 9 s after: HTTP 503"):
        with pytest.raises(AdapterError) as caught:
            chain.fetch_id_lists()
        assert str(caught.value) == f"no adapter answered: {said}"
        assert (caught.value.retryable, caught.value.retry_after) == (True, 9)
    with pytest.raises(AdapterError, match="reading ID list 'staff': it is of no adapter of this chain"):
        chain.fetch_id_list(a_list("/b"), 0)


# Around it


def test_a_client_uses_it() -> None:
    body = json.dumps(sample_project()).encode()
    with SpecsServer(http(200, body)) as server:
        unreachable = FastlyDataAdapter("a" * 22, "key", token="token", api=f"{server.url}/nothing")
        cdn = StatsigCdnAdapter("secret-key", specs_url=server.specs_url)
        options = StatsigOptions(data_adapter=ChainAdapter(unreachable, cdn), disable_all_logging=True)
        with Statsig("secret-key", options) as statsig:
            assert statsig.is_ready
            found = {statsig.check_gate(f"user-{number}", "test_fastly") for number in range(20)}
            assert statsig.sync().result(30).error is None
    assert found == {True, False}


def test_many_threads_share_it() -> None:
    chain = ChainAdapter(Store("A", broken(retry_after=0.0)), Store("B", SPECS))
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: fetched(chain), range(200)))
    assert {each.source for each in found} == {"Adapter(B)"}


def test_its_identity_is_that_of_its_adapters() -> None:
    cdn, memory = StatsigCdnAdapter("secret-key"), MemoryAdapter(SPECS)
    chain = ChainAdapter(cdn, memory, Store("C", SPECS))
    assert chain.identity == f"Chain [{cdn.identity}, {memory.identity}, C]"


def test_it_is_pickled_only_if_its_adapters_are() -> None:
    chain = ChainAdapter(MemoryAdapter(SPECS), Store("A", SPECS))
    assert fetched(pickle.loads(pickle.dumps(chain))).body == SPECS  # noqa: S301 - its own
    assert fetched(copy.copy(chain)).body == SPECS
    with pytest.raises(TypeError, match="holds an SDK key"):
        pickle.dumps(ChainAdapter(StatsigCdnAdapter("secret-key")))


@pytest.mark.parametrize(
    ("adapters", "kind", "says"),
    [
        ((), ValueError, "adapters: expected at least one adapter, got none"),
        ((None,), TypeError, "adapters[0]: expected an adapter with name, fetch and close, got NoneType"),
        (
            (MemoryAdapter(SPECS), "x"),
            TypeError,
            "adapters[1]: expected an adapter with name, fetch and close",
        ),
        (
            (MemoryAdapter,),
            TypeError,
            "adapters[0]: expected an adapter with name, fetch and close, got the class",
        ),
        (([MemoryAdapter(SPECS)],), TypeError, "adapters[0]: expected an adapter"),
    ],
)
def test_arguments_that_cannot_be(adapters: tuple[Any, ...], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind) as caught:
        ChainAdapter(*adapters)
    assert str(caught.value).startswith(says)
