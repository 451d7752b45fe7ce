"""The example service as a client sees it: answers are those given outside, exposures follow responses."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("wasmtime", reason="`make compute-test` installs wasmtime where Python is 3.12 or newer")

from compute.fastly import Ask, Fastly, Item
from statsig_fastly import Statsig, StatsigOptions, StatsigUser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compute.sandbox import Sandbox
    from event_sink import EventSink

REQUESTS = 1000


def native_answers(project: dict[str, Any], users: list[str]) -> list[bool]:
    options = StatsigOptions(bootstrap=json.dumps(project), disable_all_logging=True)
    with Statsig("secret-native", options) as statsig:
        return [statsig.check_gate(StatsigUser(user), "test_fastly") for user in users]


def test_1000_requests(gate: Sandbox, fastly: Fastly, sink: EventSink, project: dict[str, Any]) -> None:
    responses = gate.serve(Ask() for _ in range(REQUESTS))
    answers = [json.loads(response.text) for response in responses]
    users = [answer["userID"] for answer in answers]
    passed = [answer["gateResult"] for answer in answers]
    assert len(set(users)) == REQUESTS
    assert passed == native_answers(project, users)
    # 50 % roll out: so far off is one run in a hundred million.
    assert 400 < sum(passed) < 600
    assert {response.headers["content-type"] for response in responses} == {b"application/json"}

    exposed = {
        event["user"]["userID"]: event["metadata"]["gateValue"] == "true"
        for event in sink.events
        if event["eventName"] == "statsig::gate_exposure"
    }
    assert exposed == dict(zip(users, passed, strict=True))
    assert {sent.headers["statsig-api-key"] for sent in sink.requests} == {"secret-of-the-store"}
    assert {sent.path for sent in sink.requests} == {"/v1/log_event"}
    # Once in a sandbox: the payload, and the key. Each response goes out before what it recorded does.
    assert fastly.account[:4] == ["kv", "body", "response", "secret"]
    turns = [call for call in fastly.account if call in {"response", "backend"}]
    assert turns == ["response", "backend"] * REQUESTS
    assert fastly.counts["kv"] <= 2 + REQUESTS // 10


def test_user_of_the_query(gate: Sandbox) -> None:
    assert json.loads(gate.get("?userID=%C3%BC%201&x=y").text)["userID"] == "ü 1"


def without_store(fastly: Fastly) -> None:
    del fastly.kv["statsig"]


def without_key(fastly: Fastly) -> None:
    fastly.kv["statsig"].clear()


def with_garbage(fastly: Fastly) -> None:
    fastly.kv["statsig"]["statsig-specs"] = Item(b"<html>502 Bad Gateway</html>")


def with_half_a_payload(fastly: Fastly) -> None:
    item = fastly.kv["statsig"]["statsig-specs"]
    item.body = item.body[: len(item.body) // 2]


def with_a_host_that_fails(fastly: Fastly) -> None:
    fastly.fails.append("internal-error")


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (without_store, "the service has no such store"),
        (without_key, "the store has no such key"),
        (with_garbage, "HTML"),
        (with_half_a_payload, "payload"),
        (with_a_host_that_fails, "internal error"),
    ],
)
def test_no_config_specs(gate: Sandbox, fastly: Fastly, break_it: Any, said: str) -> None:
    whole = copy.deepcopy(fastly.kv)
    break_it(fastly)

    def requests() -> Iterator[Ask]:
        yield Ask()
        fastly.kv = whole
        whole["statsig"]["statsig-specs"].generation += 1
        yield Ask()

    refused, answered = gate.serve(requests())
    assert refused.status == 500
    assert said in json.loads(refused.text)["error"]
    # The same sandbox answers as soon as they are there.
    assert answered.status == 200
    assert set(json.loads(answered.text)) == {"userID", "gateResult"}


def test_events_without_a_backend_wait(gate: Sandbox, fastly: Fastly, sink: EventSink) -> None:
    working = fastly.backends.pop("statsig")

    def requests() -> Iterator[Ask]:
        yield Ask(uri="http://service.test/?userID=first")
        fastly.backends["statsig"] = working
        yield Ask(uri="http://service.test/?userID=second")

    first, second = gate.serve(requests())
    assert (first.status, second.status) == (200, 200)
    users = {event["user"]["userID"] for event in sink.events if "gate_exposure" in event["eventName"]}
    assert users == {"first", "second"}
