//! What the engine takes by itself, in time: evaluate, load, encode. Run by `make bench`.

#![allow(clippy::expect_used, clippy::panic, missing_docs, reason = "a bench that cannot start says why")]

#[path = "support/mod.rs"]
mod support;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use statsig_engine::{
    Application, Basis, Event, EventLimits, EventLog, EventUser, Exposed, Input, Origin, PackedUser, Ruleset,
    UserView, compile, decide, evaluate, write_event,
};
use std::hint::black_box;
use std::sync::Arc;
use support::{CASES, bare_user, payload, ruleset, user};

const LETTERS: [&str; 4] = ["A", "B", "C", "D"];

fn evaluation(criterion: &mut Criterion) {
    let (ruleset, known, nobody) = (ruleset(&payload()), user(0), PackedUser::default());
    let mut group = criterion.benchmark_group("evaluate");
    for (letter, (kind, name)) in LETTERS.iter().zip(CASES) {
        let input = Input::new(known.view(), nobody.view());
        group.bench_function(BenchmarkId::new("by decision", letter), |bencher| {
            bencher.iter(|| {
                let spec = ruleset.find(kind.specs(), black_box(name)).expect("it is in the payload");
                ruleset.constant(spec).unwrap_or_else(|| decide(&ruleset, spec, &input)).passes()
            });
        });
        group.bench_function(BenchmarkId::new("at length", letter), |bencher| {
            bencher.iter(|| evaluate(&ruleset, kind, black_box(name), &input).passes);
        });
    }
    group.finish();
    criterion.bench_function("user of an id", |bencher| bencher.iter(|| bare_user(black_box(7))));
    criterion.bench_function("user with attributes", |bencher| bencher.iter(|| user(black_box(7))));
}

fn load(criterion: &mut Criterion) {
    let payload = payload();
    let mut group = criterion.benchmark_group("load");
    group.throughput(Throughput::Bytes(payload.len() as u64)).sample_size(30);
    group.bench_function(format!("{} bytes", payload.len()), |bencher| {
        bencher.iter(|| compile(black_box(&payload)));
    });
    group.finish();
}

struct Loaded(Ruleset);

impl Basis for Loaded {
    fn origin(&self) -> Origin<'_> {
        Origin { ruleset: &self.0, source: "Bench", received_at: 0 }
    }
}

struct Kept(PackedUser);

impl EventUser for Kept {
    fn view(&self) -> UserView<'_> {
        self.0.view()
    }
}

fn encode(criterion: &mut Criterion) {
    let loaded = Arc::new(Loaded(ruleset(&payload())));
    let nobody = PackedUser::default();
    let limits = EventLimits { batch_size: 1000, capacity: 1000, window_ms: 60_000, max_keys: 1000 };
    let mut log: EventLog<Arc<Loaded>, Kept> = EventLog::new(limits);
    for number in 0..1000 {
        let (known, (kind, name)) = (user(number), CASES[1]);
        let input = Input::new(known.view(), nobody.view());
        let evaluation = evaluate(&loaded.0, kind, name, &input);
        let exposed = Exposed::new(&loaded.0, kind, name, &evaluation, known.view());
        let keep = || (1, Arc::clone(&loaded), Some(Kept(user(number))));
        drop(log.take_in(&exposed, exposed.key(), 1, keep));
    }
    let events: Vec<Event<_, _>> = log.take(1000, 1);
    let application = Application { global: nobody.view(), tier: Some("production") };
    criterion.bench_function("encode 1,000 exposures", |bencher| {
        let write = |mut out: String| {
            for event in &events {
                write_event(&mut out, event, &application);
            }
            out
        };
        bencher.iter_batched(|| String::with_capacity(1 << 20), write, BatchSize::LargeInput);
    });
}

criterion_group!(benches, evaluation, load, encode);
criterion_main!(benches);
