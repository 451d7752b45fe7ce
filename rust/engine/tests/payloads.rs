//! What a payload may look like: faults that reject it, faults that cost one spec, and both formats.
mod support;

use serde_json::{Value, json};
use statsig_engine::{Compiled, Format, LoadError, SpecKind, compile};
use support::{ABSENT, Project, condition, experiment, gate, layer, payload, rule, user_field, with};

/// A bandit of which this is said to be learned from.
fn cmab_with_records(records: &Value) -> Value {
    json!({"x": {
        "salt": "s", "defaultValue": {}, "idType": "userID", "enabled": true, "version": 1, "sampleRate": 0.1,
        "higherIsBetter": true, "groups": [],
        "config": {"i": {"alpha": 1, "intercept": 1, "records": records, "weightsNumerical": {},
                         "weightsCategorical": {}}},
    }})
}

/// A sound v2 project: gates `g` and `other`, experiment `e`, layer `l`, conditions `always` and `kiwi`.
fn sound() -> Value {
    payload(json!({
        "checksum": "c1",
        "feature_gates": {
            "g": gate(json!([rule("r", json!(["always", "kiwi"]), json!({}))]), json!({})),
            "other": gate(json!([rule("ro", json!(["always"]), json!({}))]), json!({})),
        },
        "dynamic_configs": {
            "e": experiment(json!([rule("re", json!(["kiwi"]), json!({"returnValue": {"a": 1}}))]), json!({})),
        },
        "layer_configs": {
            "l": layer(json!([rule("rl", json!([]), json!({"configDelegate": "e"}))]), json!({})),
        },
        "condition_map": {
            "always": condition("public", json!({})),
            "kiwi": user_field("country", "any", json!(["NZ"])),
        },
        "experiment_to_layer": {"e": "l"},
    }))
}

/// The sound project with something changed at a place such as `/feature_gates/g`.
fn changed(place: &str, changes: &Value) -> Value {
    let mut project = sound();
    let Some(part) = project.pointer_mut(place) else { panic!("{place} is in the sound project") };
    *part = with(part.take(), changes.clone());
    project
}

fn error_of(payload: &[u8]) -> LoadError {
    match compile(payload) {
        Err(error) => error,
        Ok(compiled) => panic!("expected an error for {}: {compiled:?}", String::from_utf8_lossy(payload)),
    }
}

fn rejects(payload: &Value) -> String {
    error_of(payload.to_string().as_bytes()).to_string()
}

fn kiwi() -> Value {
    json!({"userID": "u", "country": "NZ"})
}

/// Whether everything in the project works, the changed spec included.
fn works(payload: &Value) -> bool {
    let project = Project::new(payload);
    let user = kiwi();
    project.issues().is_empty()
        && project.gate("g", &user).rule == "r"
        && project.gate("other", &user).passes
        && project.config("e", &user).value == Some(json!({"a": 1}))
        && project.layer("l", &user).delegate.as_deref() == Some("e")
}

#[test]
fn the_sound_project_is_sound() {
    assert!(works(&sound()));
}

#[test]
fn what_is_not_a_json_object() {
    assert!(matches!(error_of(b""), LoadError::Empty));
    assert!(matches!(error_of(b" \t\r\n"), LoadError::Empty));
    for (text, found) in [
        ("null", "null"),
        ("[]", "an array"),
        ("\"{}\"", "a string"),
        ("42", "42"),
        ("true", "a boolean"),
        ("not found", "not JSON"),
        ("<!DOCTYPE html><html></html>", "HTML"),
        ("\u{feff}{}", "not JSON"),
        ("NaN", "not JSON"),
    ] {
        let error = error_of(text.as_bytes());
        assert!(matches!(error, LoadError::NotAnObject { .. }), "{text}: {error:?}");
        assert!(error.to_string().contains(found), "{text}: {error}");
    }
}

