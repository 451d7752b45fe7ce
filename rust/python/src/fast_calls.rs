//! The methods that are called most, without what PyO3 does around a call.
//!
//! PyO3 sorts arguments by a description, counts how often it is attached, and catches panics. For calls with nothing
//! but positional arguments the first two are a third of what a check takes. Here such calls go straight to the same
//! functions; all others, and all that may drop what PyO3 counts, go the long way, which is the method PyO3 made.

use pyo3::ffi;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};
use statsig_engine::CheckKind;
use std::ffi::{CStr, CString};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::arguments::check_options;
use crate::evaluator::{PyEvaluator, counts};
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

/// Arguments of a call as the interpreter hands them over.
struct Given {
    slf: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
}

/// Makes a call with positional arguments only, at least `least` of `MOST`, through `call`.
///
/// # Safety
/// The arguments are those the interpreter calls a method of `T` with.
#[inline]
unsafe fn enter<const MOST: usize, T: pyo3::PyClass>(
    given: &Given,
    least: usize,
    method: &Method,
    call: impl for<'py> FnOnce(&Bound<'py, T>, [Option<&Bound<'py, PyAny>>; MOST]) -> PyResult<Bound<'py, PyAny>>,
) -> *mut ffi::PyObject {
    let count = given.count.cast_unsigned();
    if !given.names.is_null() || count < least || count > MOST {
        // SAFETY: see above.
        return unsafe { take(given, method) };
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the interpreter calls attached.
        let py = unsafe { Python::assume_attached() };
        // SAFETY: arguments live as long as the call; there are `count` of them.
        let given_at = |index: usize| unsafe { Borrowed::from_ptr(py, *given.args.add(index)) };
        let borrowed: [Option<Borrowed<'_, '_, PyAny>>; MOST] =
            std::array::from_fn(|index| (index < count).then(|| given_at(index)));
        // SAFETY: as above, and a method is called with an instance of its class.
        let slf = unsafe { Borrowed::from_ptr(py, given.slf).cast_unchecked::<T>() };
        let args = std::array::from_fn(|index| borrowed[index].as_deref());
        match call(&slf, args) {
            Ok(result) => result.into_ptr(),
            Err(error) => {
                error.restore(py);
                std::ptr::null_mut()
            }
        }
    }));
    outcome.unwrap_or_else(|panic| panicked(&*panic))
}

#[cold]
fn panicked(panic: &(dyn std::any::Any + Send)) -> *mut ffi::PyObject {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned();
    Python::attach(|py| PanicException::new_err((text,)).restore(py));
    std::ptr::null_mut()
}

/// Makes a call the long way.
///
/// # Safety
/// As for [`enter`].
#[cold]
#[inline(never)]
unsafe fn take(given: &Given, method: &Method) -> *mut ffi::PyObject {
    Python::attach(|py| {
        let call = || {
            let count = given.count.cast_unsigned();
            // SAFETY: arguments live as long as the call. There are `count`, and after them one for each of `names`.
            let at = |index: usize| unsafe { Borrowed::from_ptr(py, *given.args.add(index)) }.to_owned();
            // SAFETY: the same goes for these.
            let slf = unsafe { Borrowed::from_ptr(py, given.slf) }.to_owned();
            // SAFETY: null or a tuple of texts.
            let names = unsafe { Bound::from_borrowed_ptr_or_opt(py, given.names) };
            let positional =
                PyTuple::new(py, std::iter::once(slf).chain((0..count).map(at)).collect::<Vec<_>>())?;
            let named = PyDict::new(py);
            if let Some(names) = names {
                for (index, name) in names.cast::<PyTuple>()?.iter().enumerate() {
                    named.set_item(name, at(count + index))?;
                }
            }
            method.long_way.get(py).ok_or_else(incomplete)?.bind(py).call(positional, Some(&named))
        };
        match call() {
            Ok(result) => result.into_ptr(),
            Err(error) => {
                error.restore(py);
                std::ptr::null_mut()
            }
        }
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
            unsafe { enter::<_, $class>(&Given { slf, args, count, names }, $least, &$method, $call) }
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

/// Arguments that are there because [`enter`] counted them.
#[cold]
fn incomplete() -> PyErr {
    pyo3::exceptions::PySystemError::new_err("arguments are missing")
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
