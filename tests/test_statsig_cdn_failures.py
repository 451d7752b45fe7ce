"""`StatsigCdnAdapter`: what it makes of failures, and of arguments."""

from __future__ import annotations

import gzip
import ssl
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from cdn_failures import KEY, adapter_for, failure
from loopback import Listener, Peer, answering, http
from specs_server import NO_UPDATES, SpecsServer
from statsig_fastly import StatsigCdnAdapter
from statsig_fastly.transport import HttpTransport, Request, Response

if TYPE_CHECKING:
    from pathlib import Path

SPECS = b'{"has_updates":true,"time":5,"checksum":"c"}'
HELD = "time=5 checksum=c"


# What an answer means

REFUSED = "the SDK key was refused; check sdk_key"
STATUSES = {
    # status: (retryable, made again at once, what is said)
    204: (False, False, "an answer nobody expects here; check specs_url"),
    302: (False, False, "an answer nobody expects here; check specs_url"),
    304: (False, False, "an answer nobody expects here; check specs_url"),
    400: (False, False, "bad request; check sdk_key and specs_url"),
    401: (False, True, REFUSED),
    403: (False, False, REFUSED),
    404: (False, True, "there is nothing for this SDK key at this address"),
    405: (False, False, "this address takes no such request"),
    408: (True, True, "the server gave up waiting"),
    410: (False, True, "an answer nobody expects here"),
    413: (False, False, "an answer nobody expects here"),
    425: (True, True, "an answer nobody expects here"),
    429: (True, False, "too many requests; ask less often"),
    500: (True, True, "the server failed; ask again later"),
    501: (False, False, "this address takes no such request"),
    503: (True, True, "the server failed; ask again later"),
    599: (True, True, "the server failed; ask again later"),
}


@pytest.mark.parametrize("status", STATUSES)
def test_what_a_status_means(status: int) -> None:
    retryable, at_once, says = STATUSES[status]
    waits: list[float] = []
    with SpecsServer(http(status, b"" if status in {204, 304} else b"{}")) as server:
        problem = failure(adapter_for(server, retries=3, wait=waits.append))
        assert str(problem).startswith(f"asking {server.host} for config specs: HTTP {status}: {says}")
        assert len(server.asked) == 1 + len(waits)
    assert (problem.status, problem.retryable, problem.retry_after) == (status, retryable, None)
    # As the official core waits between requests in the background.
    assert waits == ([0.2, 0.4, 0.8] if at_once else [])


def test_it_asks_once_unless_told_otherwise() -> None:
    with SpecsServer(http(500)) as server:
        failure(adapter_for(server))
        assert len(server.asked) == 1


@pytest.mark.parametrize("fails", [http(500), http(404), None, http(200, SPECS, length=90)])
def test_a_failure_that_passes_is_got_over_at_once(fails: bytes | None) -> None:
    waits: list[float] = []
    with SpecsServer(fails, fails, http(200, SPECS)) as server:
        payload = adapter_for(server, retries=3, wait=waits.append, read_timeout=0.2).fetch(
            HELD.replace("5", "4")
        )
        assert {str(asked.query) for asked in server.asked} == {"{'sinceTime': '4', 'checksum': 'c'}"}
    assert payload is not None
    assert payload.version == HELD
    assert waits == [0.2, 0.4]


def test_when_the_server_wants_to_be_asked_again() -> None:
    waits: list[float] = []
    with SpecsServer(http(503, b"", "Retry-After: 120")) as server:
        problem = failure(adapter_for(server, retries=3, wait=waits.append))
        assert (problem.retry_after, problem.retryable, waits) == (120.0, True, [])
        assert "it asks to be left alone for 120 s" in str(problem)
        server.answer(http(429, b"", "Retry-After: soon"))
        assert failure(adapter_for(server)).retry_after is None


