//! Contextual multi-armed bandits.

use hashbrown::{HashMap, HashSet};

use super::condition::{ConditionCompiler, user_field};
use super::tables::{Hasher, Tables};
use crate::bandit::{Arm, Bandit, Model};
use crate::ruleset::{BanditId, ExploredRules, Rule, StringId};
use crate::sha256::Prefix;
use crate::wire::bandit as wire;
use crate::wire::{Map, Text};

/// The bandits and their names.
#[derive(Default)]
pub(crate) struct Bandits {
    pub(crate) bandits: Vec<Bandit>,
    pub(crate) names: HashMap<Box<str>, BanditId, Hasher>,
}

impl Bandits {
    pub(crate) fn compile(
        configs: &Map<'_, wire::Bandit<'_>>,
        conditions: &ConditionCompiler,
        tables: &mut Tables,
    ) -> Self {
        let mut all = Self::default();
        for (name, config) in &configs.0 {
            // Of several with one name the last counts.
            let next = BanditId(all.bandits.len() as u32);
            all.names.insert((**name).into(), next);
            all.bandits.push(bandit(config, conditions, tables));
        }
        all
    }

    /// The rule id of each result that chance had a part in, by what it is without. Any rule can have
    /// one, because a merged layer evaluates several experiments.
    pub(crate) fn explored_rules(&self, rules: &[Rule], tables: &mut Tables) -> ExploredRules {
        if self.bandits.is_empty() {
            return ExploredRules::default();
        }
        let arms = self.bandits.iter().flat_map(|bandit| bandit.arms.iter().map(|arm| arm.rule));
        let predefined = (0..StringId::PREDEFINED.len() as u32).map(StringId);
        let ids: HashSet<_, Hasher> =
            arms.chain(predefined).chain(rules.iter().map(|rule| rule.id)).collect();
        tables.suffixed(&ids, ":explore")
    }

    /// True if any of them leaves some users to chance.
    pub(crate) fn use_chance(&self) -> bool {
        self.bandits.iter().any(|bandit| bandit.learned)
    }
}

fn bandit(config: &wire::Bandit<'_>, conditions: &ConditionCompiler, tables: &mut Tables) -> Bandit {
    let arms = config
        .groups
        .iter()
        .map(|group| {
            let weights = config.config.as_ref().and_then(|all| last(all, &group.id));
            Arm {
                rule: tables.string(&group.id),
                group: tables.string(&group.name),
                value: tables.value(&group.parameter_values),
                share: 1.0 / (weights.map_or(0.0, |weights| weights.records as f64) + 1.0),
                model: weights.and_then(model),
            }
        })
        .collect();
    Bandit {
        prefix: Prefix::new(format!("{}.", &*config.salt).as_bytes()),
        unit: tables.unit(&config.id_type),
        id_type: tables.string(&config.id_type),
        version: config.version,
        enabled: config.enabled,
        default_value: tables.value(&config.default_value),
        targeting: config.targeting_gate_name.as_ref().map(|name| conditions.gate(name, tables)),
        sample_rate: config.sample_rate,
        higher_is_better: config.higher_is_better,
        learned: config.config.is_some(),
        arms,
        target_apps: config.target_app_ids.iter().flatten().map(|id| tables.string(id)).collect(),
    }
}

/// None without weights: an intercept alone says nothing about a group.
fn model(weights: &wire::Weights<'_>) -> Option<Model> {
    if weights.categorical.0.is_empty() && weights.numerical.0.is_empty() {
        return None;
    }
    let by_text = weights.categorical.0.iter().map(|(field, weights)| {
        let weights = weights.0.iter().map(|(text, weight)| ((**text).into(), *weight)).collect();
        (user_field(field), weights)
    });
    Some(Model {
        base: weights.alpha + weights.intercept,
        by_text: by_text.collect(),
        by_number: weights.numerical.0.iter().map(|(field, weight)| (user_field(field), *weight)).collect(),
    })
}

fn last<'a, V>(map: &'a Map<'_, V>, wanted: &Text<'_>) -> Option<&'a V> {
    map.0.iter().rfind(|(name, _)| name == wanted).map(|(_, value)| value)
}
