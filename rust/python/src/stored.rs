//! Sticky values in Python's terms: entries that were kept, and the entry a result is kept as.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};

use crate::outcome::Outcome;

/// Lists and dicts inside each other: more than a payload can bring.
const MAX_NESTING: usize = 128;

/// A gate that was met on the way, as its three texts.
pub(crate) struct Exposure {
    gate: Py<PyString>,
    value: Py<PyString>,
    rule: Py<PyString>,
}

/// A result that was kept for a unit, owned: it depends on no ruleset.
pub(crate) struct Stored {
    pub(crate) passes: bool,
    /// Nobody else may change it.
    pub(crate) value: Py<PyDict>,
    pub(crate) rule_id: Option<Py<PyString>>,
    pub(crate) group: Option<Py<PyString>>,
    pub(crate) delegate: Option<Py<PyString>>,
    pub(crate) explicit_parameters: Option<Vec<Py<PyString>>>,
    pub(crate) exposures: Vec<Exposure>,
    pub(crate) undelegated: Option<Vec<Exposure>>,
    pub(crate) version: Option<u32>,
    /// When the project was last changed, ms since the epoch.
    pub(crate) time: Option<u64>,
}

/// A stored result that is in use.
pub(crate) struct Kept {
    pub(crate) stored: Stored,
    /// That of the spec, which is not stored.
    pub(crate) id_type: Py<PyString>,
    /// When it came into use, ms since the epoch.
    pub(crate) received_at: u64,
    /// For how long its exposure is not repeated, in ms, if the project says so.
    pub(crate) window_ms: Option<u64>,
}

impl Exposure {
    /// Name, value and rule of the gate.
    pub(crate) fn texts(&self, py: Python<'_>) -> [String; 3] {
        // They were checked when they were read.
        [&self.gate, &self.value, &self.rule]
            .map(|text| text.bind(py).to_str().map(str::to_owned).unwrap_or_default())
    }
}

impl Stored {
    /// True if the experiment says that the parameter is one of its own.
    pub(crate) fn is_explicit(&self, py: Python<'_>, parameter: &str) -> bool {
        let mut names = self.explicit_parameters.iter().flatten();
        names.any(|name| name.bind(py).to_str().is_ok_and(|name| name == parameter))
    }

    /// Reads an entry. A member that is absent is the same as one that is None.
    ///
    /// The error says what is wrong with it, without the value: it may be private.
    pub(crate) fn read(entry: &Bound<'_, PyAny>) -> Result<Self, String> {
        let entry = entry.cast::<PyDict>().map_err(|_| expected("an entry", "a dict", entry))?;
        let member = |name: &str| {
            let found = entry.get_item(name).map_err(|error| error.to_string())?;
            Ok::<_, String>(found.filter(|value| !value.is_none()))
        };
        let text = |name: &str| member(name)?.map(|value| text(name, &value)).transpose();
        Ok(Self {
            passes: match member("value")? {
                None => false,
                Some(value) => {
                    value.cast::<PyBool>().map_err(|_| expected("value", "a bool", &value))?.is_true()
                }
            },
            value: match member("json_value")? {
                None => PyDict::new(entry.py()).unbind(),
                Some(value) if value.is_instance_of::<PyDict>() => {
                    let copied = plain("json_value", &value, 0)?.cast_into::<PyDict>();
                    copied.map_err(|error| error.to_string())?.unbind()
                }
                Some(value) => return Err(expected("json_value", "a dict", &value)),
            },
            rule_id: text("rule_id")?,
            group: text("group_name")?,
            delegate: text("config_delegate")?,
            explicit_parameters: member("explicit_parameters")?
                .map(|names| list("explicit_parameters", &names, text_of))
                .transpose()?,
            exposures: match member("secondary_exposures")? {
                None => Vec::new(),
                Some(all) => list("secondary_exposures", &all, exposure)?,
            },
            undelegated: member("undelegated_secondary_exposures")?
                .map(|all| list("undelegated_secondary_exposures", &all, exposure))
                .transpose()?,
            version: member("config_version")?
                .map(|value| number("config_version", "a whole number of 32 bits", &value))
                .transpose()?,
            time: member("time")?
                .map(|value| number("time", "a whole number of milliseconds", &value))
                .transpose()?,
        })
    }
}

