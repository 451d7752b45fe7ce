//! Many checks of one user in one call.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use statsig_engine::{CheckKind, SpecKind, evaluate};
use std::sync::Arc;

use crate::checks::Counts;
use crate::evaluator::PyEvaluator;
use crate::outcome::{Basis, Outcome, Verdict};
use crate::results::{PyDynamicConfig, PyExperiment, PyFeatureGate, PyLayer};
use crate::user::{Caller, owned_user};

impl PyEvaluator {
    /// The value of each gate. The user is converted once.
    pub(crate) fn passes_each<'py>(
        &self,
        user: &Bound<'py, PyAny>,
        names: &Bound<'py, PyAny>,
        counts: Counts,
    ) -> PyResult<Bound<'py, PyDict>> {
        let user = owned_user(user)?.into_bound(names.py()).into_any();
        let passes = PyDict::new(names.py());
        for name in names.try_iter()? {
            let name = name?;
            passes.set_item(&name, self.passes(&user, &name, counts)?)?;
        }
        Ok(passes)
    }

    /// The results of everything there is, by kind and name. Nothing is noted.
    pub(crate) fn everything<'py>(&self, user: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
        let py = user.py();
        let user = owned_user(user)?.into_bound(py);
        let caller = Caller::of(&user);
        let results: [(&str, Bound<'py, PyDict>); 4] =
            ["feature_gates", "dynamic_configs", "experiments", "layers"].map(|kind| (kind, PyDict::new(py)));
        if let Some(loaded) = self.current.share(py) {
            let overrides = self.overrides.load();
            for spec in loaded.ruleset.specs() {
                let entity = loaded.ruleset.string(spec.entity());
                let (kind, place) = match (spec.kind(), entity) {
                    (SpecKind::Gate, "feature_gate") => (CheckKind::Gate, 0),
                    (SpecKind::Config, "dynamic_config") => (CheckKind::Config, 1),
                    (SpecKind::Config, _) => (CheckKind::Experiment, 2),
                    (SpecKind::Layer, _) => (CheckKind::Layer, 3),
                    // Segments and holdouts are parts of others.
                    (SpecKind::Gate, _) => continue,
                };
                let name: Bound<'py, PyString> = loaded.string(py, spec.name());
                let evaluation =
                    self.with_input_of(Some(&loaded), overrides.as_deref(), caller.view, |ruleset, input| {
                        evaluate(ruleset, kind, loaded.ruleset.string(spec.name()), input)
                    });
                let outcome = Outcome {
                    name: name.clone().unbind(),
                    basis: Basis::Loaded(Arc::clone(&loaded)),
                    overrides: overrides.clone().filter(|_| evaluation.has_override_value()),
                    verdict: Verdict::Whole(Box::new(evaluation)),
                    reads: None,
                };
                let results = &results[place].1;
                match kind {
                    CheckKind::Gate => results.set_item(name, PyFeatureGate::new(outcome))?,
                    CheckKind::Config => results.set_item(name, PyDynamicConfig::new(outcome))?,
                    CheckKind::Experiment => results.set_item(name, PyExperiment::new(outcome))?,
                    CheckKind::Layer => results.set_item(name, PyLayer::new(outcome))?,
                }
            }
        }
        let all = PyDict::new(py);
        for (kind, results) in results {
            all.set_item(kind, results)?;
        }
        Ok(all)
    }
}
