//! Payload to ruleset: everything that does not depend on the user is done here, once.

mod bandit;
mod client;
mod condition;
mod description;
mod mapping;
mod operand;
mod sampling;
mod tables;

use hashbrown::HashMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::bucket::Rollout;
use crate::error::LoadError;
use crate::eval::{Constant, is_plain};
use crate::events::exposure_prefix;
use crate::json::describe;
use crate::parameter_store::ParameterStore;
use crate::ruleset::{
    Condition, ConditionId, Format, Issue, Mappings, Names, Rule, Ruleset, Source, Spec, SpecId, SpecKind,
    StringId, Test,
};
use crate::wire;
use bandit::Bandits;
use condition::ConditionCompiler;
use tables::{Frozen, Tables};

pub(crate) use description::Descriptions;
pub(crate) use tables::Hasher;

/// What a payload turned out to be.
#[derive(Debug)]
pub enum Compiled {
    /// A whole project.
    Ruleset(Box<Ruleset>),
    /// `has_updates` is false: the sender has nothing newer.
    NoUpdates,
}

/// Compiles a payload of either format.
///
/// A fault inside one spec drops that spec and is listed in [`Ruleset::issues`]. Bytes after the
/// closing brace are ignored, as in the reference.
pub fn compile(payload: &[u8]) -> Result<Compiled, LoadError> {
    check_start(payload)?;
    if let Some((top, parts)) = read_faultless(payload) {
        return Ok(Compiled::Ruleset(Box::new(compile_v2(&top, parts)?)));
    }
    let mut top = parse_top(payload)?;
    if !required::<bool>("has_updates", top.has_updates, "a boolean")? {
        return Ok(Compiled::NoUpdates);
    }
    let gates = top.feature_gates.ok_or(LoadError::Missing {
        field: "feature_gates",
        expected: "an object of specs by name, or (v1) an array of specs",
    })?;
    let ruleset = if gates.get().starts_with('[') {
        compile_v1(&mut top)
    } else {
        let parts = read_v2(&mut top)?;
        compile_v2(&top, parts)
    }?;
    Ok(Compiled::Ruleset(Box::new(ruleset)))
}

/// What every v2 payload has.
struct V2<'a> {
    time: u64,
    specs: Specs<'a, wire::Text<'a>>,
    conditions: Vec<(wire::Text<'a>, wire::Condition<'a>)>,
}

/// Reads a v2 payload in one go: None if anything about it is unusual. What is at fault, and whether it is, is
/// found part by part then.
fn read_faultless(payload: &[u8]) -> Option<(wire::Payload<'_>, V2<'_>)> {
    let text = std::str::from_utf8(payload).ok()?;
    let mut top = wire::Faultless::deserialize(&mut serde_json::Deserializer::from_str(text)).ok()?;
    let (time, has_updates) = (v2_time(&top).ok()?, required::<bool>("", top.has_updates, "").ok()?);
    check_layer_names(&top).ok()?;
    let conditions = top.condition_map.take()?.0;
    conditions.iter().try_for_each(|(_, condition)| condition.check_required()).ok()?;
    let mut specs = Specs::default();
    for (kind, _, members) in top.take_specs() {
        let members = members?.0;
        members.iter().try_for_each(|(_, spec)| spec.check_required()).ok()?;
        specs.add(kind, members.into_iter().map(|(name, spec)| (name, Ok(spec))).collect());
    }
    has_updates.then(|| (top.rest(), V2 { time, specs, conditions }))
}

