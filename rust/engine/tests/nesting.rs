//! Gates inside specs: secondary exposures, segments, holdouts, what is remembered.
mod support;

use serde_json::{Value, json};
use statsig_engine::Reason;
use support::{Outcome, Project, condition, conditions, experiment, gate, payload, rule, user_field, with};

fn check(specs: &[(&str, Value)]) -> Outcome {
    Project::of_gates(specs).gate(specs[0].0, &json!({"userID": "u"}))
}

#[test]
fn inner_exposures_come_before_the_gate() {
    let outcome = check(&[
        ("top", json!(["pass:both"])),
        ("both", json!(["pass:b", "pass:a"])),
        ("a", json!(["always"])),
        ("b", json!(["always"])),
    ]);
    assert!(outcome.passes);
    assert_eq!(outcome.exposures, ["b=true by r-b", "a=true by r-a", "both=true by r-both"]);
    assert_eq!(outcome.undelegated, None);
}

#[test]
fn exposures_are_recorded_although_the_rule_has_failed() {
    let outcome = check(&[
        ("top", json!(["never", "pass:off", "pass:on", "fail:on"])),
        ("on", json!(["always"])),
        ("off", json!(["never"])),
    ]);
    assert!(!outcome.passes);
    assert_eq!(outcome.exposures, ["off=false by default", "on=true by r-on", "on=true by r-on"]);
}

#[test]
fn exposures_of_rules_before_the_deciding_one_stay() {
    let project = Project::new(&payload(json!({
        "condition_map": conditions(&["a", "b", "c"]),
        "feature_gates": {
            "a": gate(json!([]), json!({})),
            "b": gate(json!([rule("rb", json!([]), json!({}))]), json!({})),
            "c": gate(json!([]), json!({})),
        },
        "dynamic_configs": {"e": experiment(json!([
            rule("r1", json!(["pass:a"]), json!({"returnValue": {"v": 1}})),
            rule("r2", json!(["pass:b"]), json!({"returnValue": {"v": 2}, "passPercentage": 0})),
            rule("r3", json!(["pass:c"]), json!({"returnValue": {"v": 3}})),
        ]), json!({}))},
    })));
    let outcome = project.config("e", &json!({}));
    assert_eq!((outcome.value, outcome.rule.as_str()), (Some(json!({})), "r2"));
    assert_eq!(outcome.exposures, ["a=false by default", "b=true by rb"]);
}

#[test]
fn duplicates_are_kept_and_a_gate_met_again_repeats_what_is_inside() {
    let outcome = check(&[
        ("top", json!(["pass:outer", "pass:inner", "fail:outer"])),
        ("outer", json!(["pass:inner", "pass:inner"])),
        ("inner", json!(["always"])),
    ]);
    let (inner, outer) = ("inner=true by r-inner", "outer=true by r-outer");
    assert_eq!(outcome.exposures, [inner, inner, outer, inner, inner, inner, outer]);
    assert!(!outcome.passes);
}

#[test]
fn the_exposed_value_is_that_before_a_fail_gate_turns_it_round() {
    let on = check(&[("top", json!(["fail:on"])), ("on", json!(["always"]))]);
    assert_eq!((on.passes, on.exposures.as_slice()), (false, ["on=true by r-on".to_owned()].as_slice()));
    let off = check(&[("top", json!(["fail:off"])), ("off", json!(["never"]))]);
    assert_eq!(
        (off.passes, off.exposures.as_slice()),
        (true, ["off=false by default".to_owned()].as_slice())
    );
}

#[test]
fn a_missing_gate_is_off_and_leaves_no_trace() {
    let outcome = check(&[("top", json!(["fail:missing"]))]);
    assert_eq!((outcome.reason, outcome.passes), (Reason::Recognized, true));
    assert_eq!(outcome.exposures, [""; 0]);
    let outcome = check(&[("top", json!(["pass:missing"]))]);
    assert_eq!(
        (outcome.reason, outcome.passes, outcome.rule.as_str()),
        (Reason::Recognized, false, "default")
    );
    assert_eq!(outcome.exposures, [""; 0]);
}

#[test]
fn a_target_that_is_no_name_is_a_missing_gate() {
    for target in [json!(null), json!(5), json!(["a"]), json!("<absent>"), json!("")] {
        for (kind, expected) in [("pass_gate", false), ("fail_gate", true)] {
            let nested = condition(kind, json!({"targetValue": target}));
            let outcome = Project::of_conditions(&[&nested]).gate("g", &json!({}));
            assert_eq!((outcome.reason, outcome.passes), (Reason::Recognized, expected), "{kind} {target}");
        }
    }
}

#[test]
fn a_gate_by_the_empty_name_is_a_gate() {
    let outcome = check(&[("top", json!(["pass:"])), ("", json!(["always"]))]);
    assert_eq!((outcome.passes, outcome.exposures.as_slice()), (true, ["=true by r-".to_owned()].as_slice()));
}

#[test]
fn a_gate_decided_by_a_rule_without_id_is_not_listed() {
    let project = Project::new(&payload(json!({
        "condition_map": conditions(&["a"]),
        "feature_gates": {
            "a": gate(json!([rule("", json!([]), json!({}))]), json!({})),
            "top": gate(json!([rule("r", json!(["pass:a"]), json!({}))]), json!({})),
        },
    })));
    let outcome = project.gate("top", &json!({}));
    assert_eq!((outcome.passes, outcome.exposures.len()), (true, 0));
}

