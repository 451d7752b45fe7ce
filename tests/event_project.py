"""A project in which everything an event can tell occurs, in the v2 format."""

from __future__ import annotations

from typing import Any, Final

from conformance.build import condition, config, gate, layer, nested, payload, rule
from conformance.extra_specs import CONDITIONS, CONFIGS, GATES, LAYERS

__all__ = ["DEEP", "FULL_USER", "PARAMETERS", "event_project"]

DEEP: Final = 80
"""How many gates named `deep ⟨n⟩` there are, each of which asks for the one before."""

# As the constructors of both packages take it.
FULL_USER: Final[dict[str, Any]] = {
    "user_id": "full",
    "email": "full@corp.test",
    "ip": "8.8.8.8",
    "country": "NZ",
    "locale": "en_NZ",
    "app_version": "1.2.3",
    "user_agent": 'curl/8.1.2 "quoted" \\ é \u2028',
    "custom": {
        "level": 3,
        "ratio": 1.5,
        "whole": 2.0,
        "flag": True,
        "none": None,
        "list": [1, "a", None, True, 1.25, ["b"], {"k": 1}],
        "object": {"k": {"l": [None]}},
        "text": "line\nbreak \u0001 \U0001f600",
        "": "",
        "big": 2**53 + 1,
        "bigger": 2**63 - 1,
        "small": 1e-7,
        "large": 1e21,
    },
    "custom_ids": {"companyID": "c", "stableID": "s", "number": 5, "float": 1.5, "flag": True, "empty": ""},
    "private_attributes": {"secret": "hidden"},
    "statsig_environment": {"tier": "staging"},
}

PARAMETERS: Final = (
    "a",
    "b",
    "n",
    "m",
    "z",
    "text",
    "whole",
    "float",
    "true",
    "null",
    "array",
    "object",
    "zzz",
)
"""Names of parameters, some of which each config and layer has."""

_VALUES: Final = {
    "text": "x",
    "whole": 1,
    "float": 1.5,
    "true": True,
    "null": None,
    "array": [1],
    "object": {"k": 1},
}


