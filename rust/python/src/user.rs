//! `StatsigUser`: converted once, when it is made.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};
use statsig_engine::{
    AttributeMap, EventUser, Layout, PackedUser, StandardField, UserBuilder, UserView, Value,
};
use std::sync::Arc;

use crate::errors::wrong_type;
use crate::extract::{self, Place, as_mapping, fill_map};

/// The constructor's arguments in order, with the name each has in a payload's vocabulary.
pub(crate) const FIELDS: [(&str, &str, Part); 11] = [
    ("user_id", "userID", Part::Field(StandardField::UserId)),
    ("email", "email", Part::Field(StandardField::Email)),
    ("ip", "ip", Part::Field(StandardField::Ip)),
    ("country", "country", Part::Field(StandardField::Country)),
    ("locale", "locale", Part::Field(StandardField::Locale)),
    ("app_version", "appVersion", Part::Field(StandardField::AppVersion)),
    ("user_agent", "userAgent", Part::Field(StandardField::UserAgent)),
    ("custom", "custom", Part::Map(AttributeMap::Custom)),
    ("custom_ids", "customIDs", Part::Map(AttributeMap::CustomIds)),
    ("private_attributes", "privateAttributes", Part::Map(AttributeMap::Private)),
    ("statsig_environment", "statsigEnvironment", Part::Map(AttributeMap::Environment)),
];

#[derive(Clone, Copy)]
pub(crate) enum Part {
    Field(StandardField),
    Map(AttributeMap),
}

/// Whom a check is about. Converted once, when it is made; it never changes.
#[pyclass(frozen, name = "StatsigUser", module = "statsig_fastly")]
pub(crate) struct PyStatsigUser {
    packed: PackedUser,
}

#[pymethods]
impl PyStatsigUser {
    #[new]
    #[pyo3(signature = (
        user_id = None, email = None, ip = None, country = None, locale = None, app_version = None,
        user_agent = None, custom = None, custom_ids = None, private_attributes = None,
        statsig_environment = None,
    ))]
    #[allow(clippy::too_many_arguments, reason = "the official API's signature")]
    fn new(
        user_id: Option<&Bound<'_, PyAny>>,
        email: Option<&Bound<'_, PyAny>>,
        ip: Option<&Bound<'_, PyAny>>,
        country: Option<&Bound<'_, PyAny>>,
        locale: Option<&Bound<'_, PyAny>>,
        app_version: Option<&Bound<'_, PyAny>>,
        user_agent: Option<&Bound<'_, PyAny>>,
        custom: Option<&Bound<'_, PyAny>>,
        custom_ids: Option<&Bound<'_, PyAny>>,
        private_attributes: Option<&Bound<'_, PyAny>>,
        statsig_environment: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        Self::of([
            user_id,
            email,
            ip,
            country,
            locale,
            app_version,
            user_agent,
            custom,
            custom_ids,
            private_attributes,
            statsig_environment,
        ])
    }

    /// The user id; "" if none was given.
    #[getter]
    fn user_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::new(py, self.view().standard(StandardField::UserId).unwrap_or_default())
    }

    /// The e-mail address, or None.
    #[getter]
    fn email(&self) -> Option<&str> {
        self.view().standard(StandardField::Email)
    }

    /// The IP address, or None.
    #[getter]
    fn ip(&self) -> Option<&str> {
        self.view().standard(StandardField::Ip)
    }

    /// The country code, or None.
    #[getter]
    fn country(&self) -> Option<&str> {
        self.view().standard(StandardField::Country)
    }

    /// The locale, or None.
    #[getter]
    fn locale(&self) -> Option<&str> {
        self.view().standard(StandardField::Locale)
    }

    /// The version of the application, or None.
    #[getter]
    fn app_version(&self) -> Option<&str> {
        self.view().standard(StandardField::AppVersion)
    }

    /// The user agent, or None.
    #[getter]
    fn user_agent(&self) -> Option<&str> {
        self.view().standard(StandardField::UserAgent)
    }

    /// A copy of the attributes, or None.
    #[getter]
    fn custom<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.map(py, AttributeMap::Custom)
    }

    /// A copy of the further ids by id type, or None.
    #[getter]
    fn custom_ids<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.map(py, AttributeMap::CustomIds)
    }

    /// A copy of the private attributes, or None.
    #[getter]
    fn private_attributes<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.map(py, AttributeMap::Private)
    }

    /// A copy of the user's environment, or None.
    #[getter]
    fn statsig_environment<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.map(py, AttributeMap::Environment)
    }

    /// A user like this one but for the arguments given, which are those of the constructor.
    #[pyo3(signature = (**changes))]
    fn replace<'py>(
        slf: &Bound<'py, Self>,
        changes: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let arguments = slf.get().arguments(slf.py())?;
        if let Some(changes) = changes {
            arguments.update(changes.as_mapping())?;
        }
        slf.get_type().call((), Some(&arguments))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let arguments = slf.get().arguments(slf.py())?;
        let mut values = Vec::with_capacity(FIELDS.len());
        for (name, _, _) in FIELDS {
            values.push(arguments.get_item(name)?);
        }
        Ok((slf.get_type().into_any(), PyTuple::new(slf.py(), values)?))
    }

    /// Not by Python's `==`, to which `True` and `1` are equal: equal users get equal answers.
    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| {
            let (user, other) = (self.view(), other.get().view());
            let given_alike = FIELDS.iter().all(|(_, _, part)| match part {
                Part::Field(_) => true,
                Part::Map(map) => user.given(*map) == other.given(*map),
            });
            given_alike && user.same(&other)
        })
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        self.user_id(py).hash()
    }

    /// Private attributes are counted, not shown: a repr ends up in logs.
    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let user = slf.get();
        let mut parts = Vec::new();
        for (name, value) in &user.arguments(slf.py())? {
            let name = name.to_string();
            if name == "private_attributes" {
                parts.push(format!("{name}=<{} hidden>", value.len()?));
            } else {
                parts.push(format!("{name}={}", value.repr()?));
            }
        }
        Ok(format!("StatsigUser({})", parts.join(", ")))
    }
}

