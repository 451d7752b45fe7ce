//! Events that wait: what is taken in, what repeats another, what is dropped, and how they are written.
mod support;

use proptest::prelude::*;
use serde_json::{Value, json};
use statsig_engine::{
    Application, Basis, CheckKind, Event, EventCounts, EventLimits, EventLog, EventUser, EventValue, Exposed,
    Input, Origin, PackedUser, UserView, Waiting, custom_event, decide, evaluate, write_event,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use support::{NOW, Project, conditions, experiment, gate, layer, payload, rule, user};

const TIME: u64 = 1_700_000_000_000;

/// What exposures rest on.
struct Known(Project);

impl Basis for Known {
    fn origin(&self) -> Origin<'_> {
        Origin { ruleset: &self.0.0, source: "Test", received_at: 7 }
    }
}

struct Kept(Arc<PackedUser>);

impl EventUser for Kept {
    fn view(&self) -> UserView<'_> {
        self.0.view()
    }
}

type Log = EventLog<Arc<Known>, Kept>;

fn limits(batch_size: usize, capacity: usize, max_keys: usize) -> EventLimits {
    EventLimits { batch_size, capacity, window_ms: 60_000, max_keys }
}

fn log() -> Log {
    EventLog::new(limits(100, 1000, 1000))
}

fn somebody(number: u32) -> Arc<PackedUser> {
    Arc::new(user(&json!({"userID": format!("user-{number}"), "privateAttributes": {"secret": "hidden"}})))
}

/// Checks something, and takes its exposure in as whoever evaluates does.
fn expose(
    log: &mut Log,
    known: &Arc<Known>,
    (kind, name): (CheckKind, &str),
    user: &Arc<PackedUser>,
    now: u64,
) -> Waiting<Event<Arc<Known>, Kept>> {
    let nobody = PackedUser::default();
    let input = Input { now: NOW, ..Input::new(user.view(), nobody.view()) };
    let evaluation = evaluate(&known.0.0, kind, name, &input);
    let mut exposed = Exposed::new(&known.0.0, kind, name, &evaluation, user.view());
    if kind == CheckKind::Layer {
        exposed.parameter = Some("a");
    }
    let key = exposed.key();
    if !log.is_new(key, now, exposed.window_ms()) {
        return Waiting::nothing();
    }
    log.take_in(&exposed, key, now, || (TIME, Arc::clone(known), Some(Kept(Arc::clone(user)))))
}

fn custom(log: &mut Log, name: &str) -> Waiting<Event<Arc<Known>, Kept>> {
    let members = custom_event(name, EventValue::Nothing, None);
    log.push(Event::written(TIME, None, None, members))
}

fn written(event: &Event<Arc<Known>, Kept>) -> Value {
    written_for(event, Some("test"))
}

fn written_for(event: &Event<Arc<Known>, Kept>, tier: Option<&str>) -> Value {
    let nobody = PackedUser::default();
    let mut out = String::new();
    write_event(&mut out, event, &Application { global: nobody.view(), tier });
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error} in {out}"))
}

fn names(events: &[Event<Arc<Known>, Kept>]) -> Vec<String> {
    let name = |event| written(event)["eventName"].as_str().unwrap_or_default().to_owned();
    events.iter().map(name).collect()
}

/// Gates `g0` to `g9`, an experiment and a layer; `parts` are set on the top level.
fn project(parts: Value, rule_changes: Value) -> Arc<Known> {
    let everybody = rule("r", json!(["always"]), rule_changes.clone());
    let gates: serde_json::Map<_, _> =
        (0..10).map(|number| (format!("g{number}"), gate(json!([everybody]), json!({})))).collect();
    let one = support::with(json!({"returnValue": {"a": 1}}), rule_changes);
    let specs = json!({
        "condition_map": conditions(&[]),
        "feature_gates": gates,
        "dynamic_configs": {"e": experiment(json!([rule("r", json!(["always"]), one.clone())]), json!({"version": 3}))},
        "layer_configs": {"l": layer(json!([rule("r", json!(["always"]), one)]), json!({}))},
    });
    Arc::new(Known(Project::new(&support::with(payload(specs), parts))))
}

fn plain() -> Arc<Known> {
    project(json!({}), json!({}))
}

