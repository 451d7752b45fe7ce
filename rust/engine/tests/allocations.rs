//! A check allocates nothing: neither for a user prepared before nor for a bare id.
#[path = "support/memory.rs"]
mod memory;
mod support;

use memory::requests;
use serde_json::{Value, json};
use statsig_engine::{Evaluation, Input, Layout, PackedUser, SpecKind, UserView};
use std::hint::black_box;
use support::{
    NOW, Outcome, Project, condition, conditions, experiment, gate, layer, payload, rule, user, user_field,
    with,
};

#[test]
fn requests_are_counted() {
    assert_eq!(requests(|| 1 + 1).0, 0);
    assert_eq!(requests(|| Box::new(black_box(1))).0, 1);
    let mut list = vec![1];
    assert_eq!(requests(|| list.resize(black_box(1000), 0)).0, 1);
    assert!(requests(|| vec![0_u8; black_box(1000)]).0 > 0);
}

/// Checks a spec for a prepared user and for a bare id, both without a request for memory; returns what
/// came of each.
fn check(project: &Project, kind: SpecKind, name: &str, json: &Value) -> [Outcome; 2] {
    let (user, nobody) = (user(json), PackedUser::default());
    let id = json["userID"].as_str().unwrap_or_default();
    let Some(layout) = Layout::of_id(id.len()) else { panic!("{} bytes are not too many", id.len()) };
    let evaluations: [Evaluation; 2] = [user.view(), UserView::of_id(id, &layout)].map(|view| {
        let input = Input { tier: Some("production"), now: NOW, ..Input::new(view, nobody.view()) };
        let (count, evaluation) = requests(|| project.evaluate(kind, black_box(name), &input));
        assert_eq!(count, 0, "{name}");
        let (count, _) = requests(|| evaluation.find_parameter(&project.0, None, black_box("color")));
        assert_eq!(count, 0, "a parameter of {name}");
        evaluation
    });
    evaluations.map(|evaluation| project.outcome(&evaluation))
}

/// A user with a little of everything.
fn somebody(number: u32) -> Value {
    json!({
        "userID": format!("user-{number}"), "email": "Somebody@Example.com", "country": "NZ", "appVersion": "2.10.3",
        "customIDs": {"companyID": "company-7"},
        "userAgent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) Version/17.5 Mobile/15E148 Safari/604.1",
        "custom": {"plan": "Pro", "age": 42, "score": 12.75, "tags": ["a", 1, true], "beta": true},
        "privateAttributes": {"secret": "s"},
    })
}

#[test]
fn a_gate_for_half_of_all_users() {
    let half = rule("half", json!(["always"]), json!({"passPercentage": 50}));
    let project = Project::new(&payload(json!({
        "condition_map": conditions(&[]),
        "feature_gates": {"g": gate(json!([half]), json!({}))},
    })));
    let mut on = 0;
    for number in 0..100 {
        let outcomes = check(&project, SpecKind::Gate, "g", &somebody(number));
        assert_eq!(outcomes[0].passes, outcomes[1].passes);
        on += u32::from(outcomes[0].passes);
    }
    assert!((30..70).contains(&on), "{on}");
}

#[test]
fn three_conditions_and_a_fifth_of_the_users() {
    let fifth = rule("fifth", json!(["not kp", "user", "not internal"]), json!({"passPercentage": 20}));
    let project = Project::new(&payload(json!({
        "condition_map": {
            "not kp": user_field("Country", "none", json!(["KP", "IR"])),
            "user": user_field("userID", "str_starts_with_any", json!(["USER-"])),
            "not internal": user_field("email", "str_contains_none", json!(["@internal."])),
        },
        "feature_gates": {"g": gate(json!([fifth]), json!({}))},
    })));
    let mut on = 0;
    for number in 0..100 {
        let outcomes = check(&project, SpecKind::Gate, "g", &somebody(number));
        assert_eq!([&outcomes[0].rule, &outcomes[1].rule], ["fifth", "fifth"]);
        on += u32::from(outcomes[0].passes);
    }
    assert!((8..35).contains(&on), "{on}");
}

