from __future__ import annotations

import gzip
import json
import threading

import pytest

from api_client import Api, StandingClock
from statsig_fastly.emulator import Emulator, Fault

PATH = "/v1/log_event"
BODY = {
    "events": [
        {"eventName": "purchase", "time": 1, "user": {"userID": "é"}, "value": 12.5, "metadata": None}
    ],
    "statsigMetadata": {"sdkType": "some-sdk", "sdkVersion": "1"},
}
PLAIN = json.dumps(BODY).encode()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (PLAIN, {}),
        (PLAIN, {"Content-Encoding": "identity"}),
        (gzip.compress(PLAIN), {"Content-Encoding": "gzip"}),
        (gzip.compress(PLAIN), {"Content-Encoding": "GZIP"}),
    ],
)
def test_events_are_taken_plain_and_compressed(
    clock: StandingClock, body: bytes, headers: dict[str, str]
) -> None:
    with Emulator(clock=clock) as emulator, Api(emulator, token="") as api:
        sent = {
            "Content-Type": "application/json",
            "statsig-api-key": "secret-abc",
            "statsig-event-count": "1",
            **headers,
        }
        answer = api.call("POST", PATH, body, headers=sent)
        assert (answer.status, answer.data) == (202, b'{"success":true}')
        assert answer.headers["Content-Type"] == "application/json"
        assert emulator.events == [BODY]
        (accepted,) = emulator.log_event_requests
        assert accepted.events == BODY["events"]
        assert accepted.headers["statsig-event-count"] == "1"
        assert accepted.headers["statsig-api-key"] == "secret-abc"
        assert (accepted.size, accepted.arrived_at) == (len(body), clock.now)
        assert "secret-abc" not in repr(accepted)
        assert emulator.requests[0].body_bytes == body


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"", "identity", 400),
        (b"<html>", "identity", 400),
        (b"[]", "identity", 400),
        (b"{}", "identity", 400),
        (b'{"events":{}}', "identity", 400),
        (b'{"events":[],"x":"\xff"}', "identity", 400),
        (PLAIN, "gzip", 400),
        (gzip.compress(PLAIN)[:-5], "gzip", 400),
        (gzip.compress(PLAIN)[:20] + b"\xff" * 20, "gzip", 400),
        (PLAIN, "br", 415),
    ],
)
def test_bodies_that_are_not_understood_are_refused(
    emulator: Emulator, api: Api, body: bytes, encoding: str, status: int
) -> None:
    answer = api.call("POST", PATH, body, headers={"Content-Encoding": encoding})
    assert answer.status == status
    assert answer.json()["success"] is False
    assert emulator.events == []
    assert len(emulator.requests) == 1


def test_only_post_is_taken(api: Api) -> None:
    assert api.call("GET", PATH).status == 405
    assert api.call("POST", PATH + "/more", PLAIN).status == 404


def test_events_can_be_waited_for(emulator: Emulator, api: Api) -> None:
    sender = threading.Thread(target=lambda: [api.call("POST", PATH, PLAIN) for _ in range(2)])
    sender.start()
    assert [found.body for found in emulator.wait_for_log_events(2)] == [BODY, BODY]
    sender.join()
    with pytest.raises(TimeoutError, match="expected 3 log_event requests"):
        emulator.wait_for_log_events(3, timeout=0.01)


def test_a_refused_flush_is_not_kept_and_a_lost_answer_is(emulator: Emulator, api: Api) -> None:
    emulator.fault(Fault(path=PATH, status=503))
    emulator.fault(Fault(path=PATH, status=502, after=True))
    assert [api.call("POST", PATH, PLAIN).status for _ in range(3)] == [503, 502, 202]
    assert len(emulator.events) == 2
