//! The ID lists in use: those the application holds itself, and changes read from their files.

use arc_swap::{ArcSwapOption, Guard};
use pyo3::prelude::*;
use pyo3::types::PyString;
use statsig_engine::{IdList, IdLists};
use std::sync::Arc;

use crate::errors::wrong_type;
use crate::extract::{Place, as_mapping, text};

const ARGUMENT: &str = "id_lists";

/// Empty until there is a list.
#[derive(Default)]
pub(crate) struct HeldIdLists(ArcSwapOption<IdLists>);

impl HeldIdLists {
    /// Reads a mapping of list name to unit ids.
    pub(crate) fn read(lists: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self(ArcSwapOption::from_pointee(read_id_lists(lists)?)))
    }

    pub(crate) fn load(&self) -> Guard<Option<Arc<IdLists>>> {
        self.0.load()
    }

    /// Puts a list in place of the one of that name. False, and nothing is changed, if `lines` are none of its
    /// file.
    pub(crate) fn set(&self, name: &str, lines: &[u8]) -> bool {
        let mut list = IdList::default();
        let applied = list.apply(lines);
        if applied {
            let list = Arc::new(list);
            self.change(|lists| lists.insert(name, Arc::clone(&list)));
        }
        applied
    }

    /// Makes further changes to a list, which is a new one if there is none of that name. False, and nothing
    /// is changed, if `lines` are none of its file.
    pub(crate) fn extend(&self, name: &str, lines: &[u8]) -> bool {
        let mut applied = false;
        self.change(|lists| {
            let mut list = lists.get(name).cloned().unwrap_or_default();
            applied = list.apply(lines);
            if applied {
                lists.insert(name, Arc::new(list));
            }
        });
        applied
    }

    pub(crate) fn remove(&self, name: &str) {
        self.change(|lists| lists.remove(name));
    }

    /// Replaces the lists by changed ones. `change` is made again if others were put in place meanwhile.
    fn change(&self, mut change: impl FnMut(&mut IdLists)) {
        self.0.rcu(|current| {
            let mut lists = current.as_deref().cloned().unwrap_or_default();
            change(&mut lists);
            Some(Arc::new(lists))
        });
    }
}

fn read_id_lists(lists: &Bound<'_, PyAny>) -> PyResult<IdLists> {
    let mapping =
        as_mapping(lists)?.ok_or_else(|| wrong_type(ARGUMENT, "a mapping of str to unit ids", lists))?;
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
