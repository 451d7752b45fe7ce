"""`StatsigIdListAdapter` against a server on loopback: the requests and the lists of the official core."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import re
import shutil
import ssl
import subprocess
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from engine_under_test import our_engine
from id_list_server import CDN, Asked, IdListServer, ListedFile, OfficialRounds
from loopback import Listener, Peer, answering, http
from printable import everything_printable
from random_id_list_changes import changed_lists, index_in_trouble
from random_id_lists import LISTED
from reference import reference_user
from reference_id_lists import id_list_file
from statsig_fastly.adapters import IdListAdapter, IdListFile
from statsig_fastly.adapters.statsig_id_lists import StatsigIdListAdapter
from statsig_fastly.errors import AdapterError
from statsig_fastly.id_list_sync import IdListSync
from statsig_fastly.sample_users import Dice
from statsig_fastly.transport import Request, Response, TransportError
from test_id_lists import checks_project

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

KEY = "secret-0123456789abcdefXYZ"
NAMES = [f"L{number}" for number in range(8)]
PAYLOAD = json.dumps(checks_project(["L"])).encode()


@pytest.fixture(autouse=True)
def _no_key_in_logs(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    # Debug logging of every library, urllib3's among it, formatted as the most verbose handler would.
    records = caplog.get_records("call")
    assert not [
        record for record in records if KEY in logging.Formatter().format(record) + repr(vars(record))
    ]


def adapter_for(server: IdListServer, **more: Any) -> StatsigIdListAdapter:  # noqa: ANN401
    return StatsigIdListAdapter(KEY, **{"id_lists_url": server.index_url, **more})


def file_at(url: str, size: int = 20, name: str = "L") -> IdListFile:
    return IdListFile(name, "file", 1, size, url)


def failure(adapter: StatsigIdListAdapter, file: IdListFile | None = None, start: int = 0) -> AdapterError:
    """Why the index could not be read, or a file."""
    with pytest.raises(AdapterError) as caught:
        adapter.fetch_id_lists() if file is None else adapter.fetch_id_list(file, start)
    problem = caught.value
    assert "\n" not in str(problem)
    assert KEY not in everything_printable(problem)
    return problem


# The official core


@pytest.mark.parametrize("seed", range(3))
def test_after_every_round_answers_are_those_of_the_official_core(seed: int) -> None:
    dice = Dice(seed)
    payload = json.dumps(checks_project(NAMES)).encode()
    users = [(unit, reference_user({"userID": unit})) for unit in LISTED]
    on = answers = 0
    with (
        IdListServer(*NAMES) as theirs,
        IdListServer(*NAMES) as ours,
        OfficialRounds(payload, theirs, id_lists_url=theirs.index_url) as core,
        our_engine(payload) as statsig,
    ):
        sync = IdListSync(adapter_for(ours), statsig)
        for number in range(40):
            lists = changed_lists(dice, ours.lists, NAMES)
            ours.lists = theirs.lists = lists
            ours.index = theirs.index = index_in_trouble(dice)
            core.round()
            outcome = sync.round()
            for name in NAMES:
                expected = [core.reference.check("gate", f"unit {name}", user).value for _, user in users]
                got = [statsig.check_gate(unit, f"unit {name}") for unit, _ in users]
                assert got == expected, (number, name, lists.get(name), outcome)
                on += sum(got)
                answers += len(got)
            assert wanted(ours) == wanted(theirs), (number, outcome)
    assert answers // 8 < on < answers // 2


def wanted(server: IdListServer) -> list[tuple[str, str]]:
    """Which files were asked for since the last call, and from where on."""
    asked = [request for request in server.take_asked() if "/files/" in request.target]
    return sorted((request.target, request.headers["range"]) for request in asked)


def comparable(asked: Asked) -> Asked:
    """A request without what differs between two SDKs, or two requests of one."""
    headers = dict(asked.headers)
    key = headers.pop("statsig-api-key")
    assert re.fullmatch(r"1[6-9]\d{11}", headers.pop("statsig-client-time"))
    uuid.UUID(headers.pop("statsig-server-session-id"))
    assert re.fullmatch(r"[a-z-]+", headers.pop("statsig-sdk-type"))
    assert re.fullmatch(r"\d+\.\d+\.\d+", headers.pop("statsig-sdk-version"))
    assert headers.pop("user-agent", "statsig-fastly/").startswith("statsig-fastly/")
    assert headers.pop("accept-encoding", "identity") in {"identity", "gzip, br"}
    return Asked(
        asked.method, re.sub(r":\d+", ":port", asked.host), asked.target.replace(key, "[key]"), headers
    )


def requests_of_both(
    files_at: str | None = None, tls: ssl.SSLContext | None = None, ca: str | None = None, **options: str
) -> list[Asked]:
    """What is asked for a list, then for more of it, by the official core and by the adapter."""
    parts = [ListedFile(id_list_file("a")), ListedFile(id_list_file("ab"))]
    with IdListServer("L", tls=tls) as theirs, IdListServer("L", tls=tls) as ours:
        for server in (theirs, ours):
            server.files_at = files_at or server.files_at

        def given(server: IdListServer) -> dict[str, Any]:
            return {name: text.replace("SERVER", server.url) for name, text in options.items()}

        with (
            OfficialRounds(PAYLOAD, theirs, ca, **given(theirs)) as core,
            our_engine(PAYLOAD) as statsig,
            urllib3.ProxyManager(ours.url, ca_certs=ca) as pool,
        ):
            sync = IdListSync(StatsigIdListAdapter(KEY, transport=pool, **given(ours)), statsig)
            for part in parts:
                theirs.lists = ours.lists = {"L": part}
                core.round()
                assert sync.round().complete
            assert statsig.check_gate("b", "unit L")
            assert core.reference.check("gate", "unit L", {"userID": "b"}).value
        made = [comparable(asked) for asked in ours.asked]
        assert made == [comparable(asked) for asked in theirs.asked][:4]
    return made


def test_requests_are_those_of_the_official_core() -> None:
    index, first, _, more = requests_of_both(id_lists_url="SERVER/v1/get_id_lists?a=b%20c")
    assert (index.method, index.target) == ("POST", "/v1/get_id_lists?a=b%20c")
    assert index.headers["content-length"] == "0"
    assert (first.headers["range"], first.headers["statsig-id-list-file-size"]) == ("bytes=0-", "10")
    assert (more.headers["range"], more.headers["statsig-id-list-file-size"]) == ("bytes=10-", "20")


def test_files_are_asked_for_at_the_host_that_is_named() -> None:
    _, first, _, more = requests_of_both(
        files_at="https://files.example/files/{}?a=b",
        id_lists_url="SERVER/v1/get_id_lists",
        download_id_list_file_api="SERVER/some/v1",
        service_name="größe",
    )
    assert first.target == more.target == "/some/v1/files/0?a=b"
    assert first.headers["x-request-service"] == "größe".encode().decode("latin-1")


@pytest.fixture
def cdn(tmp_path: Path) -> tuple[ssl.SSLContext, str]:
    """What it takes to be Statsig's CDN for those who trust the certificate in that file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command to make a certificate")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", f"/CN={CDN}", "-addext", f"subjectAltName=DNS:{CDN}"),
            *("-addext", "basicConstraints=critical,CA:FALSE", "-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, str(cert)


def test_statsigs_cdn_is_asked_as_the_official_core_asks_it(cdn: tuple[ssl.SSLContext, str]) -> None:
    tls, ca = cdn
    index, first, _, more = requests_of_both(f"https://{CDN}/v1/files/{{}}", tls, ca)
    assert (index.method, index.target) == ("GET", "/v1/get_id_lists/[key].json")
    assert (first.target, first.headers["range"]) == ("/v1/files/0", "bytes=0-")
    assert (more.target, more.headers.get("range")) == ("/v1/files/0?range=10-", None)
    assert "statsig-id-list-file-size" not in more.headers


def test_an_index_on_the_cdn_is_asked_for_by_get(cdn: tuple[ssl.SSLContext, str]) -> None:
    tls, ca = cdn
    url = f"https://{CDN}/v1/get_id_lists/other.json"
    files = f"https://{CDN}/ä b/files/{{}}?x=y z#part"
    index, first, _, more = requests_of_both(files, tls, ca, id_lists_url=url)
    assert (index.method, index.target) == ("GET", "/v1/get_id_lists/other.json")
    assert first.target == "/%C3%A4%20b/files/0?x=y%20z"
    assert more.target == "/%C3%A4%20b/files/0?x=y%20z&range=10-"


# Parts of files


def test_a_server_that_ignores_ranges_sends_whole_files() -> None:
    # The official core takes them for what comes next, and counts too much.
    with IdListServer("L", ranges=False) as server, our_engine(PAYLOAD) as statsig:
        sync = IdListSync(adapter_for(server), statsig)
        for units in ("a", "ab", "abc", "abcd"):
            server.lists = {"L": ListedFile(id_list_file(units))}
            assert sync.round().complete
            assert [unit for unit in "abcdef" if statsig.check_gate(unit, "unit L")] == list(units)
        assert [start for _, start in wanted(server)] == ["bytes=0-", "bytes=10-", "bytes=20-", "bytes=30-"]


LINES = id_list_file("abc")


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (http(206, LINES[20:], "Content-Range: bytes 20-29/30"), LINES[20:]),
        (http(206, LINES[20:], "Content-Range: Bytes 20-29/*"), LINES[20:]),
        (http(206, LINES[20:]), LINES[20:]),
        (http(200, LINES[20:]), LINES[20:]),
        (http(200, LINES), LINES[20:]),
        (http(200, LINES + LINES), LINES[20:] + LINES),
        (http(200, LINES[:25]), LINES[20:25]),
        (http(200, LINES[:20]), b""),
    ],
)
def test_answers_to_a_question_for_a_part(answer: bytes, part: bytes) -> None:
    with Listener(answering(answer)) as server:
        adapter = StatsigIdListAdapter(KEY)
        assert adapter.fetch_id_list(file_at(f"{server.url}/x", 30), 20) == part
        adapter.close()


