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

if sys.platform != "wasi":
    from statsig_fastly._native import EvaluatedBatch

from statsig_fastly.adapters import IdListAdapter, IdListFile, Payload, SpecAdapter
from statsig_fastly.client import Statsig
from statsig_fastly.completion import Completion
from statsig_fastly.details import FailureDetails, InitializeDetails, Stats
from statsig_fastly.errors import AdapterError, PayloadError, StatsigFastlyError
from statsig_fastly.options import StatsigOptions
from statsig_fastly.persistent_storage import PersistentStorage, StickyValues, UserPersistedValues
from statsig_fastly.sync import SyncDetails, SyncPolicy, SyncStats

if TYPE_CHECKING:
    from statsig_fastly.adapters.chain import ChainAdapter
    from statsig_fastly.adapters.compute import ComputeConfigAdapter, ComputeKVAdapter
    from statsig_fastly.adapters.data_store import DataStoreAdapter
    from statsig_fastly.adapters.fastly import FastlyDataAdapter
    from statsig_fastly.adapters.fastly_id_lists import FastlyIdListAdapter
    from statsig_fastly.adapters.fastly_toml import FastlyTomlAdapter
    from statsig_fastly.adapters.file import FileAdapter
    from statsig_fastly.adapters.memory import MemoryAdapter
    from statsig_fastly.adapters.statsig_cdn import StatsigCdnAdapter
    from statsig_fastly.adapters.statsig_id_lists import StatsigIdListAdapter
    from statsig_fastly.events import EventStats, FlushResult
    from statsig_fastly.explain import CheckTrace, ConditionTrace, Explanation, RuleTrace
    from statsig_fastly.sync.id_lists import IdListStats

__all__ = [
    "AdapterError",
    "ChainAdapter",
    "CheckTrace",
    "Completion",
    "ComputeConfigAdapter",
    "ComputeKVAdapter",
    "ConditionTrace",
    "DataStoreAdapter",
    "DynamicConfig",
    "DynamicConfigEvaluationOptions",
    "EvaluatedBatch",
    "EvaluationDetails",
    "EventStats",
    "Experiment",
    "ExperimentEvaluationOptions",
    "ExperimentGroup",
    "ExperimentGroupsResult",
    "Explanation",
    "FailureDetails",
    "FastlyDataAdapter",
    "FastlyIdListAdapter",
    "FastlyTomlAdapter",
    "FeatureGate",
    "FeatureGateEvaluationOptions",
    "FileAdapter",
    "FlushResult",
    "IdListAdapter",
    "IdListFile",
    "IdListStats",
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
    "StatsigCdnAdapter",
    "StatsigFastlyError",
    "StatsigIdListAdapter",
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
    "ChainAdapter": "statsig_fastly.adapters.chain",
    "CheckTrace": "statsig_fastly.explain",
    "ComputeConfigAdapter": "statsig_fastly.adapters.compute",
    "ComputeKVAdapter": "statsig_fastly.adapters.compute",
    "ConditionTrace": "statsig_fastly.explain",
    "DataStoreAdapter": "statsig_fastly.adapters.data_store",
    "EventStats": "statsig_fastly.events",
    "Explanation": "statsig_fastly.explain",
    "FastlyDataAdapter": "statsig_fastly.adapters.fastly",
    "FastlyIdListAdapter": "statsig_fastly.adapters.fastly_id_lists",
    "FastlyTomlAdapter": "statsig_fastly.adapters.fastly_toml",
    "FileAdapter": "statsig_fastly.adapters.file",
    "FlushResult": "statsig_fastly.events",
    "IdListStats": "statsig_fastly.sync.id_lists",
    "MemoryAdapter": "statsig_fastly.adapters.memory",
    "RuleTrace": "statsig_fastly.explain",
    "StatsigCdnAdapter": "statsig_fastly.adapters.statsig_cdn",
    "StatsigIdListAdapter": "statsig_fastly.adapters.statsig_id_lists",
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
