"""Random specs: dice and values in, a payload in the v2 format out.

Rules, layers, delegates, nested gates, experiment groups and mappings are put together in every way the
format allows. What refers to another spec mostly refers to one made before, so that circles stay rare;
groups and mappings always do, because the official core does not survive their circles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from conformance.bandits import random_bandit
from conformance.case import raw_number
from conformance.conditions import GROUPS, UNITS, Conditions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from answers import Kind
    from conformance.values import Values
    from statsig_fastly.sample_specs import Json
    from statsig_fastly.sample_users import Dice

__all__ = ["BASE_GATES", "PARAMETERS", "PERCENTAGES", "RandomSpecs"]

PERCENTAGES: Final = (
    100, 100, 100, 100.0, 0, 50, 50, 33.3, 1.1, 81.15, 0.01, 99.99, 99.995, 1e-9, 150, 1000, -5, 1e300, 10,
    raw_number("5e1"), raw_number("1E+2"), raw_number("-0"), 0.0,
)  # fmt: skip
PARAMETERS: Final[tuple[Json, ...]] = (
    None, True, 0, 1, 1.0, -0.0, 1e21, 2**53 + 1, "x", "é", [], [1, [2.5, None]], {}, {"k": {"n": 1.5}},
    raw_number("1e2"), raw_number("-0"), '\u2028 \\ " / \b\f\n\r\t\u0001', "\U0001f600",
)  # fmt: skip
_ODD_VALUES: Final[tuple[Json, ...]] = (
    None, True, False, 0, 5, 1.5, "", "text", [], [1, "a"], {}, 2**63, {"s": "\ud800"}, {"\udc00": 1},
    {"n": raw_number("1e999")}, {"a": [[[[[[[[1]]]]]]]]},
)  # fmt: skip

# Gates that are in no way about groups, delegates or other gates but these: safe to nest anywhere.
BASE_GATES: Final = ("g0", "g1", "segment:s")
_GATES: Final = (*BASE_GATES, "g2", "g3", "Gate é", "segment:nested", "hold", "g4", "")
_SIMPLE: Final = ("simple0", "simple1")
_CONFIGS: Final = (*_SIMPLE, "c0", "c1", "c2", "exp é", "c3")
_LAYERS: Final = ("l0", "l1", "l2", "l3", "l4")
_APPS: Final[tuple[list[str] | None, ...]] = (["app"], ["app", "b"], ["APP"], [], None, ["x"])


class RandomSpecs:
    """One payload while it is made.

    Args:
        dice: What decides.
        values: The values of the case.
        lists: Names of its ID lists.
        bare: Whether to leave out mappings, bandits and circles, for whoever adds to the payload.

    Attributes:
        gate_names: Gates, with one that does not exist.
        config_names: Dynamic configs, experiments and bandits, likewise.
        layer_names: Layers, likewise.
        payload: The config specs.
    """

    def __init__(self, dice: Dice, values: Values, lists: Sequence[str] = (), *, bare: bool = False) -> None:
        self._dice = dice
        self._make = Conditions(dice, values, lists)
        self._conditions: dict[str, dict[str, Any]] = {}
        self._bare = bare
        self._maps = not bare and dice.chance(0.4)
        # The official core does not survive mappings in circles of gates or delegates.
        self._circles = not bare and not self._maps
        plain = [self._keep(f"p{number}", self._make.value()) for number in range(26)]
        usual = [*plain, self._keep("", {"type": "public", "idType": "userID"}), "dangling"]
        gates = self._gates(usual, BASE_GATES, ())
        base = [self._keep(f"b{number}", self._make.nested(BASE_GATES, odd=False)) for number in range(3)]
        configs = {name: self._spec([*plain, *base], name, "config") for name in _SIMPLE}
        groups = [self._keep(f"e{number}", self._make.group(_SIMPLE)) for number in range(3)]
        usual += groups
        gates |= self._gates(usual, [name for name in _GATES if name not in gates], _SIMPLE)
        # And every condition on its own, where nothing else can hide what it says.
        alone = {f"only {key}": _alone(key) for key in self._conditions if key}
        nested = [self._keep(f"n{number}", self._make.nested(_GATES)) for number in range(8)]
        for index, name in enumerate(_CONFIGS):
            if name not in configs:
                circular = self._circles and dice.chance(0.03)
                delegates = _CONFIGS if circular else _CONFIGS[:index]
                configs[name] = self._spec([*usual, *nested], name, "config", delegates)
        layers = {name: self._spec([*usual, *nested], name, "layer", _CONFIGS) for name in _LAYERS}
        gates.update(alone)
        self.gate_names = [*_GATES, "no such gate", *alone]
        self.config_names = [*_CONFIGS, "no such config"]
        self.layer_names = [*_LAYERS, "no such layer"]
        self.payload: dict[str, Any] = {
            "has_updates": True,
            "time": dice.pick((0, 1, 1_700_000_000_000, 2**53 + 1)),
            "feature_gates": gates,
            "dynamic_configs": configs,
            "layer_configs": layers,
            "condition_map": self._conditions,
            "experiment_to_layer": {"c0": "l0"},
        }
        self._add_parts(plain)

    def _add_parts(self, plain: Sequence[str]) -> None:
        """What a payload may have beside its specs."""
        dice, payload = self._dice, self.payload
        if dice.chance(0.5):
            payload["app_id"] = dice.pick((None, "app", "APP", 5, True, ["app", "b"], {"a": 1}))
        if dice.chance(0.4):
            payload["default_environment"] = dice.pick((None, "production", "dev", ""))
        if dice.chance(0.2):
            payload["checksum"] = dice.pick(("", "abc", None))
        if not self._bare and dice.chance(0.4):
            names = dice.take(("bandit", "bandit é", *_CONFIGS), 1 + dice.below(3))
            payload["cmab_configs"] = {name: random_bandit(dice, BASE_GATES) for name in names}
            self.config_names += [name for name in names if name not in self.config_names]
        if self._maps:
            self._add_mappings([*plain, "b0", "b1", "dangling", ""])

    def _add_mappings(self, conditions: Sequence[str]) -> None:
        """Maps names to others made before them; a circle would end the official core's process."""
        dice = self._dice
        rules = {f"o{number}": self._rule(conditions, number, "config", ()) for number in range(4)}
        for number in range(2):
            rules[f"o{number}"]["conditions"] = rules[f"o{number}"]["conditions"][:1] if number else []
        overrides = {}
        for pool, ghost in ((_GATES, "ghost gate"), (_CONFIGS, "ghost config"), (_LAYERS, "ghost layer")):
            # Base gates stay as they are: rules of mappings look at them.
            for index, name in enumerate((*pool, ghost)):
                if name not in BASE_GATES and dice.chance(0.25):
                    targets = (*pool[:index], "no such config")
                    overrides[name] = [self._mapping(targets, list(rules)) for _ in range(1 + dice.below(2))]
        self.gate_names.append("ghost gate")
        self.config_names.append("ghost config")
        self.layer_names.append("ghost layer")
        self.payload |= {"overrides": overrides, "override_rules": rules}

    def _mapping(self, targets: Sequence[str], rules: Sequence[str]) -> dict[str, Any]:
        dice = self._dice
        chosen: list[dict[str, Any]] = []
        for _ in range(dice.below(3)):
            chosen.append({"rule_name": dice.pick((*rules, "no such rule"))})
            if dice.chance(0.4):
                chosen[-1]["start_time"] = dice.pick((None, 0, -1, 1_000_000_000_000, 4_102_444_800_000))
        return {"new_config_name": dice.pick(targets), "rules": chosen}

    # ---- specs and rules

    def _gates(
        self, usual: Sequence[str], names: Sequence[str], delegates: Sequence[str]
    ) -> dict[str, dict[str, Any]]:
        gates = {}
        base = not delegates
        for index, name in enumerate(names):
            # Mostly gates made before, so that circles stay rare.
            before = names[:index] if base else _GATES[: _GATES.index(name)]
            may_circle = not base and self._circles
            others = _GATES if may_circle and self._dice.chance(0.04) else before
            key = f"{'b' if base else ''}n{_GATES.index(name)}-"
            nested = [
                self._keep(f"{key}{number}", self._make.nested(others, odd=may_circle)) for number in range(2)
            ]
            gates[name] = self._spec([*usual, *nested, *nested, *nested], name, "gate", delegates)
        return gates

    def _spec(
        self, conditions: Sequence[str], name: str, kind: Kind, delegates: Sequence[str] = ()
    ) -> dict[str, Any]:
        dice = self._dice
        spec: dict[str, Any] = {
            "type": "feature_gate" if kind == "gate" else "dynamic_config",
            "salt": dice.pick(("salt", "", f"s-{name}")),
            "enabled": dice.chance(0.9),
            "defaultValue": self._return_value(kind),
            "rules": [
                self._rule(conditions, number, kind, delegates)
                for number in range(dice.pick((0, 1, 2, 2, 3, 3, 4)))
            ],
            "idType": dice.pick(UNITS),
            "entity": dice.pick(
                ("feature_gate", "segment", "holdout", "dynamic_config", "experiment", "autotune", "odd")
            ),
        }
        if dice.chance(0.5):
            spec["version"] = dice.pick((0, 1, 7, 2**32 - 1, None))
        if dice.chance(0.5):
            spec["isActive"] = dice.pick((True, True, False, None))
        if dice.chance(0.4):
            spec["explicitParameters"] = dice.pick((["a"], ["a", "b"], [], None, ["zzz"]))
        if dice.chance(0.3):
            spec["hasSharedParams"] = dice.chance(0.5)
        if dice.chance(0.3):
            spec["targetAppIDs"] = dice.pick(_APPS)
        if kind == "layer" and dice.chance(0.5):
            spec["useNewLayerEval"] = dice.chance(0.85)
        if dice.chance(0.05):
            spec |= {"forwardAllExposures": True, "fieldsUsed": ["a"], "checksum": "x", "unknown": 5}
        return spec

    def _rule(
        self, conditions: Sequence[str], number: int, kind: Kind, delegates: Sequence[str]
    ) -> dict[str, Any]:
        dice = self._dice
        # Layers are about how rules add up, so more of their rules pass.
        counts = (0, 0, 0, 1, 1, 2) if kind == "layer" else (0, 1, 1, 1, 2, 2, 3)
        rule: dict[str, Any] = {
            "name": "rule",
            "id": dice.pick(
                (f"r{number}", f"r{number}", "r", "", "règle", "inlineTargetingRules", "1:override")
            ),
            "passPercentage": dice.pick(PERCENTAGES),
            "conditions": [dice.pick(conditions) for _ in range(dice.pick(counts))],
            "returnValue": self._return_value(kind),
            "idType": dice.pick(UNITS),
        }
        salt = dice.pick(("rs", "rs", "", None, "absent"))
        if salt != "absent":
            rule["salt"] = salt
        if dice.chance(0.5):
            rule["groupName"] = dice.pick((*GROUPS, None))
        if dice.chance(0.3):
            rule["isExperimentGroup"] = dice.pick((True, False, None))
        if dice.chance(0.1):
            rule["samplingRate"] = dice.below(300)
        if delegates and dice.chance(0.6 if kind == "layer" else 0.15):
            rule["configDelegate"] = dice.pick((*delegates, *delegates, "no such config", "", None))
        return rule

    def _return_value(self, kind: Kind) -> Json:
        dice = self._dice
        if dice.chance(0.15):
            return dice.pick(_ODD_VALUES)
        if kind == "gate":
            return dice.chance(0.7)
        keys = dice.take(("a", "b", "c", "é", ""), 1 + dice.below(3))
        return {key: dice.pick(PARAMETERS) for key in keys}

    def _keep(self, key: str, condition: dict[str, Any]) -> str:
        self._conditions[key] = condition
        return key


def _alone(key: str) -> dict[str, Any]:
    """A gate that says what one condition says."""
    rule = {
        "name": "only",
        "id": "only",
        "passPercentage": 100,
        "conditions": [key],
        "returnValue": True,
        "idType": "userID",
    }
    return {
        "type": "feature_gate",
        "salt": "",
        "enabled": True,
        "defaultValue": False,
        "rules": [rule],
        "idType": "userID",
        "entity": "feature_gate",
    }
