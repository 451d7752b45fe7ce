"""Random cases: a seed in, a payload with users, questions and overrides out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from client_responses import HASHES, KEY
from conformance.case import Case, Override, Question
from conformance.conditions import GROUPS
from conformance.faults import broken_text, spoil_payload, spoil_specs
from conformance.formats import same_in_both
from conformance.specs import PARAMETERS, RandomSpecs
from conformance.stores import random_stores, store_questions
from conformance.users import USER_IDS, random_user
from conformance.values import Values
from random_client_parts import add_client_parts
from statsig_fastly.sample_users import Dice

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["random_case"]

_ID_LISTS: Final = {"list": ["user-1", "a", "5", "1", "abc"], "Liste é": ["é", "true", ""], "empty": []}


def random_case(seed: int, users: int = 12) -> Case:
    """Makes one case; the same seed makes the same case on every Python version."""
    dice = Dice(seed)
    values = Values(dice)
    lists = _ID_LISTS if dice.chance(0.1) else {}
    specs = RandomSpecs(dice, values, list(_ID_LISTS))
    payload: Any = specs.payload
    if dice.chance(0.5):
        payload["param_stores"] = random_stores(dice, specs)
    if dice.chance(0.3):
        add_client_parts(payload, dice, KEY)
    questions = _questions(dice, specs)
    v1 = dice.chance(0.08)
    if v1:
        payload = same_in_both(payload)
    elif dice.chance(0.08):
        spoil_specs(dice, payload)
    fields = {"shared": values.scalar(), "f_text": values.scalar("text"), "F_list": values.of_user("list")}
    # The reference's Python binding turns a null among these into "", and a list with others in it.
    fields = {
        name: value
        for name, value in fields.items()
        if value is not None and dice.chance(0.5) and not _is_nested(value)
    }
    case = Case(
        label=f"seed {seed}",
        payload=payload,
        users=[random_user(dice, values) for _ in range(users)],
        questions=questions,
        environment=dice.pick((None, "staging", "Production", "")),
        global_custom_fields=fields or None,
        overrides=_overrides(dice, specs) if dice.chance(0.3) else (),
        id_lists=lists,
        ascii=dice.chance(0.5),
        v1=v1,
    )
    return _faulty(dice, case) if not v1 and dice.chance(0.08) else case


def _is_nested(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(item, (list, dict)) for item in value)


def _faulty(dice: Dice, case: Case) -> Case:
    """The case with a fault of the whole payload, which takes few questions to see."""
    payload: Any = case.payload
    if dice.chance(0.4):
        payload = broken_text(dice, case.text)
    else:
        spoil_payload(dice, payload)
    return Case(
        label=case.label,
        payload=payload,
        users=case.users[:1],
        questions=case.questions,
        environment=case.environment,
        global_custom_fields=case.global_custom_fields,
        ascii=case.ascii,
    )


def _questions(dice: Dice, specs: RandomSpecs) -> list[Question]:
    questions = [
        *(Question("gate", name) for name in specs.gate_names),
        *(Question("experiment", name) for name in specs.config_names),
        Question("config", dice.pick(specs.config_names)),
        *(Question("layer", name) for name in specs.layer_names),
        *(Question("layer_facts", name) for name in specs.layer_names),
    ]
    if dice.chance(0.2):
        kinds: dict[str, Sequence[str]] = {
            "gate": specs.gate_names,
            "experiment": specs.config_names,
            "config": specs.config_names,
            "layer": specs.layer_names,
        }
        questions += [Question("explained", name, (kind,)) for kind, names in kinds.items() for name in names]
    detail = (dice.pick(HASHES), dice.pick((None, None, KEY, "")), dice.pick((None, True, False)))
    questions.append(Question("client_response", "", detail))
    questions.append(Question("names"))
    questions += store_questions(dice, specs.payload)
    if dice.chance(0.2):
        for name in specs.config_names:
            questions.append(Question("groups", name))
            questions.append(Question("group_by_name", name, (dice.pick((*GROUPS, "no such group")),)))
            questions.append(Question("group_by_id", name, (dice.pick(("r0", "r1", "r", "", "nope")),)))
    if dice.chance(0.15) and _keeps_alike(specs.payload):
        questions += _persisted(dice, specs)
    return questions


def _keeps_alike(payload: dict[str, Any]) -> bool:
    """Whether both engines treat kept values alike. With group conditions and mappings they do not."""
    conditions = payload["condition_map"].values()
    return not payload.get("overrides") and not any(
        condition.get("type") == "experiment_group" for condition in conditions
    )


def _persisted(dice: Dice, specs: RandomSpecs) -> list[Question]:
    """Checks with kept values, some twice so that what the first one keeps is found."""
    questions: list[Question] = []
    for kind, names in (("experiment", specs.config_names), ("layer", specs.layer_names)):
        for name in names:
            unit = dice.pick(("userID", "userID", "stableID", "companyID"))
            for _ in range(1 + dice.below(3)):
                detail = (kind, unit, dice.chance(0.85), dice.chance(0.3), dice.chance(0.3))
                questions.append(Question("persisted", name, detail))
    return questions


def _overrides(dice: Dice, specs: RandomSpecs) -> Sequence[Override]:
    overrides: list[Override] = []
    for _ in range(1 + dice.below(8)):
        whom = dice.pick((None, None, "c1", "5", *USER_IDS))
        value = dice.pick(({}, {"a": 1}, {"a": "over", "z": [1, {"x": None}]}, {"b": 1.0}))
        gate, config = dice.pick(specs.gate_names), dice.pick(specs.config_names)
        layer = dice.pick(specs.layer_names)
        made: list[Override] = [
            ("override_gate", (gate, dice.chance(0.5), whom)),
            ("override_gate", (gate, dice.chance(0.5), whom)),
            ("override_dynamic_config", (config, value, whom)),
            ("override_experiment", (config, value, whom)),
            ("override_experiment", (config, value, whom)),
            ("override_experiment_by_group_name", (config, dice.pick((*GROUPS, "no such group")), whom)),
            ("override_layer", (layer, value, whom)),
        ]
        held = {
            "p0": {"ref_type": "static", "param_type": "x", "value": dice.pick(PARAMETERS)},
            "p1": "plain",
        }
        made.append(("override_parameter_store", (dice.pick(("store", "no such store")), held, whom)))
        overrides.append(dice.pick(made))
    for method, arguments in list(overrides):
        if dice.chance(0.15):
            table = method.removeprefix("override_").removesuffix("_by_group_name")
            whom = dice.pick((None, arguments[-1]))
            overrides.append((f"remove_{table}_override", (arguments[0], whom)))
    if dice.chance(0.03):
        overrides.append(("remove_all_overrides", ()))
    return overrides
