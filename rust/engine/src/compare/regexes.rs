//! `str_matches`: an unanchored search in the reference's regular expression dialect.

use fancy_regex::Regex;

use crate::value::{Scratch, Value};

/// An invalid pattern matches nothing, and so does one that hits the backtracking limit.
pub(crate) fn compile(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

/// Unlike in the string family a missing value is not the empty text: it never matches.
pub(crate) fn matches(value: Value<'_>, regex: &Regex) -> bool {
    let mut scratch = Scratch::new();
    value.text(&mut scratch).is_some_and(|text| regex.is_match(text).unwrap_or(false))
}
