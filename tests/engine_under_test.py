"""This package as one of the engines to compare: payload and user in, `Answer` out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from answers import Answer, Kind, Secondary, without_source
from statsig_fastly import (
    ExperimentEvaluationOptions,
    LayerEvaluationOptions,
    Statsig,
    StatsigOptions,
)
from statsig_fastly.adapters.memory import MemoryAdapter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statsig_fastly import EvaluationDetails, Experiment, StatsigUser
    from statsig_fastly.persistent_storage import StickyStorage

__all__ = ["our_answer", "our_engine", "our_experiment"]


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
        **more,
    )
    return Statsig("secret-key", options)


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
    layer = statsig.get_layer(user, name, LayerEvaluationOptions(**options) if options else None)
    return Answer(
        layer.get_value(),
        layer.rule_id,
        layer.id_type,
        *_details(layer.details),
        group_name=layer.group_name,
        allocated_experiment_name=layer.allocated_experiment_name,
        secondary_exposures=_secondary(layer.secondary_exposures),
    )


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


def _details(details: EvaluationDetails) -> tuple[str, int | None, int | None]:
    return without_source(details.reason), details.lcut, details.version


def _secondary(exposures: list[dict[str, str]]) -> Secondary:
    return tuple((entry["gate"], entry["gateValue"], entry["ruleID"]) for entry in exposures)