@pytest.mark.parametrize(
    ("answer", "says", "retryable"),
    [
        (
            http(206, LINES, "Content-Range: bytes 0-29/30"),
            "asked for the bytes from 20 on, and got those from 0 on",
            True,
        ),
        (http(206, LINES, "Content-Range: lines 20-29/30"), "got a Content-Range that says nothing", True),
        (
            http(206, LINES, "Content-Type: text/plain", f"Content-Range: {KEY}"),
            "got a Content-Range that says nothing",
            True,
        ),
        (http(200, LINES[:15]), "the file has 15 bytes, and had 20 before", True),
        (http(416), "HTTP 416: the file has no more than was read before", True),
        (http(404), "HTTP 404: there is nothing at this address", False),
        (http(204), "HTTP 204: an unexpected answer", False),
        (http(500), "HTTP 500: the server failed; ask again later", True),
        (http(501), "HTTP 501: an unexpected answer", False),
        (http(503, b"", "Retry-After: 7"), "it asks to be left alone for 7 s", True),
        (
            http(200, LINES, "Content-Encoding: gzip"),
            "Content-Encoding 'gzip', which was not asked for",
            False,
        ),
        (http(200, LINES, length=31), "ended early", True),
        (http(200, LINES * 4), "the limit is 100 bytes", False),
    ],
)
def test_answers_that_are_no_part(answer: bytes, says: str, retryable: bool) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(answer)

    with Listener(serve) as server:
        adapter = StatsigIdListAdapter(KEY, max_list_bytes=100)
        problem = failure(adapter, file_at(f"{server.url}/x?signature=s3cr3t", 30), 20)
        adapter.close()
    assert says in str(problem)
    assert str(problem).startswith(f"reading ID list 'L' at 127.0.0.1:{server.port}: ")
    assert "s3cr3t" not in str(problem)
    assert problem.retryable is retryable
    assert problem.retry_after == (7 if "Retry-After" in answer.decode() else None)


