//! `version_*`: dotted numbers, compared part by part.

use std::cmp::Ordering;

use crate::compare::numbers::Order;
use crate::value::{Scratch, Value};

/// What the comparison has to say for the condition to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VersionTest {
    Ordered(Order),
    Equal,
    NotEqual,
}

/// The parts of a version; None for one that is not a number, which matters only if it is reached.
#[derive(Debug)]
pub(crate) struct Version(Box<[Option<i128>]>);

impl Version {
    pub(crate) fn parse(text: &str) -> Self {
        Self(parts(text).collect())
    }
}

/// Everything from the first hyphen on is ignored.
fn parts(text: &str) -> impl Iterator<Item = Option<i128>> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.bytes().position(|byte| byte == b'.' || byte == b'-');
        rest = end.filter(|&end| text.as_bytes()[end] == b'.').map(|end| &text[end + 1..]);
        Some(number(&text[..end.unwrap_or(text.len())]))
    })
}

fn number(part: &str) -> Option<i128> {
    // Up to 18 digits fit into 64 bits. What is no plain number is left to the parser.
    if matches!(part.len(), 1..=18) && part.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = part.bytes().map(|byte| i64::from(byte - b'0'));
        return Some(digits.fold(0, |number, digit| number * 10 + digit).into());
    }
    part.trim().parse().ok()
}

/// Stops at the first difference, before later parts are looked at. None if a part that had to be
/// read is not a number.
fn compare(value: &str, operand: &Version) -> Option<Ordering> {
    let mut left = parts(value);
    let mut right = operand.0.iter().copied();
    loop {
        let (a, b) = match (left.next(), right.next()) {
            (None, None) => return Some(Ordering::Equal),
            (a, b) => (a.unwrap_or(Some(0))?, b.unwrap_or(Some(0))?),
        };
        if a != b {
            return Some(a.cmp(&b));
        }
    }
}

/// False, also for `version_neq`, where either side cannot be read.
pub(crate) fn test(test: VersionTest, value: Value<'_>, operand: &Version) -> bool {
    let mut scratch = Scratch::new();
    let Some(ordering) = value.text(&mut scratch).and_then(|text| compare(text, operand)) else {
        return false;
    };
    match test {
        VersionTest::Ordered(order) => order.holds(&ordering, &Ordering::Equal),
        VersionTest::Equal => ordering.is_eq(),
        VersionTest::NotEqual => ordering.is_ne(),
    }
}
