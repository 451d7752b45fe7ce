//! Why an evaluation comes to what it does, as JSON: every check, rule and condition that was looked at.

use serde_json::{Map, Value as Json, json};
use std::cell::RefCell;

use crate::bandit::Choice;
use crate::eval::{Input, MAX_NESTED_GATES, evaluate_observed};
use crate::evaluation::{Evaluation, Reason, Returned};
use crate::json::write_json;
use crate::overrides::OverrideValue;
use crate::ruleset::{CheckKind, ConditionId, Ruleset, SpecId, StringId, ValueId};
use crate::trace::{Observer, Origin, Step};
use crate::value::Value;

/// How many checks may be nested, with the one that was asked for, for what is inside to be told. Gates may
/// not be nested farther, and what delegates to a delegate for ever is nothing that anybody reads.
const MAX_TOLD: u32 = MAX_NESTED_GATES + 1;

/// What stands for a value among the private attributes.
const PRIVATE: &str = "(private)";

/// Evaluates as [`crate::evaluate`] does and tells how, as a JSON object, but for what is nested deeper than
/// gates may be.
///
/// Values of private attributes are not in it, unless `show_private`.
#[must_use]
pub fn explain(
    ruleset: &Ruleset,
    kind: CheckKind,
    name: &str,
    input: &Input<'_>,
    show_private: bool,
) -> (Evaluation, String) {
    let recorder = Recorder { ruleset, input, show_private, record: RefCell::default() };
    let evaluation = evaluate_observed(ruleset, kind, name, input, &recorder);
    let Record { mut root, used, .. } = recorder.record.into_inner();
    root.insert("user_fields".to_owned(), used.into());
    if root.contains_key("rule_id") {
        // Chance in a delegate shows in the id of the result only.
        root.insert("rule_id".to_owned(), ruleset.string(evaluation.rule).into());
    }
    let mut json = String::new();
    write_json(&mut json, &Json::Object(root));
    (evaluation, json)
}

/// What an entry that is being written is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Check,
    Rule,
    Condition,
}

struct Recorder<'a> {
    ruleset: &'a Ruleset,
    input: &'a Input<'a>,
    show_private: bool,
    record: RefCell<Record>,
}

#[derive(Default)]
struct Record {
    /// Entries that are not complete, outermost first.
    open: Vec<(Level, Map<String, Json>)>,
    root: Map<String, Json>,
    /// Checks that are not complete, told or not.
    checks: u32,
    /// Names of what was looked at about the user, without repetition.
    used: Vec<String>,
    /// The value that is looked at is a private one.
    private: bool,
}

impl Record {
    fn open(&mut self, level: Level, entry: Json) {
        let Json::Object(entry) = entry else { return };
        self.open.push((level, entry));
    }

    fn set(&mut self, name: &str, value: impl Into<Json>) {
        if let Some((_, entry)) = self.open.last_mut() {
            entry.insert(name.to_owned(), value.into());
        }
    }

    /// Of what exists and has no outcome, the evaluation failed.
    fn leave_unfinished(&mut self) {
        if let Some((_, entry)) = self.open.last_mut()
            && entry.get("how").is_some_and(|how| how != "missing")
        {
            entry.insert("how".to_owned(), "unfinished".into());
        }
    }

    /// Completes entries until one of `levels`, or the end of the check, is reached.
    fn close_until(&mut self, levels: &[Level]) {
        while self.open.last().is_some_and(|(level, _)| !levels.contains(level)) {
            self.close();
        }
    }

    fn close(&mut self) {
        let Some((level, entry)) = self.open.pop() else {
            return;
        };
        let Some((outer, parent)) = self.open.last_mut() else {
            self.root = entry;
            return;
        };
        let list = match (level, *outer) {
            (Level::Check, Level::Rule) => {
                parent.insert("delegate".to_owned(), entry.into());
                return;
            }
            (Level::Check, _) => "checks",
            (Level::Rule, _) => "rules",
            (Level::Condition, _) => "conditions",
        };
        if let Json::Array(list) = parent.entry(list).or_insert_with(|| json!([])) {
            list.push(entry.into());
        }
    }
}

