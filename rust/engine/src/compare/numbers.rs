//! `gt` `gte` `lt` `lte`: both sides as f64, and false for all four if either has no number.

use crate::value::Value;

/// Which side of the operand passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Order {
    pub(crate) fn holds<T: PartialOrd>(self, value: &T, operand: &T) -> bool {
        match self {
            Self::Greater => value > operand,
            Self::GreaterOrEqual => value >= operand,
            Self::Less => value < operand,
            Self::LessOrEqual => value <= operand,
        }
    }
}

pub(crate) fn compare(order: Order, value: Value<'_>, operand: f64) -> bool {
    value.number().is_some_and(|number| order.holds(&number, &operand))
}
