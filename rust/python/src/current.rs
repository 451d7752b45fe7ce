//! The ruleset in use, and when another one takes its place.

use arc_swap::{ArcSwapOption, Guard};
use statsig_engine::Ruleset;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::loaded::Loaded;
use crate::outcome::Basis;

#[derive(Default)]
pub(crate) struct Current {
    loaded: ArcSwapOption<Loaded>,
    replacing: Mutex<()>,
    /// Set once a start has been tried, whatever came of it.
    started: AtomicBool,
}

impl Current {
    #[inline]
    pub(crate) fn load(&self) -> Guard<Option<Arc<Loaded>>> {
        self.loaded.load()
    }

    #[inline]
    pub(crate) fn load_full(&self) -> Option<Arc<Loaded>> {
        self.loaded.load_full()
    }

    /// Puts a payload in place of the one in use, unless it is `older` or, by checksum, `unchanged`.
    pub(crate) fn replace(&self, loaded: Arc<Loaded>) -> &'static str {
        // Comparing and replacing are one step, or of two loads at a time the older could win.
        let replacing = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(refused) = self.refuses(&loaded.ruleset) {
            return refused;
        }
        let replaced = self.loaded.swap(Some(loaded));
        drop(replacing);
        // What is replaced is dropped here, attached: it holds Python objects.
        drop(replaced);
        "applied"
    }

    /// Why a ruleset does not take the place of the one in use; None if it does.
    fn refuses(&self, new: &Ruleset) -> Option<&'static str> {
        let current = self.load();
        let held = &current.as_ref()?.ruleset;
        if new.time() < held.time() {
            Some("older")
        } else if new.checksum().is_some() && new.checksum() == held.checksum() {
            Some("unchanged")
        } else {
            None
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
