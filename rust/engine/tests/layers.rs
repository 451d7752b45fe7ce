//! Layers: delegation to experiments, and layers that merge the values of all their rules.
#![allow(clippy::needless_pass_by_value, reason = "what is passed is a literal wherever it is")]
mod support;

use serde_json::{Value, json};
use statsig_engine::{Input, Reason, SpecKind};
use support::{NOW, Outcome, Project, conditions, experiment, gate, layer, payload, rule, user, with};

const EMPTY: [&str; 0] = [];

/// Gates `a`, `b` and `c` are on by rules `ra`, `rb` and `rc`; `broken` is not supported.
fn project(experiments: Value, layers: Value) -> Project {
    let on = |id| gate(json!([rule(id, json!(["always"]), json!({}))]), json!({}));
    Project::new(&payload(json!({
        "condition_map": conditions(&["a", "b", "c", "broken"]),
        "feature_gates": {
            "a": on("ra"), "b": on("rb"), "c": on("rc"),
            "broken": gate(json!([rule("rx", json!(["pass:c", "unknown"]), json!({}))]), json!({})),
        },
        "dynamic_configs": experiments,
        "layer_configs": layers,
    })))
}

/// A rule that hands over to an experiment.
fn to(delegate: &str, id: &str, conditions: Value, changes: Value) -> Value {
    rule(id, conditions, with(json!({"configDelegate": delegate, "returnValue": {}}), changes))
}

fn check(project: &Project) -> Outcome {
    project.layer("l", &json!({"userID": "u"}))
}

/// An experiment with one group for everybody behind gate `b`.
fn running() -> Value {
    let group =
        json!({"returnValue": {"color": "red", "size": 5}, "groupName": "Test", "isExperimentGroup": true});
    experiment(
        json!([rule("test", json!(["pass:b"]), group)]),
        json!({
            "isActive": true, "hasSharedParams": true, "explicitParameters": ["color"], "idType": "stableID",
            "version": 8, "defaultValue": {"color": "grey"},
        }),
    )
}

#[test]
fn a_layer_takes_the_result_of_its_delegate() {
    let outcome = check(&project(
        json!({"e": running()}),
        json!({"l": layer(
            json!([to("e", "rl", json!(["pass:a"]), json!({"passPercentage": 0}))]),
            json!({"defaultValue": {"color": "none", "extra": 1}, "explicitParameters": ["never"]})
        )}),
    ));
    // The percentage of a rule that delegates does not count, and the layer's defaults are not added.
    assert_eq!(outcome.reason, Reason::Recognized);
    assert_eq!(outcome.value, Some(json!({"color": "red", "size": 5})));
    assert_eq!((outcome.rule.as_str(), outcome.group.as_deref()), ("test", Some("Test")));
    assert_eq!(outcome.delegate.as_deref(), Some("e"));
    assert_eq!(outcome.explicit, ["color"]);
    assert!(outcome.is_group && outcome.is_active && outcome.in_layer);
    assert_eq!(outcome.id_type.as_deref(), Some("userID"));
    assert_eq!(outcome.version, Some(8));
    assert_eq!(outcome.exposures, ["a=true by ra", "b=true by rb"]);
    assert_eq!(outcome.undelegated.unwrap(), ["a=true by ra"]);
}

#[test]
fn the_layers_own_version_comes_first() {
    let rules = json!([to("e", "rl", json!([]), json!({}))]);
    let outcome = check(&project(json!({"e": running()}), json!({"l": layer(rules, json!({"version": 3}))})));
    assert_eq!(outcome.version, Some(3));
    assert_eq!(outcome.undelegated.unwrap(), EMPTY);
}

