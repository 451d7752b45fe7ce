//! What a client SDK starts from: everything a user gets, in one JSON text.
//!
//! It equals the reference's as JSON; the order of members is another one.

mod names;
mod recording;
mod specs;
mod user;

pub use names::NameHash;

use hashbrown::HashSet;
use std::fmt::Write;

use crate::client::Store;
use crate::compile::Hasher;
use crate::eval::Input;
use crate::evaluation::SecondaryExposure;
use crate::json::{write_json_string, write_list, write_next_name};
use crate::overrides::OverrideValue;
use crate::ruleset::{JsonKind, Ruleset, SpecKind, ValueId};
use crate::user::{AttributeMap, Key, PackedUser, write_user};
use crate::value::{Scratch, Value};
use names::djb2;

/// What a response depends on besides ruleset and user.
#[derive(Clone, Copy, Debug)]
pub struct ResponseOptions<'a> {
    /// How names are written.
    pub hash: NameHash,
    /// The key of the client SDK. What is not meant for its app is left out, and `target_app` conditions
    /// see that app.
    pub client_key: Option<&'a str>,
    /// What the client is told about the SDK that wrote the response.
    pub sdk: SdkInfo<'a>,
    /// From 0 up to 1, drawn anew for each response: which sessions are recorded.
    pub random: f64,
}

/// An SDK.
#[derive(Clone, Copy, Debug)]
pub struct SdkInfo<'a> {
    /// Its name.
    pub kind: &'a str,
    /// Its version.
    pub version: &'a str,
    /// The session it runs in.
    pub session: &'a str,
}

/// Evaluates every spec for a user and writes the results as the response to a client SDK's request.
///
/// Without a ruleset there are none. One spec that is nested too deeply makes the whole response one
/// that has no updates, as in the reference.
#[must_use]
pub fn client_response(
    ruleset: Option<&Ruleset>,
    input: &Input<'_>,
    options: &ResponseOptions<'_>,
) -> String {
    let Some(ruleset) = ruleset else {
        let mut out = NO_SPECS.to_owned();
        write_top(&mut out, 0, input, options);
        out.push_str(",\"param_stores\":{}");
        user::write_private_hash(&mut out, &input.user);
        out.push('}');
        return out;
    };
    let app = options.client_key.map(|key| app(ruleset, key));
    let mut scratch = Scratch::new();
    let mut writer = Writer {
        out: String::with_capacity(ruleset.specs().len() * TYPICAL_LEN),
        ruleset,
        input: Input { app_id: app, ..*input },
        options,
        app: app.and_then(|app| app.text(&mut scratch)),
        exposures: HashSet::default(),
    };
    if writer.response().is_err() {
        let mut out = NO_SPECS.to_owned();
        out.push_str(",\"time\":0,\"has_updates\":false,\"hash_used\":\"\",\"user\":");
        write_user(&mut out, &input.user, &input.global, input.tier);
        out.push_str(",\"sdkInfo\":{},\"sdkParams\":{},\"evaluated_keys\":{},\"param_stores\":{}");
        user::write_private_hash(&mut out, &input.user);
        out.push('}');
        return out;
    }
    writer.out
}

const NO_SPECS: &str = "{\"feature_gates\":{},\"dynamic_configs\":{},\"layer_configs\":{}";

/// Bytes per spec.
const TYPICAL_LEN: usize = 320;

/// The app of a client key; null if it has none. What a map of keys says counts even where it has no
/// entry, and the later map goes before the earlier.
fn app<'r>(ruleset: &'r Ruleset, key: &str) -> Value<'r> {
    let entry = |apps: &'r PackedUser, key: &str| {
        apps.view().attribute(AttributeMap::Custom, &Key::new(key)).unwrap_or(Value::Null)
    };
    let client = &ruleset.client;
    if let Some(apps) = &client.app_ids_by_hash {
        return entry(apps, &djb2(key).to_string());
    }
    client.app_ids.as_ref().map_or_else(|| ruleset.app_id(), |apps| entry(apps, key))
}

fn write_top(out: &mut String, time: u64, input: &Input<'_>, options: &ResponseOptions<'_>) {
    // Writing to a string cannot fail.
    let _ = write!(out, ",\"time\":{time},\"has_updates\":true,\"hash_used\":\"{}\"", options.hash.name());
    out.push_str(",\"user\":");
    write_user(out, &input.user, &input.global, input.tier);
    let SdkInfo { kind, version, session } = options.sdk;
    for (name, text) in
        [(",\"sdkInfo\":{\"sdkType\":", kind), (",\"sdkVersion\":", version), (",\"sessionId\":", session)]
    {
        out.push_str(name);
        write_json_string(out, text);
    }
    out.push_str("},\"sdkParams\":{},\"evaluated_keys\":");
    user::write_keys(out, &input.user);
}

/// A spec is nested too deeply.
struct TooDeep;

type Outcome = Result<(), TooDeep>;

struct Writer<'a> {
    out: String,
    ruleset: &'a Ruleset,
    input: Input<'a>,
    options: &'a ResponseOptions<'a>,
    /// Only what is meant for this app is listed.
    app: Option<&'a str>,
    /// Those of the list being written.
    exposures: HashSet<SecondaryExposure, Hasher>,
}

impl<'a> Writer<'a> {
    fn response(&mut self) -> Outcome {
        self.out.push_str("{\"feature_gates\":");
        self.specs(SpecKind::Gate)?;
        self.name("dynamic_configs");
        self.specs(SpecKind::Config)?;
        self.name("layer_configs");
        self.specs(SpecKind::Layer)?;
        write_top(&mut self.out, self.ruleset.time(), &self.input, self.options);
        self.name("param_stores");
        self.stores();
        user::write_private_hash(&mut self.out, &self.input.user);
        if let Some(recording) = &self.ruleset.client.recording {
            self.recording(recording);
        }
        self.out.push('}');
        Ok(())
    }

    fn stores(&mut self) {
        let (hash, app) = (self.options.hash, self.app);
        let listed = |store: &&Store| app.is_none_or(|app| store.target_apps.iter().any(|id| **id == *app));
        let stores = self.ruleset.client.stores.iter().filter(listed);
        write_list(&mut self.out, ['{', '}'], stores, |out, store| {
            hash.write(out, &store.name);
            out.push(':');
            write_list(out, ['{', '}'], &store.parameters, |out, parameter| {
                out.push_str(&parameter.before);
                if let Some(spec) = &parameter.spec {
                    hash.write(out, spec);
                }
                out.push_str(&parameter.after);
            });
        });
    }

    /// What is no object is an empty one, but for booleans and null, which clients get as they are.
    fn json(&self, id: ValueId) -> &'a str {
        if let Some(index) = id.override_index() {
            return self.input.overrides.and_then(|set| set.value(index)).map_or("{}", OverrideValue::json);
        }
        let value = self.ruleset.value(id);
        if value.kind() == JsonKind::Other { "{}" } else { value.json() }
    }

    fn name(&mut self, name: &str) {
        write_next_name(&mut self.out, name);
    }

    fn bool(&mut self, name: &str, value: bool) {
        self.name(name);
        self.out.push_str(if value { "true" } else { "false" });
    }

    fn string(&mut self, name: &str, text: &str) {
        self.name(name);
        write_json_string(&mut self.out, text);
    }

    fn hashed(&mut self, name: &str, text: &str) {
        self.name(name);
        self.options.hash.write(&mut self.out, text);
    }
}
