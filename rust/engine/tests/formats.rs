//! The two formats: v1 has specs in arrays and conditions in rules, v2 maps and a `condition_map`.
mod support;

use serde_json::{Map, Value, json};
use statsig_engine::{Format, LoadError, Reason, SpecKind};
use support::{
    ABSENT, Outcome, Project, condition, conditions, experiment, gate, layer, payload, rule, user_field, with,
};

fn error_of(payload: &str) -> LoadError {
    match Project::parse(payload.as_bytes()) {
        Err(error) => error,
        Ok(_) => panic!("expected an error for {payload}"),
    }
}

#[test]
fn an_empty_project_is_a_project() {
    for text in [payload(json!({})), v1_payload(json!({}))] {
        let project = Project::new(&text);
        assert_eq!((project.0.specs().len(), project.issues().len()), (0, 0));
        assert_eq!(project.0.find(SpecKind::Gate, ""), None);
    }
}

/// A v1 payload; `parts` are set on the top level.
fn v1_payload(parts: Value) -> Value {
    let empty = json!({"has_updates": true, "time": 1000, "feature_gates": [], "dynamic_configs": [], "layer_configs": []});
    with(empty, parts)
}

/// The same project in v1: specs in arrays with their names, conditions in the rules.
fn to_v1(v2: &Value) -> Value {
    let mut parts = Map::new();
    for field in ["feature_gates", "dynamic_configs", "layer_configs"] {
        let mut specs = Vec::new();
        for (name, spec) in v2[field].as_object().into_iter().flatten() {
            let mut spec = with(spec.clone(), json!({"name": name, "isDeviceBased": false}));
            for rule in spec["rules"].as_array_mut().into_iter().flatten() {
                let keys = rule["conditions"].as_array().cloned().unwrap_or_default();
                let inline: Vec<Value> = keys
                    .iter()
                    .map(|key| {
                        with(
                            v2["condition_map"][key.as_str().unwrap_or_default()].clone(),
                            json!({"isDeviceBased": false}),
                        )
                    })
                    .collect();
                rule["conditions"] = json!(inline);
            }
            specs.push(spec);
        }
        parts.insert(field.to_owned(), json!(specs));
    }
    parts.insert("layers".to_owned(), json!({"layer": ["experiment"]}));
    with(v1_payload(json!({"time": v2["time"]})), Value::Object(parts))
}

/// A project with something of everything both formats can say.
fn everything() -> Value {
    let names = ["holdout", "segment:vips", "beta", "missing"];
    payload(json!({
        "condition_map": with(conditions(&names), json!({
            "kiwi": user_field("country", "any", json!(["NZ", "nz"])),
            "recent": user_field("app_version", "version_gte", json!("2.1")),
            "rich": user_field("plan", "any_case_sensitive", json!(["Pro"])),
            "half": condition("user_bucket", json!({
                "operator": "lt", "targetValue": 500, "additionalValues": {"salt": "half"}, "idType": "companyID",
            })),
            "staff": user_field("email", "str_ends_with_any", json!(["@example.com"])),
        })),
        "feature_gates": {
            "segment:vips": gate(json!([rule("vip", json!(["rich"]), json!({}))]), json!({"entity": "segment"})),
            "holdout": gate(json!([
                rule("out", json!(["always"]), json!({"passPercentage": 40, "salt": "h"})),
            ]), json!({"entity": "holdout"})),
            "beta": gate(json!([
                rule("vips", json!(["pass:segment:vips"]), json!({})),
                rule("kiwis", json!(["kiwi", "recent"]), json!({"passPercentage": 50})),
                rule("staff", json!(["staff"]), json!({"returnValue": false})),
            ]), json!({"version": 4})),
            "broken": gate(json!([rule("r", json!(["kiwi", "unknown"]), json!({}))]), json!({})),
        },
        "dynamic_configs": {
            "experiment": experiment(json!([
                rule("held", json!(["pass:holdout"]), json!({"returnValue": {}})),
                rule("a", json!(["half"]), json!({
                    "returnValue": {"color": "red"}, "groupName": "A", "isExperimentGroup": true, "idType": "companyID",
                })),
                rule("b", json!(["fail:beta", "fail:missing"]), json!({"returnValue": {"color": "blue"}, "groupName": "B"})),
            ]), json!({"isActive": true, "hasSharedParams": true, "explicitParameters": ["color"], "defaultValue": {"color": "grey"}})),
        },
        "layer_configs": {
            "layer": layer(json!([
                rule("allocated", json!(["pass:beta"]), json!({"configDelegate": "experiment", "returnValue": {}})),
                rule("rest", json!(["always"]), json!({"returnValue": {"color": "none"}, "passPercentage": 10})),
            ]), json!({"defaultValue": {"color": "default"}})),
        },
    }))
}

