//! Where the value of a condition comes from, and which conditions are not supported.
#![allow(clippy::needless_pass_by_value, reason = "what is passed is a literal wherever it is")]
mod support;

use serde_json::{Value, json};
use statsig_engine::{Input, Reason, SpecKind};
use support::{
    ABSENT, NOW, Outcome, Project, condition, conditions, experiment, gate, holds, payload, rule, user,
    user_field, with,
};

/// Checks one condition for a user of an application that has attributes and a tier of its own.
fn check(condition: &Value, user_json: &Value, global: &Value, tier: Option<&str>) -> bool {
    let (user, global) = (user(user_json), user(&json!({"custom": global})));
    let input = Input { tier, now: NOW, ..Input::new(user.view(), global.view()) };
    let outcome = Project::of_conditions(&[condition]).check_with(SpecKind::Gate, "g", &input);
    assert_eq!(outcome.reason, Reason::Recognized);
    outcome.passes
}

/// Whether a user field reads `expected`; None for no value at all.
fn finds(field: &str, expected: Option<&str>, user: &Value, global: &Value) -> bool {
    check(&user_field(field, "eq", json!(expected)), user, global, None)
}

#[test]
fn standard_fields_are_found_in_any_case() {
    let all = json!({
        "userID": "id", "email": "e", "ip": "1.2.3.4", "userAgent": "ua", "country": "NZ", "locale": "mi",
        "appVersion": "1.2",
    });
    for (fields, expected) in [
        (["userID", "userid", "USERID", "user_id", "User_ID"].as_slice(), "id"),
        (&["email", "Email"], "e"),
        (&["ip", "IP"], "1.2.3.4"),
        (&["userAgent", "useragent", "user_agent", "USER_AGENT"], "ua"),
        (&["country", "COUNTRY"], "NZ"),
        (&["locale", "Locale"], "mi"),
        (&["appVersion", "appversion", "app_version", "App_Version"], "1.2"),
    ] {
        for field in fields {
            assert!(finds(field, Some(expected), &all, &json!({})), "{field}");
        }
    }
    for field in ["ip_address", "ipAddress", "user id", "custom", "customIDs", "statsigEnvironment", ""] {
        assert!(finds(field, None, &all, &json!({})), "{field}");
    }
}

#[test]
fn an_empty_standard_field_falls_through_but_an_alias_does_not() {
    let user = json!({"email": "", "userID": "", "custom": {"email": "c", "userID": "x"}});
    assert!(finds("email", Some("c"), &user, &json!({})));
    assert!(finds("userID", Some("x"), &user, &json!({})));
    assert!(finds("user_id", Some(""), &user, &json!({})));
    assert!(finds("app_version", None, &user, &json!({})));
    assert!(finds("email", None, &json!({"email": ""}), &json!({})));
}

#[test]
fn custom_shadows_aliases_only() {
    let user = json!({"userID": "id", "appVersion": "1", "custom": {"userID": "x", "user_id": "y", "appVersion": "2"}});
    assert!(finds("userID", Some("id"), &user, &json!({})));
    assert!(finds("USERID", Some("id"), &user, &json!({})));
    assert!(finds("user_id", Some("y"), &user, &json!({})));
    assert!(finds("USER_ID", Some("y"), &user, &json!({})));
    assert!(finds("appVersion", Some("1"), &user, &json!({})));
    assert!(finds("app_version", Some("1"), &user, &json!({})));
}

#[test]
fn the_users_custom_then_the_applications_then_private() {
    let user = json!({"custom": {"a": "custom"}, "privateAttributes": {"a": "p", "b": "p", "c": "private"}});
    let global = json!({"a": "g", "b": "global"});
    assert!(finds("a", Some("custom"), &user, &global));
    assert!(finds("b", Some("global"), &user, &global));
    assert!(finds("c", Some("private"), &user, &global));
    assert!(finds("d", None, &user, &global));
    // What is there hides what comes later, also if it is empty or null.
    let user = json!({"custom": {"a": "", "b": null}, "privateAttributes": {"a": "p", "b": "p", "c": "p"}});
    let global = json!({"a": "g", "b": "g", "c": null});
    assert!(finds("a", Some(""), &user, &global));
    assert!(finds("b", None, &user, &global));
    assert!(finds("c", None, &user, &global));
}

