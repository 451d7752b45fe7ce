//! Interning: every distinct string, value and unit of a payload is kept once and named by an id.

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

use crate::bucket::user_bucket_prefix;
use crate::error::LoadError;
use crate::ruleset::{Bucket, BucketId, JsonKind, JsonValue, StringId, Unit, UnitId, ValueId};
use crate::wire;

pub(crate) type Hasher = FixedState;

/// The id of the entry at `index`.
pub(crate) fn id(what: &'static str, index: usize) -> Result<u32, LoadError> {
    // The highest id means "none" in places.
    const LIMIT: usize = u32::MAX as usize - 1;
    if index > LIMIT { Err(LoadError::TooLarge { what, limit: LIMIT }) } else { Ok(index as u32) }
}

pub(crate) struct Tables {
    strings: HashMap<Box<str>, StringId, Hasher>,
    values: HashMap<Box<str>, ValueId, Hasher>,
    units: HashMap<Box<str>, UnitId, Hasher>,
    bucket_ids: HashMap<(Box<str>, UnitId), BucketId, Hasher>,
    buckets: Vec<Bucket>,
    keys: Vec<Box<[StringId]>>,
}

impl Tables {
    pub(crate) fn new() -> Self {
        let mut tables = Self {
            strings: HashMap::default(),
            values: HashMap::default(),
            units: HashMap::default(),
            bucket_ids: HashMap::default(),
            buckets: Vec::new(),
            keys: Vec::new(),
        };
        for name in StringId::PREDEFINED {
            tables.string(name);
        }
        tables
    }

    pub(crate) fn string(&mut self, text: &str) -> StringId {
        let next = StringId(self.strings.len() as u32);
        intern(&mut self.strings, text, next)
    }

    /// Strings with something after them, by what they are without.
    pub(crate) fn suffixed(
        &mut self,
        ids: &HashSet<StringId, Hasher>,
        suffix: &str,
    ) -> HashMap<StringId, StringId, Hasher> {
        let strings = self.strings.iter().filter(|(_, id)| ids.contains(*id));
        let texts: Vec<_> = strings.map(|(text, &id)| (id, format!("{text}{suffix}"))).collect();
        texts.into_iter().map(|(id, text)| (id, self.string(&text))).collect()
    }

    pub(crate) fn value(&mut self, value: &wire::ReturnValue<'_>) -> ValueId {
        if let Some(&id) = self.values.get(&*value.json) {
            return id;
        }
        let id = ValueId(self.values.len() as u32);
        self.values.insert(Box::from(&*value.json), id);
        let keys = value.keys.iter().map(|key| self.string(key)).collect();
        self.keys.push(keys);
        id
    }

    pub(crate) fn unit(&mut self, id_type: &str) -> UnitId {
        let next = UnitId(self.units.len() as u32);
        intern(&mut self.units, id_type, next)
    }

    /// What `user_bucket` conditions of a salt and unit hash.
    pub(crate) fn bucket(&mut self, salt: &str, id_type: &str) -> BucketId {
        let unit = self.unit(id_type);
        let next = BucketId(self.buckets.len() as u32);
        let id = *self.bucket_ids.entry((salt.into(), unit)).or_insert(next);
        if id == next {
            self.buckets.push(Bucket { prefix: user_bucket_prefix(salt), unit });
        }
        id
    }

    pub(crate) fn finish(self) -> Frozen {
        let mut keys = self.keys;
        let values = in_order(self.values, ValueId::index)
            .into_iter()
            .zip(keys.drain(..))
            .map(|(json, keys)| JsonValue { kind: json_kind(&json), json, keys })
            .collect();
        let units = in_order(self.units, UnitId::index).iter().map(|id_type| Unit::new(id_type)).collect();
        Frozen {
            strings: in_order(self.strings, StringId::index).into(),
            values,
            units,
            buckets: self.buckets.into(),
        }
    }
}

/// The tables as the ruleset keeps them, each in the order of its ids.
pub(crate) struct Frozen {
    pub(crate) strings: Box<[Box<str>]>,
    pub(crate) values: Box<[JsonValue]>,
    pub(crate) units: Box<[Unit]>,
    pub(crate) buckets: Box<[Bucket]>,
}

fn intern<I: Copy>(map: &mut HashMap<Box<str>, I, Hasher>, text: &str, next: I) -> I {
    if let Some(&id) = map.get(text) {
        return id;
    }
    map.insert(text.into(), next);
    next
}

fn in_order<I: Copy>(map: HashMap<Box<str>, I, Hasher>, index: impl Fn(I) -> usize) -> Vec<Box<str>> {
    let mut entries: Vec<_> = map.into_iter().collect();
    entries.sort_unstable_by_key(|&(_, id)| index(id));
    entries.into_iter().map(|(text, _)| text).collect()
}

fn json_kind(json: &str) -> JsonKind {
    match json.as_bytes().first() {
        Some(b't') => JsonKind::True,
        Some(b'f') => JsonKind::False,
        Some(b'n') => JsonKind::Null,
        Some(b'{') => JsonKind::Object,
        _ => JsonKind::Other,
    }
}
