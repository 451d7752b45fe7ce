//! Which group a bandit thinks best.
mod support;

use serde_json::{Value, json};
use statsig_engine::{CheckKind, Input, PackedUser, evaluate};
use support::{Project, payload, user};

/// The group a user with this number gets, of groups that have the number for their score (`"n"`), a
/// fixed score, or none (null).
fn best(scores: &Value, higher_is_better: bool, number: &Value) -> String {
    let mut learned = json!({});
    let mut groups = Vec::new();
    for (index, score) in scores.as_array().into_iter().flatten().enumerate() {
        let id = index.to_string();
        groups.push(json!({"id": id, "name": id, "parameterValues": {}}));
        let weights = if score == "n" { json!({"n": 1}) } else { json!({"nobody has this": 1}) };
        if !score.is_null() {
            learned[&id] = json!({
                "alpha": 0, "intercept": score.as_f64().unwrap_or(0.0), "records": 0,
                "weightsNumerical": weights, "weightsCategorical": {},
            });
        }
    }
    let bandit = json!({
        "salt": "s", "defaultValue": {}, "idType": "userID", "enabled": true, "version": 1, "sampleRate": 0,
        "higherIsBetter": higher_is_better, "groups": groups, "config": learned,
    });
    let project = Project::new(&payload(json!({"cmab_configs": {"b": bandit}})));
    let (user, nobody) = (user(&json!({"custom": {"n": number}})), PackedUser::default());
    let input = Input::new(user.view(), nobody.view());
    project.outcome(&evaluate(&project.0, CheckKind::Experiment, "b", &input)).rule
}

#[test]
fn the_best_score_counts_and_of_equal_ones_the_first() {
    let (none, n) = (Value::Null, "n");
    for (scores, number, high, low) in [
        (json!([1, 2]), json!(0), "1", "0"),
        (json!([2, 2, 1, 1]), json!(0), "0", "2"),
        (json!([none, 1, 2]), json!(0), "2", "1"),
        (json!([1, n]), json!(7), "1", "0"),
        // What is not a number is never better.
        (json!([n, 1]), json!("NaN"), "1", "1"),
        (json!([1, n, 2]), json!("NaN"), "2", "0"),
        (json!([n, n]), json!("NaN"), "0", "0"),
        (json!([none, n]), json!("NaN"), "0", "0"),
        (json!([none, n]), json!("inf"), "1", "0"),
        (json!([none, n]), json!("-inf"), "0", "1"),
        (json!([none, n, 1]), json!("-inf"), "2", "1"),
    ] {
        assert_eq!(best(&scores, true, &number), high, "highest of {scores}, n is {number}");
        assert_eq!(best(&scores, false, &number), low, "lowest of {scores}, n is {number}");
    }
}

#[test]
fn without_any_score_it_is_chance_but_no_exploration() {
    let rule = best(&json!([null, null]), true, &json!(1));
    assert!(["0", "1"].contains(&rule.as_str()), "{rule}");
}

#[test]
fn a_user_left_to_chance_gets_a_group_and_the_one_with_fewer_records_more_often() {
    let groups: Vec<_> =
        (0..3).map(|id| json!({"id": id.to_string(), "name": "", "parameterValues": {"n": id}})).collect();
    let weights = |records: u32| json!({"alpha": 0, "intercept": 0, "records": records, "weightsNumerical": {}, "weightsCategorical": {}});
    let bandit = json!({
        "salt": "s", "defaultValue": {}, "idType": "userID", "enabled": true, "version": 1, "sampleRate": 1,
        "higherIsBetter": true, "groups": groups,
        "config": {"0": weights(1_000_000), "1": weights(0), "2": weights(0)},
    });
    let project = Project::new(&payload(json!({"cmab_configs": {"b": bandit}})));
    let nobody = PackedUser::default();
    let mut count = [0_u32; 3];
    for step in 0..1024u64 {
        let input = Input { random: step << 54, ..Input::new(nobody.view(), nobody.view()) };
        let rule = project.outcome(&evaluate(&project.0, CheckKind::Experiment, "b", &input)).rule;
        let arm = rule.strip_suffix(":explore").and_then(|arm| arm.parse::<usize>().ok());
        count[arm.unwrap_or_else(|| panic!("{rule}"))] += 1;
    }
    assert!(count[0] <= 2 && count[1].abs_diff(count[2]) < 10, "{count:?}");
}
