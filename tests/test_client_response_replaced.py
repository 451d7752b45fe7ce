"""`get_client_initialize_response`: overrides, mappings and bandits, which stand in for specs."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from answers import Differences
from client_responses import HASHES, KEY, Both, project, spec
from random_client_parts import add_client_parts, add_replacements, random_overrides
from random_specs import random_case
from statsig_fastly.sample_users import Dice

RANDOM_SEEDS: Final = 200
RANDOM_BATCH: Final = 100

FLAGS: Final = {"isActive": True, "hasSharedParams": True, "explicitParameters": ["z"]}
ENTITIES: Final = ("dynamic_config", "experiment", "autotune", "odd")


def bandit(**more: object) -> dict[str, Any]:
    groups = [{"id": f"g{n}", "name": f"Group {n}", "parameterValues": {"a": n}} for n in range(3)]
    return {
        "salt": "x", "defaultValue": {"d": 1}, "idType": "userID", "enabled": True, "version": 3,
        "sampleRate": 0.1, "higherIsBetter": True, "groups": groups, **more,
    }  # fmt: skip


def test_overrides() -> None:
    configs = {f"{entity}{n}": spec(entity, {"a": 9}, **FLAGS) for entity in ENTITIES for n in range(4)}
    layer = spec("layer", {}, rule={"configDelegate": "experiment1"})
    payload = project(
        feature_gates={
            "gate": spec("feature_gate", True),
            "segment": spec("segment", True),
            "outer": spec("feature_gate", True, "on"),
        },
        dynamic_configs=configs,
        layer_configs={"plain": layer, "merged": {**layer, "useNewLayerEval": True}, "layer": layer},
        cmab_configs={"bandit": bandit(), "experiment3": bandit()},
        session_replay_info={"targeting_gate": "segment"},
        param_stores={"store": {"parameters": {"p": {"ref_type": "", "param_type": "", "value": 1}}}},
    )
    value = {"o": "x", "float": 2**64, "zero": -0.0, "integer": 2**63 - 1, "é\\": {"k": [None]}}
    with Both(payload) as both:
        for name, flag in (("on", False), ("gate", False), ("segment", False), ("new", True)):
            both.override("override_gate", name, flag)
        for entity in ENTITIES:
            both.override("override_dynamic_config", f"{entity}0", value)
            both.override("override_experiment", f"{entity}1", value)
            both.override("override_experiment_by_group_name", f"{entity}2", "Group")
        both.override("override_experiment_by_group_name", "experiment3", "no such group")
        both.override("override_experiment", "bandit", value)
        both.override("override_layer", "layer", value)
        both.override("override_gate", "gate", True, "someone")
        for user in ({"userID": "u"}, {"userID": "someone"}, {"customIDs": {"c": "someone"}}):
            with_overrides, without = both.compare(user, overrides=True), both.compare(user, overrides=False)
            assert both.compare(user) == without
            rules = [entry["rule_id"] for entry in without["dynamic_configs"].values()]
            assert "override" not in rules
            assert with_overrides["feature_gates"]["gate"]["value"] is (user != {"userID": "u"})
    both.differences.expect_none()


def test_bandits() -> None:
    cases: dict[str, dict[str, Any]] = {
        "plain": {}, "off": {"enabled": False}, "no groups": {"groups": []}, "stable": {"idType": "stableID"},
        "bare": {"enabled": False, "defaultValue": True}, "in": {"targetingGateName": "flags"},
        "out": {"targetingGateName": "off"}, "nobody": {"targetingGateName": "no such gate"},
        "text": {"enabled": False, "defaultValue": "text"},
        "numbers": {"enabled": False, "defaultValue": {"n": -0.0}},
    }  # fmt: skip
    apps: tuple[dict[str, Any], ...] = ({}, {"targetAppIDs": ["A"]})
    bandits = {
        f"{name}{n}": bandit(**more, **app) for name, more in cases.items() for n, app in enumerate(apps)
    }
    bandits |= {
        f"{entity}{n}": bandit(**app) for entity in (*ENTITIES, "segment") for n, app in enumerate(apps)
    }
    configs = {
        f"{entity}{n}": spec(entity, {"a": 9}, **FLAGS, targetAppIDs=["A"])
        for entity in (*ENTITIES, "segment")
        for n in (0, 1)
    }
    payload = project(
        app_id="A",
        cmab_configs=bandits,
        dynamic_configs=configs,
        feature_gates={
            "flags": spec("feature_gate", True, **FLAGS),
            "off": spec("feature_gate", True, "never", **FLAGS),
        },
        layer_configs={f"layer {name}": spec("layer", {}, rule={"configDelegate": name}) for name in bandits},
    )
    with Both(payload) as both:
        for user in ("u", "0", "1", ""):
            everything = both.compare({"userID": user})
            both.compare({"userID": user, "customIDs": {"stableID": "s"}}, None, KEY)
    both.differences.expect_none()
    assert set(everything["dynamic_configs"]) == set(bandits)


def test_mapped_specs() -> None:
    rule = {
        "name": "",
        "id": "mapping",
        "passPercentage": 100,
        "conditions": ["on"],
        "idType": "userID",
        "returnValue": 1,
    }
    names = {
        "config": "experiment",
        "experiment": "config",
        "gate": "segment",
        "layer": "other layer",
        "out": "config",
    }
    payload = project(
        feature_gates={"gate": spec("feature_gate", False), "segment": spec("segment", True, **FLAGS)},
        dynamic_configs={
            "config": spec("dynamic_config", {"a": 1}, **FLAGS),
            "experiment": spec("experiment", {"a": 2}, **FLAGS, idType="stableID"),
            "out": spec("experiment", {"a": 3}),
        },
        layer_configs={
            "layer": spec("layer", {"a": 1}),
            "other layer": spec("layer", {}, rule={"configDelegate": "out"}, useNewLayerEval=True),
        },
        override_rules={"always": rule, "never": {**rule, "conditions": ["never"]}},
        overrides={
            name: [{"new_config_name": new, "rules": [{"rule_name": "never" if name == "out" else "always"}]}]
            for name, new in names.items()
            if name != "experiment"
        },
    )
    with Both(payload) as both:
        response = both.compare({"userID": "u"})
    both.differences.expect_none()
    assert response["dynamic_configs"]["config"]["value"] == {"a": 2}


@pytest.mark.parametrize("first", range(0, RANDOM_SEEDS, RANDOM_BATCH))
def test_random_replacements(first: int) -> None:
    differences = Differences()
    for seed in range(first, first + RANDOM_BATCH):
        case, dice = random_case(seed, users=6), Dice(seed)
        add_client_parts(case.specs, dice, KEY)
        add_replacements(case.specs, dice)
        with Both(json.dumps(case.specs), case.environment, case.global_custom_fields) as both:
            for override in random_overrides(case.checks, dice):
                both.override(*override)
            for index, user in enumerate(case.users):
                hash_name, key = HASHES[index % len(HASHES)], dice.pick((None, None, KEY))
                both.compare(user, hash_name, key, overrides=False)
                both.compare(user, hash_name, key, overrides=True)
        differences.compared += both.differences.compared
        if both.differences.count:
            differences.add(f"seed {seed}\n" + both.differences._shown[0])
    differences.expect_none()
    assert differences.compared == RANDOM_BATCH * 12
