"""Requests with events look like the official core's, and hold no private attribute of anybody."""

from __future__ import annotations

import gzip
import json
import platform
import re
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from event_calls import USERS, call, checks
from event_project import PARAMETERS, event_project
from recorded_events import Both
from recording_storage import RecordingStorage
from shared_data import shared_file
from statsig_fastly import LayerEvaluationOptions, Statsig, StatsigOptions, StatsigUser
from statsig_fastly.adapters.memory import MemoryAdapter
from event_sink import EventSink

if TYPE_CHECKING:
    from event_sink import Sent

# What says which SDK it is, and when.
_OWN_HEADERS: Final = {
    "statsig-sdk-type": r"statsig-[a-z-]+",
    "statsig-sdk-version": r"\d+\.\d+\.\d+",
    "statsig-server-session-id": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "statsig-client-time": r"\d{13}",
    "statsig-api-key": r"secret-\w+",
    "content-length": r"\d+",
    "host": r"127\.0\.0\.1:\d+",
}
# Of HTTP itself, and for the answer, which nobody needs.
_OF_THE_CLIENT: Final = {"accept", "accept-encoding", "connection", "user-agent"}
_OWN_METADATA: Final = {"sdkType", "sdkVersion", "sessionID"}
_OF_THE_QUEUE: Final = {"flushingIntervalMs", "batchSize", "maxPendingBatches", "flushType"}


def headers_of(sent: Sent) -> dict[str, str]:
    """The headers that are compared, those that differ as what they have to look like."""
    headers = {name: value for name, value in sent.headers.items() if name not in _OF_THE_CLIENT}
    for name, pattern in _OWN_HEADERS.items():
        assert re.fullmatch(pattern, headers[name]), (name, headers[name])
        headers[name] = pattern
    return headers


@pytest.mark.parametrize("service_name", [None, "svc", "Dienst 1"])
def test_headers_and_metadata(service_name: str | None) -> None:
    with Both(event_project(), service_name=service_name) as both:
        for statsig, sdk in ((both.ours, StatsigUser), (both.theirs, both.their_user)):
            for number in range(3):
                statsig.log_event(sdk("u"), f"event {number}")
        both.sent_requests()
        (ours,), theirs = both.our_sink.requests, both.their_sink.requests[-1]
    assert ours.path == theirs.path == "/v1/log_event"
    counted = {**headers_of(theirs), "statsig-event-count": "3"}  # there with the diagnostics
    assert headers_of(ours) == counted
    assert ours.raw[:2] == theirs.raw[:2] == b"\x1f\x8b"
    assert set(ours.body) == set(theirs.body) == {"events", "statsigMetadata"}
    told, expected = ours.body["statsigMetadata"], theirs.body["statsigMetadata"]
    assert set(told) >= set(expected)
