//! Looking on while something is evaluated.

use crate::bandit::Choice;
use crate::evaluation::Evaluation;
use crate::ruleset::{CheckKind, ConditionId, SpecId, StringId};
use crate::value::Value;

/// Whoever looks on. What is told needs no end of its own: a rule ends where the next begins, and a check
/// closes all that is open in it.
pub(crate) trait Observer {
    /// False if nobody looks: then nothing is put together to be told.
    const ON: bool;

    fn step(&self, step: Step<'_>);
}

/// Nobody looks.
pub(crate) struct Nobody;

impl Observer for Nobody {
    const ON: bool = false;

    fn step(&self, _: Step<'_>) {}
}

/// Where something about the user was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Standard,
    Custom,
    CustomIds,
    Private,
    Environment,
    /// Not the user's own: what the application, or the payload, says of everybody.
    Global,
    Nowhere,
}

/// What happens.
pub(crate) enum Step<'a> {
    /// Something named is evaluated, on its own or for what is open.
    Check { kind: CheckKind, name: &'a str },
    /// It is what the application set.
    Override,
    /// It was evaluated before.
    Remembered,
    /// A rule of a config mapping to another spec is tried.
    Mapping { to: StringId, rule: u32 },
    /// It is a bandit.
    Bandit,
    /// The bandit's choice, with what each group was expected to be worth.
    Choice { choice: Choice, scores: &'a [Option<f64>] },
    /// It is a spec.
    Spec(SpecId),
    /// A rule of the spec.
    Rule(u32),
    /// A condition; without an id, one that the payload does not have.
    Condition(Option<ConditionId>),
    /// Something about the user was looked at.
    Used { name: &'a str, origin: Origin },
    /// What the condition looked at.
    Value(Value<'a>),
    /// Whether the condition holds, unless it is not supported.
    Holds(Option<bool>),
    /// Whether all conditions of the rule hold, unless it is not supported.
    Matches(Option<bool>),
    /// The rule's rollout. The bucket is that of the unit; none where the percentage says it all.
    Rollout { bucket: Option<u16>, unit: Value<'a>, passes: bool },
    /// The check is over; nothing of the name was found, or it failed, where there is no evaluation.
    Done(Option<&'a Evaluation>),
}
