//! The parts of a payload that may be absent. A wrong type anywhere in them rejects the payload, as in
//! the reference, also where nothing is done with the part.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Map, Payload, Text};
use crate::compile::optional;
use crate::error::LoadError;

#[derive(Deserialize)]
struct AutoCapture<'a> {
    #[serde(borrow, rename = "disabled_events")]
    _disabled_events: Map<'a, bool>,
}

#[derive(Deserialize)]
struct ClientResponse {
    #[serde(rename = "remove_default_value_gates")]
    _remove_default_value_gates: bool,
}

pub(crate) fn check(payload: &Payload<'_>) -> Result<(), LoadError> {
    is::<Text<'_>>("company_id", payload.company_id, "a string")?;
    is::<Text<'_>>("response_format", payload.response_format, "a string")?;
    is::<Map<'_, f64>>("diagnostics", payload.diagnostics, "an object of numbers")?;
    is::<Map<'_, bool>>("sdk_flags", payload.sdk_flags, "an object of booleans")?;
    is::<Map<'_, bool>>("id_lists", payload.id_lists, "an object of booleans")?;
    is::<Map<'_, Value>>("sdk_configs", payload.sdk_configs, "an object")?;
    is::<AutoCapture<'_>>(
        "auto_capture_settings",
        payload.auto_capture_settings,
        "an object with disabled_events",
    )?;
    is::<ClientResponse>("gcir_config", payload.gcir_config, "an object with remove_default_value_gates")
}

fn is<'a, T: Deserialize<'a>>(
    field: &'static str,
    raw: Option<&'a RawValue>,
    expected: &'static str,
) -> Result<(), LoadError> {
    optional::<T>(field, raw, expected).map(|_| ())
}
