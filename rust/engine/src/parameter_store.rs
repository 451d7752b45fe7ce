//! Parameter stores: parameters whose values are set in the store, or come from gates, configs,
//! experiments and layers.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde_json::value::RawValue;

use crate::eval::{Input, evaluate};
use crate::evaluation::Evaluation;
use crate::json::{members, write_json};
use crate::ruleset::{CheckKind, Ruleset};
use crate::wire::Map;
use crate::wire::parameter_store as wire;

/// Where the value of a parameter comes from. Values are JSON.
#[derive(Debug)]
enum Parameter {
    Static(Box<str>),
    Gate { name: Box<str>, pass: Box<str>, fail: Box<str> },
    Member { kind: CheckKind, name: Box<str>, member: Box<str> },
}

/// Parameters by name.
#[derive(Debug)]
pub struct ParameterStore(HashMap<Box<str>, Parameter, FixedState>);

/// The stores of a payload by name. Of several with one name the last counts.
pub(crate) type ParameterStores = HashMap<Box<str>, ParameterStore, FixedState>;

/// What a parameter is for one user.
#[derive(Debug)]
pub struct ParameterReading<'a> {
    /// The check the value comes from; None if it is set in the store.
    pub check: Option<ParameterCheck<'a>>,
    /// The value.
    pub value: ParameterValue<'a>,
}

/// The check behind a parameter.
#[derive(Debug)]
pub struct ParameterCheck<'a> {
    /// What was asked for.
    pub kind: CheckKind,
    /// Its name.
    pub name: &'a str,
    /// Its result.
    pub evaluation: Evaluation,
}

/// Where the value of a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterValue<'a> {
    /// It is this JSON.
    Json(&'a str),
    /// It is the member of this name in the value of the check, if there is one.
    Member(&'a str),
}

impl ParameterStore {
    /// Reads what an application sets a store to: a JSON object of parameters. What has the form of a
    /// parameter in a payload is one; anything else is a value.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, if it is not a JSON object.
    pub fn new(json: &str) -> Result<Self, String> {
        let read = || -> Result<Map<'_, &RawValue>, serde_json::Error> {
            members(json)?;
            serde_json::from_str(json)
        };
        let members = read().map_err(|error| error.to_string())?;
        let parameter = |raw: &RawValue| match serde_json::from_str::<wire::Parameter<'_>>(raw.get()) {
            Ok(parameter) => Parameter::new(parameter.source),
            Err(_) => Parameter::Static(raw.get().into()),
        };
        Ok(Self(members.0.into_iter().map(|(name, raw)| ((*name).into(), parameter(raw))).collect()))
    }

    pub(crate) fn compile(store: wire::ParameterStore<'_>) -> Self {
        let parameters = store.parameters.0.into_iter();
        Self(parameters.map(|(name, parameter)| ((*name).into(), Parameter::new(parameter.source))).collect())
    }
}

impl Parameter {
    fn new(source: wire::ParameterSource) -> Self {
        let member = |kind, name: String, member: String| Self::Member {
            kind,
            name: name.into(),
            member: member.into(),
        };
        match source {
            wire::ParameterSource::Static { value } => Self::Static(json(&value)),
            wire::ParameterSource::Gate { gate_name, pass_value, fail_value } => {
                Self::Gate { name: gate_name.into(), pass: json(&pass_value), fail: json(&fail_value) }
            }
            wire::ParameterSource::Config { config_name, param_name } => {
                member(CheckKind::Config, config_name, param_name)
            }
            wire::ParameterSource::Experiment { experiment_name, param_name } => {
                member(CheckKind::Experiment, experiment_name, param_name)
            }
            wire::ParameterSource::Layer { layer_name, param_name } => {
                member(CheckKind::Layer, layer_name, param_name)
            }
        }
    }

    fn read<'a>(&'a self, ruleset: &Ruleset, input: &Input<'_>) -> ParameterReading<'a> {
        let check = |kind, name: &'a str| ParameterCheck {
            kind,
            name,
            evaluation: evaluate(ruleset, kind, name, input),
        };
        match self {
            Self::Static(json) => ParameterReading { check: None, value: ParameterValue::Json(json) },
            Self::Gate { name, pass, fail } => {
                let check = check(CheckKind::Gate, name);
                let value = ParameterValue::Json(if check.evaluation.passes { pass } else { fail });
                ParameterReading { check: Some(check), value }
            }
            Self::Member { kind, name, member } => {
                ParameterReading { check: Some(check(*kind, name)), value: ParameterValue::Member(member) }
            }
        }
    }
}

fn json(value: &serde_json::Value) -> Box<str> {
    let mut json = String::new();
    write_json(&mut json, value);
    json.into()
}

/// Reads a parameter for a user: of what the application sets the store to, else of the payload's store.
/// None if there is no such store or parameter.
#[must_use]
pub fn read_parameter<'a>(
    ruleset: &'a Ruleset,
    store: &str,
    name: &str,
    input: &Input<'a>,
) -> Option<ParameterReading<'a>> {
    let set = input.overrides.and_then(|overrides| overrides.find_parameter_store(store, &input.user));
    let store = set.or_else(|| ruleset.parameter_stores.get(store))?;
    Some(store.0.get(name)?.read(ruleset, input))
}
