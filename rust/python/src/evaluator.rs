//! `Evaluator`: the ruleset in use and the checks against it.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PySuper, PyType};
use statsig_engine::{
    AttributeMap, CheckKind, Compiled, SpecKind, UserBuilder, client_response, compile, explain,
};
#[cfg(not(target_os = "wasi"))]
use std::num::NonZero;
use std::sync::Arc;

use crate::arguments::{check_name, check_options, flag, optional_text, own_name, text_argument};
#[cfg(not(target_os = "wasi"))]
use crate::batch::PyEvaluatedBatch;
use crate::checks::Counts;
use crate::clock::now_ms;
use crate::countries::want_countries;
use crate::current::Current;
use crate::custom_events::{custom_event_members, identify_members};
use crate::errors::{one_line, payload_error, wrong_type};
use crate::events::{Everybody, PyEventLog};
use crate::experiment_groups::PyExperimentGroupsResult;
use crate::extract::{Place, fill_map, text};
use crate::fast_calls::inherit;
use crate::id_lists::HeldIdLists;
use crate::loaded::Loaded;
use crate::options::{
    PyDynamicConfigEvaluationOptions, PyExperimentEvaluationOptions, PyFeatureGateEvaluationOptions,
    PyLayerEvaluationOptions, PyParameterStoreEvaluationOptions,
};
use crate::outcome::{PyEvaluationDetails, parameter_name};
use crate::overrides::{Given, LocalOverrides, check_kind};
use crate::parameter_store::PyParameterStore;
use crate::response::{self, Wanted};
use crate::results::{PyDynamicConfig, PyExperiment, PyFeatureGate, PyLayer};
use crate::user::owned_user;
use crate::watch::Watch;