# Indexes


ENTRY = {"name": "L", "size": 10, "url": "https://files.example/1", "creationTime": 5, "fileID": "f"}


def index_of(**changes: object) -> bytes:
    entry = {name: value for name, value in {**ENTRY, **changes}.items() if value is not ...}
    return json.dumps({"L": entry}).encode()


def fetched(body: bytes) -> Sequence[IdListFile]:
    with IdListServer("L") as server:
        server.index = http(200, body)
        adapter = adapter_for(server)
        assert isinstance(adapter, IdListAdapter)
        files = adapter.fetch_id_lists()
        adapter.close()
    return files


@pytest.mark.parametrize(
    ("body", "file"),
    [
        (index_of(), IdListFile("L", "f", 5, 10, "https://files.example/1")),
        (index_of(more=1, name="M"), IdListFile("L", "f", 5, 10, "https://files.example/1")),
        (index_of(name=..., fileID=...), IdListFile("L", "", 5, 10, "https://files.example/1")),
        (
            index_of(fileID=None, creationTime=-(2**63)),
            IdListFile("L", "", -(2**63), 10, "https://files.example/1"),
        ),
        (index_of(size=2**64 - 1, url=""), IdListFile("L", "f", 5, 2**64 - 1, "")),
    ],
)
def test_an_index_is_read_as_the_official_core_reads_it(body: bytes, file: IdListFile) -> None:
    assert fetched(body) == [file]


