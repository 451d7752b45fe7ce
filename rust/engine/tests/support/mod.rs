//! Shared by the test crates: payloads and users from JSON in, readable results out.
#![allow(dead_code, reason = "every test crate uses its own part of this")]
#![allow(clippy::needless_pass_by_value, reason = "what is passed is a literal wherever this is called")]

use serde_json::{Map, Value, json};
use statsig_engine::{
    Attribute, AttributeMap, CheckKind, Compiled, Evaluation, Input, LoadError, PackedUser, Reason, Returned,
    Ruleset, SpecKind, StandardField, StringId, UserBuilder, compile, decide, evaluate,
};

/// In a table of rows: the user does not have the attribute, or the condition not the member.
pub(crate) const ABSENT: &str = "<absent>";

/// 2023-05-17T12:00:00Z, ms: "now" unless a test says otherwise.
pub(crate) const NOW: i64 = 1_684_324_800_000;

/// `base` with the members of `changes` set; [`ABSENT`] removes one.
pub(crate) fn with(mut base: Value, changes: Value) -> Value {
    let (Value::Object(members), Value::Object(changes)) = (&mut base, changes) else {
        panic!("both sides are JSON objects");
    };
    for (key, value) in changes {
        if value == ABSENT {
            members.shift_remove(&key);
        } else {
            members.insert(key, value);
        }
    }
    base
}

/// A v2 payload; `parts` are set on the top level.
pub(crate) fn payload(parts: Value) -> Value {
    let empty = json!({
        "has_updates": true, "time": 1000, "feature_gates": {}, "dynamic_configs": {}, "layer_configs": {},
        "condition_map": {}, "experiment_to_layer": {},
    });
    with(empty, parts)
}

/// A rule that holds for those whom `conditions` (keys of the condition map) hold for; gates it turns on.
pub(crate) fn rule(id: &str, conditions: Value, changes: Value) -> Value {
    let plain = json!({
        "name": id, "id": id, "salt": "rule-salt", "passPercentage": 100, "idType": "userID",
        "conditions": conditions, "returnValue": true,
    });
    with(plain, changes)
}

/// A gate that is off unless a rule turns it on.
pub(crate) fn gate(rules: Value, changes: Value) -> Value {
    let plain = json!({
        "type": "feature_gate", "entity": "feature_gate", "salt": "spec-salt", "idType": "userID",
        "enabled": true, "defaultValue": false, "rules": rules,
    });
    with(plain, changes)
}

/// An experiment; without rules that apply its value is `{}`.
pub(crate) fn experiment(rules: Value, changes: Value) -> Value {
    let kind = json!({"type": "dynamic_config", "entity": "experiment", "defaultValue": {}});
    gate(rules, with(kind, changes))
}

/// A layer; without rules that apply its value is `{}`.
pub(crate) fn layer(rules: Value, changes: Value) -> Value {
    experiment(rules, with(json!({"entity": "layer"}), changes))
}

/// A condition of a type that needs no operator, such as `public`.
pub(crate) fn condition(kind: &str, changes: Value) -> Value {
    with(json!({"type": kind, "idType": "userID"}), changes)
}

/// A condition on the user field `field`.
pub(crate) fn user_field(field: &str, operator: &str, target: Value) -> Value {
    condition("user_field", json!({"field": field, "operator": operator, "targetValue": target}))
}

/// The conditions most tests start from: `always`, `never`, `unknown` (not supported), and
/// `pass:⟨gate⟩` and `fail:⟨gate⟩` for each gate named.
pub(crate) fn conditions(gates: &[&str]) -> Value {
    let mut map = Map::new();
    map.insert("always".into(), condition("public", json!({})));
    map.insert("never".into(), user_field("nobody has this", "any", json!(["x"])));
    map.insert("unknown".into(), condition("phase_of_the_moon", json!({})));
    for gate in gates {
        for (prefix, kind) in [("pass", "pass_gate"), ("fail", "fail_gate")] {
            map.insert(format!("{prefix}:{gate}"), condition(kind, json!({"targetValue": gate})));
        }
    }
    Value::Object(map)
}

fn attribute(value: &Value) -> Attribute {
    match value {
        Value::Null => Attribute::Null,
        Value::Bool(value) => Attribute::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(value) => Attribute::Int(value),
            None => Attribute::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Attribute::Text(text.clone()),
        Value::Array(items) => Attribute::Array(items.iter().map(attribute).collect()),
        Value::Object(members) => {
            Attribute::Object(members.iter().map(|(key, value)| (key.clone(), attribute(value))).collect())
        }
    }
}

