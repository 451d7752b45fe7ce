//! What holds for any input: nothing panics, results repeat, and simple gates agree with a naive reading
//! of the rules.
mod support;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};
use statsig_engine::{Compiled, Input, MAX_NESTED_GATES, PackedUser, Reason, SpecKind, compile};
use std::cmp::Ordering;
use support::{
    ABSENT, NOW, Project, condition, conditions, experiment, gate, layer, payload, rule, user, user_field,
    with,
};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Names, texts and numbers that occur in [`project`], and some that are odd anywhere.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(vec![
            "", "a", "A", "b", "é", "É", "ß", "\u{130}", "1", "1.0", "01", "1.2", "1.10", "1.2-x", "-1", "1e3", "inf",
            "nan", "true", "null", "userID", "NZ", "g1", "g2", "segment:s", "e", "l", "always", "user_bucket", "any",
            "multi_pass_gate", "gt", "on", "str_matches", "2023-05-17T00:00:00Z", "2023-5-17 0:0:0", "9999999999",
            "1684281600000", "(a+)+$", "[",
        ]).prop_map(str::to_owned),
        1 => "[ a-cA-C0-9.:éΣ-]{0,6}",
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => word().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        2 => (-3_i64..1100).prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => (-40_i32..400).prop_map(|quarters| json!(f64::from(quarters) / 4.0)),
        1 => any::<f64>().prop_map(|number| if number.is_finite() { json!(number) } else { json!(0.5) }),
    ]
}

