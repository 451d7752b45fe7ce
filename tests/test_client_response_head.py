"""`get_client_initialize_response`: what it says besides specs, and its arguments."""

from __future__ import annotations

import itertools
import json
import math
import re
import uuid
from typing import TYPE_CHECKING, Any, Final

import pytest

from client_responses import HASHES, KEY, compare_all, normal, project, response_differences, spec
from engine_under_test import our_engine
from reference import Reference
from statsig_fastly import Statsig, StatsigOptions, StatsigUser

if TYPE_CHECKING:
    from statsig_fastly.sample_specs import Json

# ---- the user

ODD: Final[tuple[Json, ...]] = (
    None, True, 0, 1, 1.0, -0.0, 1e21, 1e-7, 1e16, 123456789012345.678,
    2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64, math.inf, -math.inf, math.nan,
    "", "é", "\U0001f600", 'q"\\', "\u2028\x00\x7f",
    [], [1, 1.0, None, "x", {"a": [2.5]}], {}, {"k": {"n": 2**64}},
)  # fmt: skip
SCALARS: Final = tuple(value for value in ODD if not isinstance(value, (list, dict)))


@pytest.mark.parametrize(
    ("environment", "shared"), [(None, None), ("staging", {"a": 1, "n0": "theirs"}), ("", None)]
)
def test_what_a_response_says_about_the_user(environment: str | None, shared: dict[str, Any] | None) -> None:
    names = ("userID", "email", "ip", "userAgent", "country", "locale", "appVersion")
    users: list[dict[str, Any]] = [
        {},
        {"userID": ""},
        {name: f"{name} é" for name in names},
        dict.fromkeys(names, ""),
        *({part: {}} for part in ("custom", "customIDs", "privateAttributes", "statsigEnvironment")),
        *({"userID": "u", "custom": {f"n{number}": value}} for number, value in enumerate(ODD)),
        {"custom": {"nested": [math.nan, {"x": math.inf}], "é": {"z": 1, "a": [-math.inf]}}},
        *({"customIDs": {"id": value, "é": "x"}} for value in SCALARS),
        *({"userID": "u", "privateAttributes": {"secret": value, "é\U0001f600": "x"}} for value in ODD),
        {"statsigEnvironment": {"tier": "own", "é": ""}},
        {"statsigEnvironment": {"other": "own"}},
        *({"statsigEnvironment": {"tier": value}} for value in SCALARS),
    ]
    payload = project(default_environment="default")
    assert compare_all(payload, users, environment, shared) == 2 * len(users)


def test_a_user_may_be_an_id() -> None:
    with our_engine(json.dumps(project()).encode()) as statsig:
        responses = [
            normal(statsig.get_client_initialize_response(user))
            for user in ("u", {"user_id": "u"}, StatsigUser("u"))
        ]
    assert responses[0] == responses[1] == responses[2]
    assert responses[0]["user"] == {"userID": "u"}


def test_private_attributes_stay_private() -> None:
    private: dict[str, Any] = {"secret": "abc", "n": 5}
    with our_engine(json.dumps(project()).encode(), global_custom_fields={"shared": 1}) as statsig:
        responses = [
            statsig.get_client_initialize_response(StatsigUser("u", private_attributes=attributes))
            for attributes in (private, dict(reversed(private.items())), None)
        ]
    for response in responses[:2]:
        assert "secret" not in response
        assert "abc" not in response
        assert normal(response)["pa_hash"] == "2842816705"
    assert "pa_hash" not in normal(responses[2])


# ---- what is told besides


@pytest.mark.parametrize("rate", [None, 0, -1, 1, 2.5])
def test_which_sessions_may_be_recorded(rate: float | None) -> None:
    for blocked, gate in itertools.product((None, True, False), (None, "on", "off")):
        replay = {"sampling_rate": rate, "recording_blocked": blocked, "targeting_gate": gate}
        replay = {name: value for name, value in replay.items() if value is not None}
        gates = {"off": spec("segment", True, "never")}
        assert compare_all(project(feature_gates=gates, session_replay_info=replay), [{"userID": "u"}]) == 2


