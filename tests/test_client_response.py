"""`get_client_initialize_response`: what it says about specs is what the official core's says, as JSON."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from answers import Differences
from client_responses import KEY, Both, compare_all, djb2, project, response_differences, spec
from comparisons import users_for
from engine_under_test import our_engine
from shared_data import shared_file
from statsig_fastly.sample_project import sample_project, sample_users, to_v1

if TYPE_CHECKING:
    from statsig_fastly.sample_specs import Json

# ---- whole projects


@pytest.mark.parametrize("environment", [None, "staging"])
def test_sample_project(environment: str | None) -> None:
    assert compare_all(sample_project(), sample_users(60), environment) == 120


@pytest.mark.parametrize("name", ["v2_demo_project.json", "v2_sampling.json", "v2_target_app.json"])
def test_payloads_of_real_projects(name: str) -> None:
    payload = json.loads(shared_file("data", name).read_text(encoding="utf-8"))
    keys = [None, *(payload.get("sdk_keys_to_app_ids") or {}), "unknown"]
    with Both(payload) as both:
        for user, key in itertools.product(users_for(payload, 40), keys):
            both.compare(user, "none", key)
    both.differences.expect_none()


def test_both_payload_formats_say_the_same() -> None:
    sample = sample_project()
    v2, v1 = (json.dumps(payload).encode() for payload in (sample, to_v1(sample)))
    with our_engine(v2, "staging") as ours_v2, our_engine(v1, "staging") as ours_v1:
        for user in sample_users(40):
            responses = [statsig.get_client_initialize_response(user) for statsig in (ours_v1, ours_v2)]
            assert not response_differences(*responses)


# ---- specs


VALUES: Final[tuple[Json, ...]] = (True, False, None, [1, 2], "text", 5, 1.5, {}, [], {"a": {"b": [1, None]}})


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_that_are_no_object(value: Json) -> None:
    payload = project(
        feature_gates={"g": spec("feature_gate", value), "default": spec("feature_gate", 1, "never")},
        dynamic_configs={
            "config": spec("dynamic_config", value),
            "default": spec("experiment", {"a": 1}, "never", defaultValue=value),
        },
        layer_configs={
            "layer": spec("layer", value),
            "default": spec("layer", {"a": 1}, "never", defaultValue=value),
            "merged": spec("layer", value, useNewLayerEval=True, defaultValue={"q": 1}),
            "delegate": spec("layer", {}, rule={"configDelegate": "config"}, useNewLayerEval=True),
        },
    )
    assert compare_all(payload, [{"userID": "u"}]) == 2


def test_numbers_are_written_as_the_reference_reads_them() -> None:
    numbers = "[1.0, 1e2, 1E-7, 0.0, -0, -0.0, 9007199254740993, 9223372036854775808, 18446744073709551616,"
    numbers += " -9223372036854775808, -9223372036854775809, 1e21, 123456789012345678901234567890]"
    value = (
        f'{{"n": {numbers}, "twice": 1, "t\\u00e9": "\\ud83d\\ude00\\u0000", "twice": {{"x": -0, "x": 1e3}}}}'
    )
    payload = json.dumps(
        project(
            dynamic_configs={"config": spec("dynamic_config", "VALUE")},
            layer_configs={"layer": spec("layer", "VALUE", useNewLayerEval=True, defaultValue={"twice": 0})},
            param_stores={
                "store": {"parameters": {"p": {"ref_type": "", "param_type": "", "value": "VALUE"}}},
            },
        )
    ).replace('"VALUE"', value)
    assert compare_all(payload, [{"userID": "u"}]) == 2


@pytest.mark.parametrize("id_type", ["userID", "stableID", "stableid", "StableID", ""])
def test_which_members_a_spec_has_follows_from_its_entity(id_type: str) -> None:
    entities = (
        "feature_gate",
        "segment",
        "holdout",
        "dynamic_config",
        "experiment",
        "autotune",
        "layer",
        "Segment",
        "",
    )
    flags: tuple[dict[str, Any], ...] = (
        {},
        {"isActive": True, "hasSharedParams": True, "explicitParameters": ["a", "b", "a"]},
    )
    specs = {
        f"{entity}{number}{'' if matches else ' default'}": spec(
            entity, {"a": 1}, "on", *(() if matches else ("never",)), idType=id_type, **more
        )
        for entity in entities
        for number, more in enumerate(flags)
        for matches in (True, False)
    }
    layers = {f"in {name}": spec("layer", {}, "on", rule={"configDelegate": name}) for name in specs}
    new = {f"new {name}": {**layer, "useNewLayerEval": True} for name, layer in layers.items()}
    payload = project(
        feature_gates=dict(specs), dynamic_configs=specs, layer_configs={**specs, **layers, **new}
    )
    with Both(payload) as both:
        response = both.compare({"userID": "u"})
    both.differences.expect_none()
    for table in ("feature_gates", "dynamic_configs", "layer_configs"):
        assert not {"segment0", "holdout1"} & set(response[table])
        assert {"experiment0", "Segment1", "0"} <= set(response[table])
    assert set(layers) | set(new) <= set(response["layer_configs"])


def test_a_spec_that_is_nested_too_deeply_empties_the_response() -> None:
    circle = {"type": "pass_gate", "targetValue": "circle", "idType": "userID"}
    gates = {
        "fine": spec("feature_gate", True, targetAppIDs=["A"]),
        "circle": spec("feature_gate", True, "circle"),
    }
    payload = project(feature_gates=gates, app_id="A", session_replay_info={"targeting_gate": "circle"})
    payload["condition_map"]["circle"] = circle
    user = {"userID": "u", "custom": {"a": 1}, "privateAttributes": {"secret": 1}, "customIDs": {"c": "d"}}
    with Both(payload, "tier", {"shared": 1}) as both:
        assert both.compare(user)["has_updates"] is False
        # What is not listed is not evaluated.
        response = both.compare(user, key=KEY)
        assert response["has_updates"] is True
        assert response["passes_session_recording_targeting"] is False
    both.differences.expect_none()


# ---- the app filter


def app_filter_payload(parts: dict[str, Any]) -> dict[str, Any]:
    """Specs for several apps, each with rules that tell which app conditions see."""
    apps = ("A", "B", "C", "5")
    payload = project(**parts)
    for app in apps:
        condition = {"type": "target_app", "operator": "any", "targetValue": [app], "idType": "userID"}
        payload["condition_map"][f"is {app}"] = condition
    for table, entity in (
        ("feature_gates", "feature_gate"), ("dynamic_configs", "dynamic_config"), ("layer_configs", "layer"),
    ):  # fmt: skip
        for name, wanted in (
            ("", None),
            ("none", []),
            ("A", ["A"]),
            ("B", ["B"]),
            ("AC", ["A", "C"]),
            ("5", ["5"]),
        ):
            rules = [spec(entity, {}, f"is {app}", rule={"id": app})["rules"][0] for app in apps]
            payload[table][name] = spec(
                entity, {}, rules=rules, **({} if wanted is None else {"targetAppIDs": wanted})
            )
    payload["param_stores"] = {
        name: {"parameters": {}, **more}
        for name, more in (("a", {"targetAppIDs": ["A"]}), ("b", {"targetAppIDs": ["B", "5"]}), ("none", {}))
    }
    return payload


ABSENT: Final = object()
APP_IDS: Final = (ABSENT, "C", None, "", 5)
KEY_MAPS: Final[tuple[object, ...]] = (
    ABSENT,
    None,
    {},
    {KEY: "A"},
    {KEY: None},
    {KEY: 5},
    {KEY: ""},
    {"other": "A"},
)
HASHED_MAPS: Final[tuple[object, ...]] = (
    ABSENT,
    {},
    {str(djb2(KEY)): "B"},
    {str(djb2(KEY)): None},
    {str(djb2("")): ["A"]},
    {KEY: "B"},
)


@pytest.mark.parametrize("app_id", APP_IDS, ids=lambda app_id: repr(app_id).partition(" at ")[0])
def test_app_filter(app_id: object) -> None:
    differences = Differences()
    for keys, hashed in itertools.product(KEY_MAPS, HASHED_MAPS):
        fields = {"app_id": app_id, "sdk_keys_to_app_ids": keys, "hashed_sdk_keys_to_app_ids": hashed}
        parts = {name: value for name, value in fields.items() if value is not ABSENT}
        with Both(app_filter_payload(parts)) as both:
            for key in (None, KEY, ""):
                both.compare({"userID": "u"}, "none", key)
        differences.compared += both.differences.compared
        if both.differences.count:
            differences.add(f"{parts}\n" + both.differences._shown[0])
    differences.expect_none()
    assert differences.compared == 3 * len(KEY_MAPS) * len(HASHED_MAPS)


def test_the_app_filter_keeps_what_names_the_app() -> None:
    with Both(app_filter_payload({"app_id": "A"})) as both:
        everything, chosen = both.compare({"userID": "u"}), both.compare({"userID": "u"}, key=KEY)
    both.differences.expect_none()
    assert set(everything["feature_gates"]) == {"on", "", "none", "A", "B", "AC", "5"}
    assert set(chosen["feature_gates"]) == {"A", "AC"}
    assert set(chosen["param_stores"]) == {"a"}
