//! Rules in order, pass percentages, salts and units, and what becomes of values.
mod support;

use serde_json::{Value, json};
use statsig_engine::{Evaluation, JsonKind, Reason, Returned, SpecKind, StringId};
use support::{Project, conditions, experiment, gate, payload, rule, user_field, with};

fn gate_of(rules: &Value, changes: Value) -> Project {
    let map = with(
        conditions(&[]),
        json!({
            "kiwi": user_field("country", "any", json!(["NZ"])),
            "adult": user_field("age", "gte", json!(18)),
        }),
    );
    Project::new(&payload(
        json!({"condition_map": map, "feature_gates": {"g": gate(rules.clone(), changes)}}),
    ))
}

fn config_of(rules: &Value, changes: Value) -> Project {
    let configs = json!({"c": experiment(rules.clone(), changes)});
    Project::new(&payload(json!({"condition_map": conditions(&[]), "dynamic_configs": configs})))
}

#[test]
fn the_first_rule_whose_conditions_all_hold_decides() {
    let project = gate_of(
        &json!([
            rule("both", json!(["kiwi", "adult"]), json!({})),
            rule("kiwi", json!(["kiwi"]), json!({"returnValue": false})),
            rule("adult", json!(["adult"]), json!({})),
        ]),
        json!({}),
    );
    for (country, age, passes, rule) in [
        ("NZ", 20, true, "both"),
        ("NZ", 10, false, "kiwi"),
        ("AU", 20, true, "adult"),
        ("AU", 10, false, "default"),
    ] {
        let outcome = project.gate("g", &json!({"country": country, "custom": {"age": age}}));
        assert_eq!((outcome.reason, outcome.passes), (Reason::Recognized, passes), "{country} {age}");
        assert_eq!(outcome.rule, rule, "{country} {age}");
        assert_eq!(outcome.id_type.as_deref(), Some("userID"));
    }
}

#[test]
fn a_rule_without_conditions_applies() {
    let outcome = gate_of(&json!([rule("r", json!([]), json!({}))]), json!({})).gate("g", &json!({}));
    assert_eq!((outcome.passes, outcome.rule.as_str()), (true, "r"));
}

#[test]
fn a_failed_percentage_ends_the_search_with_the_default() {
    let rules = json!([
        rule(
            "none",
            json!(["always"]),
            json!({"passPercentage": 0, "groupName": "G", "isExperimentGroup": true})
        ),
        rule("all", json!(["always"]), json!({})),
    ]);
    for default in [false, true] {
        let outcome = gate_of(&rules, json!({"defaultValue": default})).gate("g", &json!({"userID": "u"}));
        assert_eq!((outcome.passes, outcome.rule.as_str()), (default, "none"));
        assert_eq!((outcome.group.as_deref(), outcome.is_group), (Some("G"), true));
    }
    let changes = json!({"defaultValue": {"a": 0}, "isActive": true});
    let outcome = config_of(&rules, changes).config("c", &json!({"userID": "u"}));
    assert_eq!((outcome.value, outcome.rule.as_str()), (Some(json!({"a": 0})), "none"));
    assert_eq!((outcome.group.as_deref(), outcome.is_active), (Some("G"), true));
}

#[test]
fn a_spec_that_is_off_still_runs_its_rules() {
    let rules = json!([rule("kiwi", json!(["kiwi"]), json!({}))]);
    for (enabled, fallback, id) in
        [(true, "default", StringId::DEFAULT), (false, "disabled", StringId::DISABLED)]
    {
        let project = gate_of(&rules, json!({"enabled": enabled, "defaultValue": true}));
        let outcome = project.gate("g", &json!({"country": "NZ"}));
        assert_eq!((outcome.passes, outcome.rule.as_str()), (true, "kiwi"));
        let outcome = project.gate("g", &json!({"country": "AU"}));
        assert_eq!((outcome.passes, outcome.rule.as_str()), (true, fallback));
        assert_eq!(project.0.string(id), fallback);
    }
}