#[test]
fn both_formats_of_a_project_evaluate_alike() {
    let (v2, v1) = (Project::new(&everything()), Project::new(&to_v1(&everything())));
    assert_eq!((v1.0.format(), v2.0.format()), (Format::V1, Format::V2));
    assert_eq!((v1.issues().len(), v1.0.specs().len(), v1.0.time()), (0, v2.0.specs().len(), v2.0.time()));
    let mut rules = std::collections::BTreeSet::new();
    for index in 0..60 {
        let user = json!({
            "userID": format!("user-{index}"),
            "email": if index % 7 == 0 { "me@example.com" } else { "me@example.org" },
            "country": if index % 2 == 0 { "NZ" } else { "AU" },
            "appVersion": format!("2.{}", index % 4),
            "custom": {"plan": if index % 5 == 0 { "Pro" } else { "pro" }},
            "customIDs": {"companyid": format!("company-{}", index % 11)},
        });
        for spec in v2.0.specs() {
            let name = v2.0.string(spec.name());
            let outcome = v2.check(spec.kind(), name, &user);
            assert_eq!(v1.check(spec.kind(), name, &user), outcome, "{name} for {user}");
            rules.insert(outcome.rule);
        }
    }
    // The users reach every part of the project.
    let reached: Vec<&str> = rules.iter().map(String::as_str).collect();
    assert_eq!(reached, ["", "a", "b", "default", "held", "kiwis", "out", "rest", "staff", "vip", "vips"]);
}

/// A v1 project of one gate `g` with one rule of these conditions.
fn v1_gate(conditions: &Value, changes: Value) -> Project {
    let on = |name| with(gate(json!([rule("ro", json!([]), json!({}))]), json!({})), json!({"name": name}));
    let off = |name| with(gate(json!([]), json!({})), json!({"name": name}));
    let g = with(gate(json!([rule("r", conditions.clone(), json!({}))]), json!({"name": "g"})), changes);
    Project::new(&v1_payload(
        json!({"feature_gates": [g, on("on"), on("on too"), off("off"), off("off too")]}),
    ))
}

#[test]
fn a_v1_spec_that_is_off_ends_at_once() {
    for enabled in [json!(false), json!(null), json!(ABSENT)] {
        let pass = condition("pass_gate", json!({"targetValue": "on"}));
        let outcome = v1_gate(&json!([pass]), json!({"enabled": enabled})).gate("g", &json!({}));
        assert_eq!(
            (outcome.reason, outcome.passes, outcome.rule.as_str()),
            (Reason::Recognized, false, "disabled")
        );
        assert_eq!(outcome.exposures.len(), 0);
    }
    let config = with(
        experiment(
            json!([rule("r", json!([]), json!({"returnValue": {"a": 1}}))]),
            json!({"defaultValue": {"a": 0}}),
        ),
        json!({"name": "c", "enabled": false}),
    );
    let outcome = Project::new(&v1_payload(json!({"dynamic_configs": [config]}))).config("c", &json!({}));
    assert_eq!((outcome.value, outcome.rule.as_str()), (Some(json!({"a": 0})), "disabled"));
}

#[test]
fn v1_takes_types_and_operators_in_any_case() {
    let user = json!({"userID": "u", "country": "NZ"});
    let operand = |kind: &str, operator: &str| {
        condition(kind, json!({"field": "country", "operator": operator, "targetValue": ["nz"]}))
    };
    for (kind, operator) in
        [("USER_FIELD", "any"), ("user_field", "ANY"), ("User_Field", "Any"), ("Ip_Based", "any")]
    {
        assert!(
            v1_gate(&json!([operand(kind, operator)]), json!({})).gate("g", &user).passes,
            "{kind} {operator}"
        );
    }
    let phone =
        condition("UA_Based", json!({"field": "os_name", "operator": "Any", "targetValue": ["android"]}));
    let user_agent = json!({"userID": "u", "userAgent": "Phone (Android 14)"});
    assert!(v1_gate(&json!([phone]), json!({})).gate("g", &user_agent).passes);
    for (kind, passes) in [("PUBLIC", true), ("Pass_Gate", true), ("FAIL_GATE", false)] {
        let outcome =
            v1_gate(&json!([condition(kind, json!({"targetValue": "on"}))]), json!({})).gate("g", &user);
        assert_eq!((outcome.reason, outcome.passes), (Reason::Recognized, passes), "{kind}");
    }
    for (kind, operator) in [("user_fields", "any"), ("user_field", "any_of"), ("javascript", "any")] {
        let outcome = v1_gate(&json!([operand(kind, operator)]), json!({})).gate("g", &user);
        assert_eq!(outcome.reason, Reason::Unsupported, "{kind} {operator}");
    }
}