#[test]
fn a_delegate_may_fall_to_its_default() {
    let stopped = with(running(), json!({"rules": [], "explicitParameters": null}));
    let rules = json!([
        to("e", "rl", json!(["pass:a"]), json!({})),
        rule("later", json!([]), json!({"returnValue": {"color": "blue"}})),
    ]);
    let outcome = check(&project(
        json!({"e": stopped}),
        json!({"l": layer(rules, json!({"explicitParameters": ["x"]}))}),
    ));
    assert_eq!((outcome.value, outcome.rule.as_str()), (Some(json!({"color": "grey"})), "default"));
    assert_eq!((outcome.delegate.as_deref(), outcome.group), (Some("e"), None));
    // The layer's own list does not stand in for the one its delegate lacks.
    assert_eq!(outcome.explicit, EMPTY);
    assert!(outcome.is_active && outcome.in_layer);
}

#[test]
fn only_the_deciding_rule_delegates() {
    let rules = json!([
        to("e", "r1", json!(["never", "pass:c"]), json!({})),
        rule("r2", json!(["pass:a"]), json!({"returnValue": {"x": 1}, "groupName": "G"})),
    ]);
    let outcome = check(&project(json!({"e": running()}), json!({"l": layer(rules, json!({}))})));
    assert_eq!((outcome.value, outcome.rule.as_str()), (Some(json!({"x": 1})), "r2"));
    assert_eq!((outcome.delegate, outcome.group.as_deref()), (None, Some("G")));
    assert!(!outcome.is_active && !outcome.in_layer);
    // Without a delegate all exposures count for all parameters.
    assert_eq!(outcome.exposures, ["c=true by rc", "a=true by ra"]);
    assert_eq!(outcome.undelegated.unwrap(), outcome.exposures);
}

#[test]
fn a_layer_without_exposures_has_no_undelegated_ones() {
    let outcome =
        check(&project(json!({}), json!({"l": layer(json!([]), json!({"defaultValue": {"x": 1}}))})));
    assert_eq!((outcome.value, outcome.rule.as_str()), (Some(json!({"x": 1})), "default"));
    assert_eq!(outcome.undelegated, None);
}

#[test]
fn a_missing_delegate_makes_a_plain_rule() {
    for delegate in ["gone", "", "a", "l"] {
        let plain = |percentage: u32| {
            let changes = json!({"returnValue": {"x": 1}, "passPercentage": percentage});
            let rules = json!([to(delegate, "r", json!([]), changes)]);
            check(&project(json!({}), json!({"l": layer(rules, json!({"defaultValue": {"x": 0}}))})))
        };
        for (percentage, x) in [(100, 1), (0, 0)] {
            let outcome = plain(percentage);
            assert_eq!((outcome.value, outcome.rule.as_str()), (Some(json!({"x": x})), "r"), "{delegate:?}");
            assert_eq!(outcome.delegate, None);
        }
    }
}

#[test]
fn a_delegate_whose_spec_was_dropped_is_missing() {
    let faulty = with(running(), json!({"salt": 5}));
    let rules = json!([to("e", "r", json!([]), json!({"returnValue": {"x": 1}}))]);
    let project = project(json!({"e": faulty}), json!({"l": layer(rules, json!({}))}));
    assert_eq!(project.issues().len(), 1);
    assert_eq!(check(&project).value, Some(json!({"x": 1})));
}

#[test]
fn delegates_chain() {
    let outcome = check(&project(
        json!({
            "outer": experiment(
                json!([to("inner", "ro", json!(["pass:b"]), json!({}))]),
                json!({"explicitParameters": ["outer"], "version": 2, "isActive": true, "hasSharedParams": true})
            ),
            "inner": experiment(
                json!([rule("ri", json!(["pass:c"]), json!({"returnValue": {"x": 1}, "groupName": "In"}))]),
                json!({"explicitParameters": ["inner"], "version": 4, "isActive": false})
            ),
        }),
        json!({"l": layer(json!([to("outer", "rl", json!(["pass:a"]), json!({}))]), json!({}))}),
    ));
    assert_eq!((outcome.value, outcome.rule.as_str()), (Some(json!({"x": 1})), "ri"));
    // Name and parameters are those of the outermost delegate, the cut is the innermost one.
    assert_eq!(
        (outcome.delegate.as_deref(), outcome.explicit.as_slice()),
        (Some("outer"), ["outer".to_owned()].as_slice())
    );
    assert_eq!((outcome.version, outcome.group.as_deref()), (Some(2), Some("In")));
    assert_eq!((outcome.is_active, outcome.in_layer), (false, true));
    assert_eq!(outcome.exposures, ["a=true by ra", "b=true by rb", "c=true by rc"]);
    assert_eq!(outcome.undelegated.unwrap(), ["a=true by ra", "b=true by rb"]);
}

