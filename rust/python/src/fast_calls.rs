//! The methods that are called most, without what PyO3 does around a call.
//!
//! PyO3 sorts arguments by a description, counts how often it is attached, and catches panics. For calls with nothing
//! but positional arguments the first two are a third of what a check takes. Here such calls go straight to the same
//! functions; all others, and all that may drop what PyO3 counts, go the long way, which is the method PyO3 made.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use statsig_engine::CheckKind;
use std::ffi::{CStr, CString};
use std::ops::Deref;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::arguments::check_options;
use crate::evaluator::{PyEvaluator, counts};
use crate::given::{Given, answered, incomplete};
use crate::options::{
    PyDynamicConfigEvaluationOptions, PyExperimentEvaluationOptions, PyFeatureGateEvaluationOptions,
};
use crate::outcome::{Outcome, parameter_name};
use crate::results::{PyDynamicConfig, PyExperiment, PyFeatureGate, PyLayer};

type Call = unsafe extern "C" fn(
    *mut ffi::PyObject,
    *const *mut ffi::PyObject,
    ffi::Py_ssize_t,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;

/// A method that is made quick.
struct Method {
    /// What PyO3 made of it.
    long_way: PyOnceLock<Py<PyAny>>,
    /// What descriptors of it point to. It stays for as long as the process does.
    definition: AtomicPtr<ffi::PyMethodDef>,
}

impl Method {
    const fn new() -> Self {
        Self { long_way: PyOnceLock::new(), definition: AtomicPtr::new(std::ptr::null_mut()) }
    }
}

/// Makes a call with positional arguments only, at least `least` of `MOST`, through `call`.
#[inline]
fn enter<'py, const MOST: usize, T: pyo3::PyClass>(
    slf: &Bound<'py, T>,
    given: &Given<'_, 'py>,
    least: usize,
    method: &Method,
    call: impl FnOnce(&Bound<'py, T>, [Option<&Bound<'py, PyAny>>; MOST]) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    if given.named() > 0 || given.positional < least || given.positional > MOST {
        return take(slf.as_any(), given, method);
    }
    let values: [_; MOST] = std::array::from_fn(|index| given.get(index));
    call(slf, std::array::from_fn(|index| values[index].as_deref()))
}

/// Makes a call the long way.
#[cold]
#[inline(never)]
fn take<'py>(
    slf: &Bound<'py, PyAny>,
    given: &Given<'_, 'py>,
    method: &Method,
) -> PyResult<Bound<'py, PyAny>> {
    Python::attach(|_| {
        let (args, named) = given.packed(slf.clone())?;
        method.long_way.get(slf.py()).ok_or_else(incomplete)?.bind(slf.py()).call(args, Some(&named))
    })
}

macro_rules! fast_calls {
    ($($function:ident, $method:ident: $class:ty, $least:literal, $call:expr;)*) => {$(
        static $method: Method = Method::new();

        unsafe extern "C" fn $function(
            slf: *mut ffi::PyObject,
            args: *const *mut ffi::PyObject,
            count: ffi::Py_ssize_t,
            names: *mut ffi::PyObject,
        ) -> *mut ffi::PyObject {
            // SAFETY: the interpreter calls it, as a method of the class it was made for.
            unsafe {
                answered(args, count.cast_unsigned(), names, |given| {
                    let slf = Borrowed::from_ptr(given.py(), slf);
                    enter(slf.cast_unchecked::<$class>().deref(), &given, $least, &$method, $call)
                })
            }
        }
    )*};
}

fast_calls! {
    check_gate, CHECK_GATE: PyEvaluator, 2, |evaluator, [user, name, options]| {
        let (Some(user), Some(name)) = (user, name) else { return Err(incomplete()) };
        let options = checked::<PyFeatureGateEvaluationOptions>("FeatureGateEvaluationOptions", options)?;
        let counts = counts(options.is_some_and(|options| options.get().disable_exposure_logging));
        let passes = evaluator.get().passes(user, name, counts)?;
        Ok(pyo3::types::PyBool::new(user.py(), passes).to_owned().into_any())
    };
    get_feature_gate, GET_FEATURE_GATE: PyEvaluator, 2, |evaluator, [user, name, options]| {
        let (Some(user), Some(name)) = (user, name) else { return Err(incomplete()) };
        let options = checked::<PyFeatureGateEvaluationOptions>("FeatureGateEvaluationOptions", options)?;
        let counts = counts(options.is_some_and(|options| options.get().disable_exposure_logging));
        evaluator.get().result_object(CheckKind::Gate, user, name, counts, |outcome| {
            Ok(Bound::new(user.py(), PyFeatureGate::new(outcome))?.into_any())
        })
    };
    get_dynamic_config, GET_DYNAMIC_CONFIG: PyEvaluator, 2, |evaluator, [user, name, options]| {
        let (Some(user), Some(name)) = (user, name) else { return Err(incomplete()) };
        let options = checked::<PyDynamicConfigEvaluationOptions>("DynamicConfigEvaluationOptions", options)?;
        let counts = counts(options.is_some_and(|options| options.get().disable_exposure_logging));
        evaluator.get().result_object(CheckKind::Config, user, name, counts, |outcome| {
            Ok(Bound::new(user.py(), PyDynamicConfig::new(outcome))?.into_any())
        })
    };
    get_experiment, GET_EXPERIMENT: PyEvaluator, 2, |evaluator, [user, name, options]| {
        let (Some(user), Some(name)) = (user, name) else { return Err(incomplete()) };
        let options = checked::<PyExperimentEvaluationOptions>("ExperimentEvaluationOptions", options)?;
        evaluator.get().experiment_object(user, name, options.map(Bound::get))
    };
    get_of_config, GET_OF_CONFIG: PyDynamicConfig, 1, |config, [name, fallback]| get(config.get().outcome(), name, fallback);
    get_of_experiment, GET_OF_EXPERIMENT: PyExperiment, 1, |experiment, [name, fallback]| {
        get(experiment.get().outcome(), name, fallback)
    };
    get_of_layer, GET_OF_LAYER: PyLayer, 1, |layer, [name, fallback]| get(layer.get().outcome(), name, fallback);
}

