"""`StatsigCdnAdapter`: requests, answers and versions; failures are in test_statsig_cdn_failures.py."""

from __future__ import annotations

import gzip
import json
import re
import string
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st
from statsig_python_core import Statsig as OfficialStatsig
from statsig_python_core import StatsigOptions as OfficialOptions

import small_project
from loopback import http
from reference import NEVER_MS
from specs_server import NO_UPDATES, Asked, SpecsServer
from statsig_fastly import MemoryAdapter, Payload, Statsig, StatsigCdnAdapter, StatsigOptions
from statsig_fastly.adapters import SpecAdapter
from statsig_fastly.adapters.specs_version import SpecsHead, SpecsVersion, head_of
from statsig_fastly.sample_project import sample_project

KEY = "secret-0123456789abcdefXYZ"
ALL_ASCII = "".join(map(chr, range(0x20, 0x7F)))


def specs(time: int | None = 1_700_000_000_000, checksum: str | None = None, **more: object) -> bytes:
    """A payload that the official core takes."""
    said = {"time": time, "checksum": checksum, **more}
    empty = ("feature_gates", "dynamic_configs", "layer_configs", "layers", "condition_map")
    payload: dict[str, Any] = {"has_updates": True, "experiment_to_layer": {}, **{name: {} for name in empty}}
    return json.dumps(payload | {name: value for name, value in said.items() if value is not None}).encode()


def adapter_for(server: SpecsServer, **more: Any) -> StatsigCdnAdapter:  # noqa: ANN401 - its arguments
    return StatsigCdnAdapter(KEY, **{"specs_url": server.specs_url, **more})


def fetched(adapter: StatsigCdnAdapter, held_version: str | None = None) -> Payload:
    payload = adapter.fetch(held_version)
    assert payload is not None
    return payload


def test_it_is_an_adapter() -> None:
    adapter = StatsigCdnAdapter(KEY)
    assert isinstance(adapter, SpecAdapter)
    assert adapter.name == "StatsigCDN"
    assert repr(adapter) == (
        "StatsigCdnAdapter(specs_url='https://api.statsigcdn.com/v2/download_config_specs', "
        "payload_format='v2')"
    )
    assert "https://api.statsigcdn.com/v1/download_config_specs" in repr(
        StatsigCdnAdapter(KEY, payload_format="v1")
    )
    adapter.close()
    adapter.close()


def test_its_identity_tells_sources_apart_and_gives_no_key_away() -> None:
    one, same = StatsigCdnAdapter(KEY).identity, StatsigCdnAdapter(KEY, retries=3).identity
    others = [
        StatsigCdnAdapter(KEY + "1").identity,
        StatsigCdnAdapter(KEY, payload_format="v1").identity,
        StatsigCdnAdapter(KEY, specs_url="https://proxy.example/specs").identity,
    ]
    assert one == same
    assert len({one, *others}) == 4
    assert KEY not in one
    assert KEY[7:] not in one


# Requests, compared with those of the official core


def official_requests(server: SpecsServer, service_name: str | None) -> list[Asked]:
    """What the official core asks for at its first and second start."""
    core = OfficialStatsig(
        KEY,
        OfficialOptions(
            specs_url=server.specs_url,
            log_event_url=f"{server.url}/v1/log_event",
            specs_sync_interval_ms=NEVER_MS,
            service_name=service_name,
            disable_disk_access=True,
            disable_country_lookup=True,
            output_log_level="none",
        ),
    )
    core.initialize().wait()
    core.initialize().wait()
    core.shutdown().wait()
    return server.asked


def comparable(asked: Asked) -> Asked:
    """A request without what differs between two of the same SDK."""
    headers = dict(asked.headers)
    assert re.fullmatch(r"1[6-9]\d{11}", headers.pop("statsig-client-time"))
    assert (
        str(uuid.UUID(headers.pop("statsig-server-session-id"))) == asked.headers["statsig-server-session-id"]
    )
    assert re.fullmatch(r"[a-z-]+", headers.pop("statsig-sdk-type"))
    assert re.fullmatch(r"\d+\.\d+\.\d+", headers.pop("statsig-sdk-version"))
    del headers["host"]
    return Asked(asked.method, asked.path, asked.query, headers)