#[test]
fn experiments_delegate_as_layers_do() {
    let project = project(
        json!({
            "e": experiment(json!([to("f", "re", json!(["pass:a"]), json!({}))]), json!({})),
            "f": running(),
        }),
        json!({}),
    );
    let outcome = project.config("e", &json!({"userID": "u"}));
    assert_eq!((outcome.value, outcome.rule.as_str()), (Some(json!({"color": "red", "size": 5})), "test"));
    assert_eq!(outcome.delegate.as_deref(), Some("f"));
    assert_eq!(outcome.exposures, ["a=true by ra", "b=true by rb"]);
}

#[test]
fn an_unsupported_delegate_makes_the_layer_unsupported() {
    let broken = with(running(), json!({"rules": [rule("r", json!(["pass:b", "unknown"]), json!({}))]}));
    let rules = json!([
        to("e", "rl", json!(["pass:a"]), json!({})),
        rule("later", json!([]), json!({"returnValue": {"x": 1}})),
    ]);
    let outcome = check(&project(json!({"e": broken}), json!({"l": layer(rules, json!({}))})));
    assert_eq!((outcome.reason, outcome.value), (Reason::Unsupported, None));
    assert_eq!((outcome.rule.as_str(), outcome.delegate.as_deref()), ("rb", Some("e")));
    assert_eq!(outcome.exposures, ["a=true by ra", "b=true by rb"]);
    assert_eq!(outcome.undelegated.unwrap(), ["a=true by ra"]);
}

/// A layer that merges the values of its rules.
fn merging(rules: Value, changes: Value) -> Value {
    layer(rules, with(json!({"useNewLayerEval": true}), changes))
}

/// A rule with a value of its own.
fn plain(id: &str, conditions: Value, value: Value) -> Value {
    rule(id, conditions, json!({"returnValue": value}))
}

/// The owner of each parameter, as `⟨name⟩ by ⟨rule⟩`, and where its value comes from.
fn owners(project: &Project, names: &[&str]) -> Vec<String> {
    let user = user(&json!({"userID": "u"}));
    let input = Input { now: NOW, ..Input::new(user.view(), user.view()) };
    let evaluation = project.evaluate(SpecKind::Layer, "l", &input);
    names
        .iter()
        .filter_map(|name| {
            let (value, rule) = evaluation.find_parameter(&project.0, None, name)?;
            let json: Value = serde_json::from_str(project.0.value(value).json()).unwrap_or_default();
            Some(format!("{name}={} by {}", json[name], project.0.string(rule)))
        })
        .collect()
}

#[test]
fn rules_merge_and_the_first_of_a_name_counts() {
    let project = project(
        json!({}),
        json!({"l": merging(json!([
            plain("r1", json!(["pass:a"]), json!({"x": 1, "y": 1})),
            plain("r2", json!(["never"]), json!({"z": 2})),
            rule("r3", json!([]), json!({"returnValue": {"z": 3}, "passPercentage": 0})),
            plain("r4", json!(["pass:b"]), json!({"y": 4, "z": 4})),
        ]), json!({"defaultValue": {"z": 0, "w": 0}, "isActive": true, "explicitParameters": ["x"], "version": 6}))}),
    );
    let outcome = check(&project);
    assert_eq!(outcome.value, Some(json!({"x": 1, "y": 1, "z": 4, "w": 0})));
    assert_eq!(
        owners(&project, &["w", "x", "y", "z", "v"]),
        ["w=0 by default", "x=1 by r1", "y=1 by r1", "z=4 by r4"]
    );
    assert_eq!((outcome.reason, outcome.rule.as_str()), (Reason::Recognized, "default"));
    assert_eq!((outcome.delegate, outcome.group, outcome.version), (None, None, Some(6)));
    assert_eq!(outcome.explicit, EMPTY);
    assert!(outcome.is_active && !outcome.is_group);
    assert_eq!(outcome.exposures, ["a=true by ra", "b=true by rb"]);
    assert_eq!(outcome.undelegated.unwrap(), outcome.exposures);
}

