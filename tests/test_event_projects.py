"""Events of whole projects, the sample project and random ones, are those of the official core."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from conformance.generator import random_case
from recorded_events import Both, user_of
from statsig_fastly.sample_project import sample_project, sample_users
from statsig_fastly.sample_users import Dice

if TYPE_CHECKING:
    from conformance.case import Case, Question
    from recorded_events import Program

RATES: Final = (1, 10**12, 10**12, 0)
SEEDS: Final = 60
BATCH: Final = 20


KINDS: Final = {
    "statsig::gate_exposure",
    "statsig::config_exposure",
    "statsig::layer_exposure",
    "statsig::non_exposed_checks",
    "statsig::identify",
    "purchase",
}


@pytest.mark.parametrize(
    ("environment", "mode"), [(None, None), ("staging", None), (None, "on"), (None, "shadow")]
)
def test_the_sample_project(environment: str | None, mode: str | None) -> None:
    project = sample_project() if mode is None else with_rates(Dice(7), sample_project(), mode)
    configs = project["dynamic_configs"]
    experiments = [name for name, config in configs.items() if config["entity"] == "experiment"]
    by_hand = {
        "manually_log_gate_exposure": list(project["feature_gates"])[:9],
        "manually_log_dynamic_config_exposure": sorted({*configs}.difference(experiments))[:9],
        "manually_log_experiment_exposure": experiments[:9],
    }

    def ask(fields: dict[str, Any]) -> Program:
        def program(sdk: Any, client: Any) -> None:  # noqa: ANN401 - either package
            user = user_of(sdk, fields)
            client.identify(user)
            client.log_event(user, "purchase", 19.5, {"currency": "EUR"})
            # Of somebody else: whether a check repeats it, is told by different keys.
            other = user_of(sdk, {**fields, "userID": f"not {fields.get('userID')}"})
            for method, names in by_hand.items():
                for name in names:
                    getattr(client, method)(other, name)
            for name in project["feature_gates"]:
                client.check_gate(user, name)
                client.check_gate(user, name, sdk.FeatureGateEvaluationOptions(disable_exposure_logging=True))
            for name, config in configs.items():
                is_experiment = config["entity"] == "experiment"
                (client.get_experiment if is_experiment else client.get_dynamic_config)(user, name)
            for name in project["layer_configs"]:
                client.manually_log_layer_parameter_exposure(other, name, "a")
                layer = client.get_layer(user, name)
                for parameter in sorted(layer.get_value()):
                    layer.get(parameter)

        return program

    with Both(project, environment=environment) as both:
        events = [event for fields in sample_users(30) for event in both.same(ask(fields))]
        stats = both.ours.stats().events
    assert {event["eventName"] for event in events} == KINDS
    assert len(events) > (3000 if mode != "on" else 500)
    told = {(event["statsigMetadata"] or {}).get("shadowLogged") for event in events}
    assert told == {None, *({None: (), "on": ("logged",), "shadow": ("logged", "dropped")}[mode])}
    assert stats is not None
    assert (stats.sampled_out > 500) == (mode == "on")


@pytest.mark.parametrize("samples", [False, True])
@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_random_projects(first: int, samples: bool) -> None:
    events = 0
    for seed in range(first, first + BATCH):
        case = random_case(seed, users=3)
        if samples:
            case = _sampling(Dice(seed), case)
        settings: dict[str, Any] = {
            "environment": case.environment,
            "global_custom_fields": case.global_custom_fields,
            "id_lists": case.id_lists,
            "our_payload": case.our_text.encode(),
            "exposure_dedupe_max_keys": 1,
            **case.options,
        }
        with Both(case.text.encode(), **settings) as both:
            if both.theirs.get_initialize_details().source == "Loading":
                continue
            for method, arguments in case.overrides:
                getattr(both.ours, method)(*arguments)
                getattr(both.theirs, method)(*arguments)
            try:
                # A group that is asked for twice is evaluated once here.
                sent = both.each(calls_of(case), repeats=False)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}: {error}") from None
        events += sum(map(len, sent.values()))
    assert events > 100 * BATCH


def _sampling(dice: Dice, case: Case) -> Case:
    """The case with rates that keep everything or, but for one in a million million, nothing."""
    if not isinstance(case.payload, dict):
        return case
    return replace(case, payload=with_rates(dice, case.payload, "shadow"))


def with_rates(dice: Dice, payload: dict[str, Any], mode: str) -> dict[str, Any]:
    """The payload with a mode, and rates of its rules."""
    payload = copy.deepcopy(payload)
    payload["sdk_configs"] = {
        "sampling_mode": mode,
        "special_case_sampling_rate": dice.pick((None, *RATES)),
    }
    for table in ("feature_gates", "dynamic_configs", "layer_configs", "override_rules"):
        specs = payload.get(table)
        for spec in specs.values() if isinstance(specs, dict) else ():
            if not isinstance(spec, dict):
                continue
            if dice.chance(0.1):
                spec["forwardAllExposures"] = dice.chance(0.5)
            rules = [spec] if table == "override_rules" else spec.get("rules")
            for rule in rules if isinstance(rules, list) else ():
                if not isinstance(rule, dict):
                    continue
                rule["samplingRate"] = dice.pick((None, *RATES))
                # The first exposure of no rule and that of a rule without id are two in the official core.
                if rule.get("id") == "":
                    rule["id"] = "none"
    return payload


def calls_of(case: Case) -> dict[str, Program]:
    """Each question of each user."""
    return {
        f"user {number}, {question.kind} {question.name!r} {question.detail}": _asking(question, fields)
        for number, fields in enumerate(case.users)
        for question in case.questions
        if question.kind in ("gate", "config", "experiment", "layer", "store")
    }


def _asking(question: Question, fields: dict[str, Any]) -> Program:
    name = question.name

    def program(sdk: Any, client: Any) -> None:  # noqa: ANN401 - either package
        user = user_of(sdk, fields)
        match question.kind:
            case "gate":
                client.get_feature_gate(user, name)
            case "config":
                client.get_dynamic_config(user, name)
            case "experiment":
                client.get_experiment(user, name)
            case "layer":
                layer = client.get_layer(user, name)
                for parameter in sorted(layer.get_value()):
                    layer.get(parameter)
            case "store":
                parameter, getter, fallback = question.detail
                getattr(client.get_parameter_store(user, name), getter)(parameter, fallback)

    return program
