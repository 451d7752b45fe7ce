"""What holds inside a sandbox: the engine, adapters, transports, and doing without threads."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("wasmtime", reason="`make compute-test` installs wasmtime where Python is 3.12 or newer")

from compute.fastly import Ask, Body, Fastly, Item, Response
from statsig_fastly import Statsig, StatsigOptions
from statsig_fastly.chunks import split
from statsig_fastly.sample_project import sample_users

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from event_sink import EventSink

    Probe = Callable[..., list[Any]]

MAKE = """
from statsig_fastly import ComputeConfigAdapter, ComputeKVAdapter, Statsig, StatsigOptions, SyncPolicy
from statsig_fastly.compute.backend import BackendTransport
from statsig_fastly.compute.log_endpoint import LogEndpointTransport

def make(**options):
    options = {"data_adapter": ComputeKVAdapter("statsig", "statsig-specs"), **options}
    options.setdefault("log_event_transport", BackendTransport("statsig"))
    shared["statsig"] = Statsig("secret-inside", StatsigOptions(**options))
    return shared["statsig"]
"""
START = MAKE + "answer = make().initialize().result().init_success\n"
CHECK = "answer = shared['statsig'].check_gate('u', 'test_fastly')\n"

# Everything that a project decides for a user, as JSON.
DECIDE = """
def decisions(statsig, user, project):
    gates = {name: statsig.check_gate(user, name) for name in project["feature_gates"]}
    configs = {}
    for name in project["dynamic_configs"]:
        config = statsig.get_dynamic_config(user, name)
        configs[name] = [config.value, config.rule_id, config.details.reason]
    layers = {name: statsig.get_layer(user, name).rule_id for name in project["layer_configs"]}
    return [gates, configs, layers]
