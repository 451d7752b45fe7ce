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
struct SessionReplay<'a> {
    #[serde(rename = "sampling_rate")]
    _sampling_rate: Option<f64>,
    #[serde(borrow, rename = "targeting_gate")]
    _targeting_gate: Option<Text<'a>>,
    #[serde(rename = "recording_blocked")]
    _recording_blocked: Option<bool>,
    #[serde(rename = "session_recording_event_triggers")]
    _event_triggers: Option<Map<'a, Trigger<'a>>>,
    #[serde(rename = "session_recording_exposure_triggers")]
    _exposure_triggers: Option<Map<'a, Trigger<'a>>>,
    #[serde(rename = "session_recording_privacy_settings")]
    _privacy: Option<Privacy<'a>>,
}

#[derive(Deserialize)]
struct Privacy<'a> {
    #[serde(borrow, rename = "privacy_mode")]
    _mode: Text<'a>,
    #[serde(rename = "unmasked_elements")]
    _unmasked: Option<Vec<Text<'a>>>,
    #[serde(rename = "masked_elements")]
    _masked: Option<Vec<Text<'a>>>,
    #[serde(rename = "blocked_elements")]
    _blocked: Option<Vec<Text<'a>>>,
}

#[derive(Deserialize)]
struct Trigger<'a> {
    #[serde(rename = "sampling_rate")]
    _sampling_rate: Option<f64>,
    #[serde(borrow, rename = "values")]
    _values: Option<Vec<Text<'a>>>,
    #[serde(rename = "passes_sampling")]
    _passes_sampling: Option<bool>,
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
    is::<AnyMap<'_>>("sdk_keys_to_app_ids", payload.sdk_keys_to_app_ids, "an object")?;
    is::<AnyMap<'_>>("hashed_sdk_keys_to_app_ids", payload.hashed_sdk_keys_to_app_ids, "an object")?;
    is::<Map<'_, ParameterStore<'_>>>("param_stores", payload.param_stores, "an object of parameter stores")?;
    is::<SessionReplay<'_>>("session_replay_info", payload.session_replay_info, "session replay settings")?;
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
