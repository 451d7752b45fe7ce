"""A made-up Statsig project: a seed in, config specs in either payload format out.

The project looks like a real one from the outside (targeting, partial rollouts, holdouts, segments,
experiments in layers, autotunes) and holds nobody's data, so it can be published, measured,
shown and compared with other SDKs freely. `sample_users` makes users its rules tell apart.
"""

from __future__ import annotations

import itertools
import json
import sys
from typing import TYPE_CHECKING, Any, Final

from statsig_fastly.sample_specs import BUCKETS, Json, Specs, number_of, to_v1
from statsig_fastly.sample_users import (
    APP_VERSIONS,
    COMPANIES,
    COUNTRIES,
    DOMAINS,
    EMPLOYEE_DOMAIN,
    EU_COUNTRIES,
    LOCALES,
    PLANS,
    ROLES,
    TIERS,
    Dice,
    sample_users,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = [
    "BUTTON_EXPERIMENT",
    "CHECKOUT_EXPERIMENT",
    "CHECKOUT_LAYER",
    "HOLDOUT",
    "MINIMUM_CONFIGS",
    "MINIMUM_GATES",
    "PRICING_CONFIG",
    "TEST_GATE",
    "sample_project",
    "sample_users",
    "to_v1",
]

TEST_GATE: Final = "test_fastly"
BUTTON_EXPERIMENT: Final = "button_color"
CHECKOUT_EXPERIMENT: Final = "checkout_flow"
CHECKOUT_LAYER: Final = "checkout_layer"
PRICING_CONFIG: Final = "pricing"
HOLDOUT: Final = "holiday_holdout"

MINIMUM_GATES: Final = 20
MINIMUM_CONFIGS: Final = 16

_UPDATED_MS: Final = 1_760_000_000_000  # 2025-10-09, UTC
_LAUNCHED_MS: Final = 1_735_689_600_000  # 2025-01-01, UTC
_FAR_AWAY_MS: Final = 4_102_444_800_000  # 2100-01-01, UTC

_EMPLOYEES: Final = "segment:employees"
_ENTERPRISE: Final = "segment:enterprise"
_EUROPE: Final = "segment:europe"
_BETA_TESTERS: Final = "segment:beta_testers"

# fmt: off
_AREAS: Final = (
    "admin", "billing", "catalog", "chat", "feed", "inbox", "media", "mobile", "onboarding", "orders",
    "payments", "profile", "recommendations", "reports", "search", "settings", "sharing", "signup",
    "support", "wishlist",
)
_FEATURES: Final = (
    "ai_summary", "autosave", "bulk_actions", "compact_view", "csv_export", "dark_mode", "inline_edit",
    "keyboard_shortcuts", "lazy_loading", "live_updates", "new_header", "offline_mode", "one_tap",
    "push_alerts", "rate_limiter", "two_factor", "v2_api", "voice_input",
)
_TRIALS: Final = (
    "cta_copy", "default_sort", "empty_state", "image_size", "layout_density", "ranking_model",
    "reminder_cadence", "tooltip_tour", "trial_length", "upsell_banner",
)
_SETTINGS: Final = (
    "banner", "cache", "copy", "feature_matrix", "limits", "partners", "retry_policy", "timeouts",
)

# What dynamic_configs holds, in turn.
_CONFIG_KINDS: Final = (
    "dynamic_config", "running", "dynamic_config", "targeted", "dynamic_config", "running", "prestart",
    "dynamic_config", "decided", "running", "autotune",
)
# fmt: on

# Name of a parameter and the values its groups get, control first.
_PARAMETERS: Final[tuple[tuple[str, tuple[Any, ...]], ...]] = (
    ("headline", ("Welcome back", "Good to see you", "Bonjour à tous", "おかえり")),
    ("color", ("#444444", "#1a73e8", "#188038", "#d93025")),
    ("max_items", (10, 20, 50, 100)),
    ("delay_ms", (0, 250, 500, 1000)),
    ("discount", (0.0, 0.05, 0.125, 0.2)),
    ("enabled", (False, True, True, False)),
    (
        "layout",
        ({"columns": 2}, {"columns": 3, "gutter": 1.5}, {"columns": 1}, {"columns": 4, "dense": True}),
    ),
    ("steps", (["cart", "address", "payment"], ["cart", "payment"], ["one_page"], [])),
    ("variant", ("control", "a", "b", "c")),
    ("sort_weights", ([1, 0.5, 0.25], [1, 1, 1], [0.1, 0.2, 0.7], [])),
)
_GROUPS: Final = ("Control", "Test", "Test #2", "Test #3")
_PERCENTAGES: Final = (1, 5, 10, 20, 25, 33.3, 50, 50, 75, 90, 99.5, 100, 100, 100)


def sample_project(seed: int = 2024, gates: int = 100, configs: int = 50) -> dict[str, Any]:
    """Makes up a Statsig project.

    It always holds the gate `TEST_GATE` (50 % of everyone), the experiment `BUTTON_EXPERIMENT` (three
    groups of a third), the dynamic config `PRICING_CONFIG`, the layer `CHECKOUT_LAYER` with its
    experiment `CHECKOUT_EXPERIMENT`, and the holdout `HOLDOUT`, which some of the others respect.

    Args:
        seed: The same numbers give the same project, on every Python version.
        gates: Entries of `feature_gates`, segments and the holdout included; `MINIMUM_GATES` or more.
        configs: Entries of `dynamic_configs` (dynamic configs, experiments, autotunes);
            `MINIMUM_CONFIGS` or more. Layers come on top: one for each dozen, at least four.

    Returns:
        A payload in the v2 format, ready for `json.dumps`.

    Raises:
        ValueError: Fewer gates or configs than the named ones need.
    """
    if gates < MINIMUM_GATES:
        raise ValueError(f"gates: expected {MINIMUM_GATES} or more, got {gates}")
    if configs < MINIMUM_CONFIGS:
        raise ValueError(f"configs: expected {MINIMUM_CONFIGS} or more, got {configs}")
    return _Project(seed, gates, configs).payload()


class _Project:
    """A project while it is made. Every step rolls the dice, so their order decides the outcome."""

    def __init__(self, seed: int, gates: int, configs: int) -> None:
        self._dice = Dice(seed)
        self._specs = Specs(self._dice)
        self._gate_count = gates
        self._config_count = configs
        self._gates: dict[str, dict[str, Any]] = {}
        self._configs: dict[str, dict[str, Any]] = {}
        self._layers: dict[str, dict[str, Any]] = {}
        self._experiment_to_layer: dict[str, str] = {}
        self._holdout_rule_id = self._specs.id()
        self._leaf_gates: list[str] = []  # gates that refer to no other: safe to nest without a cycle

    def payload(self) -> dict[str, Any]:
        self._add_named_gates()
        self._add_layers()
        self._add_named_configs()
        self._add_configs()
        self._add_gates()
        project: dict[str, Any] = {
            "has_updates": True,
            "time": _UPDATED_MS,
            "company_id": self._specs.id(),
            "response_format": "dcs-v2",
            "default_environment": TIERS[0],
            "feature_gates": self._gates,
            "dynamic_configs": self._configs,
            "layer_configs": self._layers,
            "condition_map": self._specs.conditions,
            "experiment_to_layer": self._experiment_to_layer,
            "diagnostics": {"initialize": 10000, "dcs": 1000, "idlist": 100, "log": 100, "api_call": 100},
            "sdk_configs": {"event_queue_size": 2000, "sampling_mode": "none"},
        }
        project["checksum"] = str(number_of(project, 8))
        # A copy through JSON: values that several rules share here become each rule's own.
        copied: dict[str, Any] = json.loads(json.dumps(project))
        return copied

    def _add_named_gates(self) -> None:
        specs, rule, field = self._specs, self._specs.rule, self._specs.field
        segments = {
            _EMPLOYEES: [rule([field("email", "str_contains_any", [f"@{EMPLOYEE_DOMAIN}"])])],
            _ENTERPRISE: [
                rule([field("plan", "any", [PLANS[-1].lower()])]),
                rule([field("seats", "gte", 200)]),
            ],
            _EUROPE: [rule([field("country", "any", list(EU_COUNTRIES))])],
            _BETA_TESTERS: [rule([field("beta", "eq", True)]), rule([specs.passes(_EMPLOYEES)])],
        }
        for name, rules in segments.items():
            self._gates[name] = specs.gate(rules, entity="segment")
        holdout = rule([specs.everyone], rule_id=self._holdout_rule_id, percentage=10)
        self._gates[HOLDOUT] = specs.gate([holdout], entity="holdout")
        self._gates[TEST_GATE] = specs.gate([specs.rollout(50)])
        # v1 engines do not run the rules of a disabled gate and v2 engines do: it has none.
        self._gates["maintenance_window"] = specs.gate([], enabled=False)
        closed = rule([field("country", "any", ["BR", "MX"])], value=False)
        self._gates["checkout_is_open"] = specs.gate([closed], default=True)
        self._gates["legacy_sessions_allowed"] = specs.gate(
            [
                rule([specs.passes(_EMPLOYEES)], value=False),
                rule([field("appVersion", "version_gte", "3.0.0")], value=False, percentage=80),
            ],
            default=True,
        )
        self._leaf_gates += [TEST_GATE, "checkout_is_open", *segments]

    def _add_gates(self) -> None:
        dice, specs = self._dice, self._specs
        names = self._names(_FEATURES)
        audiences = self._audiences()
        while len(self._gates) < self._gate_count:
            audience = audiences[len(self._gates) % len(audiences)]
            unit = dice.pick(("userID", "userID", "userID", "userID", "stableID", "companyID"))
            rules = []
            if dice.chance(0.25):
                members = [f"user-{dice.below(400)}" for _ in range(3)]
                rules.append(specs.id_override("pass", [specs.ids("any", members, unit)], unit))
            if dice.chance(0.3):
                rules.append(self._held_out(False))
            rules.append(specs.rule(audience(), percentage=dice.pick(_PERCENTAGES), unit=unit))
            if dice.chance(0.3):
                elsewhere = specs.field("country", "none", dice.take(COUNTRIES, 2))
                rules.append(specs.rule([*dice.pick(audiences)(), elsewhere], percentage=75, unit=unit))
            if dice.chance(0.35):
                rules.append(specs.rollout(dice.pick(_PERCENTAGES), unit))
            name = next(names)
            self._gates[name] = specs.gate(rules, unit=unit)
            if not self._nests(rules):
                self._leaf_gates.append(name)

    def _nests(self, rules: list[dict[str, Any]]) -> bool:
        keys = [key for rule in rules for key in rule["conditions"]]
        return any(self._specs.conditions[key]["type"] in ("pass_gate", "fail_gate") for key in keys)

    def _audiences(self) -> list[Callable[[], list[str]]]:
        """Ways to say who a rule is for; each call gives the keys of new conditions."""
        dice, specs, field, condition = self._dice, self._specs, self._specs.field, self._specs.condition
        gates = self._leaf_gates
        browsers = ("iPhone", "Android", "Windows")
        even_address = r"^[\w.]+\d*[02468]@(acme|globex)\.example$"
        return [
            lambda: [specs.everyone],
            lambda: [field("country", "any", dice.take(COUNTRIES, 1 + dice.below(6)))],
            lambda: [field("appVersion", "version_gte", dice.pick(APP_VERSIONS))],
            lambda: [field("email", "str_ends_with_any", [f"@{name}" for name in dice.take(DOMAINS, 2)])],
            lambda: [field("plan", "any", dice.take(PLANS, 2))],
            lambda: [specs.passes(dice.pick(gates))],
            lambda: [field("locale", "str_starts_with_any", [dice.pick(LOCALES)[:2]])],
            lambda: [field("seats", dice.pick(("gt", "gte", "lt", "lte")), 20 * dice.below(10))],
            lambda: [field("roles", "array_contains_any", dice.take(ROLES, 2))],
            lambda: [condition("environment_field", "any", dice.take(TIERS, 2), field="tier")],
            lambda: [field("email", "str_matches", even_address)],
            lambda: [specs.fails(dice.pick(gates))],
            lambda: [field("signup_date", "after", 1_577_836_800_000 + dice.below(190_000_000) * 1000)],
            lambda: [field("country", "none", dice.take(COUNTRIES, 4))],
            lambda: [field("userAgent", "str_contains_any", dice.take(browsers, 2))],
            lambda: [condition("unit_id", "any", dice.take(COMPANIES, 12), unit="companyID")],
            lambda: [field("level", "gt", dice.below(50)), field("beta", "neq", True)],
            lambda: [condition("current_time", "after", _LAUNCHED_MS)],
            lambda: [field("roles", "array_contains_none", dice.take(ROLES, 2))],
            lambda: [field("plan", "any_case_sensitive", [PLANS[-1], PLANS[1]])],
            lambda: [field("credit_score", "gte", 400 + 25 * dice.below(12))],
            lambda: [field("locale", "str_contains_none", ["-US", "_NZ"])],
            lambda: [field("referrer", "eq", dice.pick(("newsletter", "friend", None)))],
            lambda: [condition("current_time", "before", _FAR_AWAY_MS), specs.everyone],
            lambda: [field("appVersion", "version_lt", dice.pick(APP_VERSIONS[2:]))],
            lambda: [specs.passes(_BETA_TESTERS), specs.fails(_EUROPE)],
            lambda: [field("balance", "lte", 50.5 + dice.below(800))],
            lambda: [specs.bucket("lt", 100 * (1 + dice.below(8)), specs.salt())],
            lambda: [condition("unit_id", "neq", None, unit="stableID")],
            lambda: [condition("current_time", "after", _FAR_AWAY_MS)],
        ]

    def _add_named_configs(self) -> None:
        specs, rule, field = self._specs, self._specs.rule, self._specs.field
        buttons = [
            {"color": "gray", "size": 12},
            {"color": "blue", "size": 14},
            {"color": "green", "size": 16},
        ]
        self._configs[BUTTON_EXPERIMENT] = self._experiment(buttons, groups=("Control", "Blue", "Green"))
        recent = field("appVersion", "version_gte", "3.0.0")
        paying = field("plan", "any", ["pro", "enterprise"])
        default = {
            "currency": "USD",
            "monthly": 12,
            "yearly": 120.0,
            "trial_days": 14,
            "plans": ["free", "pro"],
        }
        europe = {**default, "currency": "EUR", "yearly": 99.5}
        self._configs[PRICING_CONFIG] = specs.config(
            [
                rule([paying, recent], value={**default, "monthly": 10, "trial_days": 0}),
                rule([specs.passes(_EUROPE), recent], value=europe),
                rule(
                    [field("country", "any", ["US", "CA"])],
                    value={**default, "trial_days": 30},
                    percentage=60,
                ),
                rule([field("country", "any", ["IN", "BR", "MX"])], value={**default, "monthly": 5}),
            ],
            default,
        )

    def _add_configs(self) -> None:
        trials, settings = self._names(_TRIALS), self._names(_SETTINGS)
        audiences = self._audiences()
        while len(self._configs) < self._config_count:
            kind = _CONFIG_KINDS[len(self._configs) % len(_CONFIG_KINDS)]
            if kind == "autotune":
                values = self._group_values(self._dice.take(_PARAMETERS, 2), 3)
                self._configs[f"{next(trials)}_autotune"] = self._experiment(values, entity="autotune")
            elif kind == "dynamic_config":
                default, *values = self._group_values(self._dice.take(_PARAMETERS, 4), 3)
                rules = [
                    self._specs.rule(
                        self._dice.pick(audiences)(), value=value, percentage=self._dice.pick(_PERCENTAGES)
                    )
                    for value in values
                ]
                self._configs[next(settings)] = self._specs.config(rules, default)
            else:
                self._add_experiment(next(trials), kind)

    def _add_experiment(self, name: str, state: str) -> None:
        dice, specs = self._dice, self._specs
        values = self._group_values(dice.take(_PARAMETERS, 1 + dice.below(3)), 2 + dice.below(3))
        unit = dice.pick(("userID", "userID", "userID", "stableID", "companyID"))
        first = [self._held_out({})] if dice.chance(0.3) else []
        if state in ("prestart", "decided"):
            if state == "prestart":
                rule = specs.rule([specs.everyone], value={}, rule_id=state, salt="", unit=unit)
            else:
                rule = specs.rule([specs.everyone], value=values[-1], unit=unit, group="Shipped")
            self._configs[name] = specs.config(
                [*first, rule], {}, entity="experiment", unit=unit, active=False
            )
            return
        excluded = {str(bucket): True for bucket in sorted(dice.take(range(BUCKETS), 60))}
        share = specs.bucket("any", excluded if dice.chance(0.5) else {"-1": True}, specs.salt(), unit)
        first.append(specs.rule([share], value={}, rule_id="layerAssignment", salt="", unit=unit))
        if state == "targeted" and len(self._gates) < self._gate_count:
            segment = f"segment:inline_targeting:{name}"
            inside = specs.field("country", "none", dice.take(COUNTRIES, 3))
            self._gates[segment] = specs.gate(
                [specs.rule([inside], group="Inline Targeting Rule 1")], entity="segment"
            )
            outside = specs.fails(segment)
            first.append(specs.rule([outside], value={}, rule_id="inlineTargetingRules", salt="", unit=unit))
        self._configs[name] = self._experiment(values, unit=unit, first=first, overrides=dice.chance(0.4))

    def _experiment(
        self,
        values: Sequence[dict[str, Any]],
        *,
        groups: Sequence[str] = _GROUPS,
        unit: str = "userID",
        first: Sequence[dict[str, Any]] = (),
        overrides: bool = False,
        entity: str = "experiment",
        default: dict[str, Any] | None = None,
        explicit: list[str] | None = None,
    ) -> dict[str, Any]:
        """A running experiment whose groups, one for each of `values`, share the users equally."""
        specs = self._specs
        salt = specs.salt()
        overridden: list[dict[str, Any]] = []
        shared: list[dict[str, Any]] = []
        for index, (value, group) in enumerate(zip(values, groups, strict=False)):
            rule_id = specs.id()
            limit = -(-BUCKETS * (index + 1) // len(values))  # rounded up: 334, 667, 1000
            conditions = [specs.bucket("lt", limit, salt, unit)]
            rule = specs.rule(conditions, value=value, rule_id=rule_id, salt=rule_id, unit=unit, group=group)
            if entity == "experiment":
                rule["isExperimentGroup"] = True
            shared.append(rule)
            if overrides and index < 2:  # noqa: PLR2004 - two groups are enough to have some
                members = specs.ids("any", [f"employee-{index}", f"user-{10 * index + 3}"], unit)
                overridden.append(specs.id_override(rule_id, [members], unit, value=value, group=group))
        rules = [*overridden, *first, *shared]
        return specs.config(
            rules, default or {}, entity=entity, salt=salt, unit=unit, active=True, explicit=explicit
        )

    def _add_layers(self) -> None:
        checkout = {"steps": 3, "button_text": "Pay now", "show_trust_badges": False, "express_pay": False}
        flow = [
            {"steps": 3, "button_text": "Pay now"},
            {"steps": 2, "button_text": "Complete order"},
            {"steps": 1, "button_text": "Buy it now"},
        ]
        badges = [{"show_trust_badges": False}, {"show_trust_badges": True}]
        trials: dict[str, list[dict[str, Any]]] = {CHECKOUT_EXPERIMENT: flow, "checkout_trust_badges": badges}
        self._add_layer(CHECKOUT_LAYER, checkout, trials, overrides=True)
        # Layers differ in what real ones differ in: the unit, and whether they merge their experiments.
        kinds = (("stableID", False), ("userID", True), ("userID", False))
        names = self._names(("experience", "placement"))
        for number in range(max(4, self._config_count // 12) - 1):
            unit, merges = kinds[number % len(kinds)]
            parameters = self._dice.take(_PARAMETERS, 4)
            name = next(names)
            trials = {
                f"{name}_{which}": self._group_values(parameters[at : at + 2], 2)
                for which, at in (("a", 0), ("b", 2))
            }
            self._add_layer(
                f"{name}_layer", self._group_values(parameters, 1)[0], trials, unit=unit, merges=merges
            )

    def _add_layer(
        self,
        name: str,
        default: dict[str, Any],
        trials: dict[str, list[dict[str, Any]]],
        *,
        unit: str = "userID",
        merges: bool = False,
        overrides: bool = False,
    ) -> None:
        """A layer and its experiments, which share its buckets unless the layer merges what they say."""
        dice, specs = self._dice, self._specs
        salt = specs.salt()
        pool = dice.take(range(BUCKETS), 900)
        rules = [self._held_out(default)] if dice.chance(0.5) else []
        for number, (trial, values) in enumerate(trials.items()):
            buckets = dice.take(pool, 400) if merges else pool[number * 450 : number * 450 + 450]
            share = {str(bucket): True for bucket in sorted(buckets)}
            inside = specs.bucket("any", share, salt, unit)
            outside = specs.bucket("none", share, salt, unit)
            if overrides:
                members = specs.ids("any", [f"employee-{number}", f"user-{number + 3}"], unit)
                rules.append(specs.id_override(trial, [members], unit, value=default, delegate=trial))
            rules.append(
                specs.rule(
                    [inside],
                    value=default,
                    rule_id="experimentAssignment",
                    salt="",
                    unit=unit,
                    delegate=trial,
                )
            )
            self._configs[trial] = self._experiment(
                [value if merges else {**default, **value} for value in values],
                unit=unit,
                first=[specs.rule([outside], value=default, rule_id="layerAssignment", salt="", unit=unit)],
                overrides=overrides,
                default=default,
                explicit=list(values[0]),
            )
            self._experiment_to_layer[trial] = name
        if merges:
            some = dict(list(default.items())[:2])
            rules.append(specs.rule([specs.field("beta", "eq", True)], value=some, unit=unit, percentage=70))
        self._layers[name] = specs.config(rules, default, entity="layer", salt=salt, unit=unit)
        if merges:
            self._layers[name]["useNewLayerEval"] = True

    def _held_out(self, value: Json) -> dict[str, Any]:
        """The first rule of what respects the holdout: its members get `value`."""
        return self._specs.rule(
            [self._specs.passes(HOLDOUT)], value=value, rule_id=self._holdout_rule_id, salt=""
        )

    def _group_values(
        self, parameters: Sequence[tuple[str, tuple[Any, ...]]], groups: int
    ) -> list[dict[str, Any]]:
        return [{name: values[group] for name, values in parameters} for group in range(groups)]

    def _names(self, things: Sequence[str]) -> Iterator[str]:
        """Names like `search_dark_mode`, none twice, without end."""
        names = [f"{area}_{thing}" for area in _AREAS for thing in things]
        yield from self._dice.take(names, len(names))
        for number in itertools.count(2):
            yield from (f"{name}_{number}" for name in names)


if __name__ == "__main__":
    # A payload to put into a store: python -m statsig_fastly.sample_project > specs.json
    json.dump(sample_project(), sys.stdout)