/// A gate with one rule for a percentage of users.
fn rollout(spec_salt: &str, rule_changes: Value) -> Project {
    gate_of(&json!([rule("r", json!([]), rule_changes)]), json!({"salt": spec_salt}))
}

#[test]
fn the_bucket_is_the_hash_of_salts_and_unit() {
    // Bucket: the first eight bytes of the SHA-256 of "⟨spec salt⟩.⟨rule salt⟩.⟨unit⟩", modulo 10,000.
    for (spec_salt, rule_salt, unit, bucket) in [
        ("salt", "rs-r", "u", 8115),
        ("3e361046-bc69-4dfd-bbb1-538afe609157", "2DWuOvXQZWKvoaNm27dqcs", "user-123", 643),
        ("salt", "r", "", 6773),
        ("spec salt", "rule é", "ユーザー", 2094),
    ] {
        let user = json!({"userID": unit});
        for (percentage, passes) in
            [(below(bucket), false), (above(bucket), true), (0.01, false), (99.99, true)]
        {
            let project = rollout(spec_salt, json!({"salt": rule_salt, "passPercentage": percentage}));
            assert_eq!(project.gate("g", &user).passes, passes, "{unit} at {percentage} %");
        }
    }
}

#[test]
fn the_percentage_is_compared_without_rounding() {
    // 81.15 × 100 is a little more than 8115 in binary, so bucket 8115 is in; 81.149 is not enough.
    let user = json!({"userID": "u"});
    for (percentage, passes) in [
        (json!(81.14), false),
        (json!(81.149), false),
        (json!(81.15), true),
        (json!(81.151), true),
        (json!(81.16), true),
        (json!(81), false),
        (json!(82), true),
        (json!(100), true),
        (json!(100.0), true),
        (json!(1000), true),
        (json!(1e300), true),
        (json!(0), false),
        (json!(0.0), false),
        (json!(-0.0), false),
        (json!(-5), false),
        (json!(99.999), true),
        (json!(1e-300), false),
    ] {
        let project = rollout("salt", json!({"salt": "rs-r", "passPercentage": percentage}));
        let outcome = project.gate("g", &user);
        assert_eq!((outcome.passes, outcome.rule.as_str()), (passes, "r"), "{percentage}");
    }
}

#[test]
fn the_rules_salt_or_else_its_id() {
    // "salt.r." is in bucket 6773.
    for (salt, changes) in
        [("r", json!({"salt": "r"})), ("none", json!({"salt": "<absent>"})), ("null", json!({"salt": null}))]
    {
        for (percentage, passes) in [(below(6773), false), (above(6773), true)] {
            let project = rollout("salt", with(changes.clone(), json!({"passPercentage": percentage})));
            assert_eq!(project.gate("g", &json!({})).passes, passes, "{salt} {percentage}");
        }
    }
    // An empty salt stays empty.
    let bucket = bucket_of("salt..u");
    for (percentage, passes) in [(below(bucket), false), (above(bucket), true)] {
        let project = rollout("salt", json!({"salt": "", "passPercentage": percentage}));
        assert_eq!(project.gate("g", &json!({"userID": "u"})).passes, passes);
    }
}

/// A percentage that leaves this bucket out and all before it in. Halves, because whole hundredths are
/// not exact in binary.
fn below(bucket: u32) -> f64 {
    (f64::from(bucket) - 0.5) / 100.0
}

/// A percentage that lets this bucket in and none after it.
fn above(bucket: u32) -> f64 {
    (f64::from(bucket) + 0.5) / 100.0
}

/// The bucket by another road than the engine's.
fn bucket_of(text: &str) -> u32 {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(text.as_bytes());
    let number = u64::from_be_bytes(std::array::from_fn(|index| digest[index]));
    (number % 10_000) as u32
}

