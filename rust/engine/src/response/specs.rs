//! Gates, configs and layers in a response.

use hashbrown::HashSet;
use serde_json::value::RawValue;
use smallvec::SmallVec;

use super::{Outcome, TooDeep, Writer};
use crate::compile::Hasher;
use crate::eval::evaluate;
use crate::evaluation::{Evaluation, Reason, Returned, SecondaryExposure};
use crate::json::{write_json_string, write_list};
use crate::ruleset::{CheckKind, SpecKind, StringId, ValueId};
use crate::wire::Map;

const DYNAMIC_CONFIG: &str = "dynamic_config";
const EXPERIMENT: &str = "experiment";
/// A bandit is written as a config that is neither.
const BANDIT: &str = "";

impl Writer<'_> {
    /// Everything of a kind that clients are told about, by name.
    pub(super) fn specs(&mut self, kind: SpecKind) -> Outcome {
        let ruleset = self.ruleset;
        self.out.push('{');
        for spec in ruleset.specs().iter().filter(|spec| spec.kind() == kind) {
            let entity = ruleset.string(spec.entity);
            // A bandit takes the place of the spec of its name.
            let bandit = spec.bandit.map(|id| &ruleset.bandits[id.index()]);
            let replaced = bandit.is_some_and(|bandit| self.is_for_app(&bandit.target_apps));
            if !replaced && !matches!(entity, "segment" | "holdout") && self.is_for_app(&spec.target_apps) {
                self.spec(kind, ruleset.string(spec.name), entity)?;
            }
        }
        if kind == SpecKind::Config {
            for (name, id) in &ruleset.bandit_names {
                if self.is_for_app(&ruleset.bandits[id.index()].target_apps) {
                    self.spec(kind, name, BANDIT)?;
                }
            }
        }
        self.out.push('}');
        Ok(())
    }

    fn is_for_app(&self, target_apps: &[StringId]) -> bool {
        self.app.is_none_or(|app| target_apps.iter().any(|&id| self.ruleset.string(id) == app))
    }

    fn spec(&mut self, kind: SpecKind, name: &str, entity: &str) -> Outcome {
        let asked_as = match kind {
            SpecKind::Gate => CheckKind::Gate,
            SpecKind::Config if entity == DYNAMIC_CONFIG => CheckKind::Config,
            SpecKind::Config => CheckKind::Experiment,
            SpecKind::Layer => CheckKind::Layer,
        };
        let evaluation = evaluate(self.ruleset, asked_as, name, &self.input);
        if evaluation.reason == Reason::TooDeep {
            return Err(TooDeep);
        }

        if !self.out.ends_with('{') {
            self.out.push(',');
        }
        let start = self.out.len();
        self.options.hash.write(&mut self.out, name);
        let end = self.out.len();
        self.out.push_str(":{\"name\":");
        self.out.extend_from_within(start..end);
        self.string("rule_id", self.ruleset.string(evaluation.rule));
        self.exposures("secondary_exposures", evaluation.exposures.iter());
        match kind {
            SpecKind::Gate => self.gate(&evaluation),
            SpecKind::Config => self.config(&evaluation, entity),
            SpecKind::Layer => self.layer(&evaluation),
        }
        self.out.push('}');
        Ok(())
    }

    fn gate(&mut self, evaluation: &Evaluation) {
        self.bool("value", evaluation.passes);
        if let Some(id_type) = evaluation.id_type {
            self.string("id_type", self.ruleset.string(id_type));
        }
    }

    fn config(&mut self, evaluation: &Evaluation, entity: &str) {
        self.group(evaluation);
        self.value(evaluation);
        if entity == DYNAMIC_CONFIG {
            self.bool("passed", evaluation.passes);
            return;
        }
        self.group_name(evaluation);
        if let Some(id) = evaluation.explicit {
            self.name("explicit_parameters");
            write_texts(&mut self.out, self.ruleset.explicit_parameters(id).into_iter().flatten());
        }
        if evaluation.in_layer {
            self.bool("is_in_layer", true);
        }
        if entity == EXPERIMENT {
            self.membership(evaluation);
        }
    }

    fn layer(&mut self, evaluation: &Evaluation) {
        let ruleset = self.ruleset;
        self.group(evaluation);
        self.value(evaluation);
        self.group_name(evaluation);
        self.name("explicit_parameters");
        let explicit = evaluation.explicit.and_then(|id| ruleset.explicit_parameters(id));
        write_texts(&mut self.out, explicit.into_iter().flatten());
        self.exposures(
            "undelegated_secondary_exposures",
            evaluation.undelegated_exposures().into_iter().flatten(),
        );
        if let Some(delegate) = evaluation.delegate {
            self.hashed("allocated_experiment_name", ruleset.string(ruleset.spec(delegate).name()));
            self.membership(evaluation);
        }
    }

    fn group(&mut self, evaluation: &Evaluation) {
        let ruleset = self.ruleset;
        let id_type = evaluation.id_type.map_or("", |id| ruleset.string(id));
        self.string("group", ruleset.string(evaluation.rule));
        self.string("id_type", id_type);
        self.bool("is_device_based", matches!(id_type, "stableID" | "stableid"));
    }

    fn group_name(&mut self, evaluation: &Evaluation) {
        if let Some(group) = evaluation.group {
            self.string("group_name", self.ruleset.string(group));
        }
    }

    fn membership(&mut self, evaluation: &Evaluation) {
        self.bool("is_experiment_active", evaluation.is_active);
        self.bool("is_user_in_experiment", evaluation.is_group);
    }

    fn value(&mut self, evaluation: &Evaluation) {
        self.name("value");
        match &evaluation.value {
            Returned::Nothing => self.out.push_str("null"),
            Returned::One(id) => {
                let json = self.json(*id);
                self.out.push_str(json);
            }
            Returned::Merged(parts) => self.merged(parts),
        }
    }

    fn merged(&mut self, parts: &[(ValueId, StringId)]) {
        let ruleset = self.ruleset;
        // What is not an object has no members; that it can be read was seen when it was compiled.
        let members = parts.iter().map(|&(id, _)| serde_json::from_str(self.json(id)).unwrap_or_default());
        let members: SmallVec<[Map<'_, &RawValue>; 4]> = members.collect();
        let mut seen: HashSet<&str, Hasher> = HashSet::default();
        let mut owners = Vec::new();
        self.out.push('{');
        for (&(_, rule), members) in parts.iter().zip(&members) {
            // Of a parameter in more than one value the first counts; within one value the last.
            for (name, value) in members.0.iter().rev() {
                if seen.insert(name) {
                    if !owners.is_empty() {
                        self.out.push(',');
                    }
                    owners.push((name, rule));
                    write_json_string(&mut self.out, name);
                    self.out.push(':');
                    self.out.push_str(value.get());
                }
            }
        }
        self.out.push('}');
        self.name("parameter_rule_ids");
        write_list(&mut self.out, ['{', '}'], owners, |out, (name, rule)| {
            write_json_string(out, name);
            out.push(':');
            write_json_string(out, ruleset.string(rule));
        });
    }

    /// Each exposure once.
    fn exposures<'e>(&mut self, name: &str, exposures: impl Iterator<Item = &'e SecondaryExposure>) {
        self.name(name);
        let (ruleset, hash, seen) = (self.ruleset, self.options.hash, &mut self.exposures);
        seen.clear();
        let distinct = exposures.filter(|exposure| seen.insert(**exposure));
        write_list(&mut self.out, ['[', ']'], distinct, |out, exposure| {
            out.push_str("{\"gate\":");
            hash.write(out, ruleset.string(exposure.gate));
            out.push_str(if exposure.value { ",\"gateValue\":\"true\"" } else { ",\"gateValue\":\"false\"" });
            out.push_str(",\"ruleID\":");
            write_json_string(out, ruleset.string(exposure.rule));
            out.push('}');
        });
    }
}

fn write_texts<'a>(out: &mut String, texts: impl Iterator<Item = &'a str>) {
    write_list(out, ['[', ']'], texts, write_json_string);
}
