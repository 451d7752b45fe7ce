//! Config mapping.

use hashbrown::HashMap;
use serde::Deserialize;

use super::condition::ConditionCompiler;
use super::tables::{Hasher, Tables};
use super::{Compiler, Specs, optional, rollout};
use crate::error::LoadError;
use crate::ruleset::{ConditionId, Format, Mapping, MappingRule, Mappings, SpecKind};
use crate::wire;

const KINDS: [SpecKind; 3] = [SpecKind::Gate, SpecKind::Config, SpecKind::Layer];

impl Compiler {
    /// Rules that are named but not there are left out.
    pub(super) fn compile_mappings<'a, C: Deserialize<'a>>(
        &mut self,
        top: &wire::Payload<'a>,
        specs: &Specs<'a, C>,
        condition: &mut impl FnMut(&mut ConditionCompiler, &C, &mut Tables) -> ConditionId,
    ) -> Result<Mappings, LoadError> {
        let rules: wire::Map<'_, wire::Rule<'_, C>> =
            optional("override_rules", top.override_rules, "an object of rules")?.unwrap_or_default();
        let mut indexes = HashMap::with_capacity_and_hasher(rules.0.len(), Hasher::default());
        for (name, rule) in &rules.0 {
            if rule.conditions.is_none() && self.format == Format::V2 {
                return Err(LoadError::Field {
                    path: format!("override_rules.{}.conditions", &**name),
                    message: "missing or null: expected an array".to_owned(),
                });
            }
            // What it hashes depends on the spec it is used for.
            let compiled = self.compile_rule("", rule, condition);
            indexes.insert(&**name, (self.rules.len() as u32, rule));
            self.rules.push(compiled);
        }

        let all: wire::Map<'_, Vec<wire::mapping::Mapping<'_>>> =
            optional("overrides", top.overrides, "an object of arrays of mappings")?.unwrap_or_default();
        let mut mappings = Mappings::default();
        for (name, entries) in &all.0 {
            let salts = KINDS.map(|kind| specs.salt(kind, name));
            let entries = entries.iter().map(|entry| Mapping {
                name: self.tables.string(&entry.new_config_name),
                rules: entry
                    .rules
                    .iter()
                    .filter_map(|rule| {
                        let &(index, wire) = indexes.get(&*rule.rule_name)?;
                        Some(MappingRule {
                            rule: index,
                            start_time: rule.start_time.unwrap_or(0),
                            rollouts: Box::new(salts.map(|salt| rollout(salt, wire))),
                        })
                    })
                    .collect(),
            });
            mappings.insert((**name).into(), entries.collect());
        }
        Ok(mappings)
    }
}

impl<C> Specs<'_, C> {
    /// The salt of a spec; empty if there is none.
    fn salt(&self, kind: SpecKind, name: &str) -> &str {
        let found = self.readable.iter().find(|(known, other, _)| *known == kind && &**other == name);
        found.map_or("", |(_, _, spec)| &spec.salt)
    }
}

/// True if any mapping begins at some time.
pub(super) fn use_time(mappings: &Mappings) -> bool {
    mappings.values().flatten().flat_map(|mapping| &mapping.rules).any(|rule| rule.start_time > 0)
}