/// A ruleset and the checks against it. `Statsig` adds where the ruleset comes from.
#[pyclass(frozen, subclass, name = "Evaluator", module = "statsig_fastly._native")]
pub(crate) struct PyEvaluator {
    pub(crate) current: Current,
    pub(crate) everybody: Arc<Everybody>,
    pub(crate) overrides: LocalOverrides,
    session: String,
    pub(crate) looks_up_countries: bool,
    pub(crate) id_lists: HeldIdLists,
    /// Where sticky values are kept: `save`, `delete` and `refuse` of a `StorageCalls`.
    pub(crate) storage: Option<Py<PyAny>>,
    /// Where checks are noted; None if they are not.
    pub(crate) events: Option<Py<PyEventLog>>,
    /// False if checks count without being exposed, unless the application asks for the exposure.
    pub(crate) exposes: bool,
    pub(crate) watch: Watch,
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
        events = None,
        disable_exposure_logging = false,
    ))]
    #[allow(clippy::too_many_arguments, reason = "one for each thing a client is made of")]
    fn new(
        environment: Option<&Bound<'_, PyString>>,
        global_custom_fields: Option<&Bound<'_, PyAny>>,
        disable_country_lookup: bool,
        id_lists: Option<&Bound<'_, PyAny>>,
        storage: Option<Py<PyAny>>,
        events: Option<Bound<'_, PyEventLog>>,
        disable_exposure_logging: bool,
    ) -> PyResult<Self> {
        let environment = environment.map(|tier| text(Place::Argument("environment"), tier)).transpose()?;
        let mut builder = UserBuilder::new();
        if let Some(fields) = global_custom_fields {
            fill_map(&mut builder, AttributeMap::Custom, "global_custom_fields", fields)?;
        }
        let everybody = Arc::new(Everybody {
            environment: environment.map(str::to_owned),
            global: builder.finish().unwrap_or_default(),
        });
        if let Some(events) = &events {
            events.get().belongs_to(&everybody)?;
        }
        Ok(Self {
            current: Current::default(),
            everybody,
            overrides: LocalOverrides::default(),
            session: response::new_session(),
            looks_up_countries: !disable_country_lookup,
            id_lists: id_lists.map(HeldIdLists::read).transpose()?.unwrap_or_default(),
            storage,
            events: events.map(Bound::unbind),
            exposes: !disable_exposure_logging,
            watch: Watch::default(),
        })
    }

    /// Makes the calls of a subclass as quick as those of this class, if it says so. It and what is derived from it
    /// do not notice then when a class between is changed, or comes later in their order.
    #[classmethod]
    #[pyo3(signature = (*, quick_calls = false, **arguments))]
    fn __init_subclass__(
        class: &Bound<'_, PyType>,
        quick_calls: bool,
        arguments: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let next = PySuper::new(&class.py().get_type::<Self>(), class)?;
        next.call_method(intern!(class.py(), "__init_subclass__"), (), arguments)?;
        if quick_calls { inherit(class) } else { Ok(()) }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.watch.traverse(&visit)?;
        visit.call(&self.storage)?;
        visit.call(&self.events)
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
        let outcome = self.current.replace(py, loaded);
        if let (Some(events), Some(in_use)) = (&self.events, self.current.share(py)) {
            events.get().write_out(py, &in_use);
        }
        Ok(outcome)
    }

    /// From here on a check that finds nothing loaded says so, instead of "not started".
    fn _mark_started(&self) {
        self.current.mark_started();
    }

    /// Sets who is told, without arguments, by the check that notices that it is time.
    fn _on_look_due(&self, listener: Py<PyAny>) {
        self.watch.listen(listener);
    }

    /// Has the first check tell that comes in so many ms or later; None: none.
    fn _look_after(&self, ms: Option<u64>) {
        self.watch.set(ms);
    }

    fn _issues(&self, py: Python<'_>) -> Vec<(&'static str, String, String)> {
        let Some(loaded) = self.current.share(py) else {
            return Vec::new();
        };
        let kind = |kind| match kind {
            SpecKind::Gate => "gate",
            SpecKind::Config => "config",
            SpecKind::Layer => "layer",
        };
        let issues = loaded.ruleset.issues();
        issues.iter().map(|issue| (kind(issue.kind), issue.name.clone(), one_line(&issue.message))).collect()
    }

    /// A trace as JSON, and the details of the result. Without a kind: that of the spec of the name.
    #[pyo3(signature = (user, name, kind, show_private))]
    fn _explain(
        &self,
        user: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        kind: Option<&Bound<'_, PyAny>>,
        show_private: &Bound<'_, PyAny>,
    ) -> PyResult<(String, PyEvaluationDetails)> {
        let text = check_name(name)?;
        let show_private = flag("show_private", show_private)?;
        let snapshot = self.snapshot(name.py())?;
        let kind = match kind {
            Some(kind) => check_kind(optional_text("kind", kind)?)?,
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
        py.detach(|| self.id_lists.set(name, lines))
    }

    /// Makes further changes to a list, which is a new one if there is none of that name. False, and nothing
    /// is changed, if these are no lines of its file.
    fn _extend_id_list(&self, py: Python<'_>, name: &str, lines: &[u8]) -> bool {
        py.detach(|| self.id_lists.extend(name, lines))
    }

    /// Takes a list away.
    fn _drop_id_list(&self, name: &str) {
        self.id_lists.remove(name);
    }

    /// True if a ruleset is loaded, so that checks have answers.
    #[getter]
    fn is_ready(&self, py: Python<'_>) -> bool {
        self.current.hold(py).get().is_some()
    }

    /// When the project in use was last changed, in ms since the epoch; None if nothing is loaded.
    #[getter]
    fn config_time(&self, py: Python<'_>) -> Option<u64> {
        self.current.hold(py).get().map(|loaded| loaded.ruleset.time())
    }

    /// Whether the user passes a gate.
    #[pyo3(signature = (user, name, options = None))]
    fn check_gate(
        &self,
        user: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let options =
            check_options::<PyFeatureGateEvaluationOptions>("FeatureGateEvaluationOptions", options)?;
        let counts = counts(options.is_some_and(|options| options.get().disable_exposure_logging));
        self.passes(user, name, counts)
    }

    /// Whether the user passes each of the gates, by name.
    #[pyo3(signature = (user, names, options = None))]
    fn check_gates<'py>(
        &self,
        user: &Bound<'py, PyAny>,
        names: &Bound<'py, PyAny>,
        options: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let options =
            check_options::<PyFeatureGateEvaluationOptions>("FeatureGateEvaluationOptions", options)?;
        if names.is_instance_of::<PyString>() {
            // It would be taken for the names of its letters.
            return Err(wrong_type("names", "several names", names));
        }
        let counts = counts(options.is_some_and(|options| options.get().disable_exposure_logging));
        self.passes_each(user, names, counts)
    }

    /// What the user gets of everything there is, by kind and name. Nothing of it is logged.
    fn evaluate_all<'py>(&self, user: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
        self.everything(user)
    }

    /// What the users in the rows of a table get. Nothing of it is logged.
    #[cfg(not(target_os = "wasi"))]
    #[pyo3(
        signature = (table, *, gates = Vec::new(), experiments = Vec::new(), threads = None),
        text_signature = "($self, table, *, gates=(), experiments=(), threads=None)"
    )]
    #[allow(clippy::needless_pass_by_value, reason = "what PyO3 makes of a sequence")]
    fn evaluate_batch(
        &self,
        table: &Bound<'_, PyAny>,
        gates: Vec<String>,
        experiments: Vec<String>,
        threads: Option<NonZero<usize>>,
    ) -> PyResult<PyEvaluatedBatch> {
        self.batch(table, &gates, &experiments, threads)
    }

    /// Whether the user passes a gate, and why.
    #[pyo3(signature = (user, name, options = None))]
    fn get_feature_gate(
        &self,
        user: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyFeatureGate> {
        let options =
            check_options::<PyFeatureGateEvaluationOptions>("FeatureGateEvaluationOptions", options)?;
        let counts = counts(options.is_some_and(|options| options.get().disable_exposure_logging));
        Ok(PyFeatureGate::new(self.result(CheckKind::Gate, user, name, counts)?))
    }

    /// The parameters a dynamic config has for the user.
    #[pyo3(signature = (user, name, options = None))]
    fn get_dynamic_config(
        &self,
        user: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyDynamicConfig> {
        let options =
            check_options::<PyDynamicConfigEvaluationOptions>("DynamicConfigEvaluationOptions", options)?;
        let counts = counts(options.is_some_and(|options| options.get().disable_exposure_logging));
        Ok(PyDynamicConfig::new(self.result(CheckKind::Config, user, name, counts)?))
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
        let counts = counts(options.is_some_and(|options| options.get().disable_exposure_logging));
        Ok(PyExperiment::new(self.kept_or_live(CheckKind::Experiment, user, name, sticky, counts)?))
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
        let counts = counts(options.is_some_and(|options| options.get().disable_exposure_logging));
        Ok(PyLayer::new(self.kept_or_live(CheckKind::Layer, user, name, sticky, counts)?))
    }

    /// Exposes a gate without asking for it.
    fn manually_log_gate_exposure(&self, user: &Bound<'_, PyAny>, name: &Bound<'_, PyAny>) -> PyResult<()> {
        self.result(CheckKind::Gate, user, name, Counts::ManualExposure).map(drop)
    }

    /// Exposes a dynamic config without asking for it.
    fn manually_log_dynamic_config_exposure(
        &self,
        user: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.result(CheckKind::Config, user, name, Counts::ManualExposure).map(drop)
    }

    /// Exposes an experiment without asking for it.
    fn manually_log_experiment_exposure(
        &self,
        user: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.result(CheckKind::Experiment, user, name, Counts::ManualExposure).map(drop)
    }

    /// Exposes a parameter of a layer without reading it, also where there is none of the name.
    fn manually_log_layer_parameter_exposure(
        &self,
        user: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        param_name: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let key = parameter_name(param_name)?;
        self.result(CheckKind::Layer, user, name, Counts::ManualExposure)?.note_read(key)
    }

    /// Takes in an event of the application's own.
    #[pyo3(signature = (user, event_name, value = None, metadata = None))]
    fn log_event(
        &self,
        user: &Bound<'_, PyAny>,
        event_name: &Bound<'_, PyAny>,
        value: Option<&Bound<'_, PyAny>>,
        metadata: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let members = custom_event_members(event_name, value, metadata)?;
        self.log_written(user, members)
    }

    /// Takes in what is known of a user.
    fn identify(&self, user: &Bound<'_, PyAny>) -> PyResult<()> {
        self.log_written(user, identify_members())
    }

    /// What the session of this process is called.
    #[getter]
    fn _session(&self) -> &str {
        &self.session
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
        let snapshot = self.snapshot(py)?;
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
            name: own_name(name.cast()?),
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
        PyExperimentGroupsResult::new(py, self.current.share(py).as_ref(), name)
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
        let current = self.current.share(py);
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

pub(crate) fn counts(disable_exposure_logging: bool) -> Counts {
    if disable_exposure_logging { Counts::Check } else { Counts::Exposure }
}

impl Drop for PyEvaluator {
    fn drop(&mut self) {
        Python::attach(|py| self.current.retire(py));
    }
}

impl PyEvaluator {
    fn names<'py>(
        &self,
        py: Python<'py>,
        kind: SpecKind,
        entity: Option<&str>,
    ) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        if let Some(loaded) = self.current.share(py) {
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
