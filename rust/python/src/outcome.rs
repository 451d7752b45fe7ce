//! What a result holds: ids and the ruleset they belong to. Python values are made when asked for.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};
use statsig_engine::{
    CheckKind, Decision, Evaluation, EventUser, JsonKind, Overrides, Reason, Returned, SecondaryExposure,
    Standing, StringId, ValueId,
};
use std::borrow::Cow;
use std::sync::Arc;

use crate::errors::wrong_type;
use crate::events::PyEventLog;
use crate::exposures::Checked;
use crate::json;
use crate::loaded::Loaded;
use crate::stored::{Kept, exposure_list};
use crate::user::KeptUser;

/// The reason of a result that was kept for the unit.
pub(crate) const PERSISTED: &str = "Persisted";

/// What an evaluation rests on.
pub(crate) enum Basis {
    Loaded(Arc<Loaded>),
    /// Nothing is loaded: the reason that stands for it.
    Nothing(&'static str),
    /// No ruleset: a result that was kept for the unit, which holds all its texts and its value.
    Kept(Box<Kept>),
}

/// What was found.
pub(crate) enum Verdict {
    /// Of a plain spec; the basis is the ruleset it is in.
    Plain(Decision),
    Whole(Box<Evaluation>),
}

/// The part all results share.
pub(crate) struct Outcome {
    pub(crate) name: Py<PyString>,
    pub(crate) basis: Basis,
    pub(crate) verdict: Verdict,
    /// What the application sets itself, if any of the value comes from there.
    pub(crate) overrides: Option<Arc<Overrides>>,
    /// How reading a parameter counts, of a layer.
    pub(crate) reads: Option<Box<Reads>>,
}

/// How reading a parameter of a layer counts.
pub(crate) struct Reads {
    pub(crate) events: Py<PyEventLog>,
    pub(crate) user: KeptUser,
    /// As an exposure; else as one check more of the layer.
    pub(crate) exposes: bool,
    pub(crate) is_manual: bool,
    /// For a parameter of a store.
    pub(crate) is_part: bool,
}

impl Outcome {
    /// What was found, at length.
    pub(crate) fn evaluation(&self) -> Cow<'_, Evaluation> {
        match (&self.verdict, self.loaded()) {
            (Verdict::Whole(evaluation), _) => Cow::Borrowed(evaluation),
            (Verdict::Plain(decision), Some(loaded)) => Cow::Owned(decision.evaluation(&loaded.ruleset)),
            (Verdict::Plain(_), None) => Cow::Owned(Evaluation::unrecognized()),
        }
    }

