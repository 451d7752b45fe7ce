//! The classes of what the checks return. All of them are frozen.

use pyo3::exceptions::PyKeyError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyIterator, PyList, PyString};

use crate::json;
use crate::outcome::{Kind, Outcome, PyEvaluationDetails, parameter_name, represent};

/// A result class: its fields, and the methods all of them have.
macro_rules! result_class {
    ($(#[$doc:meta])* $rust:ident, $name:literal, { $($methods:tt)* }) => {
        $(#[$doc])*
        #[pyclass(frozen, name = $name, module = "statsig_fastly")]
        pub(crate) struct $rust(Outcome);

        impl $rust {
            pub(crate) fn new(outcome: Outcome) -> Self {
                Self(outcome)
            }
        }

        #[pymethods]
        impl $rust {
            /// The name that was asked for.
            #[getter(name)]
            fn read_name(&self, py: Python<'_>) -> Py<PyString> {
                self.0.name.clone_ref(py)
            }

            /// The rule that decided.
            #[getter(rule_id)]
            fn read_rule_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
                self.0.rule_id(py)
            }

            /// The spec's id type.
            #[getter(id_type)]
            fn read_id_type<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
                self.0.id_type(py)
            }

            /// Why the result is what it is.
            #[getter(details)]
            fn read_details(&self) -> PyEvaluationDetails {
                self.0.details()
            }

            /// The same as `name`.
            fn get_name(&self, py: Python<'_>) -> Py<PyString> {
                self.read_name(py)
            }

            /// The same as `rule_id`.
            fn get_rule_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
                self.0.rule_id(py)
            }

            /// The same as `id_type`.
            fn get_id_type<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
                self.0.id_type(py)
            }

            /// The same as `details`.
            fn get_evaluation_details(&self) -> PyEvaluationDetails {
                self.0.details()
            }

            fn __eq__(&self, other: &Bound<'_, PyAny>) -> PyResult<bool> {
                let py = other.py();
                let Ok(other) = other.cast::<Self>() else {
                    return Ok(false);
                };
                let other = other.get();
                Ok(self.0.identity(py) == other.0.identity(py) && self.plain_value(py)?.eq(other.plain_value(py)?)?)
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                let members = PyDict::new(py);
                members.set_item("name", &self.0.name)?;
                members.set_item("value", self.plain_value(py)?)?;
                for (key, value) in self.to_dict(py)? {
                    let key = key.to_string();
                    if !matches!(key.as_str(), "details" | "value" | "__value") {
                        members.set_item(key, value)?;
                    }
                }
                members.set_item("reason", self.0.details().reason)?;
                represent($name, &members)
            }

            $($methods)*
        }
    };
}

result_class!(
    /// The result of a gate check. It is true where the gate is.
    PyFeatureGate, "FeatureGate", {
    /// Whether the user passes.
    #[getter(value)]
    fn read_value(&self) -> bool {
        self.0.passes()
    }

    fn __bool__(&self) -> bool {
        self.0.passes()
    }

    /// The result as JSON-like data, in the official package's shape.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = self.0.to_dict(py)?;
        dict.set_item("value", self.0.passes())?;
        Ok(dict)
    }
});

impl PyFeatureGate {
    #[allow(clippy::unnecessary_wraps, reason = "the other results' values can fail")]
    fn plain_value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(PyBool::new(py, self.0.passes()).to_owned().into_any())
    }
}

