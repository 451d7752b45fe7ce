//! Exposures: what a check tells of itself, as ids.

use fastmurmur3::murmur3_x64_128;

use super::Sampled;
use crate::eval::Decision;
use crate::evaluation::{Evaluation, Reason, SecondaryExposure, Standing};
use crate::overrides::Overrides;
use crate::ruleset::{CheckKind, Ruleset, SpecId, SpecKind, StringId};
use crate::user::{AttributeMap, StandardField, UserView};
use crate::value::Scratch;

/// Texts up to this size, in bytes, are part of a key as they are; of longer ones it is their hash.
const LONGEST_IN_KEY: usize = 64;

/// A name: of a spec of the ruleset, or any that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Known(StringId),
    Other(Box<str>),
}

impl Name {
    pub(crate) fn text<'a>(&'a self, ruleset: &'a Ruleset) -> &'a str {
        match self {
            Self::Known(id) => ruleset.string(*id),
            Self::Other(text) => text,
        }
    }
}

/// What an exposure is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Gate,
    /// A dynamic config or an experiment.
    Config {
        /// Whether it is said that the rule passed.
        tells_passed: bool,
    },
    /// A parameter of a layer.
    Layer {
        parameter: Box<str>,
        is_explicit: bool,
        allocated: Option<SpecId>,
    },
}

/// An exposure, as ids of the ruleset it was made with.
#[derive(Clone, Debug)]
pub(crate) struct Exposure {
    pub(crate) subject: Subject,
    pub(crate) name: Name,
    pub(crate) passes: bool,
    pub(crate) is_manual: bool,
    pub(crate) standing: Standing,
    pub(crate) rule: StringId,
    pub(crate) version: Option<u32>,
    pub(crate) mapped: Option<StringId>,
    /// None where the evaluation ended before they were known.
    pub(crate) secondary: Option<Box<[SecondaryExposure]>>,
    pub(crate) sampled: Sampled,
}

/// A check that may be exposed.
#[derive(Clone, Copy, Debug)]
pub struct Exposed<'a> {
    /// What the ids of the evaluation belong to.
    pub ruleset: &'a Ruleset,
    /// What was asked for.
    pub kind: CheckKind,
    /// Its name.
    pub name: &'a str,
    /// What it came to.
    pub evaluation: &'a Evaluation,
    /// Whom it is about.
    pub user: UserView<'a>,
    /// What the application sets itself.
    pub overrides: Option<&'a Overrides>,
    /// The parameter that was read, of a layer.
    pub parameter: Option<&'a str>,
    /// The application asked for the exposure, not for the result.
    pub is_manual: bool,
    /// It was made for something else: for a condition on the group, or for a parameter of a store.
    pub is_part: bool,
}

impl<'a> Exposed<'a> {
    /// A check without anything special about it.
    #[must_use]
    pub fn new(
        ruleset: &'a Ruleset,
        kind: CheckKind,
        name: &'a str,
        evaluation: &'a Evaluation,
        user: UserView<'a>,
    ) -> Self {
        Self {
            ruleset,
            kind,
            name,
            evaluation,
            user,
            overrides: None,
            parameter: None,
            is_manual: false,
            is_part: false,
        }
    }

    /// True if the reference goes on without the result, and tells of it as if no rule had matched.
    fn is_given_up(&self) -> bool {
        self.is_part
            && self.evaluation.reason == Reason::TooDeep
            && matches!(self.kind, CheckKind::Config | CheckKind::Experiment)
    }

    /// The rule the exposure names: of merged values, that of the parameter, if it was read.
    pub(crate) fn rule(&self) -> StringId {
        if self.is_given_up() {
            return StringId::DEFAULT;
        }
        let of_parameter = self.parameter.filter(|_| !self.is_manual).and_then(|parameter| {
            self.evaluation.find_parameter(self.ruleset, self.overrides, parameter).map(|(_, rule)| rule)
        });
        of_parameter.unwrap_or(self.evaluation.rule)
    }