def test_an_index_without_lists() -> None:
    assert fetched(b" {} ") == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "expected a JSON object, got something else"),
        (b"[]", "expected a JSON object, got something else"),
        (b"null", "expected a JSON object, got something else"),
        (b"\xff", "expected a JSON object, got something else"),
        (b"[" * 100_000, "expected a JSON object, got something else"),
        (b" <html></html>", "expected a JSON object, got an HTML or XML page"),
        (b'{"L": 5}', "list 'L': expected an object, got int"),
        (index_of(size="10"), "list 'L': field `size`: expected a number of bytes, got '10'"),
        (index_of(size=-1), "field `size`: expected a number of bytes, got '-1'"),
        (index_of(size=10.0), "field `size`: expected a number of bytes, got '10.0'"),
        (index_of(size=True), "field `size`: expected a number of bytes, got 'True'"),
        (index_of(size=2**64), "field `size`: expected a number of bytes, got '18446744073709551616'"),
        (index_of(size=...), "field `size`: expected a number of bytes, got 'None'"),
        (index_of(creationTime=1.5), "field `creationTime`: expected a time in ms, got '1.5'"),
        (
            index_of(creationTime=2**63),
            "field `creationTime`: expected a time in ms, got '9223372036854775808'",
        ),
        (index_of(url=...), "field `url`: expected a string, got NoneType"),
        (index_of(fileID=5), "field `fileID`: expected a string, got int"),
        (index_of(fileID="\ud800"), "expected valid Unicode, got half a surrogate pair"),
        (b'{"\\ud800": {}}', "field `size`"),
    ],
)
def test_an_index_with_a_fault_is_refused_as_a_whole(body: bytes, says: str) -> None:
    with IdListServer("L") as server:
        server.index = http(200, body)
        adapter = adapter_for(server)
        problem = failure(adapter)
        adapter.close()
    assert says in str(problem)
    assert str(problem).startswith(f"asking 127.0.0.1:{server.port} for the ID lists: ")
    assert (problem.status, problem.retryable) == (200, True)


