//! Arguments of the public methods: what is not of the type it should be is named.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString};

use crate::errors::wrong_type;
use crate::extract::{Place, text};

pub(crate) fn check_name<'a>(name: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    text_argument("name", name)
}

/// The name of a check. Whether it can be encoded shows when its text is needed.
#[inline]
pub(crate) fn name_of<'a, 'py>(name: &'a Bound<'py, PyAny>) -> PyResult<&'a Bound<'py, PyString>> {
    name.cast().map_err(|_| wrong_type("name", "str", name))
}

/// The name as results have it. What is more than a `str`, such as a member of an enumeration, is made one: results
/// are shared, and would keep what it refers to.
#[inline]
pub(crate) fn own_name(name: &Bound<'_, PyString>) -> Py<PyString> {
    if name.is_exact_instance_of::<PyString>() {
        name.clone().unbind()
    } else {
        PyString::new(name.py(), &name.to_string_lossy()).unbind()
    }
}

pub(crate) fn text_argument<'a>(argument: &str, value: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    text_or(argument, "str", value)
}

/// Of an argument that may be None, what is not.
pub(crate) fn optional_text<'a>(argument: &str, value: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    text_or(argument, "str or None", value)
}

fn text_or<'a>(argument: &str, expected: &str, value: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    match value.cast::<PyString>() {
        Ok(value) => text(Place::Argument(argument), value),
        Err(_) => Err(wrong_type(argument, expected, value)),
    }
}

pub(crate) fn flag(argument: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    match value.cast::<PyBool>() {
        Ok(flag) => Ok(flag.is_true()),
        Err(_) => Err(wrong_type(argument, "bool", value)),
    }
}

pub(crate) fn check_options<'a, 'py, T: pyo3::PyTypeInfo>(
    class: &str,
    options: Option<&'a Bound<'py, PyAny>>,
) -> PyResult<Option<&'a Bound<'py, T>>> {
    let Some(options) = options else {
        return Ok(None);
    };
    match options.cast::<T>() {
        Ok(options) => Ok(Some(options)),
        Err(_) => Err(wrong_type("options", &format!("{class} or None"), options)),
    }
}
