//! `before` `after` `on`: what counts as a time on each side.

use crate::support::{ABSENT, check_table};
use serde_json::{Value, json};

/// 2023-05-17T00:00:00Z, ms.
const MIDNIGHT: i64 = 1_684_281_600_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// Checks that the text is read as `expected` (ms) where it is the target.
fn check_target(text: &str, expected: Option<i64>) {
    for operator in ["before", "after", "on"] {
        let Some(time) = expected else {
            check_table(
                operator,
                &json!([[0, text, false], [MIDNIGHT, text, false], [i64::MAX, text, false]]),
            );
            continue;
        };
        let rows = match operator {
            "before" => json!([[time - 1, text, true], [time, text, false]]),
            "after" => json!([[time + 1, text, true], [time, text, false]]),
            _ => json!([[time, text, true], [time + DAY, text, false]]),
        };
        check_table(operator, &rows);
    }
}

/// Checks that the text is read as `expected` (ms) where it is the user's value.
fn check_value(text: &str, expected: Option<i64>) {
    for operator in ["before", "after", "on"] {
        let Some(time) = expected else {
            check_table(operator, &json!([[text, 0, false], [text, MIDNIGHT, false], [text, 4e18, false]]));
            continue;
        };
        let rows = match operator {
            "before" => json!([[text, time + 1, true], [text, time, false]]),
            "after" => json!([[text, time - 1, true], [text, time, false]]),
            _ => json!([[text, time, true], [text, time + DAY, false]]),
        };
        check_table(operator, &rows);
    }
}

#[test]
fn milliseconds() {
    check_table("before", &json!([[MIDNIGHT, MIDNIGHT + 1, true], [MIDNIGHT, MIDNIGHT, false]]));
    check_table("after", &json!([[MIDNIGHT, MIDNIGHT - 1, true], [MIDNIGHT, MIDNIGHT, false]]));
    check_table(
        "before",
        &json!([[MIDNIGHT as f64, MIDNIGHT + 1, true], [MIDNIGHT, MIDNIGHT as f64 + 0.9, false]]),
    );
    check_value("1684281600123", Some(MIDNIGHT + 123));
    check_value("+1684281600123", Some(MIDNIGHT + 123));
    check_target("1684281600123", Some(MIDNIGHT + 123));
}

#[test]
fn small_numbers_of_the_user_are_seconds() {
    let seconds = MIDNIGHT / 1000;
    check_table("on", &json!([[seconds, MIDNIGHT + 5, true], [seconds.to_string(), MIDNIGHT + 5, true]]));
    check_table("on", &json!([[seconds as f64, MIDNIGHT, true]]));
    // The target is never scaled.
    check_table("before", &json!([[MIDNIGHT, seconds, false], [5, 4999, false], [5, 5001, true]]));
    // The border is at ten digits.
    check_table("after", &json!([[9_999_999_999_i64, 9_999_999_998_999_i64, true]]));
    check_table("after", &json!([[10_000_000_000_i64, 10_000_000_000_i64, false]]));
    check_table("before", &json!([[10_000_000_000_i64, 10_000_000_001_i64, true]]));
    check_table("before", &json!([[-9_999_999_999_i64, -9_999_999_998_999_i64, true]]));
    check_table("before", &json!([[-10_000_000_000_i64, -9_999_999_999_i64, true]]));
    check_table("after", &json!([[-10_000_000_000_i64, -10_000_000_001_i64, true]]));
}

#[test]
fn days_are_those_of_utc() {
    check_table(
        "on",
        &json!([
            [MIDNIGHT, MIDNIGHT, true],
            [MIDNIGHT + DAY - 1, MIDNIGHT, true],
            [MIDNIGHT, MIDNIGHT + DAY - 1, true],
            [MIDNIGHT - 1, MIDNIGHT, false],
            [MIDNIGHT + DAY, MIDNIGHT, false],
            ["2023-05-17T23:59:59Z", "2023-05-17T00:00:00Z", true],
            [MIDNIGHT + 30 * 60_000, "2023-05-17T23:59:59-01:00", false],
            // Both sides are cut towards zero: the days around the epoch are one.
            [-1, 1, true],
            [-86_399, 86_399_000, true],
            [-86_400, 1, false],
        ]),
    );
}

#[test]
fn what_is_not_a_time_is_neither_before_nor_after() {
    for operator in ["before", "after", "on"] {
        for value in [
            json!(ABSENT),
            json!(null),
            json!(true),
            json!([MIDNIGHT]),
            json!({"a": 1}),
            json!(""),
            json!("soon"),
            json!(1_684_281_600_000.5),
            json!("1684281600000.0"),
            json!("1.6842816e12"),
            json!(1e300),
            json!("99999999999999999999"),
        ] {
            check_table(
                operator,
                &json!([[value, 1, false], [value, MIDNIGHT, false], [value, 4e18, false]]),
            );
        }
        for target in
            [json!(ABSENT), json!(null), json!(true), json!([MIDNIGHT]), json!({"a": 1}), json!("soon")]
        {
            check_table(
                operator,
                &json!([[1, target, false], [MIDNIGHT, target, false], [-MIDNIGHT, target, false]]),
            );
        }
    }
}

#[test]
fn numbers_in_text_are_times_in_a_target_however_spelled() {
    check_target("1684281600000.0", Some(MIDNIGHT));
    check_target("1.6842816e12", Some(MIDNIGHT));
    check_target("-1684281600000", Some(-MIDNIGHT));
}