fn read_v2<'a>(top: &mut wire::Payload<'a>) -> Result<V2<'a>, LoadError> {
    let time = v2_time(top)?;
    let raw: wire::Map<'_, &RawValue> =
        required("condition_map", top.condition_map, "an object of conditions by key")?;
    check_layer_names(top)?;
    let mut specs = Specs::default();
    for (kind, field, raw) in top.take_specs() {
        let members: wire::Map<'_, &RawValue> = required(field, raw, "an object of specs by name")?;
        let read = |raw| {
            let spec: wire::Spec<'_, wire::Text<'_>> = parse(raw)?;
            spec.check_required()?;
            Ok(spec)
        };
        specs.add(kind, members.0.into_iter().map(|(name, raw)| (name, read(raw))).collect());
    }
    let mut conditions = Vec::with_capacity(raw.0.len());
    for (key, raw) in raw.0 {
        let condition = parse::<wire::Condition<'_>>(raw)
            .and_then(|condition| condition.check_required().map(|()| condition))
            .map_err(|message| LoadError::Field { path: format!("condition_map.{}", &*key), message })?;
        conditions.push((key, condition));
    }
    Ok(V2 { time, specs, conditions })
}

fn v2_time<S, C>(top: &wire::Payload<'_, S, C>) -> Result<u64, LoadError> {
    required("time", top.time, WHOLE_MS)
}

fn check_layer_names<S, C>(top: &wire::Payload<'_, S, C>) -> Result<(), LoadError> {
    let _: wire::Map<'_, wire::Text<'_>> = required(
        "experiment_to_layer",
        top.experiment_to_layer,
        "an object of layer names by experiment name",
    )?;
    Ok(())
}

fn compile_v2(top: &wire::Payload<'_>, parts: V2<'_>) -> Result<Ruleset, LoadError> {
    let mut compiler = Compiler::new(Format::V2, &parts.specs)?;
    let mut keys = HashMap::with_capacity_and_hasher(parts.conditions.len(), Hasher::default());
    for (key, condition) in parts.conditions {
        let id = compiler.conditions.compile(&condition, &mut compiler.tables);
        keys.insert(key, id);
    }
    compiler.compile(top, parts.specs, |_, key: &wire::Text<'_>, _| {
        keys.get(key).copied().unwrap_or(ConditionId::DANGLING)
    })?;
    compiler.finish(top, parts.time)
}

fn compile_v1(top: &mut wire::Payload<'_>) -> Result<Ruleset, LoadError> {
    let time = optional("time", top.time, WHOLE_MS)?.unwrap_or(0);
    let mut specs = Specs::default();
    for (kind, field, raw) in top.take_specs() {
        let elements: Vec<&RawValue> = required(field, raw, "an array of specs")?;
        let mut named = Vec::with_capacity(elements.len());
        for (index, raw) in elements.into_iter().enumerate() {
            match parse::<wire::Named<'_>>(raw) {
                Ok(spec) => named.push((spec.name, parse::<wire::Spec<'_, wire::Condition<'_>>>(raw))),
                Err(message) => specs.leave_out(kind, format!("{field}[{index}]"), &message),
            }
        }
        specs.add(kind, named);
    }
    let mut compiler = Compiler::new(Format::V1, &specs)?;
    compiler.compile(top, specs, ConditionCompiler::compile)?;
    compiler.finish(top, time)
}

const WHOLE_MS: &str = "a whole number of milliseconds from 0 to 2^64-1";

/// The specs that could be read. Their ids follow from their order here, so that rules can name specs
/// that are compiled after them.
struct Specs<'a, C> {
    readable: Vec<(SpecKind, wire::Text<'a>, wire::Spec<'a, C>)>,
    issues: Vec<Issue>,
}

impl<C> Default for Specs<'_, C> {
    fn default() -> Self {
        Self { readable: Vec::new(), issues: Vec::new() }
    }
}

impl<'a, C> Specs<'a, C> {
    fn leave_out(&mut self, kind: SpecKind, name: String, fault: &str) {
        self.issues.push(Issue { kind, name, message: format!("left out: {fault}") });
    }

    /// Takes the specs of one kind. Of several with one name the last counts, faulty or not.
    fn add(&mut self, kind: SpecKind, specs: Vec<(wire::Text<'a>, Result<wire::Spec<'a, C>, String>)>) {
        let mut last: HashMap<wire::Text<'a>, usize, Hasher> = HashMap::default();
        for (index, (name, _)) in specs.iter().enumerate() {
            last.insert(name.clone(), index);
        }
        for (index, (name, spec)) in specs.into_iter().enumerate() {
            if last.get(&name) != Some(&index) {
                continue;
            }
            match spec {
                Ok(spec) => self.readable.push((kind, name, spec)),
                Err(message) => self.leave_out(kind, name.0.into_owned(), &message),
            }
        }
    }
}

