//! `any` `none`, their case-sensitive forms, and `str_*_any` `str_contains_none`: text against a set.

use crate::support::{ABSENT, check_table, holds, user_field};
use serde_json::{Value, json};

/// The rows of the positive operator hold turned round for the negative one.
fn check_both(positive: &str, negative: &str, rows: &Value) {
    check_table(positive, rows);
    let turned: Vec<Value> = rows
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| json!([row[0], row[1], row[2] == json!(false)]))
        .collect();
    check_table(negative, &json!(turned));
}

#[test]
fn membership_ignores_case() {
    check_both(
        "any",
        "none",
        &json!([
            ["nz", ["NZ", "AU"], true],
            ["Au", ["nz", "aU"], true],
            ["us", ["NZ", "AU"], false],
            [" nz", ["nz"], false],
            ["n", ["nz"], false],
            ["", ["nz"], false],
        ]),
    );
}

#[test]
fn membership_in_a_long_list() {
    let list: Vec<String> = (0..200).map(|index| format!("Member-{index}")).collect();
    check_both(
        "any",
        "none",
        &json!([["member-0", list, true], ["MEMBER-199", list, true], ["member-200", list, false]]),
    );
    check_both(
        "any_case_sensitive",
        "none_case_sensitive",
        &json!([["Member-137", list, true], ["member-137", list, false]]),
    );
}

#[test]
fn lower_case_is_that_of_unicode_and_no_case_folding() {
    check_both(
        "any",
        "none",
        &json!([
            ["ÀÉÎ", ["àéî"], true],
            ["straße", ["STRASSE"], false],
            ["STRASSE", ["strasse"], true],
            // A sigma at the end of a word has its own small letter.
            ["ΟΔΟΣ", ["οδος"], true],
            ["ΟΔΟΣ", ["οδοσ"], false],
            // The Kelvin sign becomes the letter k, the dotted capital I two code points.
            ["\u{212a}", ["K"], true],
            ["\u{0130}", ["i\u{0307}"], true],
            ["\u{0130}", ["i"], false],
            // Composed and decomposed letters stay apart.
            ["\u{00e9}", ["e\u{0301}"], false],
        ]),
    );
}

#[test]
fn case_sensitive_membership_sees_the_collapsed_list() {
    check_both(
        "any_case_sensitive",
        "none_case_sensitive",
        &json!([
            ["Pro", ["Pro", "Free"], true],
            ["pro", ["Pro", "Free"], false],
            // Of entries that differ only by case the last stays.
            ["pro", ["pro", "PRO", "Pro"], false],
            ["PRO", ["pro", "PRO", "Pro"], false],
            ["Pro", ["pro", "PRO", "Pro"], true],
            ["pro", ["PRO", "free", "pro"], true],
            ["é", ["é", "É"], false],
            ["É", ["é", "É"], true],
        ]),
    );
    check_both("any", "none", &json!([["pro", ["pro", "Pro"], true], ["PRO", ["Pro", "pro"], true]]));
}

#[test]
fn a_missing_value_counts_as_empty_text() {
    for missing in [json!(ABSENT), json!(null), json!({}), json!({"a": "x"})] {
        let rows = json!([
            [missing, ["x"], false],
            [missing, ["null", "undefined", "{}", "{\"a\":\"x\"}"], false],
            [missing, [""], true],
            [missing, [], false],
        ]);
        check_both("any", "none", &rows);
        check_both("any_case_sensitive", "none_case_sensitive", &rows);
        check_both("str_contains_any", "str_contains_none", &rows);
        check_table("str_starts_with_any", &rows);
        check_table("str_ends_with_any", &rows);
    }
}

#[test]
fn the_text_of_numbers_and_booleans() {
    check_both(
        "any",
        "none",
        &json!([
            [7, ["7"], true],
            [7, [7], true],
            ["7", [7], true],
            // The value 7.0 reads 7, the list entry 7.0 reads 7.0.
            [7.0, [7], true],
            [7.0, ["7"], true],
            [7, [7.0], false],
            ["7.0", [7.0], true],
            [7.25, [7.25], true],
            [-0.0, ["-0"], true],
            [-0.0, ["0"], false],
            [true, ["TRUE"], true],
            [true, [true], true],
            ["False", [false], true],
            [true, [1], false],
            [1, [true], false],
        ]),
    );
}

#[test]
fn the_text_of_large_and_small_numbers_has_no_exponent() {
    check_both(
        "any",
        "none",
        &json!([
            [1e21, ["1000000000000000000000"], true],
            [1e21, [1e21], false],
            [1e-7, ["0.0000001"], true],
            [1e-7, ["1e-7"], false],
            [9_007_199_254_740_992_i64, ["9007199254740992"], true],
            // Beyond 2^53 whole numbers go through a float.
            [9_007_199_254_740_993_i64, ["9007199254740992"], true],
            [9_007_199_254_740_993_i64, [9_007_199_254_740_993_i64], false],
            [-9_007_199_254_740_993_i64, ["-9007199254740992"], true],
            [i64::MAX, ["9223372036854776000"], true],
            [i64::MIN, ["-9223372036854776000"], true],
            [u64::MAX, ["18446744073709552000"], true],
        ]),
    );
}