#[test]
fn only_objects_add_parameters() {
    for value in [json!(null), json!(true), json!([1]), json!("x"), json!(5), json!({})] {
        let project = project(
            json!({}),
            json!({"l": merging(json!([plain("r", json!([]), value)]), json!({"defaultValue": {"x": 0}}))}),
        );
        assert_eq!(check(&project).value, Some(json!({"x": 0})));
        assert_eq!(owners(&project, &["x"]), ["x=0 by default"]);
    }
}

#[test]
fn nothing_to_merge_leaves_the_default() {
    let outcome = check(&project(json!({}), json!({"l": merging(json!([]), json!({"enabled": false}))})));
    assert_eq!((outcome.value, outcome.rule.as_str()), (Some(json!({})), "default"));
    assert_eq!(outcome.undelegated.unwrap_or_default(), EMPTY);
}

#[test]
fn the_first_rule_that_applies_may_delegate() {
    let project = project(
        json!({"e": running()}),
        json!({"l": merging(json!([
            plain("r0", json!(["never"]), json!({"color": "black"})),
            to("e", "r1", json!(["pass:a"]), json!({})),
            plain("r2", json!(["pass:c"]), json!({"size": 2, "shape": "square"})),
        ]), json!({"defaultValue": {"shape": "round", "color": "none", "extra": 1}}))}),
    );
    let outcome = check(&project);
    assert_eq!(outcome.value, Some(json!({"color": "red", "size": 5, "shape": "square", "extra": 1})));
    // Parameters from the experiment belong to the layer's rule.
    assert_eq!(
        owners(&project, &["color", "size", "shape", "extra"]),
        ["color=\"red\" by r1", "size=5 by r1", "shape=\"square\" by r2", "extra=1 by default"]
    );
    assert_eq!((outcome.rule.as_str(), outcome.group.as_deref()), ("r1", Some("Test")));
    assert_eq!(
        (outcome.delegate.as_deref(), outcome.explicit.as_slice()),
        (Some("e"), ["color".to_owned()].as_slice())
    );
    // The flags are the layer's and its rule's, not the experiment's.
    assert!(!outcome.is_active && !outcome.is_group);
    assert_eq!(outcome.version, Some(8));
    assert_eq!(outcome.exposures, ["a=true by ra", "b=true by rb", "c=true by rc"]);
    assert_eq!(outcome.undelegated.unwrap(), ["a=true by ra", "c=true by rc"]);
}

#[test]
fn the_percentage_of_a_delegating_rule_counts_here() {
    let rules =
        json!([to("e", "r1", json!(["pass:a"]), json!({"passPercentage": 0, "isExperimentGroup": true}))]);
    let outcome = check(&project(json!({"e": running()}), json!({"l": merging(rules, json!({}))})));
    assert_eq!((outcome.value, outcome.delegate), (Some(json!({})), None));
    assert_eq!((outcome.rule.as_str(), outcome.version), ("default", None));
    assert_eq!(outcome.exposures, ["a=true by ra"]);
}

