//! How a single check is to behave.

use pyo3::prelude::*;

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
            fn new(disable_exposure_logging: bool) -> Self {
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
