//! `param_stores`: parameters whose values come from elsewhere.

use serde::Deserialize;

use super::{Map, Text};

#[derive(Deserialize, Debug)]
pub(crate) struct ParameterStore<'a> {
    #[serde(borrow)]
    pub(crate) parameters: Map<'a, Parameter<'a>>,
    #[serde(rename = "targetAppIDs")]
    _target_app_ids: Option<Vec<Text<'a>>>,
    #[serde(rename = "version")]
    _version: Option<u32>,
    #[serde(rename = "checksum")]
    _checksum: Option<Text<'a>>,
}

#[derive(Deserialize, Debug)]
pub(crate) struct Parameter<'a> {
    #[serde(borrow, rename = "ref_type")]
    _ref_type: Text<'a>,
    #[serde(rename = "param_type")]
    _param_type: Text<'a>,
    #[serde(flatten)]
    pub(crate) source: ParameterSource,
}

/// What a parameter is follows from the keys it has.
#[derive(Deserialize, Debug)]
#[serde(untagged)]
pub(crate) enum ParameterSource {
    Static { value: serde_json::Value },
    Gate { gate_name: String, pass_value: serde_json::Value, fail_value: serde_json::Value },
    Config { config_name: String, param_name: String },
    Experiment { experiment_name: String, param_name: String },
    Layer { layer_name: String, param_name: String },
}