/// A user from the JSON other Statsig SDKs take.
pub(crate) fn user(json: &Value) -> PackedUser {
    let mut builder = UserBuilder::new();
    for (key, value) in json.as_object().into_iter().flatten() {
        let field = match key.as_str() {
            "userID" => StandardField::UserId,
            "email" => StandardField::Email,
            "ip" => StandardField::Ip,
            "userAgent" => StandardField::UserAgent,
            "country" => StandardField::Country,
            "locale" => StandardField::Locale,
            "appVersion" => StandardField::AppVersion,
            _ => {
                let map = match key.as_str() {
                    "custom" => AttributeMap::Custom,
                    "customIDs" => AttributeMap::CustomIds,
                    "privateAttributes" => AttributeMap::Private,
                    "statsigEnvironment" => AttributeMap::Environment,
                    other => panic!("no user field is called {other}"),
                };
                builder.begin(map, 0);
                for (key, value) in value.as_object().into_iter().flatten() {
                    match value {
                        Value::Null => builder.null(key),
                        Value::Bool(value) => builder.bool(key, *value),
                        Value::String(text) => builder.text(key, text),
                        _ => match attribute(value) {
                            Attribute::Int(value) => builder.int(key, value),
                            Attribute::Float(value) => builder.float(key, value),
                            other => builder.attribute(key, &other),
                        },
                    }
                }
                continue;
            }
        };
        builder.standard(field, value.as_str().unwrap_or_else(|| panic!("{key} is text")));
    }
    builder.finish().unwrap_or_default()
}

/// What a check comes to, in words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) reason: Reason,
    pub(crate) passes: bool,
    /// None where there is no value; merged values are put together.
    pub(crate) value: Option<Value>,
    pub(crate) rule: String,
    pub(crate) group: Option<String>,
    pub(crate) id_type: Option<String>,
    pub(crate) version: Option<u32>,
    pub(crate) delegate: Option<String>,
    pub(crate) explicit: Vec<String>,
    pub(crate) is_group: bool,
    pub(crate) is_active: bool,
    pub(crate) in_layer: bool,
    pub(crate) id_list_lookup: bool,
    pub(crate) country_not_loaded: bool,
    /// `⟨gate⟩=⟨value⟩ by ⟨rule⟩` for each.
    pub(crate) exposures: Vec<String>,
    pub(crate) undelegated: Option<Vec<String>>,
}

/// A compiled project.
pub(crate) struct Project(pub(crate) Box<Ruleset>);

impl Project {
    pub(crate) fn new(payload: &Value) -> Self {
        Self::parse(payload.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}\nin {payload}"))
    }

    pub(crate) fn parse(payload: &[u8]) -> Result<Self, LoadError> {
        match compile(payload)? {
            Compiled::Ruleset(ruleset) => Ok(Self(ruleset)),
            Compiled::NoUpdates => panic!("the payload has updates"),
        }
    }

    /// The gate `g` that is on where every condition of the list holds.
    pub(crate) fn of_conditions(conditions: &[&Value]) -> Self {
        let (mut keys, mut map) = (Vec::new(), Map::new());
        for (index, condition) in conditions.iter().enumerate() {
            keys.push(json!(index.to_string()));
            map.insert(index.to_string(), (*condition).clone());
        }
        let gates = json!({"g": gate(json!([rule("r", Value::Array(keys), json!({}))]), json!({}))});
        Self::new(&payload(json!({"feature_gates": gates, "condition_map": map})))
    }

    /// Gates, each with one rule `r-⟨name⟩` that lists condition keys; see [`conditions`].
    pub(crate) fn of_gates(specs: &[(&str, Value)]) -> Self {
        let names: Vec<&str> = specs.iter().map(|(name, _)| *name).chain(["missing"]).collect();
        let map: Map<String, Value> = specs
            .iter()
            .map(|(name, keys)| {
                let rules = json!([rule(&format!("r-{name}"), keys.clone(), json!({}))]);
                ((*name).to_owned(), gate(rules, json!({})))
            })
            .collect();
        let listed = user_field("userID", "in_segment_list", json!("list"));
        let all = with(conditions(&names), json!({"listed": listed}));
        Self::new(&payload(json!({"feature_gates": map, "condition_map": all})))
    }

    /// The raw evaluation.
    pub(crate) fn evaluate(&self, kind: SpecKind, name: &str, input: &Input<'_>) -> Evaluation {
        assert!(self.0.find(kind, name).is_some(), "{name} is not in the ruleset");
        let kind = match kind {
            SpecKind::Gate => CheckKind::Gate,
            SpecKind::Config => CheckKind::Experiment,
            SpecKind::Layer => CheckKind::Layer,
        };
        evaluate(&self.0, kind, name, input)
    }

    /// What one rule decides comes out the same where nothing but that is looked at.
    pub(crate) fn decides_alike(
        &self,
        kind: SpecKind,
        name: &str,
        input: &Input<'_>,
        evaluation: &Evaluation,
    ) {
        let spec = self.0.find(kind, name).filter(|&spec| self.0.is_plain(spec) && input.overrides.is_none());
        let Some(spec) = spec else {
            return;
        };
        let decision = decide(&self.0, spec, input);
        assert_eq!(format!("{:?}", decision.evaluation(&self.0)), format!("{evaluation:?}"), "{name}");
        assert!(self.0.constant(spec).is_none_or(|constant| constant == decision), "{name}");
        assert!(decision.index(&self.0) < self.0.decision_count(), "{name}");
        assert_eq!(decision.passes(), evaluation.passes, "{name}");
        assert_eq!(Returned::One(decision.value()), evaluation.value, "{name}");
        assert_eq!(decision.group(&self.0), evaluation.group, "{name}");
    }

