"""That nobody sees the SDK key of a `StatsigCdnAdapter`, whatever fails and whoever writes a log."""

from __future__ import annotations

import copy
import logging
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import urllib3

from cdn_failures import KEY, PART, adapter_for, failure
from loopback import Listener, Peer, answering, http
from printable import everything_printable
from specs_server import SpecsServer
from statsig_fastly import AdapterError, StatsigCdnAdapter
from statsig_fastly.sdk_key import SdkKey
from statsig_fastly.transport import Request, Response, TransportError

if TYPE_CHECKING:
    from collections.abc import Iterator

SPECS = b'{"has_updates":true,"time":5,"checksum":"c"}'


@pytest.fixture(autouse=True)
def quiet_logs(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing that any library logs holds the key, at any level."""
    caplog.set_level(logging.DEBUG)
    yield
    for record in caplog.get_records("call"):
        said = logging.Formatter().format(record) + repr(vars(record))
        assert PART not in said, record.name


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize(
    "place", ["{other}/x", "//{host}/x", "/elsewhere/{key}.json", "https://u:{key}@{host}/"]
)
def test_a_redirect_is_not_followed(status: int, place: str) -> None:
    with Listener(answering(http(200, SPECS))) as other:
        location = place.format(other=other.url, host=other.url.partition("//")[2], key=KEY)
        with SpecsServer(http(status, b"", f"Location: {location}")) as server:
            problem = failure(adapter_for(server, retries=3, wait=pytest.fail))
            assert len(server.asked) == server.connections == 1
        assert other.connections == 0
    where = "another path" if place.startswith("/e") else other.url.partition("//")[2]
    assert (
        f"HTTP {status}: a redirect to {where}, which is refused because the SDK key would go there"
        in str(problem)
    )


def test_log_lines_name_the_request_without_the_key(caplog: pytest.LogCaptureFixture) -> None:
    with SpecsServer(http(200, SPECS, "no colon in this one")) as server, urllib3.PoolManager() as pool:
        adapter_for(server).fetch()
        adapter_for(server, transport=pool).fetch()
    lines = [record.getMessage() for record in caplog.records]
    assert [line for line in lines if "GET" in line] == [
        f'{server.url} "GET /v2/download_config_specs/[…].json HTTP/1.1" 200 {len(SPECS)}'
    ] * 2
    odd = [line for line in lines if "Failed to parse headers" in line]
    assert [f"(url={server.url}/v2/download_config_specs/[…].json)" in line for line in odd] == [True] * 2


def test_log_lines_of_others_are_theirs(caplog: pytest.LogCaptureFixture) -> None:
    with SpecsServer(http(200, SPECS)) as server, urllib3.PoolManager() as pool:
        StatsigCdnAdapter("secret-5", specs_url=server.specs_url, transport=pool).fetch()
        pool.request("GET", f"{server.url}/secret-5")
    assert caplog.text.count("secret-5") == 1


def test_a_key_with_signs_is_hidden_as_well(caplog: pytest.LogCaptureFixture) -> None:
    key = "secret-a/b%c"
    with SpecsServer(http(404, b"no secret-a/b%c nor secret-a%2Fb%25c")) as server:
        with pytest.raises(AdapterError) as caught:
            StatsigCdnAdapter(key, specs_url=server.specs_url).fetch()
        shown = everything_printable(caught.value) + caplog.text
    assert "a/b%c" not in shown
    assert "a%2Fb%25c" not in shown
    assert str(caught.value).endswith("no [SDK key] nor [SDK key]")


@pytest.mark.parametrize("padding", [0, 100, 150, 165, 180])
def test_a_server_that_sends_the_request_back(padding: int) -> None:
    # Messages are cut, which must not let half of the key through.
    def echo(peer: Peer) -> None:
        peer.send(b"?" * padding + peer.request())

    with Listener(echo) as server:
        assert "did not answer in HTTP" in str(failure(adapter_for(server)))


@pytest.mark.parametrize("padding", [0, 270, 285, 300])
@pytest.mark.parametrize("kind", [RuntimeError, OSError, TransportError])
def test_a_transport_that_tells_the_url(kind: type[Exception], padding: int) -> None:
    class Telling:
        def send(self, request: Request) -> Response:
            text = f"{'?' * padding}{request.url} {request.headers}"
            raise TransportError(text, reason="protocol") if kind is TransportError else kind(text)

        def close(self) -> None: ...

    assert failure(StatsigCdnAdapter(KEY, transport=Telling())).retryable


def test_a_request_shows_no_key() -> None:
    request = Request(method="GET", url=f"https://example.com/{KEY}.json", hide=KEY, headers={"k": KEY})
    assert repr(request) == "Request(GET https://example.com/[…].json)"
    assert repr(Request(method="HEAD", url="https://example.com/")) == "Request(HEAD https://example.com/)"


def test_nothing_else_shows_the_key() -> None:
    adapter = StatsigCdnAdapter(KEY)
    assert KEY not in repr(adapter) + repr([getattr(adapter, slot) for slot in type(adapter).__slots__])
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="holds an SDK key and cannot be pickled or copied"):
            attempt(adapter)
        with pytest.raises(TypeError, match="an SDK key cannot be pickled or copied"):
            attempt(SdkKey(KEY))


FORKS = """
import os, warnings
from statsig_fastly import StatsigCdnAdapter
from statsig_fastly.transport import Response

class Recording:
    def send(self, request):
        print(request.headers["statsig-server-session-id"], flush=True)
        return Response(200, {}, b'{"time":5}')
    def close(self): ...

adapter = StatsigCdnAdapter("secret-key", transport=Recording())
adapter.fetch()
if os.fork() == 0:
    adapter.fetch()
    adapter.fetch()
    os._exit(0)
os.wait()
adapter.fetch()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_child_has_a_session_of_its_own() -> None:
    program = [sys.executable, "-c", FORKS]
    ran = subprocess.run(program, capture_output=True, text=True, timeout=60, check=True)
    parent, child, again, after = ran.stdout.split()
    assert (child, parent) == (again, after)
    assert child != parent
