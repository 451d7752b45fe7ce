//! Checks of plain specs, which one rule decides: nearly all there are, and so the ones that have to be quick.
//!
//! They look at the payload without counting a reference to it. Whatever may run Python code is done after that.

use pyo3::prelude::*;
use pyo3::types::PyString;
use statsig_engine::{CheckKind, Decision, Event, Exposed, Input, SpecId, UserView, decide};
use std::sync::Arc;

use crate::arguments::{check_name, name_of, own_name};
use crate::checks::Counts;
use crate::clock::{about_now_ms, now_ms, steady_ms};
use crate::evaluator::{PyEvaluator, counts};
use crate::events::PyEventLog;
use crate::held::Held;
use crate::loaded::Loaded;
use crate::options::PyExperimentEvaluationOptions;
use crate::outcome::{Basis, Outcome, Reads, Verdict};
use crate::results::PyExperiment;
use crate::user::{Caller, with_caller};

/// What is to be noted of a check.
#[derive(Clone, Copy)]
enum Note {
    Nothing,
    /// One check more.
    Count,
    /// An exposure that is new, by its key and at that time.
    Exposure(u128, u64),
}

impl PyEvaluator {
    /// The value of a gate.
    #[inline]
    pub(crate) fn passes(
        &self,
        user: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        counts: Counts,
    ) -> PyResult<bool> {
        let name = name_of(name)?;
        self.watch.notice(name.py())?;
        with_caller(user, |caller| {
            if !self.overrides.any() {
                let held = self.current.hold(name.py());
                if let Some(loaded) = held.get()
                    && let Some(spec) = loaded.plain(name, CheckKind::Gate)?
                {
                    let decision = self.decide(loaded, spec, caller.view);
                    let note = self.to_note(loaded, CheckKind::Gate, decision, caller.view, counts);
                    if !matches!(note, Note::Nothing) {
                        self.note_after(held, note, (CheckKind::Gate, name), decision, caller, counts)?;
                    }
                    return Ok(decision.passes());
                }
            }
            self.passes_whole(name, caller, counts)
        })
    }

    /// As [`Self::passes`], of a gate that takes more than one rule to decide.
    #[inline(never)]
    fn passes_whole(
        &self,
        name: &Bound<'_, PyString>,
        caller: Caller<'_, '_>,
        counts: Counts,
    ) -> PyResult<bool> {
        let asked = (CheckKind::Gate, check_name(name)?);
        // What is noted may drop objects: PyO3 has to know that it may.
        Python::attach(|py| {
            let (loaded, overrides) = (self.current.share(py), self.overrides.load());
            let (evaluation, _) = self.check(loaded.as_ref(), overrides.as_deref(), asked, caller, counts)?;
            Ok(evaluation.passes)
        })
    }

