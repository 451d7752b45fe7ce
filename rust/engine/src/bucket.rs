//! Which bucket a unit falls into.
//!
//! Pass percentages hash `⟨spec salt⟩.⟨rule salt⟩.⟨unit id⟩` into 10,000 buckets, user buckets hash
//! `⟨salt⟩.⟨unit id⟩` into 1,000. Everything before the unit id is known when specs are compiled.

use crate::sha256::Prefix;

const PASS_BUCKETS: u16 = 10_000;
const USER_BUCKETS: u64 = 1_000;

/// Whether a rule whose conditions hold also passes its rollout.
#[derive(Clone, Debug)]
pub(crate) enum Rollout {
    Always,
    Never,
    /// Passes if the bucket, 0 to 9,999, is below `threshold`.
    Below {
        threshold: u16,
        prefix: Box<Prefix>,
    },
}

impl Rollout {
    /// `percentage` is compared as `bucket < percentage × 100.0` in f64, without rounding. For a whole
    /// bucket number that is the same as `bucket < ceil(percentage × 100.0)`.
    pub(crate) fn new(percentage: f64, spec_salt: &str, rule_salt: &str) -> Self {
        let threshold = (percentage * 100.0).ceil();
        if threshold <= 0.0 {
            Self::Never
        } else if threshold >= f64::from(PASS_BUCKETS) {
            Self::Always
        } else {
            Self::Below {
                // Between 1 and 9,999 by the two checks above.
                #[allow(clippy::cast_sign_loss)]
                threshold: threshold as u16,
                prefix: Box::new(Prefix::new(format!("{spec_salt}.{rule_salt}.").as_bytes())),
            }
        }
    }

    pub(crate) fn passes<'a>(&self, unit: impl FnOnce() -> &'a str) -> bool {
        self.includes(self.bucket(unit))
    }

    /// The unit's bucket, 0 to 9,999, if it matters.
    pub(crate) fn bucket<'a>(&self, unit: impl FnOnce() -> &'a str) -> Option<u16> {
        match self {
            Self::Always | Self::Never => None,
            Self::Below { prefix, .. } => {
                Some((prefix.finish(unit().as_bytes()) % u64::from(PASS_BUCKETS)) as u16)
            }
        }
    }

    pub(crate) fn includes(&self, bucket: Option<u16>) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Below { threshold, .. } => bucket.is_some_and(|bucket| bucket < *threshold),
        }
    }
}

/// The salted hash behind `user_bucket` conditions.
pub(crate) fn user_bucket_prefix(salt: &str) -> Prefix {
    Prefix::new(format!("{salt}.").as_bytes())
}

/// The unit's bucket, 0 to 999.
pub(crate) fn user_bucket(prefix: &Prefix, unit: &str) -> i64 {
    (prefix.finish(unit.as_bytes()) % USER_BUCKETS).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::{Rollout, user_bucket, user_bucket_prefix};

    /// Buckets computed by hand from the SHA-256 of the text in the comment.
    #[test]
    fn known_buckets() {
        let passes = |percentage, spec, rule, unit| Rollout::new(percentage, spec, rule).passes(|| unit);
        // salt.rs-r.u is in bucket 8115; salt.r. (no unit id) in 6773.
        assert!(!passes(81.15 - 0.01, "salt", "rs-r", "u"));
        assert!(passes(81.15, "salt", "rs-r", "u"));
        assert!(!passes(67.73, "salt", "r", ""));
        assert!(passes(67.74, "salt", "r", ""));
        assert_eq!(user_bucket(&user_bucket_prefix("layer-salt"), "user-123"), 737);
        assert_eq!(user_bucket(&user_bucket_prefix(""), "u"), 50);
    }

    #[test]
    fn percentages_outside_the_range() {
        for (percentage, expected) in [(1000.0, true), (100.0, true), (0.0, false), (-5.0, false)] {
            assert_eq!(Rollout::new(percentage, "s", "r").passes(|| "u"), expected, "{percentage}");
        }
    }
}
