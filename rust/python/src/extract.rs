//! Python values to attributes: the only place that looks at Python types.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};
use statsig_engine::{Attribute, AttributeMap, UserBuilder};

use crate::errors::wrong_type;

/// Lists and mappings inside each other, below the attribute itself.
const MAX_NESTING: u32 = 64;

/// An integer that needs more than 64 bits is a float to the reference.
fn number(value: &Bound<'_, PyInt>) -> PyResult<Attribute> {
    match value.extract::<i64>() {
        Ok(value) => Ok(Attribute::Int(value)),
        Err(_) => value.extract::<f64>().map(Attribute::Float),
    }
}

/// Fills a map of the user from a Python mapping.
pub(crate) fn fill_map(
    builder: &mut UserBuilder,
    map: AttributeMap,
    argument: &str,
    members: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let expected = "a mapping of str to attribute";
    if let Ok(dict) = members.cast::<PyDict>() {
        builder.begin(map, dict.len());
        for (key, value) in dict {
            fill(builder, map, argument, &key, &value)?;
        }
        return Ok(());
    }
    let mapping = members.cast::<PyMapping>().map_err(|_| wrong_type(argument, expected, members))?;
    builder.begin(map, mapping.len()?);
    for item in mapping.items()?.iter() {
        let (key, value) = item.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
        fill(builder, map, argument, &key, &value)?;
    }
    Ok(())
}

fn fill(
    builder: &mut UserBuilder,
    map: AttributeMap,
    argument: &str,
    key: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let Ok(name) = key.cast::<PyString>() else {
        return Err(wrong_type(argument, "keys that are str", key));
    };
    let name = name.to_str()?;
    if let Ok(text) = value.cast::<PyString>() {
        builder.text(name, text.to_str()?);
    } else if let Ok(value) = value.cast::<PyBool>() {
        builder.bool(name, value.is_true());
    } else if let Ok(value) = value.cast::<PyInt>() {
        match number(value)? {
            Attribute::Int(value) => builder.int(name, value),
            other => builder.attribute(name, &other),
        }
    } else if let Ok(value) = value.cast::<PyFloat>() {
        builder.float(name, value.value());
    } else if value.is_none() {
        builder.null(name);
    } else {
        let scalar = matches!(map, AttributeMap::CustomIds | AttributeMap::Environment);
        let attribute = if scalar { None } else { nested(value, 0)? };
        let expected = if scalar {
            "str, int, float, bool or None"
        } else {
            "str, int, float, bool, None, list or dict"
        };
        let attribute =
            attribute.ok_or_else(|| wrong_type(&format!("{argument}[{name:?}]"), expected, value))?;
        builder.attribute(name, &attribute);
    }
    Ok(())
}

/// None for what is no attribute.
fn nested(value: &Bound<'_, PyAny>, depth: u32) -> PyResult<Option<Attribute>> {
    if depth > MAX_NESTING {
        return Ok(None);
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Some(Attribute::Text(text.to_str()?.to_owned())));
    }
    if let Ok(value) = value.cast::<PyBool>() {
        return Ok(Some(Attribute::Bool(value.is_true())));
    }
    if let Ok(value) = value.cast::<PyInt>() {
        return number(value).map(Some);
    }
    if let Ok(value) = value.cast::<PyFloat>() {
        return Ok(Some(Attribute::Float(value.value())));
    }
    if value.is_none() {
        return Ok(Some(Attribute::Null));
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let mut items = Vec::new();
        for item in value.try_iter()? {
            match nested(&item?, depth + 1)? {
                Some(item) => items.push(item),
                None => return Ok(None),
            }
        }
        return Ok(Some(Attribute::Array(items)));
    }
    if let Ok(mapping) = value.cast::<PyMapping>() {
        let mut members = Vec::new();
        for item in mapping.items()?.iter() {
            let (key, value) = item.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
            let (Ok(key), Some(value)) = (key.cast::<PyString>(), nested(&value, depth + 1)?) else {
                return Ok(None);
            };
            members.push((key.to_str()?.to_owned(), value));
        }
        return Ok(Some(Attribute::Object(members)));
    }
    Ok(None)
}
