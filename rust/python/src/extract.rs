//! Python values to attributes: the only place that looks at Python types.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};
use statsig_engine::{Attribute, AttributeMap, UserBuilder};
use std::fmt;

use crate::errors::wrong_type;

/// Lists and mappings inside each other, below the attribute itself.
const MAX_NESTING: usize = 64;
/// Elements of the lists and mappings in one attribute.
const MAX_ELEMENTS: usize = 100_000;
/// What a mapping says of its own length is believed up to here.
const MAX_RESERVED: usize = 1024;

/// Where a value stands, for error messages: `custom["items"][3]`.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    Argument(&'a str),
    Key(&'a Place<'a>, &'a str),
    Index(&'a Place<'a>, usize),
}

impl Place<'_> {
    fn depth(&self) -> usize {
        match self {
            Place::Argument(_) => 0,
            Place::Key(outer, _) | Place::Index(outer, _) => 1 + outer.depth(),
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Argument(name) => formatter.write_str(name),
            Place::Key(outer, key) => write!(formatter, "{outer}[{key:?}]"),
            Place::Index(outer, index) => write!(formatter, "{outer}[{index}]"),
        }
    }
}

/// The text of a string; a Python string can hold what UTF-8 cannot. The error does not repeat the text,
/// because it may be private.
pub(crate) fn text<'a>(place: Place<'_>, value: &'a Bound<'_, PyString>) -> PyResult<&'a str> {
    value.to_str().map_err(|_| {
        PyValueError::new_err(format!(
            "argument '{place}': expected text that can be encoded as UTF-8, got an unpaired surrogate"
        ))
    })
}

/// The value, if it is a mapping. What the question raises, such as a signal handler, PyO3's `cast` would swallow.
pub(crate) fn as_mapping<'a, 'py>(
    value: &'a Bound<'py, PyAny>,
) -> PyResult<Option<&'a Bound<'py, PyMapping>>> {
    if value.is_instance_of::<PyDict>() || value.is_instance(&value.py().get_type::<PyMapping>())? {
        // SAFETY: it is one, as PyO3 asks it: a dict or an instance of `collections.abc.Mapping`.
        return Ok(Some(unsafe { value.cast_unchecked() }));
    }
    Ok(None)
}

/// Fills a map of the user from a Python mapping.
pub(crate) fn fill_map(
    builder: &mut UserBuilder,
    map: AttributeMap,
    argument: &str,
    members: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let place = Place::Argument(argument);
    // One that is derived from a dict may have other items than lie in it.
    if let Ok(dict) = members.cast_exact::<PyDict>() {
        builder.begin(map, dict.len());
        if fill_scalars(builder, place, dict)? {
            return Ok(());
        }
    }
    let mapping =
        as_mapping(members)?.ok_or_else(|| wrong_type(argument, "a mapping of str to attribute", members))?;
    let items = mapping.items()?;
    builder.begin(map, items.len().min(MAX_RESERVED));
    for item in items.iter() {
        let (key, value) = item.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
        let name = name(place, &key)?;
        if !fill_scalar(builder, Place::Key(&place, name), name, &value)? {
            fill_nested(builder, map, place, name, &value)?;
        }
    }
    Ok(())
}

