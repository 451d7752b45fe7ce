//! `Watch`: checks notice that it is time to look for something newer, and tell whoever does.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::steady_ms;

/// No time is ever so late: nothing is noticed, and the clock is not read.
const NEVER: u64 = u64::MAX;

/// When the next check tells again, in ms, should the listener be interrupted before it has set that itself.
const AGAIN: u64 = 1000;

/// When the next check has something to tell.
pub(crate) struct Watch {
    /// In ms of the steady clock.
    due: AtomicU64,
    listener: OnceLock<Py<PyAny>>,
}

impl Default for Watch {
    fn default() -> Self {
        Self { due: AtomicU64::new(NEVER), listener: OnceLock::new() }
    }
}

impl Watch {
    /// Sets who is told; only the first one counts.
    pub(crate) fn listen(&self, listener: Py<PyAny>) {
        let _ = self.listener.set(listener);
    }

    /// Has the first check tell that comes in so many ms or later; None: none.
    pub(crate) fn set(&self, after_ms: Option<u64>) {
        let due = after_ms.map_or(NEVER, |after| steady_ms().saturating_add(after).min(NEVER - 1));
        self.due.store(due, Ordering::Relaxed);
    }

    /// Called by every check. Tells if it is time to; when it is again, the listener sets.
    ///
    /// What the listener raises is a signal handler's, which may run at any time, and goes on to the caller.
    #[inline]
    pub(crate) fn notice(&self, py: Python<'_>) -> PyResult<()> {
        let due = self.due.load(Ordering::Relaxed);
        if due == NEVER || steady_ms() < due { Ok(()) } else { self.tell(py, due) }
    }

    #[cold]
    #[inline(never)]
    fn tell(&self, py: Python<'_>, due: u64) -> PyResult<()> {
        let again = steady_ms().saturating_add(AGAIN);
        // Whoever is the first tells.
        if self.due.compare_exchange(due, again, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return Ok(());
        }
        self.listener.get().map_or(Ok(()), |listener| listener.bind(py).call0().map(drop))
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.listener.get().map_or(Ok(()), |listener| visit.call(listener))
    }
}
