//! The parts of a payload that may be absent. A wrong type anywhere in them rejects the payload, as in
//! the reference, also where nothing is done with the part.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{Map, Payload, Text};
use crate::compile::optional;
use crate::error::LoadError;

/// Any value, but the key has to be there.
type Any = IgnoredAny;

#[derive(Deserialize)]
struct ParameterStore<'a> {
    #[serde(borrow, rename = "parameters")]
    _parameters: Map<'a, Parameter<'a>>,
    #[serde(rename = "targetAppIDs")]
    _target_app_ids: Option<Vec<Text<'a>>>,
    #[serde(rename = "version")]
    _version: Option<u32>,
    #[serde(rename = "checksum")]
    _checksum: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Parameter<'a> {
    #[serde(borrow, rename = "ref_type")]
    _ref_type: Text<'a>,
    #[serde(rename = "param_type")]
    _param_type: Text<'a>,
    #[serde(flatten)]
    _source: ParameterSource,
}

/// What a parameter is follows from the keys it has.
#[derive(Deserialize)]
#[serde(untagged)]
enum ParameterSource {
    Static {
        #[serde(rename = "value")]
        _value: Any,
    },
    Gate {
        #[serde(rename = "gate_name")]
        _gate_name: String,
        #[serde(rename = "pass_value")]
        _pass_value: Any,
        #[serde(rename = "fail_value")]
        _fail_value: Any,
    },
    Config {
        #[serde(rename = "config_name")]
        _config_name: String,
        #[serde(rename = "param_name")]
        _param_name: String,
    },
    Experiment {
        #[serde(rename = "experiment_name")]
        _experiment_name: String,
        #[serde(rename = "param_name")]
        _param_name: String,
    },
    Layer {
        #[serde(rename = "layer_name")]
        _layer_name: String,
        #[serde(rename = "param_name")]
        _param_name: String,
    },
}

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

/// A map with any members.
type AnyMap<'a> = Map<'a, Any>;

pub(crate) fn check(payload: &Payload<'_>) -> Result<(), LoadError> {
    is::<Text<'_>>("company_id", payload.company_id, "a string")?;
    is::<Text<'_>>("response_format", payload.response_format, "a string")?;
    is::<Map<'_, f64>>("diagnostics", payload.diagnostics, "an object of numbers")?;
    is::<Map<'_, bool>>("sdk_flags", payload.sdk_flags, "an object of booleans")?;
    is::<Map<'_, bool>>("id_lists", payload.id_lists, "an object of booleans")?;
    is::<AnyMap<'_>>("sdk_configs", payload.sdk_configs, "an object")?;
    is::<Map<'_, ParameterStore<'_>>>("param_stores", payload.param_stores, "an object of parameter stores")?;
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
