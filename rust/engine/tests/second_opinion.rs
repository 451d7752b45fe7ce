//! The engine against a naive reading of the rules, on projects and users of any make.
#[path = "support/cases.rs"]
mod cases;
#[path = "support/comparison.rs"]
mod comparison;
#[path = "support/naive.rs"]
mod naive;
#[path = "support/spelling.rs"]
mod spelling;
mod support;

use proptest::prelude::*;
use std::fmt;

/// What a case grows from. Its message says all that matters of it.
#[derive(Clone)]
struct Seed(Vec<u8>);

impl fmt::Debug for Seed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} bytes", self.0.len())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_agrees_with_the_second_opinion(seed in prop::collection::vec(any::<u8>(), 2200).prop_map(Seed)) {
        let world = cases::case(&seed.0);
        comparison::compare(&world).map_err(TestCaseError::fail)?;
    }
}
