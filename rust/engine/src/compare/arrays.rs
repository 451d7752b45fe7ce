//! `array_contains_*`: false, also for the negative forms, unless both sides are arrays.

use smallvec::SmallVec;

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
    let any = || {
        let mut scratch = Scratch::new();
        array.iter().any(|item| item.text(&mut scratch).is_some_and(|text| operand.contains(text)))
    };
    let all = || {
        let mut scratch = Scratch::new();
        let mut found: SmallVec<[bool; 64]> = SmallVec::from_elem(false, operand.len());
        let mut missing = operand.len();
        for item in array.iter() {
            if let Some(index) = item.text(&mut scratch).and_then(|text| operand.position(text)) {
                missing -= usize::from(!std::mem::replace(&mut found[index], true));
            }
        }
        missing == 0
    };
    match test {
        ArrayTest::Any => any(),
        ArrayTest::None => !any(),
        ArrayTest::All => all(),
        ArrayTest::NotAll => !all(),
    }
}