#[test]
fn one_of_several_gates() {
    let check = |kind: &str, target: Value| -> Outcome {
        v1_gate(&json!([condition(kind, json!({"targetValue": target}))]), json!({})).gate("g", &json!({}))
    };
    let (on, on_too) = ("on=true by ro", "on too=true by ro");
    let (off, off_too) = ("off=false by default", "off too=false by default");
    // The gates after the one that decides are not looked at.
    for (kind, target, passes, exposures) in [
        ("multi_pass_gate", json!(["on", "on too"]), true, vec![on]),
        ("multi_pass_gate", json!(["off", "on too", "on"]), true, vec![off, on_too]),
        ("multi_pass_gate", json!(["off", "off too"]), false, vec![off, off_too]),
        ("multi_pass_gate", json!(["missing"]), false, vec![]),
        ("multi_pass_gate", json!([]), false, vec![]),
        ("multi_fail_gate", json!(["on", "off", "off too"]), true, vec![on, off]),
        ("multi_fail_gate", json!(["on", "on too"]), false, vec![on, on_too]),
        ("multi_fail_gate", json!(["missing", "on"]), true, vec![]),
        ("MULTI_FAIL_GATE", json!([]), false, vec![]),
    ] {
        let outcome = check(kind, target.clone());
        assert_eq!((outcome.reason, outcome.passes), (Reason::Recognized, passes), "{kind} {target}");
        assert_eq!(outcome.exposures, exposures, "{kind} {target}");
    }
}

#[test]
fn v1_leaves_out_what_v2_insists_on() {
    let kiwi = with(user_field("country", "any", json!(["NZ"])), json!({"idType": ABSENT}));
    let project = v1_gate(&json!([kiwi]), json!({}));
    assert!(project.gate("g", &json!({"country": "NZ"})).passes);
    let open = with(rule("r", json!([]), json!({})), json!({"conditions": ABSENT}));
    let project = v1_gate(&json!([]), json!({"rules": [open]}));
    assert!(project.gate("g", &json!({})).passes);
    for time in [json!(ABSENT), json!(null)] {
        assert_eq!(Project::new(&v1_payload(json!({"time": time}))).0.time(), 0);
    }
}

#[test]
fn a_v1_fault_costs_one_spec() {
    // A condition belongs to its spec here.
    let bad = |changes: Value| with(user_field("country", "any", json!(["NZ"])), changes);
    for (condition, field) in [
        (bad(json!({"type": ABSENT})), "type"),
        (bad(json!({"operator": 5})), "operator"),
        (bad(json!({"additionalValues": {"salt": 5}})), "additionalValues"),
        (json!("a key"), "conditions"),
    ] {
        let project = v1_gate(&json!([condition]), json!({}));
        let issues = project.issues();
        assert!(matches!(issues.as_slice(), [("g", message)] if message.contains(field)), "{issues:?}");
        assert!(project.gate("on", &json!({})).passes);
    }
    for name in [json!(ABSENT), json!(null), json!(5)] {
        let project = v1_gate(&json!([]), json!({"name": name}));
        assert_eq!(project.0.find(SpecKind::Gate, "g"), None);
        let issues = project.issues();
        assert!(
            matches!(issues.as_slice(), [("feature_gates[0]", message)] if message.contains("name")),
            "{issues:?}"
        );
        assert!(project.gate("on", &json!({})).passes);
    }
}

#[test]
fn of_v1_specs_with_one_name_the_last_counts() {
    let project = v1_gate(&json!([]), json!({"name": "off"}));
    assert_eq!(project.gate("off", &json!({})).rule, "default");
    let project = v1_gate(&json!([condition("public", json!({}))]), json!({"name": "on"}));
    assert_eq!(project.gate("on", &json!({})).rule, "ro");
}

#[test]
fn formats_do_not_mix() {
    for (field, path) in [("dynamic_configs", "dynamic_configs"), ("layer_configs", "layer_configs")] {
        let text = v1_payload(json!({field: {}})).to_string();
        assert!(matches!(error_of(&text), LoadError::Field { path: found, .. } if found == path));
        for nothing in [json!(null), json!(ABSENT)] {
            let text = v1_payload(json!({field: nothing})).to_string();
            assert!(matches!(error_of(&text), LoadError::Missing { field: found, .. } if found == path));
        }
    }
    // It is the shape that tells them apart, not what the payload says of itself.
    let project = Project::new(&v1_payload(json!({"response_format": "dcs-v2", "condition_map": {}})));
    assert_eq!(project.0.format(), Format::V1);
    assert_eq!(Project::new(&payload(json!({"response_format": "dcs-v1"}))).0.format(), Format::V2);
}
