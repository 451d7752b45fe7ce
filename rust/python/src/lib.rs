//! The Python face of `statsig-engine`. Conversions only: no decision is made here.

mod arguments;
#[cfg(not(target_os = "wasi"))]
mod arrow;
#[cfg(not(target_os = "wasi"))]
mod batch;
mod chance;
mod checks;
mod clock;
mod countries;
mod current;
mod custom_events;
mod errors;
mod evaluator;
mod events;
mod every;
mod experiment_groups;
mod exposures;
mod extract;
mod fast_calls;
mod given;
mod held;
mod id_lists;
mod json;
mod known;
mod loaded;
mod options;
mod outcome;
mod overrides;
mod parameter_store;
mod plain;
mod response;
mod results;
mod sticky;
mod stored;
mod user;
mod user_agent;
mod user_calls;
#[cfg(not(target_os = "wasi"))]
mod user_columns;
mod watch;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _native {
    // A component for Fastly Compute has no tables, and does without.
    #[cfg(not(target_os = "wasi"))]
    #[pymodule_export]
    use crate::batch::PyEvaluatedBatch;
    #[pymodule_export]
    use crate::countries::load_countries;
    #[pymodule_export]
    use crate::evaluator::PyEvaluator;
    #[pymodule_export]
    use crate::events::{PyEventBatch, PyEventLog};
    #[pymodule_export]
    use crate::experiment_groups::{PyExperimentGroup, PyExperimentGroupsResult};
    #[pymodule_export]
    use crate::options::{
        PyDynamicConfigEvaluationOptions, PyExperimentEvaluationOptions, PyFeatureGateEvaluationOptions,
        PyLayerEvaluationOptions, PyParameterStoreEvaluationOptions,
    };
    #[pymodule_export]
    use crate::outcome::PyEvaluationDetails;
    #[pymodule_export]
    use crate::parameter_store::PyParameterStore;
    #[pymodule_export]
    use crate::results::{PyDynamicConfig, PyExperiment, PyFeatureGate, PyLayer};
    #[pymodule_export]
    use crate::sticky::py_storage_key;
    #[pymodule_export]
    use crate::user::PyStatsigUser;
    #[pymodule_export]
    use crate::user_agent::parse_user_agent;

    use super::{Bound, PyModule, PyModuleMethods, PyResult};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::errors::refuse_subinterpreter()?;
        crate::fast_calls::install(module.py())?;
        crate::user_calls::install(module.py());
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
