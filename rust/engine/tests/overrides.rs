//! What an application sets: any sequence of changes agrees with a plain list of what was set.
mod support;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use statsig_engine::{
    CheckKind, Input, Override, OverrideValue, Overrides, PackedUser, Reason, Returned, evaluate,
};
use std::sync::Arc;
use support::{Project, condition, conditions, experiment, gate, layer, payload, rule, user};

#[derive(Clone, Debug)]
enum Change {
    Set { kind: CheckKind, name: &'static str, value: u32, unit: Option<&'static str> },
    Remove { kind: CheckKind, name: &'static str, unit: Option<&'static str> },
}

const KINDS: [CheckKind; 4] = [CheckKind::Gate, CheckKind::Config, CheckKind::Experiment, CheckKind::Layer];
const NAMES: [&str; 3] = ["a", "b", ""];
const UNITS: [Option<&str>; 5] = [None, None, Some("u"), Some("c"), Some("")];

fn change() -> impl Strategy<Value = Change> {
    let place = (select(&KINDS[..]), select(&NAMES[..]), select(&UNITS[..]));
    (place, any::<bool>(), 0..1000_u32).prop_map(|((kind, name, unit), sets, value)| {
        if sets { Change::Set { kind, name, value, unit } } else { Change::Remove { kind, name, unit } }
    })
}

/// What was set: of one place the last counts.
type Plain = Vec<(CheckKind, &'static str, Option<&'static str>, u32)>;

fn apply(change: &Change, overrides: &mut Overrides, plain: &mut Plain) {
    match *change {
        Change::Set { kind, name, value, unit } => {
            let set = if kind == CheckKind::Gate {
                Override::Gate(value % 2 == 1)
            } else {
                let json = json!({"n": value}).to_string();
                Override::Value(Arc::new(OverrideValue::new(&json).unwrap_or_else(|error| panic!("{error}"))))
            };
            overrides.set(kind, name, set, unit);
            plain.retain(|place| (place.0, place.1, place.2) != (kind, name, unit));
            plain.push((kind, name, unit, value));
        }
        Change::Remove { kind, name, unit } => {
            overrides.remove(kind, name, unit);
            plain.retain(|place| (place.0, place.1) != (kind, name) || (unit.is_some() && place.2 != unit));
        }
    }
}

fn expected(plain: &Plain, kind: CheckKind, name: &str, user: &Value) -> Option<u32> {
    let mut ids = vec![user["userID"].as_str().unwrap_or_default()];
    ids.extend(
        user["customIDs"].as_object().into_iter().flat_map(|ids| ids.values()).filter_map(Value::as_str),
    );
    let of = |unit| plain.iter().find(|place| (place.0, place.1, place.2) == (kind, name, unit));
    ids.into_iter().map(Some).chain([None]).find_map(of).map(|place| place.3)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changes_in_any_order_agree_with_a_list(changes in prop::collection::vec(change(), 0..40)) {
        let project = Project::new(&payload(json!({})));
        let nobody = PackedUser::default();
        let users = [
            json!({"userID": "u"}), json!({"userID": "c"}), json!({}), json!({"userID": "x", "customIDs": {"k": "c"}}),
            json!({"userID": "x", "customIDs": {"k": "u", "l": "c"}}), json!({"userID": "x", "customIDs": {"k": ""}}),
        ];
        let (mut overrides, mut plain) = (Overrides::default(), Plain::new());
        for change in &changes {
            // A snapshot that a check may still hold must not change.
            let (before, length) = (overrides.clone(), format!("{overrides:?}").len());
            apply(change, &mut overrides, &mut plain);
            prop_assert_eq!(format!("{before:?}").len(), length);
            prop_assert_eq!(overrides.is_empty(), plain.is_empty());
        }
        for json in &users {
            let user = user(json);
            let input = Input { overrides: Some(&overrides), ..Input::new(user.view(), nobody.view()) };
            for kind in KINDS {
                for name in NAMES {
                    let evaluation = evaluate(&project.0, kind, name, &input);
                    let actual = match &evaluation.value {
                        _ if !evaluation.is_override => None,
                        _ if kind == CheckKind::Gate => Some(json!(evaluation.passes)),
                        Returned::One(id) => {
                            let value = id.override_index().and_then(|index| overrides.value(index));
                            value.map(|value| serde_json::from_str::<Value>(value.json()).expect("it is JSON"))
                        }
                        other => panic!("{other:?}"),
                    };
                    let expected = expected(&plain, kind, name, json).map(|value| match kind {
                        CheckKind::Gate => json!(value % 2 == 1),
                        _ => json!({"n": value}),
                    });
                    prop_assert_eq!(actual, expected);
                }
            }
        }
    }
}

