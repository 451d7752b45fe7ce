//! `gt` `gte` `lt` `lte`: both sides as 64-bit floats, or false.

use crate::support::{ABSENT, check_table};
use serde_json::json;

const OPERATORS: [&str; 4] = ["gt", "gte", "lt", "lte"];

#[test]
fn order() {
    check_table("gt", &json!([[3, 2, true], [2, 2, false], [1, 2, false], [-1, -2, true], [2.5, 2, true]]));
    check_table("gte", &json!([[3, 2, true], [2, 2, true], [1, 2, false], [2.0, 2, true], [-2, -1, false]]));
    check_table("lt", &json!([[1, 2, true], [2, 2, false], [3, 2, false], [-2, -1, true], [1.999, 2, true]]));
    check_table("lte", &json!([[1, 2, true], [2, 2, true], [3, 2, false], [2, 2.0, true], [0.1, 0, false]]));
}

#[test]
fn text_that_reads_as_a_number_is_one_on_either_side() {
    check_table("gt", &json!([["3", 2, true], [3, "2", true], ["3", "2", true], ["10", "9", true]]));
    check_table("lt", &json!([["10", "9", false], ["-0.5", 0, true], ["1e-3", "0.01", true]]));
    check_table("gte", &json!([["1e3", 1000, true], ["1E3", 1000, true], ["+7", 7, true], ["7.", 7, true]]));
    check_table("lte", &json!([[".25", 0.25, true], ["7.0", 7, true], ["-0", 0, true]]));
}

#[test]
fn other_spellings_of_numbers_are_none() {
    for operator in OPERATORS {
        for text in
            ["", " 1", "1 ", "1_0", "1,0", "0x1", "1px", "one", "1e", "--1", "\u{0661}", "1\u{00a0}", "true"]
        {
            check_table(operator, &json!([[text, 1, false], [1, text, false], [text, text, false]]));
        }
    }
}

#[test]
fn infinity_compares_and_nan_never_does() {
    let large = 1e300;
    check_table(
        "gt",
        &json!([["inf", large, true], ["+Infinity", large, true], ["INF", large, true], [1, "-inf", true]]),
    );
    check_table("lt", &json!([["-infinity", 0, true], [large, "inf", true], ["inf", "inf", false]]));
    for operator in OPERATORS {
        check_table(operator, &json!([["nan", 1, false], [1, "NaN", false], ["NaN", "NaN", false]]));
    }
}

#[test]
fn what_is_not_a_number_is_neither_above_nor_below() {
    for operator in OPERATORS {
        for value in [json!(ABSENT), json!(null), json!(true), json!(false), json!([1]), json!({"a": 1})] {
            check_table(operator, &json!([[value, 0, false], [value, -1e9, false], [value, 1e9, false]]));
            check_table(operator, &json!([[0, value, false], [-1e9, value, false], [1e9, value, false]]));
        }
    }
}

#[test]
fn integers_lose_what_a_float_cannot_hold() {
    const ODD: i64 = 9_007_199_254_740_993;
    check_table(
        "gt",
        &json!([[ODD, ODD - 1, false], [ODD + 1, ODD, true], ["9007199254740993", ODD - 1, false]]),
    );
    check_table(
        "lte",
        &json!([[ODD, ODD - 1, true], [i64::MAX, u64::MAX, true], [i64::MIN, i64::MIN, true]]),
    );
    check_table("gte", &json!([[i64::MAX, 1_u64 << 63, true], [u64::MAX, u64::MAX, true]]));
    check_table("lte", &json!([[0.1 + 0.2, 0.3, false]]));
}
