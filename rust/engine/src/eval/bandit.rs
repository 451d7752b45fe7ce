//! Contextual multi-armed bandits.

use super::{Evaluator, MAX_LEVELS, Outcome, Stop};
use crate::bandit::Bandit;
use crate::evaluation::{Evaluation, Returned, SecondaryExposure};
use crate::ruleset::{CheckKind, StringId};
use crate::trace::{Observer, Step};
use crate::value::{Scratch, Value};

impl<O: Observer> Evaluator<'_, '_, O> {
    /// Fills `state`, in which the targeting gate is evaluated as well: what that leaves there and the
    /// bandit does not set stays.
    pub(super) fn bandit(&mut self, bandit: &Bandit, state: &mut Evaluation) -> Outcome {
        self.tell(|| Step::Bandit);
        let lets_in = if !bandit.enabled || bandit.arms.is_empty() {
            state.rule = StringId::PRESTART;
            false
        } else if self.lets_in(bandit, state)? {
            true
        } else {
            state.rule = StringId::TARGETING;
            false
        };
        state.id_type = Some(bandit.id_type);
        state.version = Some(bandit.version);
        state.is_active = bandit.enabled;
        state.passes = lets_in;
        if !lets_in {
            state.value = Returned::One(bandit.default_value);
            return Ok(());
        }
        let choice = bandit.choose(
            self.facts.unit_text(bandit.unit, &mut Scratch::new()),
            self.facts.input.random,
            |field| self.facts.field(field).unwrap_or(Value::Null),
        );
        if O::ON {
            let scores: Vec<_> =
                bandit.scores(|field| self.facts.field(field).unwrap_or(Value::Null)).collect();
            self.facts.observer.step(Step::Choice { choice, scores: &scores });
        }
        let arm = &bandit.arms[choice.arm];
        state.value = Returned::One(arm.value);
        state.rule = arm.rule;
        state.explored |= choice.explored;
        state.group = Some(arm.group);
        Ok(())
    }

    fn lets_in(&mut self, bandit: &Bandit, state: &mut Evaluation) -> Outcome<bool> {
        let Some(gate) = &bandit.targeting else {
            return Ok(true);
        };
        let name = self.ruleset.string(gate.name);
        if self.levels >= MAX_LEVELS {
            // Not evaluated, and so not exposed either.
            return Ok(false);
        }
        let outcome = self
            .deeper(self.levels + 1, |evaluator| evaluator.named(CheckKind::Gate, name, gate.spec, state));
        if outcome == Err(Stop::Runaway) {
            return Err(Stop::Runaway);
        }
        if !gate.is_segment {
            self.expose(SecondaryExposure { gate: gate.name, value: state.passes, rule: state.rule });
        }
        Ok(state.passes)
    }
}