@pytest.mark.parametrize("gate", ["no such gate", "unsupported"])
def test_a_targeting_gate_without_a_value_is_not_passed(gate: str) -> None:
    payload = project(session_replay_info={"targeting_gate": gate})
    payload["condition_map"]["unsupported"] = {"type": "no such type", "idType": "userID"}
    payload["feature_gates"]["unsupported"] = spec("feature_gate", True, "unsupported")
    with our_engine(json.dumps(payload).encode()) as statsig:
        response = normal(statsig.get_client_initialize_response("u"))
    assert response["passes_session_recording_targeting"] is False
    assert response["can_record_session"] is False


@pytest.mark.parametrize("rate", [0.25, 0.75])
def test_how_many_sessions_are_recorded(rate: float) -> None:
    triggers = {"a": {"sampling_rate": rate}, "b": {"sampling_rate": rate}}
    replay = {"sampling_rate": rate, "session_recording_event_triggers": triggers}
    with our_engine(json.dumps(project(session_replay_info=replay)).encode()) as statsig:
        responses = [normal(statsig.get_client_initialize_response("u")) for _ in range(2000)]
    recorded = [response["can_record_session"] for response in responses]
    # As in the reference, one number decides about all of a response.
    expected = [{name: {"passes_sampling": value} for name in triggers} for value in recorded]
    assert [response["session_recording_event_triggers"] for response in responses] == expected
    assert {response["session_recording_rate"] for response in responses} == {rate}
    # Ten standard deviations.
    assert abs(sum(recorded) - 2000 * rate) < 200


def test_a_client_names_itself_and_its_session() -> None:
    payload = json.dumps(project()).encode()
    with our_engine(payload) as one, our_engine(payload) as other:
        infos = [
            json.loads(statsig.get_client_initialize_response("u"))["sdkInfo"]
            for statsig in (one, one, other)
        ]
    assert [info["sdkType"] for info in infos] == ["statsig-fastly-python"] * 3
    assert infos[0] == infos[1]
    assert infos[0]["sessionId"] != infos[2]["sessionId"]
    for info in infos:
        assert re.fullmatch(r"\d+\.\d+\.\d+", info["sdkVersion"])
        assert str(uuid.UUID(info["sessionId"], version=4)) == info["sessionId"]


def test_before_anything_is_loaded_there_are_no_specs() -> None:
    user = {"userID": "u", "custom": {"a": 1}, "privateAttributes": {"b": 2}, "customIDs": {"c": "d"}}
    # A payload that is refused as a whole is none.
    with Reference("{}", "tier", {"shared": 1}) as reference:
        statsig = Statsig(
            "secret-key", StatsigOptions(environment="tier", global_custom_fields={"shared": 1})
        )
        for hash_name, key in itertools.product(HASHES, (None, KEY)):
            ours = statsig.get_client_initialize_response(user, hash_name, key)
            assert not response_differences(ours, reference.client_response(user, hash_name, key))


# ---- arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hash": 5}, "argument 'hash': expected str or None, got int"),
        ({"client_sdk_key": b"k"}, "argument 'client_sdk_key': expected str or None, got bytes"),
        (
            {"include_local_overrides": 1},
            "argument 'include_local_overrides': expected bool or None, got int",
        ),
        ({"user": None}, "argument 'user': expected StatsigUser, str (a user id) or mapping, got NoneType"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        Statsig("secret-key").get_client_initialize_response(**{"user": "u", **arguments})


@pytest.mark.parametrize("argument", ["hash", "client_sdk_key"])
def test_text_that_no_encoding_can_hold(argument: str) -> None:
    arguments: dict[str, Any] = {argument: "\ud800"}
    with pytest.raises(ValueError, match=f"argument '{argument}'"):
        Statsig("secret-key").get_client_initialize_response("u", **arguments)


def test_lists_in_lists_of_everybody_are_kept() -> None:
    shared = {"a": [1, [2.5]], "b": [{"c": None}], "d": [1, 2.5]}
    body = json.dumps(project())
    with Reference(body, None, shared) as reference, our_engine(body.encode(), None, shared) as statsig:
        assert normal(reference.client_response({}))["user"]["custom"] == {"a": "", "b": "", "d": [1, 2.5]}
        assert normal(statsig.get_client_initialize_response({}))["user"]["custom"] == shared
