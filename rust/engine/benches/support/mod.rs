//! The project and the users that benches are about; `benches/cases.py` says what each case is.

use statsig_engine::{
    AttributeMap, CheckKind, Compiled, PackedUser, Ruleset, StandardField, UserBuilder, compile,
};

/// The four cases: what is asked for, and its name.
pub(crate) const CASES: [(CheckKind, &str); 4] = [
    (CheckKind::Gate, "case_everybody"),
    (CheckKind::Gate, "case_half"),
    (CheckKind::Gate, "case_targeted"),
    (CheckKind::Experiment, "case_experiment"),
];

/// The payload, which is written by `benches/cases.py` to where the environment says.
pub(crate) fn payload() -> Vec<u8> {
    let path = std::env::var_os("STATSIG_BENCH_PAYLOAD").expect(
        "STATSIG_BENCH_PAYLOAD is not set: benches are run by `make bench` or `make bench-instructions`",
    );
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn ruleset(payload: &[u8]) -> Ruleset {
    match compile(payload) {
        Ok(Compiled::Ruleset(ruleset)) => *ruleset,
        other => panic!("no ruleset: {other:?}"),
    }
}

/// A user with nothing but an id.
pub(crate) fn bare_user(number: u32) -> PackedUser {
    PackedUser::of_id(&format!("user-{number:07}")).expect("it is not 4 GiB")
}

/// A user who meets the conditions of the third case.
pub(crate) fn user(number: u32) -> PackedUser {
    let mut builder = UserBuilder::new();
    builder.standard(StandardField::UserId, &format!("user-{number:07}"));
    builder.standard(StandardField::Country, "NZ");
    builder.standard(StandardField::AppVersion, "2.10.3");
    builder.begin(AttributeMap::Custom, 2);
    builder.text("plan", "pro");
    builder.int("seats", 12);
    builder.finish().expect("it is not 4 GiB")
}
