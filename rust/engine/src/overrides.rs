//! Values an application sets itself, which come before whatever the payload says.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::sync::Arc;

use crate::json::members;
use crate::parameter_store::ParameterStore;
use crate::ruleset::{CheckKind, ValueId};
use crate::user::{AttributeMap, StandardField, UserView};
use crate::value::Scratch;

type ByName<T> = HashMap<Box<str>, Entries<T>, FixedState>;

/// What one name is set to, for everybody and for single units.
#[derive(Clone, Debug)]
struct Entries<T> {
    everybody: Option<T>,
    by_unit: HashMap<Box<str>, T, FixedState>,
}

impl<T> Entries<T> {
    const fn new() -> Self {
        Self { everybody: None, by_unit: HashMap::with_hasher(FixedState::with_seed(0)) }
    }

    fn is_empty(&self) -> bool {
        self.everybody.is_none() && self.by_unit.is_empty()
    }

    /// Replaces what is set for a unit or for everybody, and returns what was.
    fn replace(&mut self, unit: Option<&str>, value: Option<T>) -> Option<T> {
        match (unit, value) {
            (None, value) => std::mem::replace(&mut self.everybody, value),
            (Some(unit), Some(value)) => self.by_unit.insert(unit.into(), value),
            (Some(unit), None) => self.by_unit.remove(unit),
        }
    }

    /// The user id comes first, then custom ids in the order given, then what is set for everybody.
    fn of(&self, user: &UserView<'_>) -> Option<&T> {
        if !self.by_unit.is_empty() {
            let id = user.standard(StandardField::UserId).unwrap_or_default();
            if let Some(value) = self.by_unit.get(id) {
                return Some(value);
            }
            let mut scratch = Scratch::new();
            for (_, id) in user.attributes(AttributeMap::CustomIds) {
                if let Some(value) = id.text(&mut scratch).and_then(|id| self.by_unit.get(id)) {
                    return Some(value);
                }
            }
        }
        self.everybody.as_ref()
    }
}

/// The value of an overridden config, experiment or layer.
#[derive(Debug)]
pub struct OverrideValue {
    json: Box<str>,
    keys: Box<[Box<str>]>,
}

impl OverrideValue {
    /// Reads a JSON object.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, if it is not a JSON object.
    pub fn new(json: &str) -> Result<Self, String> {
        let (json, keys) = members(json).map_err(|error| error.to_string())?;
        Ok(Self { json: (*json).into(), keys: keys.iter().map(|key| (**key).into()).collect() })
    }

    /// The JSON object.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Names of its members.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| &**key)
    }
}

/// What a spec is set to.
#[derive(Clone, Debug)]
pub enum Override {
    /// A gate's value.
    Gate(bool),
    /// The value of a config, experiment or layer.
    Value(Arc<OverrideValue>),
    /// The value of the experiment's first rule with this group name.
    Group(Arc<str>),
}

/// What applies to one user.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found<'a> {
    Gate(bool),
    Value(ValueId),
    Group(&'a str),
}

#[derive(Clone, Debug)]
enum Stored {
    Gate(bool),
    Value(u32),
    Group(Arc<str>),
}

/// All that is set. A snapshot: changing one means to clone it and to change the clone.
///
/// The kinds are independent of each other: what is set for an experiment does not count when the same
/// spec is asked for as a dynamic config.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    by_kind: [ByName<Stored>; 4],
    values: Vec<Option<Arc<OverrideValue>>>,
    parameter_stores: ByName<Arc<ParameterStore>>,
}

impl Overrides {
    /// True if nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_kind.iter().all(HashMap::is_empty) && self.parameter_stores.is_empty()
    }

    /// Sets a spec, which need not exist, for a unit (a user id or any custom id) or for everybody.
    pub fn set(&mut self, kind: CheckKind, name: &str, value: Override, unit: Option<&str>) {
        self.remove_entry(kind, name, unit);
        let stored = match value {
            Override::Gate(value) => Stored::Gate(value),
            Override::Group(name) => Stored::Group(name),
            Override::Value(value) => Stored::Value(self.keep(value)),
        };
        replace(&mut self.by_kind[kind as usize], name, unit, Some(stored));
    }

    /// Removes what is set for a unit; without one, everything that is set under the name.
    pub fn remove(&mut self, kind: CheckKind, name: &str, unit: Option<&str>) {
        if unit.is_some() {
            self.remove_entry(kind, name, unit);
        } else if let Some(entries) = self.by_kind[kind as usize].remove(name) {
            entries
                .everybody
                .into_iter()
                .chain(entries.by_unit.into_values())
                .for_each(|old| self.free(&old));
        }
    }

    /// As [`Self::set`], for a parameter store.
    pub fn set_parameter_store(&mut self, name: &str, store: Arc<ParameterStore>, unit: Option<&str>) {
        replace(&mut self.parameter_stores, name, unit, Some(store));
    }

    /// As [`Self::remove`], for a parameter store.
    pub fn remove_parameter_store(&mut self, name: &str, unit: Option<&str>) {
        if unit.is_some() {
            replace(&mut self.parameter_stores, name, unit, None);
        } else {
            self.parameter_stores.remove(name);
        }
    }

    /// A value that an evaluation returned by its id.
    #[must_use]
    pub fn value(&self, index: usize) -> Option<&OverrideValue> {
        self.values.get(index)?.as_deref()
    }

    /// Names that are set, of one kind.
    pub fn names(&self, kind: CheckKind) -> impl Iterator<Item = &str> {
        self.by_kind[kind as usize].keys().map(|name| &**name)
    }

    pub(crate) fn find(&self, kind: CheckKind, name: &str, user: &UserView<'_>) -> Option<Found<'_>> {
        Some(match self.by_kind[kind as usize].get(name)?.of(user)? {
            Stored::Gate(value) => Found::Gate(*value),
            Stored::Value(index) => Found::Value(ValueId::of_override(*index)),
            Stored::Group(name) => Found::Group(name),
        })
    }

    pub(crate) fn find_parameter_store(&self, name: &str, user: &UserView<'_>) -> Option<&ParameterStore> {
        self.parameter_stores.get(name)?.of(user).map(|store| &**store)
    }

    fn keep(&mut self, value: Arc<OverrideValue>) -> u32 {
        let free = self.values.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.values.push(None);
            self.values.len() - 1
        });
        self.values[index] = Some(value);
        index as u32
    }

    fn remove_entry(&mut self, kind: CheckKind, name: &str, unit: Option<&str>) {
        if let Some(removed) = replace(&mut self.by_kind[kind as usize], name, unit, None) {
            self.free(&removed);
        }
    }

    fn free(&mut self, stored: &Stored) {
        if let Stored::Value(index) = stored {
            self.values[*index as usize] = None;
        }
    }
}

/// Replaces one entry of a name, and returns what it was. A name without entries is not kept.
fn replace<T>(all: &mut ByName<T>, name: &str, unit: Option<&str>, value: Option<T>) -> Option<T> {
    let entries = all.entry(name.into()).or_insert_with(Entries::new);
    let replaced = entries.replace(unit, value);
    if entries.is_empty() {
        all.remove(name);
    }
    replaced
}