#[test]
fn segments_are_not_listed_but_the_gates_inside_them_are() {
    let outcome = check(&[
        ("top", json!(["pass:segment:beta", "pass:Segment:beta"])),
        ("segment:beta", json!(["pass:a"])),
        ("Segment:beta", json!(["always"])),
        ("a", json!(["always"])),
    ]);
    assert_eq!(outcome.exposures, ["a=true by r-a", "Segment:beta=true by r-Segment:beta"]);
    assert!(outcome.passes);
}

#[test]
fn holdouts_are_gates_that_are_on_unless_a_rule_says_otherwise() {
    let project = |percentage: u32| {
        let out = rule("out", json!(["always"]), json!({"returnValue": false, "passPercentage": percentage}));
        Project::new(&payload(json!({
            "condition_map": conditions(&["holdout"]),
            "feature_gates": {
                "holdout": gate(json!([out]), json!({"entity": "holdout", "defaultValue": true})),
            },
            "dynamic_configs": {"e": experiment(json!([
                rule("held", json!(["pass:holdout"]), json!({"returnValue": {"v": "held"}})),
                rule("test", json!(["fail:holdout"]), json!({"returnValue": {"v": "test"}})),
            ]), json!({}))},
        })))
    };
    let outcome = project(100).config("e", &json!({"userID": "u"}));
    assert_eq!((outcome.value, outcome.rule.as_str()), (Some(json!({"v": "test"})), "test"));
    assert_eq!(outcome.exposures, ["holdout=false by out", "holdout=false by out"]);
    let outcome = project(0).config("e", &json!({"userID": "u"}));
    assert_eq!((outcome.value, outcome.rule.as_str()), (Some(json!({"v": "held"})), "held"));
    assert_eq!(outcome.exposures, ["holdout=true by out"]);
}

#[test]
fn nothing_else_of_a_nested_gate_reaches_the_parent() {
    let project = Project::new(&payload(json!({
        "condition_map": conditions(&["inner"]),
        "feature_gates": {
            "inner": gate(json!([rule("ri", json!([]), json!({
                "groupName": "Inner", "isExperimentGroup": true,
            }))]), json!({
                "version": 9, "isActive": true, "hasSharedParams": true, "idType": "stableID",
                "explicitParameters": ["x"],
            })),
            "top": gate(json!([rule("rt", json!(["pass:inner"]), json!({}))]), json!({})),
            "falls": gate(json!([rule("rt", json!(["fail:inner"]), json!({}))]), json!({})),
        },
    })));
    for (name, rule) in [("top", "rt"), ("falls", "default")] {
        let outcome = project.gate(name, &json!({}));
        assert_eq!(outcome.rule, rule);
        assert_eq!((outcome.group, outcome.version), (None, None));
        assert_eq!(outcome.id_type.as_deref(), Some("userID"));
        assert!(!outcome.is_group && !outcome.is_active && !outcome.in_layer && outcome.explicit.is_empty());
        assert_eq!(outcome.exposures, ["inner=true by ri"]);
    }
}

#[test]
fn an_id_list_look_up_anywhere_inside_shows() {
    for keys in [json!(["pass:deep"]), json!(["never", "fail:deep"]), json!(["pass:deep", "pass:deep"])] {
        let outcome = check(&[("top", keys), ("deep", json!(["pass:list"])), ("list", json!(["listed"]))]);
        assert!(outcome.id_list_lookup);
    }
    assert!(!check(&[("top", json!(["pass:deep"])), ("deep", json!(["always"]))]).id_list_lookup);
}

#[test]
fn a_gate_that_delegates_takes_the_delegates_answer() {
    let delegate = |changes: Value| {
        let project = Project::new(&payload(json!({
            "condition_map": conditions(&[]),
            "feature_gates": {
                "g": gate(json!([rule("rg", json!(["always"]), json!({"configDelegate": "e"}))]), json!({})),
            },
            "dynamic_configs": {"e": experiment(json!([rule("re", json!(["always"]), changes)]), json!({}))},
        })));
        project.gate("g", &json!({"userID": "u"}))
    };
    let outcome = delegate(json!({"returnValue": {"a": 1}, "groupName": "Test"}));
    assert_eq!((outcome.passes, outcome.rule.as_str()), (true, "re"));
    assert_eq!((outcome.delegate.as_deref(), outcome.group.as_deref()), (Some("e"), Some("Test")));
    let outcome = delegate(json!({"returnValue": false}));
    assert_eq!((outcome.passes, outcome.rule.as_str()), (false, "re"));
    // An unsupported first condition in the delegate counts as false, whatever held in the gate.
    let outcome = delegate(json!({"conditions": ["unknown"]}));
    assert_eq!((outcome.reason, outcome.passes, outcome.rule.as_str()), (Reason::Unsupported, false, ""));
}

#[test]
fn the_memo_lasts_for_one_check() {
    let kiwi = user_field("country", "any", json!(["NZ"]));
    let project = Project::new(&payload(json!({
        "condition_map": with(conditions(&["inner"]), json!({"kiwi": kiwi})),
        "feature_gates": {
            "inner": gate(json!([rule("ri", json!(["kiwi"]), json!({}))]), json!({})),
            "top": gate(json!([rule("rt", json!(["pass:inner"]), json!({}))]), json!({})),
        },
    })));
    for country in ["NZ", "AU", "NZ"] {
        assert_eq!(project.gate("top", &json!({"country": country})).passes, country == "NZ");
    }
}
