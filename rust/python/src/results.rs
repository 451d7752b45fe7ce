//! What the checks return: frozen, holding ids, with Python values made when asked for.

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyIterator, PyList, PyString};
use statsig_engine::{Evaluation, Reason, Returned, SecondaryExposure, StringId};
use std::sync::Arc;

use crate::errors::wrong_type;
use crate::json;
use crate::loaded::Loaded;

/// What an evaluation rests on.
pub(crate) enum Basis {
    Loaded(Arc<Loaded>),
    /// Nothing is loaded: the reason that stands for it.
    Nothing(&'static str),
}

/// The part all results share.
struct Outcome {
    name: Py<PyString>,
    basis: Basis,
    evaluation: Evaluation,
}

impl Outcome {
    fn loaded(&self) -> Option<&Loaded> {
        match &self.basis {
            Basis::Loaded(loaded) => Some(loaded),
            Basis::Nothing(_) => None,
        }
    }

    fn string<'py>(&self, py: Python<'py>, id: Option<StringId>) -> Option<Bound<'py, PyString>> {
        Some(self.loaded()?.string(py, id?))
    }

    fn rule_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        self.string(py, Some(self.evaluation.rule)).unwrap_or_else(|| PyString::new(py, ""))
    }

    fn id_type<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        self.string(py, self.evaluation.id_type).unwrap_or_else(|| PyString::new(py, ""))
    }

    fn details(&self) -> PyEvaluationDetails {
        let loaded = match &self.basis {
            Basis::Loaded(loaded) => loaded,
            Basis::Nothing(reason) => {
                return PyEvaluationDetails {
                    reason: (*reason).to_owned(),
                    lcut: None,
                    received_at: None,
                    version: None,
                };
            }
        };
        let source = &loaded.source;
        let reason = match self.evaluation.reason {
            Reason::Recognized if self.evaluation.id_list_lookup => {
                format!("{source}:Recognized:IdListInMemory")
            }
            Reason::Recognized => format!("{source}:Recognized"),
            Reason::Unrecognized => format!("{source}:Unrecognized"),
            Reason::Unsupported => format!("{source}:Unsupported"),
            Reason::TooDeep => "Error:Statsig Evaluation Depth Exceeded".to_owned(),
        };
        PyEvaluationDetails {
            reason,
            lcut: Some(loaded.ruleset.time()),
            received_at: Some(loaded.received_at),
            version: self.evaluation.version,
        }
    }

    /// A dict of its own for every caller.
    fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let Some(loaded) = self.loaded() else {
            return Ok(PyDict::new(py));
        };
        match &self.evaluation.value {
            Returned::Nothing => Ok(PyDict::new(py)),
            Returned::One(id) => json::copy_dict(loaded.value(py, *id)?),
            Returned::Merged(parts) => {
                let merged = PyDict::new(py);
                for (id, _) in parts {
                    for (key, value) in loaded.value(py, *id)? {
                        if !merged.contains(&key)? {
                            merged.set_item(key, json::copy(&value)?)?;
                        }
                    }
                }
                Ok(merged)
            }
        }
    }

    /// A parameter as it is kept: shared, so a container has to be copied before it is handed out.
    fn parameter<'py>(&self, key: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (py, Some(loaded)) = (key.py(), self.loaded()) else {
            return Ok(None);
        };
        match &self.evaluation.value {
            Returned::Nothing => Ok(None),
            Returned::One(id) => loaded.value(py, *id)?.get_item(key),
            Returned::Merged(parts) => {
                for (id, _) in parts {
                    if let Some(value) = loaded.value(py, *id)?.get_item(key)? {
                        return Ok(Some(value));
                    }
                }
                Ok(None)
            }
        }
    }

    /// The parameter, or the fallback if there is none of the fallback's type.
    fn get<'py>(
        &self,
        key: &Bound<'py, PyString>,
        fallback: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = key.py();
        let fallback = fallback.filter(|fallback| !fallback.is_none());
        match (self.parameter(key)?, fallback) {
            (Some(value), None) => json::copy(&value),
            (Some(value), Some(fallback)) if same_type(&value, fallback) => json::copy(&value),
            (_, Some(fallback)) => Ok(fallback.clone()),
            (None, None) => Ok(py.None().into_bound(py)),
        }
    }

    fn get_as<'py>(
        &self,
        key: &Bound<'py, PyString>,
        fallback: &Bound<'py, PyAny>,
        kind: Kind,
    ) -> PyResult<Bound<'py, PyAny>> {
        match self.parameter(key)? {
            Some(value) if kind.holds(&value) => json::copy(&value),
            Some(value) if matches!(kind, Kind::Float) && Kind::Integer.holds(&value) => {
                Ok(PyFloat::new(key.py(), value.extract()?).into_any())
            }
            _ if matches!(kind, Kind::Float) && Kind::Integer.holds(fallback) => {
                Ok(PyFloat::new(key.py(), fallback.extract()?).into_any())
            }
            _ => Ok(fallback.clone()),
        }
    }

    fn exposures<'a, 'py>(
        &self,
        py: Python<'py>,
        exposures: impl Iterator<Item = &'a SecondaryExposure>,
    ) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        if let Some(loaded) = self.loaded() {
            for exposure in exposures {
                let dict = PyDict::new(py);
                dict.set_item("gate", loaded.string(py, exposure.gate))?;
                dict.set_item("gateValue", if exposure.value { "true" } else { "false" })?;
                dict.set_item("ruleID", loaded.string(py, exposure.rule))?;
                list.append(dict)?;
            }
        }
        Ok(list)
    }

    fn delegate<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyString>> {
        let loaded = self.loaded()?;
        Some(loaded.string(py, loaded.ruleset.spec(self.evaluation.delegate?).name()))
    }

    /// The members every `to_dict` has.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("name", &self.name)?;
        dict.set_item("rule_id", self.rule_id(py))?;
        dict.set_item("id_type", self.id_type(py))?;
        dict.set_item("details", self.details().to_dict(py)?)?;
        Ok(dict)
    }

    /// What two results are compared by besides their value: nothing of when and where the payload came
    /// from.
    fn identity(&self, py: Python<'_>) -> [Option<String>; 5] {
        let name = self.name.bind(py).clone();
        [Some(name), Some(self.rule_id(py)), Some(self.id_type(py)), self.group(py), self.delegate(py)]
            .map(|text| text.map(|text| text.to_string()))
    }

    fn group<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyString>> {
        self.string(py, self.evaluation.group)
    }
}

