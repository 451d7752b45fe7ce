"""Faults for a payload: dice and a good payload in, one that somebody might get to see out.

Either parts of some specs go wrong, which leaves out those specs; or the top level, a condition or
the text does, which mostly refuses the payload as a whole.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Final

from conformance.case import raw_number

if TYPE_CHECKING:
    from statsig_fastly.sample_users import Dice

__all__ = ["PARTS", "broken_text", "broken_texts", "spoil_payload", "spoil_specs"]

_NESTING: Final = ("pass_gate", "fail_gate")
_TABLES: Final = ("feature_gates", "dynamic_configs", "layer_configs")
_ODD: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1.0, 1.5, 5, "", "x", "true", "1", [], {}, [1], [None], ["a"], {"a": 1},
    {"a": "b"},
    2**32, 2**63, 2**64, raw_number("1e400"), raw_number("1e2"), [[]], {"a": None}, "\ud800",
)  # fmt: skip
_SPEC_MEMBERS: Final = (
    "type", "salt", "enabled", "defaultValue", "rules", "idType", "entity", "version", "isActive",
    "hasSharedParams", "explicitParameters", "useNewLayerEval", "targetAppIDs", "forwardAllExposures",
    "fieldsUsed", "checksum", "name", "unknown",
)  # fmt: skip
_RULE_MEMBERS: Final = (
    "name", "id", "passPercentage", "conditions", "returnValue", "idType", "salt", "groupName",
    "configDelegate", "isExperimentGroup", "samplingRate", "unknown",
)  # fmt: skip
_CONDITION_MEMBERS: Final = (
    "type", "idType", "targetValue", "operator", "field", "additionalValues", "checksum", "unknown",
)  # fmt: skip
PARTS: Final[dict[str, Any]] = {
    "has_updates": True,
    "time": 5,
    "feature_gates": {},
    "dynamic_configs": {},
    "layer_configs": {},
    "condition_map": {},
    "experiment_to_layer": {"a": "b"},
    "checksum": "c",
    "company_id": "c",
    "response_format": "dcs-v9",
    "app_id": {"a": 1},
    "default_environment": "dev",
    "diagnostics": {"initialize": 1},
    "sdk_configs": {"a": [1]},
    "sdk_flags": {"a": True},
    "id_lists": {"a": True},
    "sdk_keys_to_app_ids": {"a": 5},
    "hashed_sdk_keys_to_app_ids": {"a": "b"},
    "param_stores": {"x": {"parameters": {"p": {"ref_type": "r", "param_type": "s", "value": 1}}}},
    "session_replay_info": {
        "sampling_rate": 1,
        "recording_blocked": False,
        "session_recording_event_triggers": {"e": {"sampling_rate": 1, "values": ["a"],
        "passes_sampling": True}},
        "session_recording_exposure_triggers": {"e": {}},
        "session_recording_privacy_settings": {"privacy_mode": "min", "unmasked_elements": ["x"]},
    },
    "auto_capture_settings": {"disabled_events": {}},
    "gcir_config": {"remove_default_value_gates": False},
    "overrides": {"x": [{"new_config_name": "y", "rules": [{"rule_name": "z", "start_time": 1}]}]},
    "override_rules": {
        "z": {
            "name": "n", "id": "i", "passPercentage": 1, "conditions": [], "returnValue": 1,
            "idType": "userID",
        }
    },
    "cmab_configs": {
        "x": {
            "salt": "x", "defaultValue": {}, "idType": "userID", "enabled": False, "version": 1,
            "sampleRate": 0.0, "higherIsBetter": True, "groups": [{"name": "n", "parameterValues": {},
            "id": "i"}],
            "config": {"i": {"alpha": 1, "intercept": 1, "records": 1, "weightsNumerical": {"a": 1},
                             "weightsCategorical": {"a": {"b": 1}}}},
            "targetingGateName": "g0", "targetAppIDs": ["a"],
        }
    },
    "unknown": {"x": 1},
    "layers": {"l": ["e"]},
}  # fmt: skip


def spoil_specs(dice: Dice, payload: dict[str, Any], share: float = 0.3) -> None:
    """Makes one member of some specs odd, or leaves it out."""
    for table in _TABLES:
        for name, spec in payload[table].items():
            if not dice.chance(share):
                continue
            if dice.chance(0.05):
                payload[table][name] = dice.pick(_ODD)
            elif spec["rules"] and dice.chance(0.5):
                _spoil_member(dice, dice.pick(spec["rules"]), _RULE_MEMBERS)
            else:
                _spoil_member(dice, spec, _SPEC_MEMBERS)


def spoil_payload(dice: Dice, payload: dict[str, Any]) -> None:
    """Makes something of the top level odd, however deep, or something of a condition."""
    if dice.chance(0.3):
        # Not those on gates: they could come to nest what nests them.
        conditions = [held for held in payload["condition_map"].values() if held["type"] not in _NESTING]
        _spoil_member(dice, dice.pick(conditions), _CONDITION_MEMBERS)
        return
    member = dice.pick(list(PARTS))
    whole = member in payload and dice.chance(0.5)
    part = payload if whole else {member: copy.deepcopy(PARTS[member])}
    if not whole:
        payload.update(part)
    holder: Any = part
    key: Any = member
    # As deep as chance has it, but not into specs: those have their own faults.
    while (
        dice.chance(0.7) and isinstance(holder[key], (dict, list)) and holder[key] and member not in _TABLES
    ):
        holder = holder[key]
        key = dice.pick(list(holder) if isinstance(holder, dict) else range(len(holder)))
    if isinstance(holder, dict) and dice.chance(0.2):
        del holder[key]
    else:
        holder[key] = dice.pick(_ODD)
    payload.update({name: value for name, value in part.items() if not whole})
    if not whole and member not in part:
        payload.pop(member, None)


def broken_text(dice: Dice, text: str) -> str:
    """A payload whose text is not quite one."""
    cut = dice.below(len(text))
    return dice.pick(broken_texts(text, cut))


def broken_texts(text: str, cut: int) -> tuple[str, ...]:
    """All the ways in which the text of a payload may not quite be one; one of them is cut off there."""
    return (
            "", " ", "null", "[]", "{}", "5", '""', "not json", '{"has_updates":true}',
            '{"has_updates":false}',
            '{"has_updates":false,"time":7}',
            "\ufeff" + text, text + "\n", text + "garbage", text + "{}", text[:cut], text[:-1], text[1:],
            text.replace(": true", ": NaN", 1), text.replace(": 100", ": 1" + "0" * 400, 1),
            text.replace('"enabled"', '"enabled": true, "enabled"', 1),
            text.replace('"has_updates"', '"has_updates": true, "has_updates"', 1),
            text.replace('"rules"', '"rules": [], "rules"', 1),
            text.replace('"g0"', '"g0": 5, "g0"', 1),
            text.replace('"p0": ', '"p0": {"type": "public", "idType": "x"}, "p0": ', 1),
            text.replace('"returnValue": {', '"returnValue": {"a": 1, "a": 2, ', 1),
            text.replace('"defaultValue": ', '"defaultValue": ' + "[" * 130 + "]" * 130 + ', "x": ', 1),
            text.replace('"defaultValue": {', '"defaultValue": {"deep": ' + "[" * 130 + "]" * 130 + ", ", 1),
            text.replace(": ", " :\n\t", 40), text.replace('"id"', '"\\u0069d"'), text.replace("{", "{,", 1),
            text.replace("}", ",}", 1), text.replace('"', "'"), json.dumps(text),
    )  # fmt: skip


def _spoil_member(dice: Dice, holder: dict[str, Any], members: tuple[str, ...]) -> None:
    member = dice.pick(members)
    if dice.chance(0.2):
        holder.pop(member, None)
    else:
        holder[member] = copy.deepcopy(dice.pick(_ODD))
