"""Many checks at once: the same answers as one by one, from and to anything that speaks Arrow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sample_checks import CONFIGS, GATES, PAYLOAD, evaluator
from small_project import TIME, payload, project, started
from statsig_fastly import FeatureGateEvaluationOptions, MemoryAdapter, Statsig, StatsigOptions, StatsigUser
from statsig_fastly._native import Evaluator, EventLog

if TYPE_CHECKING:
    from collections.abc import Callable

pa = pytest.importorskip("pyarrow")

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), TEXT
)


def polars_frame(rows: list[dict[str, Any]]) -> object:
    polars = pytest.importorskip("polars")
    return polars.from_arrow(pa.Table.from_pylist(rows))


def duckdb_relation(rows: list[dict[str, Any]]) -> object:
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect()
    connection.register("users", pa.Table.from_pylist(rows))
    return connection.sql("select * from users").arrow()


TABLES: dict[str, Callable[[list[dict[str, Any]]], object]] = {
    "pyarrow table": pa.Table.from_pylist,
    "pyarrow batch": pa.RecordBatch.from_pylist,
    "in small batches": lambda rows: pa.Table.from_batches(
        [pa.RecordBatch.from_pylist([row], schema=pa.Table.from_pylist(rows).schema) for row in rows]
    ),
    "a slice": lambda rows: pa.Table.from_pylist([*rows, *rows])[len(rows) :],
    "a slice of a batch": lambda rows: pa.RecordBatch.from_pylist([*rows, *rows]).slice(len(rows)),
    "polars": polars_frame,
    "duckdb": duckdb_relation,
}


def users(count: int) -> list[dict[str, Any]]:
    """Rows with a bit of everything that conditions of the sample project look at."""
    return [
        {
            "user_id": None if n % 17 == 16 else f"user-{n}",
            "email": f"somebody-{n}@acme.example" if n % 3 else None,
            "country": ("NZ", "FR", "US", None)[n % 4],
            "appVersion": ("2.10.3", "3.1.0", "1.0", None)[n % 4],
            "locale": ("en-US", "fr_FR", None)[n % 3],
            "custom": {
                "plan": ("pro", "free", "enterprise", None)[n % 4],
                "seats": 20 * n if n % 5 else None,
                "beta": n % 2 == 0,
                "roles": ["admin", "editor"] if n % 3 == 0 else ["viewer"],
                "balance": n * 12.5,
            },
            "customIDs": {"companyID": f"company-{n % 7}", "stableID": f"stable-{n}"},
        }
        for n in range(count)
    ]


def given_to_a_user(row: dict[str, Any]) -> dict[str, Any]:
    """What a row says of the user: null says nothing."""
    fields: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            fields[name] = {key: member for key, member in value.items() if member is not None}
        elif value is not None:
            fields[name] = value
    return fields


def user_of(row: dict[str, Any]) -> StatsigUser:
    names = {"appVersion": "app_version", "customIDs": "custom_ids"}
    return StatsigUser(**{names.get(name, name): value for name, value in given_to_a_user(row).items()})


def compare(checks: Evaluator, table: object, rows: list[dict[str, Any]], threads: int | None = None) -> None:
    batch = checks.evaluate_batch(table, gates=GATES, experiments=CONFIGS, threads=threads)  # type: ignore[arg-type]
    got = pa.table(batch)
    assert batch.column_names == got.column_names == [*GATES, *CONFIGS]
    assert len(batch) == got.num_rows == len(rows)
    for row, answers in zip(rows, got.to_pylist(), strict=True):
        user = user_of(row)
        for name in GATES:
            gate = checks.get_feature_gate(user, name)
            assert answers[name] == {"value": gate.value, "rule_id": gate.rule_id}, name
        for name in CONFIGS:
            experiment = checks.get_experiment(user, name)
            value = answers[name]["value"]
            assert ({} if value is None else json.loads(value)) == experiment.value, name
            assert answers[name]["rule_id"] == experiment.rule_id, name
            assert answers[name]["group"] == experiment.group_name, name


@pytest.mark.parametrize("make", TABLES)
def test_the_same_answers_as_single_checks(make: str) -> None:
    rows = users(60)
    compare(evaluator(), TABLES[make](rows), rows)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads(threads: int) -> None:
    rows = users(40)
    table = pa.Table.from_pylist(rows * 300)
    checks = evaluator()
    batch = pa.table(checks.evaluate_batch(table, gates=GATES[:5], threads=threads))
    assert batch.slice(0, 40).equals(batch.slice(40 * 299)), "rows are out of order"
    compare(checks, table.slice(0, 40), rows, threads)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.fixed_dictionaries({"user_id": TEXT, "custom.plan": st.one_of(st.none(), TEXT)}), min_size=1)
)
def test_any_text(rows: list[dict[str, Any]]) -> None:
    checks = evaluator()
    got = pa.table(checks.evaluate_batch(pa.Table.from_pylist(rows), gates=GATES)).to_pylist()
    for row, answers in zip(rows, got, strict=True):
        plan = row["custom.plan"]
        user = StatsigUser(row["user_id"], custom={} if plan is None else {"plan": plan})
        assert {name: answer["value"] for name, answer in answers.items()} == checks.check_gates(user, GATES)


KINDS = [
    (pa.int8(), -3), (pa.int16(), -300), (pa.int32(), 70_000), (pa.int64(), -(2**62)), (pa.uint8(), 200),
    (pa.uint16(), 60_000), (pa.uint32(), 2**31), (pa.uint64(), 2**64 - 1), (pa.float32(), 1.5),
    (pa.float64(), 0.1), (pa.string(), "text"), (pa.large_string(), "text"), (pa.string_view(), "t"),
    (pa.string_view(), "more than twelve bytes"), (pa.dictionary(pa.int8(), pa.string()), "text"),
    (pa.bool_(), True),
    (pa.null(), None), (pa.list_(pa.int64()), [1, 2]), (pa.large_list(pa.string()), ["a"]),
    (pa.struct([("a", pa.int64())]), {"a": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), KINDS, ids=str)
def test_every_type_of_column(kind: Any, value: Any) -> None:  # noqa: ANN401 - of any type
    specs = project(TIME)
    operator = "array_contains_any" if isinstance(value, list) else "any"
    target = value if isinstance(value, list) else [value]
    condition = {"type": "user_field", "field": "f", "operator": operator, "targetValue": target}
    rule = {**specs["feature_gates"][0]["rules"][0], "conditions": [condition]}
    specs["feature_gates"].append({**specs["feature_gates"][0], "name": "typed", "rules": [rule]})
    checks = Evaluator()
    checks._load(json.dumps(specs).encode(), "Test")
    table = pa.table({"user_id": ["a", "b"], "custom.f": pa.array([value, None], kind)})
    got = [
        row["typed"]["value"] for row in pa.table(checks.evaluate_batch(table, gates=["typed"])).to_pylist()
    ]
    singles = [StatsigUser("a", custom={} if value is None else {"f": value}), StatsigUser("b", custom={})]
    assert got == [checks.check_gate(user, "typed") for user in singles]


WRONG: dict[str, tuple[object, type[Exception], str]] = {
    "no table": (
        [{"user_id": "a"}],
        TypeError,
        "argument 'table': expected a table that has __arrow_c_stream__",
    ),
    "unknown column": (
        pa.table({"user": ["a"]}),
        ValueError,
        'unknown column "user", expected one of user_id, email',
    ),
    "a number as an id": (pa.table({"user_id": [1]}), ValueError, 'column "user_id": expected text'),
    "a map that is none": (pa.table({"custom": ["a"]}), ValueError, 'column "custom": expected a struct'),
    "a time": (
        pa.table({"custom.at": pa.array([1], pa.timestamp("ms"))}),
        ValueError,
        'custom.at: the Arrow type "tsm:" is none a condition could look at',
    ),
    "a list as an id": (
        pa.table({"custom_ids.companyID": pa.array([["a"]])}),
        ValueError,
        'column "custom_ids.companyID", row 0: companyID: expected text, a number or a boolean',
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_with_a_table_is_named(wrong: str) -> None:
    table, error, text = WRONG[wrong]
    with pytest.raises(error, match=text.replace("(", r"\(")):
        evaluator().evaluate_batch(table, gates=GATES[:1])  # type: ignore[arg-type]


def test_overrides_count() -> None:
    with started(data_adapter=MemoryAdapter(payload(TIME)), disable_all_logging=True) as statsig:
        statsig.override_gate("off", True)
        statsig.override_experiment("button", {"color": "pink"})
        table = pa.table({"user_id": ["a"]})
        [row] = pa.table(
            statsig.evaluate_batch(table, gates=["off", "none"], experiments=["button"])
        ).to_pylist()
        assert row["off"] == {"value": True, "rule_id": "override"}
        assert row["none"] == {"value": False, "rule_id": ""}
        assert json.loads(row["button"]["value"]) == {"color": "pink"}


def test_without_rows_without_names_and_without_a_payload() -> None:
    empty = pa.table({"user_id": pa.array([], pa.string())})
    assert pa.table(evaluator().evaluate_batch(empty, gates=GATES[:2])).num_rows == 0
    assert len(evaluator().evaluate_batch(pa.table({"user_id": ["a"]}))) == 1
    [row] = pa.table(
        Evaluator().evaluate_batch(pa.table({"user_id": ["a"]}), gates=["g"], experiments=["e"])
    ).to_pylist()
    assert row == {"g": {"value": False, "rule_id": ""}, "e": {"value": None, "rule_id": "", "group": None}}


def test_nothing_of_a_batch_is_logged() -> None:
    log = EventLog(batch_size=10, capacity=10, dedupe_ms=60_000, dedupe_keys=10)
    checks = Evaluator(events=log)
    checks._load(PAYLOAD, "Test")
    checks.evaluate_batch(pa.table({"user_id": ["a"]}), gates=GATES, experiments=CONFIGS)
    checks.evaluate_all("a")
    assert len(log) == 0
    checks.check_gates("a", GATES[:2], FeatureGateEvaluationOptions(disable_exposure_logging=True))
    assert len(log) == 1
    checks.check_gates("a", GATES[:2])
    assert log.counts["recorded"] == 3


def test_a_result_outlives_what_made_it_and_can_be_read_twice() -> None:
    batch = evaluator().evaluate_batch(pa.table({"user_id": ["a", "b"]}), gates=GATES[:1])
    tables = [pa.table(batch), pa.table(batch)]
    batch.__arrow_c_stream__()
    del batch
    assert tables[0].equals(tables[1])


@pytest.mark.parametrize(
    "user", ["user-7", {"userID": "user-7", "country": "NZ"}, StatsigUser("user-7", country="NZ")]
)
def test_many_gates_of_one_user(user: StatsigUser | str | dict[str, Any]) -> None:
    checks = evaluator()
    assert checks.check_gates(user, GATES) == {name: checks.check_gate(user, name) for name in GATES}
    assert checks.check_gates(user, iter(["none"])) == {"none": False}
    with pytest.raises(TypeError, match="argument 'names': expected several names, got str"):
        checks.check_gates(user, "a_gate")


def test_everything_of_one_user() -> None:
    checks = evaluator()
    user = StatsigUser("user-7", country="NZ", custom={"plan": "pro"})
    everything = checks.evaluate_all(user)
    assert list(everything["feature_gates"]) == checks.get_feature_gate_list()
    assert list(everything["dynamic_configs"]) == checks.get_dynamic_config_list()
    assert set(everything["experiments"]) == {*checks.get_experiment_list(), *checks.get_autotune_list()}
    assert list(everything["layers"]) == checks.get_layer_list()
    for name, gate in everything["feature_gates"].items():
        assert gate == checks.get_feature_gate(user, name)
    for name, config in everything["dynamic_configs"].items():
        assert config == checks.get_dynamic_config(user, name)
    for name, experiment in everything["experiments"].items():
        assert experiment == checks.get_experiment(user, name)
    for name, layer in everything["layers"].items():
        assert layer == checks.get_layer(user, name)


def test_a_client_before_it_starts() -> None:
    statsig = Statsig("secret-key", StatsigOptions(data_adapter=MemoryAdapter(payload(TIME))))
    assert statsig.check_gates("a", ["on"]) == {"on": False}
    assert statsig.evaluate_all("a") == {
        "feature_gates": {},
        "dynamic_configs": {},
        "experiments": {},
        "layers": {},
    }
