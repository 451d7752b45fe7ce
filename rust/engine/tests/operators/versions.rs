//! `version_*`: dotted whole numbers, compared part by part.

use crate::support::{ABSENT, check_table};
use serde_json::json;

const OPERATORS: [&str; 6] =
    ["version_gt", "version_gte", "version_lt", "version_lte", "version_eq", "version_neq"];

#[test]
fn order() {
    // Below, equal, above: what each operator makes of it.
    for (operator, below, equal, above) in [
        ("version_gt", false, false, true),
        ("version_gte", false, true, true),
        ("version_lt", true, false, false),
        ("version_lte", true, true, false),
        ("version_eq", false, true, false),
        ("version_neq", true, false, true),
    ] {
        check_table(
            operator,
            &json!([
                ["1.9", "1.10", below],
                ["1.2", "1.2.1", below],
                ["0.9.9", "1", below],
                ["3.4.5", "3.4.5", equal],
                ["3.4", "3.4.0.0", equal],
                ["3", "3.0", equal],
                ["2", "1.99.99", above],
                ["1.2.3.1", "1.2.3", above],
            ]),
        );
    }
}

#[test]
fn everything_after_a_hyphen_is_ignored() {
    check_table(
        "version_eq",
        &json!([
            ["2.1.0-beta.3", "2.1", true],
            ["2.1-alpha", "2.1-omega", true],
            ["2.1-", "2.1", true],
            ["2-1.5", "2.0", true],
            // Nothing is left before the hyphen.
            ["-2", "0", false],
            ["-", "0", false],
            ["2.-1", "2", false],
        ]),
    );
    check_table("version_gt", &json!([["2.1", "2.1-rc1", false], ["2.2-rc1", "2.1", true]]));
}

#[test]
fn parts_are_trimmed_whole_numbers_of_any_size() {
    check_table(
        "version_eq",
        &json!([
            [" 4.2 ", "4.2", true],
            ["4. 2", "4.2", true],
            ["4.2\n", "4.2", true],
            ["4.02", "4.2", true],
            ["+4", "4", true],
            ["1.9007199254740993", "1.9007199254740992", false],
            ["170141183460469231731687303715884105727", "170141183460469231731687303715884105727", true],
        ]),
    );
}

#[test]
fn an_unreadable_part_fails_every_operator() {
    for operator in OPERATORS {
        for version in [
            "",
            "abc",
            "v1",
            "1..2",
            "1.",
            ".1",
            "1.x",
            "1.0+7",
            "1e2",
            "0x1",
            "1_0",
            "1,2",
            "170141183460469231731687303715884105728",
        ] {
            check_table(operator, &json!([[version, "1.0.0.0", false], ["1.0.0.0", version, false]]));
        }
    }
}

#[test]
fn an_unreadable_part_after_the_first_difference_is_not_read() {
    check_table("version_gt", &json!([["1.2.x", "1.1", true], ["2.x", "1.0.0", true], ["2.0", "1.x", true]]));
    check_table("version_lt", &json!([["1.x", "2", true], ["1.0.beta", "1.1.0", true]]));
    check_table(
        "version_neq",
        &json!([["1.2.x", "1.3", true], ["1.2.x", "1.2", false], ["1.2.x", "1.2.0", false]]),
    );
}

#[test]
fn the_target_is_text_and_the_value_has_text() {
    check_table(
        "version_eq",
        &json!([[1.5, "1.5", true], [3, "3.0", true], [3.0, "3", true], [true, "1", false]]),
    );
    for operator in OPERATORS {
        for target in
            [json!(1), json!(1.5), json!(null), json!(ABSENT), json!(true), json!(["1.5"]), json!({})]
        {
            check_table(
                operator,
                &json!([["1.5", target, false], [1.5, target, false], ["0", target, false]]),
            );
        }
        for value in [json!(ABSENT), json!(null), json!(["1.5"]), json!({"a": 1}), json!(false)] {
            check_table(operator, &json!([[value, "0", false], [value, "1.5", false], [value, "", false]]));
        }
    }
}
