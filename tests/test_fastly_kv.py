from __future__ import annotations

import copy
import logging
import pickle
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import urllib3

from loopback import Listener, Peer, answering, http
from statsig_fastly.adapters import Payload, SpecAdapter
from statsig_fastly.adapters.fastly_kv import FastlyDataAdapter
from statsig_fastly.emulator import Emulator, Fault
from statsig_fastly.errors import AdapterError
from statsig_fastly.transport import HttpTransport, Request, Response, TransportError

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "statsig-1a2b3c"
SPECS = b'{"dynamic_configs":[],"feature_gates":[],"layer_configs":[],"has_updates":true,"time":1}'
TOKEN = "tok-0123456789abcdef-XYZ"
ITEM = r"/keys/."


@pytest.fixture
def kv(caplog: pytest.LogCaptureFixture) -> Iterator[Emulator]:
    """An emulator with a telling token, which must not show up in anything that was logged."""
    caplog.set_level(logging.DEBUG)
    with Emulator(tokens=(TOKEN,)) as emulator:
        yield emulator
    # Debug logging of every library, urllib3's among it, formatted as the most verbose handler would.
    records = caplog.get_records("call")
    assert not [
        record for record in records if TOKEN in logging.Formatter().format(record) + repr(vars(record))
    ]


def adapter_for(emulator: Emulator, store: str = "specs", key: str = KEY, **more: float) -> FastlyDataAdapter:
    timeouts = {"connect_timeout": 2.0, "read_timeout": 5.0, **more}
    limit = int(timeouts.pop("max_value_bytes", 25_000_000))
    return FastlyDataAdapter(
        store, key, token=TOKEN, api=emulator.url, max_value_bytes=limit, transport=None, **timeouts
    )


def asked(emulator: Emulator) -> list[str]:
    """`METHOD path?query` of what was asked since the last call."""
    said = [
        f"{request.method} {request.raw_path.removeprefix('/resources/stores/kv')}"
        for request in emulator.requests
    ]
    emulator.take_requests()
    return said


def failure(adapter: FastlyDataAdapter, held_version: str | None = None) -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        adapter.fetch(held_version)
    problem = caught.value
    assert "\n" not in str(problem)
    assert TOKEN not in everything_printable(problem)
    assert "Traceback" not in str(problem)
    return problem


def everything_printable(error: BaseException) -> str:
    """What the most talkative error reporter could show of it: the chain, and the package's locals."""
    shown = ["".join(traceback.format_exception(error))]
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop()
        if link is None:
            continue
        links += [link.__cause__, link.__context__]
        shown += [repr(link), repr(vars(link))]
        trace = link.__traceback__
        while trace is not None:
            if any(
                part in trace.tb_frame.f_code.co_filename for part in ("statsig_fastly", "urllib3", "http")
            ):
                shown += [f"{name}={value!r}" for name, value in trace.tb_frame.f_locals.items()]
            trace = trace.tb_next
    return "\n".join(shown)


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
    assert asked(kv) == [f"HEAD /{store}/keys/{KEY}", *[f"GET /{store}/keys/{KEY}"] * 3]


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


# Failures


def test_a_wrong_token(kv: Emulator) -> None:
    kv.create_kv_store("specs")
    adapter = FastlyDataAdapter("specs", KEY, token="wrong-token-9876543210", api=kv.url)
    with pytest.raises(AdapterError) as caught:
        adapter.fetch()
    problem = caught.value
    assert (problem.status, problem.retryable) == (401, False)
    host = kv.url.removeprefix("http://")
    assert str(problem).startswith(f"looking up KV store 'specs' at {host}: HTTP 401: the token was refused")
    assert "global:read" in str(problem)
    assert "FASTLY_API_TOKEN" in str(problem)
    assert "wrong-token" not in everything_printable(problem)


