"""Random contextual bandits whose choice does not depend on chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from statsig_fastly.sample_users import Dice

__all__ = ["random_bandit"]

_FIELDS: Final = ("f_number", "f_text", "f_bool", "country", "userID", "shared", "f_list", "F_mixed")
_WEIGHTS: Final = (0, 1, 1.0, -2.5, 0.1, 1e3, 7, 1e300)


def random_bandit(dice: Dice, gates: Sequence[str]) -> dict[str, Any]:
    """Makes a bandit.

    If it has several groups its sample rate is 0, and one of them has a score: otherwise the official core
    takes one at random.

    Args:
        dice: What decides.
        gates: Names for its targeting gate.
    """
    groups = [
        {
            "name": dice.pick(("Control", "Test", "", "é")),
            "parameterValues": _parameters(dice),
            "id": f"group {n}",
        }
        for n in range(dice.below(5))
    ]
    bandit: dict[str, Any] = {
        "salt": dice.pick(("x", "", "é")),
        "defaultValue": _parameters(dice),
        "idType": dice.pick(("userID", "stableID", "companyID")),
        "enabled": dice.chance(0.85),
        "version": dice.pick((0, 1, 3, 2**32 - 1)),
        # Of users left to chance the core leaves some without a group, whatever is learned.
        "sampleRate": 0.0,
        "higherIsBetter": dice.chance(0.7),
        "groups": groups,
    }
    if dice.chance(0.4):
        bandit["targetingGateName"] = dice.pick((*gates, "no such gate", "segment:no such", None))
    if dice.chance(0.3):
        bandit["targetAppIDs"] = dice.pick((["app"], [], None))
    if dice.chance(0.7):
        scored = [group["id"] for group in groups if dice.chance(0.7)] or [group["id"] for group in groups]
        bandit["config"] = {group: _score(dice) for group in scored}
        if len(groups) > 1:  # numbers of users may be infinite, texts never are
            bandit["config"][scored[0]]["weightsNumerical"] = {}
            bandit["config"][scored[0]]["weightsCategorical"] = {"f_text": {"a": dice.pick((1, -2.5, 0.1))}}
        if len(groups) == 1 and dice.chance(0.3):
            bandit["config"] = {}
        if dice.chance(0.2):
            bandit["config"]["no such group"] = _score(dice)
    return bandit


def _parameters(dice: Dice) -> Any:  # noqa: ANN401 - JSON
    return dice.pick(({"a": 1}, {"a": "x", "b": [1]}, {}, {"é": None}))


def _score(dice: Dice) -> dict[str, Any]:
    numerical = {field: dice.pick(_WEIGHTS) for field in dice.take(_FIELDS, dice.below(3))}
    categorical = {
        field: {text: dice.pick(_WEIGHTS) for text in dice.take(("a", "A", "true", "1", "user-1", ""), 2)}
        for field in dice.take(_FIELDS, dice.below(3))
    }
    if not numerical and not categorical:
        numerical = {"f_number": 1.0}
    return {
        "alpha": dice.pick((0.0, 0.5, 0.1)),
        "intercept": dice.pick((0.0, 1.0, -3.0, 1e9)),
        "records": dice.below(10),
        "weightsNumerical": numerical,
        "weightsCategorical": categorical,
    }
