//! `eq` by the type of the target, and `neq`, always its opposite.

use crate::support::{ABSENT, check_table};
use serde_json::{Value, json};

fn check(rows: &Value) {
    check_table("eq", rows);
    let turned: Vec<Value> = rows
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| json!([row[0], row[1], row[2] == json!(false)]))
        .collect();
    check_table("neq", &json!(turned));
}

#[test]
fn null_is_a_missing_value_and_nothing_else() {
    for target in [json!(null), json!(ABSENT)] {
        check(&json!([
            [ABSENT, target, true],
            [null, target, true],
            ["", target, false],
            ["null", target, false],
            [0, target, false],
            [false, target, false],
            [[], target, false],
            [{}, target, false],
        ]));
    }
}

#[test]
fn a_boolean_is_that_boolean() {
    check(&json!([
        [true, true, true],
        [false, false, true],
        [true, false, false],
        ["true", true, false],
        [1, true, false],
        [0, false, false],
        ["", false, false],
        [null, false, false],
        [ABSENT, false, false],
    ]));
}

#[test]
fn a_number_is_a_number_in_any_spelling() {
    check(&json!([
        [5, 5, true],
        [5.0, 5, true],
        [5, 5.0, true],
        ["5", 5, true],
        ["5.0", 5, true],
        ["5e0", 5, true],
        [" 5", 5, false],
        ["five", 5, false],
        [true, 1, false],
        [false, 0, false],
        ["", 0, false],
        [ABSENT, 0, false],
        [null, 0, false],
        [[5], 5, false],
        [-0.0, 0, true],
        [9_007_199_254_740_993_i64, 9_007_199_254_740_992_i64, true],
    ]));
}

#[test]
fn text_is_compared_with_text_case_and_all() {
    check(&json!([
        ["a", "a", true],
        ["a", "A", false],
        ["a", "a ", false],
        ["", "", true],
        [ABSENT, "", false],
        [null, "", false],
        [null, "null", false],
        [5, "5", true],
        [5.0, "5", true],
        [5.0, "5.0", false],
        ["5.0", "5", false],
        [true, "true", true],
        [true, "True", false],
        [["a", 1], "[\"a\",1]", true],
        [{"a": 1}, "{\"a\":1}", false],
        [9_007_199_254_740_993_i64, "9007199254740993", false],
        [9_007_199_254_740_993_i64, "9007199254740992", true],
    ]));
}

#[test]
fn a_list_is_equal_element_by_element() {
    check(&json!([
        [["a", "b"], ["a", "b"], true],
        [["b", "a"], ["a", "b"], false],
        [["a"], ["a", "b"], false],
        [["a", "b", "c"], ["a", "b"], false],
        [["A"], ["a"], false],
        [[1, 2], ["1", "2"], true],
        [["1"], [1], true],
        [[1.0], [1], true],
        [[1], [1.0], false],
        [[true], ["true"], true],
        [[null], [null], false],
        [[{"a": 1}], ["{\"a\":1}"], false],
        [[["x"]], [["x"]], true],
        [[], [], true],
        ["[\"a\"]", ["a"], false],
        ["a", ["a"], false],
        [ABSENT, [], false],
        [{}, [], false],
    ]));
}

#[test]
fn entries_of_a_list_that_differ_only_by_case_fall_together() {
    check(&json!([
        [["a", "A"], ["a", "A"], false],
        [["a", "a"], ["a", "a"], false],
        // The entry that stays stands where no element of a list of that length can.
        [["a"], ["a", "a"], false],
        [["A"], ["a", "A"], false],
        [["b", "a"], ["a", "b", "a"], false],
    ]));
}

#[test]
fn an_object_is_equal_member_by_member() {
    check(&json!([
        [{"a": 1, "b": "x"}, {"b": "x", "a": 1}, true],
        [{"a": 1}, {"a": "1"}, true],
        [{"a": "1"}, {"a": 1}, true],
        [{"a": 1}, {"a": 2}, false],
        [{"a": 1}, {"A": 1}, false],
        [{"a": 1}, {"a": 1, "b": 2}, false],
        [{"a": 1, "b": 2}, {"a": 1}, false],
        [{"a": [1, "x"]}, {"a": [1, "x"]}, true],
        [{"a": {"b": 1}}, {"a": {"b": 1}}, false],
        [{"a": null}, {"a": null}, false],
        [{}, {}, true],
        ["a", {"a": 1}, false],
        [[], {}, false],
        [ABSENT, {}, false],
    ]));
}
