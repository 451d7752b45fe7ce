//! `EventLog` and `EventBatch`: what is to be sent, and its JSON.

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use statsig_engine::{
    Application, Basis, Event, EventLimits, EventLog, Origin, PackedUser, Waiting, write_event,
};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::clock::now_ms;
use crate::loaded::Loaded;
use crate::user::KeptUser;

/// Size of the pieces of JSON, in bytes: a piece ends with the event that reaches it.
const PIECE: usize = 64 * 1024;

pub(crate) type LoggedEvent = Event<Arc<Loaded>, KeptUser>;
pub(crate) type Log = EventLog<Arc<Loaded>, KeptUser>;

impl Basis for Loaded {
    fn origin(&self) -> Origin<'_> {
        Origin { ruleset: &self.ruleset, source: &self.source, received_at: self.received_at }
    }
}

/// What the application says of every user.
#[derive(Debug, Default)]
pub(crate) struct Everybody {
    pub(crate) environment: Option<String>,
    pub(crate) global: PackedUser,
}

/// Events that wait to be sent. One evaluator fills it.
#[pyclass(frozen, name = "EventLog", module = "statsig_fastly._native")]
pub(crate) struct PyEventLog {
    /// Held only while attached, and while no Python code can run: so no fork and no collection of garbage
    /// finds it locked.
    log: Mutex<Log>,
    notify: Mutex<Option<Py<PyAny>>>,
    everybody: OnceLock<Arc<Everybody>>,
}

#[pymethods]
impl PyEventLog {
    #[new]
    #[pyo3(signature = (*, batch_size, capacity, dedupe_ms, dedupe_keys))]
    fn new(batch_size: usize, capacity: usize, dedupe_ms: u64, dedupe_keys: usize) -> PyResult<Self> {
        if batch_size == 0 || capacity < batch_size {
            return Err(PyValueError::new_err(format!(
                "argument 'capacity': expected at least one batch of at least one event, got {capacity} for \
                 batches of {batch_size}"
            )));
        }
        let limits = EventLimits { batch_size, capacity, window_ms: dedupe_ms, max_keys: dedupe_keys };
        Ok(Self {
            log: Mutex::new(EventLog::new(limits)),
            notify: Mutex::new(None),
            everybody: OnceLock::new(),
        })
    }

    /// Sets who is told, with False when the log stops being empty and with True when another batch has come
    /// together. The call is made in the thread that records.
    fn on_waiting(&self, notify: Option<Py<PyAny>>) {
        let replaced = std::mem::replace(&mut *self.listener(), notify);
        drop(replaced);
    }

    /// Takes at most so many events, oldest first; None if nothing waits. With the last comes the event that
    /// counts checks without an exposure.
    fn take(&self, limit: usize) -> Option<PyEventBatch> {
        let events = self.lock().take(limit, now_ms());
        let everybody = self.everybody.get().cloned().unwrap_or_default();
        (!events.is_empty()).then(|| PyEventBatch { events, written: 0, everybody })
    }

    /// Forgets what waits, what was seen, and all counts.
    fn clear(&self) {
        let dropped = self.lock().clear();
        drop(dropped);
    }

    fn __len__(&self) -> usize {
        self.lock().len()
    }

    /// What became of events so far, by name.
    #[getter]
    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = self.lock().counts();
        let dict = PyDict::new(py);
        dict.set_item("recorded", counts.recorded)?;
        dict.set_item("deduplicated", counts.deduplicated)?;
        dict.set_item("sampled_out", counts.sampled_out)?;
        dict.set_item("overflowed", counts.overflowed)?;
        Ok(dict)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Whoever replaces the listener cannot be in the middle of it now.
        match self.notify.try_lock() {
            Ok(notify) => visit.call(&*notify),
            Err(_) => Ok(()),
        }
    }

    fn __clear__(&self) {
        self.on_waiting(None);
    }
}

impl PyEventLog {
    pub(crate) fn belongs_to(&self, everybody: &Arc<Everybody>) -> PyResult<()> {
        self.everybody.set(Arc::clone(everybody)).map_err(|_| {
            PyRuntimeError::new_err("argument 'events': expected a log of this client's own, got another's")
        })
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listener(&self) -> MutexGuard<'_, Option<Py<PyAny>>> {
        self.notify.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// See [`EventLog::is_new`].
    #[inline]
    pub(crate) fn is_new(&self, key: u128, now: u64) -> bool {
        self.lock().is_new(key, now)
    }

    /// Changes the log, and tells whoever sends that there is something to do.
    #[inline]
    pub(crate) fn change(&self, py: Python<'_>, change: impl FnOnce(&mut Log) -> Waiting<LoggedEvent>) {
        let waiting = change(&mut self.lock());
        if waiting.is_first || waiting.is_full {
            self.tell(py, waiting.is_full);
        }
        drop(waiting.evicted);
    }

    #[cold]
    fn tell(&self, py: Python<'_>, is_full: bool) {
        let notify = self.listener().as_ref().map(|notify| notify.clone_ref(py));
        if let Some(notify) = notify
            && let Err(error) = notify.call1(py, (is_full,))
        {
            // A check must not fail because of how its exposure is sent.
            error.write_unraisable(py, Some(notify.bind(py)));
        }
    }
}

/// Events that were taken to be sent: an iterator of their JSON, in pieces, with commas between the events.
#[pyclass(name = "EventBatch", module = "statsig_fastly._native")]
pub(crate) struct PyEventBatch {
    events: Vec<LoggedEvent>,
    written: usize,
    everybody: Arc<Everybody>,
}

#[pymethods]
impl PyEventBatch {
    /// How many events it began with.
    fn __len__(&self) -> usize {
        self.events.len()
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let Self { events, written, everybody } = self;
        if *written == events.len() {
            return None;
        }
        let piece = py.detach(|| {
            let application =
                Application { global: everybody.global.view(), tier: everybody.environment.as_deref() };
            let mut piece = String::with_capacity(PIECE + PIECE / 16);
            while *written < events.len() && piece.len() < PIECE {
                if *written > 0 {
                    piece.push(',');
                }
                write_event(&mut piece, &events[*written], &application);
                *written += 1;
            }
            piece
        });
        Some(PyBytes::new(py, piece.as_bytes()))
    }
}
