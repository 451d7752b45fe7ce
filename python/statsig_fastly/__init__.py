"""Statsig gates, configs, experiments and layers out of Fastly stores, evaluated in Rust.

Example:
    from statsig_fastly import FastlyDataAdapter, Statsig, StatsigOptions, StatsigUser

    adapter = FastlyDataAdapter("my-kv-store", "statsig-1a2b3c")
    with Statsig("secret-key", StatsigOptions(data_adapter=adapter)) as statsig:
        passes = statsig.check_gate(StatsigUser("user-42"), "new_search")
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if sys.platform == "wasi":
    from statsig_fastly.compute import engine as _engine  # noqa: F401 - puts `_native` in place

from statsig_fastly._native import (
    DynamicConfig,
    DynamicConfigEvaluationOptions,
    EvaluationDetails,
    Experiment,
    ExperimentEvaluationOptions,
    ExperimentGroup,
    ExperimentGroupsResult,
    FeatureGate,
    FeatureGateEvaluationOptions,
    Layer,
    LayerEvaluationOptions,
    ParameterStore,
    ParameterStoreEvaluationOptions,
    StatsigUser,
    __version__,
)
from statsig_fastly.adapters import Payload, SpecAdapter
from statsig_fastly.client import Statsig
from statsig_fastly.completion import Completion
from statsig_fastly.details import FailureDetails, InitializeDetails, Stats
from statsig_fastly.errors import AdapterError, PayloadError, StatsigFastlyError
from statsig_fastly.options import StatsigOptions
from statsig_fastly.persistent_storage import PersistentStorage, StickyValues, UserPersistedValues
from statsig_fastly.sync import SyncDetails, SyncPolicy, SyncStats

if TYPE_CHECKING:
    from statsig_fastly.adapters.compute import ComputeConfigAdapter, ComputeKVAdapter
    from statsig_fastly.adapters.fastly_kv import FastlyDataAdapter
    from statsig_fastly.adapters.fastly_toml import FastlyTomlAdapter
    from statsig_fastly.adapters.memory import MemoryAdapter
    from statsig_fastly.events import EventStats, FlushResult
    from statsig_fastly.explain import CheckTrace, ConditionTrace, Explanation, RuleTrace

__all__ = [
    "AdapterError",
    "CheckTrace",
    "Completion",
    "ComputeConfigAdapter",
    "ComputeKVAdapter",
    "ConditionTrace",
    "DynamicConfig",
    "DynamicConfigEvaluationOptions",
    "EvaluationDetails",
    "EventStats",
    "Experiment",
    "ExperimentEvaluationOptions",
    "ExperimentGroup",
    "ExperimentGroupsResult",
    "Explanation",
    "FailureDetails",
    "FastlyDataAdapter",
    "FastlyTomlAdapter",
    "FeatureGate",
    "FeatureGateEvaluationOptions",
    "FlushResult",
    "InitializeDetails",
    "Layer",
    "LayerEvaluationOptions",
    "MemoryAdapter",
    "ParameterStore",
    "ParameterStoreEvaluationOptions",
    "Payload",
    "PayloadError",
    "PersistentStorage",
    "RuleTrace",
    "SpecAdapter",
    "Stats",
    "Statsig",
    "StatsigFastlyError",
    "StatsigOptions",
    "StatsigUser",
    "StickyValues",
    "SyncDetails",
    "SyncPolicy",
    "SyncStats",
    "UserPersistedValues",
    "__version__",
]

# Not every program uses these, so they are not imported with the package.
_LATER = {
    "CheckTrace": "statsig_fastly.explain",
    "ComputeConfigAdapter": "statsig_fastly.adapters.compute",
    "ComputeKVAdapter": "statsig_fastly.adapters.compute",
    "ConditionTrace": "statsig_fastly.explain",
    "EventStats": "statsig_fastly.events",
    "Explanation": "statsig_fastly.explain",
    "FastlyDataAdapter": "statsig_fastly.adapters.fastly_kv",
    "FastlyTomlAdapter": "statsig_fastly.adapters.fastly_toml",
    "FlushResult": "statsig_fastly.events",
    "MemoryAdapter": "statsig_fastly.adapters.memory",
    "RuleTrace": "statsig_fastly.explain",
}

if not TYPE_CHECKING:  # or a type checker would take any name for one that exists

    def __getattr__(name: str) -> object:
        module = _LATER.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib

        value = getattr(importlib.import_module(module), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if sys.platform == "wasi":
    from statsig_fastly.compute import imports as _imports  # noqa: F401 - later there are no files