@pytest.mark.parametrize(
    ("answer", "says", "retryable"),
    [
        (http(401), "HTTP 401: the server refused the SDK key, or wants one; check sdk_key", False),
        (http(403, KEY.encode()), "HTTP 403: the server refused the SDK key", False),
        (http(429, b"", "Retry-After: 60"), "HTTP 429: too many requests", True),
        (http(204), "HTTP 204: an unexpected answer; check sdk_key and id_lists_url", False),
        (http(200, b"{}", "Content-Encoding: br"), "Content-Encoding 'br'", False),
    ],
)
def test_other_answers_to_the_question_for_the_index(answer: bytes, says: str, retryable: bool) -> None:
    with IdListServer("L") as server:
        server.index = answer
        adapter = adapter_for(server)
        problem = failure(adapter)
        adapter.close()
    assert says in str(problem)
    assert problem.retryable is retryable


# Where the key goes


def keys_sent(url: str, server: Listener, **more: Any) -> list[str]:  # noqa: ANN401
    """Asks for the file at a URL; the keys that arrived at the server."""
    adapter = StatsigIdListAdapter(KEY, **more)
    try:
        adapter.fetch_id_list(file_at(url), 0)
    finally:
        adapter.close()
    return [Asked.of(request).headers.get("statsig-api-key", "none") for request in server.received]


def test_the_key_goes_to_the_hosts_that_were_named_and_to_no_others() -> None:
    with Listener(answering(http(200, LINES))) as server:
        url = f"{server.url}/x"
        assert keys_sent(url, server) == ["none"]
        assert keys_sent(url, server, id_lists_url="http://127.0.0.1:1/index")[1:] == ["none"]
        assert keys_sent(url, server, id_lists_url=f"http://localhost:{server.port}/index")[2:] == ["none"]
        assert keys_sent(url, server, id_lists_url=f"{server.url}/index")[3:] == [KEY]
        named = {"download_id_list_file_api": server.url}
        assert keys_sent("https://files.example/x", server, **named)[4:] == [KEY]
        assert keys_sent("nonsense", server, **named)[5:] == [KEY]


@pytest.mark.parametrize(
    ("host", "sent"),
    [
        ("api.statsigcdn.com", True),
        ("API.StatsigCDN.com:443", True),
        ("statsigapi.net", True),
        ("x.y.statsigapi.net:8443", True),
        ("notstatsigapi.net", False),
        ("api.statsigcdn.com.files.example", False),
        ("statsigapi.net.", False),
        ("files.example", False),
    ],
)
def test_the_key_goes_to_statsigs_own_hosts(host: str, sent: bool) -> None:
    asked: list[Request] = []

    class Recording:
        def send(self, request: Request) -> Response:
            asked.append(request)
            return Response(200, {}, LINES)

        def close(self) -> None: ...

    adapter = StatsigIdListAdapter(KEY, id_lists_url="https://lists.example/", transport=Recording())
    file = file_at(f"https://{host}/x")
    if host.endswith("."):
        assert "expected a URL such as" in str(failure(adapter, file))
        return
    adapter.fetch_id_list(file, 0)
    assert ("statsig-api-key" in asked[0].headers) is sent


def test_who_is_refused_without_the_key_is_told_where_it_goes() -> None:
    with Listener(answering(http(403))) as server:
        adapter = StatsigIdListAdapter(KEY)
        problem = failure(adapter, file_at(f"{server.url}/x"))
        adapter.close()
    assert "the SDK key is sent to Statsig's hosts and those of id_lists_url and" in str(problem)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    with Listener(answering(http(200, LINES))) as other, IdListServer("L") as server:
        server.index = http(status, b"", f"Location: {other.url}/{KEY}")
        server.lists = {"L": ListedFile(answer=server.index)}
        adapter = adapter_for(server)
        for problem in (failure(adapter), failure(adapter, file_at(f"{server.url}/files/0"))):
            assert f"HTTP {status}: a redirect to 127.0.0.1:{other.port}, and none are followed" in str(
                problem
            )
            assert problem.retryable is False
        adapter.close()
        assert other.received == []


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://files.example/x", "the list would travel unencrypted"),
        ("ftp://127.0.0.1/x", "the list would travel unencrypted"),
        ("https://user:word@files.example/x", "expected a URL without user information"),
        ("/files/1", "expected a URL such as"),
        ("", "expected a URL such as"),
        ("https://", "expected a URL such as"),
        ("https://[::1/x", "url: expected a URL (Invalid IPv6 URL)"),
        ("https://files.example:99999/x", "expected a URL"),
    ],
)
def test_files_at_odd_addresses_are_not_asked_for(url: str, says: str) -> None:
    problem = failure(StatsigIdListAdapter(KEY), file_at(url))
    assert says in str(problem)
    assert str(problem).startswith("reading ID list 'L': url: ")
    assert "word" not in str(problem)
    assert (problem.status, problem.retryable) == (None, False)