/// False, having filled in a part, if there is more than scalars: converting that may run Python code,
/// which may change the dict, and a dict must not change while it is walked.
fn fill_scalars(builder: &mut UserBuilder, place: Place<'_>, dict: &Bound<'_, PyDict>) -> PyResult<bool> {
    for (key, value) in dict {
        let name = name(place, &key)?;
        if !fill_scalar(builder, Place::Key(&place, name), name, &value)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn name<'a>(place: Place<'_>, key: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    match key.cast::<PyString>() {
        Ok(key) => text(place, key),
        Err(_) => Err(wrong_type(&place.to_string(), "keys that are str", key)),
    }
}

/// False if the value is no scalar, or none that can be converted without running Python code.
fn fill_scalar(
    builder: &mut UserBuilder,
    place: Place<'_>,
    name: &str,
    value: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    if let Ok(value) = value.cast::<PyString>() {
        builder.text(name, text(place, value)?);
    } else if let Ok(value) = value.cast::<PyBool>() {
        builder.bool(name, value.is_true());
    } else if let Ok(value) = value.cast::<PyInt>() {
        // A subclass may convert to float in Python code of its own.
        let Ok(value) = value.extract() else {
            return Ok(false);
        };
        builder.int(name, value);
    } else if let Ok(value) = value.cast::<PyFloat>() {
        builder.float(name, value.value());
    } else if value.is_none() {
        builder.null(name);
    } else {
        return Ok(false);
    }
    Ok(true)
}

fn fill_nested(
    builder: &mut UserBuilder,
    map: AttributeMap,
    outer: Place<'_>,
    name: &str,
    value: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let place = Place::Key(&outer, name);
    let scalars_only = matches!(map, AttributeMap::CustomIds | AttributeMap::Environment);
    if scalars_only && !value.is_instance_of::<PyInt>() {
        return Err(wrong_type(&place.to_string(), "str, int, float, bool or None", value));
    }
    builder.attribute(name, &attribute(place, value, &mut { MAX_ELEMENTS })?);
    Ok(())
}

/// An integer that needs more than 64 bits is a float to the reference.
fn integer(place: Place<'_>, value: &Bound<'_, PyInt>) -> PyResult<Attribute> {
    if let Ok(value) = value.extract::<i64>() {
        return Ok(Attribute::Int(value));
    }
    value.extract::<f64>().map(Attribute::Float).map_err(|_| {
        PyValueError::new_err(format!(
            "argument '{place}': expected an integer below 2**1024, got a larger one"
        ))
    })
}

/// `budget` is how many more elements may come: a list that holds another twice counts it twice.
fn attribute(place: Place<'_>, value: &Bound<'_, PyAny>, budget: &mut usize) -> PyResult<Attribute> {
    *budget = budget.checked_sub(1).ok_or_else(|| {
        PyValueError::new_err(format!(
            "argument '{}': expected at most {MAX_ELEMENTS} elements in lists and mappings, got more",
            outermost(place)
        ))
    })?;
    if let Ok(value) = value.cast::<PyString>() {
        return Ok(Attribute::Text(text(place, value)?.to_owned()));
    }
    if let Ok(value) = value.cast::<PyBool>() {
        return Ok(Attribute::Bool(value.is_true()));
    }
    if let Ok(value) = value.cast::<PyInt>() {
        return integer(place, value);
    }
    if let Ok(value) = value.cast::<PyFloat>() {
        return Ok(Attribute::Float(value.value()));
    }
    if value.is_none() {
        return Ok(Attribute::Null);
    }
    if place.depth() > MAX_NESTING {
        return Err(PyValueError::new_err(format!(
            "argument '{}': expected lists and mappings nested at most {MAX_NESTING} deep, got deeper ones",
            outermost(place)
        )));
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let items = value.try_iter()?.enumerate();
        let items = items.map(|(index, item)| attribute(Place::Index(&place, index), &item?, budget));
        return items.collect::<PyResult<_>>().map(Attribute::Array);
    }
    if let Some(mapping) = as_mapping(value)? {
        let mut members = Vec::new();
        for item in mapping.items()?.iter() {
            let (key, value) = item.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
            let name = name(place, &key)?;
            members.push((name.to_owned(), attribute(Place::Key(&place, name), &value, budget)?));
        }
        return Ok(Attribute::Object(members));
    }
    Err(wrong_type(&place.to_string(), "str, int, float, bool, None, list or dict", value))
}

/// A mapping, whole.
pub(crate) fn mapping_attribute(argument: &str, value: &Bound<'_, PyAny>) -> PyResult<Attribute> {
    if as_mapping(value)?.is_none() {
        return Err(wrong_type(argument, "a mapping of str to JSON data, or None", value));
    }
    attribute(Place::Argument(argument), value, &mut { MAX_ELEMENTS })
}

/// The attribute a place is in: the whole path is as long as the nesting is deep.
fn outermost(place: Place<'_>) -> Place<'_> {
    match place {
        Place::Key(outer, _) | Place::Index(outer, _) if outer.depth() > 0 => outermost(*outer),
        _ => place,
    }
}
