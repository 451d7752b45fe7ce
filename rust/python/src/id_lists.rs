//! ID lists that the application holds itself: Python collections to lists.

use pyo3::prelude::*;
use pyo3::types::{PyMapping, PyString};
use statsig_engine::{IdList, IdLists};
use std::sync::Arc;

use crate::errors::wrong_type;
use crate::extract::{Place, text};

const ARGUMENT: &str = "id_lists";

/// Reads a mapping of list name to unit ids.
pub(crate) fn read_id_lists(lists: &Bound<'_, PyAny>) -> PyResult<IdLists> {
    let mapping =
        lists.cast::<PyMapping>().map_err(|_| wrong_type(ARGUMENT, "a mapping of str to unit ids", lists))?;
    let mut read = IdLists::default();
    for item in mapping.items()?.iter() {
        let (name, ids) = item.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
        let name = name.cast::<PyString>().map_err(|_| wrong_type(ARGUMENT, "keys that are str", &name))?;
        let name = text(Place::Argument(ARGUMENT), name)?;
        read.insert(name, Arc::new(read_id_list(name, &ids)?));
    }
    Ok(read)
}

fn read_id_list(name: &str, ids: &Bound<'_, PyAny>) -> PyResult<IdList> {
    let argument = Place::Argument(ARGUMENT);
    let place = Place::Key(&argument, name);
    // Text is a collection of texts, too. What has no length may be gone after it was read once.
    let is_collection = !ids.is_instance_of::<PyString>() && ids.len().is_ok();
    let members = is_collection.then(|| ids.try_iter().ok()).flatten();
    let members =
        members.ok_or_else(|| wrong_type(&place.to_string(), "a list, tuple or set of str", ids))?;
    let mut list = IdList::default();
    for (index, id) in members.enumerate() {
        let (id, place) = (id?, Place::Index(&place, index));
        let id = id.cast::<PyString>().map_err(|_| wrong_type(&place.to_string(), "str", &id))?;
        list.insert(text(place, id)?);
    }
    Ok(list)
}
