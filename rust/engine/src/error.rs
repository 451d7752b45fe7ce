//! Why a payload cannot be used.

use thiserror::Error;

/// A payload that was rejected as a whole. A fault inside one spec only drops that spec: see
/// [`crate::Ruleset::issues`].
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The bytes are empty or only white space.
    #[error("the payload is empty: expected a JSON object")]
    Empty,
    /// The bytes are not a JSON object.
    #[error("the payload is not a JSON object: it starts with {found}")]
    NotAnObject {
        /// What is there instead.
        found: String,
    },
    /// The JSON text breaks off or is malformed.
    #[error("the payload is not valid JSON: {message}")]
    Syntax {
        /// Fault and position.
        message: String,
    },
    /// A required field is absent or null.
    #[error("payload field `{field}` is missing: expected {expected}")]
    Missing {
        /// Name of the field.
        field: &'static str,
        /// Its type.
        expected: &'static str,
    },
    /// A field has the wrong type.
    #[error("payload field `{path}`: {message}")]
    Field {
        /// Where it is, such as `condition_map.123.type`.
        path: String,
        /// What was expected and what came.
        message: String,
    },
    /// More entries than 32-bit ids can name.
    #[error("the payload is too large: more than {limit} {what}")]
    TooLarge {
        /// What there are too many of.
        what: &'static str,
        /// The most there may be.
        limit: usize,
    },
}