/// The exposure of what one rule decides, made without an evaluation.
fn decided(
    known: &Arc<Known>,
    (kind, name): (CheckKind, &str),
    user: &Arc<PackedUser>,
    is_manual: bool,
) -> Option<Event<Arc<Known>, Kept>> {
    let (ruleset, nobody) = (&known.0.0, PackedUser::default());
    let spec = ruleset.find(kind.specs(), name).filter(|&spec| ruleset.is_plain(spec))?;
    let decision = decide(ruleset, spec, &Input { now: NOW, ..Input::new(user.view(), nobody.view()) });
    Event::of_decision(Arc::clone(known), kind, &decision, is_manual, || (TIME, Kept(Arc::clone(user)))).ok()
}

#[test]
fn a_decision_is_exposed_as_its_evaluation_is() {
    let half = json!({"passPercentage": 50, "groupName": "Half", "samplingRate": 7});
    let always = rule("r", json!(["always"]), half);
    let plan = json!({"plan": support::user_field("plan", "any", json!(["pro"]))});
    let only = |value: Value| rule("only", json!(["plan"]), json!({"returnValue": value}));
    let specs = json!({
        "condition_map": support::with(conditions(&[]), plan),
        "feature_gates": {
            "half": gate(json!([always]), json!({"version": 4})),
            "none": gate(json!([]), json!({})),
            "plan": gate(json!([only(json!(true)), always]), json!({})),
        },
        "dynamic_configs": {
            "e": experiment(json!([only(json!({"a": 1}))]), json!({"version": 3, "isActive": true})),
        },
    });
    let known = Arc::new(Known(Project::new(&payload(specs))));
    let mut compared = 0;
    for number in 0..40 {
        let plan = ["pro", "free"][number % 2];
        let user = Arc::new(user(&json!({"userID": format!("user-{number}"), "custom": {"plan": plan}})));
        for name in ["half", "none", "plan", "e"] {
            let kinds: &[_] =
                if name == "e" { &[CheckKind::Config, CheckKind::Experiment] } else { &[CheckKind::Gate] };
            for (&kind, is_manual) in kinds.iter().flat_map(|kind| [(kind, false), (kind, true)]) {
                let Some(event) = decided(&known, (kind, name), &user, is_manual) else {
                    continue;
                };
                let nobody = PackedUser::default();
                let input = Input { now: NOW, ..Input::new(user.view(), nobody.view()) };
                let evaluation = evaluate(&known.0.0, kind, name, &input);
                let exposed =
                    Exposed { is_manual, ..Exposed::new(&known.0.0, kind, name, &evaluation, user.view()) };
                let mut log = log();
                let keep = || (TIME, Arc::clone(&known), Some(Kept(Arc::clone(&user))));
                let _ = log.take_in(&exposed, exposed.key(), 0, keep);
                assert_eq!(written(&event), written(&log.take(1, TIME)[0]), "{kind:?} {name}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 40 * 2 * 5);
}

#[test]
fn a_decision_is_looked_at_closer_where_exposures_are_sampled_and_of_layers() {
    let user = somebody(1);
    assert!(decided(&plain(), (CheckKind::Gate, "g0"), &user, false).is_some());
    assert!(decided(&plain(), (CheckKind::Layer, "l"), &user, false).is_none());
    let sampling = project(json!({"sdk_configs": {"sampling_mode": "on"}}), json!({}));
    assert!(decided(&sampling, (CheckKind::Gate, "g0"), &user, false).is_none());
}

#[test]
fn an_exposure_is_sent_once_per_window() {
    let (mut log, known, user) = (log(), plain(), somebody(1));
    let gate = (CheckKind::Gate, "g0");
    for now in [0, 1, 59_999, 60_000, 60_001, 119_999, 120_000, 500_000] {
        let _ = expose(&mut log, &known, gate, &user, now);
    }
    assert_eq!(log.take(100, TIME).len(), 4);
    let EventCounts { recorded, deduplicated, .. } = log.counts();
    assert_eq!((recorded, deduplicated), (4, 4));
}

#[test]
fn a_clock_that_stands_still_or_goes_back_repeats_nothing() {
    let (mut log, known, user) = (log(), plain(), somebody(1));
    for now in [100_000, 100_000, 40_000, 0, 159_999] {
        let _ = expose(&mut log, &known, (CheckKind::Gate, "g0"), &user, now);
    }
    assert_eq!(log.take(100, TIME).len(), 1);
}

#[test]
fn other_users_specs_and_values_are_no_repetition() {
    let (mut log, known) = (log(), plain());
    let all = [
        (CheckKind::Gate, "g0"),
        (CheckKind::Gate, "g1"),
        (CheckKind::Gate, "none"),
        (CheckKind::Experiment, "e"),
    ];
    for user in [somebody(1), somebody(2)] {
        for _ in 0..3 {
            for asked in all {
                let _ = expose(&mut log, &known, asked, &user, 0);
            }
            let _ = expose(&mut log, &known, (CheckKind::Layer, "l"), &user, 0);
            // A config and an experiment of one name are one.
            let _ = expose(&mut log, &known, (CheckKind::Config, "e"), &user, 0);
        }
    }
    assert_eq!(log.take(100, TIME).len(), 10);
}

#[test]
fn the_oldest_go_when_there_is_no_more_room() {
    let mut log: Log = EventLog::new(limits(2, 3, 10));
    let mut gone = Vec::new();
    for number in 0..5 {
        let waiting = custom(&mut log, &number.to_string());
        assert_eq!(waiting.is_first, number == 0);
        assert_eq!(waiting.is_full, number % 2 == 1);
        gone.extend(waiting.evicted);
    }
    assert_eq!(names(&gone), ["0", "1"]);
    assert_eq!(names(&log.take(10, TIME)), ["2", "3", "4"]);
    assert_eq!(log.counts(), EventCounts { recorded: 5, overflowed: 2, ..EventCounts::default() });
    assert!(log.is_empty());
}

#[test]
fn checks_are_counted_in_one_event_that_comes_last() {
    let mut log = log();
    assert!(log.count_check("g").is_first);
    for name in ["g", "odd \" \\ é\n", "g"] {
        assert!(!log.count_check(name).is_first);
    }
    for _ in 0..3 {
        assert!(!custom(&mut log, "event").is_first);
    }
    assert_eq!(log.len(), 4);
    assert_eq!(names(&log.take(2, TIME)), ["event", "event"]);
    let rest = log.take(2, TIME);
    assert_eq!(names(&rest), ["event", "statsig::non_exposed_checks"]);
    let told = written(&rest[1]);
    assert_eq!(told["time"], TIME);
    assert_eq!(told["user"], json!({}));
    assert_eq!(told["secondaryExposures"], Value::Null);
    let checks: Value =
        serde_json::from_str(told["metadata"]["checks"].as_str().unwrap_or_default()).unwrap_or_default();
    assert_eq!(checks, json!({"g": 3, "odd \" \\ é\n": 1}));
    assert!(log.take(2, TIME).is_empty());
    assert_eq!(log.counts().recorded, 4);
    assert!(log.count_check("g").is_first);
}

#[test]
fn names_of_checks_are_bounded() {
    let mut log = log();
    for number in 0..20_000 {
        let _ = log.count_check(&format!("name {number}"));
        let _ = log.count_check("name 0");
    }
    let [counts] = log.take(1, TIME).try_into().unwrap_or_else(|_| panic!("one event"));
    let text = written(&counts)["metadata"]["checks"].as_str().unwrap_or_default().to_owned();
    let checks: BTreeMap<String, u64> = serde_json::from_str(&text).unwrap_or_default();
    assert_eq!((checks.len(), checks["name 0"]), (10_000, 20_001));
    assert_eq!(log.counts().uncounted_checks, 10_000);
}

#[test]
fn whoever_was_not_told_is_told_with_the_next() {
    let mut log = log();
    assert!(custom(&mut log, "one").is_first);
    assert!(!custom(&mut log, "two").is_first);
    log.tell_again();
    assert!(custom(&mut log, "three").is_first);
    assert!(!custom(&mut log, "four").is_first);
    log.tell_again();
    assert!(log.count_check("g").is_first);
    assert!(!log.count_check("g").is_first);
}

/// What is recorded against three rulesets, and read as it is to be sent.
fn of_three_rulesets(tier: Option<&str>, write_out: impl Fn(&mut Log, &Arc<Known>)) -> Vec<Value> {
    let mut log: Log = EventLog::new(limits(50, 100, 100));
    for number in 0..3 {
        let parts = json!({"time": 1000 + number, "default_environment": format!("tier {number}")});
        let known = project(parts, json!({}));
        for asked in [
            (CheckKind::Gate, "g0"),
            (CheckKind::Gate, "none"),
            (CheckKind::Experiment, "e"),
            (CheckKind::Layer, "l"),
        ] {
            let _ = expose(&mut log, &known, asked, &somebody(number), 0);
        }
        let members = custom_event("own", EventValue::Number(1.0), None);
        let _ = log.push(Event::written(
            TIME,
            known.0.0.shared_default_environment(),
            Some(Kept(somebody(number))),
            members,
        ));
        write_out(&mut log, &known);
    }
    let events: Vec<_> = log.take(100, TIME).iter().map(|event| written_for(event, tier)).collect();
    assert_eq!(events.len(), 15);
    events
}

#[test]
fn what_was_written_out_is_what_would_have_been_written() {
    for tier in [None, Some("test")] {
        let late = of_three_rulesets(tier, |_, _| {});
        let early = of_three_rulesets(tier, |log, known| {
            let in_use = |basis: &Arc<Known>| Arc::ptr_eq(basis, known);
            drop(log.write_out(log.numbers(), in_use));
            assert_eq!(log.write_out(log.numbers(), in_use).len(), 0);
        });
        let at_once = of_three_rulesets(tier, |log, _| drop(log.write_out(log.numbers(), |_| false)));
        assert_eq!(late, early);
        assert_eq!(late, at_once);
        let expected = tier.unwrap_or("tier 2");
        assert!(
            late.iter().rev().take(5).all(|event| event["user"]["statsigEnvironment"]["tier"] == expected)
        );
    }
}

#[test]
fn numbers_are_kept_whatever_leaves() {
    let (mut log, known): (Log, _) = (EventLog::new(limits(5, 10, 100)), plain());
    for number in 0..10 {
        let _ = expose(&mut log, &known, (CheckKind::Gate, &format!("g{number}")), &somebody(1), 0);
    }
    assert_eq!(log.numbers(), 0..10);
    assert_eq!(log.write_out(0..2, |_| false).len(), 2);
    assert_eq!(log.take(4, TIME).len(), 4);
    assert_eq!(log.numbers(), 4..10);
    assert_eq!(log.write_out(0..4, |_| false).len(), 0); // they are gone
    assert_eq!(log.write_out(2..6, |_| false).len(), 2);
    for user in 2..8 {
        let _ = expose(&mut log, &known, (CheckKind::Gate, "g0"), &somebody(user), 0);
    }
    assert_eq!((log.counts().overflowed, log.numbers()), (2, 6..16));
    assert_eq!(log.write_out(0..1000, |_| false).len(), 10);
    assert_eq!(log.write_out(0..1000, |_| false).len(), 0);
}

#[test]
fn the_project_says_for_how_long_an_exposure_is_not_repeated() {
    for (ttl, again) in [
        (json!(null), 60_000),
        (json!(true), 60_000),
        (json!({}), 60_000),
        (json!("x"), 60_000),
        (json!(90_000), 90_000),
        (json!(5000), 5000),
        (json!("5000.9"), 5000),
        (json!(1e4), 10_000),
        (json!(5), 1000), // the reference looks once a second
        (json!(0), 1000),
        (json!(-7), 1000),
    ] {
        let known = project(json!({"sdk_configs": {"exposure_dedupe_ttl_ms": ttl}}), json!({}));
        let mut log = log();
        for now in [0, again - 1, again, 2 * again - 1] {
            let _ = expose(&mut log, &known, (CheckKind::Gate, "g0"), &somebody(1), now);
        }
        assert_eq!(log.counts().recorded, 2, "{ttl}");
    }
}

#[test]
fn the_project_says_for_how_long_a_rule_is_known() {
    for (ttl, again) in [(json!(null), 60_000), (json!("5000"), 5000), (json!(1), 1000)] {
        let configs = json!({"sampling_mode": "on", "exposure_spec_sampling_ttl_ms": ttl});
        let known = project(json!({"sdk_configs": configs}), json!({"samplingRate": 1_u64 << 60}));
        let mut log = log();
        for (user, now) in [0, again - 1, again, 2 * again - 1].into_iter().enumerate() {
            let _ = expose(&mut log, &known, (CheckKind::Gate, "g0"), &somebody(user as u32), now);
        }
        let EventCounts { recorded, sampled_out, .. } = log.counts();
        assert_eq!((recorded, sampled_out), (2, 2), "{ttl}");
    }
}

#[test]
fn nothing_is_left_after_clearing() {
    let (mut log, known, user) = (log(), plain(), somebody(1));
    let _ = expose(&mut log, &known, (CheckKind::Gate, "g0"), &user, 0);
    let _ = log.count_check("g");
    let before = log.clear();
    assert_eq!((before.len(), log.len(), log.counts()), (2, 0, EventCounts::default()));
    assert!(expose(&mut log, &known, (CheckKind::Gate, "g0"), &user, 0).is_first);
}

#[test]
fn an_exposure_says_what_the_check_came_to() {
    let (mut log, known, user) = (log(), plain(), somebody(1));
    for asked in [
        (CheckKind::Gate, "g0"),
        (CheckKind::Experiment, "e"),
        (CheckKind::Layer, "l"),
        (CheckKind::Gate, "none"),
    ] {
        let _ = expose(&mut log, &known, asked, &user, 0);
    }
    let events: Vec<_> = log.take(10, TIME).iter().map(written).collect();
    let told = json!({"ruleID": "r", "reason": "Test:Recognized", "lcut": "1000", "receivedAt": "7"});
    let metadata = [
        support::with(told.clone(), json!({"gate": "g0", "gateValue": "true"})),
        support::with(told.clone(), json!({"config": "e", "rulePassed": "true", "configVersion": "3"})),
        support::with(
            told.clone(),
            json!({
                "config": "l", "parameterName": "a", "isExplicitParameter": "false", "allocatedExperiment": "",
            }),
        ),
        support::with(
            told,
            json!({"gate": "none", "gateValue": "false", "ruleID": "", "reason": "Test:Unrecognized"}),
        ),
    ];
    for (event, metadata) in events.iter().zip(metadata) {
        assert_eq!(event["metadata"], metadata);
        assert_eq!(event["user"], json!({"userID": "user-1", "statsigEnvironment": {"tier": "test"}}));
        assert_eq!((&event["time"], &event["statsigMetadata"]), (&json!(TIME), &json!({})));
    }
}

/// How many of the exposures of 1,000 users are taken in, and what the second says of sampling.
fn sampled(mode: &str, special: &Value, rule_changes: Value, name: &str) -> (usize, Value, EventCounts) {
    let configs = json!({"sampling_mode": mode, "special_case_sampling_rate": special});
    let known = project(json!({"sdk_configs": configs}), rule_changes);
    let mut log: Log = EventLog::new(limits(2000, 2000, 2000));
    for number in 0..1000 {
        let _ = expose(&mut log, &known, (CheckKind::Gate, name), &somebody(number), 0);
    }
    let events = log.take(2000, TIME);
    let second = events.get(1).map_or(Value::Null, |event| written(event)["statsigMetadata"].clone());
    assert_eq!(written(&events[0])["statsigMetadata"], json!({}));
    (events.len(), second, log.counts())
}

#[test]
fn the_first_of_a_rule_is_taken_in_and_others_by_the_rate() {
    const NEVER: u64 = 1 << 60;
    let told = |rate: Value, mode: &str, shadow: &str| json!({"samplingRate": rate, "samplingMode": mode, "shadowLogged": shadow});
    for (rate, kept) in [(json!(1), 1000), (json!(NEVER), 1), (json!(0), 1), (json!(null), 1000)] {
        let (on, second, counts) = sampled("on", &json!(null), json!({"samplingRate": rate}), "g0");
        assert_eq!(on, kept, "{rate}");
        assert_eq!((counts.recorded, counts.sampled_out), (kept as u64, 1000 - kept as u64));
        assert_eq!(second, if kept == 1 { Value::Null } else { told(rate.clone(), "on", "logged") });
        let (shadow, second, counts) = sampled("shadow", &json!(null), json!({"samplingRate": rate}), "g0");
        assert_eq!((shadow, counts.sampled_out), (1000, 0));
        assert_eq!(second, told(rate, "shadow", if kept == 1 { "dropped" } else { "logged" }));
        assert_eq!(sampled("off", &json!(null), json!({"samplingRate": NEVER}), "g0").1, json!({}));
    }
    // Where no rule decided, the project's own rate counts.
    for (special, kept) in
        [(json!(1), 1000), (json!("1.9"), 1000), (json!(1e18), 1), (json!(-3), 1), (json!("x"), 1000)]
    {
        assert_eq!(sampled("on", &special, json!({}), "none").0, kept, "{special}");
    }
    assert_eq!(sampled("on", &json!(NEVER), json!({}), "g0").0, 1000);
}

#[test]
fn one_in_ten_is_one_in_ten_and_the_same_ones_everywhere() {
    let kept = || sampled("on", &json!(null), json!({"samplingRate": 10}), "g0").0;
    let first = kept();
    assert_eq!(first, kept());
    // Six standard deviations; what is kept is the same in every run.
    assert!((43..=157).contains(&first), "{first}");
}

#[derive(Clone, Debug)]
enum Operation {
    Expose { user: u32, gate: u32, after: u64 },
    Event(u32),
    Check(u32),
    Take(usize),
    WriteOut(u64, u64),
}

fn operation() -> impl Strategy<Value = Operation> {
    let after = prop_oneof![4 => Just(0u64), 3 => 1u64..1000, 1 => 1000u64..70_000];
    prop_oneof![
        8 => (0u32..5, 0u32..10, after).prop_map(|(user, gate, after)| Operation::Expose { user, gate, after }),
        2 => (0u32..100).prop_map(Operation::Event),
        1 => (0u32..4).prop_map(Operation::Check),
        1 => (1usize..12).prop_map(Operation::Take),
        1 => (0u64..300, 0u64..30).prop_map(|(first, count)| Operation::WriteOut(first, count)),
    ]
}

/// The same log, written to be read: what was seen in a list, what waits by name.
struct Model {
    limits: EventLimits,
    seen: Vec<(String, u64)>,
    queue: VecDeque<String>,
    checks: BTreeMap<String, u64>,
    counts: EventCounts,
}

impl Model {
    fn expose(&mut self, key: String, now: u64) {
        let is_over = |since: u64| now - since >= self.limits.window_ms;
        if self.seen.iter().any(|(known, since)| *known == key && !is_over(*since)) {
            self.counts.deduplicated += 1;
            return;
        }
        self.seen.retain(|(_, since)| !is_over(*since));
        if self.seen.len() == self.limits.max_keys {
            self.seen.remove(0);
        }
        self.seen.push((key, now));
        self.push("statsig::gate_exposure".to_owned());
    }

    fn push(&mut self, name: String) {
        self.counts.recorded += 1;
        if self.queue.len() == self.limits.capacity {
            self.queue.pop_front();
            self.counts.overflowed += 1;
        }
        self.queue.push_back(name);
    }

    fn check(&mut self, name: String) {
        self.counts.recorded += u64::from(self.checks.is_empty());
        *self.checks.entry(name).or_default() += 1;
    }

    fn take(&mut self, limit: usize) -> Vec<String> {
        let mut taken: Vec<_> = self.queue.drain(..limit.min(self.queue.len())).collect();
        if self.queue.is_empty() && !self.checks.is_empty() {
            self.checks.clear();
            taken.push("statsig::non_exposed_checks".to_owned());
        }
        taken
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_log_does_what_its_model_does(
        operations in prop::collection::vec(operation(), 1..300),
        (batch_size, batches, max_keys) in (1usize..8, 1usize..4, 1usize..30),
    ) {
        let known = plain();
        let limits = limits(batch_size, batch_size * batches, max_keys);
        let mut log: Log = EventLog::new(limits);
        let mut model = Model {
            limits,
            seen: Vec::new(),
            queue: VecDeque::new(),
            checks: BTreeMap::new(),
            counts: EventCounts::default(),
        };
        let mut now = 0;
        for operation in operations {
            let was_empty = log.is_empty();
            let mut first = None;
            match operation {
                Operation::Expose { user, gate, after } => {
                    now += after;
                    let name = format!("g{gate}");
                    let repeated = log.counts().deduplicated;
                    let waiting = expose(&mut log, &known, (CheckKind::Gate, &name), &somebody(user), now);
                    first = (log.counts().deduplicated == repeated).then_some(waiting.is_first);
                    model.expose(format!("{user} {gate}"), now);
                }
                Operation::Event(number) => {
                    first = Some(custom(&mut log, &number.to_string()).is_first);
                    model.push(number.to_string());
                }
                Operation::Check(number) => {
                    first = Some(log.count_check(&number.to_string()).is_first);
                    model.check(number.to_string());
                }
                Operation::Take(limit) => prop_assert_eq!(names(&log.take(limit, TIME)), model.take(limit)),
                // It is not to be noticed.
                Operation::WriteOut(first, count) => drop(log.write_out(first..first + count, |_| false)),
            }
            prop_assert_eq!(first.unwrap_or(was_empty), was_empty);
            prop_assert_eq!(log.counts(), model.counts);
            let EventCounts { recorded, overflowed, .. } = log.counts();
            prop_assert!(log.numbers().end <= recorded && log.numbers().start >= overflowed);
            prop_assert_eq!(log.len(), model.queue.len() + usize::from(!model.checks.is_empty()));
            prop_assert!(log.len() <= limits.capacity + 1);
        }
        prop_assert_eq!(names(&log.take(usize::MAX, TIME)), model.take(usize::MAX));
        prop_assert!(log.is_empty());
    }
}