    /// See [`exposure_key`].
    #[inline]
    #[must_use]
    pub fn key(&self) -> u128 {
        let prefix = self.compiled_prefix().unwrap_or_else(|| {
            exposure_prefix(self.kind.specs(), self.name, self.ruleset.string(self.rule()))
        });
        key_after(prefix, self.evaluation.passes, self.parameter, &self.user)
    }

    /// For how long it is not repeated, in ms, if the project says so.
    #[inline]
    #[must_use]
    pub fn window_ms(&self) -> Option<u64> {
        self.ruleset.exposure_window_ms()
    }

    /// What the ruleset knows of the key, where a rule of the spec that was asked for decided, or none did.
    #[inline]
    fn compiled_prefix(&self) -> Option<u128> {
        let evaluation = self.evaluation;
        let spec = self.ruleset.spec(evaluation.origin?);
        if spec.kind != self.kind.specs() || self.ruleset.string(spec.name) != self.name {
            return None;
        }
        let (rule, prefix) = match evaluation.decided_by {
            Some(index) if spec.rules.contains(&index) => {
                let rule = &self.ruleset.rules[index as usize];
                (rule.id, rule.exposure_prefix)
            }
            Some(_) => return None,
            None => (spec.fallback_rule(), spec.fallback_prefix),
        };
        (self.parameter.is_none() && rule == evaluation.rule).then_some(prefix)
    }

    /// Equal for exposures of the same rule of the same spec, to whomever.
    pub(crate) fn rule_key(&self) -> u128 {
        exposure_prefix(self.kind.specs(), self.name, self.ruleset.string(self.rule()))
    }

    fn spec(&self) -> Option<SpecId> {
        let named = |id: &SpecId| self.ruleset.string(self.ruleset.spec(*id).name) == self.name;
        self.evaluation.origin.filter(named).or_else(|| self.ruleset.find(self.kind.specs(), self.name))
    }

    /// True if it is never sampled away.
    pub(crate) fn is_always_logged(&self) -> bool {
        self.evaluation.logging.is_analytical || self.evaluation.logging.forwards_all
    }

    /// Of exposures like this, one in so many is logged; None for all.
    pub(crate) fn sampling_rate(&self) -> Option<u64> {
        let rule = if self.is_part { self.evaluation.rule } else { self.rule() };
        let special = match self.ruleset.string(rule) {
            "" | "default" | "disabled" => self.ruleset.sampling.special_rate,
            _ => None,
        };
        special.or(self.evaluation.logging.rate)
    }

    #[cold]
    pub(crate) fn exposure(&self, sampled: Sampled) -> Exposure {
        let evaluation = self.evaluation;
        let name = match self.spec() {
            Some(id) => Name::Known(self.ruleset.spec(id).name),
            None => Name::Other(self.name.into()),
        };
        let mut secondary = (evaluation.reason != Reason::TooDeep || self.is_given_up())
            .then(|| evaluation.exposures.as_slice().into());
        let subject = match self.kind {
            CheckKind::Gate => Subject::Gate,
            CheckKind::Config => Subject::Config { tells_passed: !self.is_given_up() },
            CheckKind::Experiment => Subject::Config { tells_passed: !self.is_manual && !self.is_part },
            CheckKind::Layer => {
                let parameter = self.parameter.unwrap_or_default();
                let mut explicit =
                    evaluation.explicit.and_then(|spec| self.ruleset.explicit_parameters(spec));
                let is_explicit = explicit.as_mut().is_some_and(|all| all.any(|name| name == parameter));
                if !is_explicit {
                    secondary = evaluation.undelegated_exposures().map(|all| all.copied().collect());
                    if self.is_part {
                        secondary = secondary.or_else(|| Some(Box::default()));
                    }
                }
                let allocated = evaluation.delegate.filter(|_| is_explicit);
                Subject::Layer { parameter: parameter.into(), is_explicit, allocated }
            }
        };
        Exposure {
            subject,
            name,
            passes: evaluation.passes,
            is_manual: self.is_manual,
            standing: evaluation.standing(),
            rule: self.rule(),
            version: evaluation.version,
            // As in the reference, reading a parameter of a layer does not tell.
            mapped: evaluation
                .mapped
                .filter(|_| self.kind != CheckKind::Layer || self.is_manual || self.is_part),
            secondary,
            sampled,
        }
    }
}