/// An experiment that splits users in three by their bucket.
fn three_groups() -> Value {
    let group = |name: &str, color: &str| {
        let changes =
            json!({"groupName": name, "isExperimentGroup": true, "returnValue": {"size": 1, "color": color}});
        rule(name, json!([name]), changes)
    };
    experiment(
        json!([group("control", "grey"), group("red", "red"), group("blue", "blue")]),
        json!({"isActive": true, "explicitParameters": ["color"], "hasSharedParams": true}),
    )
}

fn buckets() -> Value {
    let below = |limit: u32| {
        condition(
            "user_bucket",
            json!({"operator": "lt", "targetValue": limit, "additionalValues": {"salt": "split"}}),
        )
    };
    json!({"control": below(333), "red": below(667), "blue": below(1000)})
}

#[test]
fn an_experiment_with_three_groups() {
    let configs = json!({"e": three_groups()});
    let project = Project::new(&payload(json!({"condition_map": buckets(), "dynamic_configs": configs})));
    let mut groups = std::collections::BTreeMap::new();
    for number in 0..100 {
        let [prepared, bare] = check(&project, SpecKind::Config, "e", &somebody(number));
        assert_eq!(prepared, bare);
        *groups.entry(prepared.group.unwrap()).or_insert(0) += 1;
    }
    assert!(groups.len() == 3 && groups.values().all(|&count| count > 15), "{groups:?}");
}

#[test]
fn a_layer_that_delegates() {
    for merges in [false, true] {
        let allocated = rule(
            "allocated",
            json!(["pass:beta", "fail:off"]),
            json!({"configDelegate": "e", "returnValue": {}}),
        );
        let beta = rule("everybody", json!(["always"]), json!({}));
        let project = Project::new(&payload(json!({
            "condition_map": with(conditions(&["beta", "off"]), buckets()),
            "feature_gates": {"beta": gate(json!([beta]), json!({})), "off": gate(json!([]), json!({}))},
            "dynamic_configs": {"e": three_groups()},
            "layer_configs": {"l": layer(json!([allocated]), json!({"useNewLayerEval": merges}))},
        })));
        for number in 0..20 {
            for outcome in check(&project, SpecKind::Layer, "l", &somebody(number)) {
                assert_eq!(outcome.delegate.as_deref(), Some("e"));
                assert_eq!(outcome.exposures, ["beta=true by everybody", "off=false by default"]);
            }
        }
    }
}

#[test]
fn every_kind_of_comparison() {
    let project = Project::new(&payload(json!({
        "condition_map": {
            "age": user_field("age", "gte", json!(18)),
            "age in": user_field("age", "any", json!([41, 42])),
            "score": user_field("SCORE", "eq", json!("12.75")),
            "version": user_field("app_version", "version_gt", json!("2.9")),
            "long list": user_field("plan", "any", json!((0..50).map(|n| n.to_string()).chain(["PRO".to_owned()]).collect::<Vec<_>>())),
            "tags": user_field("tags", "array_contains_all", json!(["a", "1", "true"])),
            "beta": user_field("beta", "eq", json!(true)),
            "time": condition("current_time", json!({"operator": "on", "targetValue": "2023-05-17T00:00:00Z"})),
            "tier": with(user_field("tier", "any", json!(["Production"])), json!({"type": "environment_field"})),
            "company": condition("unit_id", json!({"idType": "companyID", "operator": "eq", "targetValue": "company-7"})),
            "secret": user_field("secret", "neq", json!(null)),
            "since": user_field("age", "after", json!(41_999)),
            "system": with(user_field("os_version", "version_gte", json!("17.5")), json!({"type": "ua_based"})),
            "browser": with(user_field("browser_name", "any", json!(["mobile safari"])), json!({"type": "ua_based"})),
        },
        "feature_gates": {"g": gate(json!([rule("all", json!([
            "age", "age in", "score", "version", "long list", "tags", "beta", "time", "tier", "company", "secret", "since", "system", "browser",
        ]), json!({"passPercentage": 99.99, "idType": "companyID"}))]), json!({}))},
    })));
    let [prepared, bare] = check(&project, SpecKind::Gate, "g", &somebody(1));
    assert_eq!((prepared.passes, prepared.rule.as_str()), (true, "all"));
    assert_eq!((bare.passes, bare.rule.as_str()), (false, "default"));
}
