//! What is to be sent to Statsig: exposures and events of the application, kept until someone takes them.
//!
//! ```text
//! Exposed ── seen before? ── sampled away? ──▶ EventLog ── take ──▶ Event ── write_event ──▶ JSON
//! ```
//!
//! The reference is the server core: one exposure per spec, rule, value and user ids in a window of time,
//! sampling as the project asks for it, and events field for field. Clocks, locks and sending are for whoever
//! uses this.

mod encode;
mod exposure;
mod sampling;
mod seen;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::user::UserView;
use exposure::Exposure;
use seen::Seen;

pub use encode::{
    Application, EventValue, Origin, Told, ToldSubject, custom_event, exposure_event, write_event,
};
pub use exposure::{Exposed, exposure_key};
pub(crate) use exposure::{exposure_key_after, exposure_prefix};
pub(crate) use sampling::{Sampled, Sampling, SamplingMode};

/// How many names of checks without an exposure are counted between two takes.
const MAX_CHECKS: usize = 10_000;

/// Of how many rules it is remembered, when exposures are sampled, that one was logged.
const MAX_RULES: usize = 100_000;

/// What the ids of an exposure belong to.
pub trait Basis {
    /// The ruleset, and where it came from.
    fn origin(&self) -> Origin<'_>;
}

impl<T: Basis> Basis for Arc<T> {
    fn origin(&self) -> Origin<'_> {
        (**self).origin()
    }
}

/// A user who outlives the check.
pub trait EventUser {
    /// The user.
    fn view(&self) -> UserView<'_>;
}

/// Something to be sent. `B` keeps the ruleset, `U` the user.
#[derive(Debug)]
pub struct Event<B, U> {
    /// Milliseconds since the epoch.
    pub(crate) time: u64,
    pub(crate) basis: Option<B>,
    pub(crate) user: Option<U>,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Exposure(Exposure),
    /// All members but time and user, as JSON.
    Written(Box<str>),
}

impl<B, U> Event<B, U> {
    /// An event whose members but time and user are written already: see [`custom_event`] and
    /// [`exposure_event`]. `time` is in ms since the epoch.
    #[must_use]
    pub fn written(time: u64, basis: Option<B>, user: Option<U>, members: String) -> Self {
        Self { time, basis, user, what: What::Written(members.into()) }
    }
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct EventLimits {
    /// How many events are sent at a time.
    pub batch_size: usize,
    /// How many wait at most; of more, the oldest are dropped.
    pub capacity: usize,
    /// For how long an exposure is not repeated, in ms.
    pub window_ms: u64,
    /// How many exposures are remembered for that; of more, the oldest are forgotten.
    pub max_keys: usize,
}

/// What became of events so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventCounts {
    /// Taken in.
    pub recorded: u64,
    /// Exposures that repeated one within the window.
    pub deduplicated: u64,
    /// Exposures that were sampled away.
    pub sampled_out: u64,
    /// Taken in, and dropped because more came than could be kept.
    pub overflowed: u64,
}

/// What there is to be done after something was taken in.
#[derive(Debug)]
#[must_use]
pub struct Waiting<E> {
    /// Something waits that has to be sent at some time; before, nothing did.
    pub is_first: bool,
    /// As many as are sent at a time came together.
    pub is_full: bool,
    /// What had to go. Dropped by the caller, who may hold a lock now.
    pub evicted: Option<E>,
}

impl<E> Waiting<E> {
    /// Nothing.
    pub const fn nothing() -> Self {
        Self { is_first: false, is_full: false, evicted: None }
    }
}

/// Events that wait to be sent.
#[derive(Debug)]
pub struct EventLog<B, U> {
    limits: EventLimits,
    queue: VecDeque<Event<B, U>>,
    /// Events since as many as are sent at a time came together last.
    gathered: usize,
    seen: Seen,
    seen_rules: Seen,
    /// How often what was checked without an exposure.
    checks: HashMap<Box<str>, u64, RandomState>,
    counts: EventCounts,
}

