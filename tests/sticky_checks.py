"""A client with a persistent storage, and checks of one user that are given values."""

from __future__ import annotations

from typing import Any, Final

from statsig_fastly import (
    ExperimentEvaluationOptions,
    LayerEvaluationOptions,
    MemoryAdapter,
    Statsig,
    StatsigOptions,
    StatsigUser,
)

__all__ = ["USER", "check", "client"]

USER: Final = StatsigUser("u-1", custom_ids={"companyID": "c-1"})


def client(payload: bytes, storage: object) -> Statsig:
    """A client that is not started: use it in a `with` statement."""
    options = StatsigOptions(data_adapter=MemoryAdapter(payload), persistent_storage=storage)  # type: ignore[arg-type]
    return Statsig("secret-key", options)


def check(statsig: Statsig, kind: str, name: str, values: Any) -> Any:  # noqa: ANN401
    """An experiment or layer of `USER`, with these values."""
    if kind == "layer":
        return statsig.get_layer(USER, name, LayerEvaluationOptions(user_persisted_values=values))
    return statsig.get_experiment(USER, name, ExperimentEvaluationOptions(user_persisted_values=values))
