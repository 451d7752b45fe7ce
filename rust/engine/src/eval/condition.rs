//! Conditions: where their value comes from, and nested gates.

use super::{Evaluator, MAX_EXPOSURES, MAX_NESTED_GATES, Outcome, Remembered, Stop};
use crate::countries::four_parts;
use crate::evaluation::{Evaluation, GroupCheck, Reason, SecondaryExposure};
use crate::ruleset::{
    CheckKind, Condition, ConditionId, CountryFields, ExperimentRef, GateRef, Rule, Source, StringId, Test,
};
use crate::trace::{Observer, Step};
use crate::value::{Scratch, Value};

/// None where a condition is not supported.
type Verdict = Option<bool>;

impl<'r, O: Observer> Evaluator<'r, '_, O> {
    /// Leaves in `state.passes` whether every condition holds.
    ///
    /// All conditions run even after one has failed, because later ones may add exposures or turn out
    /// to be unsupported; only where none can, the first failure ends it. An unsupported condition
    /// counts as the one before it.
    pub(super) fn conditions(&mut self, rule: &Rule, state: &mut Evaluation) -> Outcome {
        // Whoever looks on sees every condition.
        if rule.pure && !O::ON {
            state.passes = self.facts.all_hold(rule);
            return Ok(());
        }
        let ids = &self.ruleset.rule_conditions[rule.conditions.start as usize..rule.conditions.end as usize];
        let (mut all, mut last) = (true, state.passes);
        for &id in ids {
            let dangling = id == ConditionId::DANGLING;
            self.tell(|| Step::Condition((!dangling).then_some(id)));
            let verdict =
                if dangling { None } else { self.condition(&self.ruleset.conditions[id.index()], state)? };
            self.tell(|| Step::Holds(verdict));
            if verdict.is_none() {
                state.reason = Reason::Unsupported;
            }
            last = verdict.unwrap_or(last);
            if dangling {
                // The rest of the rule is not looked at, and what was before counts as it stood.
                all = last;
                break;
            }
            all &= last;
        }
        state.passes = all;
        let supported = state.reason != Reason::Unsupported;
        self.tell(|| Step::Matches(supported.then_some(all)));
        Ok(())
    }

    fn condition(&mut self, condition: &'r Condition, state: &mut Evaluation) -> Outcome<Verdict> {
        match condition {
            Condition::Public => Ok(Some(true)),
            Condition::Unsupported(source) => {
                // What is looked at is looked at, whatever was to be done with it.
                match source {
                    Source::Country(fields) => _ = self.country(fields, state),
                    Source::Group(Some(experiment)) => _ = self.group(experiment)?,
                    _ => {}
                }
                Ok(None)
            }
            Condition::Gate { gate, expected } => {
                Ok(self.nested_gate(gate, state)?.map(|passes| passes == *expected))
            }
            Condition::AnyGate { gates, expected } => {
                for gate in gates {
                    match self.nested_gate(gate, state)? {
                        None => return Ok(None),
                        Some(passes) if passes == *expected => return Ok(Some(true)),
                        Some(_) => {}
                    }
                }
                Ok(Some(false))
            }
            Condition::Compare { source, test } => {
                let value = match source {
                    Source::Group(Some(experiment)) => self.group(experiment)?,
                    Source::Country(fields) => self.country(fields, state),
                    _ => self.facts.value(source),
                };
                let looked_up =
                    matches!(test, Test::IdList { .. }) && value.text(&mut Scratch::new()).is_some();
                let outcome = self.facts.holds(test, value);
                self.tell(|| Step::Value(value));
                state.id_list_lookup |= looked_up;
                Ok(Some(outcome))
            }
        }
    }

    /// The country the user has, else that of the user's address.
    fn country(&self, fields: &CountryFields, state: &mut Evaluation) -> Value<'_> {
        if let Some(own) = self.facts.field(&fields.country) {
            return own;
        }
        let address = self.facts.field(&fields.ip).unwrap_or(Value::Null);
        let mut scratch = Scratch::new();
        let Some(address) = address.text(&mut scratch) else {
            return Value::Null;
        };
        let Some(countries) = self.facts.input.countries else {
            state.country_not_loaded |= four_parts(address).is_some();
            return Value::Null;
        };
        countries.lookup(address).map_or(Value::Null, Value::Text)
    }

    /// The group the user gets in an experiment. A check of its own: what it exposes is not exposed here.
    fn group(&mut self, experiment: &ExperimentRef) -> Outcome<Value<'r>> {
        let known = self.groups.iter().find(|(name, _)| *name == experiment.name);
        let group = if let Some(&(_, group)) = known {
            group
        } else if self.open_groups.contains(&experiment.name) {
            return Err(Stop::Runaway);
        } else {
            let gates = std::mem::take(&mut self.gates);
            let exposures = std::mem::take(&mut self.exposures);
            let base = std::mem::take(&mut self.base);
            let memo = std::mem::take(&mut self.memo);
            let logging = std::mem::take(&mut self.logging);
            // Not on the stack, which hundreds of these may share.
            let mut state = boxed(Reason::Recognized);
            let name = self.ruleset.string(experiment.name);
            self.open_groups.push(experiment.name);
            let outcome = self.deeper(0, |evaluator| {
                evaluator.named(CheckKind::Experiment, name, experiment.spec, &mut state)
            });
            self.open_groups.pop();
            state.exposures = std::mem::replace(&mut self.exposures, exposures);
            state.logging = std::mem::replace(&mut self.logging, logging);
            self.gates = gates;
            self.base = base;
            self.memo = memo;
            self.settle_group(experiment.name, outcome, state)?
        };
        Ok(group.map_or(Value::Null, |group| Value::Text(self.ruleset.string(group))))
    }

    /// Keeps what asking for a group came to. Apart from [`Self::group`], which has to be small on the stack.
    fn settle_group(
        &mut self,
        name: StringId,
        outcome: Outcome<bool>,
        mut state: Box<Evaluation>,
    ) -> Outcome<Option<StringId>> {
        match outcome {
            Err(Stop::Runaway) => return Err(Stop::Runaway),
            Ok(true) => self.tell_explored(&mut state),
            Ok(false) => *state = Evaluation::unrecognized(),
            Err(Stop::TooDeep) => *state = Evaluation::new(Reason::TooDeep),
        }
        let group = state.group;
        self.groups.push((name, group));
        self.group_checks.push(GroupCheck { name, evaluation: state });
        Ok(group)
    }

    fn nested_gate(&mut self, gate: &GateRef, state: &mut Evaluation) -> Outcome<Verdict> {
        if self.gates >= MAX_NESTED_GATES {
            return Err(Stop::TooDeep);
        }
        let known = self.memo.iter().position(|known| known.gate == gate.name);
        let index = if let Some(index) = known {
            self.tell_remembered(index);
            let (from, to) = self.memo[index].exposures;
            for index in from..to {
                self.expose(self.exposures[index]);
            }
            index
        } else {
            if !self.first_nested_gate(gate)? {
                // A gate that does not exist is false and leaves no other trace.
                self.met(gate, false);
                state.rule = StringId::EMPTY;
                return Ok(Some(false));
            }
            self.memo.len() - 1
        };
        let Remembered { passes, rule, mapped, id_list_lookup, has_rate, .. } = self.memo[index];
        let Some(passes) = passes else {
            return Ok(None);
        };
        self.met(gate, has_rate);
        if !gate.is_segment && !self.ruleset.string(rule).is_empty() {
            self.expose(SecondaryExposure { gate: gate.name, value: passes, rule });
        }
        state.rule = rule;
        state.mapped = mapped.or(state.mapped);
        state.id_list_lookup |= id_list_lookup;
        Ok(Some(passes))
    }

    fn met(&mut self, gate: &GateRef, has_rate: bool) {
        self.logging.is_analytical |= !gate.is_segment && !has_rate;
    }

    fn tell_remembered(&self, index: usize) {
        if O::ON {
            let Remembered { gate, passes, rule, .. } = self.memo[index];
            let mut state = Evaluation::new(passes.map_or(Reason::Unsupported, |_| Reason::Recognized));
            state.passes = passes.unwrap_or(false);
            state.rule = rule;
            let name = self.ruleset.string(gate);
            self.facts.observer.step(Step::Check { kind: CheckKind::Gate, name });
            self.facts.observer.step(Step::Remembered);
            self.facts.observer.step(Step::Done(Some(&state)));
        }
    }

    /// Evaluates a gate and remembers it. False if there is none.
    fn first_nested_gate(&mut self, gate: &GateRef) -> Outcome<bool> {
        let (from, base) = (self.exposures.len(), self.base);
        let mut nested = Evaluation::new(Reason::Recognized);
        let name = self.ruleset.string(gate.name);
        self.base = from;
        self.gates += 1;
        let before = self.set_apart();
        let outcome = self.deeper(self.levels + 1, |evaluator| {
            evaluator.named(CheckKind::Gate, name, gate.spec, &mut nested)
        });
        let has_rate = self.rejoin(before);
        self.gates -= 1;
        self.base = base;
        if !outcome? {
            return Ok(false);
        }
        let unsupported = nested.reason == Reason::Unsupported;
        self.memo.push(Remembered {
            gate: gate.name,
            passes: if unsupported { None } else { Some(nested.passes) },
            rule: nested.rule,
            mapped: nested.mapped,
            id_list_lookup: nested.id_list_lookup,
            has_rate,
            exposures: (from, self.exposures.len()),
        });
        Ok(true)
    }

    pub(super) fn expose(&mut self, exposure: SecondaryExposure) {
        if self.exposures.len() < MAX_EXPOSURES {
            self.exposures.push(exposure);
        }
    }
}

fn boxed(reason: Reason) -> Box<Evaluation> {
    Box::new(Evaluation::new(reason))
}
