//! Specs that one rule decides, or none, with nothing else to be told of it.

use super::Input;
use super::facts::Facts;
use crate::bucket::Rollout;
use crate::evaluation::{Evaluation, Logging, Reason, Returned};
use crate::ruleset::{Rule, Ruleset, Spec, SpecId, StringId, ValueId};
use crate::trace::Nobody;
use crate::user::UserView;

/// No rule decided.
const NONE: u32 = u32::MAX;

/// What a check of a [plain](Ruleset::is_plain) spec comes to: all of an [`Evaluation`] follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    spec: SpecId,
    /// In the ruleset's table of rules.
    rule: u32,
    value: ValueId,
    passes: bool,
    in_rollout: bool,
}

/// Decides a plain spec for a user: what [`super::evaluate`] comes to unless the application set something itself.
#[inline]
#[must_use]
pub fn decide(ruleset: &Ruleset, id: SpecId, input: &Input<'_>) -> Decision {
    debug_assert!(ruleset.is_plain(id) && input.overrides.is_none());
    let spec = ruleset.spec(id);
    let facts = Facts::new(ruleset, input, &Nobody);
    for (index, rule) in ruleset.rules_of(spec) {
        if facts.all_hold(rule) {
            let in_rollout = facts.passes_rollout(&rule.rollout, rule.unit);
            let (passes, value) = if in_rollout {
                (rule.passes, rule.value)
            } else {
                (spec.default_passes, spec.default_value)
            };
            return Decision { spec: id, rule: index, value, passes, in_rollout };
        }
    }
    let (passes, value) = (spec.default_passes, spec.default_value);
    Decision { spec: id, rule: NONE, value, passes, in_rollout: false }
}

impl Ruleset {
    /// What a plain spec comes to for everybody, if it does not depend on the user.
    #[inline]
    #[must_use]
    pub fn constant(&self, id: SpecId) -> Option<Decision> {
        let spec = self.spec(id);
        match spec.constant {
            Constant::Not => None,
            Constant::Default => {
                let (passes, value) = (spec.default_passes, spec.default_value);
                Some(Decision { spec: id, rule: NONE, value, passes, in_rollout: false })
            }
            Constant::Passed => {
                let rule = &self.rules[spec.rules.start as usize];
                let (passes, value) = (rule.passes, rule.value);
                Some(Decision { spec: id, rule: spec.rules.start, value, passes, in_rollout: true })
            }
        }
    }
}

impl Decision {
    #[inline]
    pub(crate) fn spec(&self) -> SpecId {
        self.spec
    }

    /// The value of a gate.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.passes
    }

    /// The value of a config or layer.
    #[must_use]
    pub fn value(&self) -> ValueId {
        self.value
    }

    /// The rule that decided.
    #[must_use]
    pub fn rule_id(&self, ruleset: &Ruleset) -> StringId {
        self.rule(ruleset).map_or_else(|| ruleset.spec(self.spec).fallback_rule(), |rule| rule.id)
    }

    /// Its group, if it has one.
    #[must_use]
    pub fn group(&self, ruleset: &Ruleset) -> Option<StringId> {
        self.rule(ruleset).and_then(|rule| rule.group)
    }

    fn rule<'r>(&self, ruleset: &'r Ruleset) -> Option<&'r Rule> {
        (self.rule != NONE).then(|| &ruleset.rules[self.rule as usize])
    }

    /// See [`crate::exposure_key`].
    #[inline]
    #[must_use]
    pub fn exposure_key(&self, ruleset: &Ruleset, user: &UserView<'_>) -> u128 {
        let prefix = match self.rule(ruleset) {
            Some(rule) => rule.exposure_prefix,
            None => ruleset.spec(self.spec).fallback_prefix,
        };
        crate::events::exposure_key_after(prefix, self.passes, user)
    }

    /// A number of its own among all decisions of the ruleset, below [`Ruleset::decision_count`].
    #[inline]
    #[must_use]
    pub fn index(&self, ruleset: &Ruleset) -> usize {
        if self.rule == NONE {
            2 * ruleset.rules.len() + self.spec.index()
        } else {
            2 * self.rule as usize + usize::from(self.in_rollout)
        }
    }

    /// The same at length.
    #[must_use]
    pub fn evaluation(&self, ruleset: &Ruleset) -> Evaluation {
        let spec = ruleset.spec(self.spec);
        let rule = self.rule(ruleset);
        Evaluation {
            passes: self.passes,
            value: Returned::One(self.value),
            rule: self.rule_id(ruleset),
            group: rule.and_then(|rule| rule.group),
            id_type: Some(spec.id_type),
            version: spec.version,
            explicit: spec.explicit_parameters.as_ref().map(|_| self.spec),
            origin: Some(self.spec),
            is_group: rule.is_some_and(|rule| rule.is_group),
            is_active: spec.is_active.unwrap_or(false),
            in_layer: spec.in_layer.unwrap_or(false),
            decided_by: rule.map(|_| self.rule),
            logging: Logging {
                rate: rule.and_then(|rule| rule.sampling_rate),
                forwards_all: spec.forwards_all,
                is_analytical: false,
            },
            ..Evaluation::new(Reason::Recognized)
        }
    }
}

impl Ruleset {
    /// True if a rule decides a spec alone, or none does: it delegates nothing, and none of its conditions can add
    /// an exposure, be unsupported or mark the reason. Then [`decide`] says it all.
    #[inline]
    #[must_use]
    pub fn is_plain(&self, id: SpecId) -> bool {
        self.spec(id).plain
    }

    /// How many decisions there can be.
    #[must_use]
    pub fn decision_count(&self) -> usize {
        2 * self.rules.len() + self.specs.len()
    }

    /// True if a condition of a plain spec looks at the current time.
    #[inline]
    #[must_use]
    pub fn looks_at_time(&self, id: SpecId) -> bool {
        self.spec(id).looks_at_time
    }
}

/// Whether a plain spec depends on the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Constant {
    Not,
    /// There is no rule.
    Default,
    /// The first rule is for everybody.
    Passed,
}

impl Constant {
    pub(crate) fn of(spec: &Spec, rules: &[Rule]) -> Self {
        match rules.first() {
            _ if !spec.plain => Self::Not,
            None => Self::Default,
            Some(rule) if rule.conditions.is_empty() && matches!(rule.rollout, Rollout::Always) => {
                Self::Passed
            }
            Some(_) => Self::Not,
        }
    }
}

/// Whether a spec with these rules is plain.
pub(crate) fn is_plain(spec: &Spec, rules: &[Rule]) -> bool {
    !spec.off
        && !spec.merges_rules
        && !spec.is_mapped
        && spec.bandit.is_none()
        && rules.iter().all(|rule| rule.pure && rule.delegate.is_none())
}