/// A result that holds parameters. Their getters are the same for all three.
macro_rules! config_class {
    ($(#[$doc:meta])* $rust:ident, $name:literal, { $($methods:tt)* }) => {
        result_class!($(#[$doc])* $rust, $name, {
            /// All parameters, in a dict of the caller's own.
            fn get_value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
                self.0.value(py)
            }

            /// A parameter, or the fallback if there is none of the fallback's type.
            #[pyo3(signature = (param_name, fallback = None))]
            fn get<'py>(
                &self,
                param_name: &Bound<'py, PyAny>,
                fallback: Option<&Bound<'py, PyAny>>,
            ) -> PyResult<Bound<'py, PyAny>> {
                self.0.get(parameter_name(param_name)?, fallback)
            }

            /// The same as `get`.
            #[pyo3(signature = (param_name, fallback = None))]
            fn get_typed<'py>(
                &self,
                param_name: &Bound<'py, PyAny>,
                fallback: Option<&Bound<'py, PyAny>>,
            ) -> PyResult<Bound<'py, PyAny>> {
                self.0.get(parameter_name(param_name)?, fallback)
            }

            /// The parameter if it is a string, else the fallback.
            fn get_string<'py>(
                &self,
                param_name: &Bound<'py, PyAny>,
                fallback: &Bound<'py, PyAny>,
            ) -> PyResult<Bound<'py, PyAny>> {
                self.0.get_as(parameter_name(param_name)?, fallback, Kind::Text)
            }

            /// The parameter if it is a whole number, else the fallback.
            fn get_integer<'py>(
                &self,
                param_name: &Bound<'py, PyAny>,
                fallback: &Bound<'py, PyAny>,
            ) -> PyResult<Bound<'py, PyAny>> {
                self.0.get_as(parameter_name(param_name)?, fallback, Kind::Integer)
            }

            /// The parameter as a float if it is a number, else the fallback.
            fn get_float<'py>(
                &self,
                param_name: &Bound<'py, PyAny>,
                fallback: &Bound<'py, PyAny>,
            ) -> PyResult<Bound<'py, PyAny>> {
                self.0.get_as(parameter_name(param_name)?, fallback, Kind::Float)
            }

            /// The parameter if it is a boolean, else the fallback.
            fn get_bool<'py>(
                &self,
                param_name: &Bound<'py, PyAny>,
                fallback: &Bound<'py, PyAny>,
            ) -> PyResult<Bound<'py, PyAny>> {
                self.0.get_as(parameter_name(param_name)?, fallback, Kind::Bool)
            }

            /// The parameter if it is an array, else the fallback.
            fn get_array<'py>(
                &self,
                param_name: &Bound<'py, PyAny>,
                fallback: &Bound<'py, PyAny>,
            ) -> PyResult<Bound<'py, PyAny>> {
                self.0.get_as(parameter_name(param_name)?, fallback, Kind::Array)
            }

            /// The parameter if it is an object, else the fallback.
            fn get_object<'py>(
                &self,
                param_name: &Bound<'py, PyAny>,
                fallback: &Bound<'py, PyAny>,
            ) -> PyResult<Bound<'py, PyAny>> {
                self.0.get_as(parameter_name(param_name)?, fallback, Kind::Object)
            }

            fn __getitem__<'py>(&self, param_name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
                let key = parameter_name(param_name)?;
                match self.0.parameter(key)? {
                    Some(value) => self.0.handed_out(key, json::copy(&value)?),
                    None => Err(PyKeyError::new_err(key.clone().unbind())),
                }
            }

            /// Names of the parameters.
            fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
                self.0.value(py)?.try_iter()
            }

            fn __contains__(&self, key: &Bound<'_, PyAny>) -> PyResult<bool> {
                let Ok(key) = key.cast::<PyString>() else {
                    return Ok(false);
                };
                Ok(self.0.parameter(key)?.is_some())
            }

            /// Gates that were met on the way, in order.
            #[getter]
            fn secondary_exposures<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
                self.0.secondary_exposures(py)
            }

            $($methods)*
        });

        impl $rust {
            pub(crate) fn outcome(&self) -> &Outcome {
                &self.0
            }

            fn plain_value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                self.0.value(py).map(Bound::into_any)
            }
        }
    };
}

config_class!(
    /// The result of a dynamic config.
    PyDynamicConfig, "DynamicConfig", {
    /// All parameters, in a dict of the caller's own.
    #[getter(value)]
    fn read_value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.0.value(py)
    }

    /// The result as JSON-like data, in the official package's shape.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = self.0.to_dict(py)?;
        dict.set_item("value", self.0.value(py)?)?;
        Ok(dict)
    }
});

config_class!(
    /// The result of an experiment.
    PyExperiment, "Experiment", {
    /// All parameters, in a dict of the caller's own.
    #[getter(value)]
    fn read_value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.0.value(py)
    }

    /// The user's group; None outside every group.
    #[getter(group_name)]
    fn read_group_name<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyString>> {
        self.0.group(py)
    }

    /// The same as `group_name`.
    fn get_group_name<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyString>> {
        self.0.group(py)
    }

    /// Whether the experiment is running.
    #[getter]
    fn is_experiment_active(&self) -> bool {
        self.0.is_active()
    }

    /// The result as JSON-like data, in the official package's shape.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = self.0.to_dict(py)?;
        dict.set_item("value", self.0.value(py)?)?;
        dict.set_item("group_name", self.0.group(py))?;
        Ok(dict)
    }
});

config_class!(
    /// The result of a layer.
    PyLayer, "Layer", {
    /// The user's group; None outside every group.
    #[getter(group_name)]
    fn read_group_name<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyString>> {
        self.0.group(py)
    }

    /// The same as `group_name`.
    fn get_group_name<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyString>> {
        self.0.group(py)
    }

    /// The experiment the values come from; None if they are the layer's own.
    #[getter]
    fn allocated_experiment_name<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyString>> {
        self.0.delegate(py)
    }

    /// Whether the experiment is running.
    #[getter]
    fn is_experiment_active(&self) -> bool {
        self.0.is_active()
    }

    /// The parameters the allocated experiment sets itself.
    #[getter]
    fn explicit_parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        Ok(self.0.explicit_parameters(py)?.unwrap_or_else(|| PyList::empty(py)))
    }

    /// The exposures that count for parameters the experiment does not set.
    #[getter]
    fn undelegated_secondary_exposures<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        self.0.undelegated_exposures(py)
    }

    /// The result as JSON-like data, in the official package's shape.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = self.0.to_dict(py)?;
        dict.set_item("group_name", self.0.group(py))?;
        dict.set_item("allocated_experiment_name", self.0.delegate(py))?;
        dict.set_item("__value", self.0.value(py)?)?;
        Ok(dict)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.reads.as_ref().map_or(Ok(()), |reads| visit.call(&reads.events))
    }
});
