//! `Evaluator`: the ruleset in use and the checks against it.

use arc_swap::{ArcSwapOption, Guard};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};
use statsig_engine::{
    AttributeMap, CheckKind, Compiled, Evaluation, IdList, IdLists, Input, Overrides, PackedUser, Ruleset,
    SpecKind, UserBuilder, UserView, client_response, compile, evaluate, explain,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::chance::random;
use crate::countries::{countries, want_countries};
use crate::errors::{payload_error, wrong_type};
use crate::experiment_groups::PyExperimentGroupsResult;
use crate::extract::{Place, fill_map, text};
use crate::id_lists::read_id_lists;
use crate::loaded::Loaded;
use crate::options::{
    PyDynamicConfigEvaluationOptions, PyExperimentEvaluationOptions, PyFeatureGateEvaluationOptions,
    PyLayerEvaluationOptions, PyParameterStoreEvaluationOptions, StickyOptions,
};
use crate::outcome::{Basis, Outcome, PyEvaluationDetails};
use crate::overrides::{Given, LocalOverrides, check_kind};
use crate::parameter_store::PyParameterStore;
use crate::response::{self, Wanted};
use crate::results::{PyDynamicConfig, PyExperiment, PyFeatureGate, PyLayer};
use crate::sticky::sticky_result;
use crate::user::{owned_user, with_user};

/// A ruleset and the checks against it. `Statsig` adds where the ruleset comes from.
#[pyclass(frozen, subclass, name = "Evaluator", module = "statsig_fastly._native")]
pub(crate) struct PyEvaluator {
    current: ArcSwapOption<Loaded>,
    replacing: Mutex<()>,
    /// Set once a start has been tried, whatever came of it.
    started: AtomicBool,
    environment: Option<String>,
    global: PackedUser,
    overrides: LocalOverrides,
    session: String,
    looks_up_countries: bool,
    id_lists: ArcSwapOption<IdLists>,
    /// Where sticky values are kept: `save`, `delete` and `refuse` of a `StorageCalls`.
    storage: Option<Py<PyAny>>,
}

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

#[pymethods]
impl PyEvaluator {
    #[new]
    #[pyo3(signature = (
        environment = None,
        global_custom_fields = None,
        disable_country_lookup = false,
        id_lists = None,
        storage = None,
    ))]
    fn new(
        environment: Option<&Bound<'_, PyString>>,
        global_custom_fields: Option<&Bound<'_, PyAny>>,
        disable_country_lookup: bool,
        id_lists: Option<&Bound<'_, PyAny>>,
        storage: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let environment = environment.map(|tier| text(Place::Argument("environment"), tier)).transpose()?;
        let mut builder = UserBuilder::new();
        if let Some(fields) = global_custom_fields {
            fill_map(&mut builder, AttributeMap::Custom, "global_custom_fields", fields)?;
        }
        Ok(Self {
            current: ArcSwapOption::empty(),
            replacing: Mutex::new(()),
            started: AtomicBool::new(false),
            environment: environment.map(str::to_owned),
            global: builder.finish().unwrap_or_default(),
            overrides: LocalOverrides::default(),
            session: response::new_session(),
            looks_up_countries: !disable_country_lookup,
            id_lists: ArcSwapOption::new(id_lists.map(read_id_lists).transpose()?.map(Arc::new)),
            storage,
        })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.storage)
    }

    /// Compiles a payload with the GIL released and puts it in place of the one in use. Says what came of
    /// it: `applied`; `older` or, by checksum, `unchanged`; `no updates` for a payload that says so of itself.
    fn _load(&self, py: Python<'_>, payload: &[u8], source: String) -> PyResult<&'static str> {
        let compiled = py.detach(|| compile(payload)).map_err(|error| payload_error(py, &error))?;
        let Compiled::Ruleset(ruleset) = compiled else {
            return Ok("no updates");
        };
        if self.looks_up_countries && ruleset.uses_country() {
            // Before the ruleset is in use, so that no check comes too early.
            want_countries(py)?;
        }
        let loaded = Arc::new(Loaded::new(*ruleset, source, now_ms()));
        // Comparing and replacing are one step, or of two loads at a time the older could win.
        let replacing = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(refused) = self.refuses(&loaded.ruleset) {
            return Ok(refused);
        }
        let replaced = self.current.swap(Some(loaded));
        drop(replacing);
        // What is replaced is dropped here, attached: it holds Python objects.
        drop(replaced);
        Ok("applied")
    }

    /// From here on a check that finds nothing loaded says so, instead of "not started".
    fn _mark_started(&self) {
        self.started.store(true, Ordering::Release);
    }

    fn _issues(&self) -> Vec<(&'static str, String, String)> {
        let current = self.current.load();
        let Some(loaded) = current.as_ref() else {
            return Vec::new();
        };
        let kind = |kind| match kind {
            SpecKind::Gate => "gate",
            SpecKind::Config => "config",
            SpecKind::Layer => "layer",
        };
        let issues = loaded.ruleset.issues();
        issues.iter().map(|issue| (kind(issue.kind), issue.name.clone(), issue.message.clone())).collect()
    }

    /// A trace as JSON, and the details of the result. Without a kind: that of the spec of the name.
    #[pyo3(signature = (user, name, kind, show_private))]
    fn _explain(
        &self,
        user: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        kind: Option<&str>,
        show_private: bool,
    ) -> PyResult<(String, PyEvaluationDetails)> {
        let text = check_name(name)?;
        let snapshot = self.snapshot();
        let kind = match kind {
            Some(kind) => check_kind(kind)?,
            None => snapshot.loaded().map_or(CheckKind::Gate, |loaded| loaded.ruleset.kind_of(text)),
        };
        let (evaluation, trace) =
            self.with_input(snapshot.loaded(), snapshot.overrides(), user, |ruleset, input| {
                explain(ruleset, kind, text, input, show_private)
            })?;
        Ok((trace, self.outcome(name.cast()?, snapshot, evaluation).details()))
    }

    fn _set_override(&self, kind: &str, name: &str, value: Given, unit: Option<&str>) -> PyResult<()> {
        self.overrides.set(kind, name, value, unit)
    }

    fn _remove_override(&self, kind: &str, name: &str, unit: Option<&str>) -> PyResult<()> {
        self.overrides.remove(kind, name, unit)
    }

    fn _clear_overrides(&self) {
        self.overrides.clear();
    }

    /// Puts a list in place of the one of that name: what its file says, line by line. False, and nothing is
    /// changed, if that is no such file.
    fn _set_id_list(&self, py: Python<'_>, name: &str, lines: &[u8]) -> bool {
        py.detach(|| {
            let mut list = IdList::default();
            let applied = list.apply(lines);
            if applied {
                let list = Arc::new(list);
                self.change_id_lists(|lists| lists.insert(name, Arc::clone(&list)));
            }
            applied
        })
    }

    /// Makes further changes to a list, which is a new one if there is none of that name. False, and nothing
    /// is changed, if these are no lines of its file.
    fn _extend_id_list(&self, py: Python<'_>, name: &str, lines: &[u8]) -> bool {
        py.detach(|| {
            let mut applied = false;
            self.change_id_lists(|lists| {
                let mut list = lists.get(name).cloned().unwrap_or_default();
                applied = list.apply(lines);
                if applied {
                    lists.insert(name, Arc::new(list));
                }
            });
            applied
        })
    }

    /// Takes a list away.
    fn _drop_id_list(&self, name: &str) {
        self.change_id_lists(|lists| lists.remove(name));
    }

    /// True if a ruleset is loaded, so that checks have answers.
    #[getter]
    fn is_ready(&self) -> bool {
        self.current.load().is_some()
    }

    /// When the project in use was last changed, in ms since the epoch; None if nothing is loaded.
    #[getter]
    fn config_time(&self) -> Option<u64> {
        self.current.load().as_ref().map(|loaded| loaded.ruleset.time())
    }

    /// Whether the user passes a gate.
    #[pyo3(signature = (user, name, options = None))]
    fn check_gate(
        &self,
        user: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        check_options::<PyFeatureGateEvaluationOptions>("FeatureGateEvaluationOptions", options)?;
        let name = check_name(name)?;
        let (current, overrides) = (self.current.load(), self.overrides.load());
        let evaluation =
            self.evaluate(current.as_deref(), overrides.as_deref(), CheckKind::Gate, user, name)?;
        Ok(evaluation.passes)
    }

    /// Whether the user passes a gate, and why.
    #[pyo3(signature = (user, name, options = None))]
    fn get_feature_gate(
        &self,
        user: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyFeatureGate> {
        check_options::<PyFeatureGateEvaluationOptions>("FeatureGateEvaluationOptions", options)?;
        Ok(PyFeatureGate::new(self.result(CheckKind::Gate, user, name)?))
    }

    /// The parameters a dynamic config has for the user.
    #[pyo3(signature = (user, name, options = None))]
    fn get_dynamic_config(
        &self,
        user: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyDynamicConfig> {
        check_options::<PyDynamicConfigEvaluationOptions>("DynamicConfigEvaluationOptions", options)?;
        Ok(PyDynamicConfig::new(self.result(CheckKind::Config, user, name)?))
    }

    /// The user's group in an experiment, and its parameters.
    #[pyo3(signature = (user, name, options = None))]
    fn get_experiment(
        &self,
        user: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyExperiment> {
        let options = check_options::<PyExperimentEvaluationOptions>("ExperimentEvaluationOptions", options)?;
        let sticky = options.map(|options| options.get().sticky());
        Ok(PyExperiment::new(self.kept_or_live(CheckKind::Experiment, user, name, sticky)?))
    }

    /// The parameters of a layer, from the experiment in it that the user is part of.
    #[pyo3(signature = (user, name, options = None))]
    fn get_layer(
        &self,
        user: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyLayer> {
        let options = check_options::<PyLayerEvaluationOptions>("LayerEvaluationOptions", options)?;
        let sticky = options.map(|options| options.get().sticky());
        Ok(PyLayer::new(self.kept_or_live(CheckKind::Layer, user, name, sticky)?))
    }

    /// What a client SDK starts from: everything the user gets, as JSON.
    #[pyo3(signature = (user, hash = None, client_sdk_key = None, include_local_overrides = None))]
    fn get_client_initialize_response(
        &self,
        py: Python<'_>,
        user: &Bound<'_, PyAny>,
        hash: Option<&Bound<'_, PyAny>>,
        client_sdk_key: Option<&Bound<'_, PyAny>>,
        include_local_overrides: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<String> {
        let wanted = Wanted::new(hash, client_sdk_key, include_local_overrides)?;
        let snapshot = self.snapshot();
        let overrides = snapshot.overrides().filter(|_| wanted.overrides);
        self.with_input(snapshot.loaded(), overrides, user, |ruleset, input| {
            let ruleset = snapshot.loaded().map(|_| ruleset);
            py.detach(|| client_response(ruleset, input, &wanted.options(&self.session)))
        })
    }

    /// The parameters of a store for the user.
    #[pyo3(signature = (user, name, options = None))]
    fn get_parameter_store(
        slf: &Bound<'_, Self>,
        user: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyParameterStore> {
        type Options = PyParameterStoreEvaluationOptions;
        check_options::<Options>("ParameterStoreEvaluationOptions", options)?;
        check_name(name)?;
        let options = options.and_then(|options| options.cast::<Options>().ok());
        Ok(PyParameterStore {
            name: name.cast::<PyString>()?.clone().unbind(),
            user: owned_user(user)?,
            evaluator: slf.clone().unbind(),
            disable_exposure_logging: options.is_some_and(|options| options.get().disable_exposure_logging),
        })
    }

    /// The groups of an experiment, and whether it is running.
    fn get_experiment_groups(
        &self,
        py: Python<'_>,
        experiment_name: &Bound<'_, PyAny>,
    ) -> PyResult<PyExperimentGroupsResult> {
        let name = text_argument("experiment_name", experiment_name)?;
        PyExperimentGroupsResult::new(py, self.current.load().as_ref(), name)
    }

    /// What an experiment gives to those in a group.
    fn get_experiment_by_group_name(
        &self,
        experiment_name: &Bound<'_, PyAny>,
        group_name: &Bound<'_, PyAny>,
    ) -> PyResult<PyExperiment> {
        let group = text_argument("group_name", group_name)?;
        self.group(experiment_name, |ruleset, name| ruleset.group_by_name(name, group))
    }

    /// What an experiment gives to those in the group of a rule.
    fn get_experiment_by_group_id_advanced(
        &self,
        experiment_name: &Bound<'_, PyAny>,
        group_id: &Bound<'_, PyAny>,
    ) -> PyResult<PyExperiment> {
        let rule = text_argument("group_id", group_id)?;
        self.group(experiment_name, |ruleset, name| ruleset.group_by_rule(name, rule))
    }

    /// Names of all parameter stores.
    fn get_parameter_store_list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let current = self.current.load();
        let list = PyList::empty(py);
        for name in current.iter().flat_map(|loaded| loaded.ruleset.parameter_stores()) {
            list.append(name)?;
        }
        Ok(list)
    }

    /// Names of all gates, without segments and holdouts.
    fn get_feature_gate_list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.names(py, SpecKind::Gate, Some("feature_gate"))
    }

    /// Names of all dynamic configs, without experiments and autotunes.
    fn get_dynamic_config_list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.names(py, SpecKind::Config, Some("dynamic_config"))
    }

    /// Names of all experiments.
    fn get_experiment_list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.names(py, SpecKind::Config, Some("experiment"))
    }

    /// Names of all autotunes.
    fn get_autotune_list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.names(py, SpecKind::Config, Some("autotune"))
    }

    /// Names of all layers.
    fn get_layer_list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.names(py, SpecKind::Layer, None)
    }
}