struct Compiler {
    format: Format,
    tables: Tables,
    conditions: ConditionCompiler,
    specs: Vec<Spec>,
    rules: Vec<Rule>,
    rule_conditions: Vec<ConditionId>,
    mappings: Mappings,
    bandits: Bandits,
    issues: Vec<Issue>,
}

impl Compiler {
    fn new<C>(format: Format, specs: &Specs<'_, C>) -> Result<Self, LoadError> {
        let mut conditions = ConditionCompiler::new(format);
        for (index, (kind, name, _)) in specs.readable.iter().enumerate() {
            conditions.declare(*kind, name, SpecId(tables::id("specs", index)?));
        }
        Ok(Self {
            format,
            tables: Tables::new(),
            conditions,
            specs: Vec::with_capacity(specs.readable.len()),
            rules: Vec::new(),
            rule_conditions: Vec::new(),
            mappings: Mappings::default(),
            bandits: Bandits::default(),
            issues: Vec::new(),
        })
    }

    fn compile<'a, C: Deserialize<'a>>(
        &mut self,
        top: &wire::Payload<'a>,
        specs: Specs<'a, C>,
        mut condition: impl FnMut(&mut ConditionCompiler, &C, &mut Tables) -> ConditionId,
    ) -> Result<(), LoadError> {
        self.mappings = self.compile_mappings(top, &specs, &mut condition)?;
        let bandits = optional("cmab_configs", top.cmab_configs, "an object of CMAB configs")?;
        self.bandits = Bandits::compile(&bandits.unwrap_or_default(), &self.conditions, &mut self.tables);
        self.issues = specs.issues;
        for (kind, name, spec) in &specs.readable {
            let first = self.rules.len() as u32;
            for rule in &spec.rules {
                let rule = self.compile_rule(&spec.salt, rule, &mut condition);
                self.rules.push(rule);
            }
            let values = spec.rules.iter().map(|rule| &rule.return_value).chain([&spec.default_value]);
            for fault in values.filter_map(|value| value.fault.as_deref()) {
                let message = format!("a value cannot be read and counts as an empty object: {fault}");
                self.issues.push(Issue { kind: *kind, name: name.0.clone().into_owned(), message });
            }
            let spec = self.compile_spec(*kind, name, spec, first..self.rules.len() as u32);
            self.specs.push(spec);
        }
        Ok(())
    }

    fn compile_rule<C>(
        &mut self,
        spec_salt: &str,
        rule: &wire::Rule<'_, C>,
        condition: &mut impl FnMut(&mut ConditionCompiler, &C, &mut Tables) -> ConditionId,
    ) -> Rule {
        let start = self.rule_conditions.len() as u32;
        for wire in rule.conditions.iter().flatten() {
            let id = condition(&mut self.conditions, wire, &mut self.tables);
            self.rule_conditions.push(id);
        }
        let pure = self.rule_conditions[start as usize..].iter().all(|&id| self.conditions.is_pure(id));
        if pure {
            // Nothing can be seen of a condition that always holds.
            let mut kept = start as usize;
            for index in start as usize..self.rule_conditions.len() {
                let id = self.rule_conditions[index];
                if !matches!(self.conditions.get(id), Condition::Public) {
                    self.rule_conditions[kept] = id;
                    kept += 1;
                }
            }
            self.rule_conditions.truncate(kept);
        }
        let value = self.tables.value(&rule.return_value);
        Rule {
            id: self.tables.string(&rule.id),
            id_type: self.tables.string(&rule.id_type),
            group: rule.group_name.as_ref().map(|name| self.tables.string(name)),
            conditions: start..self.rule_conditions.len() as u32,
            rollout: rollout(spec_salt, rule),
            unit: self.tables.unit(&rule.id_type),
            value,
            delegate: rule
                .config_delegate
                .as_ref()
                .and_then(|name| self.conditions.spec(SpecKind::Config, name)),
            passes: !rule.return_value.is("false"),
            percentage: rule.pass_percentage,
            is_group: rule.is_experiment_group.unwrap_or(false),
            sampling_rate: rule.sampling_rate,
            exposure_prefix: 0,
            pure,
        }
    }

