//! Evaluation: a pure function of ruleset, user and time.

mod bandit;
mod condition;
mod facts;
mod layer;
mod mapping;
mod plain;
mod user_agent;

use smallvec::SmallVec;

use crate::countries::Countries;
use crate::evaluation::{Evaluation, Exposures, GroupCheck, Logging, Reason, Returned, Undelegated};
use crate::id_lists::IdLists;
use crate::overrides::{Found, Overrides};
use crate::ruleset::{CheckKind, Rule, Ruleset, Spec, SpecId, StringId};
use crate::trace::{Nobody, Observer, Step};
use crate::user::UserView;
use crate::value::Value;
use facts::Facts;

pub(crate) use plain::{Constant, is_plain};
pub use plain::{Decision, decide};

/// How many gates may be nested below the spec that is checked. Each counts when it is named, also if it
/// does not exist or was evaluated before.
pub const MAX_NESTED_GATES: u32 = 64;

/// How many gates and delegates may be nested around a delegate or a bandit's targeting gate. Other gates
/// are stopped by their own limit. Where a mapping is tried and in experiments whose group is asked for, the
/// count starts anew.
pub const MAX_LEVELS: u32 = 300;

/// How much may be nested in all, which bounds the stack: enough for the two limits above together.
pub const MAX_DEPTH: u32 = 400;

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
    /// What the application sets itself.
    pub overrides: Option<&'a Overrides>,
    /// Any 64 random bits. Looked at only if [`Ruleset::uses_chance`].
    pub random: u64,
    /// The app id that `target_app` conditions see; the payload's unless given.
    pub app_id: Option<Value<'a>>,
    /// Countries of addresses. Looked at only if [`Ruleset::uses_country`].
    pub countries: Option<&'a Countries>,
    /// Who is on which ID list; without it nobody is on any. Looked at only if
    /// [`Ruleset::uses_id_lists`].
    pub id_lists: Option<&'a IdLists>,
}

impl<'a> Input<'a> {
    /// A user of an application with these attributes, and nothing else known.
    #[must_use]
    pub const fn new(user: UserView<'a>, global: UserView<'a>) -> Self {
        Self {
            user,
            global,
            tier: None,
            now: 0,
            overrides: None,
            random: 0,
            app_id: None,
            countries: None,
            id_lists: None,
        }
    }
}

/// Evaluates what a name stands for, for a user.
#[must_use]
pub fn evaluate(ruleset: &Ruleset, kind: CheckKind, name: &str, input: &Input<'_>) -> Evaluation {
    evaluate_observed(ruleset, kind, name, input, &Nobody)
}

/// As [`evaluate`], with somebody looking on.
pub(crate) fn evaluate_observed<O: Observer>(
    ruleset: &Ruleset,
    kind: CheckKind,
    name: &str,
    input: &Input<'_>,
    observer: &O,
) -> Evaluation {
    let mut evaluator = Evaluator::new(ruleset, input, observer);
    let mut state = Evaluation::new(Reason::Recognized);
    match evaluator.named(kind, name, ruleset.find(kind.specs(), name), &mut state) {
        Ok(true) => evaluator.finish(kind, state),
        // What was asked for on the way was asked for all the same.
        Ok(false) => Evaluation { groups: evaluator.group_checks, ..Evaluation::unrecognized() },
        Err(_) => Evaluation { groups: evaluator.group_checks, ..Evaluation::new(Reason::TooDeep) },
    }
}

/// What a spec comes to with none but the rules whose id is selected; false if there are none. What it
/// delegates to keeps all of its rules.
pub(crate) fn passes_selected(
    ruleset: &Ruleset,
    id: SpecId,
    input: &Input<'_>,
    select: impl Fn(&str) -> bool,
) -> bool {
    let spec = ruleset.spec(id);
    let mut rules = ruleset.rules_of(spec).filter(|(_, rule)| select(ruleset.string(rule.id))).peekable();
    if spec.off || rules.peek().is_none() {
        return false;
    }
    let mut state = Evaluation::new(Reason::Recognized);
    Evaluator::new(ruleset, input, &Nobody).rules(spec, rules, &mut state).is_ok() && state.passes
}

/// Why an evaluation cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// More levels than there may be. Where the reference goes on without the part that failed, so does
    /// this.
    TooDeep,
    /// A group depends on itself, or mappings lead nowhere: the check as a whole fails, because there is no
    /// sensible part of it.
    Runaway,
}

type Outcome<T = ()> = Result<T, Stop>;

/// A gate that was already evaluated within this check.
struct Remembered {
    gate: StringId,
    /// None if it is not supported.
    passes: Option<bool>,
    rule: StringId,
    mapped: Option<StringId>,
    id_list_lookup: bool,
    /// Whether its own exposures have a rate.
    has_rate: bool,
    /// Its own exposures, from and to.
    exposures: (usize, usize),
}

