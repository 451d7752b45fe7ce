//! What a payload says that only client SDKs are told: which app a key belongs to, how sessions are
//! recorded, and parameter stores as they are defined.

use crate::user::PackedUser;

/// The part of a ruleset that checks do not look at.
#[derive(Debug, Default)]
pub(crate) struct Client {
    /// App ids by client key, as user attributes, so that any JSON works as a value.
    pub(crate) app_ids: Option<PackedUser>,
    /// The same by the hash of the key.
    pub(crate) app_ids_by_hash: Option<PackedUser>,
    pub(crate) recording: Option<Recording>,
    pub(crate) stores: Box<[Store]>,
}

/// How sessions are recorded.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) rate: Option<f64>,
    pub(crate) targeting_gate: Option<Box<str>>,
    pub(crate) blocked: Option<bool>,
    pub(crate) event_triggers: Option<Box<[Trigger]>>,
    pub(crate) exposure_triggers: Option<Box<[Trigger]>>,
    /// As JSON.
    pub(crate) privacy: Option<Box<str>>,
}

/// What starts a recording.
#[derive(Debug)]
pub(crate) struct Trigger {
    pub(crate) name: Box<str>,
    pub(crate) rate: Option<f64>,
    /// As JSON.
    pub(crate) values: Option<Box<str>>,
}

/// A parameter store.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) name: Box<str>,
    pub(crate) target_apps: Box<[Box<str>]>,
    pub(crate) parameters: Box<[Parameter]>,
}

/// A parameter's definition: JSON but for the name of a spec in it, which is hashed as asked for.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) before: Box<str>,
    pub(crate) spec: Option<Box<str>>,
    pub(crate) after: Box<str>,
}
