"""How deep things may be nested: long chains, asked of the official core as well."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from answers import Differences, Kind
from conformance import build
from engine_under_test import our_answer, our_engine
from reference import Reference

if TYPE_CHECKING:
    from collections.abc import Sequence

USER = {"userID": "u"}


class Chains:
    """A payload of chains. Each is a way from a first name to a condition, or to something by name."""

    def __init__(self) -> None:
        self.payload = build.payload(
            conditions={"always": build.PUBLIC, "never": build.condition("unit_id", "any", ["nobody"])},
            overrides={},
            override_rules={},
            cmab_configs={},
        )

    def gates(self, prefix: str, count: int, end: str = "always", **last: Any) -> str:  # noqa: ANN401 - JSON
        """Gates that each ask for the next. The condition that asks for the first of them."""
        for number in range(1, count + 1):
            more = last if number == count else {}
            wanted = end if number == count else f"{prefix}{number + 1}"
            name = f"{prefix}{number}"
            self.payload["feature_gates"][name] = build.gate([build.rule(name, [wanted], **more)])
            self.payload["condition_map"][name] = build.nested(name)
        return f"{prefix}1" if count else end

    def delegates(self, prefix: str, count: int, end: str = "always", **last: Any) -> str:  # noqa: ANN401 - JSON
        """Experiments that each delegate to the next. The name of the first."""
        for number in range(1, count + 1):
            name, is_last = f"{prefix}{number}", number == count
            more = {"configDelegate": f"{prefix}{number + 1}", **(last if is_last else {})}
            rule = build.rule(name, [end if is_last else "always"], {name: 1}, groupName="Test", **more)
            self.payload["dynamic_configs"][name] = build.config([rule], entity="experiment")
        return f"{prefix}1"

    def groups(self, prefix: str, count: int, end: str = "always") -> str:
        """Experiments that each ask for the group in the next. The name of the first."""
        for number in range(1, count + 1):
            name, following = f"{prefix}{number}", f"{prefix}{number + 1}"
            wanted = end if number == count else self.group(following)
            rule = build.rule(name, [wanted], {name: 1}, groupName="Test")
            self.payload["dynamic_configs"][name] = build.config([rule], entity="experiment")
        return f"{prefix}1"

    def group(self, experiment: str) -> str:
        """The condition that asks for the group in an experiment."""
        key = f"group of {experiment}"
        condition = build.condition("experiment_group", "any", ["Test"], field=experiment)
        self.payload["condition_map"][key] = condition
        return key

    def mapping(self, name: str, to: str, condition: str = "always") -> None:
        """Puts one spec in place of another for those whom the condition holds for."""
        rule = f"to {to} if {condition}"
        self.payload["overrides"][name] = [{"new_config_name": to, "rules": [{"rule_name": rule}]}]
        self.payload["override_rules"][rule] = build.rule(rule, [condition])

    def layer(self, delegate: str) -> None:
        """The layer `top`, with a delegate."""
        rule = build.rule("layer", ["always"], {}, configDelegate=delegate)
        self.payload["layer_configs"]["top"] = build.layer([rule])

    def gate(self, condition: str) -> None:
        """The gate `top`, with a condition."""
        self.payload["feature_gates"]["top"] = build.only(condition)


def delegates_and_gates(chains: Chains, delegates: int, gates: int) -> Kind:
    chains.layer(chains.delegates("e", delegates, chains.gates("g", gates)))
    return "layer"


def gates_delegates_and_gates(chains: Chains, gates: int, delegates: int, below: int) -> Kind:
    first = chains.delegates("e", delegates, chains.gates("h", below))
    chains.gate(chains.gates("g", gates, configDelegate=first))
    return "gate"


def delegates_a_group_and_delegates(chains: Chains, delegates: int, below: int) -> Kind:
    group = chains.group(chains.delegates("f", below))
    chains.layer(chains.delegates("e", delegates, group))
    return "layer"


def gates_a_group_and_gates(chains: Chains, gates: int, below: int) -> Kind:
    group = chains.group(chains.groups("f", 1, chains.gates("h", below)))
    chains.gate(chains.gates("g", gates, group))
    return "gate"


def groups_and_gates(chains: Chains, groups: int, gates: int) -> Kind:
    chains.layer(chains.groups("e", groups, chains.gates("g", gates)))
    return "layer"


def delegates_a_mapping_and_delegates(chains: Chains, delegates: int, below: int) -> Kind:
    chains.layer(chains.delegates("e", delegates))
    chains.mapping(f"e{delegates}", chains.delegates("f", below))
    return "layer"


def delegates_past_a_mapping_that_is_not_for_the_user(chains: Chains, delegates: int, below: int) -> Kind:
    chains.layer(chains.delegates("e", delegates, configDelegate=chains.delegates("f", below)))
    chains.mapping(f"e{delegates}", f"f{below}", "never")
    return "layer"


def delegates_below_a_gate_that_is_mapped(chains: Chains, delegates: int, below: int) -> Kind:
    chains.gates("m", 1)
    chains.gates("n", 1)
    chains.mapping("m1", "n1")
    first = chains.delegates("f", below)
    chains.layer(chains.delegates("e", delegates, "m1", configDelegate=first))
    return "layer"


def delegates_and_gates_of_a_mapping_rule(chains: Chains, delegates: int, gates: int) -> Kind:
    chains.layer(chains.delegates("e", delegates))
    chains.mapping(f"e{delegates}", chains.groups("f", 1), chains.gates("g", gates))
    return "layer"


def delegates_and_delegates_of_a_mapping_rule(chains: Chains, delegates: int, below: int) -> Kind:
    gate = chains.gates("g", 1, configDelegate=chains.delegates("f", below))
    chains.layer(chains.delegates("e", delegates))
    chains.mapping(f"e{delegates}", chains.groups("z", 1), gate)
    return "layer"


def gates_a_mapping_and_gates(chains: Chains, gates: int, below: int) -> Kind:
    chains.gate(chains.gates("g", gates))
    chains.gates("h", below)
    chains.mapping(f"g{gates}", "h1")
    return "gate"


def mappings_and_delegates(chains: Chains, mappings: int, delegates: int) -> Kind:
    chains.groups("m", mappings + 1)
    for number in range(1, mappings + 1):
        chains.mapping(f"m{number}", f"m{number + 1}")
    chains.delegates("e", delegates)
    chains.mapping(f"m{mappings + 1}", "e1")
    chains.layer("m1")
    return "layer"


def delegates_and_the_targeting_of_a_bandit(chains: Chains, delegates: int, gates: int, below: int) -> Kind:
    first = chains.delegates("f", below)
    chains.gates("g", gates, **({"configDelegate": first} if below else {}))
    chains.layer(chains.delegates("e", delegates))
    chains.payload["cmab_configs"][f"e{delegates}"] = {
        "salt": "x",
        "defaultValue": {"arm": None},
        "idType": "userID",
        "enabled": True,
        "version": 1,
        "sampleRate": 0.0,
        "higherIsBetter": True,
        "groups": [{"id": "a", "name": "A", "parameterValues": {"arm": "a"}}],
        "config": {},
        "targetingGateName": "g1",
    }
    return "layer"


@pytest.mark.parametrize(
    ("arrange", "lengths"),
    [
        (delegates_and_gates, [(299, 1), (300, 0), (300, 1), (300, 64), (300, 65), (301, 0)]),
        (gates_delegates_and_gates, [(1, 299, 0), (1, 300, 0), (64, 236, 0), (64, 237, 0)]),
        (gates_delegates_and_gates, [(30, 270, 34), (30, 270, 35), (30, 271, 34)]),
        (delegates_a_group_and_delegates, [(200, 101), (200, 102), (98, 301), (98, 302), (300, 1), (301, 1)]),
        (gates_a_group_and_gates, [(64, 64), (64, 65), (65, 0)]),
        (groups_and_gates, [(300, 64), (300, 65), (390, 0)]),
        (delegates_a_mapping_and_delegates, [(200, 101), (200, 199), (98, 301), (98, 302), (301, 1)]),
        (delegates_past_a_mapping_that_is_not_for_the_user, [(200, 101), (98, 300), (98, 301), (301, 1)]),
        (delegates_below_a_gate_that_is_mapped, [(200, 100), (200, 101), (10, 291)]),
        (delegates_and_gates_of_a_mapping_rule, [(300, 64), (300, 65), (1, 65)]),
        (delegates_and_delegates_of_a_mapping_rule, [(200, 99), (200, 100), (1, 299)]),
        (gates_a_mapping_and_gates, [(30, 35), (30, 36), (64, 1), (65, 1)]),
        (mappings_and_delegates, [(10, 301), (10, 302), (98, 301), (390, 1)]),
        (delegates_and_the_targeting_of_a_bandit, [(299, 1, 0), (300, 1, 0), (301, 1, 0), (1, 65, 0)]),
        (delegates_and_the_targeting_of_a_bandit, [(1, 66, 0), (200, 1, 99), (200, 1, 100), (1, 10, 289)]),
    ],
)
def test_chains_end_where_those_of_the_official_core_do(
    arrange: Any,  # noqa: ANN401 - takes one to three lengths
    lengths: Sequence[tuple[int, ...]],
) -> None:
    differences = Differences()
    for length in lengths:
        chains = Chains()
        kind: Kind = arrange(chains, *length)
        payload = json.dumps(chains.payload).encode()
        with Reference(payload) as reference, our_engine(payload) as statsig:
            theirs = reference.check(kind, "top", USER)
            ours = our_answer(statsig, kind, "top", USER)
        differences.compare(ours, theirs, partial(dict, lengths=length))
    differences.expect_none()


def test_what_never_ends_in_the_official_core_ends() -> None:
    """No comparison: each of these ends its process."""
    chains = Chains()
    chains.layer("a")
    for name, other in [("a", "b"), ("b", "a")]:
        rule = build.rule(name, ["always"], {}, configDelegate=other)
        chains.payload["dynamic_configs"][name] = build.config([rule])
        chains.mapping(name, "nothing", "never")
    chains.payload["feature_gates"]["top"] = build.only(chains.group(chains.groups("e", 1000)))
    with our_engine(json.dumps(chains.payload).encode()) as statsig:
        assert our_answer(statsig, "layer", "top", USER).reason == "Error:Statsig Evaluation Depth Exceeded"
        assert our_answer(statsig, "gate", "top", USER).value is False


@pytest.mark.parametrize("levels", [100, 126, 127, 128])
@pytest.mark.parametrize("target", [["@", "pro"], {"pro": "@"}], ids=["list", "mapping"])
def test_values_in_target_values(target: list[str] | dict[str, str], levels: int) -> None:
    """A condition whose target value is nested too deeply cannot be met."""
    build_payload = build.payload(
        conditions={"deep": build.condition("user_field", "any", target, field="plan")},
        gates={"top": build.only("deep")},
    )
    payload = json.dumps(build_payload).replace('"@"', "[" * levels + "]" * levels).encode()
    user = {**USER, "custom": {"plan": "pro"}}
    with our_engine(payload) as ours, Reference(payload) as reference:
        expected = reference.check("gate", "top", user)
        assert our_answer(ours, "gate", "top", user) == expected
    assert expected.value == (levels <= 126)
