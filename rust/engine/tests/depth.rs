//! How far things may be nested, and what a check costs: limits, cycles, what is met again.
mod support;

use serde_json::{Map, Value, json};
use statsig_engine::{Layout, MAX_DEPTH, MAX_EXPOSURES, MAX_NESTED_GATES, Reason, SpecKind};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use support::{Outcome, Project, condition, conditions, experiment, gate, layer, payload, rule, with};

/// `g0` needs `g1`, that `g2`, and so on through `levels` nested gates; the last one needs `end`.
fn chain(levels: u32, end: &str) -> Project {
    let names: Vec<String> = (0..=levels).map(|level| format!("g{level}")).collect();
    let specs: Vec<(&str, Value)> = (0..=levels as usize)
        .map(|level| {
            let inner = names.get(level + 1).map_or(end.to_owned(), |name| format!("pass:{name}"));
            (names[level].as_str(), json!([inner]))
        })
        .collect();
    Project::of_gates(&specs)
}

#[test]
fn nesting_has_a_limit() {
    assert_eq!(MAX_NESTED_GATES, 64);
    let user = json!({"userID": "u"});
    let outcome = chain(64, "always").gate("g0", &user);
    assert_eq!((outcome.reason, outcome.passes, outcome.rule.as_str()), (Reason::Recognized, true, "r-g0"));
    assert_eq!(outcome.exposures.len(), 64);
    assert_eq!(
        (outcome.exposures[0].as_str(), outcome.exposures[63].as_str()),
        ("g64=true by r-g64", "g1=true by r-g1")
    );

    let deeper = chain(65, "always");
    let outcome = deeper.gate("g0", &user);
    assert_eq!(
        outcome,
        Outcome { reason: Reason::TooDeep, ..deeper.outcome(&statsig_engine::Evaluation::unrecognized()) }
    );
    // It is the depth of the check that counts, not that of the project.
    assert!(deeper.gate("g1", &user).passes);
}

#[test]
fn gates_that_need_no_evaluation_are_levels_all_the_same() {
    let user = json!({"userID": "u"});
    for (levels, reason) in [(63, Reason::Recognized), (64, Reason::TooDeep)] {
        assert_eq!(chain(levels, "fail:missing").gate("g0", &user).reason, reason, "missing below {levels}");
        // Here the gate at the end has been evaluated before.
        let names: Vec<String> = (1..=levels).map(|level| format!("g{level}")).collect();
        let mut specs = vec![("top", json!(["pass:met", "pass:g1"])), ("met", json!(["always"]))];
        for (index, name) in names.iter().enumerate() {
            let inner = names.get(index + 1).map_or("pass:met".to_owned(), |next| format!("pass:{next}"));
            specs.push((name, json!([inner])));
        }
        assert_eq!(Project::of_gates(&specs).gate("top", &user).reason, reason, "met again below {levels}");
    }
}

#[test]
fn a_check_that_is_too_deep_fails_as_a_whole() {
    let depth = 70;
    let mut feature_gates: Map<String, Value> = Map::new();
    let mut all = conditions(&["a"]);
    for level in 0..depth {
        let next = format!("g{}", level + 1);
        all = with(all, conditions(&[&next]));
        let rules = json!([rule("r", json!([format!("pass:{next}")]), json!({}))]);
        feature_gates.insert(format!("g{level}"), gate(rules, json!({})));
    }
    feature_gates.insert("a".into(), gate(json!([rule("ra", json!([]), json!({}))]), json!({})));
    // Its first rule would not fail for what is inside, and its second would apply.
    let top = gate(
        json!([
            rule("r1", json!(["pass:a", "pass:g1"]), json!({})),
            rule("r2", json!(["always"]), json!({})),
        ]),
        json!({"defaultValue": true, "version": 3}),
    );
    feature_gates.insert("top".into(), top);
    let configs = json!({"e": experiment(json!([rule("r", json!(["fail:g1"]), json!({"returnValue": {"a": 1}}))]), json!({}))});
    let project = Project::new(&payload(
        json!({"feature_gates": feature_gates, "condition_map": all, "dynamic_configs": configs}),
    ));
    for outcome in [project.gate("top", &json!({})), project.config("e", &json!({}))] {
        assert_eq!((outcome.reason, outcome.passes, outcome.rule.as_str()), (Reason::TooDeep, false, ""));
        assert_eq!((outcome.value, outcome.version, outcome.exposures.len()), (None, None, 0));
    }
}

