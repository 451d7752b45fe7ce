//! One written condition to one compiled [`Condition`].

use hashbrown::HashMap;

use super::description::Descriptions;
use super::operand::compile_test;
use super::tables::{Hasher, Tables};
use crate::ruleset::{
    Condition, ConditionId, CountryFields, ExperimentRef, Field, Format, GateRef, Source, SpecId, SpecKind,
    Test, UserAgentField,
};
use crate::user::{Key, StandardField};
use crate::user_agent::UserAgentPart;
use crate::wire::{self, Target};

/// Gates whose name starts so are not listed as secondary exposures.
const SEGMENT_PREFIX: &str = "segment:";

pub(crate) struct ConditionCompiler {
    format: Format,
    /// Ids by name, for each kind.
    specs: [HashMap<Box<str>, SpecId, Hasher>; 3],
    conditions: Vec<Condition>,
    descriptions: Descriptions,
}

impl ConditionCompiler {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            specs: Default::default(),
            conditions: Vec::new(),
            descriptions: Descriptions::default(),
        }
    }

    /// Makes a spec known to the conditions and rules that name it.
    pub(crate) fn declare(&mut self, kind: SpecKind, name: &str, id: SpecId) {
        self.specs[kind as usize].insert(name.into(), id);
    }

    pub(crate) fn spec(&self, kind: SpecKind, name: &str) -> Option<SpecId> {
        self.specs[kind as usize].get(name).copied()
    }

    pub(crate) fn get(&self, id: ConditionId) -> &Condition {
        &self.conditions[id.index()]
    }

    /// True if a condition has no effect but its outcome.
    pub(crate) fn is_pure(&self, id: ConditionId) -> bool {
        if id == ConditionId::DANGLING {
            return false;
        }
        match self.get(id) {
            Condition::Public => true,
            Condition::Gate { .. } | Condition::AnyGate { .. } | Condition::Unsupported(_) => false,
            Condition::Compare { source, test } => {
                !matches!(source, Source::Group(_) | Source::Country(_))
                    && !matches!(test, Test::IdList { .. })
            }
        }
    }

    pub(crate) fn looks_at_time(&self, id: ConditionId) -> bool {
        id != ConditionId::DANGLING && matches!(self.get(id), Condition::Compare { source: Source::Now, .. })
    }

    pub(crate) fn finish(self) -> (Box<[Condition]>, Descriptions) {
        (self.conditions.into(), self.descriptions)
    }

    pub(crate) fn compile(&mut self, condition: &wire::Condition<'_>, tables: &mut Tables) -> ConditionId {
        let compiled = self.condition(condition, tables);
        let id = ConditionId(self.conditions.len() as u32);
        self.conditions.push(compiled);
        self.descriptions.push(condition);
        id
    }

    fn condition(&self, condition: &wire::Condition<'_>, tables: &mut Tables) -> Condition {
        // The v1 SDKs take types and operators in any case, the reference only as written here.
        let in_case =
            |text: &str| if self.format == Format::V1 { text.to_lowercase() } else { text.to_owned() };
        let target = condition
            .target_value
            .and_then(|raw| serde_json::from_str(raw.get()).ok())
            .unwrap_or(Target::Null);
        let id_type = condition.id_type.as_deref().unwrap_or("userID");
        let field = condition.field.as_deref();

        let source = match in_case(&condition.kind).as_str() {
            "public" => return Condition::Public,
            kind @ ("pass_gate" | "fail_gate") => {
                let name = if let Target::Text(name) = &target { &**name } else { "" };
                return Condition::Gate { gate: self.gate(name, tables), expected: kind == "pass_gate" };
            }
            kind @ ("multi_pass_gate" | "multi_fail_gate") if self.format == Format::V1 => {
                // Without a list of names there is no gate that could have the expected value.
                let names = if let Target::Array(names) = &target { names.as_slice() } else { &[] };
                let gates = names.iter().map(|name| self.gate(name, tables)).collect();
                return Condition::AnyGate { gates, expected: kind == "multi_pass_gate" };
            }
            "user_field" => field.map_or(Source::Nothing, |name| Source::Field(Box::new(user_field(name)))),
            "ua_based" => field.map_or(Source::Nothing, user_agent_field),
            "ip_based" => match field {
                Some(name @ "country") => Source::Country(Box::new(CountryFields {
                    country: user_field(name),
                    ip: user_field("ip"),
                })),
                Some(name) => Source::Field(Box::new(user_field(name))),
                None => Source::Nothing,
            },
            "environment_field" => field.map_or(Source::Nothing, |name| Source::Environment {
                exact: Key::new(name),
                lower: name.to_lowercase().into(),
            }),
            "unit_id" => Source::UnitId(tables.unit(id_type)),
            "user_bucket" => {
                let salt = condition
                    .additional_values
                    .iter()
                    .flat_map(|values| &values.0)
                    .rfind(|(key, _)| &**key == "salt")
                    .map_or("", |(_, salt)| salt);
                Source::Bucket(tables.bucket(salt, id_type))
            }
            "current_time" => Source::Now,
            "target_app" => Source::App,
            "experiment_group" => Source::Group(field.map(|name| ExperimentRef {
                name: tables.string(name),
                spec: self.spec(SpecKind::Config, name),
            })),
            _ => return Condition::Unsupported(Source::Nothing),
        };
        match condition.operator.as_ref().and_then(|operator| compile_test(&in_case(operator), target)) {
            Some(test) => Condition::Compare { source, test },
            None => Condition::Unsupported(source),
        }
    }

    pub(crate) fn gate(&self, name: &str, tables: &mut Tables) -> GateRef {
        GateRef {
            name: tables.string(name),
            spec: self.spec(SpecKind::Gate, name),
            is_segment: name.starts_with(SEGMENT_PREFIX),
        }
    }
}

fn user_agent_field(name: &str) -> Source {
    match UserAgentPart::of_field(name) {
        Some(part) => {
            let (own, user_agent) = (user_field(name), user_field("userAgent"));
            Source::UserAgent(Box::new(UserAgentField { own, part, user_agent }))
        }
        None => Source::Field(Box::new(user_field(name))),
    }
}

pub(crate) fn user_field(name: &str) -> Field {
    let lower = name.to_lowercase();
    let standard = match lower.as_str() {
        "userid" => Some(StandardField::UserId),
        "email" => Some(StandardField::Email),
        "ip" => Some(StandardField::Ip),
        "useragent" => Some(StandardField::UserAgent),
        "country" => Some(StandardField::Country),
        "locale" => Some(StandardField::Locale),
        "appversion" => Some(StandardField::AppVersion),
        _ => None,
    };
    let alias = match lower.as_str() {
        "user_id" => Some(StandardField::UserId),
        "user_agent" => Some(StandardField::UserAgent),
        "app_version" => Some(StandardField::AppVersion),
        _ => None,
    };
    let other = if lower == name { None } else { Some(Key::new(&lower)) };
    Field { standard, exact: Key::new(name), lower: other, alias }
}