#[test]
fn hashed_text_of_every_length() {
    // Salts and units around the 64-byte blocks of SHA-256.
    for length in [0, 1, 5, 30, 52, 53, 54, 55, 56, 57, 60, 61, 62, 63, 64, 65, 117, 118, 119, 120, 128, 300]
    {
        for unit_length in [0, 1, 7, 8, 9, 36, 54, 55, 56, 63, 64, 65, 119, 200] {
            let (salt, unit) = ("s".repeat(length), "u".repeat(unit_length));
            let bucket = bucket_of(&format!("{salt}.rs.{unit}"));
            for (percentage, passes) in [(below(bucket), false), (above(bucket), true)] {
                let project = rollout(&salt, json!({"salt": "rs", "passPercentage": percentage}));
                let outcome = project.gate("g", &json!({"userID": unit}));
                assert_eq!(outcome.passes, passes, "{length} {unit_length}: {percentage}");
            }
        }
    }
}

#[test]
fn the_rules_id_type_says_what_is_hashed() {
    let passes = |id_type: &str, unit: &str, user: &Value| {
        let bucket = bucket_of(&format!("salt.rs.{unit}"));
        let at = |percentage: f64| {
            let changes = json!({"salt": "rs", "idType": id_type, "passPercentage": percentage});
            rollout("salt", changes).gate("g", user).passes
        };
        // In at its own bucket and out just below: the hashed unit can hardly be another one.
        at(above(bucket)) && !at(below(bucket))
    };
    let user = json!({
        "userID": "u", "email": "e", "custom": {"companyID": "no"},
        "customIDs": {"companyID": "c", "stableid": "s", "n": 5, "big": 9_007_199_254_740_993_i64, "f": 1.0, "e": "", "b": true},
    });
    for (id_type, unit) in [
        ("userID", "u"),
        ("USERID", "u"),
        ("companyID", "c"),
        ("stableID", "s"),
        ("n", "5"),
        ("big", "9007199254740992"),
        ("f", "1"),
        ("b", "true"),
        ("e", ""),
        ("nope", ""),
        ("email", ""),
        ("companyid", ""),
    ] {
        assert!(passes(id_type, unit, &user), "{id_type}");
    }
    for nobody in [json!({}), json!({"userID": ""})] {
        assert!(passes("userID", "", &nobody));
    }
}

#[test]
fn what_a_gate_makes_of_values() {
    let of = |value: Value, default: Value, percentage: u32| {
        let rules =
            json!([rule("r", json!([]), json!({"returnValue": value, "passPercentage": percentage}))]);
        gate_of(&rules, json!({"defaultValue": default})).gate("g", &json!({})).passes
    };
    for (value, as_return, as_default) in [
        (json!(true), true, true),
        (json!(false), false, false),
        (json!(null), true, false),
        (json!({}), true, false),
        (json!({"a": 1}), true, false),
        (json!([]), true, false),
        (json!("false"), true, false),
        (json!("true"), true, false),
        (json!(0), true, false),
        (json!(1), true, false),
    ] {
        assert_eq!(of(value.clone(), json!(false), 100), as_return, "{value} returned");
        assert_eq!(of(json!(true), value.clone(), 0), as_default, "{value} by default");
    }
}

#[test]
fn what_a_config_makes_of_values() {
    for (value, kind) in [
        (json!({"a": [1, {"b": null}]}), JsonKind::Object),
        (json!({}), JsonKind::Object),
        (json!([1, 2]), JsonKind::Other),
        (json!("text"), JsonKind::Other),
        (json!(5), JsonKind::Other),
        (json!(-0.5), JsonKind::Other),
        (json!(true), JsonKind::True),
        (json!(false), JsonKind::False),
        (json!(null), JsonKind::Null),
    ] {
        for (returned, default, percentage) in
            [(value.clone(), json!({"other": 1}), 100), (json!({"other": 1}), value.clone(), 0)]
        {
            let rules =
                json!([rule("r", json!([]), json!({"returnValue": returned, "passPercentage": percentage}))]);
            let project = config_of(&rules, json!({"defaultValue": default}));
            assert!(project.0.values().iter().any(|value| value.kind() == kind));
            let outcome = project.config("c", &json!({}));
            let expected = matches!(kind, JsonKind::Object | JsonKind::Other).then(|| value.clone());
            assert_eq!(outcome.value, expected, "{value} at {percentage} %");
        }
    }
}

