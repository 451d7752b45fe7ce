//! Responses for client SDKs: what needs no reference to be known.
mod support;

use proptest::prelude::*;
use serde_json::{Value, json};
use statsig_engine::{Input, LoadError, NameHash, PackedUser, ResponseOptions, SdkInfo, client_response};
use support::{Project, condition, conditions, experiment, gate, layer, payload, rule, user, with};

const OPTIONS: ResponseOptions<'_> = ResponseOptions {
    hash: NameHash::Plain,
    client_key: None,
    sdk: SdkInfo { kind: "test", version: "1.2.3", session: "a \"session\"" },
    random: 0.5,
};

fn respond(project: &Project, options: &ResponseOptions<'_>) -> Value {
    let (user, nobody) = (user(&json!({"userID": "u"})), PackedUser::default());
    let input = Input::new(user.view(), nobody.view());
    let json = client_response(Some(&project.0), &input, options);
    serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

#[test]
fn the_sdk_and_the_session_are_the_caller_s() {
    let response = respond(&Project::new(&payload(json!({}))), &OPTIONS);
    assert_eq!(
        response["sdkInfo"],
        json!({"sdkType": "test", "sdkVersion": "1.2.3", "sessionId": "a \"session\""})
    );
    assert_eq!(response["time"], 1000);
}

#[test]
fn an_unknown_hash_is_djb2() {
    for name in ["", "djb2", "SHA256", "None", "md5"] {
        assert_eq!(NameHash::named(name), NameHash::Djb2, "{name}");
    }
    assert_eq!(NameHash::named("sha256"), NameHash::Sha256);
    assert_eq!(NameHash::named("none"), NameHash::Plain);
}

/// Every rate is compared with the one number that the caller drew.
#[test]
fn chance_is_the_caller_s() {
    let trigger = |rate: f64| json!({"sampling_rate": rate, "values": ["v"]});
    let project = Project::new(&payload(json!({"session_replay_info": {
        "sampling_rate": 0.5,
        "session_recording_event_triggers": {"low": trigger(0.25), "high": trigger(0.75)},
        "session_recording_exposure_triggers": {"low": trigger(0.25), "none": {}},
    }})));
    for random in [0.0, 0.249, 0.25, 0.499, 0.5, 0.749, 0.75, 0.999] {
        let response = respond(&project, &ResponseOptions { random, ..OPTIONS });
        assert_eq!(response["can_record_session"], random < 0.5, "{random}");
        let passes = |rate: f64| json!({"passes_sampling": random < rate, "values": ["v"]});
        assert_eq!(
            response["session_recording_event_triggers"],
            json!({"low": passes(0.25), "high": passes(0.75)})
        );
        assert_eq!(response["session_recording_exposure_triggers"], json!({"low": passes(0.25), "none": {}}));
    }
}

/// In every place that names a spec, and nowhere else.
#[test]
fn names_are_hashed_wherever_they_stand() {
    let group = json!({"groupName": "secret-group", "isExperimentGroup": true, "returnValue": {"p": 1}});
    let project = Project::new(&payload(json!({
        "condition_map": conditions(&["secret-gate"]),
        "feature_gates": {
            "secret-gate": gate(json!([rule("r", json!([]), json!({}))]), json!({})),
            "secret-outer": gate(json!([rule("r", json!(["pass:secret-gate"]), json!({}))]), json!({})),
        },
        "dynamic_configs": {
            "secret-experiment": experiment(json!([rule("r", json!(["pass:secret-gate"]), group)]), json!({})),
        },
        "layer_configs": {
            "secret-layer": layer(
                json!([rule("r", json!(["pass:secret-gate"]), json!({"configDelegate": "secret-experiment"}))]),
                json!({}),
            ),
        },
        "param_stores": {"secret-store": {"parameters": {
            "p": {"ref_type": "gate", "param_type": "boolean", "gate_name": "secret-gate",
                  "pass_value": 1, "fail_value": 2},
            "q": {"ref_type": "layer", "param_type": "boolean", "layer_name": "secret-layer",
                  "param_name": "p"},
        }}},
        "session_replay_info": {"session_recording_exposure_triggers": {"secret-gate": {}}},
    })));
    let plain = respond(&project, &OPTIONS).to_string();
    assert_eq!(plain.matches("secret-").count(), 19);
    for hash in [NameHash::Djb2, NameHash::Sha256] {
        let hashed = respond(&project, &ResponseOptions { hash, ..OPTIONS }).to_string();
        assert_eq!(hashed.replace("secret-group", "").matches("secret").count(), 0, "{hashed}");
        assert_eq!(hashed.matches("secret-group").count(), plain.matches("secret-group").count());
    }
}

#[test]
fn what_is_for_clients_is_checked_when_it_is_loaded() {
    for (field, part, place) in [
        ("sdk_keys_to_app_ids", json!([]), "sdk_keys_to_app_ids"),
        ("hashed_sdk_keys_to_app_ids", json!("x"), "hashed_sdk_keys_to_app_ids"),
        ("session_replay_info", json!({"sampling_rate": "1"}), "sampling_rate"),
        ("session_replay_info", json!({"session_recording_privacy_settings": {}}), "privacy_mode"),
        (
            "session_replay_info",
            json!({"session_recording_event_triggers": {"e": {"values": [1]}}}),
            "session_recording_event_triggers.e.values[0]",
        ),
    ] {
        let faulty = with(payload(json!({})), json!({field: part}));
        match Project::parse(faulty.to_string().as_bytes()) {
            Err(LoadError::Field { path, message }) => {
                assert_eq!(path, field);
                assert!(message.contains(place) || path == place, "{place}: {message}");
            }
            Err(other) => panic!("{other:?} for {faulty}"),
            Ok(_) => panic!("{faulty} was taken"),
        }
    }
    // A number that no float can hold, and half a character.
    for field in ["sdk_keys_to_app_ids", "app_id", "sdk_configs"] {
        for unreadable in ["1e999", r#""\ud800""#] {
            let text = payload(json!({field: {"k": "@"}})).to_string().replace("\"@\"", unreadable);
            assert!(Project::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        proptest::num::f64::NORMAL.prop_map(Value::from),
        "\\PC*".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever names, rules, values and stores are called: the response is JSON and says what they are.
    #[test]
    fn any_text_and_any_value_come_out_as_they_went_in(
        name in any::<String>(), other in any::<String>(), value in any_json(), hash in 0..3usize,
    ) {
        let returns = with(rule(&other, json!([]), json!({})), json!({"returnValue": {"v": value}}));
        let hash = [NameHash::Plain, NameHash::Djb2, NameHash::Sha256][hash];
        let project = Project::new(&payload(json!({
            "condition_map": {"c": condition("public", json!({}))},
            "dynamic_configs": {&name: experiment(json!([returns]), json!({"idType": &other}))},
            "layer_configs": {
                &name: layer(json!([returns]), json!({"useNewLayerEval": true, "defaultValue": {&other: 1}})),
            },
            "param_stores": {&name: {"parameters": {
                &other: {"ref_type": &other, "param_type": &name, "value": value}}}},
        })));
        let response = respond(&project, &ResponseOptions { hash, ..OPTIONS });
        let only = |table: &str| {
            let members = response[table].as_object().unwrap();
            assert_eq!(members.len(), 1);
            members.values().next().unwrap().clone()
        };
        let config = only("dynamic_configs");
        prop_assert_eq!(&config["value"], &json!({"v": value}));
        prop_assert_eq!(&config["rule_id"], &other);
        prop_assert_eq!(&config["id_type"], &other);
        let merged = only("layer_configs");
        prop_assert_eq!(&merged["value"]["v"], &value);
        let expected = if other == "v" { json!({"v": &other}) } else { json!({"v": &other, &other: "default"}) };
        prop_assert_eq!(&merged["parameter_rule_ids"], &expected);
        let parameter = &only("param_stores")[&other];
        prop_assert_eq!(&parameter["value"], &value);
        prop_assert_eq!(&parameter["ref_type"], &other);
        if hash == NameHash::Plain {
            prop_assert_eq!(&config["name"], &name);
        }
    }

    /// The longest is as long as it has to be.
    #[test]
    fn sha_256_of_names_is_base64(name in any::<String>()) {
        let specs = json!({&name: gate(json!([]), json!({}))});
        let project = Project::new(&payload(json!({"feature_gates": specs})));
        let response = respond(&project, &ResponseOptions { hash: NameHash::Sha256, ..OPTIONS });
        let (key, gate) = response["feature_gates"].as_object().unwrap().iter().next().unwrap();
        prop_assert_eq!(key.len(), 44);
        prop_assert!(key.ends_with('='));
        prop_assert_eq!(&gate["name"], key);
    }
}