impl Observer for Recorder<'_> {
    const ON: bool = true;

    fn step(&self, step: Step<'_>) {
        let record = &mut *self.record.borrow_mut();
        record.checks += u32::from(matches!(step, Step::Check { .. }));
        let told = record.checks <= MAX_TOLD || matches!(step, Step::Used { .. });
        record.checks -= u32::from(matches!(step, Step::Done(_)));
        if !told {
            return;
        }
        match step {
            Step::Check { kind, name } => {
                record.open(Level::Check, json!({"kind": kind_name(kind), "name": name, "how": "missing"}));
            }
            Step::Override => record.set("how", "override"),
            Step::Remembered => record.set("how", "remembered"),
            Step::Bandit => record.set("how", "bandit"),
            Step::Spec(id) => self.spec(record, id),
            Step::Mapping { to, rule } => {
                record.close_until(&[Level::Check]);
                self.rule(record, rule);
                record.set("maps_to", self.ruleset.string(to));
            }
            Step::Choice { choice: Choice { arm, explored }, scores } => {
                record.set("choice", json!({"arm": arm, "explored": explored, "scores": scores}));
            }
            Step::Rule(index) => {
                record.close_until(&[Level::Check]);
                self.rule(record, index);
            }
            Step::Condition(id) => {
                record.close_until(&[Level::Rule, Level::Check]);
                self.condition(record, id);
            }
            Step::Used { name, origin } => {
                record.private = origin == Origin::Private;
                let text = used(name, origin);
                if origin != Origin::Global && !record.used.contains(&text) {
                    record.used.push(text);
                }
            }
            Step::Value(value) => {
                let hidden = std::mem::take(&mut record.private) && !self.show_private;
                record.set("value", if hidden { json!(PRIVATE) } else { plain(value) });
            }
            Step::Holds(outcome) => {
                record.close_until(&[Level::Condition]);
                record.set("holds", outcome);
                record.close();
            }
            Step::Matches(outcome) => record.set("matches", outcome),
            Step::Rollout { bucket, unit, passes } => {
                record.set("bucket", bucket);
                record.set("unit", plain(unit));
                record.set("passes", passes);
            }
            Step::Done(evaluation) => {
                record.close_until(&[Level::Check]);
                match evaluation {
                    Some(evaluation) => self.outcome(record, evaluation),
                    None => record.leave_unfinished(),
                }
                record.close();
            }
        }
    }
}

impl Recorder<'_> {
    fn spec(&self, record: &mut Record, id: SpecId) {
        let spec = self.ruleset.spec(id);
        record.close_until(&[Level::Check]);
        record.set("how", "spec");
        record.set("entity", self.ruleset.string(spec.entity));
        record.set("version", spec.version);
        record.set("enabled", spec.enabled);
    }

    fn rule(&self, record: &mut Record, index: u32) {
        let rule = &self.ruleset.rules[index as usize];
        let text = |id: StringId| self.ruleset.string(id);
        record.open(
            Level::Rule,
            json!({
                "rule_id": text(rule.id),
                "group_name": rule.group.map(text),
                "pass_percentage": rule.percentage,
                "id_type": self.ruleset.units[rule.unit.index()].id_type(),
                "conditions": [],
            }),
        );
    }

    fn condition(&self, record: &mut Record, id: Option<ConditionId>) {
        let written = id.and_then(|id| self.ruleset.descriptions.get(id));
        let entry = written.and_then(|text| serde_json::from_str(text).ok());
        record.private = false;
        record.open(Level::Condition, entry.unwrap_or_else(|| json!({"type": "(not in the payload)"})));
    }

    fn outcome(&self, record: &mut Record, evaluation: &Evaluation) {
        record.set("passes", evaluation.passes);
        record.set("value", self.value(evaluation));
        record.set("rule_id", self.ruleset.string(evaluation.rule));
        record.set("group_name", evaluation.group.map(|id| self.ruleset.string(id)));
        record.set("supported", evaluation.reason != Reason::Unsupported);
    }

    fn value(&self, evaluation: &Evaluation) -> Json {
        let of = |id: ValueId| -> Json {
            let text = match id.override_index() {
                Some(index) => self.input.overrides.and_then(|all| all.value(index)).map(OverrideValue::json),
                None => Some(self.ruleset.value(id).json()),
            };
            text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Json::Null)
        };
        match &evaluation.value {
            Returned::Nothing => Json::Null,
            Returned::One(id) => of(*id),
            Returned::Merged(parts) => {
                let mut merged = Map::new();
                for (id, _) in parts {
                    if let Json::Object(members) = of(*id) {
                        for (name, value) in members {
                            merged.entry(name).or_insert(value);
                        }
                    }
                }
                merged.into()
            }
        }
    }
}

fn kind_name(kind: CheckKind) -> &'static str {
    match kind {
        CheckKind::Gate => "gate",
        CheckKind::Config => "config",
        CheckKind::Experiment => "experiment",
        CheckKind::Layer => "layer",
    }
}

fn used(name: &str, origin: Origin) -> String {
    match origin {
        Origin::Custom => format!("custom.{name}"),
        Origin::CustomIds => format!("customIDs.{name}"),
        Origin::Private => format!("privateAttributes.{name}"),
        Origin::Environment => format!("statsigEnvironment.{name}"),
        Origin::Standard | Origin::Global | Origin::Nowhere => name.to_owned(),
    }
}

fn plain(value: Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => value.into(),
        Value::Int(value) | Value::Now(value) => value.into(),
        Value::Float(value) if value.is_finite() => value.into(),
        // JSON has no such number.
        Value::Float(value) => value.to_string().into(),
        Value::Text(text) => text.into(),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.to_owned(), plain(value))).collect()
        }
    }
}
