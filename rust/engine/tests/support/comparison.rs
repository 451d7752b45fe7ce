//! The engine and the second opinion on the same project and user.
use crate::naive::{self, Answer, Stop, World};
use crate::support::{Project, user};
use serde_json::{Value, json};
use statsig_engine::{CheckKind, Compiled, Evaluation, Input, Reason, compile, evaluate};

/// How many checks were compared, or the first difference.
pub(crate) fn compare(world: &World) -> Result<usize, String> {
    let bytes = world.payload.to_string().into_bytes();
    let Compiled::Ruleset(ruleset) = compile(&bytes).map_err(|error| format!("{error}"))? else {
        return Err("the payload has updates".into());
    };
    let project = Project(ruleset);
    if !project.issues().is_empty() {
        return Err(format!("specs were left out: {:?}", project.issues()));
    }
    let (packed, global) = (user(&world.user), user(&json!({"custom": world.global})));
    let input = Input { now: world.now, ..Input::new(packed.view(), global.view()) };
    let mut compared = 0;
    for (list, kinds) in [
        ("feature_gates", &[CheckKind::Gate][..]),
        ("dynamic_configs", &[CheckKind::Config, CheckKind::Experiment]),
        ("layer_configs", &[CheckKind::Layer]),
    ] {
        let specs = &world.payload[list];
        let keys = specs.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
        for name in keys.chain(["missing"]) {
            // A ladder need not be climbed from each of its rungs.
            if name.starts_with('n') && !["n0", "n1"].contains(&name) {
                continue;
            }
            for kind in kinds {
                let theirs = match naive::check(world, list, name) {
                    Err(Stop::TooMuch) => continue,
                    Err(Stop::TooDeep) => json!({"reason": "TooDeep"}),
                    Ok(None) => json!({"reason": "Unrecognized"}),
                    Ok(Some(answer)) => second(&answer, *kind),
                };
                let ours = first(&project, &evaluate(&project.0, *kind, name, &input), *kind);
                if ours != theirs {
                    return Err(report(world, *kind, name, &ours, &theirs));
                }
                compared += 1;
            }
        }
    }
    Ok(compared)
}

fn report(world: &World, kind: CheckKind, name: &str, ours: &Value, theirs: &Value) -> String {
    format!(
        "{kind:?} {name:?}\nthe engine:         {ours}\nthe second opinion: {theirs}\npayload: {}\nuser: {}\nglobal: {}",
        world.payload, world.user, world.global
    )
}

/// What both say of a check. The reason decides what there is to say.
fn second(answer: &Answer, kind: CheckKind) -> Value {
    let reason = if answer.unsupported { "Unsupported" } else { "Recognized" };
    let exposure = |(gate, value, rule): &(String, bool, String)| format!("{gate}={value} by {rule}");
    let exposures = |list: &Vec<_>| list.iter().map(exposure).collect::<Vec<_>>();
    let mut facts = json!({
        "reason": reason, "passes": answer.pass, "rule": answer.rule, "group": answer.group, "id_type": answer.id_type,
        "delegate": answer.delegate, "is_group": answer.is_group, "is_active": answer.active,
        "exposures": exposures(&answer.exposures),
    });
    if kind != CheckKind::Gate {
        facts["value"] = members(answer.value.as_ref());
    }
    facts
}

fn first(project: &Project, evaluation: &Evaluation, kind: CheckKind) -> Value {
    match evaluation.reason {
        Reason::TooDeep => return json!({"reason": "TooDeep"}),
        Reason::Unrecognized => return json!({"reason": "Unrecognized"}),
        Reason::Recognized | Reason::Unsupported => {}
    }
    let outcome = project.outcome(evaluation);
    let mut facts = json!({
        "reason": format!("{:?}", outcome.reason), "passes": outcome.passes, "rule": outcome.rule, "group": outcome.group,
        "id_type": outcome.id_type, "delegate": outcome.delegate, "is_group": outcome.is_group,
        "is_active": outcome.is_active, "exposures": outcome.exposures,
    });
    if kind != CheckKind::Gate {
        facts["value"] = members(outcome.value.as_ref());
    }
    facts
}

/// What is no object counts as an empty one.
fn members(value: Option<&Value>) -> Value {
    json!(value.map(|value| value.as_object().cloned().unwrap_or_default()))
}
