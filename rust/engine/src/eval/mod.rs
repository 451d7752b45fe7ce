//! Evaluation: a pure function of ruleset, user and time.

mod condition;
mod layer;

use smallvec::SmallVec;

use crate::evaluation::{Evaluation, Exposures, Reason, Returned, Undelegated};
use crate::ruleset::{CheckKind, JsonKind, Rule, Ruleset, Spec, SpecId, SpecKind, StringId, ValueId};
use crate::user::UserView;

/// How many gates may be nested below the spec that is checked. Each counts when it is named, also if it
/// does not exist or was evaluated before.
pub const MAX_NESTED_GATES: u32 = 64;

/// How many gates, delegates and experiments whose group is asked for may be nested in all.
pub const MAX_LEVELS: u32 = 300;

/// How many exposures one check collects. Gates that are met again repeat what they exposed, so that a
/// few dozen gates could otherwise fill the memory.
pub const MAX_EXPOSURES: usize = 1 << 14;

/// Everything a check depends on besides the spec.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The user.
    pub user: UserView<'a>,
    /// Attributes of the application, found where a user has none of that name: only its `custom` map
    /// is looked at.
    pub global: UserView<'a>,
    /// The application's tier, for users who bring no environment.
    pub tier: Option<&'a str>,
    /// Milliseconds since the epoch. Looked at only if [`Ruleset::uses_time`].
    pub now: i64,
}

impl<'a> Input<'a> {
    /// A user of an application with these attributes, and nothing else known.
    #[must_use]
    pub const fn new(user: UserView<'a>, global: UserView<'a>) -> Self {
        Self { user, global, tier: None, now: 0 }
    }
}

/// Evaluates the spec of a name for a user.
#[must_use]
pub fn evaluate(ruleset: &Ruleset, kind: CheckKind, name: &str, input: &Input<'_>) -> Evaluation {
    let Some(id) = ruleset.find(kind.specs(), name) else {
        return Evaluation::unrecognized();
    };
    let mut evaluator = Evaluator {
        ruleset,
        input,
        gates: 0,
        levels: 0,
        exposures: Exposures::new(),
        memo: SmallVec::new(),
        groups: SmallVec::new(),
        id_list_lookup: false,
    };
    let mut state = Evaluation::new(Reason::Recognized);
    match evaluator.spec(id, &mut state) {
        Ok(()) => evaluator.finish(id, state),
        Err(TooDeep) => Evaluation::new(Reason::TooDeep),
    }
}

/// The check as a whole fails: there is no sensible part of a cycle.
struct TooDeep;

type Outcome = Result<(), TooDeep>;

/// A gate that was already evaluated within this check.
struct Remembered {
    gate: SpecId,
    /// None if it is not supported.
    passes: Option<bool>,
    rule: StringId,
    /// Its own exposures, from and to.
    exposures: (usize, usize),
}

struct Evaluator<'r, 'u> {
    ruleset: &'r Ruleset,
    input: &'u Input<'u>,
    /// Gates being evaluated below the spec that is checked.
    gates: u32,
    /// All that is being evaluated below it.
    levels: u32,
    exposures: Exposures,
    memo: SmallVec<[Remembered; 4]>,
    /// Experiments whose group was asked for, and the group.
    groups: SmallVec<[(SpecId, Option<StringId>); 1]>,
    id_list_lookup: bool,
}

impl<'r> Evaluator<'r, '_> {
    fn finish(self, id: SpecId, mut state: Evaluation) -> Evaluation {
        if state.undelegated.is_none()
            && self.ruleset.spec(id).kind == SpecKind::Layer
            && !self.exposures.is_empty()
        {
            let all = self.exposures.len() as u32;
            state.undelegated = Some(Undelegated { from: all, to: all });
        }
        state.exposures = self.exposures;
        state.id_list_lookup = self.id_list_lookup;
        state
    }

    /// Fills `state`. A delegate goes on in the state of the rule that delegates, and what is left when
    /// an evaluation is unsupported is returned, so this is one state and not a value per step.
    fn spec(&mut self, id: SpecId, state: &mut Evaluation) -> Outcome {
        let spec = self.ruleset.spec(id);
        state.id_type = state.id_type.or(Some(spec.id_type));
        state.version = state.version.or(spec.version);
        state.is_active = spec.is_active.unwrap_or(state.is_active);
        state.in_layer = spec.in_layer.unwrap_or(state.in_layer);
        if spec.explicit_parameters.is_some() {
            state.explicit = Some(id);
        }
        if spec.off {
            self.default(spec, state);
            return Ok(());
        }
        if spec.merges_rules {
            return self.merged_layer(spec, state);
        }
        for rule in self.rules(spec) {
            self.conditions(rule, state)?;
            if state.reason == Reason::Unsupported {
                return Ok(());
            }
            if !state.passes {
                continue;
            }
            if let Some(delegate) = rule.delegate {
                return self.delegate(delegate, state);
            }
            if self.passes_rollout(rule) {
                state.passes = rule.passes;
                state.value = self.returned(rule.value);
            } else {
                state.passes = spec.default_passes;
                state.value = self.returned(spec.default_value);
            }
            state.rule = rule.id;
            state.group = rule.group;
            state.is_group = rule.is_group;
            state.is_active = spec.is_active.unwrap_or(false);
            return Ok(());
        }
        self.default(spec, state);
        Ok(())
    }

    fn default(&self, spec: &Spec, state: &mut Evaluation) {
        state.passes = spec.default_passes;
        state.value = self.returned(spec.default_value);
        state.rule = if spec.enabled { StringId::DEFAULT } else { StringId::DISABLED };
    }

    fn delegate(&mut self, delegate: SpecId, state: &mut Evaluation) -> Outcome {
        state.undelegated = Some(Undelegated { from: self.exposures.len() as u32, to: u32::MAX });
        self.evaluate_delegate(delegate, state)
    }

    /// Goes on in the state of the rule that delegates, but for the value, which starts anew.
    fn evaluate_delegate(&mut self, delegate: SpecId, state: &mut Evaluation) -> Outcome {
        state.passes = false;
        state.value = Returned::Nothing;
        self.deeper(|evaluator| evaluator.spec(delegate, state))?;
        state.explicit = self.ruleset.spec(delegate).explicit_parameters.as_ref().map(|_| delegate);
        state.delegate = Some(delegate);
        Ok(())
    }

    fn deeper(&mut self, step: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        if self.levels >= MAX_LEVELS {
            return Err(TooDeep);
        }
        self.levels += 1;
        let outcome = step(self);
        self.levels -= 1;
        outcome
    }

    fn rules(&self, spec: &Spec) -> &'r [Rule] {
        &self.ruleset.rules[spec.rules.start as usize..spec.rules.end as usize]
    }

    fn passes_rollout(&self, rule: &Rule) -> bool {
        let mut scratch = SmallVec::new();
        rule.rollout.passes(|| self.unit_text(rule.unit, &mut scratch))
    }

    /// Booleans and null are no value; arrays, strings and numbers are an empty object, which whoever
    /// builds the value makes of them.
    fn returned(&self, id: ValueId) -> Returned {
        match self.ruleset.value(id).kind {
            JsonKind::Object | JsonKind::Other => Returned::One(id),
            JsonKind::True | JsonKind::False | JsonKind::Null => Returned::Nothing,
        }
    }
}
