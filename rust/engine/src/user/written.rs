//! A user as JSON, as it leaves the process: in a response and with events.

use std::fmt::Write;

use super::{AttributeMap, StandardField, UserView};
use crate::json::{write_json_float, write_json_string, write_list, write_next_name};
use crate::value::Value;

const FIELDS: [(StandardField, &str); 6] = [
    (StandardField::Email, "email"),
    (StandardField::Ip, "ip"),
    (StandardField::UserAgent, "userAgent"),
    (StandardField::Country, "country"),
    (StandardField::Locale, "locale"),
    (StandardField::AppVersion, "appVersion"),
];

/// The user without private attributes, with what the application says about every user: `global`, and `tier`
/// where the user brings no environment.
pub(crate) fn write_user(out: &mut String, user: &UserView<'_>, global: &UserView<'_>, tier: Option<&str>) {
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
    } else if let Some(tier) = tier {
        write_next_name(out, "statsigEnvironment");
        write_members(out, [("tier", Value::Text(tier))]);
    }
    out.push('}');
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
pub(crate) fn finite(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Float(number) if !number.is_finite() => Value::Int(number as i64),
        value => value,
    }
}
