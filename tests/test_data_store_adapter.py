"""`DataStoreAdapter`: what the official core wrote, stores and answers of every shape, failures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from statsig_python_core import DataStore, DataStoreResponse
from statsig_python_core import Statsig as OfficialStatsig
from statsig_python_core import StatsigOptions as OfficialOptions

from data_stores import KEY, SPECS, V2_KEY, V3_KEY, KeptBytes, KeptText, Returning
from loopback import http
from reference import NEVER_MS
from specs_server import SpecsServer
from statsig_fastly import AdapterError, DataStoreAdapter, Payload, Statsig, StatsigOptions
from statsig_fastly.adapters import SpecAdapter
from statsig_fastly.sample_project import sample_project


def official(store: DataStore, server: SpecsServer, schema: str | None) -> OfficialStatsig:
    """The official core, started with this store."""
    core = OfficialStatsig(
        KEY,
        OfficialOptions(
            data_store=store,
            data_store_key_schema_version=schema,
            specs_url=server.specs_url,
            log_event_url=f"{server.url}/v1/log_event",
            specs_sync_interval_ms=NEVER_MS,
            disable_all_logging=True,
            disable_disk_access=True,
            disable_country_lookup=True,
            output_log_level="none",
        ),
    )
    core.initialize().wait()
    return core


def fetched(adapter: DataStoreAdapter, held_version: str | None = None) -> Payload:
    payload = adapter.fetch(held_version)
    assert payload is not None
    return payload


def failure(store: object, **more: Any) -> AdapterError:  # noqa: ANN401 - arguments of the adapter
    with pytest.raises(AdapterError) as caught:
        DataStoreAdapter(store, KEY, **more).fetch()
    assert "\n" not in str(caught.value)
    return caught.value


# With the official core


@pytest.mark.parametrize("schema", ["v2", "v3"])
@pytest.mark.parametrize("kind", [KeptText, KeptBytes])
def test_what_the_official_core_wrote_is_read(kind: type[KeptText | KeptBytes], schema: Any) -> None:  # noqa: ANN401
    body = json.dumps(sample_project()).encode()
    store = kind()
    with SpecsServer(http(200, body)) as server:
        core = official(store, server, schema)
        assert core.get_initialize_details().source == "Network"
        assert store.written.wait(60)
        core.shutdown().wait()
        assert list(store.kept) == [V2_KEY if schema == "v2" else V3_KEY]

        adapter = DataStoreAdapter(store, KEY, key_schema=schema)
        payload = fetched(adapter)
        assert (payload.body, payload.source, payload.metadata) == (body, None, None)
        assert adapter.fetch(payload.version) is None

        # The same object serves both.
        core = official(store, server, schema)
        assert core.get_initialize_details().source == "Adapter(DataStore)"
        users = [f"user-{number}" for number in range(20)]
        with Statsig(KEY, StatsigOptions(data_adapter=adapter, disable_all_logging=True)) as statsig:
            reason = statsig.get_feature_gate("u", "test_fastly").details.reason
            ours = [statsig.check_gate(user, "test_fastly") for user in users]
        theirs = [core.check_gate(_user(user), "test_fastly") for user in users]
        core.shutdown().wait()
    assert reason == "Adapter(DataStore):Recognized"
    assert ours == theirs
    assert len(set(ours)) == 2


def _user(user_id: str) -> Any:  # noqa: ANN401 - the official package has no types
    from statsig_python_core import StatsigUser

    return StatsigUser(user_id)


# Stores


def test_it_is_an_adapter() -> None:
    store = KeptText()
    store.kept[V2_KEY] = SPECS
    adapter = DataStoreAdapter(store, KEY)
    assert isinstance(adapter, SpecAdapter)
    assert adapter.name == "DataStore"
    assert repr(adapter) == f"DataStoreAdapter(KeptText, key={V2_KEY!r})"
    assert store.calls == []
    first = fetched(adapter)
    assert first.body == SPECS.encode()
    store.kept[V2_KEY] = SPECS.replace("1", "2")
    assert fetched(adapter, first.version).body == SPECS.replace("1", "2").encode()
    adapter.close()
    adapter.close()
    assert store.calls == ["initialize", *[f"get {V2_KEY}"] * 2, "shutdown"]
    assert adapter.fetch() is not None
    adapter.close()
    assert store.calls[4:] == ["initialize", f"get {V2_KEY}", "shutdown"]


def test_what_was_never_used_is_not_shut_down() -> None:
    store = KeptText()
    DataStoreAdapter(store, KEY).close()
    assert store.calls == []


def test_methods_may_be_inherited() -> None:
    class More(KeptBytes):
        pass

    class WithoutCallingTheBase(KeptText):
        def __init__(self) -> None:
            self.kept = {V2_KEY: SPECS}
            self.calls = []

    store = More()
    store.kept[V2_KEY] = SPECS.encode()
    assert fetched(DataStoreAdapter(store, KEY)).body == SPECS.encode()
    assert fetched(DataStoreAdapter(WithoutCallingTheBase(), KEY)).body == SPECS.encode()


def test_text_is_read_where_there_are_no_bytes() -> None:
    class Both(KeptText):
        def get_bytes(self, key: str) -> Any:  # noqa: ANN401
            self.calls.append(f"get_bytes {key}")
            return None if "bytes" not in self.kept else SimpleNamespace(result=b'{"bytes":1}')

    store = Both()
    store.kept[V2_KEY] = SPECS
    adapter = DataStoreAdapter(store, KEY)
    assert fetched(adapter).body == SPECS.encode()
    store.kept["bytes"] = ""
    assert fetched(adapter).body == b'{"bytes":1}'
    assert store.calls == ["initialize", f"get_bytes {V2_KEY}", f"get {V2_KEY}", f"get_bytes {V2_KEY}"]


@dataclass
class Response:
    """Like the official one, and no subclass of it."""

    result: object


@pytest.mark.parametrize(
    "answer",
    [
        *(SPECS, SPECS.encode(), bytearray(SPECS.encode()), memoryview(SPECS.encode())),
        *(Response(SPECS), Response(SPECS.encode()), Response({"time": 1, "name": "ü"})),
        *({"result": SPECS}, {"result": SPECS.encode(), "time": 5}, {"result": {"time": 1, "name": "ü"}}),
        *({"time": 1, "name": "ü"}, MappingProxyType({"time": 1, "name": "ü"})),
        DataStoreResponse(result=SPECS, time=None),
    ],
    ids=lambda answer: repr(answer).partition(" at ")[0],
)
def test_shapes_of_answers(answer: object) -> None:
    assert fetched(DataStoreAdapter(Returning(answer), KEY)).body == SPECS.encode()


@pytest.mark.parametrize("answer", [None, "", b"", Response(None), Response(""), {"result": None}], ids=repr)
def test_a_key_that_is_not_there(answer: object) -> None:
    problem = failure(Returning(answer))
    assert str(problem) == (
        f"reading key {V2_KEY!r} of Returning: the store has nothing under this key; has the official "
        "SDK, or whatever fills the store, written to it?"
    )
    assert (problem.status, problem.retryable) == (None, False)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (5, "expected a DataStoreResponse or None from get, got int"),
        ([SPECS], "expected a DataStoreResponse or None from get, got list"),
        (Response(5), "expected text, bytes or a mapping as result of get, got int"),
        ({"result": [1]}, "expected text, bytes or a mapping as result of get, got list"),
        ({"result": {"a": {1}}}, "result: expected a mapping that JSON can hold: got set"),
        (Response("\ud800"), "result: expected valid Unicode, got half a surrogate pair"),
        ("<html>", "the value is an HTML or XML page"),
        (b"[1]", "the value is not a JSON object: it starts with '[1]'"),
    ],
)
def test_values_that_cannot_be(answer: object, says: str) -> None:
    assert str(failure(Returning(answer))).startswith(f"reading key {V2_KEY!r} of Returning: {says}")


# Failures


class Raising:
    """A store of which one method raises."""

    def __init__(self, method: str, error: BaseException) -> None:
        self.asked: list[str] = []
        self._method, self._error = method, error

    def _call(self, method: str) -> None:
        self.asked.append(method)
        if method == self._method:
            raise self._error

    def initialize(self) -> None:
        self._call("initialize")

    def get(self, key: str) -> str:  # noqa: ARG002
        self._call("get")
        return SPECS

    def support_polling_updates_for(self, key: str) -> bool:
        self._call("support_polling_updates_for")
        return key == "/v2/download_config_specs"

    def shutdown(self) -> None:
        self._call("shutdown")


def test_a_store_that_raises() -> None:
    store = Raising("get", OSError(f"no route to {V2_KEY}\nat all"))
    problem = failure(store)
    assert (
        str(problem) == f"reading key {V2_KEY!r} of Raising: get raised OSError: no route to {V2_KEY} at all"
    )
    assert problem.retryable
    assert problem.__cause__ is store._error


def test_a_store_that_cannot_be_initialized_is_not_used() -> None:
    store = Raising("initialize", OSError())
    adapter = DataStoreAdapter(store, KEY)
    for _ in range(2):
        with pytest.raises(AdapterError, match=r"initialize raised OSError$"):
            adapter.fetch()
    adapter.close()
    assert store.asked == ["initialize", "initialize"]
    store._method = ""
    assert adapter.fetch() is not None


def test_a_store_that_cannot_be_shut_down() -> None:
    store = Raising("shutdown", OSError())
    adapter = DataStoreAdapter(store, KEY)
    adapter.fetch()
    with pytest.raises(AdapterError, match=r"shutdown raised OSError$"):
        adapter.close()
    adapter.close()
    assert store.asked.count("shutdown") == 1


def test_what_is_no_failure_goes_through() -> None:
    with pytest.raises(KeyboardInterrupt):
        DataStoreAdapter(Raising("get", KeyboardInterrupt()), KEY).fetch()


def test_whether_it_wants_to_be_polled() -> None:
    assert DataStoreAdapter(Raising("", OSError()), KEY).supports_polling()
    assert not DataStoreAdapter(Returning(SPECS), KEY).supports_polling()
    assert not DataStoreAdapter(KeptText(), KEY).supports_polling()
    with pytest.raises(AdapterError, match=r"support_polling_updates_for raised OSError$"):
        DataStoreAdapter(Raising("support_polling_updates_for", OSError()), KEY).supports_polling()