/// The texts of all values of a project whose only value is this one.
fn texts_of_value(json: &str) -> Vec<String> {
    let text = payload(json!({
        "dynamic_configs": {"c": experiment(json!([]), json!({"defaultValue": "VALUE"}))},
    }))
    .to_string()
    .replace("\"VALUE\"", json);
    let project = Project::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
    project.0.values().iter().map(|value| value.json().to_owned()).collect()
}

#[test]
fn a_value_is_kept_as_written() {
    let json = r#"{ "price": 1.0, "e": 1E5, "t": "\u0041", "d": {"z":1,"a":2} }"#;
    assert_eq!(texts_of_value(json), [json]);
}

#[test]
fn an_integer_of_more_than_64_bits_is_the_float_next_to_it() {
    let json = r#"{ "big": 12345678901234567890123, "d": {"z":1,"a":2} }"#;
    assert_eq!(texts_of_value(json), [r#"{"big":1.2345678901234568e22,"d":{"z":1,"a":2}}"#]);
}

#[test]
fn parameters_are_found_by_name() {
    let project =
        config_of(&json!([rule("r", json!([]), json!({"returnValue": {"a": 1, "é": null}}))]), json!({}));
    let user = support::user(&json!({}));
    let input = statsig_engine::Input::new(user.view(), user.view());
    let evaluation = project.evaluate(SpecKind::Config, "c", &input);
    for name in ["a", "é"] {
        let (value, rule) = evaluation.find_parameter(&project.0, None, name).unwrap();
        assert_eq!(Returned::One(value), evaluation.value);
        assert_eq!(project.0.string(rule), "r");
    }
    assert_eq!(evaluation.find_parameter(&project.0, None, "b"), None);
    assert_eq!(evaluation.find_parameter(&project.0, None, ""), None);
}

#[test]
fn an_unknown_name_is_unrecognized() {
    let project = gate_of(&json!([]), json!({}));
    assert_eq!(project.0.find(SpecKind::Gate, "nope"), None);
    assert_eq!(project.0.find(SpecKind::Config, "g"), None);
    assert_eq!(project.0.find(SpecKind::Layer, "g"), None);
    assert_eq!(project.0.find(SpecKind::Gate, "G"), None);
    let outcome = project.outcome(&Evaluation::unrecognized());
    assert_eq!((outcome.reason, outcome.passes, outcome.rule.as_str()), (Reason::Unrecognized, false, ""));
    assert_eq!((outcome.value, outcome.version, outcome.id_type), (None, None, None));
    assert_eq!(Evaluation::unrecognized().rule, StringId::EMPTY);
}

#[test]
fn what_a_result_says_about_its_spec() {
    let rules =
        json!([rule("r", json!(["always"]), json!({"groupName": "Test", "isExperimentGroup": true}))]);
    let changes = json!({
        "idType": "companyID", "version": 4_294_967_295_u32, "isActive": true, "hasSharedParams": true,
        "explicitParameters": ["a", "b"],
    });
    let outcome = config_of(&rules, changes).config("c", &json!({}));
    assert_eq!(outcome.id_type.as_deref(), Some("companyID"));
    assert_eq!(outcome.version, Some(u32::MAX));
    assert!(outcome.is_active && outcome.in_layer && outcome.is_group);
    assert_eq!(outcome.group.as_deref(), Some("Test"));
    assert_eq!(outcome.explicit, ["a", "b"]);

    let outcome = config_of(&rules, json!({"version": null, "isActive": null})).config("c", &json!({}));
    assert_eq!((outcome.version, outcome.is_active, outcome.in_layer), (None, false, false));
    assert_eq!(outcome.explicit, [""; 0]);
    // A rule that does not say so is no group.
    let outcome = config_of(&json!([rule("r", json!([]), json!({}))]), json!({})).config("c", &json!({}));
    assert_eq!((outcome.group, outcome.is_group), (None, false));
}
