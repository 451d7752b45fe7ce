"""Config specs out of a Config Store, as one item."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from fastly_adapters import KEY, SPECS, TOKEN, adapter_for, asked, failure
from loopback import Listener, answering, http
from small_project import payload
from statsig_fastly import Statsig, StatsigOptions
from statsig_fastly.adapters import Payload, SpecAdapter
from statsig_fastly.adapters.fastly import FastlyDataAdapter
from statsig_fastly.emulator import Fault
from statsig_fastly.errors import AdapterError

if TYPE_CHECKING:
    from statsig_fastly.emulator import Emulator

CONFIG = "/resources/stores/config"
OTHER = SPECS.replace(b":1", b":2")
PATIENCE = 30


def config_adapter(emulator: Emulator, store: str = "specs", key: str | None = KEY) -> FastlyDataAdapter:
    return adapter_for(emulator, store, key, store_type="config")


def digest(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()


def test_it_is_an_adapter(fastly: Emulator) -> None:
    fastly.create_config_store("specs", {KEY: SPECS.decode()})
    adapter = config_adapter(fastly)
    assert isinstance(adapter, SpecAdapter)
    assert adapter.name == "FastlyConfig"
    assert (adapter.store, adapter.config_spec_key) == ("specs", KEY)
    assert adapter.fetch() == Payload(SPECS, digest(SPECS), None)
    adapter.close()
    adapter.close()


def test_a_client_evaluates_what_is_in_it(fastly: Emulator) -> None:
    fastly.create_config_store("specs", {KEY: payload().decode()})
    with Statsig("secret-key", StatsigOptions(data_adapter=config_adapter(fastly))) as statsig:
        gate = statsig.get_feature_gate("u-1", "on")
        assert (gate.value, gate.details.reason) == (True, "Adapter(FastlyConfig):Recognized")
        assert statsig.sync().result(PATIENCE).changed is False


def test_an_unchanged_value_is_no_news(fastly: Emulator) -> None:
    fastly.create_config_store("specs", {KEY: SPECS.decode()})
    adapter = config_adapter(fastly)
    assert adapter.fetch(digest(SPECS)) is None
    fastly.set_config_item("specs", KEY, OTHER.decode())
    assert adapter.fetch(digest(SPECS)) == Payload(OTHER, digest(OTHER), None)
    # Within the second that `updated_at` does not tell apart.
    fastly.set_config_item("specs", KEY, SPECS.decode())
    assert adapter.fetch(digest(OTHER)) == Payload(SPECS, digest(SPECS), None)


def test_an_id_is_used_as_it_is_and_a_name_looked_up_once(fastly: Emulator) -> None:
    store = fastly.create_config_store("my specs/ü", {KEY: SPECS.decode()})
    config_adapter(fastly, store).fetch()
    assert asked(fastly, CONFIG) == [f"GET /{store}/item/{KEY}"]
    by_name = config_adapter(fastly, "my specs/ü")
    by_name.fetch()
    by_name.fetch()
    item = f"GET /{store}/item/{KEY}"
    assert asked(fastly, CONFIG) == ["GET ?name=my%20specs%2F%C3%BC", item, item]


def test_ids_have_letters_of_both_cases() -> None:
    item = json.dumps({"item_value": SPECS.decode()}).encode()
    with Listener(answering(http(200, item))) as server:
        adapter = FastlyDataAdapter("1xF" * 7 + "Z", KEY, store_type="config", token=TOKEN, api=server.url)
        assert adapter.fetch() is not None
        assert len(server.received) == 1


def test_a_store_made_anew_under_its_name_is_found_again(fastly: Emulator) -> None:
    old = fastly.create_config_store("specs", {KEY: SPECS.decode()})
    adapter = config_adapter(fastly)
    assert adapter.fetch() is not None
    fastly._config.delete(old)
    fastly.create_config_store("specs", {KEY: OTHER.decode()})
    found = adapter.fetch()
    assert found is not None
    assert found.body == OTHER


@pytest.mark.parametrize(
    "key", ["a/b", "../up", "a b", "100%", "%2e%2e", "ключ", "a&b=c+d", "a|b#c?d", "k" * 255]
)
def test_any_legal_key_arrives_as_it_is(fastly: Emulator, key: str) -> None:
    store = fastly.create_config_store("specs", {key: SPECS.decode()})
    found = config_adapter(fastly, store, key).fetch()
    assert found is not None
    assert found.body == SPECS
    assert len(fastly.requests) == 1


def test_text_is_utf_8(fastly: Emulator) -> None:
    value = '{"größe":"\N{SNOWMAN}\N{GRINNING FACE}","time":1}'
    fastly.create_config_store("specs", {KEY: value})
    assert config_adapter(fastly).fetch() == Payload(value.encode(), digest(value.encode()), None)


def test_the_widest_8000_characters_are_read() -> None:
    start, end = '{"x":"', '"}'
    value = start + "\N{GRINNING FACE}" * (8000 - len(start + end)) + end
    with Listener(answering(http(200, json.dumps({"item_value": value}).encode()))) as server:
        adapter = FastlyDataAdapter("a" * 22, KEY, store_type="config", token=TOKEN, api=server.url)
        found = adapter.fetch()
    assert found is not None
    assert found.body == value.encode()


@pytest.mark.parametrize("end", ["", ' "', "}"])
def test_a_value_that_was_cut_off_is_named_as_such(fastly: Emulator, end: str) -> None:
    value = ('{"x":{"y":"' + "z" * 8000)[: 8000 - len(end)] + end
    fastly.create_config_store("specs", {KEY: value})
    problem = failure(config_adapter(fastly))
    assert (problem.status, problem.retryable) == (200, False)
    assert "the value was cut off at 8,000 characters, the most a Config Store holds" in str(problem)
    for remedy in ("Target App", "compressed", "chunks", "KV Store"):
        assert remedy in str(problem)


def test_a_whole_value_of_8000_characters_is_fine(fastly: Emulator) -> None:
    whole = '{"x":"' + "z" * 7992 + '"}'
    assert len(whole) == 8000
    fastly.create_config_store("specs", {KEY: whole})
    assert config_adapter(fastly).fetch() is not None


# Failures


def test_a_missing_key_names_those_there_are(fastly: Emulator) -> None:
    store = fastly.create_config_store("specs", {"statsig-b": "x", "statsig-a": "x", "other": "x"})
    there = "its keys that start with 'statsig-': 'statsig-a', 'statsig-b'"
    for name in ("specs", store):
        problem = failure(config_adapter(fastly, name))
        assert (problem.status, problem.retryable) == (404, False)
        assert str(problem).startswith(f"reading key '{KEY}' of Config Store '{name}' at ")
        assert str(problem).endswith("the store has no such key; " + there)


@pytest.mark.parametrize("store", ["nosuch", "Abcdefghij0123456789zz"])
def test_a_missing_store_names_those_there_are(fastly: Emulator, store: str) -> None:
    assert str(failure(config_adapter(fastly, store))).endswith("this token sees no Config Store at all")
    fastly.create_kv_store(store)
    for name in ("production", "staging"):
        fastly.create_config_store(name)
    problem = failure(config_adapter(fastly, store))
    assert (problem.status, problem.retryable) == (404, False)
    assert str(problem).startswith(f"looking up Config Store '{store}' at ")
    assert str(problem).endswith("no such store; this token sees 'production', 'staging'")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_takes_the_token_nowhere(fastly: Emulator, status: int) -> None:
    store = fastly.create_config_store("specs", {KEY: SPECS.decode()})
    with Listener(answering(http(200, SPECS))) as elsewhere:
        for path, name in [("/item/", store), ("/config$", "specs")]:
            fastly.fault(Fault.redirect(f"{elsewhere.url}/x?{TOKEN}", status=status, path=path))
            problem = failure(config_adapter(fastly, name))
            assert (problem.status, problem.retryable) == (status, False)
            assert "which is refused because the token would go there" in str(problem)
        assert elsewhere.connections == 0


def test_the_token_travels_in_its_header_only(fastly: Emulator) -> None:
    fastly.create_config_store("specs", {KEY: SPECS.decode()})
    config_adapter(fastly).fetch()
    failure(config_adapter(fastly, key="missing"))
    failure(config_adapter(fastly, "missing"))
    assert len(fastly.requests) > 6
    for request in fastly.requests:
        assert [name for name, value in request.headers.items() if TOKEN in value] == ["fastly-key"]
        assert (request.method, request.body_bytes) == ("GET", b"")
        assert TOKEN not in request.raw_path


@pytest.mark.parametrize(
    ("fault", "says", "retryable"),
    [
        (Fault(status=401), "the token was refused", False),
        (Fault(status=429), "too many requests", True),
        (Fault(status=500), "the server failed", True),
        (Fault.error_page(), "got an HTML or XML page, most likely an error page; ask again later", True),
        (Fault(body=b""), 'expected JSON with a text "item_value", got something else; check api=', False),
        (Fault(body=b"[]"), 'expected JSON with a text "item_value"', False),
        (Fault(body=b"{}"), 'expected JSON with a text "item_value"', False),
        (Fault(body=b'{"item_value":5}'), 'expected JSON with a text "item_value"', False),
        (Fault(body=b'{"item_value":"\\ud800"}'), 'expected JSON with a text "item_value"', False),
        (Fault(body=b"[" * 100_000), 'expected JSON with a text "item_value"', False),
        (Fault(body=b'{"item_value":"<html>"}'), "the value is an HTML or XML page", True),
        (Fault(body=b'{"item_value":""}'), "the value is empty", False),
        (Fault(body=b'{"item_value":"[]"}'), "the value is not a JSON object: it starts with '[]'", False),
        (Fault(headers={"Content-Encoding": "br"}), "Content-Encoding 'br', which was not asked for", False),
        (Fault(truncate=20), "ended early", True),
        (Fault(reset="body"), "ended early", True),
        (Fault(reset="before"), "closed the connection", True),
        (Fault(chunked=True, body=b"x" * 300_000), "more than the limit", False),
        (Fault(body=TOKEN.encode()), "check api=", False),
        (Fault(status=500, body=TOKEN.encode()), "the server says: [token]", True),
    ],
)
def test_what_goes_wrong(fastly: Emulator, fault: Fault, says: str, retryable: bool) -> None:
    store = fastly.create_config_store("specs", {KEY: SPECS.decode()})
    adapter = config_adapter(fastly, store)
    fastly.fault(fault)
    problem = failure(adapter)
    assert says in str(problem)
    assert problem.retryable is retryable
    assert len(fastly.requests) == 1
    assert adapter.fetch() is not None


def test_a_value_that_is_the_token(fastly: Emulator) -> None:
    fastly.create_config_store("specs", {KEY: TOKEN})
    with pytest.raises(AdapterError, match=r"it starts with '\[token\]'$"):
        config_adapter(fastly).fetch()


@pytest.mark.parametrize("body", [b"", b"{}", b'{"data":[]}', b"nonsense", b"null"])
def test_a_lookup_that_answers_something_else(fastly: Emulator, body: bytes) -> None:
    fastly.fault(Fault(path="/config$", status=200, body=body))
    assert "expected JSON with a list, got something else; check api=" in str(failure(config_adapter(fastly)))
