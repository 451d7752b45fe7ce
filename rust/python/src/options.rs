//! How a single check is to behave.

use pyo3::prelude::*;
use pyo3::types::PyBool;

use crate::errors::wrong_type;

macro_rules! evaluation_options {
    ($($rust:ident = $name:literal),* $(,)?) => {$(
        /// How one check is to behave.
        #[pyclass(frozen, eq, hash, name = $name, module = "statsig_fastly")]
        #[derive(PartialEq, Eq, Hash)]
        pub(crate) struct $rust {
            /// True if the check is not to count as an exposure.
            #[pyo3(get)]
            disable_exposure_logging: bool,
        }

        #[pymethods]
        impl $rust {
            #[new]
            #[pyo3(signature = (disable_exposure_logging = false))]
            fn new(#[pyo3(from_py_with = flag)] disable_exposure_logging: bool) -> Self {
                Self { disable_exposure_logging }
            }

            fn __repr__(&self) -> String {
                let value = if self.disable_exposure_logging { "True" } else { "False" };
                format!("{}(disable_exposure_logging={value})", $name)
            }
        }
    )*};
}

evaluation_options! {
    PyFeatureGateEvaluationOptions = "FeatureGateEvaluationOptions",
    PyDynamicConfigEvaluationOptions = "DynamicConfigEvaluationOptions",
    PyExperimentEvaluationOptions = "ExperimentEvaluationOptions",
    PyLayerEvaluationOptions = "LayerEvaluationOptions",
}

fn flag(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    match value.cast::<PyBool>() {
        Ok(flag) => Ok(flag.is_true()),
        Err(_) => Err(wrong_type("disable_exposure_logging", "bool", value)),
    }
}
