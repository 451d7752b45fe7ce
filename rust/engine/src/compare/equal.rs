//! `eq`, by the type of the operand; `neq` is its exact opposite.

use crate::value::{Scratch, Value};

/// What a value is compared with.
#[derive(Debug)]
pub(crate) enum EqualOperand {
    Null,
    Bool(bool),
    Number(f64),
    Text(Box<str>),
    /// Text by position. None where entries that differ only by case fell together: nothing equals it.
    Array(Box<[Option<Box<str>>]>),
    /// Text by name, sorted by name.
    Object(Box<[(Box<str>, Box<str>)]>),
}

pub(crate) fn equal(value: Value<'_>, operand: &EqualOperand) -> bool {
    let mut scratch = Scratch::new();
    let mut text_is =
        |value: Value<'_>, expected: &str| value.text(&mut scratch).is_some_and(|text| text == expected);
    match operand {
        EqualOperand::Null => value.is_null(),
        EqualOperand::Bool(expected) => matches!(value, Value::Bool(value) if value == *expected),
        // Whole numbers of both sides meet as f64, as they do in the reference.
        #[allow(clippy::float_cmp)]
        EqualOperand::Number(expected) => value.number() == Some(*expected),
        EqualOperand::Text(expected) => text_is(value, expected),
        EqualOperand::Array(expected) => match value {
            Value::Array(array) => {
                array.items.len() == expected.len()
                    && array.iter().zip(expected).all(|(item, expected)| {
                        expected.as_deref().is_some_and(|expected| text_is(item, expected))
                    })
            }
            _ => false,
        },
        EqualOperand::Object(expected) => match value {
            Value::Object(object) => {
                object.members.len() == expected.len()
                    && object.iter().all(|(key, item)| {
                        let found = expected.binary_search_by(|(name, _)| (**name).cmp(key));
                        found.is_ok_and(|index| text_is(item, &expected[index].1))
                    })
            }
            _ => false,
        },
    }
}
