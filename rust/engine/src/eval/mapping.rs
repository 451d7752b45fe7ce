//! Config mapping: another spec in place of the one that is asked for.

use super::{Evaluator, Outcome, Stop};
use crate::evaluation::{Evaluation, Logging, Reason};
use crate::ruleset::{CheckKind, Mapping, MappingRule};
use crate::trace::{Observer, Step};

/// How many mapping rules one check tries. Mappings that lead from name to name could otherwise be
/// followed for ever.
const MAX_ATTEMPTS: u32 = 10_000;

impl<O: Observer> Evaluator<'_, '_, O> {
    /// True if the name is mapped to a spec for this user; `state` is then that spec's.
    ///
    /// Every rule that is tried starts `state` anew, and so does what comes after one that failed: what
    /// was gathered before, also by the rule that delegates here, is gone.
    pub(super) fn mapped(&mut self, kind: CheckKind, name: &str, state: &mut Evaluation) -> Outcome<bool> {
        let ruleset = self.ruleset;
        let Some(mappings) = ruleset.mappings.get(name) else {
            return Ok(false);
        };
        for mapping in mappings {
            for rule in &mapping.rules {
                if rule.start_time > self.facts.input.now {
                    continue;
                }
                self.attempts += 1;
                if self.attempts > MAX_ATTEMPTS {
                    return Err(Stop::Runaway);
                }
                self.tell(|| Step::Mapping { to: mapping.name, rule: rule.rule });
                if !self.takes_part(kind, rule, state)? {
                    continue;
                }
                if self.replacement(kind, mapping, state)? {
                    return Ok(true);
                }
                // The other rules lead to the same spec.
                break;
            }
        }
        Ok(false)
    }

    /// Whether the user meets the rule. It leaves nothing in `state` but that an ID list was looked at.
    fn takes_part(
        &mut self,
        kind: CheckKind,
        mapping: &MappingRule,
        state: &mut Evaluation,
    ) -> Outcome<bool> {
        let rule = &self.ruleset.rules[mapping.rule as usize];
        let holds = match self.conditions(rule, state) {
            Err(Stop::Runaway) => return Err(Stop::Runaway),
            Err(Stop::TooDeep) => false,
            Ok(()) => state.passes && state.reason != Reason::Unsupported,
        };
        let id_list_lookup = state.id_list_lookup;
        self.reset(state);
        if !holds {
            return Ok(false);
        }
        let passes = self.facts.passes_rollout(&mapping.rollouts[kind.specs() as usize], rule.unit);
        state.id_list_lookup = passes && id_list_lookup;
        Ok(passes)
    }

    /// Evaluates the spec that takes the place; false if there is none.
    fn replacement(&mut self, kind: CheckKind, mapping: &Mapping, state: &mut Evaluation) -> Outcome<bool> {
        let name = self.ruleset.string(mapping.name);
        let id = self.ruleset.find(kind.specs(), name);
        state.mapped = Some(mapping.name);
        // What a mapping of that spec starts anew does not take back that the rule looked at an ID list.
        let id_list_lookup = state.id_list_lookup;
        let outcome = self.deeper(self.levels, |evaluator| evaluator.named(kind, name, id, state));
        match outcome {
            Ok(true) => {
                state.id_list_lookup |= id_list_lookup;
                Ok(true)
            }
            Err(Stop::Runaway) => Err(Stop::Runaway),
            Ok(false) | Err(Stop::TooDeep) => {
                self.reset(state);
                Ok(false)
            }
        }
    }

    fn reset(&mut self, state: &mut Evaluation) {
        *state = Evaluation::new(Reason::Recognized);
        let base = self.base;
        self.levels = 0;
        self.logging = Logging::default();
        self.exposures.truncate(base);
        // Gates that exposed what is gone now are evaluated again.
        self.memo.retain(|known| known.exposures.1 <= base);
    }
}