impl<B, U> EventLog<B, U> {
    /// An empty log.
    #[must_use]
    pub fn new(limits: EventLimits) -> Self {
        Self {
            limits,
            queue: VecDeque::new(),
            gathered: 0,
            seen: Seen::new(limits.window_ms, limits.max_keys),
            seen_rules: Seen::new(limits.window_ms, MAX_RULES),
            checks: HashMap::default(),
            counts: EventCounts::default(),
        }
    }

    /// Takes in an exposure that [is new](Self::is_new), unless it is sampled away. `now` is in ms of a clock
    /// that does not go back; `keep` gives the time in ms since the epoch and what to keep.
    pub fn take_in(
        &mut self,
        exposed: &Exposed<'_>,
        key: u128,
        now: u64,
        keep: impl FnOnce() -> (u64, Option<B>, Option<U>),
    ) -> Waiting<Event<B, U>> {
        let sampled = self.sample(exposed, key, now);
        if sampled.is_dropped() {
            self.counts.sampled_out += 1;
            return Waiting::nothing();
        }
        let (time, basis, user) = keep();
        self.push(Event { time, basis, user, what: What::Exposure(exposed.exposure(sampled)) })
    }

    /// False if an exposure that is equal by `key` was new within the window, in ms of a clock that does not go
    /// back. This one counts as a repetition then.
    #[inline]
    pub fn is_new(&mut self, key: u128, now: u64) -> bool {
        let is_new = self.seen.is_new(key, now);
        self.counts.deduplicated += u64::from(!is_new);
        is_new
    }

    fn sample(&mut self, exposed: &Exposed<'_>, key: u128, now: u64) -> Sampled {
        let mode = exposed.ruleset.sampling.mode;
        if mode == SamplingMode::Off
            || exposed.is_always_logged()
            || self.seen_rules.is_new(exposed.rule_key(), now)
        {
            return Sampled::WHOLE;
        }
        Sampled::choose(mode, exposed.sampling_rate(), key)
    }

    /// Takes an event in. The oldest goes if there are too many.
    pub fn push(&mut self, event: Event<B, U>) -> Waiting<Event<B, U>> {
        let is_first = self.is_empty();
        if self.queue.capacity() == 0 {
            self.queue.reserve(self.limits.batch_size);
        }
        let evicted = if self.queue.len() < self.limits.capacity { None } else { self.queue.pop_front() };
        self.counts.overflowed += u64::from(evicted.is_some());
        self.counts.recorded += 1;
        self.queue.push_back(event);
        self.gathered += 1;
        let is_full = self.gathered >= self.limits.batch_size;
        if is_full {
            self.gathered = 0;
        }
        Waiting { is_first, is_full, evicted }
    }

    /// Counts a check that is not exposed.
    pub fn count_check(&mut self, name: &str) -> Waiting<Event<B, U>> {
        let is_first = self.is_empty();
        // All of them are one event, which is there from the first on.
        self.counts.recorded += u64::from(self.checks.is_empty());
        if let Some(count) = self.checks.get_mut(name) {
            *count += 1;
        } else if self.checks.len() < MAX_CHECKS {
            self.checks.insert(name.into(), 1);
        }
        Waiting { is_first, ..Waiting::nothing() }
    }

    /// The oldest events, at most so many. Empty if nothing waits. Taking the last, and `time` is then in ms
    /// since the epoch, adds the event that tells how often what was checked without an exposure.
    pub fn take(&mut self, limit: usize, time: u64) -> Vec<Event<B, U>> {
        let taken = limit.min(self.queue.len());
        let mut events: Vec<_> = self.queue.drain(..taken).collect();
        self.gathered = self.gathered.min(self.queue.len());
        if self.queue.is_empty() && !self.checks.is_empty() {
            let members = encode::checks_event(&self.checks);
            self.checks.clear();
            events.push(Event::written(time, None, None, members));
        }
        events
    }

    /// How many wait, checks without exposures as one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len() + usize::from(!self.checks.is_empty())
    }

    /// True if nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.checks.is_empty()
    }

    /// What became of events so far.
    #[must_use]
    pub fn counts(&self) -> EventCounts {
        self.counts
    }

    /// Forgets everything, and gives back what waited.
    #[must_use = "whoever holds a lock has to drop it later"]
    pub fn clear(&mut self) -> Self {
        let limits = self.limits;
        std::mem::replace(self, Self::new(limits))
    }
}
