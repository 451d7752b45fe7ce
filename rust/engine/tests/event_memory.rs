//! Exposures that repeat another cost no memory, and a log that is emptied does not grow.
#[path = "support/memory.rs"]
mod memory;
mod support;

use memory::{held, requests};
use serde_json::json;
use statsig_engine::{
    Basis, CheckKind, Evaluation, Event, EventLimits, EventLog, Exposed, Input, Origin, PackedUser, Waiting,
    evaluate,
};
use std::sync::Arc;
use support::{NOW, Project, conditions, gate, layer, payload, rule, user};

/// What exposures rest on.
struct Known(Project);

impl Basis for Known {
    fn origin(&self) -> Origin<'_> {
        Origin { ruleset: &self.0.0, source: "Test", received_at: 7 }
    }
}

type Log = EventLog<Arc<Known>, Arc<PackedUser>>;

fn project() -> Arc<Known> {
    let nested = rule("nested", json!(["pass:g"]), json!({}));
    let parameters = rule("r", json!(["pass:g"]), json!({"returnValue": {"a": 1}}));
    Arc::new(Known(Project::new(&payload(json!({
        "condition_map": conditions(&["g"]),
        "feature_gates": {
            "g": gate(json!([rule("everybody", json!(["always"]), json!({}))]), json!({})),
            "nested": gate(json!([nested]), json!({})),
        },
        "layer_configs": {"l": layer(json!([parameters]), json!({}))},
    })))))
}

fn check(known: &Known, (kind, name): (CheckKind, &str), user: &PackedUser) -> Evaluation {
    let nobody = PackedUser::default();
    evaluate(&known.0.0, kind, name, &Input { now: NOW, ..Input::new(user.view(), nobody.view()) })
}

fn expose(
    log: &mut Log,
    known: &Arc<Known>,
    (kind, name): (CheckKind, &str),
    evaluation: &Evaluation,
    user: &Arc<PackedUser>,
    now: u64,
) -> Waiting<Event<Arc<Known>, Arc<PackedUser>>> {
    let mut exposed = Exposed::new(&known.0.0, kind, name, evaluation, user.view());
    exposed.parameter = (kind == CheckKind::Layer).then_some("a");
    let key = exposed.key();
    if !log.is_new(key, now, exposed.window_ms()) {
        return Waiting::nothing();
    }
    log.take_in(&exposed, key, now, || (now, Arc::clone(known), Some(Arc::clone(user))))
}

const SPECS: [(CheckKind, &str); 4] = [
    (CheckKind::Gate, "g"),
    (CheckKind::Gate, "nested"),
    (
        CheckKind::Gate,
        "a gate that does not exist, with a name longer than what is taken as it is into a key",
    ),
    (CheckKind::Layer, "l"),
];

#[test]
fn a_repetition_asks_for_no_memory() {
    let known = project();
    let users = [
        json!({"userID": "user"}),
        json!({"userID": "user", "customIDs": {"companyID": "c", "number": 5, "float": 1.5, "flag": true}}),
        json!({"userID": "x".repeat(1000), "customIDs": {"a long name ".repeat(20): "y".repeat(1000)}}),
        json!({"email": "somebody@example.com", "custom": {"plan": "pro"}}),
    ];
    let mut log: Log =
        EventLog::new(EventLimits { batch_size: 100, capacity: 100, window_ms: 60_000, max_keys: 100 });
    for json in &users {
        let user = Arc::new(user(json));
        for asked in SPECS {
            let evaluation = check(&known, asked, &user);
            drop(expose(&mut log, &known, asked, &evaluation, &user, 0));
            for now in [0, 59_999] {
                let (count, _) = requests(|| expose(&mut log, &known, asked, &evaluation, &user, now));
                assert_eq!(count, 0, "{asked:?} for {json}");
            }
        }
    }
    assert_eq!((log.counts().recorded, log.counts().deduplicated), (16, 2 * 16));
    let _ = log.count_check("g");
    assert_eq!(requests(|| log.count_check("g")).0, 0);
}

/// Bytes but for a table that takes more room once, late, because what was removed from it leaves traces.
fn is_about(bytes: isize, before: isize) -> bool {
    bytes <= before * 5 / 4
}