fn parameter_name<'a, 'py>(name: &'a Bound<'py, PyAny>) -> PyResult<&'a Bound<'py, PyString>> {
    name.cast().map_err(|_| wrong_type("param_name", "str", name))
}

/// The types a parameter can have. A bool is not an integer here, other than in Python.
#[derive(Clone, Copy)]
enum Kind {
    Bool,
    Integer,
    Float,
    Text,
    Array,
    Object,
}

impl Kind {
    fn holds(self, value: &Bound<'_, PyAny>) -> bool {
        match self {
            Self::Bool => value.is_instance_of::<PyBool>(),
            Self::Integer => value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>(),
            Self::Float => value.is_instance_of::<PyFloat>(),
            Self::Text => value.is_instance_of::<PyString>(),
            Self::Array => value.is_instance_of::<PyList>(),
            Self::Object => value.is_instance_of::<PyDict>(),
        }
    }
}

fn same_type(value: &Bound<'_, PyAny>, fallback: &Bound<'_, PyAny>) -> bool {
    [Kind::Text, Kind::Bool, Kind::Integer, Kind::Float, Kind::Array, Kind::Object]
        .into_iter()
        .any(|kind| kind.holds(value) && kind.holds(fallback))
}

/// Why a result is what it is.
#[pyclass(frozen, eq, hash, name = "EvaluationDetails", module = "statsig_fastly")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct PyEvaluationDetails {
    /// Where the ruleset came from and whether the spec was found and evaluated.
    #[pyo3(get)]
    reason: String,
    /// When the project was last changed, in ms since the epoch; None if nothing is loaded.
    #[pyo3(get)]
    lcut: Option<u64>,
    /// When the payload was taken, in ms since the epoch; None if nothing is loaded.
    #[pyo3(get)]
    received_at: Option<u64>,
    /// The spec's version, if it has one.
    #[pyo3(get)]
    version: Option<u32>,
}

#[pymethods]
impl PyEvaluationDetails {
    /// The four attributes by name.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("reason", &self.reason)?;
        dict.set_item("lcut", self.lcut)?;
        dict.set_item("received_at", self.received_at)?;
        dict.set_item("version", self.version)?;
        Ok(dict)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        represent("EvaluationDetails", &slf.get().to_dict(slf.py())?)
    }
}

fn represent(class: &str, members: &Bound<'_, PyDict>) -> PyResult<String> {
    let mut parts = Vec::with_capacity(members.len());
    for (name, value) in members {
        parts.push(format!("{name}={}", value.repr()?));
    }
    Ok(format!("{class}({})", parts.join(", ")))
}

/// A result class: its fields, and the methods all of them have.
macro_rules! result_class {
    ($(#[$doc:meta])* $rust:ident, $name:literal, { $($methods:tt)* }) => {
        $(#[$doc])*
        #[pyclass(frozen, name = $name, module = "statsig_fastly")]
        pub(crate) struct $rust(Outcome);

        impl $rust {
            pub(crate) fn new(name: Py<PyString>, basis: Basis, evaluation: Evaluation) -> Self {
                Self(Outcome { name, basis, evaluation })
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
        self.0.evaluation.passes
    }

    fn __bool__(&self) -> bool {
        self.0.evaluation.passes
    }

    /// The result as JSON-like data, in the official package's shape.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = self.0.to_dict(py)?;
        dict.set_item("value", self.0.evaluation.passes)?;
        Ok(dict)
    }
});

impl PyFeatureGate {
    #[allow(clippy::unnecessary_wraps, reason = "the other results' values can fail")]
    fn plain_value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(PyBool::new(py, self.0.evaluation.passes).to_owned().into_any())
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
                    Some(value) => json::copy(&value),
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
                self.0.exposures(py, self.0.evaluation.exposures.iter())
            }

            $($methods)*
        });

        impl $rust {
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
        self.0.evaluation.is_active
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
        self.0.evaluation.is_active
    }

    /// The parameters the allocated experiment sets itself.
    #[getter]
    fn explicit_parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        if let (Some(loaded), Some(spec)) = (self.0.loaded(), self.0.evaluation.explicit) {
            for name in loaded.ruleset.explicit_parameters(spec).into_iter().flatten() {
                list.append(name)?;
            }
        }
        Ok(list)
    }

    /// The exposures that count for parameters the experiment does not set.
    #[getter]
    fn undelegated_secondary_exposures<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        self.0
            .evaluation
            .undelegated_exposures()
            .map(|exposures| self.0.exposures(py, exposures))
            .transpose()
    }

    /// The result as JSON-like data, in the official package's shape.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = self.0.to_dict(py)?;
        dict.set_item("group_name", self.0.group(py))?;
        dict.set_item("allocated_experiment_name", self.0.delegate(py))?;
        dict.set_item("__value", self.0.value(py)?)?;
        Ok(dict)
    }
});