    pub(crate) fn passes(&self) -> bool {
        match &self.verdict {
            Verdict::Plain(decision) => decision.passes(),
            Verdict::Whole(evaluation) => evaluation.passes,
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.evaluation().is_active
    }

    pub(crate) fn loaded(&self) -> Option<&Loaded> {
        match &self.basis {
            Basis::Loaded(loaded) => Some(loaded),
            Basis::Nothing(_) | Basis::Kept(_) => None,
        }
    }

    pub(crate) fn shared(&self) -> Option<&Arc<Loaded>> {
        match &self.basis {
            Basis::Loaded(loaded) => Some(loaded),
            Basis::Nothing(_) | Basis::Kept(_) => None,
        }
    }

    fn kept(&self) -> Option<&Kept> {
        match &self.basis {
            Basis::Kept(kept) => Some(kept),
            Basis::Loaded(_) | Basis::Nothing(_) => None,
        }
    }

    pub(crate) fn string<'py>(&self, py: Python<'py>, id: Option<StringId>) -> Option<Bound<'py, PyString>> {
        Some(self.loaded()?.string(py, id?))
    }

    pub(crate) fn rule_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        if let Some(rule_id) = self.kept().and_then(|kept| kept.stored.rule_id.as_ref()) {
            return rule_id.bind(py).clone();
        }
        let rule = match (&self.verdict, self.loaded()) {
            (Verdict::Plain(decision), Some(loaded)) => decision.rule_id(&loaded.ruleset),
            _ => self.evaluation().rule,
        };
        if rule == StringId::OVERRIDE {
            // Also where nothing is loaded.
            return intern!(py, "override").clone();
        }
        self.string(py, Some(rule)).unwrap_or_else(|| PyString::new(py, ""))
    }

    pub(crate) fn id_type<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        if let Some(kept) = self.kept() {
            return kept.id_type.bind(py).clone();
        }
        self.string(py, self.evaluation().id_type).unwrap_or_else(|| PyString::new(py, ""))
    }

    pub(crate) fn details(&self) -> PyEvaluationDetails {
        let evaluation = self.evaluation();
        let loaded = match &self.basis {
            Basis::Loaded(loaded) => loaded,
            Basis::Kept(kept) => {
                return PyEvaluationDetails {
                    reason: PERSISTED.to_owned(),
                    lcut: kept.stored.time,
                    received_at: Some(kept.received_at),
                    version: kept.stored.version,
                };
            }
            Basis::Nothing(_) if evaluation.is_override => {
                return PyEvaluationDetails {
                    lcut: Some(0),
                    ..PyEvaluationDetails::bare(Standing::LOCAL_OVERRIDE)
                };
            }
            Basis::Nothing(reason) => return PyEvaluationDetails::bare(reason),
        };
        let mut reason = String::new();
        evaluation.standing().write_reason(&mut reason, &loaded.source);
        if evaluation.reason == Reason::TooDeep {
            return PyEvaluationDetails::bare(&reason);
        }
        PyEvaluationDetails {
            reason,
            lcut: Some(loaded.ruleset.time()),
            received_at: Some(loaded.received_at),
            version: evaluation.version,
        }
    }

    /// A value that nobody else may change, unless it was made for this call.
    fn shared_value<'py>(&self, py: Python<'py>, id: ValueId) -> PyResult<Bound<'py, PyDict>> {
        if let Some(index) = id.override_index() {
            let value = self.overrides.as_ref().and_then(|overrides| overrides.value(index));
            return Ok(json::parse(py, value.map_or("{}", |value| value.json()))?.cast_into()?);
        }
        match self.loaded() {
            Some(loaded) => Ok(loaded.value(py, id)?.clone()),
            None => Ok(PyDict::new(py)),
        }
    }

    /// True if there is a value at all; what is not an object is an empty one.
    pub(crate) fn has_value(&self) -> bool {
        self.kept().is_some()
            || match (&self.evaluation().value, self.loaded()) {
                (Returned::Nothing, _) => false,
                (Returned::One(id), Some(loaded)) if id.override_index().is_none() => !matches!(
                    loaded.ruleset.value(*id).kind(),
                    JsonKind::True | JsonKind::False | JsonKind::Null
                ),
                _ => true,
            }
    }

    /// A dict of its own for every caller.
    pub(crate) fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        if let Some(kept) = self.kept() {
            return json::copy_dict(kept.stored.value.bind(py));
        }
        match &self.evaluation().value {
            Returned::Nothing => Ok(PyDict::new(py)),
            Returned::One(id) => json::copy_dict(&self.shared_value(py, *id)?),
            Returned::Merged(parts) => {
                let merged = PyDict::new(py);
                for (id, _) in parts {
                    for (key, value) in self.shared_value(py, *id)? {
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
    pub(crate) fn parameter<'py>(&self, key: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = key.py();
        if let Some(kept) = self.kept() {
            return kept.stored.value.bind(py).get_item(key);
        }
        let evaluation = match &self.verdict {
            Verdict::Plain(decision) => return self.shared_value(py, decision.value())?.get_item(key),
            Verdict::Whole(evaluation) => evaluation,
        };
        match &evaluation.value {
            Returned::Nothing => Ok(None),
            Returned::One(id) => self.shared_value(py, *id)?.get_item(key),
            Returned::Merged(parts) => {
                for (id, _) in parts {
                    if let Some(value) = self.shared_value(py, *id)?.get_item(key)? {
                        return Ok(Some(value));
                    }
                }
                Ok(None)
            }
        }
    }

    /// The parameter, or the fallback if there is none of the fallback's type.
    pub(crate) fn get<'py>(
        &self,
        key: &Bound<'py, PyString>,
        fallback: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = key.py();
        let fallback = fallback.filter(|fallback| !fallback.is_none());
        let value = match (&self.verdict, &self.basis) {
            (Verdict::Plain(decision), Basis::Loaded(loaded)) => {
                let of = decision.value();
                if let Some(known) = loaded.known.parameter(key, of)
                    && fallback.is_none_or(|fallback| same_type(&known, fallback))
                {
                    return self.handed_out(key, known);
                }
                let value = self.parameter(key)?;
                if let Some(value) = value.as_ref().filter(|value| !json::is_container(value)) {
                    loaded.known.learn_parameter(key, of, value);
                }
                value
            }
            _ => self.parameter(key)?,
        };
        match (value, fallback) {
            (Some(value), None) => self.handed_out(key, json::copy(&value)?),
            (Some(value), Some(fallback)) if same_type(&value, fallback) => {
                self.handed_out(key, json::copy(&value)?)
            }
            (_, Some(fallback)) => Ok(fallback.clone()),
            (None, None) => Ok(py.None().into_bound(py)),
        }
    }

    pub(crate) fn get_as<'py>(
        &self,
        key: &Bound<'py, PyString>,
        fallback: &Bound<'py, PyAny>,
        kind: Kind,
    ) -> PyResult<Bound<'py, PyAny>> {
        match typed(self.parameter(key)?, kind)? {
            Some(value) => self.handed_out(key, value),
            None => fallback_of(fallback, kind),
        }
    }

    /// The value of a parameter, noting that it was read. One that is null counts as none.
    #[inline]
    pub(crate) fn handed_out<'py>(
        &self,
        key: &Bound<'py, PyString>,
        value: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if !value.is_none() {
            self.note_read(key)?;
        }
        Ok(value)
    }

    /// Notes that a parameter was read.
    #[inline]
    pub(crate) fn note_read(&self, key: &Bound<'_, PyString>) -> PyResult<()> {
        self.reads.as_ref().map_or(Ok(()), |reads| self.note_read_as(reads, key))
    }

    fn note_read_as(&self, reads: &Reads, key: &Bound<'_, PyString>) -> PyResult<()> {
        let py = key.py();
        let (events, name) = (reads.events.get(), self.name.bind(py).to_str()?);
        if !reads.exposes {
            return Ok(events.count(py, name)?);
        }
        let (user, parameter) = (reads.user.view(), Some(key.to_str()?));
        let keep = || reads.user.clone_ref(py);
        let loaded = match &self.basis {
            Basis::Kept(kept) => {
                events.expose_kept(py, kept, (CheckKind::Layer, name, parameter), user, keep)?;
                return Ok(());
            }
            Basis::Loaded(loaded) => Some(loaded),
            Basis::Nothing(_) => None,
        };
        let checked = Checked {
            loaded,
            nothing: if let Basis::Nothing(reason) = self.basis { reason } else { "" },
            kind: CheckKind::Layer,
            name,
            evaluation: &self.evaluation(),
            overrides: self.overrides.as_deref(),
            parameter,
            is_manual: reads.is_manual,
            is_part: reads.is_part,
        };
        Ok(events.expose(py, &checked, user, keep)?)
    }

    /// Gates that were met on the way, in order.
    pub(crate) fn secondary_exposures<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        match self.kept() {
            Some(kept) => exposure_list(py, &kept.stored.exposures),
            None => self.exposures(py, self.evaluation().exposures.iter()),
        }
    }

    /// The exposures that count for parameters the experiment does not set.
    pub(crate) fn undelegated_exposures<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        if let Some(kept) = self.kept() {
            return kept.stored.undelegated.as_ref().map(|all| exposure_list(py, all)).transpose();
        }
        let evaluation = self.evaluation();
        let exposures = evaluation.undelegated_exposures();
        exposures.map(|exposures| self.exposures(py, exposures)).transpose()
    }

    /// The parameters the experiment sets itself, if it says so.
    pub(crate) fn explicit_parameters<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        if let Some(kept) = self.kept() {
            let names = kept.stored.explicit_parameters.as_ref();
            return names.map(|names| PyList::new(py, names)).transpose();
        }
        let (Some(loaded), Some(spec)) = (self.loaded(), self.evaluation().explicit) else {
            return Ok(None);
        };
        let Some(names) = loaded.ruleset.explicit_parameters(spec) else {
            return Ok(None);
        };
        let list = PyList::empty(py);
        for name in names {
            list.append(name)?;
        }
        Ok(Some(list))
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

    pub(crate) fn delegate<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyString>> {
        if let Some(kept) = self.kept() {
            return kept.stored.delegate.as_ref().map(|name| name.bind(py).clone());
        }
        let loaded = self.loaded()?;
        Some(loaded.string(py, loaded.ruleset.spec(self.evaluation().delegate?).name()))
    }

    /// The members every `to_dict` has.
    pub(crate) fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("name", &self.name)?;
        dict.set_item("rule_id", self.rule_id(py))?;
        dict.set_item("id_type", self.id_type(py))?;
        dict.set_item("details", self.details().to_dict(py)?)?;
        Ok(dict)
    }

    /// What two results are compared by besides their value: nothing of when and where the payload came
    /// from.
    pub(crate) fn identity(&self, py: Python<'_>) -> [Option<String>; 5] {
        let name = self.name.bind(py).clone();
        [Some(name), Some(self.rule_id(py)), Some(self.id_type(py)), self.group(py), self.delegate(py)]
            .map(|text| text.map(|text| text.to_string()))
    }

    pub(crate) fn group<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyString>> {
        if let Some(kept) = self.kept() {
            return kept.stored.group.as_ref().map(|name| name.bind(py).clone());
        }
        let group = match (&self.verdict, self.loaded()) {
            (Verdict::Plain(decision), Some(loaded)) => decision.group(&loaded.ruleset),
            _ => self.evaluation().group,
        };
        self.string(py, group)
    }
}