#[test]
fn numbers_in_a_list_read_as_they_are_respelled() {
    // A list entry keeps the spelling of the JSON library of the reference, not that of the payload.
    let holds_for = |target: &str, value: &str| {
        let condition = user_field("f", "any", json!("TARGET")).to_string().replace("\"TARGET\"", target);
        let condition: Value = serde_json::from_str(&condition).unwrap();
        holds(&condition, &json!({"custom": {"f": value}}))
    };
    assert_eq!(holds_for("[1e2]", "100.0"), Some(true));
    assert_eq!(holds_for("[1.50]", "1.5"), Some(true));
    assert_eq!(holds_for("[-0]", "-0.0"), Some(true));
}

#[test]
fn null_in_a_list_is_the_word() {
    check_both(
        "any",
        "none",
        &json!([[null, [null], false], ["null", [null], true], ["NULL", [null], true]]),
    );
}

#[test]
fn a_list_reads_as_compact_json() {
    check_both(
        "any",
        "none",
        &json!([
            [["a", "b"], ["[\"a\",\"b\"]"], true],
            [["a", "b"], ["a", "b"], false],
            [["a", 1, 1.0, true, null], ["[\"a\",1,1.0,true,null]"], true],
            [[{"b": [1], "a": "\""}], ["[{\"a\":\"\\\"\",\"b\":[1]}]"], true],
            [["x"], [["x"]], true],
            [[], ["[]"], true],
        ]),
    );
}

#[test]
fn only_lists_and_objects_have_members() {
    for target in [json!("a"), json!("abc"), json!(5), json!(true), json!(null), json!(ABSENT)] {
        check_both(
            "any",
            "none",
            &json!([["a", target, false], [5, target, false], [ABSENT, target, false]]),
        );
        check_both("any_case_sensitive", "none_case_sensitive", &json!([["a", target, false]]));
    }
}

#[test]
fn an_object_lists_its_keys_as_written() {
    check_both(
        "any",
        "none",
        &json!([
            ["12", {"12": true, "377": true}, true],
            [377, {"12": true, "377": true}, true],
            [13, {"12": true, "377": true}, false],
            // Small letters on the value's side only.
            ["PLAN", {"plan": 1}, true],
            ["plan", {"PLAN": 1}, false],
            ["PLAN", {"PLAN": 1}, false],
            ["a", {}, false],
            [ABSENT, {"": 1}, true],
        ]),
    );
    check_both("any_case_sensitive", "none_case_sensitive", &json!([["a", {"a": 1}, false]]));
}

#[test]
fn affixes_and_parts_ignore_case() {
    check_table(
        "str_starts_with_any",
        &json!([
            ["Wellington", ["WELL"], true],
            ["Wellington", ["auck", "wEll"], true],
            ["Wellington", ["ington"], false],
            ["Wellington", ["wellington!"], false],
            ["Éa", ["é"], true],
            [1234, [12], true],
            [true, ["TR"], true],
            [["x"], ["["], true],
        ]),
    );
    check_table(
        "str_ends_with_any",
        &json!([
            ["me@Example.COM", ["@example.com"], true],
            ["me@example.com", [".nz", ".com"], true],
            ["me@example.com", ["me@"], false],
            ["line\n", ["line"], false],
            [1234, [34], true],
            [12.5, [".5"], true],
        ]),
    );
    check_both(
        "str_contains_any",
        "str_contains_none",
        &json!([
            ["Wellington", ["LING"], true],
            ["Wellington", ["x", "gto"], true],
            ["Wellington", ["x", "y"], false],
            ["", ["x"], false],
            [["ab", 1], ["b\",1"], true],
            [{"k": "boo"}, ["boo"], false],
            ["a null b", [null], true],
        ]),
    );
}

#[test]
fn an_empty_part_is_in_everything() {
    for operator in ["str_starts_with_any", "str_ends_with_any", "str_contains_any"] {
        check_table(operator, &json!([["x", [""], true], ["", [""], true], [ABSENT, ["y", ""], true]]));
        check_table(operator, &json!([["x", [], false], ["", [], false], [ABSENT, [], false]]));
    }
    check_table("str_contains_none", &json!([["x", [""], false], [ABSENT, [""], false], ["x", [], true]]));
}

#[test]
fn parts_have_to_be_a_list() {
    for target in [json!("x"), json!({"x": 1}), json!(null), json!(ABSENT), json!(1), json!(true)] {
        for operator in ["str_starts_with_any", "str_ends_with_any", "str_contains_any"] {
            check_table(operator, &json!([["x", target, false], [ABSENT, target, false]]));
        }
        check_table("str_contains_none", &json!([["x", target, true], [ABSENT, target, true]]));
    }
}

/// As the reference writes them, whatever the JSON library's fashion in exponents is.
#[test]
fn floats_in_lists_have_one_spelling() {
    check_table(
        "any",
        &json!([
            ["1e21", [1e21], true],
            ["1e+21", [1e21], false],
            ["1e16", [1e16], true],
            ["1000000000000000.0", [1e15], true],
            ["0.00001", [0.00001], true],
            ["1e-6", [0.000_001], true],
            [[1e20, 0.5], ["[1e20,0.5]"], true],
            [[{"b": 1e20, "a": null}], ["[{\"a\":null,\"b\":1e20}]"], true],
        ]),
    );
}
