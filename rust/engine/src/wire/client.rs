//! The parts of a payload that are meant for client SDKs.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Map, Text};

/// How sessions are recorded.
#[derive(Deserialize)]
#[serde(expecting = "session replay settings (an object)")]
pub(crate) struct SessionReplay<'a> {
    pub(crate) sampling_rate: Option<f64>,
    #[serde(borrow)]
    pub(crate) targeting_gate: Option<Text<'a>>,
    pub(crate) recording_blocked: Option<bool>,
    pub(crate) session_recording_event_triggers: Option<Map<'a, Trigger<'a>>>,
    pub(crate) session_recording_exposure_triggers: Option<Map<'a, Trigger<'a>>>,
    pub(crate) session_recording_privacy_settings: Option<Privacy<'a>>,
}

/// What is hidden in recordings.
#[derive(Deserialize)]
#[serde(expecting = "privacy settings (an object)")]
pub(crate) struct Privacy<'a> {
    #[serde(borrow, rename = "privacy_mode")]
    pub(crate) mode: Text<'a>,
    pub(crate) unmasked_elements: Option<Vec<Text<'a>>>,
    pub(crate) masked_elements: Option<Vec<Text<'a>>>,
    pub(crate) blocked_elements: Option<Vec<Text<'a>>>,
}

/// What starts a recording.
#[derive(Deserialize)]
#[serde(expecting = "a trigger (an object)")]
pub(crate) struct Trigger<'a> {
    pub(crate) sampling_rate: Option<f64>,
    #[serde(borrow)]
    pub(crate) values: Option<Vec<Text<'a>>>,
    /// Read for its type only: it is found out for every response.
    #[serde(rename = "passes_sampling")]
    pub(crate) _passes_sampling: Option<bool>,
}

/// A parameter store; what its parameters are follows from the members they have.
#[derive(Deserialize)]
pub(crate) struct ParameterStore<'a> {
    #[serde(borrow)]
    pub(crate) parameters: Map<'a, Map<'a, &'a RawValue>>,
    #[serde(rename = "targetAppIDs")]
    pub(crate) target_app_ids: Option<Vec<Text<'a>>>,
}