/// The entry a result is kept as, in the official package's shape.
pub(crate) fn entry_of<'py>(py: Python<'py>, outcome: &Outcome) -> PyResult<Bound<'py, PyDict>> {
    let entry = PyDict::new(py);
    let exposures = outcome.secondary_exposures(py)?;
    let undelegated = match outcome.undelegated_exposures(py)? {
        None if !exposures.is_empty() => Some(outcome.secondary_exposures(py)?),
        undelegated => undelegated,
    };
    entry.set_item("value", outcome.passes())?;
    entry.set_item("json_value", outcome.has_value().then(|| outcome.value(py)).transpose()?)?;
    entry.set_item("rule_id", outcome.rule_id(py))?;
    entry.set_item("group_name", outcome.group(py))?;
    entry.set_item("secondary_exposures", exposures)?;
    entry.set_item("undelegated_secondary_exposures", undelegated)?;
    entry.set_item("config_delegate", outcome.delegate(py))?;
    entry.set_item("explicit_parameters", outcome.explicit_parameters(py)?)?;
    entry.set_item("time", outcome.loaded().map(|loaded| loaded.ruleset.time()))?;
    entry.set_item("config_version", outcome.evaluation().version.unwrap_or(0))?;
    Ok(entry)
}

pub(crate) fn exposure_list<'py>(py: Python<'py>, exposures: &[Exposure]) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for exposure in exposures {
        let dict = PyDict::new(py);
        dict.set_item("gate", &exposure.gate)?;
        dict.set_item("gateValue", &exposure.value)?;
        dict.set_item("ruleID", &exposure.rule)?;
        list.append(dict)?;
    }
    Ok(list)
}

fn expected(name: &str, expected: &str, found: &Bound<'_, PyAny>) -> String {
    let found = found.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
    format!("{name}: expected {expected} or None, got {found}")
}

fn text(name: &str, value: &Bound<'_, PyAny>) -> Result<Py<PyString>, String> {
    text_of(value).ok_or_else(|| expected(name, "a str", value))
}

/// Without what UTF-8 cannot hold, so that results can be shown and compared.
fn text_of(value: &Bound<'_, PyAny>) -> Option<Py<PyString>> {
    let text = value.cast::<PyString>().ok()?;
    text.to_str().is_ok().then(|| text.clone().unbind())
}

fn number<'a, 'py, T: FromPyObject<'a, 'py>>(
    name: &str,
    what: &str,
    value: &'a Bound<'py, PyAny>,
) -> Result<T, String> {
    let found = (value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>())
        .then(|| value.extract().ok())
        .flatten();
    found.ok_or_else(|| expected(name, what, value))
}

fn list<T>(
    name: &str,
    value: &Bound<'_, PyAny>,
    read: impl Fn(&Bound<'_, PyAny>) -> Option<T>,
) -> Result<Vec<T>, String> {
    let items = value.cast::<PyList>().map_err(|_| expected(name, "a list", value))?;
    let read = items.iter().map(|item| read(&item)).collect::<Option<Vec<T>>>();
    read.ok_or_else(|| format!("{name}: an element is not what it should be"))
}

fn exposure(value: &Bound<'_, PyAny>) -> Option<Exposure> {
    let members = value.cast::<PyDict>().ok()?;
    let member = |name: &str| text_of(&members.get_item(name).ok().flatten()?);
    Some(Exposure { gate: member("gate")?, value: member("gateValue")?, rule: member("ruleID")? })
}

/// A copy made of nothing but what JSON has.
fn plain<'py>(name: &str, value: &Bound<'py, PyAny>, depth: usize) -> Result<Bound<'py, PyAny>, String> {
    let py = value.py();
    if depth > MAX_NESTING {
        return Err(format!("{name}: nested deeper than {MAX_NESTING} levels"));
    }
    if let Ok(members) = value.cast::<PyDict>() {
        let copied = PyDict::new(py);
        // Copying may run Python code, which may change the dict.
        for (key, member) in members.copy().map_err(|error| error.to_string())? {
            let key = text(name, &key)?;
            copied.set_item(key, plain(name, &member, depth + 1)?).map_err(|error| error.to_string())?;
        }
        return Ok(copied.into_any());
    }
    if let Ok(items) = value.cast::<PyList>() {
        let copied = PyList::empty(py);
        for item in items {
            copied.append(plain(name, &item, depth + 1)?).map_err(|error| error.to_string())?;
        }
        return Ok(copied.into_any());
    }
    let is_scalar = value.is_none()
        || value.is_instance_of::<PyString>()
        || value.is_instance_of::<PyInt>()
        || value.is_instance_of::<PyFloat>();
    if is_scalar { Ok(value.clone()) } else { Err(expected(name, "JSON data", value)) }
}