#[test]
fn names_are_looked_up_as_written_then_in_lower_case() {
    let user = json!({
        "custom": {"plan": "lower", "Plan": "exact", "SEATS": "7", "a long name": "low", "A Long Name": "as written"},
        "privateAttributes": {"secret": "s"},
    });
    let global = json!({"region": "r", "seats": "8"});
    assert!(finds("Plan", Some("exact"), &user, &global));
    assert!(finds("plan", Some("lower"), &user, &global));
    assert!(finds("PLAN", Some("lower"), &user, &global));
    assert!(finds("SEATS", Some("7"), &user, &global));
    // Never from small letters to capitals, so this one is the application's.
    assert!(finds("Seats", Some("8"), &user, &global));
    assert!(finds("Region", Some("r"), &user, &global));
    assert!(finds("SECRET", Some("s"), &user, &global));
    assert!(finds("A Long Name", Some("as written"), &user, &global));
    assert!(finds("A LONG NAME", Some("low"), &user, &global));
    assert!(finds("a long nam", None, &user, &global));
}

#[test]
fn a_condition_without_field_has_no_value() {
    for field in [json!(null), json!(ABSENT), json!("")] {
        for kind in ["user_field", "environment_field"] {
            let with_field = |operator, target: Value| {
                with(
                    condition(kind, json!({"operator": operator, "targetValue": target})),
                    json!({"field": field}),
                )
            };
            assert_eq!(holds(&with_field("eq", json!(null)), &json!({"userID": "u"})), Some(true));
            assert_eq!(holds(&with_field("any", json!([""])), &json!({"userID": "u"})), Some(true));
        }
    }
}

fn environment(field: &str, expected: Option<&str>, user: &Value, tier: Option<&str>) -> bool {
    let condition = with(user_field(field, "eq", json!(expected)), json!({"type": "environment_field"}));
    check(&condition, user, &json!({}), tier)
}

#[test]
fn the_users_environment_then_the_applications_tier() {
    let with_tier = json!({"statsigEnvironment": {"tier": "development", "region": "syd"}});
    let without = json!({"userID": "u"});
    assert!(environment("tier", Some("development"), &with_tier, Some("staging")));
    assert!(environment("tier", Some("staging"), &without, Some("staging")));
    assert!(environment("tier", None, &without, None));
    assert!(environment("region", Some("syd"), &with_tier, Some("staging")));
    assert!(environment("region", None, &without, Some("staging")));
    // An environment without a tier does not hide the application's; an empty tier does.
    assert!(environment(
        "tier",
        Some("staging"),
        &json!({"statsigEnvironment": {"x": "y"}}),
        Some("staging")
    ));
    assert!(environment("tier", Some(""), &json!({"statsigEnvironment": {"tier": ""}}), Some("staging")));
    // The user's names count as written, the application's tier in any case.
    assert!(environment("TIER", Some("staging"), &with_tier, Some("staging")));
    assert!(environment("TIER", None, &with_tier, None));
    assert!(environment("tier", None, &json!({"statsigEnvironment": {"TIER": "x"}}), None));
}

fn unit(id_type: &str, expected: &Value, user: &Value) -> bool {
    let changes = json!({"idType": id_type, "operator": "eq", "targetValue": expected});
    holds(&condition("unit_id", changes), user) == Some(true)
}

#[test]
fn unit_ids() {
    let user = json!({"userID": "id", "customIDs": {"companyid": "low", "companyID": "exact", "stableID": "s", "n": 5}});
    for id_type in ["userID", "userid", "USERID"] {
        assert!(unit(id_type, &json!("id"), &user), "{id_type}");
    }
    assert!(unit("user_id", &json!(null), &user));
    assert!(unit("companyID", &json!("exact"), &user));
    assert!(unit("COMPANYID", &json!("low"), &user));
    assert!(unit("stableID", &json!("s"), &user));
    assert!(unit("STABLEID", &json!(null), &user));
    assert!(unit("n", &json!("5"), &user));
    assert!(unit("", &json!(null), &user));
    // An exact key with empty text does not fall back to the lower-case one.
    assert!(unit("aB", &json!(""), &json!({"customIDs": {"aB": "", "ab": "x"}})));
    assert!(unit("userID", &json!("id"), &json!({"userID": "id", "customIDs": {"userID": "x"}})));
}

