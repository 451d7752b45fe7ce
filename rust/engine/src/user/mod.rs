//! The user: every attribute converted once into one packed buffer.
//!
//! A [`PackedUser`] is built by a [`UserBuilder`] from whatever the caller has; evaluation reads it
//! through a [`UserView`], which can also stand for a bare user id with no allocation at all.

mod builder;
mod written;

pub(crate) use builder::write_attribute;
pub use builder::{Attribute, UserBuilder};
pub(crate) use written::{finite, write_user};

use crate::value::{Array, Object, Value};

/// The user fields that are not in a map, in the order of [`StandardField`].
pub(crate) const STANDARD_FIELDS: usize = 7;

/// A user field of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandardField {
    /// `userID`
    UserId,
    /// `email`
    Email,
    /// `ip`
    Ip,
    /// `userAgent`
    UserAgent,
    /// `country`
    Country,
    /// `locale`
    Locale,
    /// `appVersion`
    AppVersion,
}

/// Every standard field, in the order of their spans.
const STANDARD: [StandardField; STANDARD_FIELDS] = [
    StandardField::UserId,
    StandardField::Email,
    StandardField::Ip,
    StandardField::UserAgent,
    StandardField::Country,
    StandardField::Locale,
    StandardField::AppVersion,
];

/// A map of user attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeMap {
    /// `custom`
    Custom,
    /// `customIDs`
    CustomIds,
    /// `privateAttributes`
    Private,
    /// `statsigEnvironment`
    Environment,
}

const MAPS: usize = 4;

/// A stretch of the packed text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    const ABSENT: Self = Self { start: 0, len: u32::MAX };

    pub(crate) fn text(self, text: &str) -> &str {
        &text[self.start as usize..][..self.len as usize]
    }
}

/// A run of entries.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Run {
    first: u32,
    len: u32,
}

impl Run {
    pub(crate) fn of(self, entries: &[Entry]) -> &[Entry] {
        &entries[self.first as usize..][..self.len as usize]
    }
}

/// One value in packed form.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Span),
    Array { json: Span, items: Run },
    Object { members: Run },
}

/// A named value; array elements have an empty name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    tag: u64,
    key: Span,
    node: Node,
}

/// Length and first seven bytes of a key: unequal tags mean unequal keys, and for keys of up to seven
/// bytes equal tags mean equal keys.
pub(crate) fn key_tag(key: &str) -> u64 {
    let bytes = key.as_bytes();
    let mut tag = [0; 8];
    let head = bytes.len().min(7);
    tag[..head].copy_from_slice(&bytes[..head]);
    tag[7] = bytes.len().min(255) as u8;
    u64::from_le_bytes(tag)
}

/// A key to look for, with its tag.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    tag: u64,
    name: Box<str>,
}

impl Key {
    pub(crate) fn new(name: &str) -> Self {
        Self { tag: key_tag(name), name: name.into() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// Where things are in the packed text.
#[derive(Clone, Debug)]
pub struct Layout {
    standard: [Span; STANDARD_FIELDS],
    maps: [Run; MAPS],
    /// Whether a map was given: an empty one is not the same as none.
    given: [bool; MAPS],
    entries: Vec<Entry>,
    /// What lists and mappings among the attributes hold.
    nested: Vec<Entry>,
}

impl Layout {
    const EMPTY: Self = Self {
        standard: [Span::ABSENT; STANDARD_FIELDS],
        maps: [Run { first: 0, len: 0 }; MAPS],
        given: [false; MAPS],
        entries: Vec::new(),
        nested: Vec::new(),
    };

    /// The layout of a user who is nothing but an id of `len` bytes. It takes no memory of its own. None if that is of
    /// 4 GiB or more.
    #[inline]
    #[must_use]
    pub fn of_id(len: usize) -> Option<Self> {
        is_addressable(len).then(|| Self::of_addressable_id(len))
    }

    #[inline]
    fn of_addressable_id(len: usize) -> Self {
        let mut layout = Self::EMPTY;
        layout.standard[0] = Span { start: 0, len: len as u32 };
        layout
    }
}

/// A user, owned.
#[derive(Clone, Debug)]
pub struct PackedUser {
    // Growable, because giving back the slack would cost more than the slack does.
    text: String,
    layout: Layout,
}

/// True if texts of so many bytes can be told by spans.
#[inline]
fn is_addressable(len: usize) -> bool {
    len < u32::MAX as usize
}

impl PackedUser {
    /// A user who is nothing but an id. None if that is of 4 GiB or more.
    #[inline]
    #[must_use]
    pub fn of_id(id: &str) -> Option<Self> {
        // Not by a layout that may be none: that would be copied once more.
        is_addressable(id.len())
            .then(|| Self { text: id.to_owned(), layout: Layout::of_addressable_id(id.len()) })
    }

    /// What evaluation reads.
    #[inline]
    #[must_use]
    pub fn view(&self) -> UserView<'_> {
        UserView { text: &self.text, layout: &self.layout }
    }
}

impl Default for PackedUser {
    fn default() -> Self {
        Self { text: String::new(), layout: Layout::EMPTY }
    }
}

/// A user, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct UserView<'a> {
    text: &'a str,
    layout: &'a Layout,
}

impl<'a> UserView<'a> {
    /// A user who is nothing but an id; `layout` is [`Layout::of_id`] of its length.
    #[must_use]
    pub fn of_id(id: &'a str, layout: &'a Layout) -> Self {
        UserView { text: id, layout }
    }

