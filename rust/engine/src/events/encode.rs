//! Events as JSON.

use hashbrown::HashMap;
use std::fmt::Write;

use super::exposure::{Exposure, Subject};
use super::{Basis, Event, EventUser, Sampled, SamplingMode, What};
use crate::evaluation::Reason;
use crate::json::{write_json_float, write_json_string, write_list, write_next_name};
use crate::ruleset::Ruleset;
use crate::user::{Attribute, UserView, write_attribute, write_user};

/// What is said of the application with every event.
#[derive(Clone, Copy, Debug)]
pub struct Application<'a> {
    /// Attributes every user has.
    pub global: UserView<'a>,
    /// The tier of users who bring no environment; that of the ruleset, if it is not given.
    pub tier: Option<&'a str>,
}

/// What the ids of an exposure belong to.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The ruleset.
    pub ruleset: &'a Ruleset,
    /// Where it came from: the first part of reasons.
    pub source: &'a str,
    /// When it was taken, in ms since the epoch.
    pub received_at: u64,
}

/// What an exposure is of, in words.
#[derive(Clone, Copy, Debug)]
pub enum ToldSubject<'a> {
    /// A gate, and whether it passes.
    Gate(&'a str),
    /// A config or an experiment, and whether the rule passed, if that is said.
    Config(Option<bool>),
    /// A parameter of a layer, and the experiment that sets it, if one does.
    Layer {
        /// Its name.
        parameter: &'a str,
        /// Whether the experiment says that it is one of its own.
        is_explicit: bool,
        /// The experiment.
        allocated: &'a str,
    },
}

/// An exposure in words.
#[derive(Clone, Debug)]
pub struct Told<'a, S> {
    /// What it is of.
    pub subject: ToldSubject<'a>,
    /// The name that was asked for.
    pub name: &'a str,
    /// The rule that decided.
    pub rule: &'a str,
    /// Why, in the official form `source:outcome`.
    pub reason: &'a str,
    /// When the project was last changed, in ms since the epoch.
    pub time: Option<u64>,
    /// When the ruleset was taken, in ms since the epoch.
    pub received_at: Option<u64>,
    /// The version of the spec.
    pub version: Option<u32>,
    /// The spec that took the place of the one that was asked for.
    pub mapped: Option<&'a str>,
    /// The application asked for the exposure.
    pub is_manual: bool,
    /// Gates that were met: name, value as text, rule.
    pub secondary: Option<S>,
}

/// Appends an event, as a JSON object.
pub fn write_event<B: Basis, U: EventUser>(
    out: &mut String,
    event: &Event<B, U>,
    application: &Application<'_>,
) {
    out.push('{');
    let tier = match &event.what {
        What::Exposure(basis, exposure) => {
            let origin = basis.origin();
            write_exposure(out, exposure, origin);
            origin.ruleset.default_environment()
        }
        What::Written { members, tier } => {
            out.push_str(members);
            tier.as_deref()
        }
    };
    write_next_name(out, "user");
    match &event.user {
        Some(user) => write_user(out, &user.view(), &application.global, application.tier.or(tier)),
        None => out.push_str("{}"),
    }
    // Writing to a string cannot fail.
    let _ = write!(out, ",\"time\":{}}}", event.time);
}

/// The members of an exposure but time and user.
pub(super) fn exposure_members(exposure: &Exposure, origin: Origin<'_>) -> String {
    let mut out = String::new();
    write_exposure(&mut out, exposure, origin);
    out
}

fn write_exposure(out: &mut String, exposure: &Exposure, origin: Origin<'_>) {
    let ruleset = origin.ruleset;
    let subject = match &exposure.subject {
        Subject::Gate => ToldSubject::Gate(bool_text(exposure.passes)),
        Subject::Config { tells_passed } => ToldSubject::Config(tells_passed.then_some(exposure.passes)),
        Subject::Layer { parameter, is_explicit, allocated } => ToldSubject::Layer {
            parameter,
            is_explicit: *is_explicit,
            allocated: allocated.map_or("", |spec| ruleset.string(ruleset.spec(spec).name)),
        },
    };
    let mut reason = String::new();
    exposure.standing.write_reason(&mut reason, origin.source);
    let is_of_ruleset = exposure.standing.reason != Reason::TooDeep;
    let told = Told {
        subject,
        name: exposure.name.text(ruleset),
        rule: ruleset.string(exposure.rule),
        reason: &reason,
        time: is_of_ruleset.then_some(ruleset.time),
        received_at: is_of_ruleset.then_some(origin.received_at),
        version: exposure.version,
        mapped: exposure.mapped.map(|name| ruleset.string(name)),
        is_manual: exposure.is_manual,
        secondary: exposure.secondary.as_ref().map(|all| {
            all.iter().map(|met| (ruleset.string(met.gate), bool_text(met.value), ruleset.string(met.rule)))
        }),
    };
    write_told(out, told, &exposure.sampled);
}

