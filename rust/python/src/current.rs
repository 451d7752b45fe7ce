//! The ruleset in use, and when another one takes its place.

use pyo3::prelude::*;
use statsig_engine::Ruleset;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::held::{Held, Shared};
use crate::loaded::Loaded;
use crate::outcome::Basis;

#[derive(Default)]
pub(crate) struct Current {
    loaded: Shared<Loaded>,
    replacing: Mutex<()>,
    /// Set once a start has been tried, whatever came of it.
    started: AtomicBool,
}

impl Current {
    /// The ruleset for as long as the result lives, in which no Python code should run.
    #[inline]
    pub(crate) fn hold<'a>(&'a self, py: Python<'a>) -> Held<'a, Loaded> {
        self.loaded.hold(py)
    }

    #[inline]
    pub(crate) fn share(&self, py: Python<'_>) -> Option<Arc<Loaded>> {
        self.loaded.share(py)
    }

    /// Puts a payload in place of the one in use, unless it is `older` or, by checksum, `unchanged`.
    pub(crate) fn replace(&self, py: Python<'_>, loaded: Arc<Loaded>) -> &'static str {
        // Comparing and replacing are one step, or of two loads at a time the older could win.
        let replacing = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let replaced = self.share(py);
        if let Some(refused) = refuses(replaced.as_deref(), &loaded.ruleset) {
            return refused;
        }
        self.loaded.replace(py, Some(loaded));
        drop(replacing);
        if let Some(replaced) = &replaced {
            replaced.known.retire(py);
        }
        // What is replaced is dropped here or by whoever holds it, attached: it holds Python objects.
        drop(replaced);
        "applied"
    }

    /// Lets go of what a payload has of its own results.
    pub(crate) fn retire(&self, py: Python<'_>) {
        if let Some(loaded) = self.share(py) {
            loaded.known.retire(py);
        }
    }

    pub(crate) fn mark_started(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// The reason of what is asked while nothing is loaded.
    pub(crate) fn nothing(&self) -> &'static str {
        if self.started.load(Ordering::Acquire) { "NoValues" } else { "Uninitialized" }
    }

    /// What an outcome against `loaded` rests on.
    pub(crate) fn basis(&self, loaded: Option<Arc<Loaded>>) -> Basis {
        loaded.map_or_else(|| Basis::Nothing(self.nothing()), Basis::Loaded)
    }
}

/// Why a ruleset does not take the place of the one in use; None if it does.
fn refuses(current: Option<&Loaded>, new: &Ruleset) -> Option<&'static str> {
    let held = &current?.ruleset;
    if new.time() < held.time() {
        Some("older")
    } else if new.checksum().is_some() && new.checksum() == held.checksum() {
        Some("unchanged")
    } else {
        None
    }
}