/// A day of 5,000 checks in each second that is simulated: one in a minute, so that the windows end and begin
/// as they do. A tenth of the users is new each time, and events are taken once a minute.
#[test]
fn a_day_of_checks_does_not_fill_the_memory() {
    const CHECKS: u64 = 5000;
    const MINUTES: u64 = 24 * 60;
    let known = project();
    let limits = EventLimits { batch_size: 500, capacity: 2000, window_ms: 60_000, max_keys: 3000 };
    let mut log: Log = EventLog::new(limits);
    let asked = SPECS[0];
    let regulars: Vec<_> =
        (0..450).map(|number| Arc::new(user(&json!({"userID": format!("regular-{number}")})))).collect();
    let evaluation = check(&known, asked, &regulars[0]);
    let (mut most, mut in_the_first_hour) = (0, 0);
    for minute in 0..MINUTES {
        let now = minute * 60_000;
        for number in 0..CHECKS / 10 {
            let somebody = match regulars.get(number as usize) {
                Some(user) => Arc::clone(user),
                None => Arc::new(user(&json!({"userID": format!("user-{}", minute * CHECKS + number)}))),
            };
            // Everybody checks ten times.
            for again in 0..10 {
                drop(expose(&mut log, &known, asked, &evaluation, &somebody, now + again * 100));
                drop(log.count_check("quiet"));
            }
        }
        while !log.is_empty() {
            drop(log.take(limits.batch_size, now));
        }
        most = most.max(held());
        if minute == 60 {
            in_the_first_hour = most;
        }
    }
    let counts = log.counts();
    assert_eq!(counts.recorded, MINUTES * (CHECKS / 10 + 1));
    assert_eq!(counts.deduplicated, MINUTES * CHECKS / 10 * 9);
    assert_eq!(counts.overflowed, 0);
    assert!(is_about(most, in_the_first_hour), "{in_the_first_hour} bytes became {most}");
}

/// Nobody takes what waits, and nobody comes twice.
#[test]
fn a_log_that_is_never_emptied_is_bounded() {
    let known = project();
    let limits = EventLimits { batch_size: 100, capacity: 1000, window_ms: 60_000, max_keys: 2000 };
    let mut log: Log = EventLog::new(limits);
    let asked = SPECS[1];
    let mut after_a_while = 0;
    for number in 0..50_000_u32 {
        let user = Arc::new(user(&json!({"userID": format!("user-{number:06}")})));
        let evaluation = check(&known, asked, &user);
        drop(expose(&mut log, &known, asked, &evaluation, &user, u64::from(number)));
        if number == 5000 {
            after_a_while = held();
        }
    }
    let counts = log.counts();
    assert_eq!((counts.recorded, counts.overflowed, log.len()), (50_000, 49_000, 1000));
    assert!(is_about(held(), after_a_while), "{after_a_while} bytes became {}", held());
}

/// The collector is down for a while, and then takes everything.
#[test]
fn what_waited_leaves_no_room_behind() {
    let known = project();
    let limits = EventLimits { batch_size: 100, capacity: 20_000, window_ms: 60_000, max_keys: 100 };
    let mut log: Log = EventLog::new(limits);
    let asked = SPECS[0];
    let mut fill_and_empty = |events: u32| {
        for number in 0..events {
            let user = Arc::new(user(&json!({"userID": format!("user-{number:06}")})));
            let evaluation = check(&known, asked, &user);
            drop(expose(&mut log, &known, asked, &evaluation, &user, u64::from(number)));
        }
        let mut taken = 0;
        while !log.is_empty() {
            taken += log.take(limits.batch_size, 0).len();
        }
        assert_eq!(taken, events as usize);
        held()
    };
    let before = fill_and_empty(400);
    let after = fill_and_empty(20_000);
    assert!(is_about(after, before), "{before} bytes became {after}");
}

/// The collector is down for a day, and the project changes every minute.
#[test]
fn events_that_wait_keep_no_ruleset_but_the_one_in_use() {
    let limits = EventLimits { batch_size: 100, capacity: 1000, window_ms: 60_000, max_keys: 1000 };
    let mut log: Log = EventLog::new(limits);
    let somebody = Arc::new(user(&json!({"userID": "user"})));
    let mut rulesets = Vec::new();
    let mut after_an_hour = 0;
    for minute in 0..24 * 60 {
        let known = project();
        for asked in SPECS {
            let evaluation = check(&known, asked, &somebody);
            drop(expose(&mut log, &known, asked, &evaluation, &somebody, minute * 60_000));
        }
        drop(log.write_out(log.numbers(), |basis| Arc::ptr_eq(basis, &known)));
        rulesets.push(Arc::downgrade(&known));
        let alive = rulesets.iter().filter(|ruleset| ruleset.upgrade().is_some()).count();
        assert_eq!(alive, 1, "in minute {minute}");
        if log.len() == 1000 && after_an_hour == 0 {
            after_an_hour = held();
        }
    }
    assert_eq!(log.len(), 1000);
    assert!(is_about(held(), after_an_hour), "{after_an_hour} bytes became {}", held());
}