/// The parameter if it is of this kind.
pub(crate) fn typed(value: Option<Bound<'_, PyAny>>, kind: Kind) -> PyResult<Option<Bound<'_, PyAny>>> {
    match value {
        Some(value) if kind.holds(&value) => json::copy(&value).map(Some),
        Some(value) if matches!(kind, Kind::Float) && Kind::Integer.holds(&value) => {
            // What was kept for a unit may be larger than any float.
            let number = value.extract().ok();
            Ok(number.map(|number| PyFloat::new(value.py(), number).into_any()))
        }
        _ => Ok(None),
    }
}

/// What a getter of this kind returns where the parameter is not of it.
pub(crate) fn fallback_of<'py>(fallback: &Bound<'py, PyAny>, kind: Kind) -> PyResult<Bound<'py, PyAny>> {
    if matches!(kind, Kind::Float) && Kind::Integer.holds(fallback) {
        return Ok(PyFloat::new(fallback.py(), fallback.extract()?).into_any());
    }
    Ok(fallback.clone())
}

pub(crate) fn parameter_name<'a, 'py>(name: &'a Bound<'py, PyAny>) -> PyResult<&'a Bound<'py, PyString>> {
    name.cast().map_err(|_| wrong_type("param_name", "str", name))
}

/// The types a parameter can have. A bool is not an integer here, other than in Python.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Bool,
    Integer,
    Float,
    Text,
    Array,
    Object,
}

