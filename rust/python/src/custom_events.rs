//! Events of the application's own.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString};
use statsig_engine::{Event, EventValue, custom_event};

use crate::arguments::text_argument;
use crate::clock::now_ms;
use crate::errors::wrong_type;
use crate::evaluator::PyEvaluator;
use crate::extract::{Place, mapping_attribute, text};
use crate::user::with_caller;

impl PyEvaluator {
    pub(crate) fn log_written(&self, user: &Bound<'_, PyAny>, members: String) -> PyResult<()> {
        with_caller(user, |caller| {
            let Some(events) = &self.events else {
                return Ok(());
            };
            let loaded = self.current.share(user.py());
            let tier = loaded.and_then(|loaded| loaded.ruleset.shared_default_environment());
            let event = Event::written(now_ms(), tier, Some(caller.keep()), members);
            Ok(events.get().change(user.py(), |log| log.push(event))?)
        })
    }
}

/// The event but for its time and user. A number is a float, as in the official package.
pub(crate) fn custom_event_members(
    event_name: &Bound<'_, PyAny>,
    value: Option<&Bound<'_, PyAny>>,
    metadata: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    let name = text_argument("event_name", event_name)?;
    let metadata = metadata.map(|metadata| mapping_attribute("metadata", metadata)).transpose()?;
    let value = match value {
        None => EventValue::Nothing,
        Some(value) => {
            if let Ok(value) = value.cast::<PyString>() {
                EventValue::Text(text(Place::Argument("value"), value)?)
            } else if value.is_instance_of::<PyFloat>()
                || value.is_instance_of::<PyInt>()
                || value.is_instance_of::<PyBool>()
            {
                EventValue::Number(value.extract().map_err(|_| {
                    PyValueError::new_err(
                        "argument 'value': expected a number below 2**1024, got a larger one",
                    )
                })?)
            } else {
                return Err(wrong_type("value", "str, float, int or None", value));
            }
        }
    };
    Ok(custom_event(name, value, metadata.as_ref()))
}

pub(crate) fn identify_members() -> String {
    custom_event("statsig::identify", EventValue::Nothing, None)
}
