"""Payloads nobody would write: each is used, or refused with exactly `PayloadError` in one line.

What was in use before stays and goes on answering. A panic would show as an exception that is no
`Exception`, a hang as a `TimeoutError`.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scripted_adapter import PATIENCE
from small_project import TIME, payload, project
from statsig_fastly import MemoryAdapter, PayloadError, Statsig, StatsigOptions, StatsigUser
from statsig_fastly.sample_project import sample_project

if TYPE_CHECKING:
    from collections.abc import Callable

V1 = payload(TIME + 1, 2)


# The sample project of the package, which is in the other format.
V2 = json.dumps({**sample_project(1, gates=20, configs=16), "time": TIME + 1}).encode()
BASE = payload()
ATTRIBUTES: dict[str, Any] = {"country": "NZ", "plan": "pro", "flag": True, "list": ["a", 1, None]}
USER = StatsigUser("u-1", email="a@example.com", custom=ATTRIBUTES, custom_ids={"companyID": 7})

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@dataclass
class Client:
    """A client that holds `BASE` and is given one payload after the other."""

    adapter: MemoryAdapter
    statsig: Statsig

    def offer(self, body: bytes) -> None:
        """Offers a payload and looks at what came of it."""
        before = self.statsig.config_time
        self.adapter.update(body)
        details = self.statsig.sync().result(PATIENCE)
        if details.error is not None:
            assert type(details.error) is PayloadError
            assert len(str(details.error).splitlines()) == 1
            assert not details.changed
            assert self.statsig.config_time == before
        if details.changed:
            assert self.statsig.config_time is not None
            assert before is not None
            assert self.statsig.config_time >= before
            read_everything(self.statsig)
        else:
            assert self.statsig.check_gate(USER, "on")
            assert self.statsig.get_dynamic_config(USER, "number")["a"] == 1


def a_client() -> Client:
    adapter = MemoryAdapter(BASE)
    statsig = Statsig("secret-key", StatsigOptions(data_adapter=adapter))
    assert statsig.initialize().result(PATIENCE).init_success
    return Client(adapter, statsig)


def read_everything(statsig: Statsig) -> None:
    """Every answer about every spec; what it is does not matter, that it is one does."""
    for name in statsig.get_feature_gate_list():
        assert isinstance(statsig.get_feature_gate(USER, name).to_dict()["value"], bool)
    configs = [
        *statsig.get_dynamic_config_list(),
        *statsig.get_experiment_list(),
        *statsig.get_autotune_list(),
    ]
    for name in configs:
        experiment = statsig.get_experiment(USER, name)
        assert isinstance(experiment.value, dict)
        assert repr(experiment)
        assert {key: experiment[key] for key in experiment.value} == experiment.value
    for name in statsig.get_layer_list():
        layer = statsig.get_layer(USER, name)
        assert isinstance(layer.get_value(), dict)
        assert repr(layer)
        assert isinstance(layer.explicit_parameters, list)
        assert isinstance(layer.secondary_exposures, list)


FEW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


# Bytes


@FEW
@given(st.binary(max_size=200))
@example(b"0\n\x00")
def test_random_bytes(body: bytes) -> None:
    a_client().offer(body)


@FEW
@given(st.text(alphabet='{}[]":,0123456789.-+eE\\u tfnalsrue', max_size=60))
def test_random_bits_of_json(text: str) -> None:
    for body in (
        text,
        f'{{"has_updates":true,"time":{text}',
        f'{{"has_updates":true,"feature_gates":{text}}}',
    ):
        a_client().offer(body.encode())


@pytest.mark.parametrize("whole", [V1, V2], ids=["v1", "v2"])
def test_every_kind_of_truncation(whole: bytes) -> None:
    client = a_client()
    lengths = {*range(0, len(whole), max(1, len(whole) // 400)), *range(len(whole) - 20, len(whole))}
    for length in sorted(lengths):
        client.offer(whole[:length])
        assert client.statsig.config_time == TIME  # no part of a payload is a payload
    client.offer(whole)
    assert client.statsig.config_time == TIME + 1


@FEW
@given(data=st.data(), whole=st.sampled_from([V1, V2]))
def test_flipped_bits(data: st.DataObject, whole: bytes) -> None:
    body = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    a_client().offer(bytes(body))


@FEW
@given(data=st.data(), whole=st.sampled_from([V1, V2]), bits=st.binary(min_size=1, max_size=8))
def test_inserted_and_removed_bytes(data: st.DataObject, whole: bytes, bits: bytes) -> None:
    at = data.draw(st.integers(0, len(whole)))
    removed = data.draw(st.integers(0, 30))
    a_client().offer(whole[:at] + bits + whole[at:])
    a_client().offer(whole[:at] + whole[at + removed :])


# JSON


def places(value: Any, so_far: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    """Paths of everything inside a JSON value."""
    found = []
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in members:
        found += [(*so_far, key), *places(inner, (*so_far, key))]
    return found


def changed(specs: dict[str, Any], path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> bytes:
    """The payload after `change` was called with the container and key of the place."""
    specs = copy.deepcopy(specs)
    container: Any = specs
    for key in path[:-1]:
        container = container[key]
    change(container, path[-1])
    return json.dumps(specs).encode()


def remove(container: Any, key: Any) -> None:  # noqa: ANN401 - JSON
    del container[key]


SPECS = {"v1": project(TIME + 1, 2), "v2": json.loads(V2)}
PLACES = {name: places(specs) for name, specs in SPECS.items()}


def test_names_of_the_payload_do_not_break_the_line() -> None:
    specs = json.loads(V2)
    condition = next(iter(specs["condition_map"].values()))
    condition["additionalValues"] = {"a\x1eb\u2028c\nd": None}
    a_client().offer(json.dumps(specs).encode())


@settings(FEW, max_examples=300)
@given(data=st.data(), form=st.sampled_from(["v1", "v2"]), value=JSON)
def test_any_value_in_place_of_another(data: st.DataObject, form: str, value: object) -> None:
    path = data.draw(st.sampled_from(PLACES[form]))

    def put(container: Any, key: Any) -> None:  # noqa: ANN401 - JSON
        container[key] = value

    a_client().offer(changed(SPECS[form], path, put))


# What a whole reader has to read, as JSON text.
ODD_VALUES = {
    "null": "null",
    "true": "true",
    "text": '"x"',
    "empty text": '""',
    "empty array": "[]",
    "empty object": "{}",
    "deep arrays": "[" * 10_000 + "]" * 10_000,
    "deep objects": '{"a":' * 10_000 + "1" + "}" * 10_000,
    "deep and open": "[" * 10_000,
    "huge float": "1e999",
    "minus huge float": "-1e999",
    "huge integer": "9" * 5_000,
    "tiny": "1e-999",
    "minus zero": "-0.0",
    "2^64": str(2**64),
    "leading zero": "007",
    "NaN": "NaN",
    "lone surrogate": r'"\ud83d"',
    "surrogates in the wrong order": r'"\udc00\ud800"',
    "surrogate in bytes": '"\ud83d"',
    "NUL": r'"a\u0000b"',
    "raw NUL": '"a\0b"',
    "duplicate names": '{"a":1,"a":2,"a":{"a":3}}',
    "very long text": '"' + "x" * 2_000_000 + '"',
    "very many members": "{" + ",".join(f'"k{n}":{n}' for n in range(50_000)) + "}",
    "very many elements": "[" + ",".join(["1"] * 200_000) + "]",
    "empty name": '{"":{"":[""]}}',
    "odd names": r'{"__proto__":1,"constructor":2,"\u0000":3}',
}
# One place of each kind: of the payload itself, of a spec, a rule and a condition.
ODD_PLACES = [
    ("has_updates",),
    ("time",),
    ("checksum",),
    ("feature_gates",),
    ("feature_gates", 3, "name"),
    ("feature_gates", 3, "salt"),
    ("feature_gates", 3, "enabled"),
    ("feature_gates", 3, "version"),
    ("feature_gates", 3, "rules"),
    ("feature_gates", 3, "rules", 0, "passPercentage"),
    ("feature_gates", 3, "rules", 0, "returnValue"),
    ("feature_gates", 3, "rules", 0, "conditions"),
    ("feature_gates", 3, "rules", 0, "conditions", 0),
    ("feature_gates", 3, "rules", 0, "conditions", 0, "targetValue"),
    ("feature_gates", 3, "rules", 0, "conditions", 0, "operator"),
    ("feature_gates", 3, "rules", 0, "conditions", 0, "field"),
    ("dynamic_configs", 1, "defaultValue"),
    ("dynamic_configs", 1, "rules", 0, "returnValue"),
    ("dynamic_configs", 1, "rules", 0, "returnValue", "a"),
    ("dynamic_configs", 1, "rules", 0, "returnValue", "c", "d"),
    ("dynamic_configs", 4, "explicitParameters"),
    ("layer_configs", 0, "defaultValue"),
    ("layer_configs", 0, "rules", 0, "configDelegate"),
    ("default_environment",),
    ("something_unknown",),
]


@pytest.mark.parametrize("odd", ODD_VALUES)
def test_odd_values_in_places_of_every_kind(odd: str) -> None:
    def put(container: Any, key: Any) -> None:  # noqa: ANN401 - JSON
        container[key] = "@odd value@"

    text = ODD_VALUES[odd].encode("utf-8", "surrogatepass")
    for path in ODD_PLACES:
        body = changed(SPECS["v1"], path, put).replace(b'"@odd value@"', text)
        assert text in body
        a_client().offer(body)


@pytest.mark.parametrize("odd", ODD_VALUES)
def test_odd_values_as_the_whole_payload_and_at_the_start(odd: str) -> None:
    text = ODD_VALUES[odd].encode("utf-8", "surrogatepass")
    a_client().offer(text)
    statsig = Statsig("secret-key", StatsigOptions(data_adapter=MemoryAdapter(text)))
    failure = statsig.initialize().result(PATIENCE).failure_details
    assert failure is not None
    assert failure.error == "PayloadError"
    assert len(failure.reason) < 1_000
    assert statsig.get_feature_gate(USER, "on").details.reason == "NoValues"


def test_any_part_may_be_missing() -> None:
    for path in PLACES["v1"]:
        a_client().offer(changed(SPECS["v1"], path, remove))


def test_every_spec_twice() -> None:
    specs = copy.deepcopy(SPECS["v1"])
    for kind in ("feature_gates", "dynamic_configs", "layer_configs"):
        specs[kind] = [*specs[kind], *specs[kind]]
    a_client().offer(json.dumps(specs).encode())


@pytest.mark.parametrize("length", [1, 2, 50, 5_000])
def test_gates_that_depend_on_themselves(length: int) -> None:
    specs = project(TIME + 1)
    follows = next(gate for gate in specs["feature_gates"] if gate["name"] == "follows_on")
    ring = []
    for n in range(length):
        gate = copy.deepcopy(follows)
        gate["name"] = f"ring {n}"
        gate["rules"][0]["conditions"][0]["targetValue"] = f"ring {(n + 1) % length}"
        ring.append(gate)
    client = a_client()
    client.offer(json.dumps({**specs, "feature_gates": ring}).encode())
    result = client.statsig.get_feature_gate(USER, "ring 0")
    assert result.value is False
    assert result.details.reason


def test_layers_and_experiments_that_delegate_to_each_other() -> None:
    specs = project(TIME + 1)
    nested = next(config for config in specs["dynamic_configs"] if config["name"] == "nested")
    nested["rules"][0]["configDelegate"] = "nested"
    client = a_client()
    client.offer(json.dumps(specs).encode())
    assert isinstance(client.statsig.get_layer(USER, "page").get_value(), dict)
    assert isinstance(client.statsig.get_experiment(USER, "nested").value, dict)


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(" * 1_000, "[", "(?P<x>a)(?P<x>b)", "a{1000000}", "\\", "(?R)"]
)
def test_hopeless_patterns(pattern: str) -> None:
    specs = project(TIME + 1)
    condition = specs["feature_gates"][3]["rules"][0]["conditions"][0]
    condition.update(operator="str_matches", targetValue=pattern)
    client = a_client()
    client.offer(json.dumps(specs).encode())
    for email in ("a" * 30 + "!", "", "\0", "a" * 10_000 + "!"):
        assert client.statsig.check_gate({"email": email}, "staff") in (True, False)
