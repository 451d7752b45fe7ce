//! Putting a user together.

use super::{AttributeMap, Entry, Layout, Node, PackedUser, Run, Span, StandardField, key_tag};
use std::fmt::Write;

use crate::json::{write_json_float, write_json_string, write_list};
use crate::value::whole;

/// An attribute with parts: what a list or mapping is built from.
#[derive(Clone, Debug)]
pub enum Attribute {
    /// Null.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// A float, or an integer that needs more bits.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    Array(Vec<Attribute>),
    /// A mapping; names are distinct.
    Object(Vec<(String, Attribute)>),
}

/// Collects a user's attributes into one buffer.
///
/// Standard fields may come at any time. Maps come one after the other: [`UserBuilder::begin`] starts
/// one, and what follows belongs to it until the next.
#[derive(Debug)]
pub struct UserBuilder {
    text: String,
    layout: Layout,
    current: AttributeMap,
    /// Whether the text of a list has the members of objects in it sorted, so that the order in which they
    /// were given does not matter. Of a payload the reference keeps the order; of users it has none.
    sorted: bool,
}

/// Bytes of text there is room for from the start: enough for most users.
const TEXT: usize = 96;

impl Default for UserBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl UserBuilder {
    /// A user of whom nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self { text: String::new(), layout: Layout::EMPTY, current: AttributeMap::Custom, sorted: true }
    }

    /// A user of whom nothing is known, in the memory another one had.
    #[must_use]
    pub fn reuse(user: PackedUser) -> Self {
        let PackedUser { mut text, mut layout } = user;
        text.clear();
        layout.entries.clear();
        layout.nested.clear();
        let (entries, nested) = (layout.entries, layout.nested);
        Self { text, layout: Layout { entries, nested, ..Layout::EMPTY }, ..Self::new() }
    }

    /// As [`Self::new`], for what a payload says: the text of a list keeps the order of all that is in it.
    pub(crate) fn in_order() -> Self {
        Self { sorted: false, ..Self::new() }
    }

    /// Sets a standard field.
    pub fn standard(&mut self, field: StandardField, value: &str) {
        self.make_room(0);
        self.layout.standard[field as usize] = self.push_text(value);
    }

    /// Starts a map of about `len` attributes, replacing what it held.
    pub fn begin(&mut self, map: AttributeMap, len: usize) {
        self.current = map;
        self.make_room(len);
        self.layout.maps[map as usize] = Run { first: self.layout.entries.len() as u32, len: 0 };
        self.layout.given[map as usize] = true;
    }

    /// Adds null.
    pub fn null(&mut self, key: &str) {
        self.push(key, Node::Null);
    }

    /// Adds a boolean.
    pub fn bool(&mut self, key: &str, value: bool) {
        self.push(key, Node::Bool(value));
    }

    /// Adds an integer.
    pub fn int(&mut self, key: &str, value: i64) {
        self.push(key, Node::Int(value));
    }

    /// Adds a float.
    pub fn float(&mut self, key: &str, value: f64) {
        self.push(key, Node::Float(value));
    }

    /// Adds text.
    pub fn text(&mut self, key: &str, value: &str) {
        let node = Node::Text(self.push_text(value));
        self.push(key, node);
    }

    /// Adds any value.
    pub fn attribute(&mut self, key: &str, value: &Attribute) {
        let node = self.push_value(value);
        self.push(key, node);
    }

    /// The packed user. None if the attributes hold 4 GiB of text or more.
    #[must_use]
    pub fn finish(self) -> Option<PackedUser> {
        let Self { text, layout, .. } = self;
        (text.len() < u32::MAX as usize).then_some(PackedUser { text, layout })
    }

    /// Made whole where there is none: letting it grow takes three times as long.
    #[inline]
    fn make_room(&mut self, entries: usize) {
        if self.text.capacity() == 0 {
            self.text = String::with_capacity(TEXT);
        }
        if self.layout.entries.capacity() == 0 {
            self.layout.entries = Vec::with_capacity(entries);
        } else {
            self.layout.entries.reserve(entries);
        }
    }

    fn push(&mut self, key: &str, node: Node) {
        let entry = Entry { tag: key_tag(key), key: self.push_text(key), node };
        self.layout.entries.push(entry);
        self.layout.maps[self.current as usize].len += 1;
    }

    fn push_text(&mut self, text: &str) -> Span {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        Span { start, len: text.len() as u32 }
    }

    fn push_value(&mut self, value: &Attribute) -> Node {
        match value {
            Attribute::Null => Node::Null,
            Attribute::Bool(value) => Node::Bool(*value),
            Attribute::Int(value) => Node::Int(*value),
            Attribute::Float(value) => Node::Float(*value),
            Attribute::Text(text) => Node::Text(self.push_text(text)),
            Attribute::Array(items) => {
                let start = self.text.len();
                write_json(&mut self.text, value, self.sorted);
                let json = Span { start: start as u32, len: (self.text.len() - start) as u32 };
                Node::Array { json, items: self.push_run(items.iter().map(|item| ("", item))) }
            }
            Attribute::Object(members) => Node::Object {
                members: self.push_run(members.iter().map(|(key, item)| (key.as_str(), item))),
            },
        }
    }

    /// Reserves the run first, so that what its values hold comes after it.
    fn push_run<'a>(&mut self, members: impl ExactSizeIterator<Item = (&'a str, &'a Attribute)>) -> Run {
        const BLANK: Entry = Entry { tag: 0, key: Span { start: 0, len: 0 }, node: Node::Null };
        let (first, len) = (self.layout.nested.len(), members.len());
        self.layout.nested.resize(first + len, BLANK);
        for (index, (key, value)) in members.enumerate() {
            let entry = Entry { tag: key_tag(key), key: self.push_text(key), node: self.push_value(value) };
            self.layout.nested[first + index] = entry;
        }
        Run { first: first as u32, len: len as u32 }
    }
}

/// Compact JSON, as the reference prints a list where text is wanted.
fn write_json(out: &mut String, value: &Attribute, sorted: bool) {
    match value {
        Attribute::Null => out.push_str("null"),
        Attribute::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Attribute::Int(value) => out.push_str(&value.to_string()),
        Attribute::Float(value) if !value.is_finite() => {
            // Writing to memory cannot fail.
            let _ = write!(out, "{}", whole(*value));
        }
        Attribute::Float(value) => write_json_float(out, *value),
        Attribute::Text(text) => write_json_string(out, text),
        Attribute::Array(items) => {
            write_list(out, ['[', ']'], items, |out, item| write_json(out, item, sorted));
        }
        Attribute::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            if sorted {
                members.sort_by(|(a, _), (b, _)| a.cmp(b));
            }
            write_list(out, ['{', '}'], members, |out, (key, item)| {
                write_json_string(out, key);
                out.push(':');
                write_json(out, item, sorted);
            });
        }
    }
}

/// Appends a value as JSON, members in their order.
pub(crate) fn write_attribute(out: &mut String, value: &Attribute) {
    write_json(out, value, false);
}
