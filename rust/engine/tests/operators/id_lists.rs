//! `in_segment_list` and `not_in_segment_list` where no list is loaded, so that only the second can hold;
//! what counts is whether a look-up took place, because that shows in the reason.

use crate::support::{ABSENT, Project, check_table, condition, user_field, with};
use serde_json::{Value, json};

#[test]
fn nobody_is_in_a_list() {
    let values =
        [json!("u"), json!(""), json!(5), json!(true), json!(["u"]), json!({}), json!(null), json!(ABSENT)];
    for value in values {
        for target in [json!("list"), json!(""), json!(null), json!(["list"]), json!(5), json!(ABSENT)] {
            check_table("in_segment_list", &json!([[value, target, false]]));
            check_table("not_in_segment_list", &json!([[value, target, true]]));
        }
    }
}

fn looks_up(conditions: &[&Value], custom: &Value) -> bool {
    let project = Project::of_conditions(conditions);
    project.gate("g", &json!({"userID": "u", "custom": custom})).id_list_lookup
}

#[test]
fn a_look_up_needs_text_on_both_sides() {
    for operator in ["in_segment_list", "not_in_segment_list"] {
        for (value, target, expected) in [
            (json!("u"), json!("list"), true),
            (json!(""), json!("list"), true),
            (json!(5), json!("list"), true),
            (json!(true), json!("list"), true),
            (json!(["u"]), json!("list"), true),
            (json!(null), json!("list"), false),
            (json!({"a": 1}), json!("list"), false),
            (json!("u"), json!(["list"]), false),
            (json!("u"), json!(null), false),
        ] {
            let actual = looks_up(&[&user_field("f", operator, target.clone())], &json!({"f": value}));
            assert_eq!(actual, expected, "{value} {operator} {target}");
        }
    }
}

#[test]
fn a_look_up_shows_although_the_rule_had_failed_already() {
    let never = user_field("nobody has this", "any", json!(["x"]));
    let unit =
        with(condition("unit_id", json!({})), json!({"operator": "in_segment_list", "targetValue": "list"}));
    assert!(looks_up(&[&never, &unit], &json!({})));
    assert!(looks_up(&[&unit, &never], &json!({})));
    assert!(!looks_up(&[&never], &json!({})));
}