    /// The result of a check without sticky values, as an object that `new` makes of an outcome.
    #[inline]
    pub(crate) fn result_object<'py>(
        &self,
        kind: CheckKind,
        user: &Bound<'py, PyAny>,
        name: &Bound<'py, PyAny>,
        counts: Counts,
        new: impl FnOnce(Outcome) -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let name = name_of(name)?;
        let py = name.py();
        self.watch.notice(py)?;
        with_caller(user, |caller| {
            if !self.overrides.any() {
                let held = self.current.hold(py);
                if let Some(loaded) = held.get()
                    && let Some(spec) = loaded.plain(name, kind)?
                {
                    let decision = self.decide(loaded, spec, caller.view);
                    if let Some(known) = loaded.known.result(py, kind, decision.index(&loaded.ruleset)) {
                        let note = self.to_note(loaded, kind, decision, caller.view, counts);
                        if !matches!(note, Note::Nothing) {
                            self.note_after(held, note, (kind, name), decision, caller, counts)?;
                        }
                        return Ok(known);
                    }
                }
            }
            self.new_result_object(kind, caller, name, counts, new)
        })
    }

    /// As [`Self::result_object`], where the object is made, and kept if others may get it as well.
    #[inline(never)]
    fn new_result_object<'py>(
        &self,
        kind: CheckKind,
        caller: Caller<'_, 'py>,
        name: &Bound<'py, PyString>,
        counts: Counts,
        new: impl FnOnce(Outcome) -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Python::attach(|_| {
            let outcome = self.result_for(kind, caller, name, counts)?;
            let kept = match (&outcome.verdict, outcome.shared(), &outcome.reads) {
                (Verdict::Plain(decision), Some(loaded), None) => Some((Arc::clone(loaded), *decision)),
                _ => None,
            };
            let object = new(outcome)?;
            if let Some((loaded, decision)) = kept {
                loaded.known.keep(kind, decision.index(&loaded.ruleset), &object);
            }
            Ok(object)
        })
    }

    /// The result of an experiment, as an object.
    #[inline]
    pub(crate) fn experiment_object<'py>(
        &self,
        user: &Bound<'py, PyAny>,
        name: &Bound<'py, PyAny>,
        options: Option<&PyExperimentEvaluationOptions>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let counts = counts(options.is_some_and(|options| options.disable_exposure_logging));
        let new = |outcome| Ok(Bound::new(user.py(), PyExperiment::new(outcome))?.into_any());
        if self.storage.is_none() {
            return self.result_object(CheckKind::Experiment, user, name, counts, new);
        }
        let sticky = options.map(PyExperimentEvaluationOptions::sticky);
        Python::attach(|_| new(self.kept_or_live(CheckKind::Experiment, user, name, sticky, counts)?))
    }

    #[inline]
    pub(crate) fn decide(&self, loaded: &Loaded, spec: SpecId, user: UserView<'_>) -> Decision {
        let ruleset = &loaded.ruleset;
        if let Some(decision) = ruleset.constant(spec) {
            return decision;
        }
        let input = Input {
            tier: self.tier(ruleset),
            now: if ruleset.looks_at_time(spec) { now_ms().cast_signed() } else { 0 },
            ..Input::new(user, self.everybody.global.view())
        };
        decide(ruleset, spec, &input)
    }

    /// The outcome of a check that came to a decision, after noting the check.
    pub(crate) fn plain_outcome(
        &self,
        loaded: &Arc<Loaded>,
        (kind, name): (CheckKind, &Bound<'_, PyString>),
        decision: Decision,
        caller: Caller<'_, '_>,
        counts: Counts,
    ) -> PyResult<Outcome> {
        let note = self.to_note(loaded, kind, decision, caller.view, counts);
        let reads = match &self.events {
            Some(events) if kind == CheckKind::Layer => Some(Box::new(Reads {
                events: events.clone_ref(name.py()),
                user: caller.keep(),
                exposes: self.exposes(counts),
                is_manual: counts == Counts::ManualExposure,
                is_part: false,
            })),
            _ => None,
        };
        if !matches!(note, Note::Nothing) {
            self.carry_out(note, Arc::clone(loaded), (kind, name), decision, caller, counts)?;
        }
        Ok(Outcome {
            name: own_name(name),
            basis: Basis::Loaded(Arc::clone(loaded)),
            verdict: Verdict::Plain(decision),
            overrides: None,
            reads,
        })
    }

    #[inline]
    fn to_note(
        &self,
        loaded: &Loaded,
        kind: CheckKind,
        decision: Decision,
        user: UserView<'_>,
        counts: Counts,
    ) -> Note {
        match &self.events {
            None => Note::Nothing,
            Some(events) => self.to_note_in(events.get(), loaded, kind, decision, user, counts),
        }
    }

    #[inline(never)]
    fn to_note_in(
        &self,
        events: &PyEventLog,
        loaded: &Loaded,
        kind: CheckKind,
        decision: Decision,
        user: UserView<'_>,
        counts: Counts,
    ) -> Note {
        if !self.exposes(counts) {
            return Note::Count;
        }
        if kind == CheckKind::Layer {
            // Its parameters are exposed, when they are read.
            return Note::Nothing;
        }
        let (key, now) = (decision.exposure_key(&loaded.ruleset, &user), steady_ms());
        if events.is_new(key, now, loaded.ruleset.exposure_window_ms()) {
            Note::Exposure(key, now)
        } else {
            Note::Nothing
        }
    }

    /// Notes a check once the payload is no longer held.
    #[cold]
    #[inline(never)]
    fn note_after(
        &self,
        held: Held<'_, Loaded>,
        note: Note,
        asked: (CheckKind, &Bound<'_, PyString>),
        decision: Decision,
        caller: Caller<'_, '_>,
        counts: Counts,
    ) -> PyResult<()> {
        let Some(loaded) = held.share() else {
            return Ok(());
        };
        drop(held);
        self.carry_out(note, loaded, asked, decision, caller, counts)
    }

    #[inline(never)]
    fn carry_out(
        &self,
        note: Note,
        mut loaded: Arc<Loaded>,
        (kind, name): (CheckKind, &Bound<'_, PyString>),
        decision: Decision,
        caller: Caller<'_, '_>,
        counts: Counts,
    ) -> PyResult<()> {
        let Some(events) = &self.events else {
            return Ok(());
        };
        let (events, is_manual) = (events.get(), counts == Counts::ManualExposure);
        if let Note::Exposure(..) = note {
            let keep = || (about_now_ms(), caller.keep());
            match Event::of_decision(loaded, kind, &decision, is_manual, keep) {
                Ok(event) => return Ok(events.push(event)?),
                Err(given_back) => loaded = given_back,
            }
        }
        let name = check_name(name)?;
        // What is noted may drop objects: PyO3 has to know that it may.
        Python::attach(|py| match note {
            Note::Nothing => Ok(()),
            Note::Count => Ok(events.count(py, name)?),
            Note::Exposure(key, now) => {
                let evaluation = decision.evaluation(&loaded.ruleset);
                let exposed = Exposed {
                    is_manual,
                    ..Exposed::new(&loaded.ruleset, kind, name, &evaluation, caller.view)
                };
                Ok(events.take_in(py, &loaded, &exposed, (key, now), || caller.keep())?)
            }
        })
    }
}
