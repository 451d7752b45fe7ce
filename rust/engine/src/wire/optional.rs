//! The parts of a payload that may be absent. A wrong type anywhere in them rejects the payload, as in
//! the reference, also where nothing is done with the part.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{Map, Payload, Rule, Text};
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
struct Mapping<'a> {
    #[serde(borrow, rename = "new_config_name")]
    _new_config_name: Text<'a>,
    #[serde(rename = "rules")]
    _rules: Vec<MappingRule<'a>>,
}

#[derive(Deserialize)]
struct MappingRule<'a> {
    #[serde(borrow, rename = "rule_name")]
    _rule_name: Text<'a>,
    #[serde(rename = "start_time")]
    _start_time: Option<i64>,
}

/// A contextual multi-armed bandit.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bandit<'a> {
    #[serde(borrow, rename = "salt")]
    _salt: Text<'a>,
    #[serde(rename = "targetAppIDs")]
    _target_app_ids: Option<Vec<Text<'a>>>,
    #[serde(rename = "defaultValue")]
    _default_value: Any,
    #[serde(rename = "idType")]
    _id_type: Text<'a>,
    #[serde(rename = "enabled")]
    _enabled: bool,
    #[serde(rename = "version")]
    _version: u32,
    #[serde(rename = "sampleRate")]
    _sample_rate: f64,
    #[serde(rename = "higherIsBetter")]
    _higher_is_better: bool,
    #[serde(rename = "groups")]
    _groups: Vec<BanditGroup<'a>>,
    #[serde(rename = "config")]
    _config: Option<Map<'a, BanditWeights<'a>>>,
    #[serde(rename = "targetingGateName")]
    _targeting_gate_name: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct BanditGroup<'a> {
    #[serde(borrow, rename = "id")]
    _id: Text<'a>,
    #[serde(rename = "name")]
    _name: Text<'a>,
    #[serde(rename = "parameterValues")]
    _parameter_values: Any,
}

#[derive(Deserialize)]
struct BanditWeights<'a> {
    #[serde(rename = "alpha")]
    _alpha: f64,
    #[serde(rename = "intercept")]
    _intercept: f64,
    #[serde(rename = "records")]
    _records: f64,
    #[serde(borrow, rename = "weightsNumerical")]
    _numerical: Map<'a, f64>,
    #[serde(rename = "weightsCategorical")]
    _categorical: Map<'a, Map<'a, f64>>,
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
    override_rules(payload.override_rules)?;
    is::<Map<'_, Vec<Mapping<'_>>>>("overrides", payload.overrides, "an object of arrays of mappings")?;
    is::<Map<'_, ParameterStore<'_>>>("param_stores", payload.param_stores, "an object of parameter stores")?;
    is::<Map<'_, Bandit<'_>>>("cmab_configs", payload.cmab_configs, "an object of CMAB configs")?;
    is::<SessionReplay<'_>>("session_replay_info", payload.session_replay_info, "session replay settings")?;
    is::<AutoCapture<'_>>(
        "auto_capture_settings",
        payload.auto_capture_settings,
        "an object with disabled_events",
    )?;
    is::<ClientResponse>("gcir_config", payload.gcir_config, "an object with remove_default_value_gates")
}

fn override_rules(raw: Option<&RawValue>) -> Result<(), LoadError> {
    type Rules<'a> = Map<'a, Rule<'a, Text<'a>>>;
    let rules: Option<Rules<'_>> = optional("override_rules", raw, "an object of rules")?;
    for (name, rule) in rules.iter().flat_map(|rules| &rules.0) {
        if rule.conditions.is_none() {
            return Err(LoadError::Field {
                path: format!("override_rules.{}.conditions", &**name),
                message: "missing or null: expected an array".to_owned(),
            });
        }
    }
    Ok(())
}

fn is<'a, T: Deserialize<'a>>(
    field: &'static str,
    raw: Option<&'a RawValue>,
    expected: &'static str,
) -> Result<(), LoadError> {
    optional::<T>(field, raw, expected).map(|_| ())
}
