//! What an evaluation comes to: ids into the ruleset, no text.

use smallvec::SmallVec;

use crate::overrides::Overrides;
use crate::ruleset::{Ruleset, SpecId, StringId, ValueId};

/// A nested gate that was met on the way, in the order met; duplicates are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SecondaryExposure {
    /// Name of the gate.
    pub gate: StringId,
    /// Its value, before a `fail_gate` turns it round.
    pub value: bool,
    /// The rule that decided it.
    pub rule: StringId,
}

/// The secondary exposures of one evaluation.
pub type Exposures = SmallVec<[SecondaryExposure; 8]>;

/// How an evaluation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The spec was found and evaluated.
    Recognized,
    /// There is no such spec.
    Unrecognized,
    /// A condition is of a kind or has an operator that is not supported; the result is what was left
    /// at that point, as in the reference.
    Unsupported,
    /// Nested deeper than [`crate::MAX_NESTED_GATES`], [`crate::MAX_LEVELS`] or [`crate::MAX_DEPTH`]: a cycle,
    /// most likely.
    TooDeep,
}

/// What the reason of a result is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How the evaluation ended.
    pub reason: Reason,
    /// True if the value is one the application set itself.
    pub is_override: bool,
    /// True if membership of an ID list was looked up.
    pub id_list_lookup: bool,
    /// True if the country of an address was wanted and there was no table to look it up in.
    pub country_not_loaded: bool,
}

impl Standing {
    /// That of an evaluation that ended as it should, with nothing else to be said of it.
    pub(crate) const RECOGNIZED: Self = Self {
        reason: Reason::Recognized,
        is_override: false,
        id_list_lookup: false,
        country_not_loaded: false,
    };

    /// The reason of what the application sets itself, whatever is loaded.
    pub const LOCAL_OVERRIDE: &str = "LocalOverride:Recognized";

    /// Appends the reason in the official form `source:outcome[:suffix]`.
    pub fn write_reason(&self, out: &mut String, source: &str) {
        let outcome = match self.reason {
            _ if self.is_override => {
                out.push_str(Self::LOCAL_OVERRIDE);
                return;
            }
            Reason::TooDeep => {
                out.push_str("Error:Statsig Evaluation Depth Exceeded");
                return;
            }
            Reason::Recognized | Reason::Unsupported if self.country_not_loaded => {
                out.push_str("CountryLookupNotLoaded:Recognized");
                return;
            }
            Reason::Recognized if self.id_list_lookup => ":Recognized:IdListInMemory",
            Reason::Recognized => ":Recognized",
            Reason::Unrecognized => ":Unrecognized",
            Reason::Unsupported => ":Unsupported",
        };
        out.push_str(source);
        out.push_str(outcome);
    }
}

/// A config or layer value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Returned {
    /// No value: unknown or unsupported.
    Nothing,
    /// One value. What is not an object is an empty one as the value of a config or layer.
    One(ValueId),
    /// The values of several rules, each with the id of the rule that owns it: of a parameter in more
    /// than one, the first counts.
    Merged(SmallVec<[(ValueId, StringId); 4]>),
}

/// The exposures of a layer that count for parameters its experiment does not set: all but those from
/// `from` to `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undelegated {
    pub(crate) from: u32,
    pub(crate) to: u32,
}

/// An experiment that was evaluated because a condition looked at the user's group in it.
#[derive(Clone, Debug)]
pub struct GroupCheck {
    /// The experiment, which need not exist.
    pub name: StringId,
    /// What it came to.
    pub evaluation: Box<Evaluation>,
}

/// What an evaluation says about which of its exposures are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Logging {
    /// One in so many, says the rule that decided, if it does not delegate.
    pub(crate) rate: Option<u64>,
    /// All, says the spec.
    pub(crate) forwards_all: bool,
    /// All, because a gate that was met has no rate.
    pub(crate) is_analytical: bool,
}

