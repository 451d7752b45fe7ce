//! The groups of an experiment.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use statsig_engine::ExperimentGroup;
use std::sync::Arc;

use crate::json;
use crate::loaded::Loaded;
use crate::outcome::represent;

/// A group of an experiment.
#[pyclass(frozen, name = "ExperimentGroup", module = "statsig_fastly")]
pub(crate) struct PyExperimentGroup {
    loaded: Arc<Loaded>,
    group: ExperimentGroup,
}

#[pymethods]
impl PyExperimentGroup {
    /// Its name; "" if it has none.
    #[getter]
    fn group_name<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        self.group.name.map_or_else(|| PyString::new(py, ""), |name| self.loaded.string(py, name))
    }

    /// The id of its rule.
    #[getter]
    fn rule_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        self.loaded.string(py, self.group.rule)
    }

    /// The id type of its rule.
    #[getter]
    fn id_type<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        self.loaded.string(py, self.group.id_type)
    }

    /// Its parameters, in a dict of the caller's own.
    #[getter]
    fn return_value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        json::copy_dict(self.loaded.value(py, self.group.value)?)
    }

    /// The four attributes by name.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("group_name", self.group_name(py))?;
        dict.set_item("rule_id", self.rule_id(py))?;
        dict.set_item("id_type", self.id_type(py))?;
        dict.set_item("return_value", self.return_value(py)?)?;
        Ok(dict)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let Ok(other) = other.cast::<Self>() else {
            return Ok(false);
        };
        self.to_dict(other.py())?.eq(other.get().to_dict(other.py())?)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        represent("ExperimentGroup", &self.to_dict(py)?)
    }
}

/// The groups of an experiment, and whether it is running.
#[pyclass(frozen, name = "ExperimentGroupsResult", module = "statsig_fastly")]
pub(crate) struct PyExperimentGroupsResult {
    /// Whether the experiment is running; None if there is no such experiment.
    #[pyo3(get)]
    is_experiment_active: Option<bool>,
    groups: Vec<Py<PyExperimentGroup>>,
}

impl PyExperimentGroupsResult {
    pub(crate) fn new(py: Python<'_>, loaded: Option<&Arc<Loaded>>, name: &str) -> PyResult<Self> {
        let experiment = loaded.and_then(|loaded| Some((loaded, loaded.ruleset.experiment(name)?)));
        let Some((loaded, experiment)) = experiment else {
            return Ok(Self { is_experiment_active: None, groups: Vec::new() });
        };
        let groups = experiment.groups.into_iter();
        Ok(Self {
            is_experiment_active: Some(experiment.is_active),
            groups: groups
                .map(|group| Py::new(py, PyExperimentGroup { loaded: Arc::clone(loaded), group }))
                .collect::<PyResult<_>>()?,
        })
    }
}

#[pymethods]
impl PyExperimentGroupsResult {
    /// The groups, in a list of the caller's own.
    #[getter]
    fn groups<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, &self.groups)
    }

    /// Both attributes by name, the groups as dicts.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let groups = PyList::empty(py);
        for group in &self.groups {
            groups.append(group.get().to_dict(py)?)?;
        }
        let dict = PyDict::new(py);
        dict.set_item("is_experiment_active", self.is_experiment_active)?;
        dict.set_item("groups", groups)?;
        Ok(dict)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let Ok(other) = other.cast::<Self>() else {
            return Ok(false);
        };
        self.to_dict(other.py())?.eq(other.get().to_dict(other.py())?)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let members = PyDict::new(py);
        members.set_item("is_experiment_active", self.is_experiment_active)?;
        members.set_item("groups", self.groups(py)?)?;
        represent("ExperimentGroupsResult", &members)
    }
}