    pub(crate) fn check_with(&self, kind: SpecKind, name: &str, input: &Input<'_>) -> Outcome {
        let evaluation = self.evaluate(kind, name, input);
        self.decides_alike(kind, name, input, &evaluation);
        self.outcome(&evaluation)
    }

    /// A check at [`NOW`], without global attributes and tier.
    pub(crate) fn check(&self, kind: SpecKind, name: &str, json: &Value) -> Outcome {
        let (user, nobody) = (user(json), PackedUser::default());
        self.check_with(kind, name, &Input { now: NOW, ..Input::new(user.view(), nobody.view()) })
    }

    pub(crate) fn gate(&self, name: &str, json: &Value) -> Outcome {
        self.check(SpecKind::Gate, name, json)
    }

    pub(crate) fn config(&self, name: &str, json: &Value) -> Outcome {
        self.check(SpecKind::Config, name, json)
    }

    pub(crate) fn layer(&self, name: &str, json: &Value) -> Outcome {
        self.check(SpecKind::Layer, name, json)
    }

    /// Names of the specs that were dropped, with why.
    pub(crate) fn issues(&self) -> Vec<(&str, &str)> {
        self.0.issues().iter().map(|issue| (issue.name.as_str(), issue.message.as_str())).collect()
    }

    pub(crate) fn outcome(&self, evaluation: &Evaluation) -> Outcome {
        let text = |id: StringId| self.0.string(id).to_owned();
        let json = |id| -> Value {
            let json = self.0.value(id).json();
            serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json}"))
        };
        let exposure = |exposure: &statsig_engine::SecondaryExposure| {
            format!("{}={} by {}", text(exposure.gate), exposure.value, text(exposure.rule))
        };
        Outcome {
            reason: evaluation.reason,
            passes: evaluation.passes,
            value: match &evaluation.value {
                Returned::Nothing => None,
                // Booleans and null are no value, but for clients.
                Returned::One(id) => Some(json(*id)).filter(|value| !value.is_boolean() && !value.is_null()),
                Returned::Merged(parts) => {
                    let mut merged = Map::new();
                    for (id, _) in parts {
                        if let Value::Object(members) = json(*id) {
                            for (key, value) in members {
                                merged.entry(key).or_insert(value);
                            }
                        }
                    }
                    Some(Value::Object(merged))
                }
            },
            rule: text(evaluation.rule),
            group: evaluation.group.map(text),
            id_type: evaluation.id_type.map(text),
            version: evaluation.version,
            delegate: evaluation.delegate.map(|id| text(self.0.spec(id).name())),
            explicit: evaluation
                .explicit
                .and_then(|id| self.0.explicit_parameters(id))
                .map(|names| names.map(str::to_owned).collect())
                .unwrap_or_default(),
            is_group: evaluation.is_group,
            is_active: evaluation.is_active,
            in_layer: evaluation.in_layer,
            id_list_lookup: evaluation.id_list_lookup,
            country_not_loaded: evaluation.country_not_loaded,
            exposures: evaluation.exposures.iter().map(exposure).collect(),
            undelegated: evaluation.undelegated_exposures().map(|list| list.map(exposure).collect()),
        }
    }
}

/// Whether one condition holds for a user; None where it is not supported.
pub(crate) fn holds(condition: &Value, user: &Value) -> Option<bool> {
    let outcome = Project::of_conditions(&[condition]).gate("g", user);
    match outcome.reason {
        Reason::Recognized => Some(outcome.passes),
        Reason::Unsupported => None,
        other => panic!("{other:?} for {condition}"),
    }
}

/// Tries the rows `[value, target, expected]` of one operator on a custom attribute, and reports every
/// row that is wrong at once.
pub(crate) fn check_table(operator: &str, rows: &Value) {
    let mut wrong = Vec::new();
    for row in rows.as_array().into_iter().flatten() {
        let (value, target, expected) = (&row[0], &row[1], &row[2]);
        assert!(expected.is_boolean(), "a row of {operator} is [value, target, expected]: {row}");
        let condition = with(user_field("f", operator, Value::Null), json!({"targetValue": target}));
        let custom = with(json!({}), json!({"f": value}));
        let actual = holds(&condition, &json!({"userID": "u", "custom": custom}));
        if json!(actual) != *expected {
            wrong.push(format!("{value} {operator} {target}: expected {expected}, got {actual:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong rows\n{}", wrong.len(), wrong.join("\n"));
}