    fn compile_spec<C>(
        &mut self,
        kind: SpecKind,
        name: &str,
        spec: &wire::Spec<'_, C>,
        rules: std::ops::Range<u32>,
    ) -> Spec {
        let enabled = spec.enabled.unwrap_or(false);
        let default_value = self.tables.value(&spec.default_value);
        let own = &self.rules[rules.start as usize..rules.end as usize];
        let mut looked_at = own.iter().flat_map(|rule| {
            &self.rule_conditions[rule.conditions.start as usize..rule.conditions.end as usize]
        });
        let looks_at_time = looked_at.any(|&id| self.conditions.looks_at_time(id));
        let mut compiled = Spec {
            name: self.tables.string(name),
            kind,
            entity: self.tables.string(&spec.entity),
            id_type: self.tables.string(&spec.id_type),
            version: spec.version,
            rules,
            default_value,
            default_passes: spec.default_value.is("true"),
            enabled,
            off: self.format == Format::V1 && !enabled,
            is_active: spec.is_active,
            in_layer: spec.has_shared_params,
            explicit_parameters: spec
                .explicit_parameters
                .as_ref()
                .map(|names| names.iter().map(|name| self.tables.string(name)).collect()),
            merges_rules: kind == SpecKind::Layer && spec.use_new_layer_eval.unwrap_or(false),
            is_mapped: self.mappings.contains_key(name),
            bandit: self.bandits.names.get(name).copied().filter(|_| kind == SpecKind::Config),
            target_apps: spec.target_app_ids.iter().flatten().map(|id| self.tables.string(id)).collect(),
            forwards_all: spec.forward_all_exposures.unwrap_or(false),
            fallback_prefix: 0,
            plain: false,
            constant: Constant::Not,
            looks_at_time,
        };
        compiled.plain = is_plain(&compiled, own);
        compiled.constant = Constant::of(&compiled, own);
        compiled
    }

    fn finish(mut self, top: &wire::Payload<'_>, time: u64) -> Result<Ruleset, LoadError> {
        wire::optional::check(top)?;
        let stores: Option<wire::Map<'_, wire::parameter_store::ParameterStore<'_>>> =
            optional("param_stores", top.param_stores, "an object of parameter stores")?;
        for (what, len) in [("rules", self.rules.len()), ("conditions", self.rule_conditions.len())] {
            tables::id(what, len)?;
        }
        let checksum: Option<wire::Text<'_>> = optional("checksum", top.checksum, "a string")?;
        let environment: Option<wire::Text<'_>> =
            optional("default_environment", top.default_environment, "a string")?;
        let explored_rules = self.bandits.explored_rules(&self.rules, &mut self.tables);
        let Frozen { strings, values, units, buckets } = self.tables.finish();
        for spec in &mut self.specs {
            let prefix = |rule: StringId| {
                exposure_prefix(spec.kind, &strings[spec.name.index()], &strings[rule.index()])
            };
            for rule in &mut self.rules[spec.rules.start as usize..spec.rules.end as usize] {
                rule.exposure_prefix = prefix(rule.id);
            }
            spec.fallback_prefix = prefix(spec.fallback_rule());
        }
        let names = |kind| {
            let ids: Vec<SpecId> = (0u32..)
                .zip(&self.specs)
                .filter(|(_, spec)| spec.kind == kind)
                .map(|(id, _)| SpecId(id))
                .collect();
            Names::new(&ids, |id| &strings[self.specs[id.index()].name.index()])
        };
        let (conditions, descriptions) = self.conditions.finish();
        let uses = |of_kind: &dyn Fn(&Condition) -> bool| conditions.iter().any(of_kind);
        Ok(Ruleset {
            format: self.format,
            time,
            checksum: checksum.filter(|text| !text.is_empty()).map(|text| (*text).into()),
            default_environment: environment.map(|text| (*text).into()),
            app_id: client::app_id(top.app_id)?,
            client: client::compile(top)?,
            sampling: sampling::compile(top.sdk_configs)?,
            gates: names(SpecKind::Gate),
            configs: names(SpecKind::Config),
            layers: names(SpecKind::Layer),
            uses_time: mapping::use_time(&self.mappings)
                || uses(&|condition| matches!(condition, Condition::Compare { source: Source::Now, .. })),
            uses_country: uses(&|condition| {
                matches!(
                    condition,
                    Condition::Compare { source: Source::Country(_), .. }
                        | Condition::Unsupported(Source::Country(_))
                )
            }),
            uses_id_lists: uses(&|condition| {
                matches!(condition, Condition::Compare { test: Test::IdList { .. }, .. })
            }),
            uses_chance: self.bandits.use_chance(),
            mappings: self.mappings,
            bandits: self.bandits.bandits.into(),
            bandit_names: self.bandits.names,
            explored_rules,
            parameter_stores: stores
                .unwrap_or_default()
                .0
                .into_iter()
                .map(|(name, store)| ((*name).into(), ParameterStore::compile(store)))
                .collect(),
            specs: self.specs.into(),
            rules: self.rules.into(),
            rule_conditions: self.rule_conditions.into(),
            conditions,
            descriptions,
            units,
            buckets,
            values,
            strings,
            issues: self.issues.into(),
        })
    }
}