def test_what_the_server_says_is_repeated_unless_it_is_a_page() -> None:
    echo = f'{{"error":"no\nsuch key: {KEY}"}}'.encode()
    with SpecsServer(http(403, echo), http(502, b"<html>" + KEY.encode())) as server:
        assert str(failure(adapter_for(server))).endswith(
            '; the server says: {"error":"no such key: [SDK key]"}'
        )
        assert str(failure(adapter_for(server))).endswith("ask again later")


def test_no_updates() -> None:
    with SpecsServer(NO_UPDATES) as server:
        adapter = adapter_for(server)
        assert adapter.fetch(HELD) is None
        for held in (None, "17"):
            problem = failure(adapter, held)
            assert "there is nothing newer, and was not told of any specs" in str(problem)
            assert (problem.status, problem.retryable) == (200, True)


PACKED = gzip.compress(SPECS)


@pytest.mark.parametrize(
    ("body", "encoding", "retryable", "says"),
    [
        (b"", "", True, "the answer is empty; ask again later"),
        (b" \n", "gzip", True, "the answer is empty; ask again later"),
        (b"<!doctype html>", "", True, "the answer is an HTML or XML page"),
        (b"[1]", "", False, "the answer is not a JSON object: it starts with '[1]'"),
        (
            b"secret-0123456789abcdefXYZ",
            "",
            False,
            "the answer is not a JSON object: it starts with '[SDK key]'",
        ),
        (
            b"\x0a\x05pro",
            "statsig-br",
            False,
            "the answer came with Content-Encoding 'statsig-br', which was not",
        ),
        (PACKED[:-9], "gzip", True, "the answer ended early: what was packed is not whole"),
        (PACKED + b"more", "gzip", True, "the answer cannot be unpacked: "),
        (PACKED[:10] + b"\xff" * 9, "gzip", True, "the answer cannot be unpacked: "),
        (PACKED * 65, "gzip", False, "the answer was packed in more than 64 pieces"),
        (
            gzip.compress(b"{" + b" " * 10_000_000),
            "gzip",
            False,
            "the answer has more than 100000 bytes when it",
        ),
    ],
)
def test_answers_without_specs(body: bytes, encoding: str, retryable: bool, says: str) -> None:
    headers = [f"Content-Encoding: {encoding}"] if encoding else []
    with SpecsServer(http(200, body, *headers)) as server:
        problem = failure(adapter_for(server, max_value_bytes=100_000, retries=3, wait=pytest.fail))
        assert str(problem).startswith(f"asking {server.host} for config specs: {says}")
    assert (problem.status, problem.retryable) == (200, retryable)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b"{" + b" " * 10_000_000)
    with SpecsServer(http(200, bomb, "Content-Encoding: gzip")) as server:
        adapter = adapter_for(server, max_value_bytes=100_000)
        failure(adapter)
        tracemalloc.start()
        try:
            failure(adapter)
            assert tracemalloc.get_traced_memory()[1] < 2_000_000
        finally:
            tracemalloc.stop()


def test_a_transport_that_has_unpacked_it_already() -> None:
    class Unpacking:
        def send(self, request: Request) -> Response:  # noqa: ARG002
            return Response(200, {"content-encoding": "gzip"}, SPECS)

        def close(self) -> None: ...

    payload = StatsigCdnAdapter(KEY, transport=Unpacking()).fetch()
    assert payload is not None
    assert payload.body == SPECS


# No whole answer


def test_a_server_that_cannot_be_reached() -> None:
    with SpecsServer(None) as server:
        host = server.host
        problem = failure(adapter_for(server))
        assert (problem.status, problem.retryable) == (None, True)
        assert "closed the connection without an answer" in str(problem)
    waits: list[float] = []
    problem = failure(StatsigCdnAdapter(KEY, specs_url=f"http://{host}/specs", retries=2, wait=waits.append))
    assert str(problem).startswith(f"asking {host} for config specs: {host} cannot be reached")
    assert "check the network, and specs_url" in str(problem)
    assert waits == [0.2, 0.4]


def test_a_server_that_says_nothing() -> None:
    with Listener(lambda peer: peer.stay_silent() if peer.request() else None) as server:
        problem = failure(adapter_for(server, read_timeout=0.05))
    assert "(read_timeout)" in str(problem)
    assert problem.retryable


