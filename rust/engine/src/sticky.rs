//! Sticky values: results that an application keeps for a unit and that go before the live one.

use crate::eval::{Input, passes_selected};
use crate::evaluation::Evaluation;
use crate::ruleset::{CheckKind, Ruleset, SpecKind, Unit};
use crate::user::UserView;
use crate::value::{Scratch, Value};

/// Rules that decide who is not part of an experiment.
const TARGETING: [&str; 2] = ["targetingGate", "inlineTargetingRules"];
/// How the ids of rules end that put single users into a group.
const OVERRIDE: &str = "override";

/// What a check is given of kept results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given<'a> {
    /// None at all, which means that what is kept is to be removed.
    Nothing,
    /// None under the name that is asked for.
    NoEntry,
    /// One under that name.
    Entry {
        /// The experiment it came from.
        delegate: Option<&'a str>,
    },
}

/// How a check wants kept results to be used.
#[derive(Clone, Copy, Debug)]
pub struct StickyRequest<'a> {
    /// What there is.
    pub given: Given<'a>,
    /// The live result counts for those whom a rule of the experiment puts into a group by hand.
    pub enforce_overrides: bool,
    /// The live result counts for those whom a targeting rule of the experiment leaves out.
    pub enforce_targeting: bool,
}

/// Where a result is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The unit: see [`storage_key`].
    pub key: String,
    /// The spec.
    pub name: String,
}

/// Which result counts, and what is to become of the kept one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StickyDecision {
    /// The live result.
    Live,
    /// The result that was given.
    Kept,
    /// The live result, which is to be kept.
    Save(Slot),
    /// The live result; whatever is kept is to be removed.
    Delete(Slot),
}

/// `⟨id⟩:⟨id type⟩`, under which the results of a unit are kept. None if the user has no such id.
#[must_use]
pub fn storage_key(user: &UserView<'_>, id_type: &str) -> Option<String> {
    let unit = Unit::new(id_type);
    match unit.of(user) {
        // A user without an id is one whose id is empty.
        Value::Null if matches!(unit, Unit::UserId) => Some(format!(":{id_type}")),
        id => id.text(&mut Scratch::new()).map(|id| format!("{id}:{id_type}")),
    }
}

/// Decides for an experiment or layer, of which `live` is the evaluation with the same arguments.
///
/// Kept results do not apply to what the application set itself and to bandits. Where a config mapping
/// took part, a result is kept under the name that is mapped to, and never used.
#[must_use]
pub fn decide_sticky(
    ruleset: &Ruleset,
    kind: CheckKind,
    name: &str,
    input: &Input<'_>,
    live: &Evaluation,
    request: &StickyRequest<'_>,
) -> StickyDecision {
    let (Some(origin), Some(id_type)) = (live.origin, live.id_type) else {
        return StickyDecision::Live;
    };
    let Some(key) = storage_key(&input.user, ruleset.string(id_type)) else {
        return StickyDecision::Live;
    };
    let slot = Slot { key, name: ruleset.string(ruleset.spec(origin).name).to_owned() };
    let entry = match request.given {
        Given::Nothing => return StickyDecision::Delete(slot),
        Given::Entry { delegate } if slot.name == name => Some(delegate),
        Given::Entry { .. } | Given::NoEntry => None,
    };
    // A layer's result is one of the experiment it came from, whatever the layer delegates to by now.
    let (experiment, is_active) = match (kind, entry) {
        (CheckKind::Layer, Some(delegate)) => {
            let spec = delegate.and_then(|name| ruleset.find(SpecKind::Config, name));
            (spec, spec.and_then(|id| ruleset.spec(id).is_active).unwrap_or(live.is_active))
        }
        (CheckKind::Layer, None) => (None, live.is_active),
        _ => (Some(origin), live.is_active),
    };
    if !is_active {
        return StickyDecision::Delete(slot);
    }
    if entry.is_none() {
        return if live.is_group { StickyDecision::Save(slot) } else { StickyDecision::Live };
    }
    let passes =
        |select: fn(&str) -> bool| experiment.is_some_and(|id| passes_selected(ruleset, id, input, select));
    let is_live = (request.enforce_targeting && passes(|id| TARGETING.contains(&id)))
        || (request.enforce_overrides && passes(|id| id.ends_with(OVERRIDE)));
    if is_live { StickyDecision::Live } else { StickyDecision::Kept }
}
