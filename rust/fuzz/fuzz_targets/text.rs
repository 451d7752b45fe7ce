//! Two texts, of a user (the first line) and of a target (the rest), under the operators that read something out of texts.
#![no_main]

#[path = "../../engine/tests/support/comparison.rs"]
mod comparison;
#[path = "../../engine/tests/support/naive.rs"]
mod naive;
#[path = "../../engine/tests/support/spelling.rs"]
mod spelling;
#[path = "../../engine/tests/support/mod.rs"]
mod support;

use libfuzzer_sys::fuzz_target;
use naive::World;
use serde_json::{Map, Value, json};
use support::{NOW, gate, payload, rule, user_field};

const OPERATORS: [&str; 19] = [
    "before",
    "after",
    "on",
    "gt",
    "gte",
    "lt",
    "lte",
    "version_eq",
    "version_neq",
    "version_gt",
    "version_lt",
    "eq",
    "any",
    "none_case_sensitive",
    "str_starts_with_any",
    "str_ends_with_any",
    "str_contains_any",
    "array_contains_any",
    "array_contains_all",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((value, target)) = str::from_utf8(bytes).ok().and_then(|text| text.split_once('\n')) else {
        return;
    };
    let (mut gates, mut conditions) = (Map::new(), Map::new());
    let lists = |operator: &str| {
        if operator.starts_with("str_") || operator.contains("any") {
            json!([target, "a"])
        } else {
            json!(target)
        }
    };
    let tests = OPERATORS.map(|operator| (operator.to_owned(), user_field("f", operator, lists(operator))));
    // The target against what is always the same, so that one side alone decides.
    let fixed = ["before", "after", "lt", "gt", "version_gt", "version_lte"].map(|operator| {
        (
            format!("fixed {operator}"),
            user_field("f", operator, json!(if operator.starts_with('v') { "1.5" } else { "1684324800000" })),
        )
    });
    for (name, condition) in tests.into_iter().chain(fixed) {
        gates.insert(name.clone(), gate(json!([rule("r", json!([name]), json!({}))]), json!({})));
        conditions.insert(name, condition);
    }
    let world = World {
        payload: payload(json!({"feature_gates": gates, "condition_map": conditions})),
        user: json!({"userID": value, "custom": {"f": value}}),
        global: Value::Null,
        now: NOW,
    };
    if let Err(difference) = comparison::compare(&world) {
        panic!("{difference}");
    }
});