fn rollout<C>(spec_salt: &str, rule: &wire::Rule<'_, C>) -> Rollout {
    Rollout::new(rule.pass_percentage, spec_salt, rule.salt.as_ref().unwrap_or(&rule.id))
}

fn check_start(payload: &[u8]) -> Result<(), LoadError> {
    match payload.trim_ascii_start().first() {
        None => Err(LoadError::Empty),
        Some(b'{') => Ok(()),
        Some(_) => {
            let start = String::from_utf8_lossy(&payload[..payload.len().min(64)]);
            Err(LoadError::NotAnObject { found: describe(&start) })
        }
    }
}

fn parse_top(payload: &[u8]) -> Result<wire::Payload<'_>, LoadError> {
    let mut deserializer = serde_json::Deserializer::from_slice(payload);
    wire::Payload::deserialize(&mut deserializer).map_err(|error| LoadError::Syntax {
        message: if error.is_eof() { format!("it breaks off, {error}") } else { error.to_string() },
    })
}

/// Reads one part of the payload. The message names the place inside that part and what was expected.
fn parse<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, String> {
    serde_json::from_str(raw.get()).map_err(|_| {
        // Only now, because tracking the path costs time that good payloads need not spend.
        let mut deserializer = serde_json::Deserializer::from_str(raw.get());
        match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
            Ok(_) => "unreadable".to_owned(),
            Err(error) => {
                let path = error.path().to_string();
                let message = error.inner().to_string();
                // Line and column count from the start of this part: they would mislead.
                let message = message.split(" at line ").next().unwrap_or_default();
                if path == "." { message.to_owned() } else { format!("`{path}`: {message}") }
            }
        }
    })
}

fn required<'a, T: Deserialize<'a>>(
    field: &'static str,
    raw: Option<&'a RawValue>,
    expected: &'static str,
) -> Result<T, LoadError> {
    optional(field, raw, expected)?.ok_or(LoadError::Missing { field, expected })
}

/// Absent and null are the same.
pub(crate) fn optional<'a, T: Deserialize<'a>>(
    field: &'static str,
    raw: Option<&'a RawValue>,
    expected: &'static str,
) -> Result<Option<T>, LoadError> {
    raw.map(|raw| {
        parse(raw).map_err(|message| LoadError::Field {
            path: field.to_owned(),
            message: format!("expected {expected}, found {} ({message})", describe(raw.get())),
        })
    })
    .transpose()
}