#[test]
fn delegates_are_no_levels_for_gates() {
    for (levels, reason) in [(64, Reason::Recognized), (65, Reason::TooDeep)] {
        let names: Vec<String> = (1..=levels).map(|level| format!("g{level}")).collect();
        let mut feature_gates = Map::new();
        for (index, name) in names.iter().enumerate() {
            let inner = names.get(index + 1).map_or("always".to_owned(), |next| format!("pass:{next}"));
            feature_gates
                .insert(name.clone(), gate(json!([rule("r", json!([inner]), json!({}))]), json!({})));
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let project = Project::new(&payload(json!({
            "feature_gates": feature_gates,
            "condition_map": conditions(&names),
            "dynamic_configs": {
                "e": experiment(json!([rule("re", json!(["pass:g1"]), json!({"returnValue": {"a": 1}}))]), json!({})),
            },
            "layer_configs": {
                "l": layer(json!([rule("rl", json!([]), json!({"configDelegate": "e"}))]), json!({})),
            },
        })));
        assert_eq!(project.layer("l", &json!({})).reason, reason, "{levels}");
    }
}

#[test]
fn delegates_may_chain_farther_than_gates() {
    assert_eq!(below_delegates(300, 0).value, Some(json!({"a": 1})));
    assert_eq!(below_delegates(301, 0).reason, Reason::TooDeep);
}

#[test]
fn gates_below_a_chain_of_delegates_have_their_own_limit() {
    for (delegates, gates, reason) in [
        (299, 1, Reason::Recognized),
        (300, 1, Reason::Recognized),
        (300, 64, Reason::Recognized),
        (250, 64, Reason::Recognized),
        (250, 65, Reason::TooDeep),
    ] {
        assert_eq!(below_delegates(delegates, gates).reason, reason, "{delegates} delegates, {gates} gates");
    }
}

/// A layer with a chain of delegates, the last of which asks for the first of a chain of gates.
fn below_delegates(delegates: u32, gates: u32) -> Outcome {
    let names: Vec<String> = (1..=gates).map(|number| format!("g{number}")).collect();
    let asks = |number: u32| {
        if number < gates { json!([format!("pass:g{}", number + 1)]) } else { json!([]) }
    };
    let feature_gates: Map<String, Value> = (1..=gates)
        .map(|number| (format!("g{number}"), gate(json!([rule("r", asks(number), json!({}))]), json!({}))))
        .collect();
    let experiments: Map<String, Value> = (1..=delegates)
        .map(|number| {
            let next = json!({"configDelegate": format!("e{}", number + 1), "returnValue": {"a": 1}});
            let asked = if number == delegates { asks(0) } else { json!([]) };
            (format!("e{number}"), experiment(json!([rule("r", asked, next)]), json!({})))
        })
        .collect();
    let first = layer(json!([rule("r", json!([]), json!({"configDelegate": "e1"}))]), json!({}));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let project = Project::new(&payload(json!({
        "feature_gates": feature_gates,
        "condition_map": conditions(&names),
        "dynamic_configs": experiments,
        "layer_configs": {"l": first},
    })));
    project.layer("l", &json!({}))
}

#[test]
fn cycles_end() {
    let user = json!({"userID": "u"});
    for specs in [
        [("a", json!(["pass:a"])), ("b", json!(["always"]))],
        [("a", json!(["fail:a"])), ("b", json!(["always"]))],
        [("a", json!(["pass:b"])), ("b", json!(["pass:a"]))],
        [("a", json!(["pass:b", "pass:b"])), ("b", json!(["fail:a", "pass:a"]))],
        [("a", json!(["unknown", "pass:b"])), ("b", json!(["pass:a", "unknown"]))],
    ] {
        let project = Project::of_gates(&specs);
        assert_eq!(project.gate("a", &user).reason, Reason::TooDeep, "{specs:?}");
    }
    // A gate outside the cycle is not touched by it, and neither is one whose rule is not reached.
    assert!(Project::of_gates(&[("a", json!(["pass:a"])), ("b", json!(["always"]))]).gate("b", &user).passes);
}

#[test]
fn cycles_of_delegates_end() {
    let delegating =
        |to: &str| experiment(json!([rule("r", json!([]), json!({"configDelegate": to}))]), json!({}));
    let project = Project::new(&payload(json!({
        "dynamic_configs": {"itself": delegating("itself"), "one": delegating("other"), "other": delegating("one")},
        "layer_configs": {"l": with(delegating("one"), json!({"entity": "layer", "useNewLayerEval": true}))},
    })));
    for outcome in [
        project.config("itself", &json!({})),
        project.config("one", &json!({})),
        project.layer("l", &json!({})),
    ] {
        assert_eq!((outcome.reason, outcome.value), (Reason::TooDeep, None));
    }
}

#[test]
fn a_group_that_depends_on_itself_ends() {
    let group = condition("experiment_group", json!({"field": "e", "operator": "eq", "targetValue": "Test"}));
    let project = Project::new(&payload(json!({
        "condition_map": {"group": group},
        "dynamic_configs": {
            "e": experiment(json!([rule("r", json!(["group"]), json!({"groupName": "Test"}))]), json!({})),
        },
    })));
    // No expectation of the value: the reference does not survive this.
    let outcome = project.config("e", &json!({}));
    assert!(matches!(outcome.reason, Reason::Recognized | Reason::TooDeep));
}

#[test]
fn a_gate_met_again_is_evaluated_once() {
    // Without a memo this would take 2^60 evaluations: each gate is asked for twice, and only the
    // segments are not listed, so that the exposures stay few.
    let names: Vec<String> = (0..=60).map(|level| format!("segment:{level}")).collect();
    let specs: Vec<(&str, Value)> = (0..names.len())
        .map(|level| {
            let keys = match names.get(level + 1) {
                Some(next) => json!([format!("pass:{next}"), format!("pass:{next}")]),
                None => json!(["always"]),
            };
            (names[level].as_str(), keys)
        })
        .collect();
    let outcome = in_time(Project::of_gates(&specs), SpecKind::Gate, "segment:0");
    assert_eq!((outcome.passes, outcome.exposures.len()), (true, 0));
}

/// The check's outcome, if it comes within five seconds: milliseconds are enough where nothing is evaluated
/// over and over again.
fn in_time(project: Project, kind: SpecKind, name: &'static str) -> Outcome {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // Nobody listens any more where this came too late.
        let _ = sender.send(project.check(kind, name, &json!({"userID": "u"})));
    });
    let limit = Duration::from_secs(5);
    receiver.recv_timeout(limit).unwrap_or_else(|_| panic!("{name} takes longer than {limit:?}"))
}