#[test]
fn rfc_3339_in_a_target() {
    for (text, expected) in [
        ("2023-05-17T00:00:00Z", Some(MIDNIGHT)),
        ("2023-05-17t00:00:00z", Some(MIDNIGHT)),
        ("2023-05-17 00:00:00Z", Some(MIDNIGHT)),
        ("2023-05-17T00:00:00+00:00", Some(MIDNIGHT)),
        ("2023-05-17T00:00:00-00:00", Some(MIDNIGHT)),
        ("2023-05-17T12:45:00+12:45", Some(MIDNIGHT)),
        ("2023-05-16T21:00:00-03:00", Some(MIDNIGHT)),
        ("2023-05-17 01:00:00+01:00", Some(MIDNIGHT)),
        ("2023-05-17T00:00:00.5Z", Some(MIDNIGHT + 500)),
        ("2023-05-17T00:00:00.1239999Z", Some(MIDNIGHT + 123)),
        ("2023-05-17T00:00:00.000+01:00", Some(MIDNIGHT - HOUR)),
        ("2024-02-29T00:00:00Z", Some(1_709_164_800_000)),
        ("1960-01-01T00:00:00Z", Some(-315_619_200_000)),
        ("0001-01-01T00:00:00Z", Some(-62_135_596_800_000)),
        ("9999-12-31T23:59:59Z", Some(253_402_300_799_000)),
        ("2023-05-17T00:00:60Z", Some(MIDNIGHT + 60_000)),
        ("2023-02-29T00:00:00Z", None),
        ("2100-02-29T00:00:00Z", None),
        ("2023-04-31T00:00:00Z", None),
        ("2023-13-01T00:00:00Z", None),
        ("2023-00-01T00:00:00Z", None),
        ("2023-05-00T00:00:00Z", None),
        ("2023-05-17T24:00:00Z", None),
        ("2023-05-17T00:60:00Z", None),
        ("2023-05-17T00:00:61Z", None),
        ("2023-05-17T00:00:00", None),
        ("2023-05-17T00:00Z", None),
        ("2023-05-17T00:00:00+0000", None),
        ("2023-05-17T00:00:00+00", None),
        ("2023-05-17T00:00:00,5Z", None),
        ("2023-05-17T00:00:00.Z", None),
        ("2023-05-17_00:00:00Z", None),
        ("20230517T000000Z", None),
        ("2023-W20-3", None),
        ("2023-05-17", None),
        ("17 May 2023", None),
        ("2023/05/17 00:00:00", None),
    ] {
        check_target(text, expected);
    }
}

#[test]
fn a_date_and_time_without_zone_is_utc_and_read_leniently() {
    for (text, expected) in [
        ("2023-05-17 00:00:00", Some(MIDNIGHT)),
        ("2023-5-17 0:0:0", Some(MIDNIGHT)),
        ("2023-05-17  00:00:00", Some(MIDNIGHT)),
        (" 2023-05-17 00:00:00", Some(MIDNIGHT)),
        ("+2023-05-17 00:00:00", Some(MIDNIGHT)),
        ("2023-05-17 23:59:60", Some(MIDNIGHT + DAY)),
        ("2023-05-17 00:00:00 ", None),
        ("2023-05-17 00:00", None),
        ("2023-05-17 00:00:00.5", None),
        ("17-05-2023 00:00:00", None),
    ] {
        check_target(text, expected);
        if text.len() <= 20 {
            check_value(text, expected);
        }
    }
}

#[test]
fn the_users_text_has_8_to_20_bytes() {
    for (text, expected) in [
        ("2023-05-17T00:00:00Z", Some(MIDNIGHT)),
        ("2023-05-17 00:00:00z", Some(MIDNIGHT)),
        ("2023-5-17 0:0:0", Some(MIDNIGHT)),
        ("2023-05-17T00:00:00.0Z", None),
        ("2023-05-17T00:00:00.000Z", None),
        ("2023-05-17T00:00:00+00:00", None),
        ("2023-05-17   00:00:00", None),
        ("2023-05-17T00:00:00", None),
        ("2023-05-17", None),
    ] {
        check_value(text, expected);
    }
    // Whole numbers are read at any length.
    check_value("000000000001684281600000", Some(MIDNIGHT));
    check_value("0", Some(0));
}

#[test]
fn times_as_far_as_64_bits_reach() {
    let rows: Value = json!([[i64::MAX, i64::MAX - 1024, true], [i64::MIN, 0, false]]);
    check_table("after", &rows);
    check_table("before", &json!([[i64::MIN, 0, true], [i64::MAX, 0, false]]));
}

#[test]
fn odd_dates() {
    // White space in the sense of Unicode, and the minus sign that is not a hyphen.
    check_value("2023-1-1\u{a0}0:0:0", Some(1_672_531_200_000));
    check_value("2023-1-1\u{b}0:0:0", Some(1_672_531_200_000));
    check_target("2023-01-01T00:00:00\u{2212}00:30", Some(1_672_533_000_000));
    // The calendar ends; nothing overflows beyond it.
    check_value("+262142-12-31 0:0:0", Some(8_210_266_790_400_000));
    check_value("+262143-1-1 0:0:0", None);
    check_value("-262144-12-31 0:0:0", None);
    check_value("+999999999-1-1 0:0:0", None);
}
