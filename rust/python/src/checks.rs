//! One check: from the user and the name to its outcome.

use pyo3::prelude::*;
use pyo3::types::PyString;
use statsig_engine::{CheckKind, Evaluation, Input, Overrides, Ruleset, UserView, evaluate};
use std::sync::{Arc, LazyLock};

use crate::arguments::{check_name, own_name, text_argument};
use crate::chance::random;
use crate::clock::now_ms;
use crate::countries::countries;
use crate::evaluator::PyEvaluator;
use crate::events::{PyEventLog, Recorded};
use crate::exposures::Checked;
use crate::loaded::Loaded;
use crate::options::StickyOptions;
use crate::outcome::{Outcome, Reads, Verdict};
use crate::results::PyExperiment;
use crate::sticky::sticky_result;
use crate::stored::Kept;
use crate::user::{Caller, with_caller, with_user};

/// What one check is made against.
pub(crate) struct Snapshot {
    loaded: Option<Arc<Loaded>>,
    overrides: Option<Arc<Overrides>>,
}

impl Snapshot {
    pub(crate) fn loaded(&self) -> Option<&Loaded> {
        self.loaded.as_deref()
    }

    pub(crate) fn shared(&self) -> Option<&Arc<Loaded>> {
        self.loaded.as_ref()
    }

    pub(crate) fn overrides(&self) -> Option<&Overrides> {
        self.overrides.as_deref()
    }
}

/// What checks are evaluated against while nothing is loaded: overrides count then as well.
static EMPTY: LazyLock<Ruleset> = LazyLock::new(Ruleset::empty);

pub(crate) fn ruleset_of(loaded: Option<&Loaded>) -> &Ruleset {
    loaded.map_or_else(|| &*EMPTY, |loaded| &loaded.ruleset)
}

/// How a check counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// As an exposure.
    Exposure,
    /// As an exposure the application asked for.
    ManualExposure,
    /// As one check more of the name.
    Check,
}

impl PyEventLog {
    /// Exposes the experiments whose group a condition looked at, or counts them and the check.
    #[inline]
    fn note_groups(
        &self,
        py: Python<'_>,
        checked: &Checked<'_>,
        caller: Caller<'_, '_>,
        exposes: bool,
    ) -> Recorded {
        if exposes {
            self.expose_groups(py, checked, caller.view, || caller.keep())
        } else {
            self.count_check(py, checked)
        }
    }
}

fn reads(events: Py<PyEventLog>, checked: &Checked<'_>, caller: Caller<'_, '_>, exposes: bool) -> Reads {
    let (is_manual, is_part) = (checked.is_manual, checked.is_part);
    Reads { events, user: caller.keep(), exposes, is_manual, is_part }
}

impl PyEvaluator {
    /// Evaluates, and notes that it was asked for. Parameters of a layer count when they are read.
    #[inline]
    pub(crate) fn check(
        &self,
        loaded: Option<&Arc<Loaded>>,
        overrides: Option<&Overrides>,
        (kind, name): (CheckKind, &str),
        caller: Caller<'_, '_>,
        counts: Counts,
    ) -> PyResult<(Evaluation, Option<Box<Reads>>)> {
        let live = loaded.map(|loaded| &**loaded);
        let evaluation = self.with_input_of(live, overrides, caller.view, |ruleset, input| {
            evaluate(ruleset, kind, name, input)
        });
        let checked = Checked {
            loaded,
            nothing: self.current.nothing(),
            kind,
            name,
            evaluation: &evaluation,
            overrides,
            parameter: None,
            is_manual: counts == Counts::ManualExposure,
            is_part: false,
        };
        let reads = self.note(caller.py(), &checked, caller, counts)?;
        Ok((evaluation, reads))
    }

    #[inline]
    pub(crate) fn note(
        &self,
        py: Python<'_>,
        checked: &Checked<'_>,
        caller: Caller<'_, '_>,
        counts: Counts,
    ) -> Recorded<Option<Box<Reads>>> {
        let Some(events) = &self.events else {
            return Ok(None);
        };
        let exposes = self.exposes(counts);
        events.get().note_groups(py, checked, caller, exposes)?;
        if checked.kind == CheckKind::Layer {
            return Ok(Some(Box::new(reads(events.clone_ref(py), checked, caller, exposes))));
        }
        if exposes {
            events.get().expose(py, checked, caller.view, || caller.keep())?;
        }
        Ok(None)
    }

    /// As [`Self::note`], of a result that was kept for the unit; `live` is what it would have been.
    pub(crate) fn note_kept(
        &self,
        py: Python<'_>,
        kept: &Kept,
        live: &Checked<'_>,
        caller: Caller<'_, '_>,
        counts: Counts,
    ) -> Recorded<Option<Box<Reads>>> {
        let Some(events) = &self.events else {
            return Ok(None);
        };
        let exposes = self.exposes(counts);
        events.get().note_groups(py, live, caller, exposes)?;
        if live.kind == CheckKind::Layer {
            return Ok(Some(Box::new(reads(events.clone_ref(py), live, caller, exposes))));
        }
        if exposes {
            let asked = (live.kind, live.name, None);
            events.get().expose_kept(py, kept, asked, caller.view, || caller.keep())?;
        }
        Ok(None)
    }