/// Gates `⟨prefix⟩0` to `⟨prefix⟩⟨last⟩`: each asks twice for the next, the last for a condition.
fn twice_the_next(prefix: &str, last: usize, condition: &str) -> Project {
    let names: Vec<String> = (0..=last).map(|level| format!("{prefix}{level}")).collect();
    let specs: Vec<(&str, Value)> = (0..names.len())
        .map(|level| {
            let keys = match names.get(level + 1) {
                Some(next) => json!([format!("pass:{next}"), format!("pass:{next}")]),
                None => json!([condition]),
            };
            (names[level].as_str(), keys)
        })
        .collect();
    Project::of_gates(&specs)
}

#[test]
fn an_unsupported_gate_met_again_is_evaluated_once() {
    let project = twice_the_next("segment:", 60, "unknown");
    assert_eq!(in_time(project, SpecKind::Gate, "segment:0").reason, Reason::Unsupported);
}

/// Every gate repeats what the next one exposed: 2^50 exposures, were they all kept.
#[test]
fn exposures_are_bounded() {
    let outcome = in_time(twice_the_next("g", 50, "always"), SpecKind::Gate, "g0");
    assert!(outcome.passes);
    assert_eq!(outcome.exposures.len(), MAX_EXPOSURES);
}

#[test]
fn a_group_asked_for_again_is_evaluated_once() {
    assert_eq!(in_time(groups_twice(59), SpecKind::Config, "e0").group.as_deref(), Some("Test"));
}

#[test]
fn groups_may_chain_until_everything_is_too_deep() {
    for (groups, found) in [(MAX_DEPTH, Some("Test")), (MAX_DEPTH + 1, None)] {
        let outcome = groups_twice(groups).config("e0", &json!({}));
        assert_eq!((outcome.reason, outcome.group.as_deref()), (Reason::Recognized, found), "{groups}");
    }
}

/// Experiments `e0` to `e⟨last⟩`: each asks twice for the group in the next.
fn groups_twice(last: u32) -> Project {
    let mut map = conditions(&[]).as_object().cloned().unwrap_or_default();
    let mut experiments = Map::new();
    for level in 0..=last {
        let next = json!({"field": format!("e{}", level + 1), "operator": "any", "targetValue": ["Test"]});
        map.insert(format!("group:{level}"), condition("experiment_group", next));
        let keys = if level == last {
            json!(["always"])
        } else {
            json!([format!("group:{level}"), format!("group:{level}")])
        };
        let spec = experiment(json!([rule("r", keys, json!({"groupName": "Test"}))]), json!({}));
        experiments.insert(format!("e{level}"), spec);
    }
    Project::new(&payload(json!({"condition_map": map, "dynamic_configs": experiments})))
}

/// Places in the text of a user are of 32 bits: a longer id would be cut off.
#[cfg(target_pointer_width = "64")]
#[test]
fn an_id_of_4_gib_has_no_layout() {
    const LIMIT: usize = u32::MAX as usize;
    assert!(Layout::of_id(LIMIT - 1).is_some());
    for len in [LIMIT, LIMIT + 1, LIMIT + 5, usize::MAX] {
        assert!(Layout::of_id(len).is_none());
    }
}