fn get<'py>(
    outcome: &Outcome,
    name: Option<&Bound<'py, PyAny>>,
    fallback: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    outcome.get(parameter_name(name.ok_or_else(incomplete)?)?, fallback)
}

#[inline]
fn checked<'a, 'py, T: pyo3::PyTypeInfo>(
    class: &str,
    options: Option<&'a Bound<'py, PyAny>>,
) -> PyResult<Option<&'a Bound<'py, T>>> {
    match options {
        None => Ok(None),
        Some(options) => check_options(class, Some(options).filter(|options| !options.is_none())),
    }
}

const OF_EVALUATOR: [(&CStr, Call, &Method); 4] = [
    (c"check_gate", check_gate, &CHECK_GATE),
    (c"get_feature_gate", get_feature_gate, &GET_FEATURE_GATE),
    (c"get_dynamic_config", get_dynamic_config, &GET_DYNAMIC_CONFIG),
    (c"get_experiment", get_experiment, &GET_EXPERIMENT),
];

/// Puts the methods above in place of those PyO3 made.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    let evaluator = py.get_type::<PyEvaluator>();
    for (name, call, method) in OF_EVALUATOR {
        replace(&evaluator, name, call, method)?;
    }
    replace(&py.get_type::<PyDynamicConfig>(), c"get", get_of_config, &GET_OF_CONFIG)?;
    replace(&py.get_type::<PyExperiment>(), c"get", get_of_experiment, &GET_OF_EXPERIMENT)?;
    replace(&py.get_type::<PyLayer>(), c"get", get_of_layer, &GET_OF_LAYER)
}

/// Gives a subclass of the evaluator the methods it inherits as its own: the interpreter calls a method of the class
/// itself without a detour that takes as long as the rest of a call. What the subclass overrides stays.
pub(crate) fn inherit(class: &Bound<'_, PyType>) -> PyResult<()> {
    for (name, _, method) in OF_EVALUATOR {
        let inherited = class.getattr(name)?;
        let is_ours = inherited.get_type().is(method
            .long_way
            .get(class.py())
            .ok_or_else(incomplete)?
            .bind(class.py())
            .get_type())
            && inherited.getattr(c"__objclass__")?.cast::<PyType>()?.is_subclass_of::<PyEvaluator>()?;
        if is_ours {
            describe(class, name, method)?;
        }
    }
    Ok(())
}

fn replace(class: &Bound<'_, PyType>, name: &'static CStr, call: Call, method: &Method) -> PyResult<()> {
    let py = class.py();
    let long_way = class.getattr(name)?;
    let signature: String = long_way.getattr("__text_signature__")?.extract()?;
    let doc: String = long_way.getattr("__doc__")?.extract()?;
    let doc = CString::new(format!("{}{signature}\n--\n\n{doc}", name.to_string_lossy()))?;
    if method.long_way.set(py, long_way.unbind()).is_err() {
        // The module is imported once more, and the class is the same.
        return Ok(());
    }
    let definition = Box::leak(Box::new(ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: call },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: Box::leak(doc.into_boxed_c_str()).as_ptr(),
    }));
    method.definition.store(definition, Ordering::Release);
    describe(class, name, method)
}

fn describe(class: &Bound<'_, PyType>, name: &CStr, method: &Method) -> PyResult<()> {
    let definition = method.definition.load(Ordering::Acquire);
    // SAFETY: the definition is that of a method of the class or of one it is derived from, and stays.
    let method = unsafe {
        Bound::from_owned_ptr_or_err(class.py(), ffi::PyDescr_NewMethod(class.as_type_ptr(), definition))?
    };
    class.setattr(name, method)
}
