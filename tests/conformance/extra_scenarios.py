"""Scenarios of what goes before a spec: mappings, bandits, local overrides, kept values."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from conformance.build import payload, rule
from conformance.case import Case, Override, Question
from conformance.extra_specs import CONDITIONS, CONFIGS, GATES, LAYERS, USERS, every_question, extra_case

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["extra_cases"]


def extra_cases() -> Iterator[Case]:
    """The scenarios of the features there are."""
    yield from _mappings()
    yield from _bandits()
    yield from _overrides()
    yield from _kept()


def _mappings() -> Iterator[Case]:
    """Names that are mapped to others: directly, below a gate or layer, by rules of all outcomes."""
    rules = {
        "pass": rule("pass", ["yes"]),
        "gate": rule("gate", ["A"]),
        "fail": rule("fail", ["no"]),
        "odd": rule("odd", ["A", "odd"]),
        "half": rule("half", ["yes"], share=50),
        "half stable": rule("half stable", ["yes"], share=50, idType="stableID", salt=None),
        "zero": rule("zero", [], share=0),
        "dangling": rule("dangling", ["dangling"]),
    }
    uses: list[list[dict[str, Any]]] = [[{"rule_name": name}] for name in (*rules, "no such rule")]
    uses += [[{"rule_name": "pass", "start_time": time}] for time in (0, -5, 1_000, 4_102_444_800_000, None)]
    uses += [
        [{"rule_name": "fail"}, {"rule_name": "gate"}],
        [{"rule_name": "odd"}, {"rule_name": "pass"}],
        [],
    ]
    for number, used in enumerate(uses):
        overrides = {
            name: [{"new_config_name": target, "rules": used}]
            for name, target in (
                ("mapped", "A"), ("ghost", "A"), ("B", "odd"), ("e", "e2"), ("dynamic", "no such config"),
                ("half", "bandit"),
                ("plain", "l"), ("l odd", "ghost layer"), ("auto", "inactive"),
            )
        }  # fmt: skip
        yield _mapped(number, overrides, rules)
    several = {
        "e": [
            {"new_config_name": "no such config", "rules": uses[0]},
            {"new_config_name": "half", "rules": uses[0]},
        ],
        "half": [{"new_config_name": "dynamic", "rules": uses[0]}],
        "mapped": [
            {"new_config_name": "B", "rules": uses[2]},
            {"new_config_name": "stable", "rules": uses[0]},
        ],
        "ghost": [{"new_config_name": "e", "rules": uses[0]}],
        "stable": [{"new_config_name": "odd", "rules": uses[0]}],
        "plain": [{"new_config_name": "l", "rules": uses[4]}, {"new_config_name": "new", "rules": uses[0]}],
        "dynamic": [],
    }
    yield _mapped("several", several, rules)
    yield _mapped("without rules", several, None)


def _mapped(label: object, overrides: dict[str, Any], rules: dict[str, Any] | None) -> Case:
    document = payload(GATES, CONFIGS, LAYERS, CONDITIONS, overrides=overrides, override_rules=rules)
    users = [
        *USERS,
        *({"userID": f"user-{number}", "customIDs": {"stableID": f"s{number}"}} for number in range(4)),
    ]
    return Case(f"scenario: mapping {label}", document, users, every_question())


def _bandits() -> Iterator[Case]:
    """Bandits by what decides: off, targeting, explore without scores, the best or worst score."""
    groups = [
        {"name": f"N{number}", "parameterValues": {"arm": number}, "id": f"g{number}"} for number in range(3)
    ]

    def weights(numerical: Any = None, categorical: Any = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        return {
            "alpha": 0.0, "intercept": 0.0, "records": 5, "weightsNumerical": numerical or {},
            "weightsCategorical": categorical or {}, **more,
        }  # fmt: skip

    scores: dict[str, Any] = {
        "none": None,
        "level": {"g0": weights({"level": 1}), "g1": weights({"level": 2.0}), "g2": weights({"level": 1.5})},
        "tie": {"g0": weights({"level": 1}), "g1": weights({"level": 1}), "g2": weights({"level": 1})},
        "category": {
            "g0": weights({}, {"country": {"US": 1}}),
            "g1": weights({}, {"country": {"us": 5}}),
            "g2": weights({}, {"flag": {"true": 3}, "level": {"3": 7}}),
        },
        "one": {"g1": weights({"level": -1})},
        "intercepts": {
            "g0": weights(intercept=99.0),
            "g1": weights({"level": 1}),
            "g2": weights({"lv": 0.1}, alpha=0.5),
        },
        "text": {
            "g0": weights({"lv": 1}),
            "g1": weights({"level": 0.1}),
            "g2": weights({"nothing": 5}, intercept=2),
        },
    }
    shapes: dict[str, dict[str, Any]] = {
        "on": {},
        "off": {"enabled": False},
        "worst": {"higherIsBetter": False},
    }
    shapes |= {
        f"targets {name}": {"targetingGateName": name}
        for name in ("A", "B", "odd", "segment:s", "no such gate", "", None)
    }
    held = {
        f"{shape} {score}": {
            "salt": "x", "defaultValue": {"arm": "d"}, "idType": "userID", "enabled": True, "version": 3,
            "sampleRate": 0.0,
            "higherIsBetter": True, "groups": groups, **({"config": scores[score]} if scores[score] else {}),
            **shapes[shape],
        }
        for shape, score in product(shapes, scores)
    }  # fmt: skip
    held["no groups"] = {**held["on none"], "groups": []}
    held["one group"] = {**held["on none"], "groups": groups[:1], "idType": "stableID"}
    users = [*USERS, *({"userID": str(number)} for number in range(12))]
    questions = [Question(kind, name) for name in held for kind in ("experiment", "config")]
    yield extra_case("bandits", questions, users=users, cmab_configs=held)
    for name in ("on none", "on level", "off none", "targets B level", "targets A category"):
        yield extra_case(f"bandit {name} beside a spec", cmab_configs={"bandit": held[name], "e": held[name]})


def _overrides() -> Iterator[Case]:
    """Local overrides of every kind, for one and for all, made and removed."""
    made: list[Override] = [
        ("override_gate", ("A", False, None)),
        ("override_gate", ("B", True, "u")),
        ("override_gate", ("B", False, "s")),
        ("override_gate", ("ghost", True, "5")),
        ("override_gate", ("segment:s", False, None)),
        ("override_gate", ("mapped", True, "t")),
        ("override_gate", ("odd", True, None)),
        ("override_dynamic_config", ("e", {"o": "config"}, None)),
        ("override_dynamic_config", ("dynamic", {"o": [1, {"x": None}]}, "v")),
        ("override_experiment", ("e", {"o": "experiment"}, None)),
        ("override_experiment", ("bandit", {"o": 1.0}, "u")),
        ("override_experiment", ("ghost", {}, None)),
        ("override_experiment_by_group_name", ("e2", "G2", None)),
        ("override_experiment_by_group_name", ("half", "H2", "s")),
        ("override_experiment_by_group_name", ("e", "no such group", "u")),
        ("override_experiment_by_group_name", ("ghost", "G", None)),
        ("override_layer", ("plain", {"o": "layer"}, None)),
        ("override_layer", ("l", {"o": 1}, "s")),
        ("override_layer", ("ghost", {"o": 1}, "")),
    ]
    yield extra_case("all overrides", overrides=made)
    for override in made:
        yield extra_case(f"override {override}", overrides=[override])
    for remove in (
        ("remove_gate_override", ("B",)), ("remove_gate_override", ("B", "u")), ("remove_gate_override", ("A",
        "u")),
        ("remove_gate_override", ("A", None)), ("remove_experiment_override", ("e",)),
        ("remove_experiment_override", ("half", "s")), ("remove_dynamic_config_override", ("e", None)),
        ("remove_layer_override", ("l", "s")), ("remove_layer_override", ("nothing",)),
        ("remove_all_overrides", ()),
    ):  # fmt: skip
        yield extra_case(f"all overrides, then {remove}", overrides=[*made, remove])
    again = [*made, ("override_gate", ("A", True, None)), ("override_experiment", ("e", {"again": 1}, None))]
    yield extra_case("overrides made again", overrides=again)
    always = [{"rule_name": "pass"}]
    mappings = {
        "A": [{"new_config_name": "B", "rules": always}],
        "e": [{"new_config_name": "e2", "rules": always}],
    }
    for override in made[:1] + made[9:10]:
        yield Case(
            f"scenario: mapped, {override}",
            payload(
                GATES,
                CONFIGS,
                LAYERS,
                CONDITIONS,
                overrides=mappings,
                override_rules={"pass": rule("pass")},
            ),
            USERS,
            every_question(),
            overrides=[override],
        )


def _kept() -> Iterator[Case]:
    """Kept values: made, found, thrown away, and overruled, for experiments and layers of all kinds."""
    steps = (
        (True, False, False),
        (True, False, False),
        (True, True, False),
        (True, False, True),
        (False, False, False),
    )
    for unit in ("userID", "stableID", "companyID"):
        for order in ((0, 1, 4, 1), (0, 2, 3), (4, 0, 0, 2), (1, 3, 1)):
            questions = [
                Question("persisted", name, (kind, unit, *steps[step]))
                for kind, names in (("experiment", (*CONFIGS, "ghost")), ("layer", (*LAYERS, "ghost")))
                for name in names
                for step in order
            ]
            yield extra_case(f"kept values {unit} {order}", questions)
    questions = [
        Question("persisted", name, ("experiment", "userID", True, False, False))
        for name in CONFIGS
        for _ in (1, 2)
    ]
    yield extra_case(
        "kept values of overridden experiments",
        questions,
        overrides=[("override_experiment", ("e", {"o": 1}, None))],
    )
