//! Which result counts where results are kept, and what is to become of the kept one.

mod support;

use serde_json::{Value, json};
use statsig_engine::{
    CheckKind, Given, Input, PackedUser, Slot, StickyDecision, StickyRequest, decide_sticky, evaluate,
    storage_key,
};
use support::{Project, conditions, experiment, layer, payload, rule, user};

/// An experiment with rules for targeting, overrides and a group, the first that passes deciding.
fn project() -> Project {
    let group = json!({"isExperimentGroup": true, "groupName": "Test", "returnValue": {"a": 1}});
    let rules = |targeting: &str, single: &str| {
        json!([
            rule("inlineTargetingRules", json!([targeting]), json!({})),
            rule("x:override", json!([single]), json!({})),
            rule("group", json!(["always"]), group.clone()),
        ])
    };
    let active = json!({"isActive": true});
    Project::new(&payload(json!({
        "condition_map": conditions(&[]),
        "dynamic_configs": {
            "in_group": experiment(rules("never", "never"), active.clone()),
            "left_out": experiment(rules("always", "never"), active.clone()),
            "by_hand": experiment(rules("never", "always"), active.clone()),
            "by_company": experiment(rules("never", "never"), json!({"isActive": true, "idType": "companyID"})),
            "over": experiment(rules("never", "never"), json!({"isActive": false})),
            "on_by_default": experiment(rules("never", "never"), json!({"isActive": true, "defaultValue": true})),
            "bare": experiment(json!([]), json!({"isActive": true, "defaultValue": true})),
        },
        "layer_configs": {
            "layer": layer(json!([rule("r", json!(["always"]), json!({"configDelegate": "in_group"}))]), json!({})),
            "plain": layer(json!([rule("r", json!(["always"]), json!({}))]), json!({})),
        },
    })))
}

fn decide(kind: CheckKind, name: &str, fields: &Value, request: StickyRequest<'_>) -> StickyDecision {
    let project = project();
    let (user, nobody) = (user(fields), PackedUser::default());
    let input = Input::new(user.view(), nobody.view());
    let live = evaluate(&project.0, kind, name, &input);
    decide_sticky(&project.0, kind, name, &input, &live, &request)
}

fn given(given: Given<'_>) -> StickyRequest<'_> {
    StickyRequest { given, enforce_overrides: false, enforce_targeting: false }
}

fn slot(name: &str) -> Slot {
    Slot { key: "u:userID".to_owned(), name: name.to_owned() }
}

const ENTRY: Given<'_> = Given::Entry { delegate: None };

#[test]
fn a_result_is_kept_as_long_as_the_experiment_is_active() {
    let user = json!({"userID": "u"});
    let decide = |name, request| decide(CheckKind::Experiment, name, &user, request);
    for (name, without_an_entry) in [
        ("in_group", StickyDecision::Save(slot("in_group"))),
        // In no group, so there is nothing to keep.
        ("left_out", StickyDecision::Live),
        ("by_hand", StickyDecision::Live),
    ] {
        assert_eq!(decide(name, given(Given::Nothing)), StickyDecision::Delete(slot(name)), "{name}");
        assert_eq!(decide(name, given(Given::NoEntry)), without_an_entry, "{name}");
        assert_eq!(decide(name, given(ENTRY)), StickyDecision::Kept, "{name}");
    }
    for request in [Given::Nothing, Given::NoEntry, ENTRY] {
        assert_eq!(decide("over", given(request)), StickyDecision::Delete(slot("over")));
        assert_eq!(decide("no such experiment", given(request)), StickyDecision::Live);
    }
}

#[test]
fn enforcing_asks_the_rules_of_that_kind() {
    let user = json!({"userID": "u"});
    for enforce_overrides in [false, true] {
        for enforce_targeting in [false, true] {
            let request = StickyRequest { given: ENTRY, enforce_overrides, enforce_targeting };
            for (name, live) in [
                ("in_group", false),
                ("left_out", enforce_targeting),
                ("by_hand", enforce_overrides),
                // Where rules of the kind exist and none passes, the default decides.
                ("on_by_default", enforce_overrides || enforce_targeting),
                ("bare", false),
            ] {
                let expected = if live { StickyDecision::Live } else { StickyDecision::Kept };
                assert_eq!(
                    decide(CheckKind::Experiment, name, &user, request),
                    expected,
                    "{name} {enforce_overrides} {enforce_targeting}"
                );
            }
        }
    }
}

#[test]
fn the_entry_of_a_layer_lives_as_long_as_its_experiment() {
    let user = json!({"userID": "u"});
    for (delegate, of_layer, of_plain) in [
        (Some("in_group"), true, true),
        (Some("over"), false, false),
        // Without one, what the layer delegates to now decides.
        (Some("no such experiment"), true, false),
        (None, true, false),
    ] {
        for (name, kept) in [("layer", of_layer), ("plain", of_plain)] {
            let expected = if kept { StickyDecision::Kept } else { StickyDecision::Delete(slot(name)) };
            let request = given(Given::Entry { delegate });
            assert_eq!(decide(CheckKind::Layer, name, &user, request), expected, "{name} {delegate:?}");
        }
    }
    let request =
        StickyRequest { given: Given::Entry { delegate: Some("by_hand") }, ..given(Given::Nothing) };
    assert_eq!(decide(CheckKind::Layer, "layer", &user, request), StickyDecision::Kept);
    let request = StickyRequest { enforce_overrides: true, ..request };
    assert_eq!(decide(CheckKind::Layer, "layer", &user, request), StickyDecision::Live);
}

#[test]
fn results_are_kept_by_the_unit_of_the_spec() {
    let decide = |fields: Value| decide(CheckKind::Experiment, "by_company", &fields, given(Given::Nothing));
    for (ids, key) in [
        (json!({"companyID": "c"}), "c:companyID"),
        (json!({"companyid": "c"}), "c:companyID"),
        (json!({"companyID": 5}), "5:companyID"),
        (json!({"companyID": ""}), ":companyID"),
    ] {
        let expected = Slot { key: key.to_owned(), name: "by_company".to_owned() };
        assert_eq!(decide(json!({"userID": "u", "customIDs": ids})), StickyDecision::Delete(expected));
    }
    assert_eq!(decide(json!({"userID": "u", "customIDs": {"teamID": "t"}})), StickyDecision::Live);
    assert_eq!(decide(json!({"userID": "u"})), StickyDecision::Live);
    // Everybody has a user id, be it an empty one.
    assert_eq!(storage_key(&user(&json!({})).view(), "userID").as_deref(), Some(":userID"));
}
