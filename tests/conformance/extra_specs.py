"""Specs of all kinds that the scenarios of further features share, and questions about all of them."""

from __future__ import annotations

from typing import Any, Final

from conformance.build import PUBLIC, condition, config, gate, layer, nested, payload, rule
from conformance.case import Case, Question

__all__ = ["CONDITIONS", "CONFIGS", "GATES", "LAYERS", "USERS", "every_question", "extra_case"]

CONDITIONS: Final = {
    "yes": PUBLIC,
    "no": condition("user_field", "any", ["nobody"], field="email"),
    "odd": {"type": "bogus", "idType": "userID"},
    "A": nested("A"),
    "B": nested("B"),
    "mapped": nested("mapped"),
    "group": condition("experiment_group", "any", ["G", "G2"], field="e"),
    "group c": condition("experiment_group", "any", ["N0", "N1"], field="bandit"),
}
GATES: Final = {
    "A": gate([rule("ra", ["yes"])], version=1),
    "B": gate([rule("rb", ["no"])]),
    "segment:s": gate([rule("rs", ["A"])], entity="segment"),
    "odd": gate([rule("ro", ["A", "odd"])]),
    "stable": gate([rule("r", ["yes"], share=50, idType="stableID")], idType="stableID", version=4),
    "over": gate([rule("r", ["mapped", "A"])]),
    "mapped": gate([rule("rm", ["yes"])], version=2),
    "by group": gate([rule("r", ["group"]), rule("r2", ["A"])]),
    "by bandit": gate([rule("r", ["group c"]), rule("r2", ["A"])]),
    "delegating": gate([rule("r", ["A"], configDelegate="e")]),
    "hold": gate([rule("r", ["yes"], share=0)], entity="holdout"),
}
CONFIGS: Final = {
    "e": config(
        [rule("targetingGate", ["no"], {}), rule("g", ["A"], {"a": "e", "b": 1}, groupName="G",
        isExperimentGroup=True)],
        entity="experiment", isActive=True, hasSharedParams=True, explicitParameters=["a"], version=5,
    ),
    "e2": config(
        [rule("g2", ["A"], {"a": "e2"}, groupName="G2", isExperimentGroup=True), rule("g3", ["B"],
        {"a": "e3"}, groupName="", isExperimentGroup=True)],
        entity="experiment", isActive=True, explicitParameters=["a", "c"], version=6,
    ),
    "half": config(
        [
            rule("h1", ["yes"], {"a": 1}, 50, groupName="H1", isExperimentGroup=True, idType="stableID"),
            rule("h2", ["A"], {"a": 2}, groupName="H2", isExperimentGroup=True),
        ],
        entity="experiment", isActive=True, idType="stableID",
    ),
    "over": config(
        [
            rule("1:override", ["no"], {"a": "override"}, groupName="O"),
            rule("inlineTargetingRules", ["A"], {"a": "outside"}),
            rule("x", ["yes"], {"a": "in"}, groupName="X", isExperimentGroup=True),
        ],
        entity="experiment", isActive=True,
    ),
    "over staff": config(
        [rule("1:override", ["A"], {"a": "override"}, groupName="O"), rule("x", ["yes"], {"a": "in"},
        groupName="X", isExperimentGroup=True)],
        entity="experiment", isActive=True,
    ),
    "kept or not": config(
        [
            rule("targetingGate", ["A"], {"a": "outside"}, groupName="T", isExperimentGroup=True),
            rule("1:override", ["A"], {"a": "override"}, groupName="O", isExperimentGroup=True),
        ],
        entity="experiment", isActive=True,
    ),
    "inactive": config([rule("i", ["yes"], {"a": 0}, groupName="I", isExperimentGroup=True)],
    entity="experiment", isActive=False),
    "dynamic": config([rule("d", ["A"], {"a": "dynamic"}, groupName="D")], version=9),
    "odd": config([rule("o", ["A", "odd"], {"a": 1}, groupName="O", isExperimentGroup=True)],
    entity="experiment", isActive=True),
    "chain": config([rule("c", ["A"], {}, configDelegate="e")], entity="experiment", isActive=True,
    explicitParameters=["b"]),
    "to bandit": config([rule("c", ["A"], {}, configDelegate="bandit")], entity="experiment", isActive=True),
    "bandit": config([rule("s", ["A"], {"from": "spec"}, groupName="S")], entity="experiment", isActive=True,
    explicitParameters=["s"], version=7),
    "auto": config([rule("u", ["yes"], {"a": "auto"})], entity="autotune"),
    "values": config([rule("v", ["yes"], {"text": "x", "whole": 1, "float": 1.5, "true": True, "null": None,
    "array": [1], "object": {"k": 1}})]),
}  # fmt: skip
LAYERS: Final = {
    "plain": layer([rule("p", ["A"], {"a": "plain"})], version=2),
    "l": layer([rule("l", ["A"], {"a": "l"}, configDelegate="e")]),
    "l chain": layer([rule("l", ["A"], {}, configDelegate="chain")]),
    "l bandit": layer([rule("l", ["A"], {}, configDelegate="bandit")]),
    "l dynamic": layer([rule("l", ["A"], {}, configDelegate="dynamic")]),
    "l half": layer([rule("l", ["A"], {}, configDelegate="half")], idType="stableID"),
    "l over": layer([rule("l", ["A"], {}, configDelegate="over staff")]),
    "l odd": layer([rule("l", ["A"], {}, configDelegate="odd")]),
    "new": layer(
        [rule("n1", ["A"], {"n": 1}, configDelegate="e"), rule("n2", ["A"], {"m": 2}), rule("n3", ["B"], {},
        configDelegate="e2")],
        useNewLayerEval=True, isActive=True,
    ),
}  # fmt: skip
USERS: Final[tuple[dict[str, Any], ...]] = (
    {
        "userID": "u",
        "customIDs": {"stableID": "s"},
        "custom": {"level": 3, "flag": True, "lv": "10"},
        "country": "US",
    },
    {"userID": "v", "customIDs": {"stableID": "t", "companyID": 5}},
    {"customIDs": {"stableID": "s"}},
)


def every_question() -> list[Question]:
    """What every spec says."""
    return [
        *(Question("gate", name) for name in (*GATES, "ghost")),
        *(Question("experiment", name) for name in (*CONFIGS, "ghost")),
        *(Question("config", name) for name in (*CONFIGS, "ghost")),
        *(Question("layer", name) for name in (*LAYERS, "ghost")),
        *(Question("layer_facts", name) for name in LAYERS),
        *(
            Question("explained", name, (kind,))
            for kind, names in {
                "gate": GATES,
                "experiment": CONFIGS,
                "config": CONFIGS,
                "layer": LAYERS,
            }.items()
            for name in (*names, "ghost")
        ),
        Question("names"),
        Question("client_response", "", ("none", None, True)),
    ]


def extra_case(label: str, questions: list[Question] | None = None, **more: Any) -> Case:  # noqa: ANN401 - JSON
    options = {name: more.pop(name) for name in ("overrides", "environment", "users") if name in more}
    document = payload(GATES, CONFIGS, LAYERS, CONDITIONS, **{"experiment_to_layer": {"e": "l"}, **more})
    return Case(
        f"scenario: {label}", document, options.pop("users", USERS), questions or every_question(), **options
    )