/// The members of an exposure but time and user, for [`Event::written`].
#[must_use]
pub fn exposure_event<'a>(told: Told<'a, impl Iterator<Item = (&'a str, &'a str, &'a str)>>) -> String {
    let mut out = String::new();
    write_told(&mut out, told, &Sampled::WHOLE);
    out
}

fn write_told<'a>(
    out: &mut String,
    told: Told<'a, impl Iterator<Item = (&'a str, &'a str, &'a str)>>,
    sampled: &Sampled,
) {
    let (event, subject) = match told.subject {
        ToldSubject::Gate(_) => ("gate", "gate"),
        ToldSubject::Config(_) => ("config", "config"),
        ToldSubject::Layer { .. } => ("layer", "config"),
    };
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "\"eventName\":\"statsig::{event}_exposure\",\"value\":null,\"metadata\":{{\"{subject}\":"
    );
    write_json_string(out, told.name);
    match told.subject {
        ToldSubject::Gate(value) => member(out, "gateValue", value),
        ToldSubject::Config(Some(passed)) => member(out, "rulePassed", bool_text(passed)),
        ToldSubject::Config(None) => {}
        ToldSubject::Layer { parameter, is_explicit, allocated } => {
            member(out, "parameterName", parameter);
            member(out, "isExplicitParameter", bool_text(is_explicit));
            member(out, "allocatedExperiment", allocated);
        }
    }
    member(out, "ruleID", told.rule);
    member(out, "reason", told.reason);
    number_member(out, "lcut", told.time);
    number_member(out, "receivedAt", told.received_at);
    number_member(out, "configVersion", told.version.map(u64::from));
    if told.is_manual {
        member(out, "isManualExposure", "true");
    }
    if let Some(mapped) = told.mapped {
        member(out, "overrideConfigName", mapped);
    }
    out.push('}');
    write_next_name(out, "statsigMetadata");
    write_sampled(out, sampled);
    write_next_name(out, "secondaryExposures");
    let Some(secondary) = told.secondary else {
        out.push_str("null");
        return;
    };
    write_list(out, ['[', ']'], secondary, |out, (gate, value, rule)| {
        out.push_str("{\"gate\":");
        write_json_string(out, gate);
        member(out, "gateValue", value);
        member(out, "ruleID", rule);
        out.push('}');
    });
}

fn write_sampled(out: &mut String, sampled: &Sampled) {
    if sampled.mode == SamplingMode::Off {
        out.push_str("{}");
        return;
    }
    out.push_str("{\"samplingRate\":");
    match sampled.rate {
        // Writing to a string cannot fail.
        Some(rate) => _ = write!(out, "{rate}"),
        None => out.push_str("null"),
    }
    member(out, "samplingMode", sampled.mode.name());
    member(out, "shadowLogged", if sampled.is_chosen { "logged" } else { "dropped" });
    out.push('}');
}

/// The value of an event of the application's own.
#[derive(Clone, Copy, Debug)]
pub enum EventValue<'a> {
    /// None.
    Nothing,
    /// A number. What is not finite is written as null.
    Number(f64),
    /// Text.
    Text(&'a str),
}

/// The members of an event of the application's own but time and user, for [`Event::written`].
#[must_use]
pub fn custom_event(name: &str, value: EventValue<'_>, metadata: Option<&Attribute>) -> String {
    let mut out = String::from("\"eventName\":");
    write_json_string(&mut out, name);
    write_next_name(&mut out, "value");
    match value {
        EventValue::Nothing => out.push_str("null"),
        EventValue::Number(value) => write_json_float(&mut out, value),
        EventValue::Text(text) => write_json_string(&mut out, text),
    }
    write_next_name(&mut out, "metadata");
    match metadata {
        Some(metadata) => write_attribute(&mut out, metadata),
        None => out.push_str("null"),
    }
    out.push_str(",\"statsigMetadata\":null,\"secondaryExposures\":null");
    out
}

pub(super) fn checks_event<S>(checks: &HashMap<Box<str>, u64, S>) -> String {
    let mut counts = String::new();
    write_list(&mut counts, ['{', '}'], checks, |out, (name, count)| {
        write_json_string(out, name);
        // Writing to a string cannot fail.
        let _ = write!(out, ":{count}");
    });
    let metadata = Attribute::Object(vec![("checks".to_owned(), Attribute::Text(counts))]);
    custom_event("statsig::non_exposed_checks", EventValue::Nothing, Some(&metadata))
}

fn bool_text(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn member(out: &mut String, name: &str, text: &str) {
    write_next_name(out, name);
    write_json_string(out, text);
}

/// In the metadata of an exposure, numbers are text.
fn number_member(out: &mut String, name: &str, value: Option<u64>) {
    if let Some(value) = value {
        // Writing to a string cannot fail.
        let _ = write!(out, ",\"{name}\":\"{value}\"");
    }
}
