//! A user's value and its faces.
//!
//! An operator looks at the face it needs: the text, the number, the whole number, the time. "None"
//! means that the value has no such face, and then the comparison is as with a missing value.

use std::fmt::Write;

use crate::compare::times;
use crate::user::Entry;

/// A borrowed attribute value.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Null or absent: nothing tells them apart.
    Null,
    /// A boolean.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A float, or an integer that does not fit into 64 bits.
    Float(f64),
    /// Text.
    Text(&'a str),
    /// A list.
    Array(Array<'a>),
    /// A mapping.
    Object(Object<'a>),
    /// The current time, ms since the epoch. It has only the whole-number face.
    Now(i64),
}

/// A borrowed list.
#[derive(Clone, Copy, Debug)]
pub struct Array<'a> {
    pub(crate) json: &'a str,
    pub(crate) items: &'a [Entry],
    pub(crate) text: &'a str,
    pub(crate) nested: &'a [Entry],
}

/// A borrowed mapping.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    pub(crate) members: &'a [Entry],
    pub(crate) text: &'a str,
    pub(crate) nested: &'a [Entry],
}

/// Room for the text of a number or a lower-cased string: on the stack unless it is long.
pub(crate) type Scratch = smallvec::SmallVec<[u8; 128]>;

/// Integers up to this size are their own f64 text.
const EXACT_IN_F64: u64 = 1 << 53;

/// Beyond this a float has no whole-number face. The limit itself has one, 2^63-1.
const I64_LIMIT: f64 = 9_223_372_036_854_775_808.0;

impl<'a> Value<'a> {
    /// The text face; numbers are written into `scratch`.
    pub(crate) fn text<'s>(self, scratch: &'s mut Scratch) -> Option<&'s str>
    where
        'a: 's,
    {
        match self {
            Value::Text(text) => Some(text),
            Value::Bool(true) => Some("true"),
            Value::Bool(false) => Some("false"),
            Value::Int(value) if value.unsigned_abs() <= EXACT_IN_F64 => Some(write(scratch, value)),
            Value::Int(value) => Some(write(scratch, value as f64)),
            Value::Float(value) if !value.is_finite() => Value::Int(whole(value)).text(scratch),
            // `Display` writes the shortest digits that round-trip and never an exponent.
            Value::Float(value) => Some(write(scratch, value)),
            Value::Array(array) => Some(array.json),
            Value::Null | Value::Object(_) | Value::Now(_) => None,
        }
    }

    pub(crate) fn number(self) -> Option<f64> {
        match self {
            Value::Int(value) => Some(value as f64),
            Value::Float(value) if !value.is_finite() => Some(whole(value) as f64),
            Value::Float(value) => Some(value),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// Milliseconds since the epoch, before the seconds rule of the user side.
    pub(crate) fn time(self) -> Option<i64> {
        match self {
            Value::Int(value) | Value::Now(value) => Some(value),
            Value::Float(value) if !value.is_finite() => Some(whole(value)),
            Value::Float(value) if value.fract() == 0.0 && value.abs() <= I64_LIMIT => Some(value as i64),
            Value::Text(text) => times::parse_user(text),
            _ => None,
        }
    }

    pub(crate) fn is_null(self) -> bool {
        matches!(self, Value::Null | Value::Now(_))
    }
}

/// What the reference takes a float for that JSON cannot hold: the whole number next to it, 0 for NaN.
pub(crate) fn whole(value: f64) -> i64 {
    value as i64
}

fn write(scratch: &mut Scratch, value: impl std::fmt::Display) -> &str {
    struct Out<'s>(&'s mut Scratch);
    impl Write for Out<'_> {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }
    scratch.clear();
    // `Out` never fails, and what `Display` writes is UTF-8.
    let _ = write!(Out(scratch), "{value}");
    std::str::from_utf8(scratch).unwrap_or_default()
}

/// The full Unicode lower-case form, in `scratch` unless `text` already is its own.
pub(crate) fn lower<'s>(text: &'s str, scratch: &'s mut Scratch) -> &'s str {
    if is_lower_ascii(text) {
        return text;
    }
    if text.is_ascii() {
        scratch.clear();
        scratch.extend(text.bytes().map(|byte| byte.to_ascii_lowercase()));
    } else {
        scratch.clear();
        scratch.extend_from_slice(text.to_lowercase().as_bytes());
    }
    std::str::from_utf8(scratch).unwrap_or_default()
}

/// True if a text is ASCII without upper-case letters, eight bytes at a time.
fn is_lower_ascii(text: &str) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = 0x80 * ONES;
    let other = |word: [u8; 8]| {
        let word = u64::from_ne_bytes(word);
        // Of ASCII, the high bit of a sum says whether a byte is at least `A`, or beyond `Z`.
        let from_a = (word & !HIGH) + (0x80 - u64::from(b'A')) * ONES;
        let beyond_z = (word & !HIGH) + (0x80 - u64::from(b'Z') - 1) * ONES;
        (word | (from_a ^ beyond_z)) & HIGH != 0
    };
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    !words.iter().any(|&word| other(word)) && !other(last)
}

#[cfg(test)]
mod tests {
    use super::is_lower_ascii;

    #[test]
    fn every_byte_at_every_place() {
        for length in 1..=17 {
            for place in 0..length {
                for byte in 0..0x80 {
                    let mut text = vec![b'z'; length];
                    text[place] = byte;
                    let text = String::from_utf8(text).unwrap();
                    assert_eq!(is_lower_ascii(&text), !byte.is_ascii_uppercase(), "{text:?}");
                }
                let text = format!("{}é{}", "a".repeat(place), "A".repeat(length - place - 1));
                assert!(!is_lower_ascii(&text), "{text:?}");
            }
        }
        assert!(is_lower_ascii(""));
    }
}