#[test]
fn user_buckets_are_whole_numbers_below_1000() {
    let bucket = |salt: Value, id_type: &str, operator: &str, target: Value, user: &Value| {
        let changes =
            json!({"idType": id_type, "operator": operator, "targetValue": target, "additionalValues": salt});
        holds(&condition("user_bucket", changes), user).unwrap()
    };
    // SHA-256 of "layer-salt.user-123" begins with the 64-bit number 13649231732111470737.
    let salt = json!({"salt": "layer-salt"});
    let user = json!({"userID": "user-123", "customIDs": {"companyID": "user-123"}});
    for id_type in ["userID", "companyID"] {
        assert!(bucket(salt.clone(), id_type, "lt", json!(738), &user));
        assert!(!bucket(salt.clone(), id_type, "lt", json!(737), &user));
        assert!(bucket(salt.clone(), id_type, "eq", json!(737), &user));
        assert!(bucket(salt.clone(), id_type, "any", json!([100, 737]), &user));
        assert!(bucket(salt.clone(), id_type, "any", json!({"737": true}), &user));
        assert!(bucket(salt.clone(), id_type, "none", json!({"-1": true}), &user));
        assert!(bucket(salt.clone(), id_type, "str_matches", json!("^737$"), &user));
    }
    // ".u": without a salt only the dot stands before the unit id.
    for salt in [json!(null), json!({}), json!({"salt": ""}), json!({"Salt": "x"})] {
        assert!(bucket(salt, "userID", "eq", json!(50), &json!({"userID": "u"})));
    }
    // "layer-salt.": without a unit id everybody is in one bucket.
    for user in [json!({}), json!({"userID": ""}), json!({"customIDs": {"userID": "x"}})] {
        assert!(bucket(salt.clone(), "userID", "eq", json!(empty_unit_bucket()), &user));
    }
}

/// The bucket of "layer-salt." by another road than the engine's.
fn empty_unit_bucket() -> u64 {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(b"layer-salt.");
    u64::from_be_bytes(std::array::from_fn(|index| digest[index])) % 1000
}

#[test]
fn the_current_time_is_a_time_and_nothing_else() {
    let now = |operator, target: Value| {
        let changes = json!({"operator": operator, "targetValue": target});
        holds(&condition("current_time", changes), &json!({"userID": "u"})).unwrap()
    };
    assert!(now("before", json!(NOW + 1)));
    assert!(!now("before", json!(NOW)));
    assert!(now("after", json!("2023-05-17T11:59:59Z")));
    assert!(!now("after", json!("2023-05-17T12:00:00Z")));
    assert!(now("on", json!("2023-05-17T00:00:00Z")));
    assert!(!now("on", json!("2023-05-18T00:00:00Z")));
    assert!(!now("gt", json!(0)) && !now("lt", json!(1e300)));
    assert!(now("any", json!([""])) && !now("any", json!([NOW])));
    assert!(now("eq", json!(null)) && now("neq", json!(NOW)));
    assert!(!now("str_matches", json!("^1")));
    assert!(!now("version_neq", json!("1")));
    assert!(!now("array_contains_none", json!([])));
    assert!(now("not_in_segment_list", json!("list")));
}

#[test]
fn a_ruleset_knows_whether_it_looks_at_the_time() {
    let time = condition("current_time", json!({"operator": "after", "targetValue": 0}));
    let field = user_field("signup", "after", json!(0));
    assert!(Project::of_conditions(&[&field, &time]).0.uses_time());
    assert!(!Project::of_conditions(&[&field]).0.uses_time());
}

