//! Which ID lists count as looked at where names are mapped to other names.
mod support;

use serde_json::{Value, json};
use support::{Project, condition, experiment, payload, rule, user_field, with};

/// `a` is mapped to `b` by a rule that looks at an ID list, and `b` to `c` by this one.
fn lookup(second: Value) -> (bool, String) {
    let named = |name: &str| experiment(json!([rule(name, json!(["always"]), json!({}))]), json!({}));
    let mapping = |name: &str, rule: &str| json!([{"new_config_name": name, "rules": [{"rule_name": rule}]}]);
    let list = |operator: &str| user_field("userID", operator, json!("list"));
    let project = Project::new(&payload(json!({
        "condition_map": {
            "always": condition("public", json!({})),
            "never": user_field("nobody has this", "any", json!(["x"])),
            "in list": list("in_segment_list"),
            "not in list": list("not_in_segment_list"),
        },
        "dynamic_configs": {"a": named("a"), "b": named("b"), "c": named("c")},
        "overrides": {"a": mapping("b", "first"), "b": mapping("c", "second")},
        "override_rules": {
            "first": rule("first", json!(["not in list"]), json!({})),
            "second": with(rule("second", json!(["always"]), json!({})), second),
        },
    })));
    let outcome = project.config("a", &json!({"userID": "u"}));
    assert!(!project.config("c", &json!({"userID": "u"})).id_list_lookup);
    (outcome.id_list_lookup, outcome.rule)
}

#[test]
fn the_list_of_a_rule_that_holds_counts_whatever_comes_of_later_rules() {
    for (second, rule) in [
        (json!({}), "c"),
        (json!({"passPercentage": 0}), "b"),
        (json!({"conditions": ["never"]}), "b"),
        (json!({"conditions": ["in list"]}), "b"),
        (json!({"conditions": ["dangling"]}), "b"),
    ] {
        assert_eq!(lookup(second.clone()), (true, rule.to_owned()), "{second}");
    }
}
