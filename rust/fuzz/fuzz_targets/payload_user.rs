//! A project and a user grown from the bytes: the engine has to agree with the naive reading of the rules.
#![no_main]

#[path = "../../engine/tests/support/cases.rs"]
mod cases;
#[path = "../../engine/tests/support/comparison.rs"]
mod comparison;
#[path = "../../engine/tests/support/naive.rs"]
mod naive;
#[path = "../../engine/tests/support/spelling.rs"]
mod spelling;
#[path = "../../engine/tests/support/mod.rs"]
mod support;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(difference) = comparison::compare(&cases::case(bytes)) {
        panic!("{difference}");
    }
});
