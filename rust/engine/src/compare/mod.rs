//! The operators: one family a file, each a pure function of a value and a prepared operand.

pub(crate) mod arrays;
pub(crate) mod equal;
pub(crate) mod numbers;
pub(crate) mod regexes;
pub(crate) mod strings;
pub(crate) mod times;
pub(crate) mod versions;
