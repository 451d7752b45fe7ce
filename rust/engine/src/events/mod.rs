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
use std::ops::Range;
use std::sync::Arc;

use crate::eval::Decision;
use crate::ruleset::CheckKind;
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

/// For how many batches there stays room in an empty log: what an outage filled is given back.
const BATCHES_OF_ROOM: usize = 4;

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
    pub(crate) user: Option<U>,
    pub(crate) what: What<B>,
}

#[derive(Debug)]
pub(crate) enum What<B> {
    /// As ids of what is kept with it.
    Exposure(B, Exposure),
    Written {
        /// All members but time and user, as JSON.
        members: Box<str>,
        /// The tier of a user who brings no environment, where the application has none.
        tier: Option<Arc<str>>,
    },
}

impl<B, U> Event<B, U> {
    /// An event whose members but time and user are written already: see [`custom_event`] and
    /// [`exposure_event`]. `time` is in ms since the epoch; `tier` is that of the ruleset in use.
    #[must_use]
    pub fn written(time: u64, tier: Option<Arc<str>>, user: Option<U>, members: String) -> Self {
        Self { time, user, what: What::Written { members: members.into(), tier } }
    }
}

impl<B: Basis, U> Event<B, U> {
    /// The exposure of a check that came to a decision: what [`EventLog::take_in`] makes of it. `keep` gives the
    /// time in ms since the epoch and the user.
    ///
    /// # Errors
    /// Gives `basis` back where there is more to look at: the project samples, or it is a layer.
    #[inline]
    pub fn of_decision(
        basis: B,
        kind: CheckKind,
        decision: &Decision,
        is_manual: bool,
        keep: impl FnOnce() -> (u64, U),
    ) -> Result<Self, B> {
        let ruleset = basis.origin().ruleset;
        if ruleset.sampling.mode != SamplingMode::Off {
            return Err(basis);
        }
        let Some(exposure) = Exposure::of_decision(ruleset, kind, decision, is_manual) else {
            return Err(basis);
        };
        let (time, user) = keep();
        Ok(Self { time, user: Some(user), what: What::Exposure(basis, exposure) })
    }

    /// Writes an exposure out, unless what its ids belong to is in use, which is given back.
    fn write_out(&mut self, in_use: impl Fn(&B) -> bool) -> Option<B> {
        let What::Exposure(basis, exposure) = &self.what else {
            return None;
        };
        if in_use(basis) {
            return None;
        }
        let origin = basis.origin();
        let members = encode::exposure_members(exposure, origin).into();
        let written = What::Written { members, tier: origin.ruleset.shared_default_environment() };
        match std::mem::replace(&mut self.what, written) {
            What::Exposure(basis, _) => Some(basis),
            What::Written { .. } => None,
        }
    }
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct EventLimits {
    /// How many events are sent at a time.
    pub batch_size: usize,
    /// How many wait at most; of more, the oldest are dropped.
    pub capacity: usize,
    /// For how long an exposure is not repeated, in ms, where the project does not say.
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
    /// Checks without an exposure that were not counted, because too many names were.
    pub uncounted_checks: u64,
}

/// What there is to be done after something was taken in.
#[derive(Debug)]
#[must_use]
pub struct Waiting<E> {
    /// Something waits that has to be sent at some time; before, nothing did, or nobody was told.
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
    /// How many events have left the queue: the number of the first one in it.
    gone: u64,
    /// Nobody knows yet that something waits.
    is_untold: bool,
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
            gone: 0,
            is_untold: false,
            gathered: 0,
            seen: Seen::new(limits.max_keys),
            seen_rules: Seen::new(MAX_RULES),
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
        keep: impl FnOnce() -> (u64, B, Option<U>),
    ) -> Waiting<Event<B, U>> {
        let sampled = self.sample(exposed, key, now);
        if sampled.is_dropped() {
            self.counts.sampled_out += 1;
            return Waiting::nothing();
        }
        let (time, basis, user) = keep();
        self.push(Event { time, user, what: What::Exposure(basis, exposed.exposure(sampled)) })
    }