struct Evaluator<'r, 'u, O> {
    ruleset: &'r Ruleset,
    facts: Facts<'r, 'u, O>,
    /// Gates being evaluated below the spec that is checked.
    gates: u32,
    /// Gates and delegates being evaluated, since a mapping was tried last.
    levels: u32,
    /// All that is being evaluated below the spec that is checked.
    depth: u32,
    exposures: Exposures,
    /// Exposures from here on belong to the state that is being filled.
    base: usize,
    memo: SmallVec<[Remembered; 4]>,
    /// Experiments whose group was asked for, and the group.
    groups: SmallVec<[(StringId, Option<StringId>); 1]>,
    /// Experiments whose group is being found out, which must not come to themselves.
    open_groups: SmallVec<[StringId; 4]>,
    /// What the checks for those groups came to.
    group_checks: Vec<GroupCheck>,
    logging: Logging,
    /// Mapping rules that were tried.
    attempts: u32,
}

impl<'r, 'u, O: Observer> Evaluator<'r, 'u, O> {
    fn new(ruleset: &'r Ruleset, input: &'u Input<'u>, observer: &'u O) -> Self {
        Self {
            ruleset,
            facts: Facts::new(ruleset, input, observer),
            gates: 0,
            levels: 0,
            depth: 0,
            exposures: Exposures::new(),
            base: 0,
            memo: SmallVec::new(),
            groups: SmallVec::new(),
            open_groups: SmallVec::new(),
            group_checks: Vec::new(),
            logging: Logging::default(),
            attempts: 0,
        }
    }

    fn finish(self, kind: CheckKind, mut state: Evaluation) -> Evaluation {
        if state.undelegated.is_none()
            && (state.reason != Reason::Unsupported || state.delegate.is_some())
            && kind == CheckKind::Layer
            && !self.exposures.is_empty()
        {
            let all = self.exposures.len() as u32;
            state.undelegated = Some(Undelegated { from: all, to: all });
        }
        self.tell_explored(&mut state);
        state.exposures = self.exposures;
        state.groups = self.group_checks;
        state.logging = self.logging;
        state
    }

    /// The rule of a group that chance chose says so.
    fn tell_explored(&self, state: &mut Evaluation) {
        if state.explored {
            state.rule = self.ruleset.explored_rules.get(&state.rule).copied().unwrap_or(state.rule);
        }
    }

    /// Evaluates a name: what the application set, else what the name is mapped to, else the bandit, else
    /// the spec. False if there is nothing of the name.
    fn named(
        &mut self,
        kind: CheckKind,
        name: &str,
        id: Option<SpecId>,
        state: &mut Evaluation,
    ) -> Outcome<bool> {
        if !O::ON {
            return self.whatever_it_is(kind, name, id, state);
        }
        self.facts.observer.step(Step::Check { kind, name });
        let outcome = self.whatever_it_is(kind, name, id, state);
        self.facts.observer.step(Step::Done((outcome == Ok(true)).then_some(&*state)));
        outcome
    }

    fn whatever_it_is(
        &mut self,
        kind: CheckKind,
        name: &str,
        id: Option<SpecId>,
        state: &mut Evaluation,
    ) -> Outcome<bool> {
        let ruleset = self.ruleset;
        if self.overridden(kind, name, state) {
            self.tell(|| Step::Override);
            return Ok(true);
        }
        let spec = id.map(|id| ruleset.spec(id));
        let is_mapped = spec.map_or(!ruleset.mappings.is_empty(), |spec| spec.is_mapped);
        if is_mapped && self.mapped(kind, name, state)? {
            return Ok(true);
        }
        if kind == CheckKind::Experiment {
            let bandit = spec.map_or_else(|| ruleset.bandit_names.get(name).copied(), |spec| spec.bandit);
            if let Some(bandit) = bandit {
                self.bandit(&ruleset.bandits[bandit.index()], state)?;
                return Ok(true);
            }
        }
        let Some(id) = id else {
            return Ok(false);
        };
        self.spec(id, state)?;
        Ok(true)
    }

