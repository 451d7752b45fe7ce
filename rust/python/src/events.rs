//! `EventLog` and `EventBatch`: what is to be sent, and its JSON.

use pyo3::exceptions::{PyException, PyRuntimeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict};
use statsig_engine::{
    Application, Basis, Event, EventLimits, EventLog, Origin, PackedUser, Waiting, write_event,
};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::clock::now_ms;
use crate::loaded::Loaded;
use crate::user::KeptUser;

/// Size of the pieces of JSON, in bytes: a piece ends with the event that reaches it.
const PIECE: usize = 64 * 1024;

/// How many events are written out while nobody else can record any: about 100 µs.
const WRITTEN_AT_ONCE: u64 = 100;

pub(crate) type LoggedEvent = Event<Arc<Loaded>, KeptUser>;
pub(crate) type Log = EventLog<Arc<Loaded>, KeptUser>;

impl Basis for Loaded {
    fn origin(&self) -> Origin<'_> {
        Origin { ruleset: &self.ruleset, source: &self.source, received_at: self.received_at }
    }
}

/// What a signal handler raised while whoever sends was told: for whoever is running. It is no `Exception`.
///
/// One word, so that nothing has to be said of it as long as there is none.
pub(crate) struct Interrupted(Box<PyErr>);

impl From<Interrupted> for PyErr {
    #[cold]
    fn from(interrupted: Interrupted) -> Self {
        *interrupted.0
    }
}

/// What came of recording something.
pub(crate) type Recorded<T = ()> = Result<T, Interrupted>;

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
    /// together. The call is made in the thread that records. If it returns False, the next event makes it again.
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

    /// What became of events so far, by name, and how many wait: as of one moment.
    #[getter]
    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (waiting, counts) = {
            let log = self.lock();
            (log.len(), log.counts())
        };
        let dict = PyDict::new(py);
        dict.set_item("waiting", waiting)?;
        dict.set_item("recorded", counts.recorded)?;
        dict.set_item("deduplicated", counts.deduplicated)?;
        dict.set_item("sampled_out", counts.sampled_out)?;
        dict.set_item("overflowed", counts.overflowed)?;
        dict.set_item("uncounted_checks", counts.uncounted_checks)?;
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
    pub(crate) fn is_new(&self, key: u128, now: u64, window_ms: Option<u64>) -> bool {
        self.lock().is_new(key, now, window_ms)
    }

    /// Changes the log, and tells whoever sends that there is something to do.
    #[inline]
    pub(crate) fn change(
        &self,
        py: Python<'_>,
        change: impl FnOnce(&mut Log) -> Waiting<LoggedEvent>,
    ) -> Recorded {
        let waiting = change(&mut self.lock());
        if let Some(evicted) = waiting.evicted {
            // It may hold a user: PyO3 has to know that it may be dropped.
            Python::attach(|_| drop(evicted));
        }
        if waiting.is_first || waiting.is_full { self.tell(py, waiting.is_full) } else { Ok(()) }
    }

    /// As [`Self::change`], to take an event in. PyO3 need not know of the caller that it is attached.
    #[inline]
    pub(crate) fn push(&self, event: LoggedEvent) -> Recorded {
        let waiting = self.lock().push(event);
        if waiting.is_first || waiting.is_full || waiting.evicted.is_some() {
            return self.pushed(waiting);
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn pushed(&self, waiting: Waiting<LoggedEvent>) -> Recorded {
        Python::attach(|py| self.change(py, |_| waiting))
    }

    #[cold]
    fn tell(&self, py: Python<'_>, is_full: bool) -> Recorded {
        let notify = self.listener().as_ref().map(|notify| notify.bind(py).clone());
        let Some(notify) = notify else {
            return Ok(());
        };
        let outcome = notify.call1((is_full,));
        if !matches!(&outcome, Ok(told) if !told.is(PyBool::new(py, false))) {
            self.lock().tell_again();
        }
        match outcome {
            Ok(_) => Ok(()),
            // A check must not fail because of how its exposure is sent.
            Err(error) if error.is_instance_of::<PyException>(py) => {
                error.write_unraisable(py, Some(&notify));
                Ok(())
            }
            Err(error) => Err(Interrupted(Box::new(error))),
        }
    }

    /// Writes out what waits of other payloads than the one in use, so that they are not kept until it is sent.
    pub(crate) fn write_out(&self, py: Python<'_>, in_use: &Arc<Loaded>) {
        let all = self.lock().numbers();
        for start in all.clone().step_by(WRITTEN_AT_ONCE as usize) {
            let numbers = start..all.end.min(start + WRITTEN_AT_ONCE);
            let released = self.lock().write_out(numbers, |loaded| Arc::ptr_eq(loaded, in_use));
            drop(released);
            // Others may want to record something.
            py.detach(|| ());
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
