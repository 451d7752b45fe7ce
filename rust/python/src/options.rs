//! How a single check is to behave.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use crate::arguments::flag;
use crate::errors::wrong_type;
use crate::extract::as_mapping;

macro_rules! evaluation_options {
    ($($rust:ident = $name:literal),* $(,)?) => {$(
        /// How one check is to behave.
        #[pyclass(frozen, eq, hash, name = $name, module = "statsig_fastly")]
        #[derive(PartialEq, Eq, Hash)]
        pub(crate) struct $rust {
            /// True if the check is not to count as an exposure.
            #[pyo3(get)]
            pub(crate) disable_exposure_logging: bool,
        }

        #[pymethods]
        impl $rust {
            #[new]
            #[pyo3(signature = (disable_exposure_logging = false))]
            fn new(#[pyo3(from_py_with = disable_exposure_logging)] disable_exposure_logging: bool) -> Self {
                Self { disable_exposure_logging }
            }

            fn __repr__(&self) -> String {
                format!("{}(disable_exposure_logging={})", $name, shown(self.disable_exposure_logging))
            }
        }
    )*};
}

evaluation_options! {
    PyFeatureGateEvaluationOptions = "FeatureGateEvaluationOptions",
    PyDynamicConfigEvaluationOptions = "DynamicConfigEvaluationOptions",
    PyParameterStoreEvaluationOptions = "ParameterStoreEvaluationOptions",
}

/// How a check uses results that were kept for the unit.
pub(crate) struct StickyOptions {
    pub(crate) values: Option<Py<PyDict>>,
    pub(crate) enforce_overrides: bool,
    pub(crate) enforce_targeting: bool,
}

macro_rules! sticky_options {
    ($($rust:ident = $name:literal),* $(,)?) => {$(
        /// How one check is to behave.
        #[pyclass(frozen, name = $name, module = "statsig_fastly")]
        pub(crate) struct $rust {
            /// True if the check is not to count as an exposure.
            #[pyo3(get)]
            pub(crate) disable_exposure_logging: bool,
            sticky: StickyOptions,
        }

        impl $rust {
            pub(crate) fn sticky(&self) -> &StickyOptions {
                &self.sticky
            }
        }

        #[pymethods]
        impl $rust {
            #[new]
            #[pyo3(signature = (
                disable_exposure_logging = false,
                user_persisted_values = None,
                enforce_overrides = false,
                enforce_targeting = false,
            ))]
            fn new(
                #[pyo3(from_py_with = disable_exposure_logging)] disable_exposure_logging: bool,
                user_persisted_values: Option<&Bound<'_, PyAny>>,
                #[pyo3(from_py_with = enforce_overrides)] enforce_overrides: bool,
                #[pyo3(from_py_with = enforce_targeting)] enforce_targeting: bool,
            ) -> PyResult<Self> {
                let values = user_persisted_values.map(own_values).transpose()?;
                let sticky = StickyOptions { values, enforce_overrides, enforce_targeting };
                Ok(Self { disable_exposure_logging, sticky })
            }

            /// Kept results by the name of the experiment or layer.
            #[getter]
            fn user_persisted_values<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
                self.sticky.values.as_ref().map(|values| values.bind(py).copy()).transpose()
            }

            /// True if the live result counts for those whom a rule puts into a group by hand.
            #[getter]
            fn enforce_overrides(&self) -> bool {
                self.sticky.enforce_overrides
            }

            /// True if the live result counts for those whom a targeting rule leaves out.
            #[getter]
            fn enforce_targeting(&self) -> bool {
                self.sticky.enforce_targeting
            }

            fn __eq__(&self, other: &Bound<'_, PyAny>) -> PyResult<bool> {
                match other.cast::<Self>() {
                    Ok(other) => self.members(other.py())?.eq(other.get().members(other.py())?),
                    Err(_) => Ok(false),
                }
            }

            /// As of a tuple: those with values are unhashable.
            fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
                self.members(py)?.hash()
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                let mut text = format!(
                    "{}(disable_exposure_logging={}",
                    $name,
                    shown(self.disable_exposure_logging)
                );
                if let Some(values) = &self.sticky.values {
                    text += &format!(", user_persisted_values={}", values.bind(py).repr()?);
                }
                for (name, flag) in [
                    ("enforce_overrides", self.sticky.enforce_overrides),
                    ("enforce_targeting", self.sticky.enforce_targeting),
                ] {
                    if flag {
                        text += &format!(", {name}=True");
                    }
                }
                Ok(text + ")")
            }

            fn __reduce__<'py>(
                slf: &Bound<'py, Self>,
            ) -> PyResult<(Bound<'py, PyType>, Bound<'py, PyTuple>)> {
                Ok((slf.get_type(), slf.get().members(slf.py())?))
            }

            fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
                visit.call(&self.sticky.values)
            }
        }

        impl $rust {
            /// The arguments of the constructor.
            fn members<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
                let StickyOptions { values, enforce_overrides, enforce_targeting } = &self.sticky;
                (self.disable_exposure_logging, values.as_ref(), *enforce_overrides, *enforce_targeting)
                    .into_pyobject(py)
            }
        }
    )*};
}

sticky_options! {
    PyExperimentEvaluationOptions = "ExperimentEvaluationOptions",
    PyLayerEvaluationOptions = "LayerEvaluationOptions",
}

fn disable_exposure_logging(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    flag("disable_exposure_logging", value)
}

fn enforce_overrides(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    flag("enforce_overrides", value)
}

fn enforce_targeting(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    flag("enforce_targeting", value)
}

/// A dict that does not change when the caller's does. The entries are read when they are used.
fn own_values(values: &Bound<'_, PyAny>) -> PyResult<Py<PyDict>> {
    let Some(mapping) = as_mapping(values)? else {
        let expected = "a mapping of experiment or layer name to entry, or None";
        return Err(wrong_type("user_persisted_values", expected, values));
    };
    let own = PyDict::new(values.py());
    own.update(mapping)?;
    for key in own.keys() {
        if !key.is_instance_of::<PyString>() {
            return Err(wrong_type("user_persisted_values", "names that are str", &key));
        }
    }
    Ok(own.unbind())
}

fn shown(flag: bool) -> &'static str {
    if flag { "True" } else { "False" }
}
