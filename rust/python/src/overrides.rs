//! What the application sets itself, as one snapshot that checks share.

use arc_swap::ArcSwapOption;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use statsig_engine::{CheckKind, Override, OverrideValue, Overrides, ParameterStore};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Empty as long as nothing is set, so that checks have nothing to look at.
#[derive(Default)]
pub(crate) struct LocalOverrides {
    current: ArcSwapOption<Overrides>,
    /// Whether `current` is empty, for less than it takes to look.
    any: AtomicBool,
    editing: Mutex<()>,
}

impl LocalOverrides {
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn load(&self) -> Option<Arc<Overrides>> {
        if self.any() { self.current.load_full() } else { None }
    }

    fn edit(&self, change: impl FnOnce(&mut Overrides)) {
        let editing = self.editing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = self.current.load().as_deref().cloned().unwrap_or_default();
        change(&mut next);
        let any = !next.is_empty();
        self.current.store(any.then(|| Arc::new(next)));
        self.any.store(any, Ordering::Release);
        drop(editing);
    }

    pub(crate) fn set(&self, kind: &str, name: &str, value: Given, unit: Option<&str>) -> PyResult<()> {
        if let ("parameter store", Given::Json(json)) = (kind, &value) {
            let store = Arc::new(ParameterStore::new(json).map_err(|error| not_an_object(&error))?);
            self.edit(|overrides| overrides.set_parameter_store(name, store, unit));
        } else {
            let (kind, value) = override_of(kind, value)?;
            self.edit(|overrides| overrides.set(kind, name, value, unit));
        }
        Ok(())
    }

    pub(crate) fn remove(&self, kind: &str, name: &str, unit: Option<&str>) -> PyResult<()> {
        if kind == "parameter store" {
            self.edit(|overrides| overrides.remove_parameter_store(name, unit));
        } else {
            let kind = check_kind(kind)?;
            self.edit(|overrides| overrides.remove(kind, name, unit));
        }
        Ok(())
    }

    pub(crate) fn clear(&self) {
        self.edit(|overrides| *overrides = Overrides::default());
    }
}

/// What the Python layer passes: a bool for a gate, else the text of a JSON object.
#[derive(FromPyObject)]
pub(crate) enum Given {
    Flag(bool),
    Json(String),
}

/// The kind and the value behind its name in the Python layer.
fn override_of(kind: &str, value: Given) -> PyResult<(CheckKind, Override)> {
    match (kind, value) {
        ("gate", Given::Flag(value)) => Ok((CheckKind::Gate, Override::Gate(value))),
        ("group", Given::Json(name)) => Ok((CheckKind::Experiment, Override::Group(name.into()))),
        (kind, Given::Json(json)) => {
            let value = OverrideValue::new(&json).map_err(|error| not_an_object(&error))?;
            Ok((check_kind(kind)?, Override::Value(Arc::new(value))))
        }
        (kind, Given::Flag(_)) => Err(PyValueError::new_err(format!("a {kind} has no boolean value"))),
    }
}

pub(crate) fn check_kind(kind: &str) -> PyResult<CheckKind> {
    match kind {
        "gate" => Ok(CheckKind::Gate),
        "config" => Ok(CheckKind::Config),
        "experiment" => Ok(CheckKind::Experiment),
        "layer" => Ok(CheckKind::Layer),
        other => Err(PyValueError::new_err(format!(
            "argument 'kind': expected 'gate', 'config', 'experiment' or 'layer', got {other:?}"
        ))),
    }
}

fn not_an_object(error: &str) -> PyErr {
    PyValueError::new_err(format!("argument 'value': {error}"))
}
