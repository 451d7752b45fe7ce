//! The one place where a Rust error becomes a Python exception.

use pyo3::exceptions::{PyImportError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use statsig_engine::LoadError;

/// A payload that cannot be used, as `statsig_fastly.errors.PayloadError`.
pub(crate) fn payload_error(py: Python<'_>, error: &LoadError) -> PyErr {
    static PAYLOAD_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    match PAYLOAD_ERROR.import(py, "statsig_fastly.errors", "PayloadError") {
        Ok(class) => PyErr::from_type(class.clone(), one_line(&error.to_string())),
        Err(import_error) => import_error,
    }
}

/// The text with what would end a line, or a terminal would obey, as an escape: names come from the payload.
pub(crate) fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// Names the argument, what was expected and the type that came.
#[cold]
pub(crate) fn wrong_type(argument: &str, expected: &str, found: &Bound<'_, PyAny>) -> PyErr {
    let name = found.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!("argument '{argument}': expected {expected}, got {name}"))
}

/// The classes of an extension are shared by all interpreters of a process, and their objects must not be.
pub(crate) fn refuse_subinterpreter() -> PyResult<()> {
    // SAFETY: this runs while a module is imported, so a thread is attached and has an interpreter.
    let id = unsafe { pyo3::ffi::PyInterpreterState_GetID(pyo3::ffi::PyInterpreterState_Get()) };
    if id == 0 {
        return Ok(());
    }
    Err(PyImportError::new_err(
        "statsig_fastly works in the main interpreter only (with mod_wsgi: WSGIApplicationGroup %{GLOBAL})",
    ))
}