/// The result of one check.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// How it ended.
    pub reason: Reason,
    /// The value of a gate.
    pub passes: bool,
    /// The value of a config or layer.
    pub value: Returned,
    /// The rule that decided.
    pub rule: StringId,
    /// Its group, if it has one.
    pub group: Option<StringId>,
    /// The spec's id type.
    pub id_type: Option<StringId>,
    /// The spec's version.
    pub version: Option<u32>,
    /// The experiment a layer took its value from.
    pub delegate: Option<SpecId>,
    /// The spec whose explicit parameters count.
    pub explicit: Option<SpecId>,
    /// The spec that took the place of the one that was asked for, or of a nested gate.
    pub mapped: Option<StringId>,
    /// The spec that was evaluated first, of those the result comes from: another than the one that was
    /// asked for after a config mapping.
    pub origin: Option<SpecId>,
    /// True if the value is one the application set itself. The reason then is that one.
    pub is_override: bool,
    /// True if the deciding rule is a group of an experiment.
    pub is_group: bool,
    /// True if the experiment is running.
    pub is_active: bool,
    /// True if the experiment lives in a layer.
    pub in_layer: bool,
    /// True if membership of an ID list was looked up.
    pub id_list_lookup: bool,
    /// True if a condition of the spec or of its delegates, not of nested gates, needed the country of an
    /// address and there was no table to look it up in.
    pub country_not_loaded: bool,
    /// Nested gates that were met.
    pub exposures: Exposures,
    /// Experiments whose group a condition looked at. They count as checked, and are exposed first.
    pub groups: Vec<GroupCheck>,
    /// The rule whose conditions held and which decided, in the ruleset's table of rules.
    pub(crate) decided_by: Option<u32>,
    /// Which of its exposures are logged.
    pub(crate) logging: Logging,
    /// True if a bandit left a choice to chance on the way, also where that choice does not count.
    pub(crate) explored: bool,
    pub(crate) undelegated: Option<Undelegated>,
}

impl Evaluation {
    pub(crate) fn new(reason: Reason) -> Self {
        Self {
            reason,
            passes: false,
            value: Returned::Nothing,
            rule: StringId::EMPTY,
            group: None,
            id_type: None,
            version: None,
            delegate: None,
            explicit: None,
            mapped: None,
            origin: None,
            is_override: false,
            is_group: false,
            is_active: false,
            in_layer: false,
            id_list_lookup: false,
            country_not_loaded: false,
            exposures: Exposures::new(),
            groups: Vec::new(),
            decided_by: None,
            logging: Logging::default(),
            explored: false,
            undelegated: None,
        }
    }

    /// The result for a name that is not in the ruleset, or where there is no ruleset.
    #[must_use]
    pub fn unrecognized() -> Self {
        Self::new(Reason::Unrecognized)
    }

    /// The exposures that count for a layer's parameters outside its experiment. None where the
    /// evaluation ended before they were known.
    #[must_use]
    pub fn undelegated_exposures(&self) -> Option<impl Iterator<Item = &SecondaryExposure>> {
        self.undelegated.map(|cut| {
            let (from, to) = (cut.from as usize, (cut.to as usize).min(self.exposures.len()));
            self.exposures[..from].iter().chain(&self.exposures[to.max(from)..])
        })
    }

    /// What its reason is made of.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing {
            reason: self.reason,
            is_override: self.is_override,
            id_list_lookup: self.id_list_lookup,
            country_not_loaded: self.country_not_loaded,
        }
    }

    /// True if any of the value is one of the overrides.
    #[must_use]
    pub fn has_override_value(&self) -> bool {
        match &self.value {
            Returned::Nothing => false,
            Returned::One(id) => id.override_index().is_some(),
            Returned::Merged(parts) => parts.iter().any(|(id, _)| id.override_index().is_some()),
        }
    }

    /// Which of the merged values holds a parameter, and the rule that owns it.
    #[must_use]
    pub fn find_parameter(
        &self,
        ruleset: &Ruleset,
        overrides: Option<&Overrides>,
        name: &str,
    ) -> Option<(ValueId, StringId)> {
        let holds = |id: ValueId| match id.override_index() {
            Some(index) => overrides
                .and_then(|all| all.value(index))
                .is_some_and(|value| value.keys().any(|key| key == name)),
            None => ruleset.value(id).keys.iter().any(|&key| ruleset.string(key) == name),
        };
        match &self.value {
            Returned::Nothing => None,
            Returned::One(id) => holds(*id).then_some((*id, self.rule)),
            Returned::Merged(parts) => parts.iter().find(|(id, _)| holds(*id)).copied(),
        }
    }
}