impl Kind {
    pub(crate) fn holds(self, value: &Bound<'_, PyAny>) -> bool {
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
    // What JSON has is of one of these types itself.
    if value.get_type_ptr() == fallback.get_type_ptr() {
        return true;
    }
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
    pub(crate) reason: String,
    /// When the project was last changed, in ms since the epoch; None if nothing is loaded, or if the check
    /// failed.
    #[pyo3(get)]
    lcut: Option<u64>,
    /// When the payload was taken, in ms since the epoch; None if nothing is loaded, or if the check failed.
    #[pyo3(get)]
    received_at: Option<u64>,
    /// The spec's version, if it has one.
    #[pyo3(get)]
    version: Option<u32>,
}

impl PyEvaluationDetails {
    fn bare(reason: &str) -> Self {
        Self { reason: reason.to_owned(), lcut: None, received_at: None, version: None }
    }
}

#[pymethods]
impl PyEvaluationDetails {
    /// The four attributes by name.
    pub(crate) fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
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

pub(crate) fn represent(class: &str, members: &Bound<'_, PyDict>) -> PyResult<String> {
    let mut parts = Vec::with_capacity(members.len());
    for (name, value) in members {
        parts.push(format!("{name}={}", value.repr()?));
    }
    Ok(format!("{class}({})", parts.join(", ")))
}