    /// Tells whoever looks on.
    fn tell<'a>(&self, step: impl FnOnce() -> Step<'a>) {
        self.facts.tell(step);
    }

    fn overridden(&self, kind: CheckKind, name: &str, state: &mut Evaluation) -> bool {
        let input = self.facts.input;
        let Some(found) = input.overrides.and_then(|overrides| overrides.find(kind, name, &input.user))
        else {
            return false;
        };
        match found {
            Found::Gate(value) => state.passes = value,
            Found::Value(id) => {
                state.value = Returned::One(id);
            }
            Found::Group(group) => {
                state.value = Returned::Nothing;
                if let Some(rule) = self.ruleset.rule_of_group(name, group) {
                    state.value = Returned::One(rule.value);
                }
            }
        }
        state.rule = StringId::OVERRIDE;
        state.is_override = true;
        true
    }

    /// Fills `state`. A delegate goes on in the state of the rule that delegates, and what is left when
    /// an evaluation is unsupported is returned, so this is one state and not a value per step.
    fn spec(&mut self, id: SpecId, state: &mut Evaluation) -> Outcome {
        self.tell(|| Step::Spec(id));
        let spec = self.ruleset.spec(id);
        state.origin = state.origin.or(Some(id));
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
        self.rules(spec, self.ruleset.rules_of(spec), state)
    }

    /// The first rule that holds decides, else the default.
    #[inline]
    fn rules<'a>(
        &mut self,
        spec: &Spec,
        rules: impl Iterator<Item = (u32, &'a Rule)>,
        state: &mut Evaluation,
    ) -> Outcome {
        for (index, rule) in rules {
            self.tell(|| Step::Rule(index));
            self.conditions(rule, state)?;
            if state.reason == Reason::Unsupported {
                return Ok(());
            }
            if !state.passes {
                continue;
            }
            if let Some(delegate) = rule.delegate {
                self.delegate(delegate, state)?;
                if state.reason != Reason::Unsupported {
                    self.ended(spec, None);
                }
                return Ok(());
            }
            if self.facts.passes_rollout(&rule.rollout, rule.unit) {
                state.passes = rule.passes;
                state.value = Returned::One(rule.value);
            } else {
                state.passes = spec.default_passes;
                state.value = Returned::One(spec.default_value);
            }
            state.rule = rule.id;
            state.decided_by = Some(index);
            self.ended(spec, rule.sampling_rate);
            state.group = rule.group;
            state.is_group = rule.is_group;
            state.is_active = spec.is_active.unwrap_or(false);
            return Ok(());
        }
        self.default(spec, state);
        Ok(())
    }

    /// Before what is not itself exposed is evaluated. What comes back is for [`Self::rejoin`].
    fn set_apart(&mut self) -> Logging {
        let before = self.logging;
        self.logging = Logging { is_analytical: before.is_analytical, ..Logging::default() };
        before
    }

    /// Goes on after [`Self::set_apart`]. True if what was evaluated has a rate.
    fn rejoin(&mut self, before: Logging) -> bool {
        let Logging { rate, is_analytical, .. } = self.logging;
        self.logging = Logging { is_analytical, ..before };
        rate.is_some()
    }

    fn ended(&mut self, spec: &Spec, rate: Option<u64>) {
        self.logging.rate = rate;
        self.logging.forwards_all = spec.forwards_all;
    }

    fn default(&mut self, spec: &Spec, state: &mut Evaluation) {
        self.ended(spec, None);
        state.passes = spec.default_passes;
        state.value = Returned::One(spec.default_value);
        state.rule = spec.fallback_rule();
    }

    fn delegate(&mut self, delegate: SpecId, state: &mut Evaluation) -> Outcome {
        state.undelegated = Some(Undelegated { from: self.exposures.len() as u32, to: u32::MAX });
        self.evaluate_delegate(delegate, state)
    }

    /// Goes on in the state of the rule that delegates, but for the value, which starts anew.
    fn evaluate_delegate(&mut self, delegate: SpecId, state: &mut Evaluation) -> Outcome {
        let spec = self.ruleset.spec(delegate);
        let name = self.ruleset.string(spec.name);
        state.passes = false;
        state.value = Returned::Nothing;
        let before = self.set_apart();
        self.level(|evaluator| evaluator.named(CheckKind::Experiment, name, Some(delegate), state))?;
        self.rejoin(before);
        state.explicit = spec.explicit_parameters.as_ref().map(|_| delegate);
        state.delegate = Some(delegate);
        Ok(())
    }

    /// Goes one level down.
    fn level<T>(&mut self, step: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        if self.levels >= MAX_LEVELS {
            return Err(Stop::TooDeep);
        }
        self.deeper(self.levels + 1, step)
    }

    /// Goes down to where this many levels count. Afterwards there are as many as before, whatever was tried.
    fn deeper<T>(&mut self, levels: u32, step: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        if self.depth >= MAX_DEPTH {
            return Err(Stop::TooDeep);
        }
        let before = std::mem::replace(&mut self.levels, levels);
        self.depth += 1;
        let outcome = step(self);
        self.depth -= 1;
        self.levels = before;
        outcome
    }
}
