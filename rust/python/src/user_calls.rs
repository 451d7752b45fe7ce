//! `StatsigUser(…)` without the tuple and the dict that `type` puts arguments into.
//!
//! Making those and taking them apart again is a third of what a new user takes. CPython calls a class through its
//! `tp_vectorcall`, where it has one. The stable ABI has a slot for that from 3.14 on. Before, it can only be written
//! to where it lies, which is done for versions whose classes are known to be laid out like this, and only if `type`
//! itself says that it lies there. Everywhere else, and for arguments that are not as source code has them, users are
//! made as PyO3 makes them.

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyType};
use std::ops::RangeInclusive;

use crate::given::{Given, answered};
use crate::user::{FIELDS, PyStatsigUser};

/// Versions whose classes are laid out like this.
const KNOWN: RangeInclusive<(u8, u8)> = (3, 10)..=(3, 13);

/// Where a class has `tp_vectorcall_offset`, in words. That of `type`, in bytes, is where all classes have
/// `tp_vectorcall`.
const OFFSET_AT: usize = 7;
const VECTORCALL_AT: usize = 50;

/// A bit of the number of arguments that says that the place before the first may be written to.
const MAY_WRITE: usize = 1 << (usize::BITS - 1);

/// The names of the arguments, interned, as those in source code are.
static NAMES: PyOnceLock<[Py<PyString>; FIELDS.len()]> = PyOnceLock::new();

/// Has users made the short way, where that is possible.
pub(crate) fn install(py: Python<'_>) {
    let version = py.version_info();
    let is_known = KNOWN.contains(&(version.major, version.minor));
    if size_of::<usize>() != 8 || cfg!(Py_GIL_DISABLED) || !is_known {
        return;
    }
    NAMES.get_or_init(py, || FIELDS.map(|(name, ..)| PyString::intern(py, name).unbind()));
    let (of_classes, class) = (py.get_type::<PyType>().as_type_ptr(), py.get_type::<PyStatsigUser>());
    // SAFETY: `type` is a class, and in these versions classes have a number of this size there.
    let offset = unsafe { of_classes.cast::<usize>().add(OFFSET_AT).read() };
    if offset == VECTORCALL_AT * size_of::<usize>() {
        // SAFETY: as `type` says, classes have this there. The class is ours, made on the heap, and not in use yet.
        unsafe {
            class.as_type_ptr().cast::<ffi::vectorcallfunc>().add(VECTORCALL_AT).write(new_user);
        }
    }
}

unsafe extern "C" fn new_user(
    class: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls it, as a class.
    unsafe {
        answered(args, count & !MAY_WRITE, names, |given| match sorted(&given) {
            Some(values) => {
                let values = std::array::from_fn(|index| values[index].as_deref());
                Ok(Bound::new(given.py(), PyStatsigUser::of(values)?)?.into_any())
            }
            None => take(&Borrowed::from_ptr(given.py(), class), &given),
        })
    }
}

/// The arguments in their order, without what is None. None if there is anything unusual about them.
#[inline]
fn sorted<'a, 'py>(given: &Given<'a, 'py>) -> Option<[Option<Borrowed<'a, 'py, PyAny>>; FIELDS.len()]> {
    let mut values = [const { None }; FIELDS.len()];
    for (index, value) in values.get_mut(..given.positional)?.iter_mut().enumerate() {
        *value = given.get(index).filter(|value| !value.is_none());
    }
    for index in 0..given.named() {
        let (name, value) = given.get_named(index)?;
        let field = NAMES.get(given.py())?.iter().position(|known| known.as_ptr() == name.as_ptr())?;
        if field < given.positional {
            return None; // given twice
        }
        values[field] = Some(value).filter(|value| !value.is_none());
    }
    Some(values)
}

/// Makes a user as PyO3 does.
#[cold]
#[inline(never)]
fn take<'py>(class: &Bound<'py, PyAny>, given: &Given<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
    // PyO3 has to know that it is attached.
    Python::attach(|_| {
        let (args, named) = given.packed(class.clone())?;
        class.getattr(intern!(class.py(), "__new__"))?.call(args, Some(&named))
    })
}
