//! The little JSON that is neither payload nor result: writing strings, checking objects.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

use crate::wire::{Map, Text};

/// Appends `text` as a JSON string.
pub(crate) fn write_json_string(out: &mut String, text: &str) {
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
        return;
    }
    // Writing a string to memory cannot fail.
    if let Ok(json) = serde_json::to_string(text) {
        out.push_str(&json);
    }
}

/// Appends a float as the reference prints it in JSON: `1e21`, `0.00001`. The spelling of
/// exponents by `serde_json` changed between versions.
pub(crate) fn write_json_float(out: &mut String, value: f64) {
    if value.is_finite() {
        out.push_str(ryu::Buffer::new().format_finite(value));
    } else {
        out.push_str("null");
    }
}

/// Appends any JSON value, compactly, members in their order.
pub(crate) fn write_json(out: &mut String, value: &serde_json::Value) {
    match value {
        serde_json::Value::Null => out.push_str("null"),
        serde_json::Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        serde_json::Value::Number(number) => match number.as_f64() {
            Some(value) if number.is_f64() => write_json_float(out, value),
            _ => out.push_str(&number.to_string()),
        },
        serde_json::Value::String(text) => write_json_string(out, text),
        serde_json::Value::Array(items) => {
            write_list(out, ['[', ']'], items, write_json);
        }
        serde_json::Value::Object(members) => write_list(out, ['{', '}'], members, |out, (key, value)| {
            write_json_string(out, key);
            out.push(':');
            write_json(out, value);
        }),
    }
}

/// Appends the name of a member that is not the first. It must need no escapes.
pub(crate) fn write_next_name(out: &mut String, name: &str) {
    out.push_str(",\"");
    out.push_str(name);
    out.push_str("\":");
}

/// Appends items between brackets, separated by commas.
pub(crate) fn write_list<I: IntoIterator>(
    out: &mut String,
    brackets: [char; 2],
    items: I,
    mut write: impl FnMut(&mut String, I::Item),
) {
    out.push(brackets[0]);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(brackets[1]);
}

/// A JSON object with numbers as the reference has them, and the names of its members.
///
/// Skipping over raw JSON leaves escapes and numbers unread, so that an unpaired surrogate or `1e999`
/// would only be found when a value is used. This reads every token.
pub(crate) fn members(json: &str) -> Result<(Cow<'_, str>, Vec<Text<'_>>), serde_json::Error> {
    let members: Map<'_, Checked> = serde_json::from_str(json)?;
    if members.0.iter().all(|(_, checked)| checked.exact) {
        return Ok((Cow::Borrowed(json), members.0.into_iter().map(|(name, _)| name).collect()));
    }
    let value: serde_json::Value = serde_json::from_str(json)?;
    let names = value.as_object().into_iter().flat_map(serde_json::Map::keys);
    Ok((Cow::Owned(written(&value)), names.map(|name| Text(Cow::Owned(name.clone()))).collect()))
}

/// Any JSON value with numbers as the reference has them.
pub(crate) fn normal(json: &str) -> Result<Cow<'_, str>, serde_json::Error> {
    if serde_json::from_str::<Checked>(json)?.exact {
        return Ok(Cow::Borrowed(json));
    }
    serde_json::from_str(json).map(|value| Cow::Owned(written(&value)))
}

fn written(value: &serde_json::Value) -> String {
    let mut json = String::new();
    write_json(&mut json, value);
    json
}

/// A JSON value of which nothing is kept.
struct Checked {
    /// False if a number reads as an integer but is a float to the reference: `-0`, or one beyond 64 bits.
    exact: bool,
}

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CheckedVisitor)
    }
}

struct CheckedVisitor;

const EXACT: Checked = Checked { exact: true };

impl<'de> Visitor<'de> for CheckedVisitor {
    type Value = Checked;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Checked, E> {
        Ok(EXACT)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Checked, E> {
        Ok(EXACT)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Checked, E> {
        Ok(EXACT)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Checked, E> {
        const BEYOND_INTEGERS: f64 = 9_223_372_036_854_775_808.0;
        let negative_zero = value == 0.0 && value.is_sign_negative();
        Ok(Checked { exact: !negative_zero && value.abs() < BEYOND_INTEGERS })
    }

    fn visit_str<E>(self, _: &str) -> Result<Checked, E> {
        Ok(EXACT)
    }

    fn visit_unit<E>(self) -> Result<Checked, E> {
        Ok(EXACT)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Checked, A::Error> {
        let mut exact = true;
        while let Some(element) = seq.next_element::<Checked>()? {
            exact &= element.exact;
        }
        Ok(Checked { exact })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Checked, A::Error> {
        let mut exact = true;
        while map.next_key::<Checked>()?.is_some() {
            exact &= map.next_value::<Checked>()?.exact;
        }
        Ok(Checked { exact })
    }
}

/// What kind of JSON value a text starts with, for error messages.
pub(crate) fn describe(json: &str) -> String {
    let json = json.trim_start();
    let word: String = json.chars().take_while(char::is_ascii_alphanumeric).take(6).collect();
    match (json.as_bytes().first(), word.as_str()) {
        (None, _) => "nothing".to_owned(),
        (Some(b'{'), _) => "an object".to_owned(),
        (Some(b'['), _) => "an array".to_owned(),
        (Some(b'"'), _) => "a string".to_owned(),
        (_, "null") => "null".to_owned(),
        (_, "true" | "false") => "a boolean".to_owned(),
        (Some(b'-' | b'0'..=b'9'), _) => {
            let of_number = |letter: &char| letter.is_ascii_alphanumeric() || "+-.".contains(*letter);
            let number: String = json.chars().take_while(of_number).take(40).collect();
            format!("the number {number}")
        }
        (Some(b'<'), _) => "markup (an HTML or XML page?)".to_owned(),
        (Some(_), _) => "something that is not JSON".to_owned(),
    }
}
