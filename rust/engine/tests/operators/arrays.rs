//! `array_contains_*` and `not_array_contains_all`: both sides are lists, or false.

use crate::support::{ABSENT, check_table};
use serde_json::json;

const OPERATORS: [&str; 4] =
    ["array_contains_any", "array_contains_none", "array_contains_all", "not_array_contains_all"];

#[test]
fn sets() {
    // The value, the target, then what any, none, all and not-all make of them.
    for (value, target, outcomes) in [
        (json!(["a", "b"]), json!(["b", "c"]), [true, false, false, true]),
        (json!(["a", "b"]), json!(["b", "a"]), [true, false, true, false]),
        (json!(["a", "b", "c"]), json!(["b"]), [true, false, true, false]),
        (json!(["a"]), json!(["b", "c"]), [false, true, false, true]),
        (json!([]), json!(["a"]), [false, true, false, true]),
        (json!(["a"]), json!([]), [false, true, true, false]),
        (json!([]), json!([]), [false, true, true, false]),
        (json!(["a"]), json!(["a", "a"]), [true, false, true, false]),
        (json!(["A"]), json!(["a"]), [false, true, false, true]),
        // By text, as everywhere.
        (json!([1, 2.0, true]), json!(["1", "2", "true"]), [true, false, true, false]),
        (json!(["1", "true"]), json!([1, true]), [true, false, true, false]),
        (json!([1]), json!([1.0]), [false, true, false, true]),
        (json!([["x"]]), json!([["x"]]), [true, false, true, false]),
        (json!([["x"]]), json!(["[\"x\"]"]), [true, false, true, false]),
        // Nulls and objects among the elements are like nothing.
        (json!([null]), json!([null]), [false, true, false, true]),
        (json!([null, {"a": 1}]), json!(["", "null", "{\"a\":1}"]), [false, true, false, true]),
        // Of entries that differ only by case the last stays.
        (json!(["A"]), json!(["A", "a"]), [false, true, false, true]),
        (json!(["a"]), json!(["A", "a"]), [true, false, true, false]),
    ] {
        for (operator, expected) in OPERATORS.into_iter().zip(outcomes) {
            check_table(operator, &json!([[value, target, expected]]));
        }
    }
}

#[test]
fn long_targets() {
    let target: Vec<String> = (0..50).map(|index| format!("tag-{index}")).collect();
    for (operator, expected) in OPERATORS.into_iter().zip([true, false, false, true]) {
        check_table(operator, &json!([[["x", "tag-49"], target, expected]]));
    }
    for (operator, expected) in OPERATORS.into_iter().zip([true, false, true, false]) {
        check_table(operator, &json!([[target, target, expected]]));
    }
}

#[test]
fn without_two_lists_even_the_negative_forms_are_false() {
    for operator in OPERATORS {
        for value in
            [json!("a"), json!("[\"a\"]"), json!(1), json!(true), json!(null), json!(ABSENT), json!({"a": 1})]
        {
            check_table(operator, &json!([[value, ["a"], false], [value, ["b"], false], [value, [], false]]));
        }
        for target in [json!("a"), json!(1), json!(true), json!(null), json!(ABSENT), json!({"a": 1})] {
            check_table(
                operator,
                &json!([[["a"], target, false], [["b"], target, false], [[], target, false]]),
            );
        }
    }
}

/// Every element of one side against every element of the other would take minutes.
#[test]
fn long_lists_are_compared_in_linear_time() {
    let many: Vec<String> = (0..200_000).map(|number| number.to_string()).collect();
    let one_less = &many[1..];
    check_table("array_contains_all", &json!([[many, one_less, true], [one_less, many, false]]));
    check_table("not_array_contains_all", &json!([[one_less, many, true], [many, one_less, false]]));
    let members: serde_json::Map<String, serde_json::Value> =
        many.iter().map(|name| (name.clone(), json!(1))).collect();
    check_table("eq", &json!([[members, members, true], [{"0": 1}, members, false]]));
}
