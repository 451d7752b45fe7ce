//! The groups of an experiment, whoever is in them: nothing is evaluated, and nothing but the spec counts.

use crate::evaluation::{Evaluation, Reason, Returned};
use crate::ruleset::{Rule, Ruleset, Spec, SpecKind, StringId, ValueId};

/// A group of an experiment.
#[derive(Clone, Copy, Debug)]
pub struct ExperimentGroup {
    /// Its name, if it has one.
    pub name: Option<StringId>,
    /// Its rule.
    pub rule: StringId,
    /// The rule's id type.
    pub id_type: StringId,
    /// The parameters of those who are in it.
    pub value: ValueId,
}

/// An experiment and its groups.
#[derive(Debug)]
pub struct Experiment {
    /// True if it is running.
    pub is_active: bool,
    /// In the order of the rules.
    pub groups: Vec<ExperimentGroup>,
}

impl Ruleset {
    /// The groups of an experiment. None for other specs, also where they have groups.
    #[must_use]
    pub fn experiment(&self, name: &str) -> Option<Experiment> {
        let spec = self.spec(self.find(SpecKind::Config, name)?);
        if self.string(spec.entity) != "experiment" {
            return None;
        }
        let groups = self.rules_of(spec).map(|(_, rule)| rule).filter(|rule| rule.is_group).map(|rule| {
            ExperimentGroup { name: rule.group, rule: rule.id, id_type: rule.id_type, value: rule.value }
        });
        Some(Experiment { is_active: spec.is_active.unwrap_or(false), groups: groups.collect() })
    }

    /// What a user gets of a config or experiment by the first rule with this group name.
    #[must_use]
    pub fn group_by_name(&self, name: &str, group: &str) -> Evaluation {
        by_rule(self.rule_where(name, |rule| self.is_of_group(rule, group)))
    }

    /// As [`Self::group_by_name`], by the id of the rule.
    #[must_use]
    pub fn group_by_rule(&self, name: &str, rule: &str) -> Evaluation {
        by_rule(self.rule_where(name, |other| self.string(other.id) == rule))
    }

    /// The first rule of a config or experiment with this group name.
    pub(crate) fn rule_of_group(&self, name: &str, group: &str) -> Option<&Rule> {
        self.rule_where(name, |rule| self.is_of_group(rule, group)).map(|(_, rule)| rule)
    }

    fn is_of_group(&self, rule: &Rule, group: &str) -> bool {
        rule.group.is_some_and(|name| self.string(name) == group)
    }

    fn rule_where(&self, name: &str, is_wanted: impl Fn(&Rule) -> bool) -> Option<(&Spec, &Rule)> {
        let spec = self.spec(self.find(SpecKind::Config, name)?);
        self.rules_of(spec).map(|(_, rule)| rule).find(|rule| is_wanted(rule)).map(|rule| (spec, rule))
    }
}

fn by_rule(found: Option<(&Spec, &Rule)>) -> Evaluation {
    found.map_or_else(Evaluation::unrecognized, |(spec, rule)| Evaluation {
        value: Returned::One(rule.value),
        rule: rule.id,
        group: rule.group,
        id_type: Some(rule.id_type),
        is_group: rule.is_group,
        is_active: spec.is_active.unwrap_or(false),
        ..Evaluation::new(Reason::Recognized)
    })
}