impl Exposure {
    /// What [`Exposed::exposure`] makes of a decision. None of a layer, whose parameters are exposed.
    #[inline]
    pub(crate) fn of_decision(
        ruleset: &Ruleset,
        kind: CheckKind,
        decision: &Decision,
        is_manual: bool,
    ) -> Option<Self> {
        let spec = ruleset.spec(decision.spec());
        let subject = match kind {
            CheckKind::Gate => Subject::Gate,
            CheckKind::Config => Subject::Config { tells_passed: true },
            CheckKind::Experiment => Subject::Config { tells_passed: !is_manual },
            CheckKind::Layer => return None,
        };
        Some(Self {
            subject,
            name: Name::Known(spec.name),
            passes: decision.passes(),
            is_manual,
            standing: Standing::RECOGNIZED,
            rule: decision.rule_id(ruleset),
            version: spec.version,
            mapped: None,
            secondary: Some(Box::default()),
            sampled: Sampled::WHOLE,
        })
    }
}

/// Equal for exposures that say the same: of the same spec, rule and value, to the same ids. The same in every
/// process.
#[must_use]
pub fn exposure_key(
    kind: CheckKind,
    passes: bool,
    name: &str,
    rule: &str,
    parameter: Option<&str>,
    user: &UserView<'_>,
) -> u128 {
    key_after(exposure_prefix(kind.specs(), name, rule), passes, parameter, user)
}

/// The part of a key that is the same for everybody.
pub(crate) fn exposure_prefix(kind: SpecKind, name: &str, rule: &str) -> u128 {
    let mut key = Key::new();
    key.push(kind as u8, &[]);
    key.text(name);
    key.text(rule);
    key.hash()
}

/// The key of an exposure without a parameter.
#[inline]
pub(crate) fn exposure_key_after(prefix: u128, passes: bool, user: &UserView<'_>) -> u128 {
    key_after(prefix, passes, None, user)
}

#[inline]
fn key_after(prefix: u128, passes: bool, parameter: Option<&str>, user: &UserView<'_>) -> u128 {
    let mut key = Key::new();
    key.push(u8::from(passes), &prefix.to_le_bytes());
    if let Some(parameter) = parameter {
        key.text(parameter);
    }
    key.user(user);
    key.hash()
}

/// What a key is the hash of: at most two texts, and 16 bytes twice.
struct Key {
    bytes: [u8; Self::ROOM],
    len: usize,
}

impl Key {
    const ROOM: usize = 2 * (1 + LONGEST_IN_KEY) + 2 * (1 + size_of::<u128>());

    #[inline]
    fn new() -> Self {
        Self { bytes: [0; Self::ROOM], len: 0 }
    }

    #[inline]
    fn text(&mut self, text: &str) {
        if text.len() > LONGEST_IN_KEY {
            self.push(u8::MAX, &murmur3_x64_128(text.as_bytes(), 0).to_le_bytes());
        } else {
            self.push(text.len() as u8, text.as_bytes());
        }
    }

    #[inline]
    fn push(&mut self, tag: u8, bytes: &[u8]) {
        self.bytes[self.len] = tag;
        let start = self.len + 1;
        self.len = start + bytes.len();
        self.bytes[start..self.len].copy_from_slice(bytes);
    }

    /// The ids, of which neither order nor spelling as a number matters.
    #[inline]
    fn user(&mut self, user: &UserView<'_>) {
        self.text(user.standard(StandardField::UserId).unwrap_or_default());
        if user.attributes(AttributeMap::CustomIds).len() > 0 {
            self.custom_ids(user);
        }
    }

    fn custom_ids(&mut self, user: &UserView<'_>) {
        let mut scratch = Scratch::new();
        let sum = user.attributes(AttributeMap::CustomIds).fold(0u128, |sum, (name, value)| {
            let mut id = Self::new();
            id.text(name);
            id.text(value.text(&mut scratch).unwrap_or_default());
            sum.wrapping_add(id.hash())
        });
        self.push(0, &sum.to_le_bytes());
    }

    fn hash(&self) -> u128 {
        murmur3_x64_128(&self.bytes[..self.len], 0)
    }
}
