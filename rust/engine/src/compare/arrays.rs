//! `array_contains_*`: false, also for the negative forms, unless both sides are arrays.

use crate::compare::strings::TextSet;
use crate::value::{Scratch, Value};

/// How many of the operand's elements the value has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArrayTest {
    Any,
    None,
    All,
    NotAll,
}

pub(crate) fn test(test: ArrayTest, value: Value<'_>, operand: &TextSet) -> bool {
    let Value::Array(array) = value else {
        return false;
    };
    let holds = |element: &str| {
        let mut scratch = Scratch::new();
        array.iter().any(|item| item.text(&mut scratch).is_some_and(|text| text == element))
    };
    let any = || {
        let mut scratch = Scratch::new();
        array.iter().any(|item| item.text(&mut scratch).is_some_and(|text| operand.contains(text)))
    };
    match test {
        ArrayTest::Any => any(),
        ArrayTest::None => !any(),
        ArrayTest::All => operand.iter().all(holds),
        ArrayTest::NotAll => !operand.iter().all(holds),
    }
}
