//! What `benches/instructions/count.py` counts under callgrind: each case is a function that is called often.

#![allow(clippy::expect_used, clippy::panic, reason = "a bench that cannot start says why")]

#[path = "support/mod.rs"]
mod support;

use statsig_engine::{
    Basis, CheckKind, Event, EventLimits, EventLog, EventUser, Exposed, Input, Origin, PackedUser, Ruleset,
    UserView, decide, evaluate, write_event,
};
use std::hint::black_box;
use std::sync::Arc;
use support::{CASES, bare_user, payload, ruleset, user};

const ROUNDS: u32 = 500;

struct Loaded(Ruleset);

impl Basis for Loaded {
    fn origin(&self) -> Origin<'_> {
        Origin { ruleset: &self.0, source: "Bench", received_at: 0 }
    }
}

struct Kept(Arc<PackedUser>);

impl EventUser for Kept {
    fn view(&self) -> UserView<'_> {
        self.0.view()
    }
}

type Log = EventLog<Arc<Loaded>, Kept>;

struct Bench {
    loaded: Arc<Loaded>,
    nobody: PackedUser,
    log: Log,
}

impl Bench {
    fn new() -> Self {
        let limits =
            EventLimits { batch_size: 100_000, capacity: 100_000, window_ms: 60_000, max_keys: 100_000 };
        Self {
            loaded: Arc::new(Loaded(ruleset(&payload()))),
            nobody: PackedUser::default(),
            log: EventLog::new(limits),
        }
    }

    /// A check as the binding makes it: by decision, where the spec allows it.
    #[inline]
    fn check(&self, (kind, name): (CheckKind, &str), user: &PackedUser) -> bool {
        let ruleset = &self.loaded.0;
        let spec = ruleset.find(kind.specs(), black_box(name)).expect("it is in the payload");
        ruleset
            .constant(spec)
            .unwrap_or_else(|| decide(ruleset, spec, &Input::new(user.view(), self.nobody.view())))
            .passes()
    }

    #[inline]
    fn exposed_check(&mut self, (kind, name): (CheckKind, &str), user: &Arc<PackedUser>) -> bool {
        let ruleset = &self.loaded.0;
        let spec = ruleset.find(kind.specs(), black_box(name)).expect("it is in the payload");
        let decision = ruleset
            .constant(spec)
            .unwrap_or_else(|| decide(ruleset, spec, &Input::new(user.view(), self.nobody.view())));
        let key = decision.exposure_key(ruleset, &user.view());
        if self.log.is_new(key, 1, None) {
            let evaluation = decision.evaluation(ruleset);
            let exposed = Exposed::new(ruleset, kind, name, &evaluation, user.view());
            let keep = || (1, Arc::clone(&self.loaded), Some(Kept(Arc::clone(user))));
            drop(self.log.take_in(&exposed, key, 1, keep));
        }
        decision.passes()
    }
}

macro_rules! cases {
    ($($case:literal: $reuse:ident, $exposed:ident, $fresh:ident, $whole:ident;)*) => {
        $(
            #[inline(never)]
            fn $reuse(bench: &Bench, user: &PackedUser) -> bool {
                bench.check(CASES[$case], user)
            }

            /// Exposed before.
            #[inline(never)]
            fn $exposed(bench: &mut Bench, user: &Arc<PackedUser>) -> bool {
                // Or it would be one function with the next.
                black_box(stringify!($exposed));
                bench.exposed_check(CASES[$case], user)
            }

            /// Exposed for the first time.
            #[inline(never)]
            fn $fresh(bench: &mut Bench, user: &Arc<PackedUser>) -> bool {
                bench.exposed_check(CASES[$case], user)
            }

            /// As where a spec is not plain.
            #[inline(never)]
            fn $whole(bench: &Bench, user: &PackedUser) -> bool {
                let (kind, name) = CASES[$case];
                let input = Input::new(user.view(), bench.nobody.view());
                evaluate(&bench.loaded.0, kind, black_box(name), &input).passes
            }
        )*

        fn run(bench: &mut Bench, known: &Arc<PackedUser>, others: &[Arc<PackedUser>]) {
            $(
                $exposed(bench, known);
                drop(bench.log.clear());
                bench.exposed_check(CASES[$case], known);
                for other in others {
                    black_box($reuse(bench, known));
                    black_box($exposed(bench, known));
                    black_box($fresh(bench, other));
                    black_box($whole(bench, known));
                }
            )*
        }
    };
}

cases! {
    0: case_a_reuse, case_a_reuse_exposed, case_a_new_exposure, case_a_whole;
    1: case_b_reuse, case_b_reuse_exposed, case_b_new_exposure, case_b_whole;
    2: case_c_reuse, case_c_reuse_exposed, case_c_new_exposure, case_c_whole;
    3: case_d_reuse, case_d_reuse_exposed, case_d_new_exposure, case_d_whole;
}

#[inline(never)]
fn case_user_of_an_id(number: u32) -> PackedUser {
    bare_user(number)
}

#[inline(never)]
fn case_user_with_attributes(number: u32) -> PackedUser {
    user(number)
}

#[inline(never)]
fn case_event_as_json(out: &mut String, event: &Event<Arc<Loaded>, Kept>, nobody: &PackedUser) {
    out.clear();
    write_event(out, event, &statsig_engine::Application { global: nobody.view(), tier: Some("production") });
}

fn main() {
    let mut bench = Bench::new();
    let others: Vec<_> = (1..=ROUNDS).map(|number| Arc::new(case_user_with_attributes(number))).collect();
    for number in 0..ROUNDS {
        black_box(case_user_of_an_id(number));
    }
    run(&mut bench, &Arc::new(user(0)), &others);
    let mut out = String::with_capacity(4096);
    for event in &bench.log.take(100, 1) {
        case_event_as_json(&mut out, event, &bench.nobody);
    }
}
