"""Where a client can get its payload besides an adapter: Statsig's CDN, and data stores."""

from __future__ import annotations

from typing import Any

import pytest

from loopback import Listener, answering, http
from scripted_adapter import PATIENCE, ScriptedAdapter
from small_project import TIME, payload
from statsig_fastly import AdapterError, Statsig, StatsigOptions, SyncPolicy

KEY = "secret-key"


def client(**options: Any) -> Statsig:  # noqa: ANN401 - as StatsigOptions takes them
    return Statsig(KEY, StatsigOptions(sync_policy=SyncPolicy.manual(), disable_all_logging=True, **options))


def test_statsigs_cdn_is_asked_where_nothing_else_has_a_payload() -> None:
    with Listener(answering(http(200, payload()))) as cdn:
        options = {"fallback_to_statsig_api": True, "specs_url": f"{cdn.url}/v2/download_config_specs"}
        down = AdapterError("down")
        with client(data_adapter=ScriptedAdapter(down, payload(TIME + 1)), **options) as statsig:
            details = statsig.get_initialize_details()
            assert (details.source, details.init_success) == ("Network", True)
            assert [failure.source for failure in details.failures] == ["Scripted"]
            assert statsig.get_feature_gate("u-1", "on").details.reason == "Network:Recognized"
            assert cdn.received[0].startswith(f"GET /v2/download_config_specs/{KEY}.json ".encode())
            # From then on the adapter is looked at, as before.
            assert statsig.sync().result(PATIENCE).changed
            assert statsig.stats().sync.source == "Adapter(Scripted)"
        with client(data_adapter=ScriptedAdapter(payload()), **options) as statsig:
            assert statsig.get_initialize_details().source == "Adapter(Scripted)"
        with client(data_adapter=ScriptedAdapter(down), bootstrap=payload(), **options) as statsig:
            assert statsig.get_initialize_details().source == "Bootstrap"
        assert len(cdn.received) == 1


def test_nothing_is_asked_without_being_allowed_to() -> None:
    with Listener(answering(http(200, payload()))) as cdn:
        with client(data_adapter=ScriptedAdapter(AdapterError("down")), specs_url=cdn.url) as statsig:
            assert not statsig.is_ready
        assert cdn.received == []


def test_statsigs_cdn_alone() -> None:
    answers = [http(200, payload()), http(200, b'{"has_updates":false}'), http(200, payload(TIME + 1, 2))]
    with (
        Listener(answering(*answers)) as cdn,
        client(fallback_to_statsig_api=True, specs_url=cdn.url) as statsig,
    ):
        assert statsig.get_initialize_details().source == "Network"
        assert statsig.sync().result(PATIENCE).outcome == "unchanged"
        assert statsig.sync().result(PATIENCE).outcome == "applied"
        assert f"sinceTime={TIME}".encode() in cdn.received[1]


def test_a_cdn_that_fails_is_the_last_of_the_failures() -> None:
    with (
        Listener(answering(http(503, b"busy"))) as cdn,
        client(
            data_adapter=ScriptedAdapter(AdapterError("down")),
            fallback_to_statsig_api=True,
            specs_url=cdn.url,
        ) as statsig,
    ):
        details = statsig.get_initialize_details()
        assert [failure.source for failure in details.failures] == ["Scripted", "Network"]
        assert details.failure_details is not None
        assert "HTTP 503" in details.failure_details.reason
        assert KEY not in repr(details)


class OwnStore:
    """In the shape of the official package's `DataStore`."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def initialize(self) -> None:
        self.calls.append("initialize")

    def shutdown(self) -> None:
        self.calls.append("shutdown")

    async def get(self, key: str) -> str:
        self.calls.append(key.split("|")[1])
        return payload().decode()


def test_a_data_store() -> None:
    store = OwnStore()
    with client(data_store=store) as statsig:
        assert statsig.get_feature_gate("u-1", "on").details.reason == "Adapter(DataStore):Recognized"
    assert store.calls == ["initialize", "/v2/download_config_specs", "shutdown"]


async def _awaitable(_: object) -> None: ...


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"data_store": 5}, TypeError, "argument 'data_store': expected .*; got int"),
    ({"data_store": OwnStore(), "data_adapter": ScriptedAdapter(None)}, ValueError, "'data_store'.*got both"),
    ({"specs_url": "http://example.com/v2"}, ValueError, "argument 'specs_url': expected"),
    ({"specs_url": 5}, TypeError, "argument 'specs_url': expected .*int"),
    ({"last_known_good_dir": ""}, ValueError, "argument 'last_known_good_dir': expected the path.*, got ''"),
    ({"last_known_good_dir": "a\0b"}, ValueError, "argument 'last_known_good_dir'"),
    ({"last_known_good_dir": b"a"}, TypeError, "argument 'last_known_good_dir': expected a path.*got bytes"),
    ({"on_update": _awaitable}, TypeError, "argument 'on_update': .*, got one that has to be awaited"),
    ({"fallback_to_statsig_api": 1}, TypeError, "'fallback_to_statsig_api': expected bool, got int"),
]


@pytest.mark.parametrize(("options", "error", "message"), WRONG, ids=[message for _, _, message in WRONG])
def test_what_cannot_work_is_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        StatsigOptions(**options)
