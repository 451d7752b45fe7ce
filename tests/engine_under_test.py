"""This package as one of the engines to compare: payload and user in, `Answer` out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from answers import Answer, Kind, Secondary, without_source
from statsig_fastly import (
    ExperimentEvaluationOptions,
    LayerEvaluationOptions,
    Statsig,
    StatsigOptions,
    StatsigUser,
)
from statsig_fastly.adapters.memory import MemoryAdapter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statsig_fastly import EvaluationDetails, Experiment, Layer
    from statsig_fastly.persistent_storage import StickyStorage

__all__ = [
    "our_answer",
    "our_engine",
    "our_experiment",
    "our_explanation",
    "our_group",
    "our_layer_facts",
    "our_parameter",
    "our_persisted",
    "our_user",
]

# Wire name of a user field and the keyword the user class takes for it, where they differ.
_KEYWORDS = {
    "userID": "user_id",
    "appVersion": "app_version",
    "userAgent": "user_agent",
    "customIDs": "custom_ids",
    "privateAttributes": "private_attributes",
    "statsigEnvironment": "statsig_environment",
}


def our_engine(
    payload: bytes,
    environment: str | None = None,
    global_custom_fields: Mapping[str, Any] | None = None,
    persistent_storage: StickyStorage | None = None,
    **more: Any,  # noqa: ANN401 - whatever StatsigOptions takes
) -> Statsig:
    """This package, holding one payload; use it in a `with` statement."""
    options = StatsigOptions(
        data_adapter=MemoryAdapter(payload),
        environment=environment,
        global_custom_fields=dict(global_custom_fields) if global_custom_fields else None,
        persistent_storage=persistent_storage,
        **{"disable_all_logging": True, **more},
    )
    return Statsig("secret-key", options)


def our_user(fields: Mapping[str, Any]) -> StatsigUser:
    """The user with these wire names, for many checks."""
    return StatsigUser(**{_KEYWORDS.get(name, name): value for name, value in fields.items()})


def our_answer(
    statsig: Statsig,
    kind: Kind,
    name: str,
    user: StatsigUser | dict[str, Any],
    options: Mapping[str, Any] | None = None,
) -> Answer:
    """One check through the public API of this package.

    `options` are evaluation options by name, for an experiment or a layer.
    """
    if kind == "gate":
        gate = statsig.get_feature_gate(user, name)
        return Answer(gate.value, gate.rule_id, gate.id_type, *_details(gate.details))
    if kind == "config":
        config = statsig.get_dynamic_config(user, name)
        return Answer(config.value, config.rule_id, config.id_type, *_details(config.details))
    if kind == "experiment":
        return our_experiment(
            statsig.get_experiment(user, name, ExperimentEvaluationOptions(**options) if options else None)
        )
    return _layer(statsig.get_layer(user, name, LayerEvaluationOptions(**options) if options else None))


def our_persisted(
    statsig: Statsig,
    kind: Kind,
    name: str,
    user: StatsigUser,
    values: Mapping[str, Any] | None,
    **enforce: bool,
) -> Answer:
    """As `Reference.persisted`."""
    return our_answer(statsig, kind, name, user, {"user_persisted_values": values, **enforce})


def our_parameter(
    statsig: Statsig,
    store: str,
    user: StatsigUser,
    detail: tuple[str, str, object],
) -> object:
    """As `Reference.parameter`, of parameter, getter and fallback."""
    parameter, getter, fallback = detail
    return getattr(statsig.get_parameter_store(user, store), getter)(parameter, fallback)


def our_explanation(statsig: Statsig, kind: Kind | None, name: str, user: StatsigUser | str) -> list[Any]:
    """Value, rule id, reason and version as `explain` has them; without a kind, of what has the name."""
    explanation = statsig.explain(user, name, kind)
    check, details = explanation.check, explanation.details
    value = check.value if check.kind == "gate" else check.value or {}
    return [value, check.rule_id or "", without_source(details.reason), details.version]


def our_group(statsig: Statsig, experiment: str, group: str, *, by_id: bool = False) -> Answer:
    """As `Reference.group`."""
    if by_id:
        return our_experiment(statsig.get_experiment_by_group_id_advanced(experiment, group))
    return our_experiment(statsig.get_experiment_by_group_name(experiment, group))


def our_layer_facts(statsig: Statsig, name: str, user: StatsigUser) -> list[Any]:
    """Explicit parameters of a layer, and its undelegated exposures without repetitions."""
    layer = statsig.get_layer(user, name)
    once: dict[tuple[str, ...], dict[str, str]] = {}
    for entry in layer.undelegated_secondary_exposures or ():
        once.setdefault((entry["gate"], entry["gateValue"], entry["ruleID"]), entry)
    return [layer.explicit_parameters, list(once.values())]


def our_experiment(experiment: Experiment) -> Answer:
    """An experiment, however it was asked for."""
    return Answer(
        experiment.value,
        experiment.rule_id,
        experiment.id_type,
        *_details(experiment.details),
        group_name=experiment.group_name,
        secondary_exposures=_secondary(experiment.secondary_exposures),
        is_experiment_active=experiment.is_experiment_active,
    )


def _layer(layer: Layer) -> Answer:
    return Answer(
        layer.get_value(),
        layer.rule_id,
        layer.id_type,
        *_details(layer.details),
        group_name=layer.group_name,
        allocated_experiment_name=layer.allocated_experiment_name,
        secondary_exposures=_secondary(layer.secondary_exposures),
        is_experiment_active=layer.is_experiment_active,
    )


def _details(details: EvaluationDetails) -> tuple[str, int | None, int | None]:
    return without_source(details.reason), details.lcut, details.version


def _secondary(exposures: list[dict[str, str]]) -> Secondary:
    return tuple((entry["gate"], entry["gateValue"], entry["ruleID"]) for entry in exposures)
