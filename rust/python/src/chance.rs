//! Chance, for what may come out one way or the other.

use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

/// Random bits: a hash whose key is different in every process and call. The time is what a forked child
/// does not have in common with its parent.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(SystemTime::now())
}