    /// False if an exposure that is equal by `key` was new within the window, in ms of a clock that does not go
    /// back. This one counts as a repetition then. The window is the [project's](Exposed::window_ms), if it has
    /// one.
    #[inline]
    pub fn is_new(&mut self, key: u128, now: u64, window_ms: Option<u64>) -> bool {
        let is_new = self.seen.is_new(key, now, window_ms.unwrap_or(self.limits.window_ms));
        self.counts.deduplicated += u64::from(!is_new);
        is_new
    }

    fn sample(&mut self, exposed: &Exposed<'_>, key: u128, now: u64) -> Sampled {
        let Sampling { mode, rule_window_ms, .. } = exposed.ruleset.sampling;
        let window_ms = rule_window_ms.unwrap_or(self.limits.window_ms);
        if mode == SamplingMode::Off
            || exposed.is_always_logged()
            || self.seen_rules.is_new(exposed.rule_key(), now, window_ms)
        {
            return Sampled::WHOLE;
        }
        Sampled::choose(mode, exposed.sampling_rate(), key)
    }

    /// Takes an event in. The oldest goes if there are too many.
    pub fn push(&mut self, event: Event<B, U>) -> Waiting<Event<B, U>> {
        let is_first = self.is_empty() || std::mem::take(&mut self.is_untold);
        if self.queue.capacity() == 0 {
            self.queue.reserve(self.limits.batch_size);
        }
        let evicted = if self.queue.len() < self.limits.capacity { None } else { self.queue.pop_front() };
        self.gone += u64::from(evicted.is_some());
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
        let is_first = self.is_empty() || std::mem::take(&mut self.is_untold);
        // All of them are one event, which is there from the first on.
        self.counts.recorded += u64::from(self.checks.is_empty());
        if let Some(count) = self.checks.get_mut(name) {
            *count += 1;
        } else if self.checks.len() < MAX_CHECKS {
            self.checks.insert(name.into(), 1);
        } else {
            self.counts.uncounted_checks += 1;
        }
        Waiting { is_first, ..Waiting::nothing() }
    }

    /// To be called when whoever sends could not be told that something waits: whatever comes next is `first`.
    pub fn tell_again(&mut self) {
        self.is_untold = true;
    }

    /// The oldest events, at most so many. Empty if nothing waits. Taking the last, and `time` is then in ms
    /// since the epoch, adds the event that tells how often what was checked without an exposure.
    pub fn take(&mut self, limit: usize, time: u64) -> Vec<Event<B, U>> {
        let taken = limit.min(self.queue.len());
        let mut events: Vec<_> = self.queue.drain(..taken).collect();
        self.gone += taken as u64;
        self.gathered = self.gathered.min(self.queue.len());
        if self.queue.is_empty() {
            self.queue.shrink_to(self.limits.batch_size.saturating_mul(BATCHES_OF_ROOM));
        }
        if self.queue.is_empty() && !self.checks.is_empty() {
            let members = encode::checks_event(&self.checks);
            self.checks.clear();
            events.push(Event::written(time, None, None, members));
        }
        events
    }

    /// Numbers of the events that wait, but for the one that counts checks: each gets the next when it comes, and
    /// keeps it.
    #[must_use]
    pub fn numbers(&self) -> Range<u64> {
        self.gone..self.gone + self.queue.len() as u64
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

impl<B: Basis, U> EventLog<B, U> {
    /// Writes out the exposures with these numbers, as far as they wait, whose ids belong to what is not in use
    /// any more: it is given back, so that it need not be kept until they are sent.
    #[must_use = "whoever holds a lock has to drop it later"]
    pub fn write_out(&mut self, numbers: Range<u64>, in_use: impl Fn(&B) -> bool) -> Vec<B> {
        let at = |number: u64| (number.saturating_sub(self.gone) as usize).min(self.queue.len());
        let places = at(numbers.start)..at(numbers.end);
        self.queue.range_mut(places).filter_map(|event| event.write_out(&in_use)).collect()
    }
}
