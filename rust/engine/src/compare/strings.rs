//! Membership and affixes of text.
//!
//! A missing value counts as the empty text here, unlike in every other family.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

use crate::value::{Scratch, Value, lower};

/// Below this many entries a walk over all of them is as fast as one hash.
const LINEAR: usize = 4;

/// Texts in one buffer, with a table where there are many.
#[derive(Debug)]
pub(crate) struct TextSet {
    text: Box<str>,
    /// End of each entry in `text`; entries follow each other without a gap.
    ends: Box<[u32]>,
    table: Option<HashTable<u32>>,
}

impl TextSet {
    pub(crate) fn new<S: AsRef<str>>(entries: impl IntoIterator<Item = S>) -> Self {
        let mut text = String::new();
        let mut ends = Vec::new();
        for entry in entries {
            text.push_str(entry.as_ref());
            ends.push(text.len() as u32);
        }
        let mut set = Self { text: text.into(), ends: ends.into(), table: None };
        if set.ends.len() > LINEAR {
            let mut table = HashTable::with_capacity(set.ends.len());
            for index in 0..set.ends.len() as u32 {
                table.insert_unique(hash(set.entry(index)), index, |&index| hash(set.entry(index)));
            }
            set.table = Some(table);
        }
        set
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn contains(&self, text: &str) -> bool {
        self.position(text).is_some()
    }

    /// Which entry a text is.
    pub(crate) fn position(&self, text: &str) -> Option<usize> {
        match &self.table {
            Some(table) => {
                table.find(hash(text), |&index| self.entry(index) == text).map(|&index| index as usize)
            }
            None => self.iter().position(|entry| entry == text),
        }
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.ends.len() as u32).map(|index| self.entry(index))
    }

    fn entry(&self, index: u32) -> &str {
        let index = index as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start as usize..self.ends[index] as usize]
    }
}

fn hash(text: &str) -> u64 {
    FixedState::default().hash_one(text)
}

/// `any`, `none` and, with `fold_case` false, their case-sensitive forms.
pub(crate) fn is_member(value: Value<'_>, set: &TextSet, fold_case: bool) -> bool {
    let (mut number, mut folded) = (Scratch::new(), Scratch::new());
    let text = value.text(&mut number).unwrap_or_default();
    if !fold_case {
        return set.contains(text);
    }
    if set.table.is_none() && text.is_ascii() {
        // What `lower` would write, without writing it. An entry may have upper-case letters: it is no match then.
        let lower = || text.bytes().map(|byte| byte.to_ascii_lowercase());
        return set.iter().any(|entry| entry.len() == text.len() && entry.bytes().eq(lower()));
    }
    set.contains(lower(text, &mut folded))
}

/// Where an element has to stand in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Start,
    End,
    Anywhere,
}

/// `str_starts_with_any` and its kin; the elements are lower-cased already.
pub(crate) fn has_part(value: Value<'_>, parts: &TextSet, place: Place) -> bool {
    let (mut number, mut folded) = (Scratch::new(), Scratch::new());
    let text = lower(value.text(&mut number).unwrap_or_default(), &mut folded);
    parts.iter().any(|part| match place {
        Place::Start => text.starts_with(part),
        Place::End => text.ends_with(part),
        Place::Anywhere => text.contains(part),
    })
}
