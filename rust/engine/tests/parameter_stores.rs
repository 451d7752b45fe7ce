//! Parameter stores: where a parameter comes from, and what an application sets.
mod support;

use serde_json::{Value, json};
use statsig_engine::{
    CheckKind, Input, Override, OverrideValue, Overrides, PackedUser, ParameterStore, ParameterValue,
    Returned, read_parameter,
};
use std::sync::Arc;
use support::{Project, condition, experiment, gate, layer, payload, rule, user, with};

/// A parameter with the two members that every one has.
fn parameter(source: Value) -> Value {
    with(json!({"ref_type": "any", "param_type": "any"}), source)
}

fn project(parameters: &Value) -> Project {
    let always = json!(["always"]);
    Project::new(&payload(json!({
        "condition_map": {"always": condition("public", json!({}))},
        "feature_gates": {"on": gate(json!([rule("r", always.clone(), json!({}))]), json!({})),
                          "off": gate(json!([]), json!({}))},
        "dynamic_configs": {
            "c": experiment(json!([rule("r", always.clone(), json!({"returnValue": {"x": 1}}))]), json!({})),
            "bandit": experiment(json!([]), json!({"defaultValue": {"x": "spec"}}))},
        "layer_configs": {"l": layer(json!([]), json!({"defaultValue": {"x": "layer"}}))},
        "cmab_configs": {"bandit": {
            "salt": "s", "defaultValue": {"x": "default"}, "idType": "userID", "enabled": true, "version": 1,
            "sampleRate": 0, "higherIsBetter": true,
            "groups": [{"id": "arm", "name": "Arm", "parameterValues": {"x": "arm"}}]}},
        "param_stores": {"s": {"parameters": parameters}},
    })))
}

/// The value as JSON, None where there is none, and what was asked for on the way.
fn read(
    project: &Project,
    overrides: Option<&Overrides>,
    store: &str,
    name: &str,
    who: &Value,
) -> (Option<Value>, Option<(CheckKind, String)>) {
    let (user, nobody) = (user(who), PackedUser::default());
    let input = Input { overrides, ..Input::new(user.view(), nobody.view()) };
    let Some(reading) = read_parameter(&project.0, store, name, &input) else {
        return (None, None);
    };
    let asked = reading.check.as_ref().map(|check| (check.kind, check.name.to_owned()));
    let json = match (reading.value, &reading.check) {
        (ParameterValue::Json(json), _) => json.to_owned(),
        (ParameterValue::Member(member), Some(check)) => {
            let found = check.evaluation.find_parameter(&project.0, overrides, member);
            let Some((id, _)) = found else {
                return (None, asked);
            };
            let json = match id.override_index() {
                Some(index) => overrides.and_then(|all| all.value(index)).map_or("", OverrideValue::json),
                None => project.0.value(id).json(),
            };
            parsed(json)[member].to_string()
        }
        (ParameterValue::Member(_), None) => panic!("a member belongs to the value of a check"),
    };
    (Some(parsed(&json)), asked)
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json}"))
}

#[test]
fn the_keys_decide_what_a_parameter_is() {
    let value = json!({"value": [1, {"b": 2.5, "a": null}]});
    let gated = json!({"gate_name": "on", "pass_value": "pass", "fail_value": null});
    let config = json!({"config_name": "c", "param_name": "x"});
    let bandit = json!({"experiment_name": "bandit", "param_name": "x"});
    let layer = json!({"layer_name": "l", "param_name": "x"});
    // In this order, whatever else is there.
    let mut all = parameter(json!({}));
    for source in [&layer, &bandit, &config, &gated, &value] {
        all = with(all, source.clone());
    }
    let keys = |keys: &[&str]| {
        let mut rest = all.clone();
        for key in keys {
            rest.as_object_mut().expect("a parameter is an object").shift_remove(*key);
        }
        rest
    };
    let project = project(&json!({
        "value": keys(&[]),
        "gate": keys(&["value"]),
        "config": keys(&["value", "pass_value"]),
        "experiment": keys(&["value", "gate_name", "config_name"]),
        "layer": keys(&["value", "fail_value", "config_name", "experiment_name"]),
        "off": parameter(json!({"gate_name": "off", "pass_value": "pass", "fail_value": null})),
        "as config": parameter(json!({"config_name": "bandit", "param_name": "x"})),
        "no such gate": parameter(json!({"gate_name": "?", "pass_value": true, "fail_value": false})),
        "no such member": parameter(json!({"layer_name": "l", "param_name": "?"})),
    }));
    let asked = |kind, name: &str| Some((kind, name.to_owned()));
    for (name, value, check) in [
        ("value", Some(json!([1, {"b": 2.5, "a": null}])), None),
        ("gate", Some(json!("pass")), asked(CheckKind::Gate, "on")),
        ("config", Some(json!(1)), asked(CheckKind::Config, "c")),
        ("experiment", Some(json!("arm")), asked(CheckKind::Experiment, "bandit")),
        ("layer", Some(json!("layer")), asked(CheckKind::Layer, "l")),
        ("off", Some(json!(null)), asked(CheckKind::Gate, "off")),
        ("as config", Some(json!("spec")), asked(CheckKind::Config, "bandit")),
        ("no such gate", Some(json!(false)), asked(CheckKind::Gate, "?")),
        ("no such member", None, asked(CheckKind::Layer, "l")),
        ("no such parameter", None, None),
    ] {
        assert_eq!(read(&project, None, "s", name, &json!({"userID": "u"})), (value, check), "{name}");
    }
    assert_eq!(read(&project, None, "no such store", "value", &json!({})), (None, None));
}

