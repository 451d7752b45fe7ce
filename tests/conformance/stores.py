"""Random parameter stores, and what to ask them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from conformance.case import Question
from conformance.specs import PARAMETERS

if TYPE_CHECKING:
    from conformance.specs import RandomSpecs
    from statsig_fastly.sample_users import Dice

__all__ = ["GETTERS", "random_stores", "store_questions"]

# Typed getters, and what to give each as a fallback.
GETTERS: Final[dict[str, tuple[Any, ...]]] = {
    "get_string": ("fallback", ""),
    "get_float": (1.5, -0.0),
    "get_integer": (9, 0),
    "get_bool": (True, False),
    "get_array": ([1], []),
    "get_map": ({"fallback": 1}, {}),
}
_TYPES: Final = ("string", "number", "boolean", "array", "object", "odd")


def random_stores(dice: Dice, specs: RandomSpecs) -> dict[str, Any]:
    """Makes parameter stores that refer to all kinds of specs."""
    stores: dict[str, dict[str, Any]] = {}
    for name in ("store", "store é", ""):
        parameters = {f"p{number}": _parameter(dice, specs) for number in range(dice.below(7))}
        stores[name] = {"parameters": parameters}
        if dice.chance(0.3):
            stores[name]["targetAppIDs"] = dice.pick((["app"], [], None))
        if dice.chance(0.3):
            stores[name]["version"] = dice.pick((0, 1, None))
    return stores


def store_questions(dice: Dice, payload: dict[str, Any]) -> list[Question]:
    """Asks for some parameters by some of the typed getters."""
    questions: list[Question] = []
    for name, store in {
        **payload.get("param_stores", {}),
        "no such store": {"parameters": {"p": None}},
    }.items():
        for parameter in (*store["parameters"], "no such parameter"):
            for getter in dice.take(list(GETTERS), 2):
                detail = (parameter, getter, dice.pick(GETTERS[getter]))
                questions.append(Question("store", name, detail))
    return questions


def _parameter(dice: Dice, specs: RandomSpecs) -> dict[str, Any]:
    kind = dice.pick(("static", "static", "gate", "dynamic_config", "experiment", "layer"))
    parameter: dict[str, Any] = {"ref_type": kind, "param_type": dice.pick(_TYPES)}
    if dice.chance(0.05):
        parameter["ref_type"] = "bogus"
    if kind == "static":
        return {**parameter, "value": dice.pick(PARAMETERS)}
    if kind == "gate":
        values = {"pass_value": dice.pick(PARAMETERS), "fail_value": dice.pick(PARAMETERS)}
        return {**parameter, "gate_name": dice.pick(specs.gate_names), **values}
    key, names = {
        "dynamic_config": ("config_name", specs.config_names),
        "experiment": ("experiment_name", specs.config_names),
        "layer": ("layer_name", specs.layer_names),
    }[kind]
    return {**parameter, key: dice.pick(names), "param_name": dice.pick(("a", "b", "c", "é", "", "zzz"))}
