"""Scenarios: every small arrangement of rules, conditions, delegates and nested gates.

Where the random generator throws dice, this writes out all arrangements up to a small size: what is wrong
about how things add up shows in two or three of them already.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, Final

from conformance.build import PUBLIC, condition, config, gate, layer, nested, payload, rule
from conformance.case import Case, Question
from conformance.extra_scenarios import extra_cases
from conformance.user_scenarios import user_cases
from conformance.view_scenarios import view_cases

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["scenario_cases"]

# Conditions that rules are put together from, by a short name.
_CONDITIONS: Final[dict[str, dict[str, Any]]] = {
    "yes": PUBLIC,
    "no": condition("user_field", "any", ["nobody"], field="email"),
    "type": {"type": "bogus", "idType": "userID"},
    "operator": condition("user_field", "bogus", "x", field="email"),
    "A": nested("A"),
    "B": nested("B"),
    "not A": nested("A", fail=True),
    "not B": nested("B", fail=True),
    "seg": nested("segment:s"),
    "seg B": nested("segment:nested"),
    "both": nested("both"),
    "odd": nested("odd"),
    "not odd": nested("odd", fail=True),
    "deep odd": nested("deep odd"),
    "none": nested("no such gate"),
    "not none": nested("no such gate", fail=True),
    "empty": nested(""),
    "off": nested("off"),
    "hold": nested("hold"),
    "list": condition("unit_id", "in_segment_list", "no such list"),
    "group": condition("experiment_group", "any", ["G"], field="good"),
    "null": {"type": "pass_gate", "targetValue": None, "idType": "userID"},
}  # "dangling" is none of them
_GATES: Final = {
    "A": gate([rule("ra", ["yes"], groupName="GA", isExperimentGroup=True)], version=3),
    "B": gate([rule("rb", ["no"])], isActive=True),
    "segment:s": gate([rule("rs", ["yes"])], entity="segment"),
    "segment:nested": gate([rule("rsn", ["A", "B"])], entity="segment"),
    "both": gate([rule("r", ["B", "A"]), rule("r2", ["A"])]),
    "odd": gate([rule("ro", ["A", "type"])], defaultValue=True),
    "deep odd": gate([rule("rd", ["yes", "odd"])]),
    "off": gate([], enabled=False),
    "hold": gate([rule("rh", ["yes"], share=0)], entity="holdout", defaultValue=True),
    "": gate([rule("re", ["A"])]),
}
_EXPERIMENTS: Final = {
    "good": config(
        [rule("g", ["A"], {"a": "good", "b": 1}, groupName="G", isExperimentGroup=True)],
        entity="experiment", isActive=True, hasSharedParams=True, explicitParameters=["a"], version=5,
    ),
    "other": config(
        [rule("h", ["not B"], {"b": "other", "c": 2}, groupName="H", isExperimentGroup=True)],
        entity="experiment", isActive=True, explicitParameters=["b", "c"], version=6,
    ),
    "default": config([rule("d", ["B"], {"a": "never"})], entity="experiment", isActive=True,
    explicitParameters=["a"]),
    "inactive": config([rule("i", ["yes"], {"a": "off"})], entity="experiment", isActive=False,
    enabled=False),
    "zero": config([rule("z", ["A"], {"a": 1}, 0, groupName="Z", isExperimentGroup=True)],
    entity="experiment", isActive=True, defaultValue=None),
    "odd": config([rule("o", ["A", "type"], {"a": 1})], entity="experiment", isActive=True,
    explicitParameters=["a"], version=7),
    "null": config([rule("n", ["A"], None)], entity="experiment", version=8),
    "array": config([rule("y", ["yes"], [1])], entity="experiment"),
    "chain": config([rule("c", ["B"], {}), rule("c2", ["A"], {"a": "chain"}, configDelegate="good")],
    entity="experiment", isActive=True, explicitParameters=["b"], version=9),
    "chain 2": config([rule("c3", ["not B"], {}, 0, configDelegate="chain")], entity="experiment",
    isActive=False),
    "to odd": config([rule("t", ["yes"], {}, configDelegate="odd")], entity="experiment",
    explicitParameters=["t"]),
    "to nothing": config([rule("m", ["A"], {"m": 1}, configDelegate="no such experiment")],
    entity="experiment"),
    "list": config([rule("l", ["list"], {"a": 1}), rule("l2", ["yes"], {"a": 2})], entity="experiment"),
}  # fmt: skip


def scenario_cases() -> list[Case]:
    """All scenarios."""
    return [
        *_condition_lists(),
        *_rule_lists(),
        _results(),
        *_layers(),
        _delegates(),
        _groups(),
        *_depths(),
        _circles(),
        *extra_cases(),
        *view_cases(),
        *user_cases(),
    ]


def _case(
    label: str,
    gates: dict[str, Any] | None = None,
    configs: dict[str, Any] | None = None,
    layers: dict[str, Any] | None = None,
    users: Sequence[dict[str, Any]] = ({"userID": "u"},),
    **more: Any,  # noqa: ANN401 - JSON
) -> Case:
    """A case with these specs beside the usual ones, that asks for these alone."""
    questions = [
        *(Question("gate", name) for name in gates or ()),
        *_explained({"gate": gates, "experiment": configs, "layer": layers}),
        *(Question(kind, name) for name in configs or () for kind in ("experiment", "config")),
        *(Question(kind, name) for name in layers or () for kind in ("layer", "layer_facts")),
    ]
    held = {**_CONDITIONS, **more.pop("conditions", {})}
    document = payload({**_GATES, **(gates or {})}, {**_EXPERIMENTS, **(configs or {})}, layers, held, **more)
    return Case(f"scenario: {label}", document, users, questions)


def _explained(specs: dict[str, dict[str, Any] | None]) -> Iterator[Question]:
    for kind, named in specs.items():
        yield from (Question("explained", name, (kind,)) for name in named or ())


def _lists(parts: Iterable[str], longest: int) -> Iterator[tuple[str, ...]]:
    names = list(parts)
    for length in range(longest + 1):
        yield from product(names, repeat=length)


def _condition_lists() -> Iterator[Case]:
    """Rules of up to three conditions of all kinds in every kind of spec, and what they leave behind."""
    parts = (*_CONDITIONS, "dangling")
    few = ("yes", "no", "type", "A", "not B", "odd", "not odd", "dangling", "none")
    lists = [*_lists(parts, 2), *product(few, repeat=3)]
    names = {f"of {' + '.join(held)}": held for held in lists}
    for default in (False, True):
        gates = {
            name: gate(
                [rule("r", held, groupName="X"), rule("next", ["yes"], value=False)],
                defaultValue=default,
                version=1,
            )
            for name, held in names.items()
        }
        yield _case(f"conditions of gates, default {default}", gates)
    configs = {
        name: config(
            [rule("r", held, {"v": 1}, groupName="X"), rule("next", ["A"], {"v": 2})],
            entity="experiment",
            isActive=True,
        )
        for name, held in names.items()
    }
    yield _case("conditions of experiments", configs=configs)
    for new in (False, True):
        layers = {
            name: layer(
                [rule("r", held, {"v": 1}, groupName="X"), rule("next", ["not B"], {"w": 2})],
                useNewLayerEval=new,
            )
            for name, held in names.items()
        }
        yield _case(f"conditions of layers, new {new}", layers=layers)
        layers = {
            name: layer(
                [rule("r", held, {"v": 1}, configDelegate="good"), rule("next", ["B"], {})],
                useNewLayerEval=new,
            )
            for name, held in names.items()
        }
        yield _case(f"conditions of delegating rules, new {new}", layers=layers)


def _rule_lists() -> Iterator[Case]:
    """Up to three rules that pass, fail, are left by the rollout, or cannot be evaluated."""
    parts: dict[str, dict[str, Any]] = {
        "pass": rule("pass", ["yes"], {"v": 1}, groupName="P", isExperimentGroup=True),
        "false": rule("false", ["A"], False, groupName="F"),
        "null": rule("null", ["not B"], None),
        "fail": rule("fail", ["B", "A"], {"v": 2}),
        "zero": rule("zero", ["A"], {"v": 3}, 0, groupName="Z", isExperimentGroup=False),
        "half": rule("half", ["yes"], {"v": 4}, 50),
        "odd": rule("odd", ["A", "type"], {"v": 5}),
        "dangling": rule("dangling", ["A", "dangling"], {"v": 6}),
        "empty": rule("", [], "x"),
        "delegate": rule("to good", ["A"], {"v": 7}, 0, configDelegate="good"),
        "gone": rule("to nothing", ["yes"], {"v": 8}, configDelegate="no such experiment"),
    }
    users = [{"userID": name} for name in ("u", "v", "w")]
    for default, active in ((False, None), ({"d": 1}, True), (True, False)):
        lists = {
            f"of {' + '.join(held)}": [parts[part] for part in held]
            for held in _lists(parts, 2 if active is None else 3)
        }
        shape = {"defaultValue": default, "isActive": active}
        gates = {name: gate(rules, **shape) for name, rules in lists.items()}
        configs = {
            name: config(rules, **shape, entity="experiment", enabled=active is not None)
            for name, rules in lists.items()
        }
        yield _case(f"rules, default {default}", gates, configs, users=users[: 3 if active is None else 1])


def _results() -> Case:
    """What is returned: values of every type, by rule, by default, on and off."""
    values: tuple[Any, ...] = (None, True, False, 0, 1, 1.5, "", "x", [], [1], {}, {"a": [-1]})
    versions = (None, 0, 2**32 - 1)
    gates, configs, layers = {}, {}, {}
    for number, (value, default) in enumerate(product(values, repeat=2)):
        for kind, rules in (
            ("rule", [rule("r", ["yes"], value)]),
            ("zero", [rule("r", ["yes"], value, 0)]),
            ("none", []),
        ):
            name = f"{kind} {value!r} {default!r}"
            shape: dict[str, Any] = {
                "defaultValue": default,
                "enabled": number % 2 == 0,
                "version": versions[number % 3],
            }
            gates[name] = gate(rules, **shape)
            configs[name] = config(rules, **shape, isActive=(True, False, None)[number % 3])
            layers[name] = layer(rules, **shape, useNewLayerEval=number % 2 == 1)
    return _case("results", gates, configs, layers)


def _layers() -> Iterator[Case]:
    """Layers of up to three rules that delegate, or do not, to experiments of every kind."""
    items: dict[str, dict[str, Any]] = {
        **{name: {"configDelegate": name} for name in _EXPERIMENTS},
        "plain": {},
        "missing": {"configDelegate": "no such experiment"},
        "zero": {"passPercentage": 0, "configDelegate": "good"},
        "plain null": {"returnValue": None},
        "plain array": {"returnValue": [1]},
        "half": {"passPercentage": 50},
        "fails": {"conditions": ["B"], "configDelegate": "good"},
        "fails plain": {"conditions": ["A", "B"]},
        "odd rule": {"conditions": ["A", "type"]},
    }
    few = ("good", "other", "default", "odd", "null", "plain", "fails", "fails plain", "odd rule", "zero")
    lists = [*_lists(items, 2), *product(few, repeat=3)]
    for new in (False, True):
        layers = {}
        for number, names in enumerate(lists):
            rules = [
                {
                    **rule(
                        f"l{index}",
                        ["not B"] if index else ["A"],
                        {"a": f"l{index}", f"k{index}": index},
                        groupName=f"L{index}",
                    ),
                    **items[name],
                }
                for index, name in enumerate(names)
            ]
            shape = (
                {},
                {"version": 1},
                {"isActive": True},
                {"explicitParameters": ["z"]},
                {"defaultValue": None},
            )[number % 5]
            layers[" + ".join(names)] = layer(rules, useNewLayerEval=new, enabled=number % 7 != 0, **shape)
        held = list(layers)
        for start in range(0, len(held), 500):
            yield _case(
                f"layers from {start}, new {new}",
                layers={name: layers[name] for name in held[start : start + 500]},
            )


def _delegates() -> Case:
    """Delegation by gates and experiments, in chains, with conditions before and after."""
    gates, configs, layers = {}, {}, {}
    for name in (*_EXPERIMENTS, "no such experiment", "", "A"):
        for share in (100, 0):
            for held in (["yes"], ["A"], ["A", "not B"], ["type"], ["B"]):
                key = f"{name} {share} {' + '.join(held)}"
                rules = [
                    rule("r", held, {"v": 1}, share, configDelegate=name, groupName="R"),
                    rule("r2", ["seg B"], {"v": 2}),
                ]
                gates[f"gate {key}"] = gate(rules)
                configs[f"config {key}"] = config(
                    rules, explicitParameters=["v"], entity="experiment", isActive=True
                )
                layers[f"layer {key}"] = layer([rule("l", ["A"], {}, configDelegate=f"config {key}")])
                layers[f"new {key}"] = layer(
                    [rule("l", ["A"], {}, configDelegate=f"config {key}"), rule("p", [], {"p": 1})],
                    useNewLayerEval=True,
                )
    return _case("delegates", gates, configs, layers)


def _groups() -> Case:
    """Conditions on the group a user has in experiments of every kind."""
    conditions = {
        f"{field} {operator} {target}": condition("experiment_group", operator, target, field=field)
        for field in (*_EXPERIMENTS, "no such experiment", "", None, "A")
        for operator, target in (
            ("any", ["G"]),
            ("any", ["g", "z"]),
            ("any_case_sensitive", ["g"]),
            ("eq", None),
            ("neq", "G"),
            ("none", [""]),
            ("str_matches", "."),
            (None, "G"),
            ("in_segment_list", "x"),
        )
    }
    gates = {f"group {key}": gate([rule("r", ["A", key, "not B"]), rule("r2", [key])]) for key in conditions}
    return _case("groups", gates, conditions=conditions)


def _depths() -> Iterator[Case]:
    """Chains of gates, of delegates, of groups and of them all, about as long as they may be."""
    longest = 320
    gates: dict[str, Any] = {f"gate {longest}": gate([rule("end", ["yes"])])}
    configs: dict[str, Any] = {f"config {longest}": config([rule("end", ["yes"], {"v": 1}, groupName="G")])}
    conditions: dict[str, Any] = {"end": nested("no such gate")}
    for number in range(longest):
        conditions[f"to gate {number}"] = nested(f"gate {number + 1}", fail=number % 2 == 1)
        gates[f"gate {number}"] = gate([rule(f"r{number}", [f"to gate {number}"])])
        configs[f"config {number}"] = config(
            [rule("r", ["yes"], {}, configDelegate=f"config {number + 1}")], explicitParameters=["v"]
        )
        # A gate that delegates to an experiment that nests the next such gate.
        conditions[f"to mixed {number}"] = nested(f"mixed {number + 1}")
        gates[f"mixed {number}"] = gate([rule("r", ["yes"], configDelegate=f"mixed config {number}")])
        configs[f"mixed config {number}"] = config(
            [rule("r", [f"to mixed {number}"], {})], entity="experiment"
        )
    gates["missing at the end"] = gate([rule("r", ["to gate 257"]), rule("r2", ["end"])])
    case = _case("depths", conditions=conditions, gates=gates, configs=configs)
    yield _asking(case, [Question("gate", name) for name in gates])
    layers = {
        f"layer {number}": layer(
            [rule("l", ["A"], {}, configDelegate=f"config {number}")], useNewLayerEval=number % 2 == 0
        )
        for number in range(0, longest, 1)
    }
    case = _case("depths of delegates", conditions=conditions, gates=gates, configs=configs, layers=layers)
    yield _asking(
        case,
        [Question("experiment", name) for name in configs] + [Question("layer", name) for name in layers],
    )


def _circles() -> Case:
    """Gates and delegates that come back to themselves."""
    conditions = {
        f"to {name}": nested(name, fail=name == "self fail")
        for name in ("self", "self fail", "one", "two", "three", "mixed")
    }
    conditions["group"] = condition("experiment_group", "eq", None, field="around")
    gates = {
        "self": gate([rule("r", ["to self"])]),
        "self fail": gate([rule("r", ["no", "to self fail"])]),
        "one": gate([rule("r", ["A", "to two"])]),
        "two": gate([rule("r", ["to three", "to two"])]),
        "three": gate([rule("r", ["to one"])]),
        "outside": gate([rule("r", ["A"]), rule("r2", ["to one"])]),
        "inside": gate([rule("r", ["to one"]), rule("r2", ["A"])]),
        "mixed": gate([rule("r", ["yes"], configDelegate="mixed")]),
        "delegates": gate([rule("r", ["yes"], configDelegate="self")]),
        "group of a circle": gate([rule("r", ["A", "group"]), rule("r2", ["B"])]),
    }
    configs = {
        "self": config([rule("r", ["yes"], {}, configDelegate="self")]),
        "one": config([rule("r", ["A"], {}, configDelegate="two")]),
        "two": config([rule("r", ["A"], {}, configDelegate="one")]),
        "mixed": config([rule("r", ["to mixed"], {"v": 1})]),
        "around": config([rule("r", ["to self"], {"v": 1}, groupName="G")]),
    }
    layers = {name: layer([rule("l", ["A"], {}, configDelegate=name)]) for name in configs}
    layers |= {
        f"new {name}": layer([rule("l", ["A"], {}, configDelegate=name)], useNewLayerEval=True)
        for name in configs
    }
    return _case("circles", gates, configs, layers, conditions=conditions)


def _asking(case: Case, questions: list[Question]) -> Case:
    return Case(case.label, case.payload, case.users, questions)
