"""What is in parameter stores, against the official core and as it changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from answers import Differences, Kind
from engine_under_test import our_engine
from override_project import NAMES, USERS, project
from random_specs import random_case
from reference import Reference, reference_user
from small_project import TIME
from small_project import project as small_project
from statsig_fastly import MemoryAdapter, ParameterStore, Statsig, StatsigOptions, StatsigUser
from statsig_fastly.sample_users import Dice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RANDOM_SEEDS: Final = 30
OVERRIDE_STEPS: Final = 40

# Each getter with fallbacks that no parameter has; of a boolean, both.
GETTERS: Final[tuple[tuple[str, Any], ...]] = (
    ("get_string", "fallback"),
    ("get_float", -9.5),
    ("get_float", -9),
    ("get_integer", -9),
    ("get_bool", True),
    ("get_bool", False),
    ("get_array", ["fallback"]),
    ("get_map", {"fallback": 1}),
)
VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, 7, -3, 2.5, 2.0, -0.0, 1e21, 1e-7, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64, "",
    "text", "7", "é\u0000", [], [1, 2.5, "x", None, True, [1.5], {"a": 2.5}], {},
    {"b": 1, "a": [2.5], "é": {"n": None}}, {"value": 1}, {"gate_name": "on"},
)  # fmt: skip
PARAMETERS: Final = ("x", "y", "d", "own", "of", "nowhere", "")


def test_the_example_reads_as_expected() -> None:
    """So that the comparisons below cannot be between two engines that find nothing."""
    store = compared(project(), {"values": store_of_values(), "checks": store_of_checks()})
    values = store.get_parameter_store("u1", "values")
    assert values.name == "values"
    assert values.get_string("value 17", "-") == "text"
    assert values.get_float("value 4", 0.5) == 7.0
    assert type(values.get_float("value 4", 0.5)) is float
    assert values.get_integer("value 6", 1) == 1
    assert values.get_array("value 21", []) == [1, 2.5, "x", None, True, [1.5], {"a": 2.5}]
    assert values.get_map("value 23", {}) == {"b": 1, "a": [2.5], "é": {"n": None}}
    checks = store.get_parameter_store("u1", "checks")
    assert checks.get_string("gate on", "-") == "passes"
    assert checks.get_string("gate not nested", "-") == "fails"
    assert checks.get_string("config plain.x", "-") == "plain"
    assert checks.get_string("experiment bandit.x", "-") == "arm"
    assert checks.get_string("experiment mapped.x", "-") == "other"
    assert checks.get_string("layer merging.of", "-") in ("exp", "-")
    assert checks.get_string("config nowhere.x", "-") == "-"


def test_parameters_of_random_stores() -> None:
    for seed in range(RANDOM_SEEDS):
        case, dice = random_case(seed, users=4), Dice(seed)
        names: dict[Kind, list[str]] = {"gate": [], "config": [], "experiment": [], "layer": []}
        for kind, name in case.checks:
            names[kind].append(name)
        names["config"] += names["experiment"]
        parameters = [*PARAMETERS, *sorted(members(case.specs))]
        stores = {
            name: {"parameters": {f"p{n}": random_parameter(dice, names, parameters) for n in range(25)}}
            for name in ("store", "", "é")
        }
        compared(case.specs, stores, case.users, case.environment, case.global_custom_fields)


def members(specs: dict[str, Any]) -> set[str]:
    """Names of all members of all values."""
    rules = [
        rule
        for table in ("dynamic_configs", "layer_configs")
        for spec in specs[table].values()
        if isinstance(spec["rules"], list)
        for rule in spec["rules"]
    ]
    values = [rule.get("returnValue") for rule in rules]
    return {name for value in values if isinstance(value, dict) for name in value}


def random_parameter(dice: Dice, names: dict[Kind, list[str]], parameters: Sequence[str]) -> dict[str, Any]:
    """A parameter. At times it has the keys of two kinds, of which the first one counts."""
    parameter: dict[str, Any] = {"ref_type": dice.pick(("static", "x")), "param_type": dice.pick(("y", ""))}
    for _ in range(1 + dice.chance(0.2)):
        kind: Kind = dice.pick(("gate", "config", "experiment", "experiment", "layer", "layer"))
        if dice.chance(0.2):
            parameter["value"] = dice.pick(VALUES)
        elif kind == "gate":
            parameter["gate_name"] = dice.pick(names["gate"])
            parameter["pass_value"], parameter["fail_value"] = dice.pick(VALUES), dice.pick(VALUES)
        else:
            parameter[f"{kind}_name"] = dice.pick(names[kind])
            parameter["param_name"] = dice.pick(parameters)
    return parameter


def test_overrides_of_parameter_stores_and_of_what_is_behind_them() -> None:
    dice = Dice(3)
    payload = {**project(), "param_stores": {"values": store_of_values(), "checks": store_of_checks()}}
    body = json.dumps(payload).encode()
    plain: tuple[dict[str, Any], ...] = (
        {}, {"value 4": 5, "gate on": "set", "new": [1, {"a": 2}]}, store_of_checks()["parameters"],
        {"a": {"ref_type": "x", "value": 1}, "b": {"ref_type": "x", "param_type": "y"}, "c": {"value": 3},
         "e": None,
         "d": {"ref_type": 5, "param_type": "y", "value": 1}, "f": 2**63, "g": {"gate_name": "on"}},
    )  # fmt: skip
    checks = store_of_checks()["parameters"]
    names = sorted({"new", *(f"value {n}" for n in range(len(VALUES))), *checks, *plain[1], *plain[3]})
    with Reference(body) as reference, our_engine(body) as statsig:
        comparison = Comparison(reference, statsig, Differences())
        for step in range(OVERRIDE_STEPS):
            name, unit = (
                dice.pick(("values", "checks", "new")),
                dice.pick((None, None, "u1", "u2", "c1", "5")),
            )
            method, arguments = dice.pick(
                (
                    ("override_parameter_store", (name, dice.pick(plain), unit)),
                    ("override_parameter_store", (name, dice.pick(plain), unit)),
                    ("remove_parameter_store_override", (name, unit)),
                    ("remove_all_overrides", ()),
                    ("override_gate", (dice.pick(NAMES["gate"]), dice.chance(0.5), unit)),
                    ("override_layer", (dice.pick(NAMES["layer"]), {"x": step}, unit)),
                    ("override_experiment", (dice.pick(NAMES["experiment"]), {"x": step}, unit)),
                    ("override_dynamic_config", (dice.pick(NAMES["config"]), {"x": "set"}, unit)),
                    ("override_experiment_by_group_name", ("exp", "Test", unit)),
                )
            )
            for engine in (reference.core, statsig):
                getattr(engine, method)(*arguments)
            for user in dice.take(USERS, 3):
                for store in ("values", "checks", "new"):
                    some = dice.take(names, 8)
                    comparison.read(user, store, some, after=(method, arguments))
            comparison.differences.expect_none()


def test_overrides_before_the_start() -> None:
    with Reference(json.dumps(project()), start=False) as reference:
        statsig = our_engine(b"")
        comparison = Comparison(reference, statsig, Differences())
        for engine in (reference.core, statsig):
            engine.override_parameter_store("checks", store_of_checks()["parameters"])
            engine.override_gate("on", True)
            engine.override_layer("classic", {"x": "set"}, "u1")
        for user in USERS[:3]:
            # Not many: the reference takes its time while nothing is loaded.
            names = ["gate on", "gate nested", "layer classic.x", "experiment exp.x", "no such parameter"]
            comparison.read(user, "checks", names)
        assert statsig.get_parameter_store("u1", "checks").get_string("layer classic.x", "-") == "set"
        assert statsig.get_parameter_store_list() == reference.core.get_parameter_store_list() == []
        comparison.differences.expect_none()


def test_a_store_sees_what_is_loaded_and_overridden_later() -> None:
    adapter = MemoryAdapter(json.dumps(with_store(1)).encode())
    with Statsig("secret-key", StatsigOptions(data_adapter=adapter)) as statsig:
        store = statsig.get_parameter_store("u", "store")
        assert list(read(store)) == [1, "no", 1]
        adapter.update(json.dumps(with_store(2)).encode())
        assert statsig.sync().result(30).changed
        assert list(read(store)) == [2, "no", 2]
        statsig.override_gate("off", True)
        statsig.override_dynamic_config("number", {"a": 3})
        assert list(read(store)) == [2, "yes", 3]
        statsig.override_parameter_store("store", {"gate": "set"})
        assert list(read(store)) == [-1, "set", -1]
        statsig.remove_all_overrides()
        without = with_store(4)
        del without["param_stores"]
        adapter.update(json.dumps(without).encode())
        assert statsig.sync().result(30).changed
        assert list(read(store)) == [-1, "-", -1]
    assert list(read(store)) == [-1, "-", -1]


def with_store(number: int) -> dict[str, Any]:
    parameters: dict[str, dict[str, Any]] = {
        "static": {"value": number},
        "gate": {"gate_name": "off", "pass_value": "yes", "fail_value": "no"},
        "config": {"config_name": "number", "param_name": "a"},
    }
    kinds = {"ref_type": "", "param_type": ""}
    store = {"parameters": {name: {**kinds, **parameter} for name, parameter in parameters.items()}}
    return {**small_project(TIME + number, number), "param_stores": {"store": store}}


def read(store: ParameterStore) -> Iterator[Any]:
    yield store.get_integer("static", -1)
    yield store.get_string("gate", "-")
    yield store.get_integer("config", -1)


def test_the_user_is_the_one_who_was_given() -> None:
    parameter = {"gate_name": "gate", "pass_value": "yes", "fail_value": "no"}
    with our_engine(json.dumps(small_project()).encode()) as statsig:
        statsig.override_gate("gate", True, "u1")
        statsig.override_parameter_store("store", {"p": {"ref_type": "", "param_type": "", **parameter}})
        mapping: dict[str, Any] = {"userID": "u1", "custom": {"a": 1}}
        for user in ("u1", StatsigUser("u1"), StatsigUser(custom_ids={"x": "u1"}), mapping):
            store = statsig.get_parameter_store(user, "store")
            mapping["userID"] = "u2"
            assert store.get_string("p", "-") == "yes"
            mapping["userID"] = "u1"
        assert statsig.get_parameter_store("u2", "store").get_string("p", "-") == "no"


def test_values_belong_to_the_caller() -> None:
    statsig = compared(project(), {"values": store_of_values()})
    statsig.override_layer("plain", {"list": [1]})
    member = {"ref_type": "", "param_type": "", "layer_name": "plain", "param_name": "list"}
    statsig.override_parameter_store("set", {"list": [1], "member": member})
    for store, parameter in (("values", "value 21"), ("set", "list"), ("set", "member")):
        values = statsig.get_parameter_store("u", store)
        before = values.get_array(parameter, [])
        values.get_array(parameter, []).append("changed")
        assert before
        assert values.get_array(parameter, []) == before


def test_the_list_of_stores() -> None:
    stores: dict[str, Any] = {"a": {"parameters": {}}, "é": {"parameters": {}}, "": {"parameters": {}}}
    statsig = compared(project(), stores)
    statsig.override_parameter_store("new", {})
    assert sorted(statsig.get_parameter_store_list()) == sorted(stores)


def store_of_values() -> dict[str, Any]:
    kinds = {"ref_type": "static", "param_type": "any"}
    return {"parameters": {f"value {n}": {**kinds, "value": value} for n, value in enumerate(VALUES)}}


def store_of_checks() -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for kind, names in NAMES.items():
        for name in names:
            if kind == "gate":
                parameters[f"gate {name}"] = {
                    "gate_name": name, "pass_value": "passes", "fail_value": "fails",
                }  # fmt: skip
                continue
            for member in PARAMETERS:
                parameters[f"{kind} {name}.{member}"] = {f"{kind}_name": name, "param_name": member}
    return {
        "parameters": {
            name: {"ref_type": "", "param_type": "", **parameter} for name, parameter in parameters.items()
        },
        "targetAppIDs": ["app"],
        "version": 2,
    }


def compared(
    payload: dict[str, Any],
    stores: dict[str, Any],
    users: Sequence[dict[str, Any]] = USERS,
    environment: str | None = None,
    global_custom_fields: dict[str, Any] | None = None,
) -> Statsig:
    """Compares every parameter, and returns the engine, which goes on answering."""
    body = json.dumps({**payload, "param_stores": stores}).encode()
    statsig = our_engine(body, environment, global_custom_fields)
    with statsig, Reference(body, environment, global_custom_fields) as reference:
        comparison = Comparison(reference, statsig, Differences())
        assert sorted(statsig.get_parameter_store_list()) == sorted(reference.core.get_parameter_store_list())
        for user in users:
            for name, store in [*stores.items(), ("no such store", {"parameters": {}})]:
                parameters = [*store["parameters"], "no such parameter"]
                comparison.read(user, name, parameters, store=store)
        comparison.differences.expect_none()
    return statsig


class Comparison(NamedTuple):
    """Two engines, and where they differ."""

    reference: Reference
    statsig: Statsig
    differences: Differences

    def read(self, user: dict[str, Any], name: str, parameters: Sequence[str], **shown: object) -> None:
        """Compares what every getter returns; `shown` is for the failure message."""
        theirs = self.reference.core.get_parameter_store(reference_user(user), name)
        ours = self.statsig.get_parameter_store(user, name)
        for parameter in parameters:
            for getter, fallback in GETTERS:
                value = getattr(ours, getter)(parameter, fallback)
                if getter == "get_array":
                    value = as_integers(value)
                expected = getattr(theirs, getter)(parameter, fallback)
                self.differences.compared += 1
                if repr(value) != repr(expected) and (not isinstance(value, dict) or value != expected):
                    what = f"{getter} of {name!r}.{parameter!r}: ours {value!r}, theirs {expected!r}"
                    self.differences.add(f"{what}\n  {user}\n  {shown}")


def as_integers(value: list[Any]) -> list[Any]:
    """What the reference makes of an array: numbers that are no 64-bit integers are 0."""

    def element(item: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(item, list):
            return as_integers(item)
        is_number = isinstance(item, int | float) and not isinstance(item, bool)
        return 0 if is_number and not (isinstance(item, int) and -(2**63) <= item < 2**63) else item

    return [element(item) for item in value]
