//! The arguments of a call as the interpreter hands them over, for calls that PyO3 does not sort the arguments of.

use pyo3::exceptions::PySystemError;
use pyo3::ffi;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Positional arguments, and after them one for each name.
pub(crate) struct Given<'a, 'py> {
    py: Python<'py>,
    args: *const *mut ffi::PyObject,
    pub(crate) positional: usize,
    names: Option<Borrowed<'a, 'py, PyTuple>>,
}

impl<'a, 'py> Given<'a, 'py> {
    pub(crate) fn py(&self) -> Python<'py> {
        self.py
    }

    /// How many came by name.
    #[inline]
    pub(crate) fn named(&self) -> usize {
        self.names.map_or(0, |names| names.len())
    }

    /// The name of one that came by name, and the argument.
    #[inline]
    pub(crate) fn get_named(
        &self,
        index: usize,
    ) -> Option<(Borrowed<'_, 'py, PyAny>, Borrowed<'a, 'py, PyAny>)> {
        let name = self.names.as_ref()?.get_borrowed_item(index).ok()?;
        // SAFETY: for each name there is one after the others, and they live as long as the call.
        Some((name, unsafe { Borrowed::from_ptr(self.py, *self.args.add(self.positional + index)) }))
    }

    /// One that came without a name; None if there are not so many.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<Borrowed<'a, 'py, PyAny>> {
        // SAFETY: there are so many, and they live as long as the call.
        (index < self.positional).then(|| unsafe { Borrowed::from_ptr(self.py, *self.args.add(index)) })
    }

    /// All of them, after `first`, as a tuple and a dict.
    pub(crate) fn packed(
        &self,
        first: Bound<'py, PyAny>,
    ) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let positional = (0..self.positional).filter_map(|index| self.get(index));
        let all: Vec<_> = std::iter::once(first).chain(positional.map(Borrowed::to_owned)).collect();
        let named = PyDict::new(self.py);
        for (name, value) in (0..self.named()).filter_map(|index| self.get_named(index)) {
            named.set_item(name, value)?;
        }
        Ok((PyTuple::new(self.py, all)?, named))
    }
}

/// Answers the interpreter: with the object that `call` returns, or null and its error set.
///
/// # Safety
/// The interpreter calls right now, with these arguments.
#[inline]
pub(crate) unsafe fn answered(
    args: *const *mut ffi::PyObject,
    positional: usize,
    names: *mut ffi::PyObject,
    call: impl for<'a, 'py> FnOnce(Given<'a, 'py>) -> PyResult<Bound<'py, PyAny>>,
) -> *mut ffi::PyObject {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the interpreter calls attached.
        let py = unsafe { Python::assume_attached() };
        // SAFETY: null or a tuple, which lives as long as the call.
        let names = unsafe { Borrowed::from_ptr_or_opt(py, names).map(|names| names.cast_unchecked()) };
        match call(Given { py, args, positional, names }) {
            Ok(result) => result.into_ptr(),
            Err(error) => raised(error),
        }
    }));
    outcome.unwrap_or_else(|panic| panicked(&*panic))
}

/// Sets the error. Doing so, or what failed before, drops objects: PyO3 has to know that it may.
#[cold]
#[inline(never)]
fn raised(error: PyErr) -> *mut ffi::PyObject {
    Python::attach(|py| error.restore(py));
    std::ptr::null_mut()
}

#[cold]
fn panicked(panic: &(dyn std::any::Any + Send)) -> *mut ffi::PyObject {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned();
    Python::attach(|py| PanicException::new_err((text,)).restore(py));
    std::ptr::null_mut()
}

/// What was expected of a call is not so, whoever made it.
#[cold]
pub(crate) fn incomplete() -> PyErr {
    PySystemError::new_err("arguments are missing")
}
