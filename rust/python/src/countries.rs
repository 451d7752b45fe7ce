//! The country table of the process: every client looks into the same one.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use statsig_engine::Countries;
use std::sync::OnceLock;

static COUNTRIES: OnceLock<Countries> = OnceLock::new();

/// The table, if it is loaded.
pub(crate) fn countries() -> Option<&'static Countries> {
    COUNTRIES.get()
}

/// Has `statsig_fastly.geo` load the table, unless it is there already. It may not be to be had.
pub(crate) fn want_countries(py: Python<'_>) -> PyResult<()> {
    if countries().is_none() {
        py.import("statsig_fastly.geo")?.call_method0("load_country_table")?;
    }
    Ok(())
}

/// Reads a table, with the GIL released, for all clients of the process. A further one changes nothing.
#[pyfunction]
#[pyo3(name = "_load_countries")]
pub(crate) fn load_countries(py: Python<'_>, table: &[u8]) -> PyResult<()> {
    if countries().is_none() {
        let read = py.detach(|| Countries::parse(table));
        // Of two threads at a time the first one's stays; they are alike.
        let _ = COUNTRIES.set(read.map_err(|error| PyValueError::new_err(error.to_string()))?);
    }
    Ok(())
}