#[test]
fn what_is_not_valid_json() {
    let text = sound().to_string();
    for broken in [
        text[..text.len() - 1].to_owned(),
        text[..text.len() / 2].to_owned(),
        "{".to_owned(),
        "{\"has_updates\": tru".to_owned(),
        "{'has_updates': true}".to_owned(),
        text.replace("100", "NaN"),
        text.replacen("\"time\":1000", "\"time\":1000,", 1),
        text.replacen("\"has_updates\"", "has_updates", 1),
        text.replacen("\"has_updates\":true", "\"has_updates\":true,\"has_updates\":true", 1),
        text.replacen("\"time\":1000", "\"time\":1000,\"time\":1000", 1),
    ] {
        let error = error_of(broken.as_bytes());
        assert!(matches!(error, LoadError::Syntax { .. }), "{broken}: {error:?}");
    }
    let mut bytes = text.into_bytes();
    let place = bytes.windows(4).position(|window| window == b"kiwi").unwrap();
    bytes[place] = 0xff;
    assert!(matches!(error_of(&bytes), LoadError::Syntax { .. }));
}

#[test]
fn what_follows_the_closing_brace_is_ignored() {
    let text = sound().to_string();
    for rest in ["\n", "}}}", " trailing", "\u{0}", "{\"has_updates\": false}"] {
        let project = Project::parse(format!("{text}{rest}").as_bytes()).unwrap();
        assert_eq!(project.0.specs().len(), 4);
    }
    assert_eq!(Project::parse(format!(" \r\n\t{text}").as_bytes()).unwrap().0.specs().len(), 4);
}

#[test]
fn without_updates_nothing_else_counts() {
    for text in [
        r#"{"has_updates": false}"#,
        r#"{"time": "x", "feature_gates": 5, "has_updates": false}"#,
        r#"{"has_updates":false} and more"#,
    ] {
        assert!(matches!(compile(text.as_bytes()), Ok(Compiled::NoUpdates)), "{text}");
    }
    let off = with(sound(), json!({"has_updates": false}));
    assert!(matches!(compile(off.to_string().as_bytes()), Ok(Compiled::NoUpdates)));
}

#[test]
fn the_top_level_needs_seven_fields() {
    for field in [
        "has_updates",
        "time",
        "feature_gates",
        "dynamic_configs",
        "layer_configs",
        "condition_map",
        "experiment_to_layer",
    ] {
        for nothing in [json!(null), json!(ABSENT)] {
            let text = with(sound(), json!({field: nothing})).to_string();
            let error = error_of(text.as_bytes());
            assert!(
                matches!(error, LoadError::Missing { field: found, .. } if found == field),
                "{field}: {error:?}"
            );
            assert!(error.to_string().contains(field), "{error}");
        }
    }
}

#[test]
fn a_wrong_type_on_the_top_level_rejects_the_payload() {
    for (field, wrong) in [
        ("has_updates", vec![json!(1), json!("true"), json!({}), json!([])]),
        (
            "time",
            vec![json!(-1), json!(1.5), json!(1000.0), json!("1000"), json!(1e30), json!([]), json!(true)],
        ),
        ("feature_gates", vec![json!("x"), json!(5), json!(true)]),
        ("dynamic_configs", vec![json!([]), json!("x"), json!(5)]),
        ("layer_configs", vec![json!([]), json!("x"), json!(5)]),
        ("condition_map", vec![json!([]), json!("x")]),
        ("experiment_to_layer", vec![json!([]), json!({"a": 1}), json!({"a": null}), json!("x")]),
        ("checksum", vec![json!(5), json!({})]),
        ("company_id", vec![json!(5)]),
        ("response_format", vec![json!(2)]),
        ("default_environment", vec![json!(5), json!({})]),
        ("diagnostics", vec![json!([]), json!({"initialize": "x"}), json!({"initialize": null})]),
        ("sdk_configs", vec![json!([]), json!("x")]),
        ("sdk_flags", vec![json!({"a": 1}), json!([])]),
        ("id_lists", vec![json!([]), json!({"a": 1})]),
        ("sdk_keys_to_app_ids", vec![json!([]), json!(5)]),
        ("hashed_sdk_keys_to_app_ids", vec![json!([]), json!(5)]),
        (
            "overrides",
            vec![
                json!([]),
                json!({"x": {}}),
                json!({"x": [{}]}),
                json!({"x": [{"new_config_name": 5, "rules": []}]}),
            ],
        ),
        ("override_rules", vec![json!([]), json!({"x": {}}), json!({"x": {"id": 5}})]),
        (
            "param_stores",
            vec![
                json!([]),
                json!({"x": {}}),
                json!({"x": {"parameters": {"p": {}}}}),
                json!({"x": {"parameters": {"p": {"ref_type": "gate", "gate_name": "g"}}}}),
            ],
        ),
        ("cmab_configs", vec![json!([]), json!({"x": {}})]),
        (
            "session_replay_info",
            vec![json!([1]), json!({"sampling_rate": "x"}), json!({"targeting_gate": 5})],
        ),
        ("auto_capture_settings", vec![json!({}), json!(5)]),
        ("gcir_config", vec![json!({}), json!(5)]),
    ] {
        for value in wrong {
            let text = with(sound(), json!({field: value})).to_string();
            let error = error_of(text.as_bytes());
            assert!(
                matches!(&error, LoadError::Field { path, .. } if path == field),
                "{field} {value}: {error:?}"
            );
            assert!(error.to_string().contains(field), "{error}");
        }
    }
}