def test_a_body_that_drips() -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.drip(http(200, SPECS), 0.02)

    with Listener(serve) as server:
        problem = failure(adapter_for(server, total_timeout=0.15))
    assert "(total_timeout)" in str(problem)


def test_too_large_is_not_asked_for_again() -> None:
    with SpecsServer(http(200, SPECS)) as server:
        problem = failure(adapter_for(server, max_value_bytes=10, retries=3, wait=pytest.fail))
    assert not problem.retryable
    assert "raise max_value_bytes" in str(problem)


def test_a_certificate_that_is_not_accepted(certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with Listener(answering(http(200, SPECS)), tls=context) as server:
        problem = failure(adapter_for(server, retries=3, wait=pytest.fail))
    assert "pass transport=urllib3.PoolManager(ca_certs=…)" in str(problem)
    assert not problem.retryable


# Arguments


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        ({"sdk_key": None}, TypeError, "sdk_key: expected str, got NoneType"),
        ({"sdk_key": b"secret"}, TypeError, "sdk_key: expected str, got bytes"),
        ({"sdk_key": ""}, ValueError, "sdk_key: expected an SDK key, got ''"),
        (
            {"sdk_key": f"{KEY}\n"},
            ValueError,
            "sdk_key: expected printable ASCII without spaces or line breaks, ",
        ),
        ({"sdk_key": "sécret"}, ValueError, "sdk_key: expected printable ASCII"),
        ({"specs_url": 5}, TypeError, "specs_url: expected str, got int"),
        (
            {"specs_url": ""},
            ValueError,
            "specs_url: expected a URL such as 'https://api.statsigcdn.com/v2/download",
        ),
        (
            {"specs_url": "http://example.com/x"},
            ValueError,
            "specs_url: expected https, or http on this machine",
        ),
        ({"specs_url": f"https://{KEY}@example.com"}, ValueError, "specs_url: expected a URL without user"),
        (
            {"specs_url": "https://example.com/?a=1"},
            ValueError,
            "specs_url: expected scheme, host and at most",
        ),
        ({"payload_format": "v3"}, ValueError, "payload_format: expected 'v1' or 'v2', got 'v3'"),
        ({"payload_format": []}, ValueError, "payload_format: expected 'v1' or 'v2', got []"),
        ({"connect_timeout": "3"}, TypeError, "connect_timeout: expected seconds"),
        ({"read_timeout": 0}, ValueError, "read_timeout: expected seconds above 0"),
        ({"total_timeout": float("inf")}, ValueError, "total_timeout: expected seconds above 0"),
        ({"max_value_bytes": 0}, ValueError, "max_value_bytes: expected a number above 0"),
        ({"transport": object()}, TypeError, "transport: expected an object with send() and close()"),
        ({"transport": HttpTransport}, TypeError, "transport: expected an object with send() and close()"),
        ({"service_name": 5}, TypeError, "service_name: expected str, got int"),
        ({"service_name": ""}, ValueError, "service_name: expected text, got ''"),
        ({"service_name": "a\r\nb: c"}, ValueError, "service_name: expected text without control characters"),
        ({"service_name": "\ud800"}, ValueError, "service_name: expected valid Unicode"),
        ({"retries": -1}, ValueError, "retries: expected a number above 0, got -1"),
        ({"retries": 6}, ValueError, "retries: expected 0 to 5, got 6"),
        ({"retries": True}, TypeError, "retries: expected int, got bool"),
        ({"retries": 1.0}, TypeError, "retries: expected int, got float"),
        ({"wait": 5}, TypeError, "wait: expected something to call with seconds, got int"),
    ],
)
def test_arguments_that_cannot_be(arguments: dict[str, Any], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind) as caught:
        StatsigCdnAdapter(**{"sdk_key": KEY, **arguments})
    assert str(caught.value).startswith(says)
    assert KEY not in str(caught.value)
