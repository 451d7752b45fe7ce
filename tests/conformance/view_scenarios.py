"""Scenarios of what is made of several specs: parameter stores, groups, responses for client SDKs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.build import condition, config, gate, layer, nested, payload, rule
from conformance.case import Case, Override, Question
from conformance.extra_specs import CONDITIONS, CONFIGS, GATES, LAYERS, USERS, extra_case
from conformance.stores import GETTERS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["view_cases"]


def view_cases() -> Iterator[Case]:
    """The scenarios of the features there are."""
    yield from _stores()
    yield _listed_groups()
    yield _names()
    yield from _deep_responses()
    yield from _responses()


def _stores() -> Iterator[Case]:
    """Parameters from everywhere, by every getter."""
    values: tuple[Any, ...] = (
        None,
        True,
        0,
        1,
        1.0,
        -0.0,
        1.5,
        1e21,
        2**53 + 1,
        2**63,
        "x",
        "1",
        "",
        [],
        [1, "a"],
        {},
        {"k": [None]},
    )
    parameters: dict[str, dict[str, Any]] = {f"static {value!r}": {"value": value} for value in values}
    for name in ("A", "B", "odd", "no such gate"):
        for passing, failing in (("yes", "no"), (1, 2.5), ([1], {}), (None, True)):
            parameters[f"gate {name} {passing!r}"] = {
                "gate_name": name,
                "pass_value": passing,
                "fail_value": failing,
            }
    for key, kind, names in (
        ("config_name", "config", ("values", "dynamic", "e", "odd", "no such config", "bandit")),
        ("experiment_name", "experiment", ("values", "e", "odd", "inactive", "bandit")),
        ("layer_name", "layer", ("plain", "l", "new", "l odd", "no such layer")),
    ):
        for name in names:
            for parameter in (
                "a",
                "b",
                "n",
                "text",
                "whole",
                "float",
                "true",
                "null",
                "array",
                "object",
                "zzz",
            ):
                parameters[f"{kind} {name} {parameter}"] = {key: name, "param_name": parameter}
    parameters["all keys"] = {
        "value": 1,
        "gate_name": "A",
        "pass_value": 2,
        "fail_value": 3,
        "config_name": "e",
        "param_name": "a",
    }
    parameters["gate and config"] = {
        "gate_name": "A",
        "pass_value": 2,
        "fail_value": 3,
        "config_name": "e",
        "param_name": "a",
    }
    held = {
        name: {"ref_type": "odd", "param_type": "odd", **parameter} for name, parameter in parameters.items()
    }
    questions = [
        Question("store", "store", (name, getter, fallback))
        for name in (*held, "no such parameter")
        for getter, fallbacks in GETTERS.items()
        for fallback in fallbacks[:1]
    ]
    questions += [
        Question("store", store, ("p", getter, GETTERS[getter][0]))
        for store in ("empty", "no such store")
        for getter in GETTERS
    ]
    stores = {"store": {"parameters": held}, "empty": {"parameters": {}, "targetAppIDs": ["x"]}}
    yield extra_case("parameter stores", questions, users=USERS[:1], param_stores=stores)
    asked = [
        Question("store", store, (name, getter, GETTERS[getter][0]))
        for store in ("store", "ghost")
        for name in ("p", "plain", "gate", "static 1")
        for getter in GETTERS
    ]
    made: list[Override] = [
        ("override_parameter_store", (store, {"p": {"value": 7, "ref_type": "static", "param_type": "x"},
        "plain": "text", "gate": {"ref_type": "gate", "param_type": "s", "gate_name": "A",
        "pass_value": "P", "fail_value": "F"}}, whom))
        for store, whom in (("store", None), ("ghost", "u"))
    ]  # fmt: skip
    yield extra_case("overridden parameter stores", asked, overrides=made, param_stores=stores)
    yield extra_case(
        "parameter stores of overridden specs",
        asked,
        overrides=[*made, ("override_gate", ("A", False, None))],
        param_stores=stores,
    )
    yield extra_case(
        "removed overrides of parameter stores",
        asked,
        overrides=[*made, ("remove_parameter_store_override", ("store", None))],
        param_stores=stores,
    )


def _listed_groups() -> Case:
    """Groups of experiments, listed, by name and by rule id."""
    names = (*CONFIGS, "no such experiment", "A", "l")
    return extra_case(
        "groups of experiments",
        [
            *(Question("groups", name) for name in names),
            *(
                Question("group_by_name", name, (group,))
                for name in names
                for group in ("G", "g", "G2", "H1", "O", "D", "", "I")
            ),
            *(
                Question("group_by_id", name, (group,))
                for name in names
                for group in ("g", "h1", "1:override", "d", "", "no")
            ),
        ],
        users=[{}],
    )


def _names() -> Case:
    """What there is by name, and what a name is taken for where nobody says its kind."""
    bandit = {
        "salt": "x", "defaultValue": {"arm": "d"}, "idType": "userID", "enabled": False, "version": 3,
        "sampleRate": 0.0, "higherIsBetter": True, "groups": [],
    }  # fmt: skip
    same = gate([rule("r")], entity="segment")
    document = payload(
        {**GATES, "same": same, "layer and gate": same},
        {**CONFIGS, "same": CONFIGS["dynamic"], "layer and config": CONFIGS["auto"]},
        {**LAYERS, "layer and gate": LAYERS["plain"], "layer and config": LAYERS["plain"]},
        CONDITIONS,
        cmab_configs={"only a bandit": bandit},
        param_stores={"store": {"parameters": {}}},
    )
    names = [*document["feature_gates"], *document["dynamic_configs"], *document["layer_configs"]]
    asked = dict.fromkeys([*names, "only a bandit", "store", "ghost", ""])
    questions = [Question("names"), *(Question("explained", name, (None,)) for name in asked)]
    return Case("scenario: names", document, USERS, questions)


def _deep_responses() -> Iterator[Case]:
    """Responses that come to a spec that is nested too deeply: a gate, or only what leads to one."""
    circle = gate([rule("r", ["to itself"])], targetAppIDs=["b"])
    leads = [rule("r", ["to itself"], {"a": 1})]
    bandit = {
        "salt": "x", "defaultValue": {}, "idType": "userID", "enabled": True, "version": 3, "groups": [],
        "sampleRate": 0.0, "higherIsBetter": True, "targetingGateName": "itself", "targetAppIDs": ["a"],
    }  # fmt: skip
    parts: dict[str, dict[str, Any]] = {
        "nothing": {},
        "a config": {"dynamic_configs": {"c": config(leads, targetAppIDs=["a"])}},
        "a layer": {"layer_configs": {"l": layer(leads, targetAppIDs=["a"])}},
        "a bandit": {"cmab_configs": {"bandit": bandit}},
    }
    questions = [
        Question("client_response", "", ("none", key, None)) for key in (None, "client-a", "client-b", "x")
    ]
    for label, part in parts.items():
        document = payload(
            {"itself": circle},
            conditions={"to itself": nested("itself")},
            sdk_keys_to_app_ids={"client-a": "a", "client-b": "b"},
        )
        yield Case(
            f"scenario: response with {label} nested too deeply", {**document, **part}, USERS, questions
        )


def _responses() -> Iterator[Case]:
    """Client responses by hash, application, overrides and user."""
    arguments = [
        (algorithm, key, overrides)
        for algorithm in (None, "none", "djb2", "sha256", "bogus")
        for key in (None, "client-a", "client-b", "client-x", "")
        for overrides in (None, True)
    ]
    questions = [Question("client_response", "", held) for held in arguments]
    users: list[dict[str, Any]] = [
        {},
        {"userID": "u", "customIDs": {"stableID": "s", "companyID": ""}, "email": "e@x", "ip": "1.2.3.4",
        "userAgent": "zzz",
         "country": "NZ", "locale": "en", "appVersion": "1.2", "privateAttributes": {"secret": "abc", "n": 5,
         "é": None, "list": [1]},
         "custom": {"level": 3, "list": ["a", 1.5, None], "object": {"k": "v"}, "null": None,
         "big": 2**53 + 1, "float": 1.0}},
        {"userID": "v", "statsigEnvironment": {"tier": "dev"}, "custom": {}, "customIDs": {}},
    ]  # fmt: skip
    replay = {
        "sampling_rate": 1, "recording_blocked": False,
        "session_recording_event_triggers": {"ev": {"sampling_rate": 1, "values": ["a"]},
        "ev2": {"sampling_rate": 0}, "ev3": {}},
        "session_recording_exposure_triggers": {"A": {"sampling_rate": 1, "values": ["true"]}},
        "session_recording_privacy_settings": {"privacy_mode": "min", "unmasked_elements": ["x"]},
    }  # fmt: skip
    stores = {
        "ps": {"parameters": {
            "s": {"ref_type": "static", "param_type": "string", "value": "hello"},
            "g": {"ref_type": "gate", "param_type": "string", "gate_name": "A", "pass_value": "P",
            "fail_value": "F"},
            "d": {"ref_type": "dynamic_config", "param_type": "number", "config_name": "dynamic",
            "param_name": "a"},
            "e": {"ref_type": "experiment", "param_type": "string", "experiment_name": "e",
            "param_name": "a"},
            "l": {"ref_type": "layer", "param_type": "string", "layer_name": "l", "param_name": "a"},
        }, "targetAppIDs": ["a"], "version": 1},
        "free": {"parameters": {}},
    }  # fmt: skip
    apps: list[dict[str, Any]] = [
        {}, {"app_id": "a"}, {"app_id": 5}, {"sdk_keys_to_app_ids": {"client-a": "a", "client-b": "b"}},
        {"hashed_sdk_keys_to_app_ids": {"3743453276": "a"}}, {"app_id": "a", "sdk_keys_to_app_ids": {}},
        {"sdk_keys_to_app_ids": {"client-a": "a"}, "hashed_sdk_keys_to_app_ids": {"1": "b"}},
    ]  # fmt: skip
    for number, app in enumerate(apps):
        targeted = {
            name: {
                **spec,
                **({"targetAppIDs": [["a"], ["b"], ["a", "b"], []][index % 4]} if index % 5 else {}),
            }
            for index, (name, spec) in enumerate(GATES.items())
        }
        targeted["by app"] = gate([rule("r", ["app"])], targetAppIDs=["a", "b"])
        configs = {
            name: {**spec, "targetAppIDs": ["a"]} if index % 3 else spec
            for index, (name, spec) in enumerate(CONFIGS.items())
        }
        layers = {
            name: {**spec, "targetAppIDs": ["a"]} if index % 2 else spec
            for index, (name, spec) in enumerate(LAYERS.items())
        }
        conditions = {**CONDITIONS, "app": condition("target_app", "any", ["a"])}
        document = payload(
            targeted, configs, layers, conditions, experiment_to_layer={"e": "l"}, param_stores=stores, **app
        )
        if number % 2:
            targeting = {1: {"targeting_gate": "B"}, 3: {"targeting_gate": "A"}}.get(number, {})
            document["session_replay_info"] = {**replay, **targeting}
        yield Case(
            f"scenario: responses {number}",
            document,
            users,
            questions,
            environment=(None, "staging")[number % 2],
            global_custom_fields={"level": 9, "g": "x"},
        )
    made: list[Override] = [
        ("override_gate", ("A", False, None)),
        ("override_experiment", ("e", {"o": 1}, "u")),
        ("override_layer", ("plain", {"o": 1}, None)),
        ("override_dynamic_config", ("dynamic", {"o": 2}, None)),
    ]
    yield extra_case("responses with overrides", questions, overrides=made)