impl PyEvaluator {
    /// Why a ruleset does not take the place of the one in use; None if it does.
    fn refuses(&self, new: &Ruleset) -> Option<&'static str> {
        let current = self.current.load();
        let held = &current.as_ref()?.ruleset;
        if new.time() < held.time() {
            Some("older")
        } else if new.checksum().is_some() && new.checksum() == held.checksum() {
            Some("unchanged")
        } else {
            None
        }
    }

    /// Replaces the lists by changed ones. `change` is made again if others were put in place meanwhile.
    fn change_id_lists(&self, mut change: impl FnMut(&mut IdLists)) {
        self.id_lists.rcu(|current| {
            let mut lists = current.as_deref().cloned().unwrap_or_default();
            change(&mut lists);
            Some(Arc::new(lists))
        });
    }

    fn evaluate(
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

    fn result(&self, kind: CheckKind, user: &Bound<'_, PyAny>, name: &Bound<'_, PyAny>) -> PyResult<Outcome> {
        let text = check_name(name)?;
        let snapshot = self.snapshot();
        let evaluation = self.evaluate(snapshot.loaded(), snapshot.overrides(), kind, user, text)?;
        Ok(self.outcome(name.cast()?, snapshot, evaluation))
    }

    #[inline]
    fn kept_or_live(
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
            basis: self.basis(snapshot.loaded),
            overrides: snapshot.overrides.as_ref().filter(|_| evaluation.has_override_value()).cloned(),
            evaluation,
        }
    }

    fn group(
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

    fn basis(&self, loaded: Option<Arc<Loaded>>) -> Basis {
        match loaded {
            Some(loaded) => Basis::Loaded(loaded),
            None if self.started.load(Ordering::Acquire) => Basis::Nothing("NoValues"),
            None => Basis::Nothing("Uninitialized"),
        }
    }

    fn names<'py>(
        &self,
        py: Python<'py>,
        kind: SpecKind,
        entity: Option<&str>,
    ) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        if let Some(loaded) = self.current.load().as_ref() {
            let ruleset = &loaded.ruleset;
            for spec in ruleset.specs().iter().filter(|spec| spec.kind() == kind) {
                if entity.is_none_or(|entity| ruleset.string(spec.entity()) == entity) {
                    list.append(loaded.string(py, spec.name()))?;
                }
            }
        }
        Ok(list)
    }
}

pub(crate) fn check_name<'a>(name: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    text_argument("name", name)
}

pub(crate) fn text_argument<'a>(argument: &str, value: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    match value.cast::<PyString>() {
        Ok(value) => text(Place::Argument(argument), value),
        Err(_) => Err(wrong_type(argument, "str", value)),
    }
}

fn check_options<'a, 'py, T: pyo3::PyTypeInfo>(
    class: &str,
    options: Option<&'a Bound<'py, PyAny>>,
) -> PyResult<Option<&'a Bound<'py, T>>> {
    let Some(options) = options else {
        return Ok(None);
    };
    match options.cast::<T>() {
        Ok(options) => Ok(Some(options)),
        Err(_) => Err(wrong_type("options", &format!("{class} or None"), options)),
    }
}
