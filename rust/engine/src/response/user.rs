//! What a response says about the user it is for.

use std::fmt::Write;

use super::names::djb2;
use crate::eval::Input;
use crate::json::{write_json_float, write_json_string, write_list, write_next_name};
use crate::user::{AttributeMap, StandardField, UserView};
use crate::value::{Scratch, Value};

const FIELDS: [(StandardField, &str); 6] = [
    (StandardField::Email, "email"),
    (StandardField::Ip, "ip"),
    (StandardField::UserAgent, "userAgent"),
    (StandardField::Country, "country"),
    (StandardField::Locale, "locale"),
    (StandardField::AppVersion, "appVersion"),
];

/// The user without private attributes, with what the application says about every user.
pub(super) fn write_user(out: &mut String, input: &Input<'_>) {
    let Input { user, global, .. } = input;
    out.push_str("{\"userID\":");
    write_json_string(out, user.standard(StandardField::UserId).unwrap_or_default());
    for (field, name) in FIELDS {
        if let Some(text) = user.standard(field) {
            write_next_name(out, name);
            write_json_string(out, text);
        }
    }
    if user.given(AttributeMap::CustomIds) {
        write_next_name(out, "customIDs");
        write_members(out, user.attributes(AttributeMap::CustomIds));
    }
    if user.given(AttributeMap::Custom) || global.given(AttributeMap::Custom) {
        write_next_name(out, "custom");
        let own = || user.attributes(AttributeMap::Custom);
        let shared = global.attributes(AttributeMap::Custom);
        write_members(out, shared.filter(|(name, _)| !own().any(|(own, _)| own == *name)).chain(own()));
    }
    if user.given(AttributeMap::Environment) {
        write_next_name(out, "statsigEnvironment");
        write_members(out, user.attributes(AttributeMap::Environment));
    } else if let Some(tier) = input.tier {
        write_next_name(out, "statsigEnvironment");
        write_members(out, [("tier", Value::Text(tier))]);
    }
    out.push('}');
}

/// The ids that units of evaluation come from.
pub(super) fn write_keys(out: &mut String, user: &UserView<'_>) {
    out.push('{');
    let id = user.standard(StandardField::UserId).filter(|id| !id.is_empty());
    if let Some(id) = id {
        out.push_str("\"userID\":");
        write_json_string(out, id);
    }
    let ids = user.attributes(AttributeMap::CustomIds);
    if ids.len() > 0 {
        if id.is_some() {
            out.push(',');
        }
        out.push_str("\"customIDs\":");
        let mut scratch = Scratch::new();
        write_list(out, ['{', '}'], ids, |out, (name, value)| {
            write_json_string(out, name);
            out.push(':');
            write_json_string(out, finite(value).text(&mut scratch).unwrap_or_default());
        });
    }
    out.push('}');
}

/// What private attributes come to; nothing else of them leaves the process.
pub(super) fn write_private_hash(out: &mut String, user: &UserView<'_>) {
    let attributes = user.attributes(AttributeMap::Private);
    if attributes.len() == 0 {
        return;
    }
    let (mut text, mut scratch) = (String::new(), Scratch::new());
    let sum = attributes.fold(0, |sum: u32, (name, value)| {
        text.clear();
        text.push_str(name);
        text.push(':');
        text.push_str(finite(value).text(&mut scratch).unwrap_or_default());
        sum.wrapping_add(djb2(&text))
    });
    // Writing to a string cannot fail.
    let _ = write!(out, ",\"pa_hash\":\"{sum}\"");
}

fn write_members<'a>(out: &mut String, members: impl IntoIterator<Item = (&'a str, Value<'a>)>) {
    write_list(out, ['{', '}'], members, |out, (name, value)| {
        write_json_string(out, name);
        out.push(':');
        write_value(out, value);
    });
}

fn write_value(out: &mut String, value: Value<'_>) {
    match finite(value) {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if value { "true" } else { "false" }),
        Value::Int(value) | Value::Now(value) => {
            // Writing to a string cannot fail.
            let _ = write!(out, "{value}");
        }
        Value::Float(value) => write_json_float(out, value),
        Value::Text(text) => write_json_string(out, text),
        Value::Array(array) => write_list(out, ['[', ']'], array.iter(), write_value),
        Value::Object(object) => write_members(out, object.iter()),
    }
}

/// What is not finite is the nearest 64-bit integer to the reference, and NaN is 0.
fn finite(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Float(number) if !number.is_finite() => Value::Int(number as i64),
        value => value,
    }
}