def event_project(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The payload; `more` are further members of its top level."""
    conditions = {
        **CONDITIONS,
        "country": condition("ip_based", "any", ["US"], field="country"),
        "list": condition("unit_id", "in_segment_list", "list"),
        "both groups": condition("experiment_group", "any", ["G2"], field="e2"),
        "no such group": condition("experiment_group", "any", ["x"], field="ghost"),
        "odd group": condition("experiment_group", "any", ["O"], field="odd"),
        "odd operator": condition("experiment_group", "bogus", ["G"], field="e"),
        "explored": condition("experiment_group", "any", ["N0"], field="explores"),
        "deep group": condition("experiment_group", "any", ["G"], field="deep"),
        **{f"deep {n}": nested(f"deep {n}") for n in range(DEEP)},
    }
    gates = {
        **GATES,
        "fields": gate([rule("r", ["A"], share=100)], version=2**32 - 1),
        "off": gate([], enabled=False),
        "country": gate([rule("r", ["country"])]),
        "list": gate([rule("r", ["list"])]),
        "groups": gate(
            [rule("r", ["A", "group", "both groups", "no such group", "odd group"]), rule("r2", ["B"])]
        ),
        "group, then too deep": gate([rule("r", ["group", f"deep {DEEP - 1}"])]),
        "odd operator": gate([rule("r", ["odd operator"])]),
        "explored": gate([rule("r", ["explored"])]),
        "deep group": gate([rule("r", ["deep group"])]),
        'name "quoted" \\ é\n': gate([rule('rule "é"', ["yes"])]),
        **{f"deep {n}": gate([rule(f"r{n}", [f"deep {n - 1}"] if n else ["yes"])]) for n in range(DEEP)},
        "mapped from": gate([rule("rf", ["A"])], version=3),
        "mapped to": gate([rule("rt", ["A"])], version=4),
        "asks mapped": gate([rule("ra", ["asks mapped"])]),
    }
    conditions["asks mapped"] = nested("mapped from")
    configs = {
        **CONFIGS,
        "by group": config([rule("r", ["group", "A"], {"a": 1})]),
        "active by group": config([rule("r", ["group"], {"a": 1})], entity="experiment", isActive=True),
        "not an object": config([rule("r", ["yes"], [1])], defaultValue=None),
        "mapped from": config(
            [rule("cf", ["A"], {"a": "from"})], entity="experiment", isActive=True, version=3
        ),
        "mapped to": config(
            [rule("ct", ["B"], {}), rule("ct2", ["A"], {"a": "to"}, groupName="T", isExperimentGroup=True)],
            entity="experiment",
            isActive=True,
            version=4,
            explicitParameters=["a"],
        ),
        "deep": config([rule("r", [f"deep {DEEP - 1}"], {"a": 1})]),
    }
    layers = {
        **LAYERS,
        "values": layer([rule("v", ["A"], _VALUES)], version=3),
        "by group": layer([rule("r", ["group", "A"], {"a": 1})]),
        "mapped from": layer([rule("lf", ["A"], {"a": "from"})], version=3),
        "mapped to": layer([rule("lt", ["A"], {"a": "to"})], version=4),
        "to mapped": layer([rule("l", ["A"], {}, configDelegate="mapped from")], version=8),
        "new to mapped": layer(
            [rule("l", ["A"], {"m": 1}, configDelegate="mapped from")], useNewLayerEval=True
        ),
        "new alone": layer(
            [rule("n1", ["A"], {"a": 1}), rule("n2", ["yes"], {"b": 2})], useNewLayerEval=True
        ),
        "new odd": layer([rule("n1", ["A"], {"a": 1}), rule("n2", ["odd"], {"b": 2})], useNewLayerEval=True),
        "no exposures": layer([rule("r", ["yes"], {}, configDelegate="values")]),
        "deep": layer([rule("r", [f"deep {DEEP - 1}"], {"a": 1})]),
        "ghost delegate": layer([rule("r", ["A"], {"a": 1}, configDelegate="ghost")]),
    }
    mapping = {"new_config_name": "mapped to", "rules": [{"rule_name": "to"}]}
    return payload(
        gates,
        configs,
        layers,
        conditions,
        **{
            "experiment_to_layer": {"e": "l"},
            "override_rules": {
                "to": rule("to", ["B"], share=0),
                "always": rule("always", ["A"]),
                "by group": rule("by group", ["group"]),
            },
            "overrides": {
                "mapped from": [mapping, {**mapping, "rules": [{"rule_name": "always"}]}],
                "mapped nowhere": [{"new_config_name": "nowhere", "rules": [{"rule_name": "by group"}]}],
                "mapped ghost": [{**mapping, "rules": [{"rule_name": "always"}]}],
            },
            "cmab_configs": {"bandit": _BANDIT, "explores": {**_BANDIT, "config": None, "version": 12}},
            "param_stores": {"store": {"parameters": _store()}},
            **more,
        },
    )


_BANDIT: Final = {
    "salt": "x",
    "defaultValue": {"a": "default"},
    "idType": "userID",
    "enabled": True,
    "version": 11,
    "sampleRate": 0,
    "higherIsBetter": True,
    "targetingGateName": "A",
    "groups": [
        {"id": f"i{n}", "name": f"N{n}", "parameterValues": {"a": f"bandit {n}"}} for n in range(3)
    ],
    "config": {
        f"i{n}": {
            "alpha": 0.0,
            "intercept": float(n == 1),
            "records": 10,
            "weightsNumerical": {"level": 1.0},
            "weightsCategorical": {},
        }
        for n in range(3)
    },
}  # fmt: skip


def _store() -> dict[str, Any]:
    parameters: dict[str, dict[str, Any]] = {
        f"static {name}": {"value": value} for name, value in _VALUES.items()
    }
    for name in ("A", "B", "odd", "ghost", "by group", f"deep {DEEP - 1}", "mapped from"):
        parameters[f"gate {name}"] = {"gate_name": name, "pass_value": "yes", "fail_value": 7}
    kinds = {
        "config": ("values", "e", "odd", "ghost", "by group", "deep", "mapped from"),
        "experiment": ("values", "e", "odd", "ghost", "by group", "deep", "mapped from", "bandit"),
        "layer": (
            "values",
            "l",
            "new",
            "new alone",
            "new odd",
            "l odd",
            "no exposures",
            "ghost",
            "by group",
            "deep",
            "to mapped",
            "ghost delegate",
        ),
    }
    for kind, names in kinds.items():
        for name in names:
            for parameter in ("a", "b", "n", "whole", "null", "zzz"):
                key = f"{kind}_name"
                parameters[f"{kind} {name} {parameter}"] = {key: name, "param_name": parameter}
    return {
        name: {"ref_type": "static", "param_type": "string", **parameter}
        for name, parameter in parameters.items()
    }