@pytest.mark.parametrize(
    ("payload", "service_name"),
    [
        (specs(), None),
        (specs(checksum="c+1/"), "a service"),
        (specs(checksum=f"{ALL_ASCII}é€😀"), "größe 服务"),
        (specs(0, checksum="x"), None),
    ],
    ids=["time", "time and checksum", "any checksum", "checksum"],
)
def test_requests_are_those_of_the_official_core(payload: bytes, service_name: str | None) -> None:
    with SpecsServer(http(200, payload)) as theirs, SpecsServer(http(200, payload), NO_UPDATES) as ours:
        adapter = adapter_for(ours, service_name=service_name)
        assert adapter.fetch(fetched(adapter).version) is None
        expected = [comparable(asked) for asked in official_requests(theirs, service_name)]
        made = [comparable(asked) for asked in ours.asked]
    assert len(expected) == 2
    for asked in expected:  # how it asks for protobuf
        assert asked.query.pop("supports_proto") == "true"
        assert asked.headers.pop("statsig-supports-proto") == "true"
        assert asked.headers.pop("accept-encoding") == "statsig-br, gzip, deflate, br"
    for asked in made:
        assert asked.headers.pop("accept-encoding") == "gzip"
        assert asked.headers.pop("user-agent").startswith("statsig-fastly/")
    assert made == expected


def test_the_v1_format_is_asked_for_without_a_checksum() -> None:
    payload = specs(checksum="c+1/")
    with SpecsServer(http(200, payload), NO_UPDATES) as server:
        adapter = adapter_for(server, payload_format="v1")
        assert adapter.fetch(fetched(adapter).version) is None
        assert [asked.query for asked in server.asked] == [{}, {"sinceTime": "1700000000000"}]


def test_a_key_with_signs_goes_into_the_path_and_the_header_as_it_is() -> None:
    key = "secret-a/b?c#d%2F&e"
    with SpecsServer(http(200, specs())) as server:
        StatsigCdnAdapter(key, specs_url=f"{server.specs_url}/").fetch()
        (asked,) = server.asked
    assert unquote(asked.path) == f"/v2/download_config_specs/{key}.json"
    assert asked.path.count("/") == 3
    assert asked.headers["statsig-api-key"] == key


def test_a_session_and_a_connection_serve_many_requests() -> None:
    with SpecsServer(http(200, specs())) as server:
        adapter, another = adapter_for(server), adapter_for(server)
        for _ in range(3):
            adapter.fetch()
        assert server.connections == 1
        another.fetch()
        sessions = [asked.headers["statsig-server-session-id"] for asked in server.asked]
    assert len(set(sessions)) == 2
    assert len(set(sessions[:3])) == 1


# Answers


def test_specs_come_with_time_and_checksum_as_their_version() -> None:
    payload = specs(checksum="c+1/")
    with SpecsServer(http(200, payload)) as server:
        adapter = adapter_for(server)
        first = fetched(adapter)
        assert (first.body, first.source, first.metadata) == (payload, "Network", None)
        # A server that looks at nothing sends the same again.
        assert adapter.fetch(first.version) is None
        for changed in (specs(checksum="c+2/"), specs(1_700_000_000_001, checksum="c+1/")):
            server.answer(http(200, changed))
            assert fetched(adapter, first.version).body == changed


def test_without_a_checksum_the_content_decides() -> None:
    with SpecsServer(http(200, specs(sdk_flags={"a": True}))) as server:
        adapter = adapter_for(server)
        first = fetched(adapter)
        assert adapter.fetch(first.version) is None
        server.answer(http(200, specs(sdk_flags={"a": False})))
        assert fetched(adapter, first.version).version != first.version


@pytest.mark.parametrize("version", ["", "17", "time=1", "time=01 checksum=a", "0:FastlyKV:17", "x" * 1000])
def test_a_version_of_another_adapter_counts_as_none(version: str) -> None:
    with SpecsServer(http(200, specs())) as server:
        assert fetched(adapter_for(server), version).body == specs()
        assert server.asked[0].query == {}


def test_held_version_of_another_type() -> None:
    with pytest.raises(TypeError, match=r"^held_version: expected str or None, got int$"):
        StatsigCdnAdapter(KEY).fetch(17)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("members", [1, 3])