#[test]
fn a_delegate_after_a_rule_that_applied_is_evaluated_but_not_used() {
    // Even a rule without any value keeps later delegates out.
    for value in [json!({"x": 1}), json!({}), json!(null), json!(false)] {
        let rules = json!([plain("r1", json!([]), value), to("e", "r2", json!(["pass:a"]), json!({}))]);
        let outcome = check(&project(json!({"e": running()}), json!({"l": merging(rules, json!({}))})));
        assert_eq!((outcome.delegate, outcome.rule.as_str(), outcome.group), (None, "default", None));
        assert_eq!(outcome.explicit, EMPTY);
        assert!(!outcome.value.unwrap().as_object().unwrap().contains_key("color"));
        // Its version is taken, what it exposes is lost.
        assert_eq!(outcome.version, Some(8));
        assert_eq!(outcome.exposures, ["a=true by ra"]);
        assert_eq!(outcome.undelegated.unwrap(), ["a=true by ra"]);
    }
}

#[test]
fn what_an_unused_delegate_exposes_counts_as_met_by_the_rule_after_it() {
    let rules = json!([
        plain("r1", json!([]), json!({"x": 1})),
        to("e", "r2", json!(["pass:a"]), json!({})),
        plain("r3", json!(["fail:c"]), json!({"y": 1})),
    ]);
    let outcome = check(&project(json!({"e": running()}), json!({"l": merging(rules, json!({}))})));
    assert_eq!(outcome.exposures, ["a=true by ra", "b=true by rb", "c=true by rc"]);
    assert_eq!(outcome.undelegated.unwrap(), ["a=true by ra", "b=true by rb", "c=true by rc"]);
}

#[test]
fn of_two_delegates_the_first_is_used() {
    let other = with(
        running(),
        json!({"rules": [rule("other", json!(["pass:c"]), json!({"returnValue": {"color": "blue", "new": 1}}))], "version": 1}),
    );
    let project = project(
        json!({"e": running(), "f": other}),
        json!({"l": merging(json!([
            to("e", "r1", json!(["pass:a"]), json!({"isExperimentGroup": true})),
            to("f", "r2", json!([]), json!({})),
            plain("r3", json!([]), json!({"last": 1})),
        ]), json!({}))}),
    );
    let outcome = check(&project);
    assert_eq!(outcome.value, Some(json!({"color": "red", "size": 5, "last": 1})));
    assert_eq!((outcome.delegate.as_deref(), outcome.rule.as_str()), (Some("e"), "r1"));
    assert_eq!((outcome.group.as_deref(), outcome.is_group, outcome.version), (Some("Test"), true, Some(8)));
    assert_eq!(outcome.exposures, ["a=true by ra", "b=true by rb", "c=true by rc"]);
    assert_eq!(outcome.undelegated.unwrap(), ["a=true by ra", "c=true by rc"]);
}

#[test]
fn merging_stops_where_a_condition_is_not_supported() {
    let project = project(
        json!({"e": running()}),
        json!({"l": merging(json!([
            to("e", "r1", json!(["pass:a"]), json!({})),
            plain("r2", json!(["pass:c", "unknown"]), json!({"x": 1})),
            plain("r3", json!([]), json!({"y": 1})),
        ]), json!({"defaultValue": {"z": 1}}))}),
    );
    let outcome = check(&project);
    assert_eq!(outcome.reason, Reason::Unsupported);
    // What the delegate left stays; nothing is merged.
    assert_eq!(outcome.value, Some(json!({"color": "red", "size": 5})));
    assert_eq!((outcome.delegate.as_deref(), outcome.rule.as_str()), (Some("e"), "rc"));
    assert_eq!(outcome.exposures, ["a=true by ra", "b=true by rb", "c=true by rc"]);
    assert_eq!(outcome.undelegated.unwrap(), ["a=true by ra", "c=true by rc"]);

    let outcome = check(&unsupported_without_delegate());
    assert_eq!((outcome.reason, outcome.value, outcome.rule.as_str()), (Reason::Unsupported, None, ""));
}

/// A merging layer whose second rule is not supported and whose first has a value of its own.
fn unsupported_without_delegate() -> Project {
    let rules = json!([plain("r1", json!([]), json!({"x": 1})), plain("r2", json!(["unknown"]), json!({}))]);
    project(json!({}), json!({"l": merging(rules, json!({}))}))
}