    /// Whether a check is to be exposed, not only counted.
    #[inline]
    pub(crate) fn exposes(&self, counts: Counts) -> bool {
        counts == Counts::ManualExposure || (self.exposes && counts == Counts::Exposure)
    }

    pub(crate) fn with_input<T>(
        &self,
        loaded: Option<&Loaded>,
        overrides: Option<&Overrides>,
        user: &Bound<'_, PyAny>,
        step: impl FnOnce(&Ruleset, &Input<'_>) -> T,
    ) -> PyResult<T> {
        with_user(user, |user| self.with_input_of(loaded, overrides, user, step))
    }

    pub(crate) fn with_input_of<T>(
        &self,
        loaded: Option<&Loaded>,
        overrides: Option<&Overrides>,
        user: UserView<'_>,
        step: impl FnOnce(&Ruleset, &Input<'_>) -> T,
    ) -> T {
        let ruleset = ruleset_of(loaded);
        let id_lists = if ruleset.uses_id_lists() { Some(self.id_lists.load()) } else { None };
        let input = Input {
            tier: self.tier(ruleset),
            now: if ruleset.uses_time() { now_ms().cast_signed() } else { 0 },
            overrides,
            random: if ruleset.uses_chance() { random() } else { 0 },
            countries: if self.looks_up_countries && ruleset.uses_country() { countries() } else { None },
            id_lists: id_lists.as_ref().and_then(|lists| lists.as_deref()),
            ..Input::new(user, self.everybody.global.view())
        };
        step(ruleset, &input)
    }

    #[inline]
    pub(crate) fn tier<'a>(&'a self, ruleset: &'a Ruleset) -> Option<&'a str> {
        self.everybody.environment.as_deref().or_else(|| ruleset.default_environment())
    }

    pub(crate) fn result(
        &self,
        kind: CheckKind,
        user: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        counts: Counts,
    ) -> PyResult<Outcome> {
        check_name(name)?;
        let name = name.cast::<PyString>()?;
        self.watch.notice(name.py())?;
        with_caller(user, |caller| self.result_for(kind, caller, name, counts))
    }

    /// As [`Self::result`], with arguments that were looked at.
    pub(crate) fn result_for(
        &self,
        kind: CheckKind,
        caller: Caller<'_, '_>,
        name: &Bound<'_, PyString>,
        counts: Counts,
    ) -> PyResult<Outcome> {
        let snapshot = self.look(name.py());
        if let Snapshot { loaded: Some(loaded), overrides: None } = &snapshot
            && let Some(spec) = loaded.plain(name, kind)?
        {
            let decision = self.decide(loaded, spec, caller.view);
            return self.plain_outcome(loaded, (kind, name), decision, caller, counts);
        }
        let asked = (kind, check_name(name)?);
        let (evaluation, reads) =
            self.check(snapshot.shared(), snapshot.overrides(), asked, caller, counts)?;
        Ok(Outcome { reads, ..self.outcome(name, snapshot, evaluation) })
    }

    #[inline]
    pub(crate) fn kept_or_live(
        &self,
        kind: CheckKind,
        user: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        options: Option<&StickyOptions>,
        counts: Counts,
    ) -> PyResult<Outcome> {
        match &self.storage {
            Some(storage) => {
                sticky_result(self, storage.bind(user.py()), (kind, name), user, options, counts)
            }
            None => self.result(kind, user, name, counts),
        }
    }

    /// What is loaded now, after telling whoever looks for something newer that it is time to, if it is.
    pub(crate) fn snapshot(&self, py: Python<'_>) -> PyResult<Snapshot> {
        self.watch.notice(py)?;
        Ok(self.look(py))
    }

    fn look(&self, py: Python<'_>) -> Snapshot {
        Snapshot { loaded: self.current.share(py), overrides: self.overrides.load() }
    }

    #[inline]
    pub(crate) fn outcome(
        &self,
        name: &Bound<'_, PyString>,
        snapshot: Snapshot,
        evaluation: Evaluation,
    ) -> Outcome {
        Outcome {
            name: own_name(name),
            basis: self.current.basis(snapshot.loaded),
            overrides: snapshot.overrides.filter(|_| evaluation.has_override_value()),
            verdict: Verdict::Whole(Box::new(evaluation)),
            reads: None,
        }
    }

    pub(crate) fn group(
        &self,
        experiment_name: &Bound<'_, PyAny>,
        find: impl FnOnce(&Ruleset, &str) -> Evaluation,
    ) -> PyResult<PyExperiment> {
        let name = text_argument("experiment_name", experiment_name)?;
        let snapshot = self.snapshot(experiment_name.py())?;
        let evaluation =
            snapshot.loaded().map_or_else(Evaluation::unrecognized, |loaded| find(&loaded.ruleset, name));
        Ok(PyExperiment::new(self.outcome(experiment_name.cast()?, snapshot, evaluation)))
    }
}