impl PyStatsigUser {
    /// A user of these arguments, in the order of [`FIELDS`].
    #[inline]
    pub(crate) fn of(values: [Option<&Bound<'_, PyAny>>; FIELDS.len()]) -> PyResult<Self> {
        if let Some(id) = values[0]
            && values[1..].iter().all(Option::is_none)
        {
            return Self::of_id(id);
        }
        let mut draft = Draft::new();
        for ((name, _, part), value) in FIELDS.iter().zip(values) {
            if let Some(value) = value {
                draft.set(name, *part, value)?;
            }
        }
        draft.finish()
    }

    /// A user of whom nothing is known but the id.
    #[inline]
    fn of_id(id: &Bound<'_, PyAny>) -> PyResult<Self> {
        let id = id.cast::<PyString>().map_err(|_| wrong_type(FIELDS[0].0, "str or None", id))?;
        let packed = PackedUser::of_id(extract::text(Place::Argument(FIELDS[0].0), id)?);
        packed.map(|packed| Self { packed }).ok_or_else(too_large)
    }

    pub(crate) fn view(&self) -> UserView<'_> {
        self.packed.view()
    }

    fn map<'py>(&self, py: Python<'py>, map: AttributeMap) -> PyResult<Option<Bound<'py, PyDict>>> {
        if !self.view().given(map) {
            return Ok(None);
        }
        let dict = PyDict::new(py);
        for (key, value) in self.view().attributes(map) {
            dict.set_item(key, to_python(py, value)?)?;
        }
        Ok(Some(dict))
    }

    /// What the constructor has to be called with to make an equal user.
    fn arguments<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let arguments = PyDict::new(py);
        for (name, _, part) in FIELDS {
            match part {
                Part::Field(field) => {
                    if let Some(value) = self.view().standard(field) {
                        arguments.set_item(name, value)?;
                    }
                }
                Part::Map(map) => {
                    if let Some(value) = self.map(py, map)? {
                        arguments.set_item(name, value)?;
                    }
                }
            }
        }
        Ok(arguments)
    }
}

fn to_python<'py>(py: Python<'py>, value: Value<'_>) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(value) => PyBool::new(py, value).to_owned().into_any(),
        Value::Int(value) | Value::Now(value) => PyInt::new(py, value).into_any(),
        Value::Float(value) => PyFloat::new(py, value).into_any(),
        Value::Text(text) => PyString::new(py, text).into_any(),
        Value::Array(array) => {
            let list = PyList::empty(py);
            for item in array.iter() {
                list.append(to_python(py, item)?)?;
            }
            list.into_any()
        }
        Value::Object(object) => {
            let dict = PyDict::new(py);
            for (key, item) in object.iter() {
                dict.set_item(key, to_python(py, item)?)?;
            }
            dict.into_any()
        }
    })
}

/// A user on the way.
struct Draft {
    builder: UserBuilder,
    has_id: bool,
}

impl Draft {
    fn new() -> Self {
        Self { builder: UserBuilder::new(), has_id: false }
    }

    fn set(&mut self, argument: &str, part: Part, value: &Bound<'_, PyAny>) -> PyResult<()> {
        match part {
            Part::Field(field) => {
                let text =
                    value.cast::<PyString>().map_err(|_| wrong_type(argument, "str or None", value))?;
                self.builder.standard(field, extract::text(Place::Argument(argument), text)?);
                self.has_id |= field == StandardField::UserId;
            }
            Part::Map(map) => fill_map(&mut self.builder, map, argument, value)?,
        }
        Ok(())
    }

    fn finish(mut self) -> PyResult<PyStatsigUser> {
        if !self.has_id {
            // As in the official package: a user without an id is the user whose id is empty.
            self.builder.standard(StandardField::UserId, "");
        }
        Ok(PyStatsigUser { packed: self.builder.finish().ok_or_else(too_large)? })
    }

