//! `ParameterStore`: the parameters of one user, read from whatever is in use at that time.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt, PyString};
use pyo3::{PyTraverseError, PyVisit};
use statsig_engine::{Evaluation, Input, ParameterCheck, ParameterValue, Ruleset, read_parameter};

use crate::checks::Counts;
use crate::errors::wrong_type;
use crate::evaluator::PyEvaluator;
use crate::exposures::Checked;
use crate::extract::{Place, text};
use crate::json;
use crate::outcome::{Kind, Outcome, Reads, fallback_of, parameter_name, represent, typed};
use crate::user::{Caller, PyStatsigUser};

/// The parameters of a store for one user.
#[pyclass(frozen, name = "ParameterStore", module = "statsig_fastly")]
pub(crate) struct PyParameterStore {
    pub(crate) name: Py<PyString>,
    pub(crate) user: Py<PyStatsigUser>,
    pub(crate) evaluator: Py<PyEvaluator>,
    pub(crate) disable_exposure_logging: bool,
}

#[pymethods]
impl PyParameterStore {
    /// The name that was asked for.
    #[getter]
    fn name(&self, py: Python<'_>) -> Py<PyString> {
        self.name.clone_ref(py)
    }

    /// The parameter if it is a string, else the fallback.
    fn get_string<'py>(
        &self,
        param_name: &Bound<'py, PyAny>,
        fallback: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.get_of_kind(param_name, fallback, Kind::Text, "str")
    }

    /// The parameter as a float if it is a number, else the fallback.
    fn get_float<'py>(
        &self,
        param_name: &Bound<'py, PyAny>,
        fallback: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let number = fallback.extract().map_err(|error| not_a_number(error, "float", fallback))?;
        self.get(param_name, &PyFloat::new(fallback.py(), number), Kind::Float)
    }

    /// The parameter if it is a whole number of 64 bits, else the fallback.
    fn get_integer<'py>(
        &self,
        param_name: &Bound<'py, PyAny>,
        fallback: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let fallback = if Kind::Integer.holds(fallback) {
            fallback.clone()
        } else {
            let number: i64 = fallback.extract().map_err(|error| not_a_number(error, "int", fallback))?;
            PyInt::new(fallback.py(), number).into_any()
        };
        self.get(param_name, &fallback, Kind::Integer)
    }

    /// The parameter if it is a boolean, else the fallback.
    fn get_bool<'py>(
        &self,
        param_name: &Bound<'py, PyAny>,
        fallback: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.get_of_kind(param_name, fallback, Kind::Bool, "bool")
    }

    /// The parameter if it is an array, else the fallback.
    fn get_array<'py>(
        &self,
        param_name: &Bound<'py, PyAny>,
        fallback: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.get_of_kind(param_name, fallback, Kind::Array, "list")
    }

    /// The parameter if it is an object, else the fallback.
    fn get_map<'py>(
        &self,
        param_name: &Bound<'py, PyAny>,
        fallback: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.get_of_kind(param_name, fallback, Kind::Object, "dict")
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let members = PyDict::new(py);
        members.set_item("name", &self.name)?;
        members.set_item("user", &self.user)?;
        members.set_item("disable_exposure_logging", self.disable_exposure_logging)?;
        represent("ParameterStore", &members)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.evaluator)
    }
}