    /// A standard field, or None if it was not given.
    #[must_use]
    pub fn standard(&self, field: StandardField) -> Option<&'a str> {
        let span = self.layout.standard[field as usize];
        if span.len == Span::ABSENT.len { None } else { Some(span.text(self.text)) }
    }

    pub(crate) fn attribute(&self, map: AttributeMap, key: &Key) -> Option<Value<'a>> {
        find(self.members(map), self.text, key).map(|node| self.value(node))
    }

    /// True if a map was given, be it empty.
    #[must_use]
    pub fn given(&self, map: AttributeMap) -> bool {
        self.layout.given[map as usize]
    }

    /// Every entry of a map, in the order given.
    #[must_use]
    pub fn attributes(
        &self,
        map: AttributeMap,
    ) -> impl ExactSizeIterator<Item = (&'a str, Value<'a>)> + use<'a> {
        Object { members: self.members(map), text: self.text, nested: &self.layout.nested }.iter()
    }

    #[inline]
    fn members(&self, map: AttributeMap) -> &'a [Entry] {
        self.layout.maps[map as usize].of(&self.layout.entries)
    }

    /// The same user, owned.
    #[must_use]
    pub fn to_packed(&self) -> PackedUser {
        PackedUser { text: self.text.to_owned(), layout: self.layout.clone() }
    }

    /// True if no condition could tell the two users apart. The order of attributes does not matter.
    #[must_use]
    pub fn same(&self, other: &UserView<'_>) -> bool {
        let maps =
            [AttributeMap::Custom, AttributeMap::CustomIds, AttributeMap::Private, AttributeMap::Environment];
        STANDARD.iter().all(|&field| self.standard(field) == other.standard(field))
            && maps.iter().all(|&map| same_members(self.attributes(map), || other.attributes(map)))
    }

    fn value(&self, node: Node) -> Value<'a> {
        resolve(node, self.text, &self.layout.nested)
    }
}

fn same_members<'a, 'b, I, J>(members: I, others: impl Fn() -> J) -> bool
where
    I: ExactSizeIterator<Item = (&'a str, Value<'a>)>,
    J: ExactSizeIterator<Item = (&'b str, Value<'b>)>,
{
    let mut members = members;
    members.len() == others().len()
        && members.all(|(key, value)| others().any(|(name, other)| name == key && same_value(value, other)))
}

fn same_value(value: Value<'_>, other: Value<'_>) -> bool {
    match (value, other) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) | (Value::Now(a), Value::Now(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::Array(a), Value::Array(b)) => {
            a.items.len() == b.items.len() && a.iter().zip(b.iter()).all(|(a, b)| same_value(a, b))
        }
        (Value::Object(a), Value::Object(b)) => same_members(a.iter(), || b.iter()),
        _ => false,
    }
}

fn find(entries: &[Entry], text: &str, key: &Key) -> Option<Node> {
    entries
        .iter()
        .find(|entry| entry.tag == key.tag && (key.name.len() <= 7 || entry.key.text(text) == &*key.name))
        .map(|entry| entry.node)
}

fn resolve<'a>(node: Node, text: &'a str, nested: &'a [Entry]) -> Value<'a> {
    match node {
        Node::Null => Value::Null,
        Node::Bool(value) => Value::Bool(value),
        Node::Int(value) => Value::Int(value),
        Node::Float(value) => Value::Float(value),
        Node::Text(span) => Value::Text(span.text(text)),
        Node::Array { json, items } => {
            Value::Array(Array { json: json.text(text), items: items.of(nested), text, nested })
        }
        Node::Object { members } => Value::Object(Object { members: members.of(nested), text, nested }),
    }
}

impl<'a> Array<'a> {
    /// The elements.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Value<'a>> + use<'a> {
        let (text, nested) = (self.text, self.nested);
        self.items.iter().map(move |entry| resolve(entry.node, text, nested))
    }
}

impl<'a> Object<'a> {
    /// The members.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'a str, Value<'a>)> + use<'a> {
        let (text, nested) = (self.text, self.nested);
        self.members.iter().map(move |entry| (entry.key.text(text), resolve(entry.node, text, nested)))
    }
}
