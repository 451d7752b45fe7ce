//! `before` `after` `on`, and the two spellings of a time that count.

use std::ops::RangeInclusive;

use crate::value::Value;

const DAY_MS: i64 = 86_400_000;
/// User times below this are seconds, not milliseconds.
const SECONDS_BELOW: u64 = 10_000_000_000;
/// Lengths in bytes of a user's text that are tried as a date.
const USER_DATE_LENGTHS: RangeInclusive<usize> = 8..=20;

/// How the value has to lie to the operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeTest {
    Before,
    After,
    SameDay,
}

pub(crate) fn test(test: TimeTest, value: Value<'_>, operand: i64) -> bool {
    let Some(mut time) = value.time() else {
        return false;
    };
    if time.unsigned_abs() < SECONDS_BELOW {
        time *= 1000;
    }
    match test {
        TimeTest::Before => time < operand,
        TimeTest::After => time > operand,
        // UTC days, cut toward zero: the day before the epoch and the day after it are one.
        TimeTest::SameDay => time / DAY_MS == operand / DAY_MS,
    }
}

/// A user's text as milliseconds since the epoch.
pub(crate) fn parse_user(text: &str) -> Option<i64> {
    text.parse()
        .ok()
        .or_else(|| if USER_DATE_LENGTHS.contains(&text.len()) { parse_date(text) } else { None })
}

/// A target's text as milliseconds since the epoch.
pub(crate) fn parse_target(text: &str) -> Option<i64> {
    text.parse()
        .ok()
        .or_else(|| parse_date(text))
        .or_else(|| text.parse::<f64>().ok().map(|number| number as i64))
}

fn parse_date(text: &str) -> Option<i64> {
    rfc3339(text).or_else(|| lenient(text))
}

/// `YYYY-MM-DDThh:mm:ss[.digits](Z|±hh:mm)`; the `T` may be `t` or a space, the `Z` small.
fn rfc3339(text: &str) -> Option<i64> {
    let mut cursor = Cursor(text.as_bytes());
    let year = cursor.fixed(4)?;
    cursor.byte(b"-")?;
    let month = cursor.fixed(2)?;
    cursor.byte(b"-")?;
    let day = cursor.fixed(2)?;
    cursor.byte(b"Tt ")?;
    let hour = cursor.fixed(2)?;
    cursor.byte(b":")?;
    let minute = cursor.fixed(2)?;
    cursor.byte(b":")?;
    let second = cursor.fixed(2)?;
    let mut millis = 0;
    if cursor.byte(b".").is_some() {
        let digits = cursor.digits(usize::MAX)?;
        // Cut, not rounded, to milliseconds.
        for place in 0..3 {
            millis = millis * 10 + digits.get(place).map_or(0, |digit| i64::from(digit - b'0'));
        }
    }
    let sign = match cursor.byte(b"Zz+-") {
        Some(sign) => sign,
        None => cursor.minus_sign()?,
    };
    let offset_minutes = match sign {
        b'+' | b'-' => {
            let hours = cursor.fixed(2)?;
            cursor.byte(b":")?;
            let minutes = cursor.fixed(2)?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 60 + minutes;
            if sign == b'-' { -offset } else { offset }
        }
        _ => 0,
    };
    if !cursor.0.is_empty() {
        return None;
    }
    Some(epoch_ms(year, month, day, hour, minute, second)? + millis - offset_minutes * 60_000)
}

/// `YYYY-MM-DD hh:mm:ss` in UTC. Parts may have fewer digits and white space before them, a year a sign.
fn lenient(text: &str) -> Option<i64> {
    let mut cursor = Cursor(text.as_bytes());
    cursor.skip_spaces();
    let sign = cursor.byte(b"+-");
    let year = number(cursor.digits(if sign.is_some() { 9 } else { 4 })?);
    let year = if sign == Some(b'-') { -year } else { year };
    cursor.byte(b"-")?;
    let month = cursor.short()?;
    cursor.byte(b"-")?;
    let day = cursor.short()?;
    let hour = cursor.short()?;
    cursor.byte(b":")?;
    let minute = cursor.short()?;
    cursor.byte(b":")?;
    let second = cursor.short()?;
    if cursor.0.is_empty() { epoch_ms(year, month, day, hour, minute, second) } else { None }
}

/// Years of the reference's calendar.
const YEARS: RangeInclusive<i64> = -262_143..=262_142;

/// None for a date or time that does not exist; second 60 does.
fn epoch_ms(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> Option<i64> {
    if !YEARS.contains(&year) || !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some((days_from_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second) * 1000)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, counted in years that begin in March so
/// that the leap day is the last of its year.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    const DAYS_IN_400_YEARS: i64 = 146_097;
    const MARCH_0000_TO_EPOCH: i64 = 719_468;
    let year = if month <= 2 { year - 1 } else { year };
    let (cycle, year_of_cycle) = (year.div_euclid(400), year.rem_euclid(400));
    let months_since_march = (month + 9) % 12;
    let day_of_year = (153 * months_since_march + 2) / 5 + day - 1;
    let day_of_cycle = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
    cycle * DAYS_IN_400_YEARS + day_of_cycle - MARCH_0000_TO_EPOCH
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    /// Takes one byte if it is one of `allowed`.
    fn byte(&mut self, allowed: &[u8]) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        if !allowed.contains(&first) {
            return None;
        }
        self.0 = rest;
        Some(first)
    }

    /// Takes one to `most` digits.
    fn digits(&mut self, most: usize) -> Option<&'a [u8]> {
        let count = self.0.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        if digits.is_empty() { None } else { Some(digits) }
    }

    /// Takes exactly `count` digits.
    fn fixed(&mut self, count: usize) -> Option<i64> {
        let digits = self.digits(count)?;
        if digits.len() == count { Some(number(digits)) } else { None }
    }

    /// Takes one or two digits after any white space.
    fn short(&mut self) -> Option<i64> {
        self.skip_spaces();
        self.digits(2).map(number)
    }

    /// Takes the minus sign that is not a hyphen, U+2212.
    fn minus_sign(&mut self) -> Option<u8> {
        self.0 = self.0.strip_prefix("\u{2212}".as_bytes())?;
        Some(b'-')
    }

    /// Skips white space, in the sense of Unicode.
    fn skip_spaces(&mut self) {
        // What is left of a text after whole digits and ASCII signs is text.
        let text = std::str::from_utf8(self.0).unwrap_or_default();
        self.0 = &self.0[text.len() - text.trim_start().len()..];
    }
}

fn number(digits: &[u8]) -> i64 {
    digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
}