def test_an_answer_that_is_packed(members: int) -> None:
    payload = specs(checksum="c" * 200)
    cut = -(-len(payload) // members)
    packed = b"".join(gzip.compress(payload[at : at + cut]) for at in range(0, len(payload), cut))
    with SpecsServer(http(200, packed, "Content-Encoding: gzip")) as server:
        assert fetched(adapter_for(server, max_value_bytes=len(payload))).body == payload


def test_a_payload_that_is_cut_off_is_left_to_who_parses_it() -> None:
    cut = specs(checksum="c")[:-1]
    with SpecsServer(http(200, cut)) as server:
        payload = fetched(adapter_for(server))
    assert payload.body == cut
    assert SpecsVersion.of_text(payload.version) == SpecsVersion.of_payload(cut, SpecsHead())


@pytest.mark.parametrize("payload_format", ["v1", "v2"])
def test_a_client_uses_it(payload_format: str) -> None:
    project = small_project.payload() if payload_format == "v1" else json.dumps(sample_project()).encode()
    gates = ["on", "off", "paying"] if payload_format == "v1" else ["test_fastly", "nope"]
    users = [f"user-{number}" for number in range(20)]

    def answers(options: StatsigOptions) -> list[bool]:
        with Statsig(KEY, options) as statsig:
            assert statsig.is_ready
            assert statsig.sync().result(30).error is None
            return [statsig.check_gate(user, gate) for gate in gates for user in users]

    with SpecsServer(http(200, project), NO_UPDATES) as server:
        adapter = adapter_for(server, payload_format=payload_format)
        found = answers(StatsigOptions(data_adapter=adapter, disable_all_logging=True))
    assert found == answers(StatsigOptions(data_adapter=MemoryAdapter(project), disable_all_logging=True))
    assert len(set(found)) == 2


def test_many_threads_share_it() -> None:
    payload = specs(checksum="c")
    with SpecsServer(http(200, payload)) as server, ThreadPoolExecutor(8) as threads:
        adapter = adapter_for(server)
        found = list(threads.map(lambda _: fetched(adapter), range(40)))
        assert len(server.asked) == 40
    assert {(each.body, each.version) for each in found} == {(payload, found[0].version)}


def test_a_pool_that_was_passed_in_stays_open() -> None:
    with SpecsServer(http(200, specs())) as server, urllib3.PoolManager() as pool:
        adapter = adapter_for(server, transport=pool)
        adapter.fetch()
        adapter.close()
        assert pool.request("GET", f"{server.url}/other").status == 202
        assert server.connections == 1


# Versions


@given(st.integers(0, 2**63 - 1), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_a_version_tells_what_is_asked_for(time: int, checksum: str) -> None:
    body = json.dumps({"time": time, "checksum": checksum, "rules": [{"time": 1, "checksum": "no"}]}).encode()
    version = SpecsVersion.of_payload(body, head_of(body))
    assert SpecsVersion.of_text(version.text) == version == SpecsVersion(time, checksum)
    query = dict(part.split("=") for part in version.query(with_checksum=True).split("&"))
    assert query.pop("sinceTime", "0") == str(time)
    sent = query.pop("checksum")
    assert query == {}
    assert unquote(unquote(sent)) == checksum
    assert re.sub(r"%25[0-9A-F]{2}", "", sent).strip(string.ascii_letters + string.digits) == ""


NO_TIMES: list[object] = [0, -5, 5.0, "5", True, None, [], 2**63, 10**30]
NO_CHECKSUMS: list[object] = ["", 5, None, [], "x" * 300, "\ud800"]


@pytest.mark.parametrize(
    ("said", "head"),
    [
        ({"time": 5, "checksum": "c"}, SpecsHead(5, "c")),
        ({"time": 5, "checksum": "c", "has_updates": False}, SpecsHead(5, "c", no_updates=True)),
        ({"has_updates": 0}, SpecsHead()),
        *[({"time": odd}, SpecsHead()) for odd in NO_TIMES],
        *[({"checksum": odd}, SpecsHead()) for odd in NO_CHECKSUMS],
        ({"feature_gates": {"time": 5, "checksum": "c", "has_updates": False}}, SpecsHead()),
    ],
)
def test_what_a_payload_says_of_itself(said: dict[str, Any], head: SpecsHead) -> None:
    assert head_of(json.dumps(said).encode()) == head


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"5", b'{"time":5', b"{\xff}", b"[" * 100_000, b'{"time":' + b"9" * 5000]
)
def test_what_is_no_payload_says_nothing(body: bytes) -> None:
    assert head_of(body) == SpecsHead()
