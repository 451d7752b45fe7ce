"""`Statsig.explain`: it tells what the check does, rule by rule, and changes nothing about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from comparisons import all_checks
from conformance.generator import random_case
from engine_under_test import our_answer, our_engine
from small_project import payload, started
from small_specs import condition, config, gate, rule
from small_specs import project as small_v2
from statsig_fastly import Explanation, MemoryAdapter, Statsig, StatsigOptions, StatsigUser
from statsig_fastly.sample_project import sample_project, sample_users

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statsig_fastly.explain import CheckTrace, RuleTrace

SEEDS = 150


def checks_in(check: CheckTrace) -> Iterator[CheckTrace]:
    yield check
    inner = list(check.checks)
    for entry in check.rules:
        inner += [nested for part in entry.conditions for nested in part.checks]
        inner += [entry.delegate] if entry.delegate is not None else []
    for nested in inner:
        yield from checks_in(nested)


def rules_in(check: CheckTrace) -> Iterator[RuleTrace]:
    for nested in checks_in(check):
        yield from nested.rules


def client(project: dict[str, Any], **options: Any) -> Statsig:  # noqa: ANN401 - as StatsigOptions takes them
    adapter = MemoryAdapter(json.dumps(project).encode())
    statsig = Statsig("secret-key", StatsigOptions(data_adapter=adapter, **options))
    statsig.initialize().wait()
    return statsig


@pytest.mark.parametrize("seed", range(SEEDS))
def test_an_explanation_comes_to_what_the_check_does(seed: int) -> None:
    case = random_case(seed, users=4)
    with our_engine(case.text.encode(), case.environment, case.global_custom_fields) as statsig:
        for user in case.users:
            for kind, name in case.checks:
                explanation = statsig.explain(user, name, kind)
                check, answer = explanation.check, our_answer(statsig, kind, name, user)
                if answer.reason.startswith("Error:"):  # then nothing is known of the check
                    continue
                assert (check.kind, check.name) == (kind, name)
                assert (check.value, check.rule_id) == (answer.value, answer.rule_id)
                assert explanation.details.reason.endswith(answer.reason)
                assert kind in ("gate", "config") or check.group_name == answer.group_name
                consistent(check)
                json.dumps(explanation.to_dict(), allow_nan=False)
                assert name in repr(explanation)
                assert str(explanation).count("\n") >= len(list(rules_in(check)))


def without_chance(rule_id: str) -> str:
    """What a bandit leaves to chance shows at the end of the id."""
    return rule_id.removesuffix(":explore")


def consistent(check: CheckTrace) -> None:
    for entry in rules_in(check):
        if entry.matches is not None:
            assert entry.matches == all(part.holds for part in entry.conditions)
        if entry.bucket is not None:
            assert entry.passes == (entry.bucket < entry.pass_percentage * 100)
        elif entry.passes is not None:
            assert entry.passes == (entry.pass_percentage > 0)
    for nested in checks_in(check):
        rule_id = without_chance(nested.rule_id)
        if nested.how == "spec" and nested.supported and rule_id not in ("default", "disabled", ""):
            delegates = [entry.delegate for entry in nested.rules if entry.delegate is not None]
            known = {entry.rule_id for entry in nested.rules} | {entry.rule_id for entry in delegates}
            assert rule_id in map(without_chance, known)


def test_the_sample_project_is_explained() -> None:
    project = sample_project()
    statsig = client(project)
    for user in sample_users(20):
        for kind, name in all_checks(project):
            explanation = statsig.explain(user, name, kind)
            consistent(explanation.check)
            used = {field.partition(".")[0] for field in explanation.user_fields}
            assert used <= {
                *("userID", "email", "country", "locale", "appVersion", "userAgent", "ip"),
                *("custom", "customIDs", "privateAttributes", "statsigEnvironment", "tier"),
                *(field for field in explanation.user_fields if field not in user),
            }


def test_the_whole_tree_reads_like_this() -> None:
    conditions = {
        "everyone": {"type": "public", "idType": "userID"},
        "staff": condition("user_field", "email", "str_ends_with_any", ["@example.com"]),
        "pro": condition("user_field", "plan", "any", ["pro"]),
        "is_staff": {"type": "pass_gate", "targetValue": "staff", "idType": "userID"},
        "odd": condition("phase_of_the_moon", None, "any", ["full"]),
    }
    half = {**rule("pro"), "passPercentage": 50, "id": "half", "salt": "half"}
    gates = {
        "staff": gate([rule("staff")]),
        "new_search": gate([rule("is_staff"), half]),
        "odd": gate([{**rule("odd"), "conditions": ["pro", "odd", "nowhere"]}]),
        "off": {**gate([]), "enabled": False},
    }
    statsig = client(small_v2(conditions, gates, {"c": config([rule("everyone", {"a": 1})], {})}))
    user = StatsigUser("user-42", email="ann@example.org", custom={"plan": "pro"})

    assert str(statsig.explain(user, "new_search")).splitlines() == [
        "gate 'new_search' is false: rule 'half' decided",
        "  rule 'is_staff' does not match",
        "    gate 'staff' passes: no",
        "      gate 'staff' is false: no rule matches",
        "        rule 'staff' does not match",
        '          user_field email str_ends_with_any ["@example.com"]: met "ann@example.org": no',
        "  rule 'half' matches; 50 % are in: bucket 8436 of userID \"user-42\" is not below 5000",
        '    user_field plan any ["pro"]: met "pro": yes',
        "user fields used: email, custom.plan, userID",
        "reason: Adapter(Memory):Recognized",
    ]
    assert repr(statsig.explain(user, "new_search")) == (
        "<gate 'new_search' is false: rule 'half' decided (Adapter(Memory):Recognized)>"
    )
    assert str(statsig.explain(user, "odd")).splitlines() == [
        "gate 'odd' is true: a condition is not supported",
        "  rule 'odd' is not supported",
        '    user_field plan any ["pro"]: met "pro": yes',
        '    phase_of_the_moon any ["full"]: met null: not supported',
        "    (not in the payload) (no operator) null: met null: not supported",
        "user fields used: custom.plan",
        "reason: Adapter(Memory):Unsupported",
    ]
    assert str(statsig.explain(user, "off")).splitlines()[0] == (
        "gate 'off' is false: it is switched off and no rule matches"
    )
    assert str(statsig.explain(user, "c")).splitlines()[:2] == [
        "config 'c' is {\"a\": 1}: rule 'everyone' decided",
        "  rule 'everyone' matches; 100 % are in",
    ]


def test_private_attributes_are_hidden_unless_asked_for() -> None:
    conditions = {"age": condition("user_field", "age", "gt", 17)}
    statsig = client(small_v2(conditions, {"adults": gate([rule("age")])}))
    user = StatsigUser("u", private_attributes={"age": 4711})
    explanation = statsig.explain(user, "adults")
    assert explanation.user_fields == ("privateAttributes.age",)
    assert explanation.check.rules[0].conditions[0].value == "(private)"
    assert explanation.check.value is True
    for text in (str(explanation), repr(explanation), json.dumps(explanation.to_dict())):
        assert "4711" not in text
    shown = statsig.explain(user, "adults", show_private=True)
    assert shown.check.rules[0].conditions[0].value == 4711


def test_a_name_is_taken_for_what_it_is() -> None:
    conditions = {"everyone": {"type": "public", "idType": "userID"}}
    experiment = {**config([rule("everyone", {})], {}), "entity": "experiment"}
    project = {
        **small_v2(
            conditions, {"both": gate([])}, {"both": experiment, "e": experiment, "c": config([], {})}
        ),
        "layer_configs": {"l": config([], {}), "e": config([], {})},
    }
    statsig = client(project)
    kinds = {name: statsig.explain("u", name).check.kind for name in ("both", "e", "c", "l", "nothing")}
    assert kinds == {"both": "gate", "e": "experiment", "c": "config", "l": "layer", "nothing": "gate"}
    assert statsig.explain("u", "both", "experiment").check.entity == "experiment"
    missing = statsig.explain("u", "nothing")
    assert (missing.check.how, missing.check.value) == ("missing", False)
    assert repr(missing) == "<gate 'nothing' does not exist (Adapter(Memory):Unrecognized)>"


def test_overrides_mappings_and_bandits_are_told() -> None:
    conditions = {
        "everyone": {"type": "public", "idType": "userID"},
        "on": {"type": "pass_gate", "targetValue": "on", "idType": "userID"},
    }
    bandit = {
        "salt": "b",
        "defaultValue": {},
        "idType": "userID",
        "enabled": True,
        "version": 3,
        "sampleRate": 0,
        "higherIsBetter": True,
        "targetingGateName": "on",
        "groups": [
            {"id": "a", "name": "A", "parameterValues": {"n": 1}},
            {"id": "b", "name": "B", "parameterValues": {"n": 2}},
        ],
        "config": {
            "b": {
                "alpha": 0,
                "intercept": 2,
                "records": 1,
                "weightsNumerical": {"age": 0.5},
                "weightsCategorical": {},
            }
        },
    }
    project = {
        **small_v2(conditions, {"on": gate([rule("everyone")]), "old": gate([])}),
        "overrides": {"old": [{"new_config_name": "on", "rules": [{"rule_name": "mapped"}]}]},
        "override_rules": {"mapped": rule("on")},
        "cmab_configs": {"bandit": bandit},
    }
    statsig = client(project)

    mapped = statsig.explain("u", "old").check
    assert (mapped.value, mapped.rules[0].maps_to) == (True, "on")
    assert [check.name for check in checks_in(mapped)] == ["old", "on", "on"]

    chosen = statsig.explain({"userID": "u", "custom": {"age": 10}}, "bandit")
    assert chosen.check.how == "bandit"
    assert chosen.check.choice == {"arm": 1, "explored": False, "scores": [None, 7.0]}
    assert chosen.check.group_name == "B"
    assert [check.name for check in chosen.check.checks] == ["on"]
    assert chosen.user_fields == ("userID", "custom.age")

    statsig.override_gate("old", value=True)
    overridden = statsig.explain("u", "old")
    assert overridden.check.how == "override"
    assert repr(overridden) == "<gate 'old' is true: set by the application (LocalOverride:Recognized)>"


def test_before_the_start_there_is_nothing_to_explain() -> None:
    statsig = Statsig("secret-key", StatsigOptions(data_adapter=MemoryAdapter(payload())))
    explanation = statsig.explain("u", "on")
    assert (explanation.check.how, explanation.details.reason) == ("missing", "Uninitialized")


def test_wrong_arguments_are_named() -> None:
    statsig = started()
    wrong: Any
    for wrong in ("holdout", "parameter store", ""):
        expected = f"argument 'kind': expected 'gate', 'config', 'experiment' or 'layer', got \"{wrong}\""
        with pytest.raises(ValueError, match=f"^{expected}$"):
            statsig.explain("u", "on", wrong)
    for wrong in (5, True, b"gate", ["gate"]):
        with pytest.raises(TypeError, match=r"^argument 'kind': expected str or None, got "):
            statsig.explain("u", "on", wrong)
    for wrong in (None, 0, 1, "yes"):
        with pytest.raises(TypeError, match=r"^argument 'show_private': expected bool, got "):
            statsig.explain("u", "on", show_private=wrong)
    with pytest.raises(TypeError, match="argument 'name': expected str, got int"):
        statsig.explain("u", 5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="user"):
        statsig.explain(5, "on")  # type: ignore[arg-type]


def test_what_is_nested_deeper_than_gates_may_be_is_left_out() -> None:
    """Or Python could not read it: it counts levels, too."""
    chain = [rule("everyone", {"n": n}) | {"configDelegate": f"e{n + 1}"} for n in range(1, 300)]
    chain.append(rule("french", {"n": 300}))
    conditions = {
        "everyone": condition("public", None, "", None),
        "french": condition("user_field", "locale", "any", ["fr"]),
    }
    experiments = {f"e{n}": config([chosen], {}) for n, chosen in enumerate(chain, 1)}
    specs = small_v2(conditions, configs=experiments)
    with our_engine(json.dumps(specs).encode()) as statsig:
        explained = statsig.explain({"userID": "u", "locale": "fr"}, "e1", "experiment")
    assert explained.check.value == {"n": 300}
    assert explained.user_fields == ("locale",)
    told = str(explained)
    assert (told.count("experiment 'e"), "'e65'" in told, "'e66'" in told) == (65, True, False)
    assert json.loads(json.dumps(explained.to_dict()))["check"]["rule_id"] == "french"


def test_a_circle_is_not_decided() -> None:
    gates = {"a": gate([rule("on b")]), "b": gate([rule("on a")])}
    conditions = {f"on {name}": condition("pass_gate", None, "", name) for name in gates}
    with our_engine(json.dumps(small_v2(conditions, gates)).encode()) as statsig:
        explained = statsig.explain("u", "a")
    lines = str(explained).splitlines()
    assert lines[0] == "gate 'a' is false: not decided, too much is nested"
    assert lines[-1] == "reason: Error:Statsig Evaluation Depth Exceeded"
    assert sum(line.endswith("too much is nested") for line in lines) == 65
    assert "rule '' decided" not in str(explained)


def test_explanations_are_values() -> None:
    statsig = started()
    one, other = (statsig.explain("u", "follows_on") for _ in range(2))
    assert isinstance(one, Explanation)
    assert one.check == other.check
    with pytest.raises(AttributeError):
        one.check = other.check  # type: ignore[misc]
