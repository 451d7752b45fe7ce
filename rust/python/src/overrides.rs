//! What the application sets itself, as one snapshot that checks share.

use arc_swap::{ArcSwapOption, Guard};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use statsig_engine::{CheckKind, Override, OverrideValue, Overrides};
use std::sync::{Arc, Mutex, PoisonError};

/// Empty as long as nothing is set, so that checks have nothing to look at.
#[derive(Default)]
pub(crate) struct LocalOverrides {
    current: ArcSwapOption<Overrides>,
    editing: Mutex<()>,
}

impl LocalOverrides {
    pub(crate) fn load(&self) -> Guard<Option<Arc<Overrides>>> {
        self.current.load()
    }

    pub(crate) fn edit(&self, change: impl FnOnce(&mut Overrides)) {
        let editing = self.editing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = self.current.load().as_deref().cloned().unwrap_or_default();
        change(&mut next);
        self.current.store((!next.is_empty()).then(|| Arc::new(next)));
        drop(editing);
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
pub(crate) fn override_of(kind: &str, value: Given) -> PyResult<(CheckKind, Override)> {
    match (kind, value) {
        ("gate", Given::Flag(value)) => Ok((CheckKind::Gate, Override::Gate(value))),
        ("group", Given::Json(name)) => Ok((CheckKind::Experiment, Override::Group(name.into()))),
        (kind, Given::Json(json)) => {
            let value = OverrideValue::new(&json)
                .map_err(|error| PyValueError::new_err(format!("argument 'value': {error}")))?;
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