@pytest.mark.parametrize(
    ("status", "retryable", "says"),
    [
        (400, False, "bad request"),
        (401, False, "the token was refused"),
        (403, False, "needs the scope global:read"),
        (408, True, "ask again later"),
        (413, False, "Target App"),
        (429, True, "too many requests"),
        (500, True, "the server failed"),
        (502, True, "the server failed"),
        (503, True, "ask again later"),
        (504, True, "ask again later"),
        (418, False, "an answer nobody expects here"),
        (204, False, "an answer nobody expects here"),
        (304, False, "redirects are not followed"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_status(kv: Emulator, method: str, status: int, retryable: bool, says: str) -> None:
    store = kv.create_kv_store("specs")
    held = str(kv.put(store, KEY, SPECS)) if method == "HEAD" else None
    kv.fault(Fault(method=method, path=ITEM, status=status))
    problem = failure(adapter_for(kv, store), held)
    assert (problem.status, problem.retryable) == (status, retryable)
    host = kv.url.removeprefix("http://")
    assert str(problem).startswith(f"reading key '{KEY}' of KV store '{store}' at {host}: HTTP {status}: ")
    assert says in str(problem)
    assert len(kv.requests) == 1


def test_a_failed_lookup_of_the_store_is_tried_again(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    kv.put(store, KEY, SPECS)
    kv.fault(Fault(path="/kv$", status=503))
    adapter = adapter_for(kv)
    problem = failure(adapter)
    assert (problem.status, problem.retryable) == (503, True)
    assert "looking up KV store 'specs'" in str(problem)
    assert adapter.fetch() is not None


def test_429_says_when_to_come_back(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    headers = {"Retry-After": "30", "Fastly-RateLimit-Reset": "1700000000"}
    kv.fault(Fault(status=429, headers=headers))
    text = str(failure(adapter_for(kv, store)))
    assert "Retry-After: 30 s" in text
    assert "Fastly-RateLimit-Reset: 1700000000 (2023-11-14 22:13:20Z)" in text


def test_what_the_server_says_is_passed_on(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    adapter = adapter_for(kv, store)
    bodies = {
        b'{"msg":"Bad\\nluck","detail":"really"}': "the server says: Bad luck: really",
        b"plain  text\r\nover lines": "the server says: plain text over lines",
        b"\x1b[31m" + b"x" * 5000: "the server says: [31mxxx",
    }
    for body, said in bodies.items():
        kv.fault(Fault(status=500, body=body))
        text = str(failure(adapter))
        assert said in text
        assert len(text) < 500
    for body in (b"<html>secret</html>", b"\xff\xfe", b"[1]", b"", b'{"msg":5}', b"[" * 60_000):
        kv.fault(Fault(status=500, body=body))
        text = str(failure(adapter))
        assert "secret" not in text
        assert len(text) < 500


def test_a_server_that_echoes_the_token(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    adapter = adapter_for(kv, store)
    echoes = [
        Fault(status=401, body=b'{"msg":"no such token: ' + TOKEN.encode() + b'"}'),
        Fault(status=500, body=b"x" * 150 + TOKEN.encode()),
        Fault(status=429, headers={"Retry-After": TOKEN, "Fastly-RateLimit-Reset": TOKEN}),
        Fault(status=302, headers={"Location": f"https://{TOKEN}.example/{TOKEN}"}),
        Fault(status=200, body=TOKEN.encode()),
        Fault(status=200, body=b"{}", headers={"Content-Encoding": TOKEN}),
    ]
    kv.put(store, f"statsig-{TOKEN}", SPECS)
    for echo in [*echoes, Fault(status=404)]:
        kv.fault(echo)
        with pytest.raises(AdapterError) as caught:
            adapter.fetch()
        assert TOKEN[:8] not in "".join(traceback.format_exception(caught.value))
        assert "[token]" in str(caught.value)


def test_a_missing_key_names_those_there_are(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    for key in ("statsig-b", "statsig-a", "other"):
        kv.put(store, key, SPECS)
    for name in ("specs", store):
        problem = failure(adapter_for(kv, name))
        assert (problem.status, problem.retryable) == (404, False)
        assert str(problem).endswith(
            "the store has no such key; its keys that start with 'statsig-': 'statsig-a', 'statsig-b'"
        )
    assert "'statsig-a'" in str(failure(adapter_for(kv), "17"))  # found by HEAD


def test_a_missing_key_in_a_store_without_any(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    kv.put(store, "other", SPECS)
    text = str(failure(adapter_for(kv)))
    assert "HTTP 404: the store has no such key; it has no keys that start with 'statsig-'" in text
    assert "other" not in text


def test_a_missing_key_where_listing_fails(kv: Emulator) -> None:
    kv.create_kv_store("specs")
    kv.fault(Fault(path="/keys$", status=403))
    problem = failure(adapter_for(kv))
    assert problem.status == 404
    assert str(problem).endswith("the store has no such key; its keys could not be listed: HTTP 403")


def test_many_keys_are_not_all_named(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    for number in range(30):
        kv.put(store, f"statsig-{number:02}", SPECS)
    text = str(failure(adapter_for(kv)))
    assert "'statsig-00'" in text
    assert "'statsig-19' and 10 more" in text
    assert "'statsig-20'" not in text


@pytest.mark.parametrize("store", ["nosuch", "abcdefghij0123456789zz"])
def test_a_missing_store_names_those_there_are(kv: Emulator, store: str) -> None:
    text = str(failure(adapter_for(kv, store)))
    assert text.endswith("no such store; this token sees no KV store at all")
    for name in ("production", "staging"):
        kv.create_kv_store(name)
    problem = failure(adapter_for(kv, store))
    assert (problem.status, problem.retryable) == (404, False)
    assert str(problem).startswith(f"looking up KV store '{store}' at ")
    assert str(problem).endswith("no such store; this token sees 'production', 'staging'")


def test_many_stores_are_not_all_named(kv: Emulator) -> None:
    for number in range(30):
        kv.create_kv_store(f"store-{number:02}")
    assert "'store-19' and 10 more" in str(failure(adapter_for(kv, "nosuch")))


def test_404_where_the_store_cannot_be_asked_for(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    kv.fault(Fault(path=f"/{store}$", status=403))
    problem = failure(adapter_for(kv, store))
    assert problem.status == 404
    assert "HTTP 404: the key or the store does not exist" in str(problem)
    assert "HTTP 403" in str(problem)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"data":{}}', b'{"date":[]}', b"nonsense", b"<html>"])
def test_a_lookup_that_answers_something_else(kv: Emulator, body: bytes) -> None:
    kv.create_kv_store("specs")
    kv.fault(Fault(path="/kv$", status=200, body=body))
    problem = failure(adapter_for(kv))
    assert 'expected JSON with a list "data"' in str(problem)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_takes_the_token_nowhere(kv: Emulator, status: int) -> None:
    store = kv.create_kv_store("specs")
    held = str(kv.put(store, KEY, SPECS))
    with Listener(answering(http(200, SPECS))) as elsewhere:
        adapters = [
            adapter_for(kv, store),
            FastlyDataAdapter(store, KEY, token=TOKEN, api=kv.url, transport=urllib3.PoolManager(retries=9)),
        ]
        for adapter in adapters:
            for version in (None, held):
                kv.fault(Fault.redirect(f"{elsewhere.url}/x?{TOKEN}", status=status))
                problem = failure(adapter, version)
                assert (problem.status, problem.retryable) == (status, False)
                host = elsewhere.url.removeprefix("http://")
                assert f"a redirect to {host}, which is refused because the token would go there" in str(
                    problem
                )
        assert elsewhere.connections == 0
        assert len(kv.requests) == 4


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/elsewhere", "another path"),
        ("elsewhere", "another path"),
        ("//x.example/y", "x.example"),
        ("https://user@x.example:8443/y//z", "x.example:8443"),
    ],
)
def test_where_a_redirect_leads(kv: Emulator, location: str, target: str) -> None:
    store = kv.create_kv_store("specs")
    kv.fault(Fault.redirect(location))
    assert f"HTTP 301: a redirect to {target}, which is refused" in str(failure(adapter_for(kv, store)))


def test_nobody_listens() -> None:
    with Listener(answering(http())) as gone:
        url = gone.url
    problem = failure(FastlyDataAdapter("specs", KEY, token=TOKEN, api=url))
    assert (problem.status, problem.retryable) == (None, True)
    assert "cannot be reached: Connection refused; check the network" in str(problem)


def test_the_connection_breaks(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    kv.put(store, KEY, SPECS)
    adapter = adapter_for(kv, store)
    kv.fault(Fault(reset="before"))
    problem = failure(adapter)
    assert (problem.status, problem.retryable) == (None, True)
    assert "closed the connection without an answer" in str(problem)
    assert adapter.fetch() is not None


def test_a_server_that_says_nothing(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    kv.put(store, KEY, SPECS)
    kv.fault(Fault(delay=1.5))
    problem = failure(adapter_for(kv, store, read_timeout=0.2))
    assert (problem.status, problem.retryable) == (None, True)
    assert "sent nothing for 0.2 s (read_timeout)" in str(problem)


def test_a_server_that_trickles(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    kv.put(store, KEY, SPECS * 100)
    kv.fault(Fault(drip=0.05, drip_bytes=20))
    began = time.monotonic()
    problem = failure(adapter_for(kv, store, total_timeout=0.4))
    assert time.monotonic() - began < 5
    assert (problem.status, problem.retryable) == (200, True)
    assert "(total_timeout)" in str(problem)


def test_half_a_value(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    kv.put(store, KEY, SPECS)
    adapter = adapter_for(kv, store)
    for fault in (Fault(truncate=20), Fault(truncate=0), Fault(reset="body")):
        kv.fault(fault)
        problem = failure(adapter)
        assert problem.retryable
        assert problem.status == 200 or fault.reset
    kv.fault(Fault(chunked=True))
    payload = adapter.fetch()
    assert payload is not None
    assert payload.body == SPECS


def test_half_a_value_without_a_length_is_seen_by_the_stored_length(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    kv.put(store, KEY, SPECS)
    kv.fault(Fault(chunked=True, body=SPECS[:40]))
    problem = failure(adapter_for(kv, store))
    assert (problem.status, problem.retryable) == (200, True)
    assert f"the value is not whole: 40 of {len(SPECS)} bytes came" in str(problem)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_value_beyond_the_limit(kv: Emulator, chunked: bool) -> None:
    store = kv.create_kv_store("specs")
    kv.put(store, KEY, SPECS)
    adapter = adapter_for(kv, store, max_value_bytes=len(SPECS) - 1)
    if chunked:
        kv.fault(Fault(chunked=True))
    problem = failure(adapter)
    assert (problem.status, problem.retryable) == (200, False)
    assert f"limit {'of' if chunked else 'is'} {len(SPECS) - 1} bytes" in str(problem)
    assert "raise max_value_bytes" in str(problem)
    assert adapter_for(kv, store, max_value_bytes=len(SPECS)).fetch() is not None


@pytest.mark.parametrize(
    ("body", "says", "retryable"),
    [
        (b"", "the value is empty", False),
        (b" \r\n\t" * 100, "the value is empty", False),
        (b"<!doctype html><title>Oops</title>", "HTML or XML page", True),
        (b"  \n<html>", "HTML or XML page", True),
        (b"[]", "not a JSON object: it starts with '[]'", False),
        (b"null", "not a JSON object", False),
        (b"statsig", "not a JSON object", False),
        (b"\xef\xbb\xbf{}", "byte order mark", False),
        ('{"a":1}'.encode("utf-16"), "UTF-16", False),
        (b"\x1f\x8b\x08\x00", "compressed", False),
    ],
)
def test_a_value_that_is_no_json_object(kv: Emulator, body: bytes, says: str, retryable: bool) -> None:
    store = kv.create_kv_store("specs")
    kv.put(store, KEY, body)
    problem = failure(adapter_for(kv, store))
    assert (problem.status, problem.retryable) == (200, retryable)
    assert str(problem).startswith(f"reading key '{KEY}' of KV store '{store}' at ")
    assert says in str(problem)


def test_white_space_before_the_object_is_fine(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    kv.put(store, KEY, b" \n" * 50 + SPECS)
    payload = adapter_for(kv, store).fetch()
    assert payload is not None
    assert payload.body == b" \n" * 50 + SPECS


def test_an_error_page_with_status_200(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    kv.put(store, KEY, SPECS)
    adapter = adapter_for(kv, store)
    kv.fault(Fault.error_page())
    assert "most likely an error page" in str(failure(adapter))
    assert adapter.fetch() is not None


def test_a_content_encoding_nobody_asked_for(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    kv.put(store, KEY, SPECS)
    kv.fault(Fault(headers={"Content-Encoding": "br"}))
    assert "Content-Encoding 'br'" in str(failure(adapter_for(kv, store)))


# Arguments


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        ({"store": 5}, TypeError, "store: expected str, got int"),
        ({"store": ""}, ValueError, "store: expected text, got ''"),
        ({"store": "9lives"}, ValueError, "store: expected an id of 22"),
        ({"store": "a\nb"}, ValueError, "store: expected an id of 22"),
        ({"store": "a" * 256}, ValueError, "store: expected an id of 22"),
        ({"config_spec_key": None}, TypeError, "config_spec_key: expected str, got NoneType"),
        ({"config_spec_key": ""}, ValueError, "config_spec_key: expected text"),
        ({"config_spec_key": "."}, ValueError, "config_spec_key: must not be '.' or '..'"),
        ({"config_spec_key": ".."}, ValueError, "config_spec_key: must not be '.' or '..'"),
        ({"config_spec_key": "statsig|/v2"}, ValueError, "config_spec_key: must not contain '|'"),
        ({"config_spec_key": "a#"}, ValueError, "config_spec_key: must not contain '#'"),
        ({"config_spec_key": "a;"}, ValueError, "must not contain ';'"),
        ({"config_spec_key": "a?"}, ValueError, "must not contain '?'"),
        ({"config_spec_key": "a^"}, ValueError, "must not contain '^'"),
        ({"config_spec_key": "a\r"}, ValueError, "must not contain CR"),
        ({"config_spec_key": "a\n"}, ValueError, "must not contain LF"),
        ({"config_spec_key": "ü" * 513}, ValueError, "1 to 1024 bytes of UTF-8 (it has 1026)"),
        ({"config_spec_key": "\ud800"}, ValueError, "config_spec_key: must be valid Unicode"),
        ({"config_spec_key": ".well-known/acme-challenge/x"}, ValueError, "must not start with"),
        ({"token": 5}, TypeError, "token: expected str or None, got int"),
        ({"token": ""}, ValueError, "token: expected a Fastly API token, got ''"),
        ({"token": TOKEN + "\n"}, ValueError, "token: expected printable ASCII"),
        ({"token": "tökén-0123"}, ValueError, "token: expected printable ASCII"),
        ({"api": 5}, TypeError, "api: expected str, got int"),
        ({"api": ""}, ValueError, "api: expected"),
        ({"api": "api.fastly.com"}, ValueError, "api: expected"),
        ({"api": "http://api.fastly.com"}, ValueError, "the token would travel unencrypted"),
        ({"api": "http://127.0.0.1.evil.example"}, ValueError, "the token would travel unencrypted"),
        ({"api": "http://localhost.evil.example"}, ValueError, "the token would travel unencrypted"),
        ({"api": "http://10.0.0.1"}, ValueError, "the token would travel unencrypted"),
        ({"api": "http://127.0.0.1@evil.example"}, ValueError, "without user information"),
        ({"api": "http://127.0.0.1\\.evil.example"}, ValueError, "api: expected"),
        ({"api": "https://evil.example\\@api.fastly.com"}, ValueError, "without user information"),
        ({"api": "ftp://127.0.0.1"}, ValueError, "expected https"),
        ({"api": "https://"}, ValueError, "api: expected a URL"),
        ({"api": "https://x.example:99999"}, ValueError, "api: expected a URL"),
        ({"api": "https://x.example?a=b"}, ValueError, "at most a plain path"),
        ({"api": "https://x.example/#f"}, ValueError, "at most a plain path"),
        ({"api": "https://x.example/a b"}, ValueError, "at most a plain path"),
        ({"connect_timeout": 0}, ValueError, "connect_timeout: expected seconds above 0, got 0"),
        ({"connect_timeout": "3"}, TypeError, "connect_timeout: expected seconds as int or float, got str"),
        ({"read_timeout": None}, TypeError, "read_timeout: expected seconds"),
        ({"read_timeout": float("nan")}, ValueError, "read_timeout: expected seconds above 0, got nan"),
        ({"read_timeout": True}, TypeError, "read_timeout: expected seconds as int or float, got bool"),
        ({"total_timeout": -1.5}, ValueError, "total_timeout: expected seconds above 0, got -1.5"),
        ({"total_timeout": float("inf")}, ValueError, "total_timeout: expected seconds above 0, got inf"),
        ({"max_value_bytes": 0}, ValueError, "max_value_bytes: expected a number above 0, got 0"),
        ({"max_value_bytes": 1.5}, TypeError, "max_value_bytes: expected int, got float"),
        ({"max_value_bytes": True}, TypeError, "max_value_bytes: expected int, got bool"),
        ({"transport": "http"}, TypeError, "transport: expected an object with send() and close()"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, object], kind: type[Exception], says: str) -> None:
    given: dict[str, object] = {"store": "specs", "config_spec_key": KEY, "token": TOKEN, **arguments}
    with pytest.raises(kind) as caught:
        FastlyDataAdapter(**given)  # type: ignore[arg-type]  # wrong on purpose
    assert says in str(caught.value)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("api", "base"),
    [
        ("https://api.fastly.com", "https://api.fastly.com"),
        ("https://API.Fastly.com/", "https://api.fastly.com"),
        ("https://gateway.example:8443/fastly/", "https://gateway.example:8443/fastly"),
        ("http://localhost:7676", "http://localhost:7676"),
        ("http://127.5.5.5", "http://127.5.5.5"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_where_the_token_may_go(api: str, base: str) -> None:
    adapter = FastlyDataAdapter("specs", KEY, token=TOKEN, api=api)
    assert repr(adapter) == f"FastlyDataAdapter(store='specs', config_spec_key='{KEY}', api='{base}')"


def test_the_api_may_have_a_path() -> None:
    with Listener(answering(http(200, SPECS))) as server:
        FastlyDataAdapter("a" * 22, KEY, token=TOKEN, api=f"{server.url}/fastly/").fetch()
        start = f"GET /fastly/resources/stores/kv/{'a' * 22}/keys/{KEY} HTTP/1.1\r\n"
        assert server.received[0].decode().startswith(start)


# The token


def test_the_token_comes_from_the_environment(kv: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    store = kv.create_kv_store("specs")
    kv.put(store, KEY, SPECS)
    monkeypatch.setenv("FASTLY_API_TOKEN", TOKEN)
    adapter = FastlyDataAdapter("specs", KEY, api=kv.url)
    monkeypatch.setenv("FASTLY_API_TOKEN", "another")  # read at construction, not later
    assert adapter.fetch() is not None
    assert {request.headers["fastly-key"] for request in kv.requests} == {TOKEN}


@pytest.mark.parametrize("value", [None, ""])
def test_no_token_anywhere(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("FASTLY_API_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("FASTLY_API_TOKEN", value)
    with pytest.raises(ValueError, match=r"^token: .* environment variable FASTLY_API_TOKEN is not set"):
        FastlyDataAdapter("specs", KEY)


def test_a_broken_token_in_the_environment_is_named_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTLY_API_TOKEN", f"{TOKEN}\n")
    with pytest.raises(ValueError, match=r"^environment variable FASTLY_API_TOKEN: expected") as caught:
        FastlyDataAdapter("specs", KEY)
    assert TOKEN not in str(caught.value)


def test_nothing_of_the_adapter_shows_the_token(kv: Emulator) -> None:
    kv.create_kv_store("specs")
    kv.put("specs", KEY, SPECS)
    adapter = adapter_for(kv)
    adapter.fetch()
    assert not hasattr(adapter, "__dict__")
    shown = [repr(adapter), str(adapter), f"{adapter!a}"]
    for name in FastlyDataAdapter.__slots__:
        part = getattr(adapter, name)
        shown += [repr(part), repr(getattr(part, "__dict__", ""))]
    assert not [text for text in shown if TOKEN in text]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="holds a token and cannot be pickled"):
            pickle.dumps(adapter, protocol)
    for duplicate in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="holds a token"):
            duplicate(adapter)
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        pickle.dumps(adapter._token)


def test_the_token_travels_in_its_header_only(kv: Emulator) -> None:
    kv.create_kv_store("specs")
    kv.put("specs", KEY, SPECS)
    adapter = adapter_for(kv)
    payload = adapter.fetch()
    assert payload is not None
    adapter.fetch(payload.version)
    failure(adapter_for(kv, "specs", "missing"))
    assert len(kv.requests) > 4
    for request in kv.requests:
        assert [name for name, value in request.headers.items() if TOKEN in value] == ["fastly-key"]
        assert TOKEN not in request.raw_path
        assert request.body_bytes == b""


# A transport of the caller's own


class Recorded:
    """Passes everything on to a real transport, or fails as told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.inner = HttpTransport()
        self.error = error
        self.asked: list[Request] = []
        self.closed = 0

    def send(self, request: Request) -> Response:
        self.asked.append(request)
        if self.error is not None:
            raise self.error
        return self.inner.send(request)

    def close(self) -> None:
        self.closed += 1


def test_a_transport_of_the_callers_own(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    kv.put(store, KEY, SPECS)
    transport = Recorded()
    adapter = FastlyDataAdapter(
        store, KEY, token=TOKEN, api=kv.url, connect_timeout=1, read_timeout=2, total_timeout=3,
        max_value_bytes=1000, transport=transport,
    )  # fmt: skip
    assert adapter.fetch() is not None
    request = transport.asked[0]
    assert (request.connect_timeout, request.read_timeout, request.total_timeout) == (1.0, 2.0, 3.0)
    assert request.max_body_bytes == 1000
    assert TOKEN not in repr(request)
    adapter.close()
    assert transport.closed == 0  # it is the caller's
    transport.inner.close()


@pytest.mark.parametrize(
    ("error", "retryable", "says"),
    [
        (TransportError("it took too long", reason="timeout"), True, "it took too long"),
        (TransportError("not trusted", reason="tls"), False, "not trusted; for an own certificate authority"),
        (ConnectionResetError(104, f"reset\nby {TOKEN}"), True, "ConnectionResetError: [Errno 104] reset by"),
        (OSError(), True, "OSError"),
    ],
)
def test_failures_of_a_transport_of_the_callers_own(error: Exception, retryable: bool, says: str) -> None:
    adapter = FastlyDataAdapter("specs", KEY, token=TOKEN, transport=Recorded(error))
    with pytest.raises(AdapterError) as caught:
        adapter.fetch()
    assert caught.value.retryable is retryable
    assert str(caught.value).startswith("looking up KV store 'specs' at api.fastly.com: ")
    assert says in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_mistake_in_a_transport_of_the_callers_own_stays_one() -> None:
    adapter = FastlyDataAdapter("specs", KEY, token=TOKEN, transport=Recorded(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        adapter.fetch()


# Threads


def together(adapter: FastlyDataAdapter, count: int = 20) -> list[Payload | AdapterError | None]:
    start = threading.Barrier(count)

    def ask(_: int) -> Payload | AdapterError | None:
        start.wait(10)
        try:
            return adapter.fetch()
        except AdapterError as problem:
            return problem

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(ask, range(count)))


def test_twenty_threads_look_the_store_up_once(kv: Emulator) -> None:
    store = kv.create_kv_store("specs")
    generation = str(kv.put(store, KEY, SPECS))
    kv.fault(Fault(path="/kv$", delay=0.2))  # so that all of them wait for it
    assert together(adapter_for(kv)) == [Payload(SPECS, generation, None)] * 20
    said = asked(kv)
    assert said.count("GET ?name=specs") == 1
    assert said.count(f"GET /{store}/keys/{KEY}") == 20


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_forked_child_is_not_locked_out() -> None:
    program = (
        "import os, sys\n"
        "from statsig_fastly.adapters.fastly_kv import FastlyDataAdapter\n"
        "adapter = FastlyDataAdapter('specs', 'k', token='t', api=sys.argv[1])\n"
        "adapter._lock.acquire()\n"  # as if another thread were looking the store up
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if adapter.fetch().body == b'{}' else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    lookup = b'{"data":[{"id":"abc","name":"specs"}]}'
    with Listener(answering(http(200, lookup), http(200, b"{}"))) as server:
        subprocess.run([sys.executable, "-c", program, server.url], check=True, timeout=60)
        assert len(server.received) == 2


def test_twenty_threads_share_one_failed_lookup() -> None:
    inside = threading.Event()

    def silent(peer: Peer) -> None:
        peer.request()
        inside.set()
        peer.stay_silent()

    with Listener(silent) as server:
        adapter = FastlyDataAdapter("specs", KEY, token=TOKEN, api=server.url, read_timeout=0.5)
        began = time.monotonic()
        outcomes = together(adapter)
        took = time.monotonic() - began
        assert inside.is_set()
        assert len(server.received) < 5  # those that came too late for the first one
    assert took < 5  # and not twenty timeouts in a row
    assert all(isinstance(outcome, AdapterError) and outcome.retryable for outcome in outcomes)
    assert len({id(outcome) for outcome in outcomes}) == 20
