//! A ruleset together with the Python objects already built from it.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};
use statsig_engine::{CheckKind, JsonKind, Ruleset, SpecId, StringId, ValueId};

use crate::extract::{Place, text};
use crate::json;
use crate::known::Known;

/// One loaded payload. Holds Python objects, so it must only be dropped by an attached thread: it is
/// reachable through Python objects and, during a check, through the stack of an attached thread.
pub(crate) struct Loaded {
    pub(crate) ruleset: Ruleset,
    /// First part of evaluation reasons, such as `Adapter(FastlyKV)`.
    pub(crate) source: String,
    /// When the payload was taken, ms since the epoch.
    pub(crate) received_at: u64,
    values: Box<[PyOnceLock<Py<PyDict>>]>,
    strings: Box<[PyOnceLock<Py<PyString>>]>,
    pub(crate) known: Known,
}

impl Loaded {
    pub(crate) fn new(ruleset: Ruleset, source: String, received_at: u64) -> Self {
        let values = ruleset.values().iter().map(|_| PyOnceLock::new()).collect();
        let strings = (0..ruleset.string_count()).map(|_| PyOnceLock::new()).collect();
        let known = Known::new(ruleset.decision_count());
        Self { ruleset, source, received_at, values, strings, known }
    }

    /// The spec of a name, if it is plain.
    #[inline]
    pub(crate) fn plain(&self, name: &Bound<'_, PyString>, kind: CheckKind) -> PyResult<Option<SpecId>> {
        match self.known.spec(name, kind) {
            Some(spec) => Ok(Some(spec)),
            None => self.find_plain(name, kind),
        }
    }

    #[inline(never)]
    fn find_plain(&self, name: &Bound<'_, PyString>, kind: CheckKind) -> PyResult<Option<SpecId>> {
        let found = self.ruleset.find(kind.specs(), text(Place::Argument("name"), name)?);
        let plain = found.filter(|&spec| self.ruleset.is_plain(spec));
        if let Some(spec) = plain {
            self.known.learn(name, kind, spec);
        }
        Ok(plain)
    }

    /// A config value as a dict that nobody else may change. What is not an object is an empty one.
    pub(crate) fn value<'py>(&self, py: Python<'py>, id: ValueId) -> PyResult<&Bound<'py, PyDict>> {
        self.values[id.index()]
            .get_or_try_init(py, || {
                let value = self.ruleset.value(id);
                if value.kind() == JsonKind::Object {
                    Ok(json::parse(py, value.json())?.cast_into::<PyDict>()?.unbind())
                } else {
                    Ok(PyDict::new(py).unbind())
                }
            })
            .map(|dict| dict.bind(py))
    }

    /// A string of the ruleset, built once.
    pub(crate) fn string<'py>(&self, py: Python<'py>, id: StringId) -> Bound<'py, PyString> {
        self.strings[id.index()]
            .get_or_init(py, || PyString::new(py, self.ruleset.string(id)).unbind())
            .bind(py)
            .clone()
    }
}