"""


def test_same_decisions_as_outside(probe: Probe, project: dict[str, Any]) -> None:
    users = sample_users(100)
    names: dict[str, Any] = {}
    exec(DECIDE, names)  # noqa: S102 - the same text runs inside
    options = StatsigOptions(bootstrap=json.dumps(project), disable_all_logging=True)
    with Statsig("secret-native", options) as statsig:
        outside = [names["decisions"](statsig, user, project) for user in users]
    needed = {key: [*project[key]] for key in ("feature_gates", "dynamic_configs", "layer_configs")}
    inside = probe(
        MAKE + "make(disable_all_logging=True).initialize()",
        f"{DECIDE}\nimport json\n"
        f"project, users = json.loads({json.dumps(json.dumps([needed, users]))})\n"
        "answer = [decisions(shared['statsig'], user, project) for user in users]",
    )[1]
    text = json.dumps(outside).replace("Bootstrap:", "Adapter(FastlyKV):")
    assert inside == json.loads(text)


def test_nothing_is_read_that_is_there(probe: Probe, fastly: Fastly) -> None:
    looked = probe(START, *["answer = shared['statsig'].sync().result().outcome"] * 3)
    assert looked == [True, "unchanged", "unchanged", "unchanged"]
    assert (fastly.counts["kv"], fastly.counts["body"]) == (4, 1)


REASON = "answer = shared['statsig'].get_feature_gate('u', 'test_fastly').details.reason"


def publish_without_the_gate(fastly: Fastly, project: dict[str, Any]) -> None:
    newer = {**project, "time": project["time"] + 1, "checksum": "newer"}
    newer["feature_gates"] = {
        name: it for name, it in project["feature_gates"].items() if name != "test_fastly"
    }
    fastly.kv["statsig"]["statsig-specs"] = Item(json.dumps(newer).encode(), generation=2)


def test_new_payload(probe: Probe, fastly: Fastly, project: dict[str, Any]) -> None:
    def publish() -> str:
        publish_without_the_gate(fastly, project)
        return "answer = shared['statsig'].sync().result().outcome"

    before, outcome, after = probe(START, REASON, publish, REASON)[1:]
    assert (before, outcome) == ("Adapter(FastlyKV):Recognized", "applied")
    assert after == "Adapter(FastlyKV):Unrecognized"


def test_new_payload_by_age(probe: Probe, fastly: Fastly, project: dict[str, Any]) -> None:
    def publish() -> str:
        publish_without_the_gate(fastly, project)
        return REASON

    start = START.replace("make()", "make(sync_policy=SyncPolicy.on_request(max_age=0.001))")
    # The request that notices is answered with what is there, and the next one with what was found.
    before, after = probe(start, publish, REASON)[1:]
    assert (before, after) == ("Adapter(FastlyKV):Recognized", "Adapter(FastlyKV):Unrecognized")


def test_looks_follow_the_response(probe: Probe, fastly: Fastly) -> None:
    """A background policy becomes one that looks on request, and the look waits for the response."""
    start = START.replace(
        "make()", "make(sync_policy=SyncPolicy.background(0.001), disable_all_logging=True)"
    )
    probe(start, CHECK, CHECK)
    assert fastly.account == ["kv", "body", "response", *["response", "kv"] * 2]


@pytest.mark.parametrize(
    ("adapter", "said"),
    [
        (
            "ComputeKVAdapter('nowhere', 'k')",
            "reading key 'k' of KV store 'nowhere': the service has no such store",
        ),
        (
            "ComputeKVAdapter('statsig', 'k')",
            "reading key 'k' of KV store 'statsig': the store has no such key",
        ),
        (
            "ComputeKVAdapter('statsig', 'statsig-specs', max_payload_bytes=1000)",
            "more than the limit of 1,000 bytes",
        ),
        ("ComputeKVAdapter('large', 'plain')", "more than the limit of 8,000,000 bytes"),
        ("ComputeKVAdapter('large', 'bomb')", "more than 8,000,000 bytes when it is decompressed"),
        ("ComputeConfigAdapter('nowhere', 'k')", "Config Store 'nowhere': the service has no such store"),
        ("ComputeConfigAdapter('small', 'k')", "Config Store 'small': the store has no such key"),
        ("ComputeConfigAdapter('small', 'broken')", "not a JSON object"),
    ],
)
def test_adapter_says_what_is_wrong(probe: Probe, fastly: Fastly, adapter: str, said: str) -> None:
    fastly.config["small"] = {"broken": "[]"}
    if "large" in adapter:
        large = b'{"a": "' + bytes(50_000_000)
        fastly.kv["large"] = {"plain": Item(large), "bomb": Item(gzip.compress(large, 1))}
    (told,) = probe(
        f"{MAKE}from statsig_fastly import AdapterError\ntry:\n    {adapter}.fetch()\n"
        "except AdapterError as error:\n    answer = str(error)"
    )
    assert said in told


@pytest.mark.parametrize(
    ("fault", "retryable"), [("too-many-requests", True), ("internal-error", True), ("bad-request", False)]
)
def test_adapter_says_what_the_host_says(probe: Probe, fastly: Fastly, fault: str, retryable: bool) -> None:
    fastly.fails.append(fault)
    (told,) = probe(
        f"{MAKE}from statsig_fastly import AdapterError\ntry:\n    ComputeKVAdapter('statsig', 'k').fetch()\n"
        "except AdapterError as error:\n    answer = [str(error), error.retryable]"
    )
    assert told[0].partition(": the host says: ")[2].startswith(fault.replace("-", " "))
    assert told[1] is retryable


def test_kv_payload(probe: Probe, fastly: Fastly) -> None:
    fastly.kv["other"] = {"k": Item(b'{"a": 1}', 2**63 + 5, "lcut=1")}
    read = (
        "payload = ComputeKVAdapter('other', 'k').fetch({held})\n"
        "answer = payload and [payload.body.decode(), payload.version, payload.metadata]"
    )
    first, second = probe(MAKE + read.format(held="None"), MAKE + read.format(held=f"'{2**63 + 5}'"))
    assert first == ['{"a": 1}', str(2**63 + 5), "lcut=1"]
    assert second is None


def test_config_store(probe: Probe, fastly: Fastly) -> None:
    small = {"has_updates": True, "time": 1, "feature_gates": [], "dynamic_configs": [], "layer_configs": []}
    fastly.config["small"] = {"specs": json.dumps(small)}
    told = probe(
        MAKE
        + "answer = make(data_adapter=ComputeConfigAdapter('small', 'specs')).initialize().result().source",
        "answer = shared['statsig'].sync().result().outcome",
    )
    assert told == ["Adapter(FastlyConfig)", "unchanged"]
    assert fastly.counts["config"] == 2


@pytest.mark.parametrize("size", [1000, 100])
def test_chunks(probe: Probe, fastly: Fastly, size: int) -> None:
    """In a Config Store, within what a request may look up."""
    small = {"has_updates": True, "time": 1, "feature_gates": [], "dynamic_configs": [], "layer_configs": []}
    body = json.dumps({**small, "padding": [*range(2000)]}).encode()
    manifest, chunks = split(body, "specs", chunk_size=size)
    fastly.config["chunked"] = {key: value.decode() for key, value in chunks.items()}
    fastly.config["chunked"]["specs"] = manifest.value.decode()
    start = MAKE + "make(data_adapter=ComputeConfigAdapter('chunked', 'specs')).initialize()\n"
    reason = "answer = shared['statsig'].get_initialize_details()\n"
    source, failure = probe(
        start + reason + "answer = [answer.source, answer.failure_details and answer.failure_details.reason]"
    )[0]
    if len(chunks) < 32:
        assert (source, failure) == ("Adapter(FastlyConfig)", None)
        assert fastly.counts["config"] == 1 + len(chunks)
    else:
        assert f"chunks that take {len(chunks) + 1} look-ups, and Fastly allows 32" in failure
        assert fastly.counts["config"] == 1


def test_compressed(probe: Probe, fastly: Fastly) -> None:
    item = fastly.kv["statsig"]["statsig-specs"]
    item.body = gzip.compress(item.body)
    assert probe(START) == [True]


def test_baked(probe: Probe, fastly: Fastly) -> None:
    """The ruleset of the build is there before anything is read; a look follows the response."""
    check = "answer = shared['statsig'].get_feature_gate('u', 'test_fastly').details.reason"
    ready = "from main import baked\nshared['statsig'] = baked\nanswer = baked.is_ready"
    assert probe(ready, check, check) == [True, "Bootstrap:Recognized", "Adapter(FastlyKV):Recognized"]
    assert fastly.account == ["response", "response", "kv", "body", "response", "kv"]


def test_largest_payload(probe: Probe, fastly: Fastly, project: dict[str, Any]) -> None:
    """It fits into the memory of a sandbox beside the one that it replaces, also in a costly form."""
    condition = next(name for name, one in project["condition_map"].items() if one["operator"] == "any")
    conditions = project["condition_map"]

    def publish(time: int) -> str:
        many = {**conditions[condition], "targetValue": [f"{number:08}" for number in range(680_000)]}
        larger = {**project, "time": time, "checksum": str(time)}
        larger["condition_map"] = {**conditions, condition: many}
        body = json.dumps(larger, separators=(",", ":")).encode()
        assert 7_700_000 < len(body) <= 8_000_000
        fastly.kv["statsig"]["statsig-specs"] = Item(gzip.compress(body, 1), generation=time)
        return "answer = shared['statsig'].sync().result().outcome"

    base = project["time"]
    publish(base + 1)
    assert probe(START, lambda: publish(base + 2), lambda: publish(base + 3)) == [True, "applied", "applied"]


# Chance


def test_chance_is_not_part_of_the_component(probe_program: Any, fastly: Fastly) -> None:
    """Not even that of a client which was started while the component was built."""
    from compute.sandbox import Sandbox

    source = (
        "import json, main, os, random\nfrom statsig_fastly import Statsig, StatsigOptions\n"
        "answer = [main.baked._sync.schedule._pause(0, None), random.random(), os.urandom(8).hex(),"
        " Statsig('secret-x', StatsigOptions(disable_all_logging=True))._session]"
    )
    told = []
    for _ in range(2):
        ask = Ask("POST", body=Body(bytearray(source.encode())))
        (response,) = Sandbox(probe_program, fastly).serve([ask])
        told.append(json.loads(response.text))
    assert not {*told[0]} & {*told[1]}


# Events


def test_short_writes(probe: Probe, fastly: Fastly, sink: EventSink) -> None:
    fastly.write_most = 100
    probe(START, "for i in range(500): shared['statsig'].check_gate(f'user {i}', 'test_fastly')")
    exposed = {event["user"]["userID"] for event in sink.events if "gate_exposure" in event["eventName"]}
    assert exposed == {f"user {i}" for i in range(500)}


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        (lambda _: None, "did not answer within 10 s"),
        (lambda _: Response(503, {}, Body(bytearray(b"later"))), "answered 503"),
        (None, "backend 'statsig' does not exist"),
    ],
)
def test_events_that_cannot_be_sent_wait(probe: Probe, fastly: Fastly, backend: Any, said: str) -> None:
    working = fastly.backends.pop("statsig")
    if backend is not None:
        fastly.backends["statsig"] = backend

    def mend() -> str:
        fastly.backends["statsig"] = working
        return "stats = shared['statsig'].stats().events; answer = [stats.pending, stats.last_error]"

    count = "stats = shared['statsig'].stats().events; answer = [stats.pending, stats.sent]"
    told = probe(START, CHECK, mend, count)
    assert told[2][0] > 0
    assert said in told[2][1]
    assert told[3][0] == 0
    assert told[3][1] > 0


def test_an_outage_costs_one_request_each_time(probe: Probe, fastly: Fastly, sink: EventSink) -> None:
    """Fastly allows 32 requests to backends: what waits must not use them up, then or later."""
    working = fastly.backends["statsig"]
    fastly.backends["statsig"] = lambda _: Response(503, {}, Body(bytearray(b"later")))
    made = []

    def check(number: int) -> Callable[[], str]:
        def source() -> str:
            made.append(fastly.counts["backend"])
            if number == 60:
                fastly.backends["statsig"] = working
            return f"answer = shared['statsig'].check_gate('user {number}', 'test_fastly')"

        return source

    probe(START, *(check(number) for number in range(65)))
    each = [after - before for before, after in pairwise(made)]
    assert set(each[:60]) == {1}
    assert max(each[60:]) <= 8
    exposed = {event["user"]["userID"] for event in sink.events if "gate_exposure" in event["eventName"]}
    assert exposed == {f"user {number}" for number in range(65)}


def test_shutdown_waits_between_attempts(probe: Probe, fastly: Fastly) -> None:
    fastly.backends["statsig"] = lambda _: Response(503, {}, Body(bytearray(b"later")))
    check = START + "shared['statsig'].check_gate('u', 'test_fastly')\n"
    (waited,) = probe(
        f"{check}import time\nbegan = time.monotonic()\n"
        "shared['statsig'].shutdown(2).wait()\nanswer = time.monotonic() - began"
    )
    # A pause is half a second at least.
    assert fastly.counts["backend"] >= 2
    assert waited >= 0.5 * (fastly.counts["backend"] - 1)


def test_answer_that_never_ends(probe: Probe, fastly: Fastly) -> None:
    """The time is for the whole answer, though the host only watches its beginning."""

    class Drip(bytearray):
        def __getitem__(self, _: object) -> bytes:  # type: ignore[override]
            return b"x"

    fastly.backends["statsig"] = lambda _: Response(200, {}, Body(Drip()))
    (said,) = probe(
        MAKE + "from statsig_fastly.transport import Request, TransportError\n"
        "request = Request(method='GET', url='http://x.test/', total_timeout=0.001, max_body_bytes=5000)\n"
        "try: BackendTransport('statsig').send(request)\n"
        "except TransportError as error: answer = [str(error), error.reason]"
    )
    assert said == ["backend 'statsig' did not answer within 0.001 s (total_timeout)", "timeout"]


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        ({}, "secret 'SDK_KEY' of Secret Store 'statsig': not found"),
        ({"statsig": {}}, "secret 'SDK_KEY' of Secret Store 'statsig': there is no such secret"),
    ],
)
def test_without_the_secret_events_wait(probe: Probe, fastly: Fastly, secrets: Any, said: str) -> None:
    whole, fastly.secrets = fastly.secrets, secrets
    transport = "BackendTransport('statsig', sdk_key_secret=('statsig', 'SDK_KEY'))"

    def mend() -> str:
        fastly.secrets = whole
        return "stats = shared['statsig'].stats().events; answer = [stats.pending, stats.last_error]"

    start = START.replace("make()", f"make(log_event_transport={transport})")
    count = "answer = shared['statsig'].stats().events.pending"
    *_, (pending, error), left = probe(start, CHECK, mend, count)
    assert pending > 0
    assert error == said
    assert left == 0


def test_no_secret_is_shown(probe: Probe, fastly: Fastly) -> None:
    """One that no header field can hold: what the host says about it is passed on, and it is not."""
    fastly.secrets["statsig"]["SDK_KEY"] = b"secret-of\nthe-store"
    transport = "BackendTransport('statsig', sdk_key_secret=('statsig', 'SDK_KEY'))"
    start = START.replace("make()", f"make(log_event_transport={transport})")
    told = probe(start, CHECK, "answer = repr(shared['statsig'].stats()) + repr(vars(shared['statsig']))")[2]
    assert "invalid argument" in told
    assert "the-store" not in told


def test_backend_without_being_asked(probe: Probe, sink: EventSink) -> None:
    """There is no other way out."""
    probe(START.replace("make()", "make(log_event_transport=None)"), CHECK)
    assert [event for event in sink.events if "gate_exposure" in event["eventName"]]
    assert {sent.headers["statsig-api-key"] for sent in sink.requests} == {"secret-inside"}


def test_flush_that_fails_is_logged(probe_program: Any, fastly: Fastly, tmp_path: Path) -> None:
    from compute.sandbox import Sandbox

    output = tmp_path / "output"
    transport = "from statsig_fastly.transport import HttpTransport\n"
    start = transport + START.replace("make()", "make(log_event_transport=HttpTransport())")
    asks = [Ask("POST", body=Body(bytearray(source.encode()))) for source in (start, CHECK)]
    responses = Sandbox(probe_program, fastly, output=output).serve(asks)
    assert [response.status for response in responses] == [200, 200]
    assert "flushing events failed" in output.read_text()


def test_retry_after_is_kept_to(probe: Probe, fastly: Fastly) -> None:
    def busy(_: Ask) -> Response:
        return Response(429, {"retry-after": b"600"}, Body(bytearray(b"later")))

    fastly.backends["statsig"] = busy
    probe(START, CHECK, "answer = 1", "answer = 2")
    assert fastly.counts["backend"] == 1


def test_log_endpoint(probe: Probe, fastly: Fastly) -> None:
    logs = START.replace(
        "make()", "make(log_event_transport=LogEndpointTransport('events', line_bytes=4000))"
    )
    probe(logs, "for i in range(50): shared['statsig'].check_gate(f'user {i}', 'test_fastly')")
    lines = fastly.logs["events"]
    assert max(len(line) for line in lines) <= 4000
    bodies = [json.loads(line) for line in lines]
    users = [event["user"]["userID"] for body in bodies for event in body["events"] if event.get("user")]
    assert [user for user in users if user.startswith("user")] == [f"user {i}" for i in range(50)]
    assert {body["statsigMetadata"]["sdkType"] for body in bodies} == {"statsig-fastly-python"}
    assert fastly.counts["backend"] == 0


# Without threads


def test_shutdown_sends(probe: Probe, sink: EventSink) -> None:
    told = probe(
        f"{START}shared['statsig'].check_gate('u', 'test_fastly')\n"
        "answer = shared['statsig'].shutdown().result().pending"
    )
    assert told == [0]
    assert [event for event in sink.events if "gate_exposure" in event["eventName"]]


def test_await_in_a_sandbox(probe: Probe) -> None:
    told = probe(
        START + "async def go(): return (await shared['statsig'].sync()).outcome\n"
        "try: go().send(None)\nexcept StopIteration as stop: answer = stop.value"
    )
    assert told == ["unchanged"]


def test_application_that_raises(probe_program: Any, fastly: Fastly) -> None:
    from compute.sandbox import Sandbox

    sandbox = Sandbox(probe_program, fastly)
    broken = b"import main\nmain.HttpIncoming._app = 5\nanswer = 1"
    asks = [Ask("POST", body=Body(bytearray(source))) for source in (broken, b"answer = 2")]
    first, second = sandbox.serve(asks)
    assert (first.status, second.status, second.text) == (200, 500, b"Internal Server Error")
