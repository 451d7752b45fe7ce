"""What a KV Store may answer in place of config specs."""

from __future__ import annotations

import time
import traceback
from email.utils import formatdate

import pytest
import urllib3

from api_client import StandingClock
from fastly_adapters import ITEM, KEY, SPECS, TOKEN, adapter_for, failure
from loopback import Listener, answering, http
from printable import everything_printable
from statsig_fastly.adapters.fastly import FastlyDataAdapter
from statsig_fastly.emulator import Emulator, Fault
from statsig_fastly.errors import AdapterError


@pytest.fixture
def kv(fastly: Emulator) -> Emulator:
    """An emulator whose token must not show up in anything that was logged."""
    return fastly


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


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"Retry-After": "30"}, 30),
        (503, {"Retry-After": "30"}, 30),
        (429, {"Retry-After": "86400"}, 900),
        (429, {"Retry-After": formatdate(StandingClock().now + 40, usegmt=True)}, 40),
        (429, {"Fastly-RateLimit-Reset": str(int(StandingClock().now) + 50)}, 50),
        (429, {"Fastly-RateLimit-Reset": str(int(StandingClock().now) + 3600)}, 900),
        (429, {"Fastly-RateLimit-Reset": str(int(StandingClock().now) - 50)}, 0),
        (429, {"Retry-After": "30", "Fastly-RateLimit-Reset": str(int(StandingClock().now) + 50)}, 30),
        (429, {"Retry-After": "soon", "Fastly-RateLimit-Reset": str(int(StandingClock().now) + 50)}, 50),
        (503, {"Fastly-RateLimit-Reset": str(int(StandingClock().now) + 50)}, None),
        (429, {}, None),
        (403, {"Retry-After": "30"}, None),
        (302, {"Retry-After": "30"}, None),
    ],
)
def test_for_how_long_a_store_wants_to_be_left_alone(
    clock: StandingClock, status: int, headers: dict[str, str], seconds: float | None
) -> None:
    with Emulator(tokens=(TOKEN,), clock=clock) as kv:
        store = kv.create_kv_store("specs")
        held = str(kv.put(store, KEY, SPECS))
        kv.create_config_store("specs", {KEY: SPECS.decode()})
        kv.fault(Fault(status=status, headers=headers, times=4))
        adapters = [
            adapter_for(kv, store),
            adapter_for(kv),  # in the look-up of the store
            adapter_for(kv, store_type="config"),
        ]
        for adapter in adapters:
            assert failure(adapter).retry_after == seconds
        assert failure(adapters[0], held).retry_after == seconds  # by HEAD


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
        (b"\x1f\x8b\x08\x00", "the gzip value is not whole", False),
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
