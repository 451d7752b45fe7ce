//! A table that an object hands over: its batches, with all their columns.

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyCapsuleMethods};
use std::ffi::CStr;

use super::columns::Column;
use super::ffi::{ArrowArray, ArrowArrayStream, ArrowSchema, Owned};
use crate::errors::wrong_type;

/// Rows that lie together.
pub(crate) struct Batch {
    pub(crate) columns: Vec<(String, Column)>,
    /// The first row in the columns.
    pub(crate) first: usize,
    pub(crate) rows: usize,
    /// What the columns point into.
    _array: OwnedArray,
}

/// All rows.
pub(crate) struct Table {
    pub(crate) batches: Vec<Batch>,
}

struct OwnedArray(#[allow(dead_code, reason = "it is kept until the columns are gone")] Owned<ArrowArray>);

// SAFETY: arrays may be read and released in any thread.
unsafe impl Send for OwnedArray {}
// SAFETY: as above.
unsafe impl Sync for OwnedArray {}

impl Table {
    pub(crate) fn read(argument: &str, table: &Bound<'_, PyAny>) -> PyResult<Self> {
        if table.hasattr("__arrow_c_stream__")? {
            let capsule = table.call_method0("__arrow_c_stream__")?;
            let pointer = pointer::<ArrowArrayStream>(argument, &capsule, c"arrow_array_stream")?;
            // SAFETY: a capsule of this name points to a stream.
            return Self::read_stream(argument, unsafe { Owned::take(pointer) });
        }
        if table.hasattr("__arrow_c_array__")? {
            let capsules = table.call_method0("__arrow_c_array__")?;
            let Ok((schema, array)) = capsules.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>() else {
                return Err(wrong_type(
                    argument,
                    "a table whose __arrow_c_array__ returns two capsules",
                    &capsules,
                ));
            };
            let schema = pointer::<ArrowSchema>(argument, &schema, c"arrow_schema")?;
            let array = pointer::<ArrowArray>(argument, &array, c"arrow_array")?;
            // SAFETY: capsules of these names point to a schema and an array.
            let (schema, array) = unsafe { (Owned::take(schema), Owned::take(array)) };
            return Ok(Self { batches: vec![batch(argument, &schema, array)?] });
        }
        let expected = "a table that has __arrow_c_stream__ (pyarrow, polars, duckdb and others)";
        Err(wrong_type(argument, expected, table))
    }

    fn read_stream(argument: &str, mut stream: Owned<ArrowArrayStream>) -> PyResult<Self> {
        let (Some(get_schema), Some(get_next), false) =
            (stream.get().get_schema, stream.get().get_next, stream.is_released())
        else {
            return Err(read_before(argument));
        };
        let mut schema = Owned::<ArrowSchema>::empty();
        // SAFETY: both are valid, and the stream says that this is how its schema is asked for.
        let failed = unsafe { get_schema(stream.as_mut_ptr(), schema.as_mut_ptr()) };
        check(argument, &mut stream, failed)?;
        let mut batches = Vec::new();
        loop {
            let mut array = Owned::<ArrowArray>::empty();
            // SAFETY: as above.
            let failed = unsafe { get_next(stream.as_mut_ptr(), array.as_mut_ptr()) };
            check(argument, &mut stream, failed)?;
            if array.is_released() {
                return Ok(Self { batches });
            }
            batches.push(batch(argument, &schema, array)?);
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.batches.iter().map(|batch| batch.rows).sum()
    }
}

fn batch(argument: &str, schema: &Owned<ArrowSchema>, array: Owned<ArrowArray>) -> PyResult<Batch> {
    // Whoever takes a structure out of a capsule marks what is left there as released.
    if schema.is_released() || array.is_released() {
        return Err(read_before(argument));
    }
    // SAFETY: they come from one producer, and the columns are kept with the array. They need the schema no more.
    let column = unsafe { Column::new(schema.get(), array.get()) };
    match column.and_then(Column::members) {
        Ok((columns, rows)) => {
            Ok(Batch { columns, first: rows.start, rows: rows.len(), _array: OwnedArray(array) })
        }
        Err(error) => Err(PyValueError::new_err(format!("argument '{argument}': {error}"))),
    }
}

#[cold]
fn read_before(argument: &str) -> PyErr {
    PyValueError::new_err(format!("argument '{argument}': it was read before, and can be read once"))
}

fn pointer<T>(argument: &str, capsule: &Bound<'_, PyAny>, name: &CStr) -> PyResult<*mut T> {
    let pointer =
        capsule.cast::<PyCapsule>().ok().and_then(|capsule| capsule.pointer_checked(Some(name)).ok());
    let pointer = pointer.ok_or_else(|| {
        let expected = format!("a table that hands over a capsule called {name:?}");
        wrong_type(argument, &expected, capsule)
    })?;
    Ok(pointer.as_ptr().cast())
}

fn check(argument: &str, stream: &mut Owned<ArrowArrayStream>, failed: i32) -> PyResult<()> {
    if failed == 0 {
        return Ok(());
    }
    let text = stream.get().get_last_error.map_or(std::ptr::null(), |get| {
        // SAFETY: the stream says that this is how its error is asked for.
        unsafe { get(stream.as_mut_ptr()) }
    });
    let text = if text.is_null() {
        String::new()
    } else {
        // SAFETY: a text that ends with a zero.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    };
    Err(PyRuntimeError::new_err(format!(
        "argument '{argument}': reading it failed with error {failed}: {text}"
    )))
}
