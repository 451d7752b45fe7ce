//! Contextual multi-armed bandits (CMAB): experiments that prefer the group that did best for users like
//! this one.

use hashbrown::HashMap;

use crate::compile::Hasher;
use crate::ruleset::{Field, GateRef, StringId, UnitId, ValueId};
use crate::sha256::Prefix;
use crate::value::{Scratch, Value};

/// Explored users are those whose bucket, 0 to 9,999, is below the sample rate.
const BUCKETS: u64 = 10_000;

#[derive(Debug)]
pub(crate) struct Bandit {
    pub(crate) prefix: Prefix,
    pub(crate) unit: UnitId,
    pub(crate) id_type: StringId,
    pub(crate) version: u32,
    pub(crate) enabled: bool,
    pub(crate) default_value: ValueId,
    pub(crate) targeting: Option<GateRef>,
    pub(crate) sample_rate: f64,
    pub(crate) higher_is_better: bool,
    /// False while nothing was learned yet: then every group gets the same share.
    pub(crate) learned: bool,
    pub(crate) arms: Box<[Arm]>,
    /// The apps whose client SDKs are told about it.
    pub(crate) target_apps: Box<[StringId]>,
}

/// A group.
#[derive(Debug)]
pub(crate) struct Arm {
    pub(crate) rule: StringId,
    pub(crate) group: StringId,
    pub(crate) value: ValueId,
    /// Of a random choice: the fewer records of a group there are, the more likely it is tried.
    pub(crate) share: f64,
    /// None if nothing is known of the group.
    pub(crate) model: Option<Model>,
}

/// The weight of each text a field may have.
pub(crate) type TextWeights = HashMap<Box<str>, f64, Hasher>;

/// How good a group is expected to be: a sum over what is known of the user.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) base: f64,
    pub(crate) by_text: Box<[(Field, TextWeights)]>,
    pub(crate) by_number: Box<[(Field, f64)]>,
}

impl Model {
    fn score<'a>(&self, field: &impl Fn(&Field) -> Value<'a>) -> f64 {
        let mut scratch = Scratch::new();
        let mut score = self.base;
        for (name, weights) in &self.by_text {
            let weight = field(name).text(&mut scratch).and_then(|text| weights.get(text));
            score += weight.copied().unwrap_or(0.0);
        }
        for (name, weight) in &self.by_number {
            score += field(name).number().map_or(0.0, |number| number * weight);
        }
        score
    }
}

/// Which group a user gets, and whether by chance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub(crate) arm: usize,
    pub(crate) explored: bool,
}

impl Bandit {
    /// `random` is looked at only where the choice is left to chance. There must be an arm.
    pub(crate) fn choose<'a>(&self, unit: &str, random: u64, field: impl Fn(&Field) -> Value<'a>) -> Choice {
        let bucket = (self.prefix.finish(unit.as_bytes()) % BUCKETS) as f64;
        if !self.learned {
            let width = BUCKETS as f64 / self.arms.len() as f64;
            // Not negative, and below the number of arms but for rounding.
            #[allow(clippy::cast_sign_loss)]
            let arm = ((bucket / width) as usize).min(self.arms.len() - 1);
            return Choice { arm, explored: true };
        }
        let explored = bucket < self.sample_rate * BUCKETS as f64;
        let best = if explored { None } else { self.best(&field) };
        // Chance also decides where nothing is known of any group, but that does not count as exploring.
        Choice { arm: best.unwrap_or_else(|| self.sample(random)), explored }
    }

    /// What each group is expected to be worth for the user, as far as anything is known of it.
    pub(crate) fn scores<'a>(
        &self,
        field: impl Fn(&Field) -> Value<'a>,
    ) -> impl Iterator<Item = Option<f64>> {
        self.arms.iter().map(move |arm| arm.model.as_ref().map(|model| model.score(&field)))
    }

    /// Of equal scores the first counts. Where none is better than the worst there can be, which is so if
    /// all are not a number, it is the first group, whatever is known of it.
    fn best<'a>(&self, field: &impl Fn(&Field) -> Value<'a>) -> Option<usize> {
        let worst = if self.higher_is_better { f64::NEG_INFINITY } else { f64::INFINITY };
        let mut best = None;
        for (index, score) in self.scores(field).enumerate() {
            let Some(score) = score else {
                continue;
            };
            let (_, so_far) = *best.get_or_insert((0, worst));
            let is_better = if self.higher_is_better { score > so_far } else { score < so_far };
            if is_better {
                best = Some((index, score));
            }
        }
        best.map(|(index, _)| index)
    }

    fn sample(&self, random: u64) -> usize {
        let total: f64 = self.arms.iter().map(|arm| arm.share).sum();
        let mut rest = (random >> 11) as f64 / (1u64 << 53) as f64 * total;
        for (index, arm) in self.arms.iter().enumerate() {
            rest -= arm.share;
            if rest < 0.0 {
                return index;
            }
        }
        self.arms.len() - 1
    }
}
