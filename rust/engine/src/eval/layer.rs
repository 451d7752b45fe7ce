//! Layers that merge the values of all their rules.

use smallvec::SmallVec;

use super::{Evaluator, Outcome};
use crate::evaluation::{Evaluation, Reason, Returned, Undelegated};
use crate::ruleset::{Spec, SpecId, StringId};
use crate::trace::{Observer, Step};

/// What the delegate that is used, if any, contributes.
struct Used {
    delegate: SpecId,
    rule: StringId,
    group: Option<StringId>,
    explicit: Option<SpecId>,
    is_group: bool,
    /// Its exposures, from and to: they do not count for parameters outside the experiment.
    exposures: Undelegated,
}

impl<O: Observer> Evaluator<'_, '_, O> {
    /// Visits every rule; of a parameter that several set, the first counts.
    ///
    /// Only the first rule that passes may be a delegate whose value is used. One that has none, because
    /// it is not supported or the application set a group that does not exist, counts as not passed. Later delegates are
    /// evaluated all the same, and what they expose counts as met by the rule after them: with none
    /// after them it is lost.
    pub(super) fn merged_layer(&mut self, spec: &Spec, state: &mut Evaluation) -> Outcome {
        let mut parts: SmallVec<[_; 4]> = SmallVec::new();
        let mut used: Option<Used> = None;
        let mut passed = None;
        // Exposures from here on belong to a delegate that is not used.
        let mut settled = self.exposures.len();

        for (index, rule) in self.ruleset.rules_of(spec) {
            self.tell(|| Step::Rule(index));
            self.conditions(rule, state)?;
            settled = self.exposures.len();
            if state.reason == Reason::Unsupported {
                state.undelegated = Some(undelegated(used.as_ref(), settled));
                return Ok(());
            }
            if !state.passes || !self.facts.passes_rollout(&rule.rollout, rule.unit) {
                continue;
            }
            let Some(delegate) = rule.delegate else {
                parts.push((rule.value, rule.id));
                passed = Some(true);
                continue;
            };
            let from = self.exposures.len() as u32;
            let base = std::mem::replace(&mut self.base, self.exposures.len());
            let outcome = self.evaluate_delegate(delegate, state);
            self.base = base;
            outcome?;
            if passed.is_some() {
                continue;
            }
            let Returned::One(value) = state.value else {
                continue;
            };
            parts.push((value, rule.id));
            settled = self.exposures.len();
            passed = Some(state.passes);
            used = Some(Used {
                delegate,
                rule: rule.id,
                group: state.group,
                explicit: state.explicit,
                is_group: rule.is_group,
                exposures: Undelegated { from, to: settled as u32 },
            });
        }
        self.exposures.truncate(settled);
        self.ended(spec, None);

        parts.push((spec.default_value, StringId::DEFAULT));
        state.value = Returned::Merged(parts);
        state.undelegated = Some(undelegated(used.as_ref(), settled));
        state.is_active = spec.is_active.unwrap_or(false);
        state.passes = passed.unwrap_or(false);
        state.rule = StringId::DEFAULT;
        state.delegate = None;
        state.group = None;
        state.explicit = None;
        state.is_group = false;
        if let Some(used) = used {
            state.rule = used.rule;
            state.delegate = Some(used.delegate);
            state.group = used.group;
            state.explicit = used.explicit;
            state.is_group = used.is_group;
        }
        Ok(())
    }
}

fn undelegated(used: Option<&Used>, settled: usize) -> Undelegated {
    used.map_or(Undelegated { from: settled as u32, to: settled as u32 }, |used| used.exposures)
}