#[test]
fn values_keep_their_order_and_their_numbers() {
    let text = r#"{"z":1,"a":[1e2,-0.0,18446744073709551615,0.1,1e300,"\u00e9\u0000"],"m":{}}"#;
    let stores = r#"{"s": {"parameters": {"p": {"ref_type": "", "param_type": "", "value": VALUE}}}}"#;
    let body = payload(json!({"param_stores": "STORES"})).to_string();
    let body = body.replace("\"STORES\"", &stores.replace("VALUE", text));
    let project = Project::parse(body.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let nobody = PackedUser::default();
    let input = Input::new(nobody.view(), nobody.view());
    let reading = read_parameter(&project.0, "s", "p", &input).expect("the parameter is there");
    let ParameterValue::Json(json) = reading.value else { panic!("{reading:?}") };
    let number = |text: &str| text.replace("1e2", "100.0").replace("\\u00e9", "é");
    assert_eq!(json, number(text));
}

#[test]
fn of_several_with_one_name_the_last_counts() {
    let body = payload(json!({})).to_string();
    let store = |value: &str| {
        format!(
            r#"{{"parameters": {{"p": {{"ref_type": "", "param_type": "", "value": 0}},
                                 "p": {{"ref_type": "", "param_type": "", "value": {value}}}}}}}"#
        )
    };
    let stores =
        format!(r#"{{"param_stores": {{"s": {}, "t": {}, "s": {}}},"#, store("1"), store("2"), store("3"));
    let body = body.replacen('{', &stores, 1);
    let project = Project::parse(body.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(read(&project, None, "s", "p", &json!({})).0, Some(json!(3)));
    assert_eq!(read(&project, None, "t", "p", &json!({})).0, Some(json!(2)));
    let mut names: Vec<_> = project.0.parameter_stores().collect();
    names.sort_unstable();
    assert_eq!(names, ["s", "t"]);
}

fn store(parameters: &Value) -> Arc<ParameterStore> {
    Arc::new(ParameterStore::new(&parameters.to_string()).unwrap_or_else(|error| panic!("{error}")))
}

#[test]
fn what_is_set_has_parameters_and_plain_values() {
    let project =
        project(&json!({"p": parameter(json!({"value": "payload"})), "q": parameter(json!({"value": 1}))}));
    let gated = json!({"gate_name": "on", "pass_value": 1, "fail_value": 0});
    let incomplete = parameter(json!({"gate_name": "on", "pass_value": 1}));
    let mut overrides = Overrides::default();
    overrides.set_parameter_store(
        "s",
        store(&json!({"p": [1], "gate": parameter(gated.clone()), "plain": gated, "incomplete": incomplete})),
        None,
    );
    let read = |name: &str| read(&project, Some(&overrides), "s", name, &json!({})).0;
    assert_eq!(read("p"), Some(json!([1])));
    assert_eq!(read("gate"), Some(json!(1)));
    assert_eq!(read("plain"), Some(gated));
    assert_eq!(read("incomplete"), Some(incomplete));
    // The store as a whole is replaced.
    assert_eq!(read("q"), None);
}

#[test]
fn what_is_no_object_is_refused() {
    for json in ["", "[]", "5", "{", r#"{"a": "\ud83d"}"#, r#"{"a": 1e999}"#, "{} x"] {
        assert!(ParameterStore::new(json).is_err(), "{json}");
    }
}

#[test]
fn a_store_is_set_for_units_and_taken_back() {
    let project = project(&json!({"p": parameter(json!({"value": "payload"}))}));
    let mut overrides = Overrides::default();
    for unit in [None, Some("u"), Some("c")] {
        overrides.set_parameter_store("s", store(&json!({"p": unit})), unit);
    }
    let users =
        [json!({"userID": "u"}), json!({"userID": "x", "customIDs": {"a": "c"}}), json!({"userID": "x"})];
    let all = |overrides: &Overrides| -> Vec<Value> {
        let read = |user| read(&project, Some(overrides), "s", "p", user).0.unwrap_or_default();
        users.iter().map(read).collect()
    };
    assert_eq!(all(&overrides), [json!("u"), json!("c"), json!(null)]);
    overrides.remove_parameter_store("s", Some("u"));
    assert_eq!(all(&overrides), [json!(null), json!("c"), json!(null)]);
    overrides.remove_parameter_store("t", None);
    assert!(!overrides.is_empty());
    overrides.remove_parameter_store("s", None);
    assert!(overrides.is_empty());
    assert_eq!(all(&overrides), ["payload", "payload", "payload"]);
}

#[test]
fn what_is_behind_a_parameter_can_be_set() {
    let project = project(&json!({
        "gate": parameter(json!({"gate_name": "off", "pass_value": true, "fail_value": false})),
        "config": parameter(json!({"config_name": "new", "param_name": "x"})),
    }));
    let mut overrides = Overrides::default();
    overrides.set(CheckKind::Gate, "off", Override::Gate(true), None);
    let value = OverrideValue::new(r#"{"x": "set"}"#).expect("it is an object");
    overrides.set(CheckKind::Config, "new", Override::Value(Arc::new(value)), None);
    let read = |name: &str| read(&project, Some(&overrides), "s", name, &json!({})).0;
    assert_eq!(read("gate"), Some(json!(true)));
    assert_eq!(read("config"), Some(json!("set")));
}

#[test]
fn the_groups_of_an_experiment() {
    let group = |id: &str, value: Value, changes: Value| {
        rule(id, json!([]), with(json!({"returnValue": value, "isExperimentGroup": true}), changes))
    };
    let rules = json!([
        group("a", json!({"x": 1}), json!({"groupName": "A", "idType": "stableID"})),
        group("b", json!(true), json!({"groupName": "A"})),
        group("b", json!({"x": 2}), json!({"groupName": "B", "isExperimentGroup": false})),
        group("c", json!([1]), json!({})),
    ]);
    let active = json!({"isActive": true, "version": 3});
    let project = Project::new(&payload(json!({
        "dynamic_configs": {
            "e": experiment(rules.clone(), active.clone()),
            "stopped": experiment(json!([]), json!({})),
            "c": experiment(rules.clone(), json!({"entity": "dynamic_config"})),
        },
        "layer_configs": {"l": layer(rules, active)},
    })));
    let ruleset = &project.0;
    let listed = ruleset.experiment("e").expect("it is an experiment");
    let text = |id| ruleset.string(id);
    let groups: Vec<_> = listed
        .groups
        .iter()
        .map(|group| {
            (group.name.map(text), text(group.rule), text(group.id_type), ruleset.value(group.value).json())
        })
        .collect();
    assert!(listed.is_active);
    assert_eq!(
        groups,
        [
            (Some("A"), "a", "stableID", r#"{"x":1}"#),
            (Some("A"), "b", "userID", "true"),
            (None, "c", "userID", "[1]"),
        ]
    );
    assert!(
        ruleset.experiment("stopped").is_some_and(|stopped| !stopped.is_active && stopped.groups.is_empty())
    );
    for name in ["c", "l", "?"] {
        assert!(ruleset.experiment(name).is_none(), "{name}");
    }

    let by_name = |name, group| project.outcome(&ruleset.group_by_name(name, group));
    let by_rule = |name, rule| project.outcome(&ruleset.group_by_rule(name, rule));
    let first = by_name("e", "A");
    assert_eq!(first, by_rule("e", "a"));
    assert_eq!(
        (first.rule.as_str(), first.group.as_deref(), first.value),
        ("a", Some("A"), Some(json!({"x": 1})))
    );
    assert_eq!((first.id_type.as_deref(), first.version, first.is_active), (Some("stableID"), None, true));
    assert_eq!(by_name("e", "B").value, Some(json!({"x": 2})));
    assert_eq!(by_rule("e", "b").value, None);
    assert_eq!(by_name("c", "B").rule, "b");
    for unknown in
        [by_name("e", "a"), by_name("e", ""), by_name("l", "A"), by_rule("e", "A"), by_rule("?", "a")]
    {
        assert_eq!(format!("{:?}", unknown.reason), "Unrecognized");
        assert_eq!((unknown.rule.as_str(), unknown.value), ("", None));
    }
    assert!(
        matches!(ruleset.group_by_rule("e", "b").value, Returned::One(id) if ruleset.value(id).json() == "true")
    );
}
