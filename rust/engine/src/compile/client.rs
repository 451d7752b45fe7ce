//! The parts of a payload that are meant for client SDKs.

use serde_json::value::RawValue;
use serde_json::{Map as Members, Value};

use super::{optional, parse};
use crate::client::{Client, Parameter, Recording, Store, Trigger};
use crate::error::LoadError;
use crate::json::{normal, write_json_string, write_list, write_next_name};
use crate::user::{Attribute, AttributeMap, PackedUser, UserBuilder};
use crate::wire::client::{ParameterStore, Privacy, SessionReplay};
use crate::wire::{self, Map, Payload, Text};

/// Parameter stores must have been checked before.
pub(super) fn compile(payload: &Payload<'_>) -> Result<Client, LoadError> {
    let replay: Option<SessionReplay<'_>> =
        optional("session_replay_info", payload.session_replay_info, "session replay settings")?;
    let stores: Option<Map<'_, ParameterStore<'_>>> =
        optional("param_stores", payload.param_stores, "an object of parameter stores")?;
    Ok(Client {
        app_ids: app_ids("sdk_keys_to_app_ids", payload.sdk_keys_to_app_ids)?,
        app_ids_by_hash: app_ids("hashed_sdk_keys_to_app_ids", payload.hashed_sdk_keys_to_app_ids)?,
        recording: replay.map(recording),
        stores: stores.into_iter().flat_map(|stores| stores.0).map(store).collect::<Result<_, _>>()?,
    })
}

/// The payload's `app_id` as the only attribute of a user.
pub(super) fn app_id(raw: Option<&RawValue>) -> Result<PackedUser, LoadError> {
    let value = optional("app_id", raw, "JSON data")?.unwrap_or(Value::Null);
    Ok(packed(Members::from_iter([("app_id".to_owned(), value)])))
}

fn app_ids(field: &'static str, raw: Option<&RawValue>) -> Result<Option<PackedUser>, LoadError> {
    Ok(optional(field, raw, "an object of app ids")?.map(packed))
}

fn packed(members: Members<String, Value>) -> PackedUser {
    fn attribute(value: Value) -> Attribute {
        match value {
            Value::Null => Attribute::Null,
            Value::Bool(value) => Attribute::Bool(value),
            Value::Number(number) => number
                .as_i64()
                .map_or_else(|| Attribute::Float(number.as_f64().unwrap_or(f64::NAN)), Attribute::Int),
            Value::String(text) => Attribute::Text(text),
            Value::Array(items) => Attribute::Array(items.into_iter().map(attribute).collect()),
            Value::Object(members) => {
                Attribute::Object(members.into_iter().map(|(key, value)| (key, attribute(value))).collect())
            }
        }
    }
    let mut builder = UserBuilder::in_order();
    builder.begin(AttributeMap::Custom, members.len());
    for (key, value) in members {
        builder.attribute(&key, &attribute(value));
    }
    builder.finish().unwrap_or_default()
}

fn recording(replay: SessionReplay<'_>) -> Recording {
    Recording {
        rate: replay.sampling_rate,
        targeting_gate: replay.targeting_gate.map(|name| (*name).into()),
        blocked: replay.recording_blocked,
        event_triggers: replay.session_recording_event_triggers.map(triggers),
        exposure_triggers: replay.session_recording_exposure_triggers.map(triggers),
        privacy: replay.session_recording_privacy_settings.as_ref().map(privacy),
    }
}

fn triggers(triggers: Map<'_, wire::client::Trigger<'_>>) -> Box<[Trigger]> {
    let compiled = triggers.0.into_iter().map(|(name, trigger)| Trigger {
        name: (*name).into(),
        rate: trigger.sampling_rate,
        values: trigger.values.map(|values| {
            let mut json = String::new();
            write_texts(&mut json, &values);
            json.into()
        }),
    });
    compiled.collect()
}

fn privacy(settings: &Privacy<'_>) -> Box<str> {
    let mut json = "{\"privacy_mode\":".to_owned();
    write_json_string(&mut json, &settings.mode);
    for (name, elements) in [
        ("unmasked_elements", &settings.unmasked_elements),
        ("masked_elements", &settings.masked_elements),
        ("blocked_elements", &settings.blocked_elements),
    ] {
        if let Some(elements) = elements {
            write_next_name(&mut json, name);
            write_texts(&mut json, elements);
        }
    }
    json.push('}');
    json.into()
}

fn store((name, store): (Text<'_>, ParameterStore<'_>)) -> Result<Store, LoadError> {
    let parameter = |(parameter, members): (Text<'_>, Map<'_, &RawValue>)| {
        compile_parameter(&parameter, &members).map_err(|message| LoadError::Field {
            path: format!("param_stores.{}.parameters.{}", &*name, &*parameter),
            message,
        })
    };
    Ok(Store {
        target_apps: store.target_app_ids.iter().flatten().map(|id| (**id).into()).collect(),
        parameters: store.parameters.0.into_iter().map(parameter).collect::<Result<_, _>>()?,
        name: (*name).into(),
    })
}

/// The members that make a parameter one whose value another spec decides: the spec's name, and what
/// else has to be there, as text or as any value. The first kind that fits counts.
const REFERENCES: [(&str, &[&str], &[&str]); 4] = [
    ("gate_name", &[], &["pass_value", "fail_value"]),
    ("config_name", &["param_name"], &[]),
    ("experiment_name", &["param_name"], &[]),
    ("layer_name", &["param_name"], &[]),
];

fn compile_parameter(name: &str, members: &Map<'_, &RawValue>) -> Result<Parameter, String> {
    let raw = |wanted| members.0.iter().rev().find(|(name, _)| &**name == wanted).map(|(_, raw)| *raw);
    let text = |wanted| raw(wanted).and_then(|raw| parse::<Text<'_>>(raw).ok());
    let any = |wanted| raw(wanted).and_then(|raw| normal(raw.get()).ok());

    let mut before = String::new();
    write_json_string(&mut before, name);
    before.push_str(":{\"name\":");
    write_json_string(&mut before, name);
    for member in ["ref_type", "param_type"] {
        write_next_name(&mut before, member);
        write_json_string(&mut before, &text(member).ok_or("`ref_type` and `param_type` are needed")?);
    }
    if let Some(value) = any("value") {
        write_next_name(&mut before, "value");
        before.push_str(&value);
        before.push('}');
        return Ok(Parameter { before: before.into(), spec: None, after: "".into() });
    }
    for (reference, texts, values) in REFERENCES {
        let texts: Option<Vec<_>> = texts.iter().map(|name| Some((name, text(name)?))).collect();
        let values: Option<Vec<_>> = values.iter().map(|name| Some((name, any(name)?))).collect();
        if let (Some(spec), Some(texts), Some(values)) = (text(reference), texts, values) {
            write_next_name(&mut before, reference);
            let mut after = String::new();
            for (name, text) in texts {
                write_next_name(&mut after, name);
                write_json_string(&mut after, &text);
            }
            for (name, value) in values {
                write_next_name(&mut after, name);
                after.push_str(&value);
            }
            after.push('}');
            return Ok(Parameter { before: before.into(), spec: Some((*spec).into()), after: after.into() });
        }
    }
    Err("expected a value or the name of a spec that decides it".to_owned())
}

fn write_texts(json: &mut String, texts: &[Text<'_>]) {
    write_list(json, ['[', ']'], texts, |json, text| write_json_string(json, text));
}
