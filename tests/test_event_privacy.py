"""Requests with events look like the official core's, and hold no private attribute of anybody."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import pytest
import statsig_python_core

import statsig_fastly
from conformance.build import condition, gate, nested, rule
from event_calls import USERS, checks
from event_project import PARAMETERS, event_project
from recorded_events import Both
from recording_storage import RecordingStorage
from shared_data import shared_file

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


def headers_of(sent: Sent) -> dict[str, str]:
    """The headers that are compared, those that differ as what they have to look like."""
    headers = {name: value for name, value in sent.headers.items() if name not in _OF_THE_CLIENT}
    for name, pattern in _OWN_HEADERS.items():
        assert re.fullmatch(pattern, headers[name]), (name, headers[name])
        headers[name] = pattern
    return headers


@pytest.mark.parametrize("service_name", [None, "", "svc", "Dienst 1", "größe", "服务"])
def test_headers_and_metadata(service_name: str | None) -> None:
    with Both(event_project(), service_name=service_name) as both:
        for sdk, client in ((statsig_fastly, both.ours), (statsig_python_core, both.theirs)):
            for number in range(3):
                client.log_event(sdk.StatsigUser("u"), f"event {number}")
        ours, theirs = (requests[-1] for requests in both.requests())
    assert ours.path == theirs.path == "/v1/log_event"
    # There, the diagnostics count.
    assert headers_of(ours) == {**headers_of(theirs), "statsig-event-count": "3"}
    assert ours.raw[:2] == theirs.raw[:2] == b"\x1f\x8b"
    assert list(ours.body) == list(theirs.body) == ["events", "statsigMetadata"]
    told, expected = (
        {name: value for name, value in sent.body["statsigMetadata"].items() if name not in _OWN_METADATA}
        for sent in (ours, theirs)
    )
    assert told == expected
    own = ours.body["statsigMetadata"]
    assert own["sdkType"] == ours.headers["statsig-sdk-type"] == "statsig-fastly-python"
    assert own["sdkVersion"] == ours.headers["statsig-sdk-version"]
    assert own["sessionID"] == ours.headers["statsig-server-session-id"]


def test_headers_have_the_names_that_were_recorded() -> None:
    recorded = json.loads(shared_file("oracle", "samples", "core.json").read_text())
    (expected,) = {frozenset(sent["headers"]) for sent in recorded if sent["url"].endswith("/log_event")}
    with Both(event_project()) as both:
        both.ours.identify("u")
        (ours, *_), _ = both.requests()
    assert set(ours.headers) - _OF_THE_CLIENT == expected - _OF_THE_CLIENT


def test_starts_are_not_told() -> None:
    with Both(event_project()) as both:
        both.ours.identify("u")
        names = [
            {event["eventName"] for sent in requests for event in sent.body["events"]}
            for requests in both.requests()
        ]
    assert names == [{"statsig::identify"}, {"statsig::diagnostics"}]


def test_private_attributes_never_leave() -> None:
    document = event_project(
        sdk_configs={"sampling_mode": "shadow"},
    )
    document["feature_gates"]["private"] = gate([rule("r", ["is private"])])
    document["feature_gates"]["asks private"] = gate([rule("r", ["to private"])])
    values = [f"hidden text {number}" for number in range(40)]
    document["condition_map"]["is private"] = condition("user_field", "any", values, field="hidden name")
    document["condition_map"]["to private"] = nested("private")
    users = [
        {**fields, "private_attributes": secrets(number)}
        for number, fields in enumerate([*USERS.values()] * 6)
    ]
    entry = {"value": True, "json_value": {"a": 1}, "rule_id": "kept", "config_delegate": "e", "time": 1}
    kinds: set[str] = set()
    with Both(document, RecordingStorage, global_custom_fields={"level": 1}) as both:
        client = both.ours
        for number, fields in enumerate(users):
            user = statsig_fastly.StatsigUser(**fields)
            for label, made in checks(document, fields):
                if hash_of(label) % 6 == number % 6:
                    made(statsig_fastly, client)
            assert client.check_gate(user, "private")
            assert client.check_gate(user, "asks private")
            client.check_gate({"userID": "mapping", "privateAttributes": secrets(number)}, "private")
            kept: dict[str, dict[str, Any]] = {"e": entry, "l": entry}
            experiment_options = statsig_fastly.ExperimentEvaluationOptions(user_persisted_values=kept)
            client.get_experiment(user, "e", experiment_options)
            layer_options = statsig_fastly.LayerEvaluationOptions(user_persisted_values=kept)
            layer = client.get_layer(user, "l", layer_options)
            for parameter in PARAMETERS:
                layer.get(parameter)
            client.get_parameter_store(user, "store").get_string("gate A", "x")
            quiet = statsig_fastly.FeatureGateEvaluationOptions(disable_exposure_logging=True)
            client.check_gate(user, "private", quiet)
            client.log_event(user, "event", "value", {"k": 1})
            client.identify(user)
        client.flush().wait()
        sent = both.our_sink.requests
    for request in sent:
        kinds |= {event["eventName"] for event in request.body["events"]}
        everything = b"\n".join((request.raw, request.text, repr((request.path, request.headers)).encode()))
        assert b"full@corp.test" in everything
        assert b"hidden" not in everything
        assert b"98765432" not in everything
        assert b"privateAttributes" not in everything
    assert kinds == {
        "statsig::gate_exposure",
        "statsig::config_exposure",
        "statsig::layer_exposure",
        "statsig::non_exposed_checks",
        "statsig::identify",
        "event",
    }
    assert sum(len(request.body["events"]) for request in sent) > 500


def secrets(number: int) -> dict[str, Any]:
    """Private attributes that are found again wherever they are written."""
    return {
        "hidden name": f"hidden text {number}",
        f"hidden name {number}": [f"hidden item {number}", {"hidden key": f"hidden member {number}"}],
        "level": 9876543200 + number,
        "ratio": 9876543.25,
        "email": f"hidden{number}@corp.test",
    }


def hash_of(text: str) -> int:
    return sum(text.encode())