def test_failures_of_any_transport_are_errors_of_the_adapter() -> None:
    class Failing:
        def __init__(self, error: Exception) -> None:
            self.error = error

        def send(self, request: Request) -> Response:
            assert KEY not in repr(request)
            raise self.error

        def close(self) -> None: ...

    for error, says, retryable in (
        (
            TransportError(f"no route to {KEY}", reason="unreachable"),
            "no route to [SDK key]; check the",
            True,
        ),
        (TransportError("bad", reason="tls"), "bad; for an own certificate authority pass", False),
        (OSError(f"reset by {KEY}"), "OSError: reset by [SDK key]", True),
        (ValueError("odd"), "ValueError: odd", True),
    ):
        adapter = StatsigIdListAdapter(KEY, transport=Failing(error))
        with pytest.raises(AdapterError) as caught:
            adapter.fetch_id_lists()
        assert str(caught.value).startswith("asking api.statsigcdn.com for the ID lists: ")
        assert says in str(caught.value)
        assert caught.value.retryable is retryable
        assert caught.value.__cause__ is caught.value.__context__ is None


def test_it_gives_the_key_away_to_nobody() -> None:
    adapter = StatsigIdListAdapter(KEY, id_lists_url=f"https://lists.example/{KEY}?token=t")
    assert repr(adapter) == "StatsigIdListAdapter('https://lists.example')"
    for give_away in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="holds an SDK key"):
            give_away(adapter)
    adapter.close()
    adapter.close()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"sdk_key": 5}, "sdk_key: expected str, got int"),
        ({"sdk_key": ""}, "sdk_key: expected an SDK key, got ''"),
        ({"sdk_key": f"{KEY}\n"}, f"another character at position {len(KEY)} of {len(KEY) + 1}"),
        ({"id_lists_url": 5}, "id_lists_url: expected str, got int"),
        ({"id_lists_url": ""}, "id_lists_url: expected text, got ''"),
        ({"id_lists_url": "http://lists.example/x"}, "the SDK key would travel unencrypted"),
        (
            {"id_lists_url": "https://a:b@lists.example"},
            "id_lists_url: expected a URL without user information",
        ),
        (
            {"id_lists_url": "lists"},
            "id_lists_url: expected a URL such as 'https://api.statsigcdn.com/v1/get",
        ),
        ({"download_id_list_file_api": "http://a.example"}, "download_id_list_file_api: expected https"),
        (
            {"download_id_list_file_api": "https://a.example/?x"},
            "expected scheme, host and at most a plain path",
        ),
        ({"connect_timeout": 0}, "connect_timeout: expected seconds above 0, got 0"),
        ({"read_timeout": "1"}, "read_timeout: expected seconds as int or float, got str"),
        ({"total_timeout": float("inf")}, "total_timeout: expected seconds above 0, got inf"),
        ({"max_list_bytes": 0}, "max_list_bytes: expected a number above 0, got 0"),
        ({"transport": 5}, "transport: expected an object with send() and close()"),
        ({"service_name": "a\nb"}, "service_name: expected text without control characters"),
        ({"service_name": "\ud800"}, "service_name: expected valid Unicode"),
    ],
)
def test_arguments_that_cannot_work_are_named(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        StatsigIdListAdapter(**{"sdk_key": KEY, **arguments})
    assert says in str(caught.value)
    assert KEY not in str(caught.value)