#[test]
fn the_target_app_is_that_of_the_payload() {
    let holds_for = |app: Value, operator: &str, target: Value| {
        let app_condition = condition("target_app", json!({"operator": operator, "targetValue": target}));
        let gates = json!({"g": gate(json!([rule("r", json!(["c"]), json!({}))]), json!({}))});
        let parts = json!({"feature_gates": gates, "condition_map": {"c": app_condition}});
        let project = Project::new(&payload(with(parts, json!({"app_id": app}))));
        project.gate("g", &json!({"userID": "u", "custom": {"app_id": "other"}})).passes
    };
    assert!(holds_for(json!("app-1"), "any", json!(["app-1", "app-2"])));
    assert!(!holds_for(json!("app-1"), "any", json!(["app-2"])));
    assert!(holds_for(json!(5), "eq", json!("5")));
    // The members of objects keep their order.
    assert!(holds_for(
        json!([{"b": 1, "a": [{"d": 2, "c": 3}]}]),
        "eq",
        json!(r#"[{"b":1,"a":[{"d":2,"c":3}]}]"#)
    ));
    assert!(holds_for(json!(2.0), "eq", json!("2")));
    assert!(holds_for(json!(true), "eq", json!(true)));
    assert!(holds_for(json!(["a", "b"]), "array_contains_any", json!(["b"])));
    assert!(holds_for(json!({"a": 1}), "eq", json!({"a": 1})));
    for missing in [json!(null), json!(ABSENT)] {
        assert!(holds_for(missing.clone(), "eq", json!(null)));
        assert!(holds_for(missing.clone(), "none", json!(["app-1"])));
        assert!(!holds_for(missing, "any", json!(["app-1"])));
    }
}

/// The gate `g` under a condition on the group in experiment `e`, whose rules are given.
fn group_gate(field: Value, operator: &str, target: Value, rules: Value, user: &Value) -> Outcome {
    let group = condition("experiment_group", json!({"operator": operator, "targetValue": target}));
    let group = with(group, json!({"field": field}));
    let project = Project::new(&payload(json!({
        "feature_gates": {
            "g": gate(json!([rule("r", json!(["group"]), json!({}))]), json!({})),
            "inner": gate(json!([rule("ri", json!(["always"]), json!({}))]), json!({})),
        },
        "dynamic_configs": {"e": experiment(rules, json!({}))},
        "condition_map": with(
            conditions(&["inner"]),
            json!({
                "group": group,
                "kiwi": user_field("country", "any", json!(["NZ"])),
                "listed": user_field("userID", "in_segment_list", json!("list")),
            })
        ),
    })));
    project.gate("g", user)
}

#[test]
fn the_group_in_an_experiment() {
    let rules = json!([
        rule("r1", json!(["pass:inner", "kiwi"]), json!({"groupName": "Test", "returnValue": {}})),
        rule("r2", json!(["always"]), json!({"groupName": "Control", "returnValue": {}})),
    ]);
    let group = |operator, target, country| {
        group_gate(json!("e"), operator, target, rules.clone(), &json!({"userID": "u", "country": country}))
    };
    assert!(group("any", json!(["test"]), "NZ").passes);
    assert!(group("eq", json!("Control"), "AU").passes);
    assert!(!group("eq", json!("Control"), "NZ").passes);
    // What the experiment exposes is not exposed by the gate.
    assert_eq!(group("any", json!(["test"]), "NZ").exposures, [""; 0]);
}

#[test]
fn no_group() {
    let user = json!({"userID": "u"});
    let grouped = |id, conditions, changes| rule(id, conditions, with(json!({"returnValue": {}}), changes));
    for (field, rules) in [
        (json!("e"), json!([])),
        (json!("e"), json!([grouped("r", json!(["always"]), json!({}))])),
        (json!("e"), json!([grouped("r", json!(["unknown"]), json!({"groupName": "Test"}))])),
        (json!("nope"), json!([grouped("r", json!(["always"]), json!({"groupName": "Test"}))])),
        (json!(null), json!([grouped("r", json!(["always"]), json!({"groupName": "Test"}))])),
    ] {
        let outcome = group_gate(field.clone(), "eq", json!(null), rules.clone(), &user);
        assert_eq!((outcome.reason, outcome.passes), (Reason::Recognized, true), "{field} {rules}");
        assert!(group_gate(field, "none", json!(["Test"]), rules, &user).passes);
    }
}

#[test]
fn looking_for_a_group_marks_no_id_list_look_up() {
    let rules = json!([
        rule("r1", json!(["listed"]), json!({"groupName": "Test", "returnValue": {}})),
        rule("r2", json!(["always"]), json!({"groupName": "Control", "returnValue": {}})),
    ]);
    let outcome = group_gate(json!("e"), "eq", json!("Control"), rules, &json!({"userID": "u"}));
    assert!(outcome.passes && !outcome.id_list_lookup);
}

#[test]
fn a_public_condition_holds_whatever_else_it_says() {
    for changes in [json!({}), json!({"operator": "nonsense"}), json!({"operator": "any", "targetValue": []})]
    {
        assert_eq!(holds(&condition("public", changes), &json!({})), Some(true));
    }
}

#[test]
fn types_and_operators_that_are_not_supported() {
    let user = json!({"userID": "u", "ip": "1.1.1.1", "userAgent": "curl/8.0", "custom": {"f": "x"}});
    let operand = json!({"field": "f", "operator": "any", "targetValue": ["x"]});
    for kind in [
        "IP_BASED",
        "UA_BASED",
        "multi_pass_gate",
        "multi_fail_gate",
        "PUBLIC",
        "User_Field",
        "PASS_GATE",
        "",
        "javascript",
    ] {
        assert_eq!(holds(&condition(kind, operand.clone()), &user), None, "{kind}");
    }
    for operator in [
        json!("ANY"),
        json!("Gt"),
        json!("encoded_any"),
        json!("is"),
        json!("any "),
        json!(""),
        json!(null),
        json!(ABSENT),
    ] {
        for kind in [
            "user_field",
            "environment_field",
            "unit_id",
            "user_bucket",
            "current_time",
            "target_app",
            "experiment_group",
        ] {
            let changes = with(operand.clone(), json!({"operator": operator}));
            assert_eq!(holds(&condition(kind, changes), &user), None, "{kind} {operator}");
        }
    }
}

/// The gate of a rule with these conditions: `a` and `b` are gates that pass, `gone` is a dangling key.
fn leftovers(keys: &Value) -> Outcome {
    let all = conditions(&["a", "b", "broken", "absent"]);
    let on = |id| gate(json!([rule(id, json!(["always"]), json!({}))]), json!({}));
    Project::new(&payload(json!({
        "condition_map": all,
        "feature_gates": {
            "a": on("ra"), "b": on("rb"),
            "broken": gate(json!([rule("rx", json!(["pass:a", "unknown"]), json!({}))]), json!({})),
            "g": gate(json!([
                rule("r1", keys.clone(), json!({})),
                rule("r2", json!(["pass:b"]), json!({})),
            ]), json!({"defaultValue": true})),
        },
    })))
    .gate("g", &json!({"userID": "u"}))
}

#[test]
fn an_unsupported_condition_ends_the_check_and_leaves_what_was_there() {
    // What is left of the bool, the rule id and the exposures. An unsupported condition counts as the
    // one before it, the first one as false.
    for (keys, passes, rule, exposures) in [
        (json!(["unknown"]), false, "", vec![]),
        (json!(["always", "unknown"]), true, "", vec![]),
        (json!(["unknown", "always"]), false, "", vec![]),
        (json!(["never", "unknown"]), false, "", vec![]),
        (json!(["always", "unknown", "never"]), false, "", vec![]),
        (json!(["always", "unknown", "always"]), true, "", vec![]),
        (json!(["never", "always", "unknown"]), false, "", vec![]),
        // The conditions after an unsupported one still run.
        (json!(["unknown", "pass:a"]), false, "ra", vec!["a=true by ra"]),
        (json!(["pass:a", "unknown", "pass:b"]), true, "rb", vec!["a=true by ra", "b=true by rb"]),
        (json!(["pass:a", "pass:absent", "unknown"]), false, "", vec!["a=true by ra"]),
        // A key without condition cuts the rule short.
        (json!(["gone"]), false, "", vec![]),
        (json!(["gone", "pass:a"]), false, "", vec![]),
        (json!(["always", "gone", "never"]), true, "", vec![]),
        (json!(["pass:a", "gone", "pass:b"]), true, "ra", vec!["a=true by ra"]),
        (json!(["never", "pass:a", "gone"]), true, "ra", vec!["a=true by ra"]),
        // So does not a nested gate that is unsupported: it counts as what was before it, both ways round.
        (json!(["pass:broken"]), false, "", vec!["a=true by ra"]),
        (json!(["fail:broken"]), false, "", vec!["a=true by ra"]),
        (json!(["pass:b", "fail:broken"]), true, "rb", vec!["b=true by rb", "a=true by ra"]),
        (json!(["pass:broken", "pass:b"]), false, "rb", vec!["a=true by ra", "b=true by rb"]),
    ] {
        let outcome = leftovers(&keys);
        assert_eq!(outcome.reason, Reason::Unsupported, "{keys}");
        assert_eq!((outcome.passes, outcome.rule.as_str()), (passes, rule), "{keys}");
        assert_eq!(outcome.exposures, exposures, "{keys}");
    }
}

#[test]
fn an_unsupported_condition_in_a_rule_that_is_not_reached_does_no_harm() {
    let project = Project::new(&payload(json!({
        "condition_map": conditions(&[]),
        "feature_gates": {"g": gate(json!([
            rule("r1", json!(["always"]), json!({})),
            rule("r2", json!(["unknown", "gone"]), json!({})),
        ]), json!({}))},
    })));
    let outcome = project.gate("g", &json!({}));
    assert_eq!((outcome.reason, outcome.passes, outcome.rule.as_str()), (Reason::Recognized, true, "r1"));
}

#[test]
fn an_unsupported_config_has_no_value() {
    let project = Project::new(&payload(json!({
        "condition_map": conditions(&[]),
        "dynamic_configs": {"c": experiment(json!([
            rule("r1", json!(["never"]), json!({"returnValue": {"a": 1}})),
            rule("r2", json!(["always", "unknown"]), json!({"returnValue": {"a": 2}, "groupName": "Two"})),
            rule("r3", json!(["always"]), json!({"returnValue": {"a": 3}})),
        ]), json!({"defaultValue": {"a": 0}, "version": 7}))},
    })));
    let outcome = project.config("c", &json!({}));
    assert_eq!(outcome.reason, Reason::Unsupported);
    assert_eq!(
        (outcome.value, outcome.rule, outcome.group, outcome.version),
        (None, String::new(), None, Some(7))
    );
}