/// A project whose every layer goes to `e` first.
fn project() -> Project {
    let value = |value: Value| json!({"returnValue": value});
    let to = |name: &str| rule(&format!("to {name}"), json!(["always"]), json!({"configDelegate": name}));
    let merging = json!({"useNewLayerEval": true, "defaultValue": {"d": 1}});
    let mut map = conditions(&["g"]);
    map["in B"] =
        condition("experiment_group", json!({"field": "e", "operator": "any", "targetValue": ["B"]}));
    Project::new(&payload(json!({
        "condition_map": map,
        "feature_gates": {
            "g": gate(json!([rule("r", json!(["always"]), json!({}))]), json!({})),
            "nested": gate(json!([rule("r", json!(["pass:g"]), json!({}))]), json!({})),
            "in B": gate(json!([rule("r", json!(["in B"]), json!({}))]), json!({})),
        },
        "dynamic_configs": {
            "e": experiment(json!([
                rule("a", json!(["always"]), json!({"returnValue": {"x": "a"}, "groupName": "B"})),
                rule("b", json!(["always"]), json!({"returnValue": true, "groupName": "true"})),
            ]), json!({"isActive": true})),
            "f": experiment(json!([rule("f", json!(["always"]), value(json!({"x": "f"})))]), json!({})),
        },
        "layer_configs": {
            "classic": layer(json!([to("e"), to("f")]), json!({})),
            "merging": layer(json!([to("e"), to("f")]), merging.clone()),
            "own": layer(json!([to("e"), rule("own", json!(["always"]), value(json!({"x": "own"})))]), merging),
        },
    })))
}

fn set(kind: CheckKind, name: &str, value: Override) -> Overrides {
    let mut overrides = Overrides::default();
    overrides.set(kind, name, value, None);
    overrides
}

#[test]
fn a_delegate_whose_group_does_not_exist_is_not_used() {
    let (project, nobody) = (project(), PackedUser::default());
    for (group, layer, rule, delegate) in [
        ("B", "merging", "to e", Some("e")),
        ("true", "merging", "to e", Some("e")),
        ("?", "merging", "to f", Some("f")),
        ("B", "own", "to e", Some("e")),
        ("true", "own", "to e", Some("e")),
        ("?", "own", "default", None),
        ("?", "classic", "override", Some("e")),
    ] {
        let overrides = set(CheckKind::Experiment, "e", Override::Group(group.into()));
        let input = Input { overrides: Some(&overrides), ..Input::new(nobody.view(), nobody.view()) };
        let evaluation = evaluate(&project.0, CheckKind::Layer, layer, &input);
        assert!(evaluation.is_override, "{group} {layer}");
        let outcome = project.outcome(&evaluation);
        assert_eq!((outcome.rule.as_str(), outcome.delegate.as_deref()), (rule, delegate), "{group} {layer}");
        assert_eq!((outcome.reason, outcome.group), (Reason::Recognized, None), "{group} {layer}");
    }
}

#[test]
fn an_override_counts_for_its_kind_alone_and_wherever_the_spec_is_used() {
    let (project, nobody) = (project(), PackedUser::default());
    let check = |overrides: &Overrides, kind, name: &str| {
        let input = Input { overrides: Some(overrides), ..Input::new(nobody.view(), nobody.view()) };
        evaluate(&project.0, kind, name, &input)
    };
    let off = set(CheckKind::Gate, "g", Override::Gate(false));
    assert!(check(&Overrides::default(), CheckKind::Gate, "nested").passes);
    assert!(!check(&off, CheckKind::Gate, "nested").passes);
    assert!(check(&Overrides::default(), CheckKind::Gate, "in B").passes);
    // What is set has no group.
    let group = set(CheckKind::Experiment, "e", Override::Group("B".into()));
    assert!(!check(&group, CheckKind::Gate, "in B").passes);
    assert!(check(&group, CheckKind::Experiment, "e").is_override);
    assert!(!check(&group, CheckKind::Config, "e").is_override);
    let config = set(CheckKind::Config, "e", Override::Group("B".into()));
    assert!(!check(&config, CheckKind::Experiment, "e").is_override);
    assert!(check(&config, CheckKind::Gate, "in B").passes);
}

/// Every name is mapped to every name, for everybody.
fn mapped_in_circles(names: &[&str], gates: &Value) -> Project {
    let rules = json!([{"rule_name": "all"}]);
    let mappings: Vec<_> =
        names.iter().map(|name| json!({"new_config_name": name, "rules": rules})).collect();
    let overrides: serde_json::Map<_, _> =
        names.iter().map(|name| ((*name).to_owned(), json!(mappings))).collect();
    Project::new(&payload(json!({
        "feature_gates": gates,
        "overrides": overrides,
        "override_rules": {"all": rule("all", json!([]), json!({}))},
    })))
}

#[test]
fn mappings_that_lead_back_to_where_they_began_end() {
    let on = gate(json!([rule("r", json!([]), json!({}))]), json!({}));
    let project = mapped_in_circles(&["a", "b"], &json!({"a": on, "b": on}));
    let outcome = project.gate("a", &json!({"userID": "u"}));
    assert!(outcome.passes);
    assert_eq!((outcome.reason, outcome.rule.as_str()), (Reason::Recognized, "r"));

    // Without any spec to end at, every way is tried until there were too many.
    let project = mapped_in_circles(&["a", "b", "c"], &json!({}));
    let (user, nobody) = (user(&json!({"userID": "u"})), PackedUser::default());
    let input = Input::new(user.view(), nobody.view());
    assert_eq!(evaluate(&project.0, CheckKind::Gate, "a", &input).reason, Reason::TooDeep);
}
