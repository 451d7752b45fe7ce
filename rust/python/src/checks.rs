//! One check: from the user and the name to its outcome.

use arc_swap::Guard;
use pyo3::prelude::*;
use pyo3::types::PyString;
use statsig_engine::{CheckKind, Evaluation, Input, Overrides, Ruleset, UserView, evaluate};
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::arguments::{check_name, text_argument};
use crate::chance::random;
use crate::countries::countries;
use crate::evaluator::PyEvaluator;
use crate::loaded::Loaded;
use crate::options::StickyOptions;
use crate::outcome::Outcome;
use crate::results::PyExperiment;
use crate::sticky::sticky_result;
use crate::user::with_user;

/// What one check is made against.
pub(crate) struct Snapshot {
    loaded: Option<Arc<Loaded>>,
    overrides: Guard<Option<Arc<Overrides>>>,
}

impl Snapshot {
    pub(crate) fn loaded(&self) -> Option<&Loaded> {
        self.loaded.as_deref()
    }

    pub(crate) fn overrides(&self) -> Option<&Overrides> {
        self.overrides.as_deref()
    }
}

/// What checks are evaluated against while nothing is loaded: overrides count then as well.
static EMPTY: LazyLock<Ruleset> = LazyLock::new(Ruleset::empty);

pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

impl PyEvaluator {
    pub(crate) fn evaluate(
        &self,
        loaded: Option<&Loaded>,
        overrides: Option<&Overrides>,
        kind: CheckKind,
        user: &Bound<'_, PyAny>,
        name: &str,
    ) -> PyResult<Evaluation> {
        self.with_input(loaded, overrides, user, |ruleset, input| evaluate(ruleset, kind, name, input))
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
        let ruleset = loaded.map_or_else(|| &*EMPTY, |loaded| &loaded.ruleset);
        let id_lists = if ruleset.uses_id_lists() { Some(self.id_lists.load()) } else { None };
        let input = Input {
            tier: self.environment.as_deref().or_else(|| ruleset.default_environment()),
            now: if ruleset.uses_time() { now_ms().cast_signed() } else { 0 },
            overrides,
            random: if ruleset.uses_chance() { random() } else { 0 },
            countries: if self.looks_up_countries && ruleset.uses_country() { countries() } else { None },
            id_lists: id_lists.as_ref().and_then(|lists| lists.as_deref()),
            ..Input::new(user, self.global.view())
        };
        step(ruleset, &input)
    }

    pub(crate) fn result(
        &self,
        kind: CheckKind,
        user: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
    ) -> PyResult<Outcome> {
        let text = check_name(name)?;
        let snapshot = self.snapshot();
        let evaluation = self.evaluate(snapshot.loaded(), snapshot.overrides(), kind, user, text)?;
        Ok(self.outcome(name.cast()?, snapshot, evaluation))
    }

    #[inline]
    pub(crate) fn kept_or_live(
        &self,
        kind: CheckKind,
        user: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        options: Option<&StickyOptions>,
    ) -> PyResult<Outcome> {
        match &self.storage {
            Some(storage) => sticky_result(self, storage.bind(user.py()), kind, user, name, options),
            None => self.result(kind, user, name),
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot { loaded: self.current.load_full(), overrides: self.overrides.load() }
    }

    #[inline]
    pub(crate) fn outcome(
        &self,
        name: &Bound<'_, PyString>,
        snapshot: Snapshot,
        evaluation: Evaluation,
    ) -> Outcome {
        Outcome {
            name: name.clone().unbind(),
            basis: self.current.basis(snapshot.loaded),
            overrides: snapshot.overrides.as_ref().filter(|_| evaluation.has_override_value()).cloned(),
            evaluation,
        }
    }

    pub(crate) fn group(
        &self,
        experiment_name: &Bound<'_, PyAny>,
        find: impl FnOnce(&Ruleset, &str) -> Evaluation,
    ) -> PyResult<PyExperiment> {
        let name = text_argument("experiment_name", experiment_name)?;
        let snapshot = self.snapshot();
        let evaluation =
            snapshot.loaded().map_or_else(Evaluation::unrecognized, |loaded| find(&loaded.ruleset, name));
        Ok(PyExperiment::new(self.outcome(experiment_name.cast()?, snapshot, evaluation)))
    }
}