#[test]
fn a_rule_of_a_config_mapping_is_as_strict_as_any() {
    let sound_rule = rule("x", json!([]), json!({}));
    assert!(works(&with(sound(), json!({"override_rules": {"x": sound_rule}}))));
    for field in ["name", "id", "passPercentage", "conditions", "returnValue", "idType"] {
        let faulty = with(sound_rule.clone(), json!({field: ABSENT}));
        let text = with(sound(), json!({"override_rules": {"x": faulty}})).to_string();
        let rejected =
            compile(text.as_bytes()).is_err_and(|error| error.to_string().contains("override_rules"));
        assert!(rejected, "{field}");
    }
}

#[test]
fn parts_beside_the_specs_are_checked_to_the_last_member() {
    let parameter = |parameter: Value| json!({"x": {"parameters": {"p": parameter}}});
    let mut accepted = Vec::new();
    for (field, value) in [
        ("param_stores", parameter(json!({"value": 1}))),
        ("param_stores", parameter(json!({"ref_type": "static", "value": 1}))),
        ("param_stores", parameter(json!({"param_type": "string", "value": 1}))),
        ("param_stores", parameter(json!({"ref_type": 5, "param_type": "string", "value": 1}))),
        (
            "param_stores",
            parameter(json!({"ref_type": "gate", "gate_name": "g", "pass_value": 1, "fail_value": 0})),
        ),
        ("param_stores", json!({"x": {"parameters": {}, "version": 1.0}})),
        ("session_replay_info", json!({"session_recording_event_triggers": {"a": 5}})),
        ("session_replay_info", json!({"session_recording_exposure_triggers": {"a": {"values": [1]}}})),
        ("session_replay_info", json!({"session_recording_privacy_settings": {}})),
        ("session_replay_info", json!({"session_recording_privacy_settings": 5})),
        ("auto_capture_settings", json!({"disabled_events": null})),
        ("auto_capture_settings", json!({"disabled_events": 5})),
        ("auto_capture_settings", json!({"disabled_events": {"click": 1}})),
        ("gcir_config", json!({"remove_default_value_gates": null})),
        ("gcir_config", json!({"remove_default_value_gates": 5})),
        ("overrides", json!({"x": [{"new_config_name": "y"}]})),
        (
            "overrides",
            json!({"x": [{"new_config_name": "y", "rules": [{"rule_name": "z", "start_time": 1.5}]}]}),
        ),
        (
            "cmab_configs",
            json!({"x": {"salt": "s", "defaultValue": {}, "idType": "userID", "enabled": true}}),
        ),
        ("cmab_configs", cmab_with_records(&json!(1.5))),
        ("cmab_configs", cmab_with_records(&json!(-1))),
    ] {
        let text = with(sound(), json!({field: value})).to_string();
        if !compile(text.as_bytes()).is_err_and(|error| error.to_string().contains(field)) {
            accepted.push(format!("{field}: {value}"));
        }
    }
    assert!(accepted.is_empty(), "accepted:\n{}", accepted.join("\n"));
}