#[test]
fn an_unsupported_delegate_is_noticed_at_the_next_rule() {
    let broken = with(running(), json!({"rules": [rule("r", json!(["pass:b", "unknown"]), json!({}))]}));
    let last =
        json!([plain("r1", json!(["never"]), json!({"x": 1})), to("e", "r2", json!(["pass:a"]), json!({}))]);
    let outcome = check(&project(
        json!({"e": broken}),
        json!({"l": merging(last.clone(), json!({"defaultValue": {"z": 1}}))}),
    ));
    // In the last rule the merge is completed, and yet the check is unsupported.
    assert_eq!((outcome.reason, outcome.value), (Reason::Unsupported, Some(json!({"z": 1}))));
    assert_eq!((outcome.rule.as_str(), outcome.delegate), ("default", None));
    assert_eq!(outcome.exposures, ["a=true by ra"]);

    let more = json!([last[0], last[1], plain("r3", json!(["pass:c"]), json!({"y": 1}))]);
    let outcome =
        check(&project(json!({"e": broken}), json!({"l": merging(more, json!({"defaultValue": {"z": 1}}))})));
    assert_eq!((outcome.reason, outcome.value), (Reason::Unsupported, None));
    assert_eq!(outcome.exposures, ["a=true by ra", "b=true by rb", "c=true by rc"]);
    assert_eq!(outcome.undelegated.unwrap(), outcome.exposures);
}

#[test]
fn only_layers_merge() {
    let merging = |entity| with(running(), json!({"useNewLayerEval": true, "entity": entity}));
    for entity in ["experiment", "layer"] {
        let outcome = project(json!({"e": merging(entity)}), json!({})).config("e", &json!({"userID": "u"}));
        assert_eq!(
            (outcome.rule.as_str(), outcome.value),
            ("test", Some(json!({"color": "red", "size": 5})))
        );
    }
}

/// A bandit that leaves every choice to chance.
fn bandit() -> Value {
    json!({
        "salt": "s", "defaultValue": {}, "idType": "userID", "enabled": true, "version": 1, "sampleRate": 0,
        "higherIsBetter": true, "groups": [{"id": "arm", "name": "Arm", "parameterValues": {"x": "arm"}}],
    })
}

#[test]
fn chance_on_the_way_shows_in_the_rule_of_a_merged_layer() {
    let to = |name: &str| rule(&format!("to {name}"), json!(["always"]), json!({"configDelegate": name}));
    let own = rule("own", json!(["always"]), json!({"returnValue": {"x": "own"}}));
    let merging = |rules: Value| layer(rules, json!({"useNewLayerEval": true}));
    let project = Project::new(&payload(json!({
        "condition_map": conditions(&[]),
        "dynamic_configs": {
            "e": experiment(json!([rule("r", json!(["always"]), json!({"returnValue": {"x": "e"}}))]), json!({})),
            "b": experiment(json!([]), json!({})),
        },
        "layer_configs": {
            "b": merging(json!([to("b")])), "b e": merging(json!([to("b"), to("e")])),
            "e b": merging(json!([to("e"), to("b")])), "own b": merging(json!([own.clone(), to("b")])),
            "e": merging(json!([to("e"), own])), "classic": layer(json!([to("b")]), json!({})),
            "e b unknown": merging(json!([to("b"), to("e"), rule("u", json!(["unknown"]), json!({}))])),
        },
        "cmab_configs": {"b": bandit()},
    })));
    for (name, rule) in [
        ("b", "to b:explore"),
        ("b e", "to b:explore"),
        ("e b", "to e:explore"),
        ("own b", "default:explore"),
        ("e", "to e"),
        ("classic", "arm:explore"),
        ("e b unknown", "r:explore"),
    ] {
        assert_eq!(project.layer(name, &json!({"userID": "u"})).rule, rule, "{name}");
    }
}