/// Any JSON, not too large.
fn tree() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((word(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A user with any attributes.
fn anybody() -> impl Strategy<Value = Value> {
    let map = || {
        prop::collection::vec((word(), tree()), 0..4)
            .prop_map(|members| members.into_iter().collect::<Map<_, _>>())
    };
    (prop::collection::vec(prop::option::of(word()), 7), map(), map(), map(), map()).prop_map(
        |(texts, custom, ids, private, environment)| {
            let mut user = json!({
                "custom": custom, "customIDs": ids, "privateAttributes": private, "statsigEnvironment": environment,
            });
            let fields = ["userID", "email", "ip", "userAgent", "country", "locale", "appVersion"];
            for (field, text) in fields.into_iter().zip(texts) {
                if let Some(text) = text {
                    user[field] = json!(text);
                }
            }
            user
        },
    )
}

/// A project with something of everything.
fn project() -> Value {
    payload(json!({
        "app_id": "app",
        "condition_map": with(conditions(&["g1", "g2", "segment:s"]), json!({
            "text": user_field("a", "any", json!(["a", "b", "1"])),
            "part": user_field("email", "str_contains_any", json!(["a"])),
            "number": user_field("1", "gt", json!(1)),
            "version": user_field("appVersion", "version_lte", json!("1.10")),
            "time": user_field("b", "before", json!("2023-05-17T00:00:00Z")),
            "pattern": user_field("A", "str_matches", json!("^a|b$")),
            "same": user_field("é", "eq", json!([1, "a"])),
            "list": user_field("userID", "in_segment_list", json!("list")),
            "set": user_field("a", "array_contains_any", json!(["a", 1])),
            "bucket": condition("user_bucket", json!({"operator": "lt", "targetValue": 500, "additionalValues": {"salt": "s"}})),
            "unit": condition("unit_id", json!({"idType": "a", "operator": "any", "targetValue": ["a"]})),
            "tier": with(user_field("a", "any", json!(["dev"])), json!({"type": "environment_field"})),
            "now": condition("current_time", json!({"operator": "after", "targetValue": 5})),
            "app": condition("target_app", json!({"operator": "any", "targetValue": ["app"]})),
            "group": condition("experiment_group", json!({"field": "e", "operator": "any", "targetValue": ["A"]})),
        })),
        "feature_gates": {
            "segment:s": gate(json!([rule("rs", json!(["text", "part", "set"]), json!({}))]), json!({})),
            "g1": gate(json!([
                rule("r1", json!(["number", "pass:segment:s", "list"]), json!({"passPercentage": 50})),
                rule("r2", json!(["version", "time", "pattern"]), json!({"returnValue": false})),
            ]), json!({"version": 1})),
            "g2": gate(json!([rule("r3", json!(["fail:g1", "group", "tier"]), json!({"configDelegate": "e"}))]), json!({})),
        },
        "dynamic_configs": {
            "e": experiment(json!([
                rule("x", json!(["bucket"]), json!({"returnValue": {"a": 1}, "groupName": "A", "isExperimentGroup": true})),
                rule("y", json!(["unit", "same"]), json!({"returnValue": {"b": 2}, "groupName": "B"})),
            ]), json!({"explicitParameters": ["a"], "defaultValue": {"a": 0}, "isActive": true})),
        },
        "layer_configs": {
            "l": layer(json!([
                rule("d", json!(["now", "app", "pass:g1"]), json!({"configDelegate": "e", "returnValue": {}})),
                rule("p", json!(["pass:g2"]), json!({"returnValue": {"c": 3}})),
            ]), json!({"useNewLayerEval": true, "defaultValue": {"d": 4}})),
        },
    }))
}

/// Evaluates every spec and looks at every part of the result.
fn exercise(payload: &[u8], json: &Value) {
    let Ok(Compiled::Ruleset(ruleset)) = compile(payload) else {
        return;
    };
    let project = Project(ruleset);
    let (user, nobody) = (user(json), PackedUser::default());
    for (kind, name) in project.0.specs().iter().map(|spec| (spec.kind(), project.0.string(spec.name()))) {
        assert!(project.0.find(kind, name).is_some());
        for (global, tier) in [(user.view(), Some("dev")), (nobody.view(), None)] {
            let input = Input { tier, now: NOW, ..Input::new(user.view(), global) };
            let evaluation = project.evaluate(kind, name, &input);
            project.decides_alike(kind, name, &input, &evaluation);
            let outcome = project.outcome(&evaluation);
            for key in outcome.value.iter().filter_map(Value::as_object).flat_map(Map::keys) {
                assert!(evaluation.find_parameter(&project.0, None, key).is_some());
            }
            if outcome.reason == Reason::TooDeep {
                assert!(
                    project.0.specs().len() < MAX_NESTED_GATES as usize,
                    "only a cycle can be that deep here"
                );
                assert_eq!((outcome.passes, outcome.value, outcome.exposures.len()), (false, None, 0));
            }
        }
    }
}

/// Where everything in a document stands, as JSON pointers.
fn places(document: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    let escape = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match document {
        Value::Object(members) => {
            for (key, value) in members {
                places(value, &format!("{here}/{}", escape(key)), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                places(value, &format!("{here}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// A change to a document.
#[derive(Clone, Debug)]
enum Change {
    /// Puts something else in a place.
    Replace(Index, Value),
    /// Puts a copy of one place in another.
    Copy(Index, Index),
    /// Takes away a member or element.
    Remove(Index),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<Index>(), tree()).prop_map(|(place, value)| Change::Replace(place, value)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::Copy(from, to)),
        any::<Index>().prop_map(Change::Remove),
    ]
}

fn apply(document: &mut Value, change: &Change) {
    let mut all = Vec::new();
    places(document, "", &mut all);
    // The first place is the whole document: leave that one.
    let pick = |index: &Index| all[1 + index.index(all.len() - 1)].clone();
    match change {
        Change::Replace(place, value) => {
            if let Some(target) = document.pointer_mut(&pick(place)) {
                *target = value.clone();
            }
        }
        Change::Copy(from, to) => {
            let copy = document.pointer(&pick(from)).cloned().unwrap_or_default();
            if let Some(target) = document.pointer_mut(&pick(to)) {
                *target = copy;
            }
        }
        Change::Remove(place) => {
            let place = pick(place);
            let (parent, key) = place.rsplit_once('/').unwrap_or_default();
            match document.pointer_mut(parent) {
                Some(Value::Object(members)) => {
                    members.shift_remove(&key.replace("~1", "/").replace("~0", "~"));
                }
                Some(Value::Array(items)) => {
                    items.remove(key.parse().unwrap_or_default());
                }
                _ => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        exercise(&bytes, &json!({}));
    }

    #[test]
    fn text_that_is_nearly_a_payload_never_panics(
        cuts in prop::collection::vec((any::<Index>(), any::<Index>(), "[\\[\\]{}\",:0-9eE.+tfn\\\\u-]{0,3}"), 1..4),
        user in anybody(),
    ) {
        let mut text = project().to_string().into_bytes();
        for (from, to, piece) in cuts {
            let (from, to) = (from.index(text.len()), to.index(text.len().min(8)));
            let end = (from + to).min(text.len());
            text.splice(from..end, piece.into_bytes());
        }
        exercise(&text, &user);
    }

    #[test]
    fn any_json_never_panics(document in tree()) {
        exercise(document.to_string().as_bytes(), &json!({}));
    }
}

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn changed_payloads_never_panic(changes in prop::collection::vec(change(), 1..6), user in anybody()) {
        let mut document = project();
        for change in &changes {
            apply(&mut document, change);
        }
        exercise(document.to_string().as_bytes(), &user);
    }

    /// A payload is read in one go, or part by part: so is one that ends in what is no text, which does not count.
    #[test]
    fn both_ways_of_reading_make_the_same_ruleset(changes in prop::collection::vec(change(), 0..3)) {
        let mut document = project();
        for change in &changes {
            apply(&mut document, change);
        }
        let whole = document.to_string().into_bytes();
        let by_part = [&whole[..], b"\xff"].concat();
        prop_assert_eq!(format!("{:?}", compile(&whole)), format!("{:?}", compile(&by_part)));
    }

    #[test]
    fn the_same_input_gives_the_same_result(user in anybody()) {
        let text = project().to_string();
        let (one, other) = (Project::parse(text.as_bytes()).unwrap(), Project::parse(text.as_bytes()).unwrap());
        for spec in one.0.specs() {
            let name = one.0.string(spec.name());
            let first = one.check(spec.kind(), name, &user);
            prop_assert_eq!(&one.check(spec.kind(), name, &user), &first);
            prop_assert_eq!(&other.check(spec.kind(), name, &user), &first);
        }
    }
}

/// A value's text, as the rules put it.
fn naive_text(value: &Value) -> Option<String> {
    match value {
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => number.as_f64().map(|number| number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Array(_) => Some(value.to_string()),
        Value::Null | Value::Object(_) => None,
    }
}

fn naive_number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// The elements of a list target: of texts that differ only by case the last stays.
fn naive_elements(target: &Value) -> Option<Vec<String>> {
    let texts: Vec<String> = target
        .as_array()?
        .iter()
        .map(|element| element.as_str().map_or_else(|| element.to_string(), str::to_owned))
        .collect();
    let kept = texts.iter().enumerate().filter(|(index, text)| {
        !texts[index + 1..].iter().any(|later| later.to_lowercase() == text.to_lowercase())
    });
    Some(kept.map(|(_, text)| text.clone()).collect())
}

/// None if a part that matters is not a number.
fn naive_versions(left: &str, right: &str) -> Option<Ordering> {
    let parts = |text: &str| -> Vec<Option<i128>> {
        let (core, _) = text.split_once('-').unwrap_or((text, ""));
        core.split('.').map(|part| part.trim().parse().ok()).collect()
    };
    let (left, right) = (parts(left), parts(right));
    for index in 0..left.len().max(right.len()) {
        let part = |parts: &[Option<i128>]| parts.get(index).copied().unwrap_or(Some(0));
        match part(&left)?.cmp(&part(&right)?) {
            Ordering::Equal => {}
            different => return Some(different),
        }
    }
    Some(Ordering::Equal)
}

/// What an operator makes of a value (null if the user has none) and a target.
fn naive(operator: &str, value: &Value, target: &Value) -> bool {
    let text = naive_text(value);
    let or_empty = text.clone().unwrap_or_default();
    let small = or_empty.to_lowercase();
    let elements = naive_elements(target);
    let any_element = |test: &dyn Fn(&str) -> bool| elements.iter().flatten().any(|element| test(element));
    let any_small = |test: &dyn Fn(&str) -> bool| any_element(&|element| test(&element.to_lowercase()));
    let compared = match (naive_number(value), naive_number(target)) {
        (Some(value), Some(target)) => value.partial_cmp(&target),
        _ => None,
    };
    let versions =
        text.as_deref().zip(target.as_str()).and_then(|(value, target)| naive_versions(value, target));
    let items: Option<Vec<String>> =
        value.as_array().map(|items| items.iter().filter_map(naive_text).collect());
    let both = items.as_ref().zip(elements.as_ref());
    match operator {
        "any" => any_small(&|element| element == small),
        "none" => !any_small(&|element| element == small),
        "any_case_sensitive" => any_element(&|element| element == or_empty),
        "none_case_sensitive" => !any_element(&|element| element == or_empty),
        "str_starts_with_any" => any_small(&|element| small.starts_with(element)),
        "str_ends_with_any" => any_small(&|element| small.ends_with(element)),
        "str_contains_any" => any_small(&|element| small.contains(element)),
        "str_contains_none" => !any_small(&|element| small.contains(element)),
        "gt" => compared == Some(Ordering::Greater),
        "gte" => matches!(compared, Some(Ordering::Greater | Ordering::Equal)),
        "lt" => compared == Some(Ordering::Less),
        "lte" => matches!(compared, Some(Ordering::Less | Ordering::Equal)),
        "version_gt" => versions == Some(Ordering::Greater),
        "version_lte" => matches!(versions, Some(Ordering::Less | Ordering::Equal)),
        "version_eq" => versions == Some(Ordering::Equal),
        "version_neq" => matches!(versions, Some(Ordering::Less | Ordering::Greater)),
        "array_contains_any" => {
            both.is_some_and(|(items, wanted)| items.iter().any(|item| wanted.contains(item)))
        }
        "array_contains_none" => {
            both.is_some_and(|(items, wanted)| !items.iter().any(|item| wanted.contains(item)))
        }
        "array_contains_all" => {
            both.is_some_and(|(items, wanted)| wanted.iter().all(|item| items.contains(item)))
        }
        "not_array_contains_all" => {
            both.is_some_and(|(items, wanted)| !wanted.iter().all(|item| items.contains(item)))
        }
        other => panic!("no naive reading of {other}"),
    }
}

const OPERATORS: [&str; 20] = [
    "any",
    "none",
    "any_case_sensitive",
    "none_case_sensitive",
    "str_starts_with_any",
    "str_ends_with_any",
    "str_contains_any",
    "str_contains_none",
    "gt",
    "gte",
    "lt",
    "lte",
    "version_gt",
    "version_lte",
    "version_eq",
    "version_neq",
    "array_contains_any",
    "array_contains_none",
    "array_contains_all",
    "not_array_contains_all",
];

/// A scalar or a flat list of them: what most rules are about.
fn operand() -> impl Strategy<Value = Value> {
    prop_oneof![scalar(), prop::collection::vec(scalar(), 0..8).prop_map(Value::from)]
}

proptest! {
    #![proptest_config(config(3000))]

    #[test]
    fn operators_agree_with_a_naive_reading(operator in select(OPERATORS.to_vec()), value in operand(), target in operand()) {
        let condition = user_field("Field", operator, target.clone());
        let outcome = Project::of_conditions(&[&condition]).gate("g", &json!({"custom": {"field": value}}));
        prop_assert_eq!(outcome.reason, Reason::Recognized);
        prop_assert_eq!(outcome.passes, naive(operator, &value, &target), "{} {} {}", value, operator, target);
    }
}

/// The first eight bytes of the SHA-256.
fn naive_hash(text: &str) -> u64 {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(text.as_bytes());
    u64::from_be_bytes(std::array::from_fn(|index| digest[index]))
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn rollouts_agree_with_a_naive_reading(
        spec_salt in ".{0,40}", rule_salt in ".{0,70}", unit in ".{0,70}",
        percentage in prop_oneof![(0_u32..=10_000).prop_map(|hundredths| f64::from(hundredths) / 100.0), 0.0..100.0],
    ) {
        let partial = rule("r", json!([]), json!({"salt": rule_salt, "passPercentage": percentage, "idType": "Unit"}));
        let gates = json!({"g": gate(json!([partial]), json!({"salt": spec_salt}))});
        let project = Project::new(&payload(json!({"feature_gates": gates})));
        let outcome = project.gate("g", &json!({"customIDs": {"unit": unit}}));
        let bucket = naive_hash(&format!("{spec_salt}.{rule_salt}.{unit}")) % 10_000;
        prop_assert_eq!(outcome.passes, (bucket as f64) < percentage * 100.0, "bucket {}", bucket);
        prop_assert_eq!(outcome.rule, "r");
    }

    #[test]
    fn user_buckets_agree_with_a_naive_reading(salt in ".{0,70}", unit in prop::option::of(".{0,70}"), limit in 0..1000_u64) {
        let bucket = condition("user_bucket", json!({
            "operator": "lt", "targetValue": limit, "additionalValues": {"salt": salt}, "idType": "unit",
        }));
        let ids = with(json!({}), json!({"unit": unit.as_deref().unwrap_or(ABSENT)}));
        let outcome = Project::of_conditions(&[&bucket]).gate("g", &json!({"customIDs": ids}));
        let expected = naive_hash(&format!("{salt}.{}", unit.unwrap_or_default())) % 1000;
        prop_assert_eq!(outcome.passes, expected < limit, "bucket {}", expected);
    }
}

#[test]
fn the_whole_project_of_these_tests_is_sound() {
    let project = Project::new(&project());
    assert_eq!((project.issues().len(), project.0.specs().len()), (0, 5));
    let user = user(&json!({"userID": "u"}));
    let input = Input { now: NOW, ..Input::new(user.view(), user.view()) };
    for kind in [SpecKind::Gate, SpecKind::Config, SpecKind::Layer] {
        for spec in project.0.specs().iter().filter(|spec| spec.kind() == kind) {
            let name = project.0.string(spec.name());
            assert_eq!(project.evaluate(kind, name, &input).reason, Reason::Recognized);
        }
    }
}