/// JSON that no value stands for: the reference reads these two parts, and leaves most others as text.
#[test]
fn values_of_the_top_level_are_read() {
    let deep = "[".repeat(200) + &"]".repeat(200);
    for value in ["1e999", "[-1e999]", r#""\ud83d""#, r#"{"\ud83d": 1}"#, &"1".repeat(400), &deep] {
        for (field, part) in [("app_id", value.to_owned()), ("sdk_configs", format!(r#"{{"a": {value}}}"#))] {
            let text = with(sound(), json!({field: "@"})).to_string().replace(r#""@""#, &part);
            assert!(error_of(text.as_bytes()).to_string().contains(field), "{field} {value}");
        }
        let text = with(sound(), json!({"unknown": "@"})).to_string().replace(r#""@""#, value);
        assert!(compile(text.as_bytes()).is_ok(), "{value}");
    }
}

#[test]
fn what_the_top_level_may_say() {
    for (field, values) in [
        ("time", vec![json!(0), json!(1_u64 << 63), json!(u64::MAX)]),
        ("checksum", vec![json!(ABSENT), json!(null), json!("")]),
        ("company_id", vec![json!(null), json!("x")]),
        ("response_format", vec![json!(null), json!("dcs-v9")]),
        ("default_environment", vec![json!(null), json!("dev")]),
        ("app_id", vec![json!(null), json!(5), json!({"a": 1}), json!(["a"]), json!("x"), json!(true)]),
        ("diagnostics", vec![json!(null), json!({}), json!({"initialize": 1, "x": 0.5})]),
        ("sdk_configs", vec![json!({"a": [1], "sampling_mode": "on"})]),
        ("sdk_flags", vec![json!({"a": true})]),
        ("id_lists", vec![json!({"a": true})]),
        ("sdk_keys_to_app_ids", vec![json!({"a": "b"}), json!({"a": 5})]),
        ("hashed_sdk_keys_to_app_ids", vec![json!({"a": "b"})]),
        (
            "overrides",
            vec![
                json!({}),
                json!({"x": []}),
                json!({"x": [{"new_config_name": "y", "rules": [{"rule_name": "z", "start_time": 5}]}]}),
            ],
        ),
        ("override_rules", vec![json!({}), json!(null)]),
        (
            "param_stores",
            vec![
                json!({"x": {"parameters": {}}}),
                json!({"x": {"parameters": {
                "a": {"ref_type": "static", "param_type": "string", "value": null},
                "b": {"ref_type": "gate", "param_type": "x", "gate_name": "g", "pass_value": null, "fail_value": 0},
                "c": {"ref_type": "x", "param_type": "x", "config_name": "c", "param_name": "p"},
                "d": {"ref_type": "x", "param_type": "x", "experiment_name": "e", "param_name": "p"},
                "e": {"ref_type": "x", "param_type": "x", "layer_name": "l", "param_name": "p", "more": 1},
            }, "targetAppIDs": ["a"]}}),
            ],
        ),
        (
            "cmab_configs",
            vec![
                json!({}),
                json!(null),
                json!({"x": {
                    "salt": "s", "defaultValue": {}, "idType": "userID", "enabled": true, "version": 1, "sampleRate": 0.1,
                    "higherIsBetter": true, "groups": [],
                }}),
                cmab_with_records(&json!(0)),
                cmab_with_records(&json!(u64::MAX)),
            ],
        ),
        (
            "session_replay_info",
            vec![
                json!({}),
                json!({"sampling_rate": 0.5, "targeting_gate": "g", "recording_blocked": null}),
                json!({"session_recording_event_triggers": {"a": {}, "b": {"values": ["x"], "passes_sampling": true}}}),
                json!({"session_recording_privacy_settings": {"privacy_mode": "x", "unmasked_elements": ["a"]}}),
            ],
        ),
        (
            "auto_capture_settings",
            vec![json!({"disabled_events": {}}), json!({"disabled_events": {"click": true}})],
        ),
        ("gcir_config", vec![json!({"remove_default_value_gates": true})]),
        ("layers", vec![json!({"l": ["e"]}), json!(5)]),
        ("an_unknown_key", vec![json!({"x": 1}), json!(null)]),
    ] {
        for value in values {
            assert!(works(&with(sound(), json!({field: value}))), "{field} {value}");
        }
    }
    // Names of fields are exact, so this is an unknown key.
    assert!(rejects(&with(sound(), json!({"time": ABSENT, "Time": 5}))).contains("`time`"));
}

#[test]
fn an_integer_beyond_64_bits_is_no_time() {
    let text = sound().to_string();
    for time in ["18446744073709551616", "1e3", "-0.0"] {
        let text = text.replacen("\"time\":1000", &format!("\"time\":{time}"), 1);
        assert!(
            matches!(error_of(text.as_bytes()), LoadError::Field { path, .. } if path == "time"),
            "{time}"
        );
    }
}

#[test]
fn the_facts_of_a_payload() {
    let project = Project::new(&with(sound(), json!({"time": u64::MAX, "default_environment": "dev"})));
    assert_eq!((project.0.time(), project.0.checksum()), (u64::MAX, Some("c1")));
    assert_eq!((project.0.default_environment(), project.0.format()), (Some("dev"), Format::V2));
    assert_eq!(Project::new(&with(sound(), json!({"checksum": ""}))).0.checksum(), None);
    let kinds: Vec<_> = project
        .0
        .specs()
        .iter()
        .map(|spec| (project.0.string(spec.name()), spec.kind(), project.0.string(spec.entity())))
        .collect();
    assert_eq!(
        kinds,
        [
            ("g", SpecKind::Gate, "feature_gate"),
            ("other", SpecKind::Gate, "feature_gate"),
            ("e", SpecKind::Config, "experiment"),
            ("l", SpecKind::Layer, "layer"),
        ]
    );
}

/// Checks that one spec is lost, with the reason naming `field`, and that the rest works.
fn check_dropped(payload: &Value, field: &str) {
    let project = Project::new(payload);
    let user = kiwi();
    assert_eq!(project.0.find(SpecKind::Gate, "g"), None, "{field}");
    assert!(project.gate("other", &user).passes);
    assert_eq!(project.config("e", &user).value, Some(json!({"a": 1})));
    let issues = project.issues();
    assert!(matches!(issues.as_slice(), [("g", message)] if message.contains(field)), "{field}: {issues:?}");
    assert_eq!(project.0.issues()[0].kind, SpecKind::Gate);
}

#[test]
fn a_faulty_spec_is_dropped_alone() {
    for field in ["type", "salt", "enabled", "rules", "idType", "entity"] {
        for nothing in [json!(null), json!(ABSENT)] {
            check_dropped(&changed("/feature_gates/g", &json!({field: nothing})), field);
        }
    }
    check_dropped(&changed("/feature_gates/g", &json!({"defaultValue": ABSENT})), "defaultValue");
    for (field, wrong) in [
        ("type", vec![json!(5)]),
        ("salt", vec![json!(5), json!({})]),
        ("enabled", vec![json!("true"), json!(1)]),
        ("rules", vec![json!({}), json!("x"), json!([5]), json!([null])]),
        ("idType", vec![json!(5)]),
        ("entity", vec![json!(5)]),
        ("isActive", vec![json!("x"), json!(1)]),
        ("hasSharedParams", vec![json!(1)]),
        ("explicitParameters", vec![json!("x"), json!([1]), json!({})]),
        ("version", vec![json!(-1), json!(1.5), json!(1.0), json!("1"), json!(4_294_967_296_i64)]),
        ("targetAppIDs", vec![json!("x"), json!([1])]),
        ("forwardAllExposures", vec![json!("x")]),
        ("useNewLayerEval", vec![json!("x")]),
        ("fieldsUsed", vec![json!("x"), json!([1])]),
        ("checksum", vec![json!(5)]),
    ] {
        for value in wrong {
            check_dropped(&changed("/feature_gates/g", &json!({field: value})), field);
        }
    }
    for spec in [json!(null), json!(5), json!("x"), json!([])] {
        check_dropped(&changed("/feature_gates", &json!({"g": spec})), "");
    }
}

#[test]
fn a_faulty_rule_costs_its_spec() {
    let place = "/feature_gates/g/rules/0";
    for field in ["name", "id", "passPercentage", "conditions", "idType"] {
        for nothing in [json!(null), json!(ABSENT)] {
            check_dropped(&changed(place, &json!({field: nothing})), field);
        }
    }
    check_dropped(&changed(place, &json!({"returnValue": ABSENT})), "returnValue");
    for (field, wrong) in [
        ("name", vec![json!(5)]),
        ("id", vec![json!(5)]),
        ("salt", vec![json!(5)]),
        ("passPercentage", vec![json!("100"), json!(true), json!([])]),
        ("conditions", vec![json!({}), json!([1]), json!([{"type": "public"}]), json!("always")]),
        ("idType", vec![json!(5)]),
        ("groupName", vec![json!(5)]),
        ("configDelegate", vec![json!(5)]),
        ("isExperimentGroup", vec![json!("x")]),
        ("samplingRate", vec![json!(1.5), json!(-1), json!("1")]),
    ] {
        for value in wrong {
            check_dropped(&changed(place, &json!({field: value})), field);
        }
    }
}

#[test]
fn what_specs_and_rules_may_say() {
    for (place, field, values) in [
        ("/feature_gates/g", "defaultValue", vec![json!(null), json!({}), json!("x")]),
        ("/feature_gates/g", "version", vec![json!(ABSENT), json!(null), json!(0), json!(u32::MAX)]),
        ("/feature_gates/g", "isActive", vec![json!(null), json!(true)]),
        ("/feature_gates/g", "name", vec![json!("another"), json!(5)]),
        ("/feature_gates/g", "type", vec![json!("dynamic_config"), json!("")]),
        ("/feature_gates/g", "entity", vec![json!("whatever")]),
        ("/feature_gates/g", "isDeviceBased", vec![json!(5)]),
        ("/feature_gates/g", "targetAppIDs", vec![json!([]), json!(["a"]), json!(null)]),
        ("/feature_gates/g", "explicitParameters", vec![json!([]), json!(null)]),
        ("/feature_gates/g/rules/0", "returnValue", vec![json!(null), json!(false), json!({"a": 1})]),
        ("/feature_gates/g/rules/0", "salt", vec![json!(null), json!(ABSENT), json!("")]),
        (
            "/feature_gates/g/rules/0",
            "passPercentage",
            vec![json!(1000), json!(-5), json!(100.0), json!(1e30)],
        ),
        ("/feature_gates/g/rules/0", "groupName", vec![json!(null)]),
        ("/feature_gates/g/rules/0", "configDelegate", vec![json!(null), json!("missing")]),
        ("/feature_gates/g/rules/0", "samplingRate", vec![json!(0), json!(100), json!(null)]),
        ("/feature_gates/g/rules/0", "isDeviceBased", vec![json!(true)]),
        ("/feature_gates/g/rules/0", "conditions", vec![json!([])]),
    ] {
        for value in values {
            assert!(works(&changed(place, &json!({field: value}))), "{place} {field} {value}");
        }
    }
}

#[test]
fn a_faulty_condition_rejects_the_payload() {
    for field in ["type", "idType"] {
        for nothing in [json!(null), json!(ABSENT)] {
            let message = rejects(&changed("/condition_map/kiwi", &json!({field: nothing})));
            assert!(message.contains("condition_map.kiwi") && message.contains(field), "{message}");
        }
    }
    for (field, wrong) in [
        ("type", vec![json!(5)]),
        ("idType", vec![json!(5)]),
        ("operator", vec![json!(5), json!({})]),
        ("field", vec![json!(5), json!(["x"])]),
        (
            "additionalValues",
            vec![json!([]), json!({"salt": 5}), json!({"x": {"y": 1}}), json!({"x": null}), json!("x")],
        ),
        ("checksum", vec![json!(5)]),
    ] {
        for value in wrong {
            let message = rejects(&changed("/condition_map/kiwi", &json!({field: value})));
            assert!(message.contains("condition_map.kiwi") && message.contains(field), "{message}");
        }
    }
    // Also if nothing uses it.
    for spec in [json!(null), json!(5), json!("x"), json!([]), json!({})] {
        assert!(rejects(&changed("/condition_map", &json!({"spare": spec}))).contains("condition_map.spare"));
    }
}

#[test]
fn what_conditions_may_say() {
    for changes in [
        json!({"additionalValues": {}}),
        json!({"additionalValues": null}),
        json!({"additionalValues": {"salt": "x", "custom_field": "y"}}),
        json!({"checksum": "x"}),
        json!({"unknown": 5}),
    ] {
        assert!(works(&changed("/condition_map/kiwi", &changes)), "{changes}");
    }
    for changes in [
        json!({"targetValue": null}),
        json!({"targetValue": ABSENT}),
        json!({"targetValue": {"a": {"b": [1, 2]}}}),
        json!({"targetValue": 1e308}),
        json!({"operator": null}),
        json!({"operator": ABSENT}),
        json!({"field": null}),
        json!({"field": ABSENT}),
    ] {
        let project = Project::new(&changed("/condition_map/kiwi", &changes));
        assert!(project.issues().is_empty(), "{changes}");
        assert_ne!(project.gate("g", &kiwi()).rule, "r", "{changes}");
    }
}

/// The text of the sound project with a piece replaced once.
fn rewritten(from: &str, to: &str) -> String {
    let text = sound().to_string();
    assert!(text.contains(from), "{from} is in {text}");
    text.replacen(from, to, 1)
}

#[test]
fn of_specs_and_conditions_with_one_name_the_last_counts() {
    let user = kiwi();
    let open = gate(json!([rule("later", json!([]), json!({}))]), json!({}));
    let text = rewritten("\"other\":", &format!("\"g\":{open},\"other\":"));
    let project = Project::parse(text.as_bytes()).unwrap();
    assert_eq!(project.gate("g", &user).rule, "later");
    assert_eq!((project.0.specs().len(), project.issues().len()), (4, 0));

    let closed = user_field("country", "none", json!(["NZ"]));
    let text = rewritten("\"kiwi\":", &format!("\"kiwi\":{closed},\"kiwi\":"));
    assert!(Project::parse(text.as_bytes()).unwrap().gate("g", &user).passes);
    let text = rewritten("\"always\":{", &format!("\"kiwi\":{closed},\"always\":{{"));
    assert!(Project::parse(text.as_bytes()).unwrap().gate("g", &user).passes);
    // The name space of gates is not that of configs.
    let text = rewritten("\"e\":{", "\"g\":{");
    assert!(Project::parse(text.as_bytes()).unwrap().gate("g", &user).passes);
}

#[test]
fn a_faulty_spec_replaces_a_sound_one_of_its_name() {
    let text = rewritten("\"other\":", "\"g\":{\"type\":5},\"other\":");
    let project = Project::parse(text.as_bytes()).unwrap();
    assert_eq!((project.0.find(SpecKind::Gate, "g"), project.issues().len()), (None, 1));
}

#[test]
fn a_field_given_twice_is_a_fault() {
    let twice = |from: &str| rewritten(from, &format!("{from},{from}"));
    let project = Project::parse(twice("\"salt\":\"spec-salt\"").as_bytes()).unwrap();
    assert_eq!(project.issues().len(), 1);
    let project = Project::parse(twice("\"passPercentage\":100").as_bytes()).unwrap();
    assert_eq!(project.issues().len(), 1);
    let error = error_of(twice("\"operator\":\"any\"").as_bytes());
    assert!(error.to_string().contains("operator"), "{error}");
    // Fields nobody knows may be given as often as they like.
    let project = Project::parse(rewritten("\"salt\"", "\"x\":1,\"x\":2,\"salt\"").as_bytes()).unwrap();
    assert_eq!(project.issues().len(), 0);
}

#[test]
fn names_with_escapes() {
    let user = kiwi();
    let text = rewritten("\"kiwi\":{", "\"\\u006biwi\":{")
        .replacen("\"g\":{", "\"gr\\u00fc\\n\\ud83d\\ude00\":{", 1)
        .replacen("\"r\"", "\"r\\u0031\"", 2);
    let outcome = Project::parse(text.as_bytes()).unwrap().gate("grü\n😀", &user);
    assert_eq!((outcome.passes, outcome.rule.as_str()), (true, "r1"));
}

/// Reading a value must not fail once its ruleset is in use.
#[test]
fn an_object_that_cannot_be_read_to_its_end_counts_as_empty() {
    let deep = format!("{{\"a\": {}1{}}}", "[".repeat(200), "]".repeat(200));
    for broken in [r#"{"a": 1e999}"#, r#"{"a": ["\ud800"]}"#, deep.as_str()] {
        let parts = json!({
            "dynamic_configs": {"c": experiment(json!([]), json!({"defaultValue": "@"}))},
            "feature_gates": {"g": gate(json!([rule("r", json!([]), json!({"returnValue": "@"}))]), json!({}))},
        });
        let text = payload(parts).to_string().replace("\"@\"", broken);
        let project = Project::parse(text.as_bytes()).unwrap();
        assert_eq!(project.config("c", &json!({})).value, Some(json!({})), "{broken}");
        // What is not false turns a gate on.
        assert!(project.gate("g", &json!({})).passes, "{broken}");
        let names: Vec<_> = project.0.issues().iter().map(|issue| issue.name.as_str()).collect();
        assert_eq!(names, ["g", "c"], "{broken}");
    }
}
