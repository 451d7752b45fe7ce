from __future__ import annotations

import gzip
import logging
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import urllib3

from loopback import Listener, Peer, answering, http
from statsig_fastly.transport import (
    HttpTransport,
    Request,
    Response,
    Transport,
    TransportError,
    as_transport,
    user_agent,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TypedDict

    from typing_extensions import Unpack

    class Limits(TypedDict, total=False):
        connect_timeout: float
        read_timeout: float
        total_timeout: float
        max_body_bytes: int


SECRET = "tok-0123456789abcdef"


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    it = HttpTransport()
    yield it
    it.close()


def get(url: str, method: str = "GET", body: bytes | None = None, **limits: Unpack[Limits]) -> Request:
    return Request(method=method, url=url, headers={"Fastly-Key": SECRET}, body=body, **limits)


def failure(transport: Transport, request: Request) -> TransportError:
    with pytest.raises(TransportError) as caught:
        transport.send(request)
    assert "\n" not in str(caught.value)
    return caught.value


def locals_of(error: BaseException) -> str:
    """All an error reporter could print: every exception in the chain, every frame, every local."""
    seen: list[str] = []
    chain: list[BaseException | None] = [error]
    while chain:
        link = chain.pop()
        if link is None:
            continue
        seen.append(repr(link))
        chain += [link.__cause__, link.__context__]
        trace = link.__traceback__
        while trace is not None:
            if any(
                part in trace.tb_frame.f_code.co_filename for part in ("statsig_fastly", "urllib3", "http")
            ):
                seen += [repr(value) for value in trace.tb_frame.f_locals.values()]
            trace = trace.tb_next
    return "\n".join(seen)


def test_nothing_heavy_is_imported_before_the_first_request() -> None:
    program = (
        "import sys\n"
        "import statsig_fastly.transport, statsig_fastly.adapters.fastly as kv\n"
        "import statsig_fastly.adapters.fastly_toml, statsig_fastly.adapters.memory\n"
        "kv.FastlyDataAdapter('specs', 'statsig-1', token='t')\n"
        "print([m for m in ('urllib3', 'ssl', 'asyncio', 'http.client') if m in sys.modules])\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_one_connection_serves_many_requests(transport: HttpTransport) -> None:
    with Listener(answering(http(200, b"one"), http(404, b"no"), http(200, b"three"))) as server:
        answers = [transport.send(get(server.url + "/x")) for _ in range(3)]
        assert server.connections == 1
    assert [(a.status, a.body) for a in answers] == [(200, b"one"), (404, b"no"), (200, b"three")]


def test_head_has_no_body_whatever_length_it_names(transport: HttpTransport) -> None:
    with Listener(answering(http(200, length=90_000_000), http(200, b"later"))) as server:
        head = transport.send(get(server.url, "HEAD", max_body_bytes=10))
        later = transport.send(get(server.url))
        assert server.connections == 1
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "90000000")
    assert later.body == b"later"


def test_what_is_sent(transport: HttpTransport) -> None:
    with Listener(answering(http())) as server:
        transport.send(get(server.url + "/a%2Fb?c=d"))
        head = server.received[0].decode().split("\r\n")
    assert head[0] == "GET /a%2Fb?c=d HTTP/1.1"
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    assert fields["user-agent"] == user_agent()
    assert user_agent().startswith("statsig-fastly/")
    assert fields["accept-encoding"] == "identity"
    assert fields["fastly-key"] == SECRET
    assert "transfer-encoding" not in fields


def test_a_body_is_sent_whole_with_its_length(transport: HttpTransport) -> None:
    body = bytes(range(256)) * 4096
    with Listener(answering(http())) as server:
        transport.send(get(server.url, "PUT", body))
        head, _, sent = server.received[0].partition(b"\r\n\r\n")
    assert sent == body
    assert f"content-length: {len(body)}".encode() in head.lower()
    assert b"transfer-encoding" not in head.lower()


def test_header_names_are_lower_case_and_repeated_ones_joined(transport: HttpTransport) -> None:
    with Listener(answering(http(200, b"", "X-Cache: HIT", "x-cache: MISS", "GENERATION: 7"))) as server:
        headers = transport.send(get(server.url)).headers
    assert headers["x-cache"] == "HIT, MISS"
    assert headers["generation"] == "7"


def test_a_redirect_is_an_answer_and_nobody_goes_there(transport: HttpTransport) -> None:
    with (
        Listener(answering(http(200, b"trap"))) as elsewhere,
        Listener(answering(http(307, b"", f"Location: {elsewhere.url}/x"))) as server,
    ):
        for pool in (transport, HttpTransport(urllib3.PoolManager(retries=5))):
            answer = pool.send(get(server.url))
            assert (answer.status, answer.headers["location"]) == (307, f"{elsewhere.url}/x")
        assert elsewhere.connections == 0
        assert len(server.received) == 2


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_nothing_is_asked_twice(transport: HttpTransport, status: int) -> None:
    with Listener(answering(http(status, b"", "Retry-After: 0"))) as server:
        assert transport.send(get(server.url)).status == status
        assert HttpTransport(urllib3.PoolManager(retries=3)).send(get(server.url)).status == status
        assert len(server.received) == 2


def test_a_lost_answer_is_not_asked_for_again(transport: HttpTransport) -> None:
    with Listener(lambda peer: peer.reset() if peer.request() else None) as server:
        problem = failure(transport, get(server.url))
        assert len(server.received) == 1
    assert (problem.reason, problem.status, problem.retryable) == ("unreachable", None, True)
    assert "closed the connection without an answer" in str(problem)


def test_connection_refused(transport: HttpTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    problem = failure(transport, get(f"http://127.0.0.1:{port}/secret-free"))
    assert (problem.reason, problem.retryable) == ("unreachable", True)
    assert str(problem) == f"127.0.0.1:{port} cannot be reached: Connection refused"


def test_a_proxy_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    proxied = as_transport(urllib3.ProxyManager(f"http://127.0.0.1:{port}"))
    problem = failure(proxied, get("https://api.fastly.example/x"))
    assert problem.reason == "unreachable"
    assert "api.fastly.example cannot be reached through the proxy: Connection refused" in str(problem)


def test_an_injected_proxy_is_used() -> None:
    with Listener(answering(http(200, b"by proxy"))) as proxy:
        pool = urllib3.ProxyManager(proxy.url)
        answer = as_transport(pool).send(get("http://127.0.0.1:9/x"))
        assert proxy.received[0].startswith(b"GET http://127.0.0.1:9/x HTTP/1.1")
        pool.clear()
    assert answer.body == b"by proxy"


def test_read_timeout_before_the_answer(transport: HttpTransport) -> None:
    def silent(peer: Peer) -> None:
        peer.request()
        peer.stay_silent()

    with Listener(silent) as server:
        problem = failure(transport, get(server.url, read_timeout=0.2))
    assert (problem.reason, problem.retryable, problem.status) == ("timeout", True, None)
    assert "sent nothing for 0.2 s (read_timeout)" in str(problem)


def test_read_timeout_in_the_body(transport: HttpTransport) -> None:
    def stuck(peer: Peer) -> None:
        peer.request()
        peer.send(http(200, b"half", length=8))
        peer.stay_silent()

    with Listener(stuck) as server:
        problem = failure(transport, get(server.url, read_timeout=0.2))
    assert (problem.reason, problem.status) == ("timeout", 200)
    assert "(read_timeout)" in str(problem)


@pytest.mark.parametrize("where", ["headers", "body"])
def test_total_timeout_bounds_an_answer_that_trickles(transport: HttpTransport, where: str) -> None:
    def trickle(peer: Peer) -> None:
        peer.request()
        answer = http(200, b"x" * 10_000, "X-Long: " + "y" * 10_000)
        if where == "body":
            head, _, body = answer.partition(b"\r\n\r\n")
            peer.send(head + b"\r\n\r\n")
            answer = body
        peer.drip(answer, 0.02)

    with Listener(trickle) as server:
        began = time.monotonic()
        problem = failure(transport, get(server.url, read_timeout=5, total_timeout=0.4))
        assert time.monotonic() - began < 3
    assert problem.reason == "timeout"
    assert "within 0.4 s (total_timeout)" in str(problem)


def test_total_timeout_bounds_silence_too(transport: HttpTransport) -> None:
    def stuck(peer: Peer) -> None:
        peer.request()
        peer.send(http(200, b"half", length=8))
        peer.stay_silent()

    with Listener(stuck) as server:
        began = time.monotonic()
        problem = failure(transport, get(server.url, read_timeout=10, total_timeout=0.3))
        assert time.monotonic() - began < 5
    assert "within 0.3 s (total_timeout)" in str(problem)


def test_total_timeout_with_a_pool_of_the_callers() -> None:
    def trickle(peer: Peer) -> None:
        peer.request()
        peer.send(http(200, b"", length=10**9))
        while not peer.listener.ended.wait(0.01):
            peer.send(b"x" * 65536)

    with Listener(trickle) as server, urllib3.PoolManager() as pool:
        limits = get(server.url, total_timeout=0.3, max_body_bytes=2 * 10**9)
        problem = failure(HttpTransport(pool), limits)
    assert (problem.reason, problem.status) == ("timeout", 200)


def test_connect_timeout(transport: HttpTransport) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = []
        try:
            for _ in range(3):  # fills the backlog: the next one is never let in
                sock = socket.socket()
                sock.setblocking(False)
                sock.connect_ex(full.getsockname())
                waiting.append(sock)
            address = f"127.0.0.1:{full.getsockname()[1]}"
            problem = failure(transport, get(f"http://{address}", connect_timeout=0.3))
        finally:
            for sock in waiting:
                sock.close()
    assert (problem.reason, problem.retryable) == ("timeout", True)
    assert str(problem) == f"no connection to {address} within 0.3 s (connect_timeout)"


def test_connect_timeout_in_the_tls_handshake(transport: HttpTransport) -> None:
    with Listener(lambda peer: peer.stay_silent()) as server:
        problem = failure(
            transport, get(f"https://127.0.0.1:{server.port}", connect_timeout=0.3, read_timeout=9)
        )
    assert problem.reason == "timeout"
    assert "(connect_timeout)" in str(problem)


def test_not_tls_at_all(transport: HttpTransport) -> None:
    with Listener(lambda peer: peer.send(b"220 mail ready\r\n")) as server:
        problem = failure(transport, get(f"https://127.0.0.1:{server.port}"))
    assert problem.reason == "unreachable"
    assert "no TLS connection" in str(problem)


def test_not_http_at_all(transport: HttpTransport) -> None:
    def mail(peer: Peer) -> None:
        peer.request()
        peer.send(b"220 mail ready\r\n")

    with Listener(mail) as server:
        problem = failure(transport, get(server.url))
    assert problem.reason == "protocol"
    assert "did not answer in HTTP" in str(problem)


def test_a_certificate_nobody_vouches_for(transport: HttpTransport, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with Listener(answering(http(200, b"private")), tls=context) as server:
        problem = failure(transport, get(server.url))
        assert (problem.reason, problem.retryable) == ("tls", False)
        assert "certificate" in str(problem)
        assert server.received == []
        with urllib3.PoolManager(ca_certs=str(cert)) as pool:
            assert as_transport(pool).send(get(server.url)).body == b"private"


def chunks(*pieces: bytes, end: bool) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return head + body + (b"0\r\n\r\n" if end else b"")


@pytest.mark.parametrize(
    ("answer", "cut"),
    [
        (http(200, b"{" * 10, length=11), Peer.close),
        (http(200, b"", length=1), Peer.close),
        (http(200, b"{" * 10, length=11), Peer.reset),
        (chunks(b"{", b"{" * 99, end=False), Peer.close),
        (chunks(b"{", end=False) + b"ff\r\n{", Peer.close),
    ],
)
def test_a_truncated_body_is_no_answer(
    transport: HttpTransport, answer: bytes, cut: Callable[[Peer], None]
) -> None:
    def break_off(peer: Peer) -> None:
        peer.request()
        peer.send(answer)
        cut(peer)

    with Listener(break_off) as server, urllib3.PoolManager() as pool:
        for sender in (transport, HttpTransport(pool)):
            problem = failure(sender, get(server.url))
            # A reset may overtake the first bytes, and then there was no answer at all.
            overtaken = cut is Peer.reset and problem.reason == "unreachable"
            assert overtaken or (problem.reason, problem.status) == ("truncated", 200)
            assert problem.retryable


def test_whole_bodies_in_every_framing(transport: HttpTransport) -> None:
    def until_closed(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end")

    with Listener(answering(chunks(b"in", b" pieces", end=True))) as server:
        assert transport.send(get(server.url)).body == b"in pieces"
        assert transport.send(get(server.url)).body == b"in pieces"
        assert server.connections == 1
    with Listener(until_closed) as server:
        assert transport.send(get(server.url)).body == b"to the end"


def test_a_length_above_the_limit_is_refused_unread(transport: HttpTransport) -> None:
    def announce(peer: Peer) -> None:
        peer.request()
        peer.send(http(200, length=1001))
        peer.stay_silent()  # whoever wants the body waits until read_timeout

    with Listener(announce) as server:
        problem = failure(transport, get(server.url, max_body_bytes=1000))
    assert (problem.reason, problem.status, problem.retryable) == ("too-large", 200, False)
    assert "announced a body of 1001 bytes; the limit is 1000 bytes" in str(problem)


def test_a_stream_beyond_the_limit_is_cut(transport: HttpTransport) -> None:
    def endless(peer: Peer) -> None:
        peer.request()
        peer.send(chunks(end=False))
        while not peer.listener.ended.is_set():
            peer.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    with Listener(endless) as server:
        problem = failure(transport, get(server.url, max_body_bytes=200_000))
    assert problem.reason == "too-large"
    assert "more than the limit of 200000 bytes" in str(problem)


def test_the_limit_itself_is_allowed(transport: HttpTransport) -> None:
    body = b"x" * 100_000
    with Listener(answering(http(200, body), chunks(body, end=True))) as server:
        for _ in range(2):
            assert transport.send(get(server.url, max_body_bytes=len(body))).body == body


@pytest.mark.parametrize("length", ["-5", "1e3", "٣", "5, 6"])
def test_a_length_that_is_none(transport: HttpTransport, length: str) -> None:
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nabc".encode()

    def odd(peer: Peer) -> None:
        peer.request()
        peer.send(answer)

    with Listener(odd) as server:
        assert failure(transport, get(server.url)).reason == "protocol"


def test_content_encoding_is_left_alone(transport: HttpTransport) -> None:
    packed = gzip.compress(b"{}")
    with Listener(answering(http(200, packed, "Content-Encoding: gzip"))) as server:
        answer = transport.send(get(server.url))
    assert answer.body == packed
    assert answer.headers["content-encoding"] == "gzip"


def test_the_body_of_an_error_is_cut_and_never_hides_the_status(transport: HttpTransport) -> None:
    def broken(peer: Peer) -> None:
        peer.request()
        peer.send(http(503, b"tried", length=50))

    with Listener(answering(http(500, b"e" * 300_000))) as server:
        answer = transport.send(get(server.url, max_body_bytes=10))
        assert (answer.status, answer.body) == (500, b"e" * 65536)
        assert transport.send(get(server.url)).status == 500
    with Listener(broken) as server:
        answer = transport.send(get(server.url))
        assert (answer.status, answer.body) == (503, b"tried")


def test_the_token_shows_nowhere(transport: HttpTransport, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    request = get("http://127.0.0.1:1/")
    assert SECRET not in repr(request)
    with Listener(lambda peer: peer.reset() if peer.request() else None) as broken:
        for url in ("http://127.0.0.1:1/", broken.url):
            problem = failure(transport, get(url))
            assert SECRET not in locals_of(problem)
    with Listener(answering(http())) as server:
        transport.send(get(server.url))
    assert caplog.records
    assert SECRET not in caplog.text


def test_many_threads_share_it(transport: HttpTransport) -> None:
    with Listener(answering(http(200, b"{}"))) as server, ThreadPoolExecutor(20) as threads:
        start = threading.Barrier(20)

        def ask(_: int) -> set[bytes]:
            start.wait(10)
            return {transport.send(get(server.url)).body for _ in range(5)}

        assert list(threads.map(ask, range(20))) == [{b"{}"}] * 20
        assert len(server.received) == 100
        assert server.connections <= 20


def test_an_own_pool_closes_and_opens_again(transport: HttpTransport) -> None:
    transport.close()
    with Listener(answering(http(200, b"{}"))) as server:
        transport.send(get(server.url))
        transport.close()
        transport.close()
        assert transport.send(get(server.url)).body == b"{}"
        assert server.connections == 2


def test_a_pool_of_the_callers_stays_open() -> None:
    with Listener(answering(http(200, b"{}"))) as server, urllib3.PoolManager() as pool:
        given = as_transport(pool)
        given.send(get(server.url))
        given.close()
        given.send(get(server.url))
        assert server.connections == 1


def test_a_failed_exchange_gives_its_connection_back() -> None:
    def announce(peer: Peer) -> None:
        while peer.request():
            peer.send(http(200, length=1001))

    with Listener(announce) as server, urllib3.PoolManager(maxsize=1, block=True) as pool:
        for _ in range(3):  # the second would wait for ever for the pool's only place
            assert failure(HttpTransport(pool), get(server.url, max_body_bytes=1)).reason == "too-large"


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_forked_child_does_not_share_a_connection() -> None:
    program = (
        "import os, sys\n"
        "from statsig_fastly.transport import HttpTransport, Request\n"
        "transport = HttpTransport()\n"
        "request = Request(method='GET', url=sys.argv[1])\n"
        "assert transport.send(request).status == 200\n"
        "transport._lock.acquire()\n"  # as if another thread held it at the time of the fork
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if transport.send(request).status == 200 else 1)\n"
        "transport._lock.release()\n"
        "assert transport.send(request).status == 200\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    with Listener(answering(http(200, b"{}"))) as server:
        subprocess.run([sys.executable, "-c", program, server.url], check=True, timeout=60)
        assert len(server.received) == 3
        assert server.connections == 2


def test_what_can_be_a_transport() -> None:
    class Mine:
        def send(self, request: Request) -> Response:
            return Response(200, {}, request.url.encode())

        def close(self) -> None: ...

    mine = Mine()
    assert as_transport(mine) is mine
    assert isinstance(as_transport(None), HttpTransport)
    for wrong in (object(), Mine, "http"):
        with pytest.raises(TypeError, match=r"^transport: expected .* got (object|type|str)$"):
            as_transport(wrong)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError, match=r"^pool: expected a urllib3.PoolManager or None, got Mine$"):
        HttpTransport(mine)  # type: ignore[arg-type]  # wrong on purpose
