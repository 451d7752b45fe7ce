"""What a payload says for client SDKs, made up at random."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from client_responses import djb2

if TYPE_CHECKING:
    from answers import Kind
    from statsig_fastly.sample_specs import Json
    from statsig_fastly.sample_users import Dice

__all__ = ["add_client_parts", "add_replacements", "random_overrides"]

_APPS: Final = ("A", "B", "", "5", "true", "1.5", '["A"]', "100000000000000000000", "é")
_APP_IDS: Final = ("A", "A", "B", "é", "", 5, 1.5, 1e20, True, None, ["A"], {"a": 1})
_RATES: Final = (None, 0, 1, 1.5, -1, -0.0, 0.0, 1.0)  # nothing that is left to chance
_ARM_VALUES: Final[tuple[Json, ...]] = ({"a": 1}, {"a": 2.5, "é": [None]}, {}, True, None, "text")
_OVERRIDES: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"a": 1.0, "z": -0.0},
    {"é": [1, {"k": None}], "b": 2**53 + 1},
)
_VALUES: Final[tuple[list[str] | None, ...]] = (None, [], ["a"], ["é", '"', "1"])


def add_client_parts(specs: dict[str, Any], dice: Dice, key: str) -> None:
    """Adds what only client SDKs are told, and says which app `key` is for."""
    for table in ("feature_gates", "dynamic_configs", "layer_configs"):
        for spec in specs[table].values():
            if dice.chance(0.6):
                spec["targetAppIDs"] = dice.take(_APPS, dice.below(4))
    for field, entry in (
        ("sdk_keys_to_app_ids", key),
        ("hashed_sdk_keys_to_app_ids", str(djb2(key))),
    ):
        if dice.chance(0.3):
            specs[field] = {entry: dice.pick(_APP_IDS)} if dice.chance(0.8) else {"other": "A"}
    if dice.chance(0.6):
        # No targeting gate: what the reference evaluates it to depends on the spec that came before.
        specs["session_replay_info"] = _chosen(
            dice,
            {
                "sampling_rate": dice.pick(_RATES),
                "recording_blocked": dice.pick((True, False, False, None)),
                "session_recording_event_triggers": {name: _trigger(dice) for name in ("e1", "é", "")},
                "session_recording_exposure_triggers": {"g0": _trigger(dice), "é": _trigger(dice)},
                "session_recording_privacy_settings": {
                    "privacy_mode": dice.pick(("min", "é")),
                    "masked_elements": dice.pick(_VALUES),
                    **_chosen(dice, {"unmasked_elements": ["a"], "blocked_elements": [], "more": 1}),
                },
            },
        )
    if dice.chance(0.6):
        specs["param_stores"] = {name: _store(dice) for name in dice.take(("s", "é", "store", ""), 2)}


def _chosen(dice: Dice, members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if dice.chance(0.6)}


def _trigger(dice: Dice) -> dict[str, Any]:
    return _chosen(
        dice, {"sampling_rate": dice.pick(_RATES), "values": dice.pick(_VALUES), "passes_sampling": True}
    )


def _store(dice: Dice) -> dict[str, Any]:
    kinds: tuple[dict[str, Any], ...] = (
        {"value": dice.pick((None, 1, 1.0, -0.0, 2**64, "é", [1e21, None], {"k": {"n": 2**53 + 1}}))},
        {"gate_name": "g0", "pass_value": dice.pick((None, 1, [2**65])), "fail_value": {"a": -0.0}},
        {"config_name": "c0", "param_name": "a"},
        {"experiment_name": "exp é", "param_name": ""},
        {"layer_name": "l0", "param_name": 'q"'},
    )
    parameters = {
        # Members of several kinds in one: the first kind counts.
        f"p{number}é": {
            "ref_type": "r",
            "param_type": 't"',
            **dice.pick(kinds),
            **dice.pick(kinds),
            "more": 1,
        }
        for number in range(dice.below(8))
    }
    return {"parameters": parameters, **_chosen(dice, {"targetAppIDs": dice.take(_APPS, dice.below(4))})}


def add_replacements(specs: dict[str, Any], dice: Dice) -> None:
    """Adds bandits and mappings that take the place of specs; nothing about them is left to chance."""
    # Gates of one condition on the user, so that nothing comes to itself: the reference would not end.
    gates = [name for name in specs["feature_gates"] if name.startswith("only p")]
    # Names that nothing delegates to.
    specs["cmab_configs"] = {name: _bandit(dice, gates) for name in dice.take(("new", "é", "c é", ""), 3)}
    rule = {"name": "", "passPercentage": dice.pick((100, 50)), "idType": "userID", "returnValue": None}
    specs["override_rules"] = {
        name: {**rule, "id": name, "conditions": [name]} for name in specs["condition_map"] if name[:1] == "p"
    }
    specs["overrides"] = {
        name: [
            {"new_config_name": new, "rules": [{"rule_name": dice.pick([*specs["override_rules"], "none"])}]}
        ]
        for name, new in (
            ("g3", gates[0]),
            ("c2", "simple0"),
            ("c3", "simple1"),
            ("l1", "l0"),
            ("new gate", gates[0]),
        )
        if dice.chance(0.5)
    }


def _bandit(dice: Dice, gates: list[str]) -> dict[str, Any]:
    groups = [
        {
            "id": f"arm {number}",
            "name": dice.pick(("One", "é", "")),
            "parameterValues": dice.pick(_ARM_VALUES),
        }
        for number in range(dice.below(4))
    ]
    return {
        "salt": "s",
        "defaultValue": dice.pick(_ARM_VALUES),
        "idType": dice.pick(("userID", "stableID", "companyid")),
        "enabled": dice.chance(0.8),
        "version": dice.below(3),
        "sampleRate": 0.1,
        "higherIsBetter": True,
        "groups": groups,
        **_chosen(
            dice,
            {
                "targetAppIDs": dice.take(_APPS, dice.below(4)),
                "targetingGateName": dice.pick((*gates, "none")),
            },
        ),
    }


def random_overrides(checks: list[tuple[Kind, str]], dice: Dice) -> list[tuple[str, str, Any]]:
    """Methods that set overrides, with the name and the value."""
    overrides: list[tuple[str, str, Any]] = []
    for kind, name in checks:
        if (
            dice.chance(0.85) or name == "simple0"
        ):  # a group condition must not come to an experiment without one
            continue
        if kind == "gate":
            overrides.append(("override_gate", name, dice.chance(0.5)))
        elif kind == "experiment" and dice.chance(0.3):
            group = dice.pick(("Control", "Test", "", "no such group"))
            overrides.append(("override_experiment_by_group_name", name, group))
        else:
            method = "override_dynamic_config" if kind == "config" else f"override_{kind}"
            overrides.append((method, name, dice.pick(_OVERRIDES)))
    return overrides
