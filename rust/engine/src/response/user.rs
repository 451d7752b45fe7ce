//! What a response says about the user it is for, besides the user.

use std::fmt::Write;

use super::names::djb2;
use crate::json::{write_json_string, write_list};
use crate::user::{AttributeMap, StandardField, UserView, finite};
use crate::value::Scratch;

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