    /// Both spellings of a field are taken: the constructor's and the payload's.
    fn from_mapping(mapping: &Bound<'_, PyMapping>) -> PyResult<Self> {
        let mut draft = Self::new();
        let mut seen = [false; FIELDS.len()];
        for item in mapping.items()?.iter() {
            let (key, value) = item.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
            let name = key.cast::<PyString>().map_err(|_| wrong_type("user", "keys that are str", &key))?;
            let name = extract::text(Place::Argument("user"), name)?;
            let Some(index) = FIELDS.iter().position(|(python, wire, _)| name == *python || name == *wire)
            else {
                let known: Vec<_> = FIELDS.iter().map(|(name, _, _)| *name).collect();
                return Err(PyValueError::new_err(format!(
                    "argument 'user': unknown field {name:?}, expected one of {} (or its camelCase form); \
                     attributes of your own belong into custom",
                    known.join(", ")
                )));
            };
            let (argument, _, part) = FIELDS[index];
            if std::mem::replace(&mut seen[index], true) {
                return Err(PyValueError::new_err(format!("argument 'user': {argument} is given twice")));
            }
            if !value.is_none() {
                draft.set(argument, part, &value)?;
            }
        }
        Ok(draft)
    }
}

#[cold]
fn too_large() -> PyErr {
    PyValueError::new_err("a user's attributes must be smaller than 4 GiB in all")
}

/// A user who is kept beyond the call.
pub(crate) fn owned_user(user: &Bound<'_, PyAny>) -> PyResult<Py<PyStatsigUser>> {
    if let Ok(user) = user.cast::<PyStatsigUser>() {
        return Ok(user.clone().unbind());
    }
    let draft = if user.is_instance_of::<PyString>() {
        let mut draft = Draft::new();
        draft.set("user", FIELDS[0].2, user)?;
        draft
    } else if let Some(mapping) = as_mapping(user)? {
        Draft::from_mapping(mapping)?
    } else {
        return Err(not_a_user(user));
    };
    Py::new(user.py(), draft.finish()?)
}

fn not_a_user(user: &Bound<'_, PyAny>) -> PyErr {
    wrong_type("user", "StatsigUser, str (a user id) or mapping", user)
}

/// The user an argument stands for, for as long as the call lasts.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a, 'py> {
    py: Python<'py>,
    pub(crate) view: UserView<'a>,
    object: Option<&'a Bound<'py, PyStatsigUser>>,
}

impl<'a, 'py> Caller<'a, 'py> {
    pub(crate) fn of(user: &'a Bound<'py, PyStatsigUser>) -> Self {
        Self { py: user.py(), view: user.get().view(), object: Some(user) }
    }

    pub(crate) fn py(&self) -> Python<'py> {
        self.py
    }

    /// The user beyond the call.
    #[cold]
    pub(crate) fn keep(&self) -> KeptUser {
        match self.object {
            Some(user) => KeptUser::Object(user.clone().unbind()),
            None => KeptUser::Packed(Arc::new(self.view.to_packed())),
        }
    }
}

/// A user who outlives the call. Holds a Python object, so it must only be dropped by an attached thread.
#[derive(Debug)]
pub(crate) enum KeptUser {
    Object(Py<PyStatsigUser>),
    Packed(Arc<PackedUser>),
}

impl KeptUser {
    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Object(user) => Self::Object(user.clone_ref(py)),
            Self::Packed(user) => Self::Packed(Arc::clone(user)),
        }
    }
}

impl EventUser for KeptUser {
    fn view(&self) -> UserView<'_> {
        match self {
            Self::Object(user) => user.get().view(),
            Self::Packed(user) => user.view(),
        }
    }
}

/// Calls `check` with the user an argument stands for: a `StatsigUser`, a user id, or a mapping.
#[inline]
pub(crate) fn with_caller<'py, R>(
    user: &Bound<'py, PyAny>,
    check: impl FnOnce(Caller<'_, 'py>) -> PyResult<R>,
) -> PyResult<R> {
    let py = user.py();
    if let Ok(user) = user.cast::<PyStatsigUser>() {
        return check(Caller::of(user));
    }
    if let Ok(id) = user.cast::<PyString>() {
        let id = extract::text(Place::Argument("user"), id)?;
        let layout = Layout::of_id(id.len()).ok_or_else(too_large)?;
        return check(Caller { py, view: UserView::of_id(id, &layout), object: None });
    }
    if let Some(mapping) = as_mapping(user)? {
        let user = Draft::from_mapping(mapping)?.finish()?;
        return check(Caller { py, view: user.view(), object: None });
    }
    Err(not_a_user(user))
}

/// As [`with_caller`], where nothing has to be kept.
#[inline]
pub(crate) fn with_user<R>(user: &Bound<'_, PyAny>, check: impl FnOnce(UserView<'_>) -> R) -> PyResult<R> {
    with_caller(user, |caller| Ok(check(caller.view)))
}