impl PyParameterStore {
    /// The fallback has to be of the parameter's kind.
    fn get_of_kind<'py>(
        &self,
        param_name: &Bound<'py, PyAny>,
        fallback: &Bound<'py, PyAny>,
        kind: Kind,
        expected: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        if kind.holds(fallback) {
            return self.get(param_name, fallback, kind);
        }
        Err(wrong_type("fallback", expected, fallback))
    }

    fn get<'py>(
        &self,
        param_name: &Bound<'py, PyAny>,
        fallback: &Bound<'py, PyAny>,
        kind: Kind,
    ) -> PyResult<Bound<'py, PyAny>> {
        let key = parameter_name(param_name)?;
        let value = match self.read(key.py(), text(Place::Argument("param_name"), key)?)? {
            None => None,
            Some(Read::Value(value)) => of_kind(Some(value), kind)?,
            Some(Read::Member { outcome, name }) => {
                let value = outcome.parameter(&name)?;
                let is_null = value.as_ref().is_some_and(PyAnyMethods::is_none);
                let value = of_kind(value, kind)?;
                // It is read only if it fits. To the reference, null does, and has no value.
                if is_null || value.is_some() {
                    outcome.note_read(&name)?;
                }
                value
            }
        };
        value.map_or_else(|| fallback_of(fallback, kind), Ok)
    }

    /// Reads a parameter, and notes what was checked for it.
    fn read<'py>(&self, py: Python<'py>, param_name: &str) -> PyResult<Option<Read<'py>>> {
        let evaluator = self.evaluator.get();
        let snapshot = evaluator.snapshot(py)?;
        let store = self.name.bind(py).to_str()?;
        if let Some(events) = &evaluator.events {
            events.get().count(py, store)?;
        }
        let caller = Caller::of(self.user.bind(py));
        let counts = if self.disable_exposure_logging { Counts::Check } else { Counts::Exposure };
        let read = |ruleset: &Ruleset, input: &Input<'_>| -> PyResult<_> {
            let Some(reading) = read_parameter(ruleset, store, param_name, input) else {
                return Ok(None);
            };
            let note = |check: &ParameterCheck<'_>| {
                let checked = Checked {
                    loaded: snapshot.shared(),
                    nothing: evaluator.current.nothing(),
                    kind: check.kind,
                    name: check.name,
                    evaluation: &check.evaluation,
                    overrides: snapshot.overrides(),
                    parameter: None,
                    is_manual: false,
                    is_part: true,
                };
                evaluator.note(py, &checked, caller, counts)
            };
            let reads = reading.check.as_ref().map(note).transpose()?.flatten();
            Ok(match (reading.value, reading.check) {
                (ParameterValue::Json(json), _) => Some(Parameter::Json(json::parse(py, json)?)),
                (ParameterValue::Member(member), Some(check)) => Some(Parameter::Member {
                    of: PyString::new(py, check.name),
                    name: PyString::new(py, member),
                    evaluation: Box::new(check.evaluation),
                    reads,
                }),
                (ParameterValue::Member(_), None) => None,
            })
        };
        match evaluator.with_input_of(snapshot.loaded(), snapshot.overrides(), caller.view, read)? {
            None => Ok(None),
            Some(Parameter::Json(value)) => Ok(Some(Read::Value(value))),
            Some(Parameter::Member { of, name, evaluation, reads }) => {
                let outcome = Outcome { reads, ..evaluator.outcome(&of, snapshot, *evaluation) };
                Ok(Some(Read::Member { outcome: Box::new(outcome), name }))
            }
        }
    }
}

/// The value if it is of this kind. As in the official package, an integer is one of 64 bits.
fn of_kind(value: Option<Bound<'_, PyAny>>, kind: Kind) -> PyResult<Option<Bound<'_, PyAny>>> {
    typed(value.filter(|value| !matches!(kind, Kind::Integer) || value.extract::<i64>().is_ok()), kind)
}

/// What a parameter stands for.
enum Parameter<'py> {
    Json(Bound<'py, PyAny>),
    /// A parameter of what was checked.
    Member {
        of: Bound<'py, PyString>,
        name: Bound<'py, PyString>,
        evaluation: Box<Evaluation>,
        reads: Option<Box<Reads>>,
    },
}

/// What a parameter comes to.
enum Read<'py> {
    Value(Bound<'py, PyAny>),
    /// A parameter of this result.
    Member {
        outcome: Box<Outcome>,
        name: Bound<'py, PyString>,
    },
}

/// What a fallback itself raises when it is made a number stays as it is.
fn not_a_number(error: PyErr, expected: &str, fallback: &Bound<'_, PyAny>) -> PyErr {
    if error.is_instance_of::<PyTypeError>(fallback.py()) {
        return wrong_type("fallback", expected, fallback);
    }
    error
}
