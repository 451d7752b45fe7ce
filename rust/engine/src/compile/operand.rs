//! An operator and its target value to a prepared [`Test`].

use hashbrown::HashMap;
use std::borrow::Cow;

use super::tables::Hasher;
use crate::compare::arrays::ArrayTest;
use crate::compare::equal::EqualOperand;
use crate::compare::numbers::Order;
use crate::compare::regexes;
use crate::compare::strings::{Place, TextSet};
use crate::compare::times::{TimeTest, parse_target};
use crate::compare::versions::{Version, VersionTest};
use crate::ruleset::Test;
use crate::wire::Target;

/// None if there is no such operator. A target of the wrong type is no fault: the outcome is then the
/// same for every value.
pub(crate) fn compile_test(operator: &str, target: Target<'_>) -> Option<Test> {
    let test = match operator {
        "gt" => number(Order::Greater, &target),
        "gte" => number(Order::GreaterOrEqual, &target),
        "lt" => number(Order::Less, &target),
        "lte" => number(Order::LessOrEqual, &target),
        "version_gt" => version(VersionTest::Ordered(Order::Greater), &target),
        "version_gte" => version(VersionTest::Ordered(Order::GreaterOrEqual), &target),
        "version_lt" => version(VersionTest::Ordered(Order::Less), &target),
        "version_lte" => version(VersionTest::Ordered(Order::LessOrEqual), &target),
        "version_eq" => version(VersionTest::Equal, &target),
        "version_neq" => version(VersionTest::NotEqual, &target),
        "any" => member(target, true, true),
        "none" => member(target, true, false),
        "any_case_sensitive" => member(target, false, true),
        "none_case_sensitive" => member(target, false, false),
        "str_starts_with_any" => part(target, Place::Start, true),
        "str_ends_with_any" => part(target, Place::End, true),
        "str_contains_any" => part(target, Place::Anywhere, true),
        "str_contains_none" => part(target, Place::Anywhere, false),
        "str_matches" => match &target {
            Target::Text(pattern) => {
                regexes::compile(pattern).map_or(Test::Constant(false), |regex| Test::Regex(Box::new(regex)))
            }
            _ => Test::Constant(false),
        },
        "before" => time(TimeTest::Before, &target),
        "after" => time(TimeTest::After, &target),
        "on" => time(TimeTest::SameDay, &target),
        "eq" => Test::Equal { operand: equal(target), expected: true },
        "neq" => Test::Equal { operand: equal(target), expected: false },
        "in_segment_list" => id_list(target, true),
        "not_in_segment_list" => id_list(target, false),
        "array_contains_any" => array(target, ArrayTest::Any),
        "array_contains_none" => array(target, ArrayTest::None),
        "array_contains_all" => array(target, ArrayTest::All),
        "not_array_contains_all" => array(target, ArrayTest::NotAll),
        _ => return None,
    };
    Some(test)
}

fn number(order: Order, target: &Target<'_>) -> Test {
    let operand = match target {
        Target::Number(number) => Some(*number),
        Target::Text(text) => text.parse().ok(),
        _ => None,
    };
    operand.map_or(Test::Constant(false), |operand| Test::Number(order, operand))
}

fn version(test: VersionTest, target: &Target<'_>) -> Test {
    match target {
        Target::Text(text) => Test::Version(test, Version::parse(text)),
        _ => Test::Constant(false),
    }
}

fn time(test: TimeTest, target: &Target<'_>) -> Test {
    let operand = match target {
        Target::Number(number) => Some(*number as i64),
        Target::Text(text) => parse_target(text),
        _ => None,
    };
    operand.map_or(Test::Constant(false), |operand| Test::Time(test, operand))
}

fn member(target: Target<'_>, fold_case: bool, expected: bool) -> Test {
    let set = match target {
        Target::Array(elements) => {
            let entries = distinct(elements);
            if fold_case {
                TextSet::new(entries.into_iter().map(|entry| entry.lower))
            } else {
                TextSet::new(entries.into_iter().map(|entry| entry.text))
            }
        }
        // Keys are compared as written with the value's lower-case form.
        Target::Object(members) if fold_case => {
            let mut keys: Vec<_> = members.into_iter().map(|(key, _)| key.0).collect();
            keys.sort_unstable();
            keys.dedup();
            TextSet::new(keys)
        }
        _ => return Test::Constant(!expected),
    };
    Test::Member { set, fold_case, expected }
}

fn part(target: Target<'_>, place: Place, expected: bool) -> Test {
    match target {
        Target::Array(elements) => Test::Part {
            parts: TextSet::new(distinct(elements).into_iter().map(|entry| entry.lower)),
            place,
            expected,
        },
        _ => Test::Constant(!expected),
    }
}

fn array(target: Target<'_>, test: ArrayTest) -> Test {
    match target {
        Target::Array(elements) => {
            // Texts that differ only by case have collapsed, so what is left has no duplicates.
            Test::Array(test, TextSet::new(distinct(elements).into_iter().map(|entry| entry.text)))
        }
        _ => Test::Constant(false),
    }
}

fn id_list(target: Target<'_>, expected: bool) -> Test {
    match target {
        Target::Text(name) => Test::IdList { list: (*name).into(), expected },
        _ => Test::Constant(!expected),
    }
}

fn equal(target: Target<'_>) -> EqualOperand {
    match target {
        Target::Null => EqualOperand::Null,
        Target::Bool(value) => EqualOperand::Bool(value),
        Target::Number(value) => EqualOperand::Number(value),
        Target::Text(text) => EqualOperand::Text((*text).into()),
        Target::Array(elements) => {
            let entries = distinct(elements);
            let mut by_position = vec![None; entries.len()];
            for entry in entries {
                // A position past the end is one the reference trips over: nothing equals it here.
                if let Some(slot) = by_position.get_mut(entry.position) {
                    *slot = Some(entry.text.into());
                }
            }
            EqualOperand::Array(by_position.into())
        }
        Target::Object(members) => {
            let mut last: HashMap<Box<str>, Box<str>, Hasher> = HashMap::default();
            for (key, text) in members {
                last.insert((*key).into(), text.into());
            }
            let mut members: Vec<_> = last.into_iter().collect();
            members.sort_unstable();
            EqualOperand::Object(members.into())
        }
    }
}

struct Element<'a> {
    lower: String,
    text: Cow<'a, str>,
    position: usize,
}

/// The reference keeps array targets in a map from the lower-case form: of elements that differ only
/// by case the last one stays.
fn distinct(elements: Vec<Cow<'_, str>>) -> Vec<Element<'_>> {
    let mut index: HashMap<String, usize, Hasher> = HashMap::default();
    let mut kept: Vec<Element<'_>> = Vec::with_capacity(elements.len());
    for (position, text) in elements.into_iter().enumerate() {
        let lower = text.to_lowercase();
        if let Some(&slot) = index.get(&lower) {
            kept[slot] = Element { lower, text, position };
        } else {
            index.insert(lower.clone(), kept.len());
            kept.push(Element { lower, text, position });
        }
    }
    kept
}
