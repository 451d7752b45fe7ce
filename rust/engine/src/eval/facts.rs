//! What a check looks at: the user, the application, and what is worked out from them at most once.

use std::cell::{Cell, OnceCell};

use super::Input;
use crate::bucket::{Rollout, user_bucket};
use crate::compare::{arrays, equal, numbers, regexes, strings, times, versions};
use crate::ruleset::{BucketId, Condition, Field, Rule, Ruleset, Source, Test, Unit, UnitId};
use crate::trace::{Observer, Origin, Step};
use crate::user::{AttributeMap, Key};
use crate::user_agent::UserAgent;
use crate::value::{Scratch, Value};

/// What conditions without effects, and rollouts, are decided by.
pub(super) struct Facts<'r, 'u, O> {
    pub(super) ruleset: &'r Ruleset,
    pub(super) input: &'u Input<'u>,
    pub(super) observer: &'u O,
    /// Read when the first condition asks for it; None within if there is none to read.
    pub(super) user_agent: OnceCell<Option<UserAgent<'u>>>,
    /// The bucket that was worked out last: the groups of an experiment ask for the same one.
    bucket: Cell<Option<(BucketId, i64)>>,
}

impl<'r, 'u, O: Observer> Facts<'r, 'u, O> {
    #[inline]
    pub(super) fn new(ruleset: &'r Ruleset, input: &'u Input<'u>, observer: &'u O) -> Self {
        Self { ruleset, input, observer, user_agent: OnceCell::new(), bucket: Cell::new(None) }
    }

    /// Tells whoever looks on. A step is put together only if somebody does.
    #[inline]
    pub(super) fn tell<'a>(&self, step: impl FnOnce() -> Step<'a>) {
        if O::ON {
            self.observer.step(step());
        }
    }

    /// Whether every condition of a rule holds that is pure: the first that fails decides.
    #[inline]
    pub(super) fn all_hold(&self, rule: &Rule) -> bool {
        let ids = &self.ruleset.rule_conditions[rule.conditions.start as usize..rule.conditions.end as usize];
        ids.iter().all(|&id| match &self.ruleset.conditions[id.index()] {
            Condition::Compare { source, test } => self.holds(test, self.value(source)),
            // Only conditions without effects are in a pure rule, and the public ones were left out.
            _ => true,
        })
    }

    pub(super) fn value(&self, source: &'r Source) -> Value<'_> {
        match source {
            Source::Field(field) => self.field(field).unwrap_or(Value::Null),
            Source::UserAgent(field) => self.user_agent(field),
            Source::Environment { exact, lower } => self.environment(exact, lower),
            Source::UnitId(unit) => self.unit(*unit),
            Source::Bucket(bucket) => Value::Int(self.bucket(*bucket)),
            Source::Now => Value::Now(self.input.now),
            Source::App => self.input.app_id.unwrap_or_else(|| self.ruleset.app_id()),
            // `condition` looks at the first two, because that has effects.
            Source::Group(_) | Source::Country(_) | Source::Nothing => Value::Null,
        }
    }

    #[inline]
    fn bucket(&self, id: BucketId) -> i64 {
        let of = &self.ruleset.buckets[id.index()];
        match self.bucket.get() {
            // Whoever looks on is told what is looked at each time.
            Some((known, bucket)) if known == id && !O::ON => bucket,
            _ => {
                let bucket = user_bucket(&of.prefix, self.unit_text(of.unit, &mut Scratch::new()));
                self.bucket.set(Some((id, bucket)));
                bucket
            }
        }
    }

    /// None where nothing has that name, which an attribute that is null has.
    pub(super) fn field(&self, field: &Field) -> Option<Value<'u>> {
        let Input { user, global, .. } = self.input;
        let standard = field.standard.and_then(|standard| user.standard(standard));
        if let Some(text) = standard.filter(|text| !text.is_empty()) {
            return Some(self.used(&field.exact, Origin::Standard, Value::Text(text)));
        }
        let sources = [
            (user, AttributeMap::Custom, Origin::Custom),
            (global, AttributeMap::Custom, Origin::Global),
            (user, AttributeMap::Private, Origin::Private),
        ];
        for (user, map, origin) in sources {
            let found = user
                .attribute(map, &field.exact)
                .or_else(|| field.lower.as_ref().and_then(|lower| user.attribute(map, lower)));
            if let Some(value) = found {
                return Some(self.used(&field.exact, origin, value));
            }
        }
        let alias = field.alias.and_then(|alias| user.standard(alias));
        let origin = alias.map_or(Origin::Nowhere, |_| Origin::Standard);
        self.used(&field.exact, origin, alias.map(Value::Text))
    }

    /// The value, after telling where it comes from.
    fn used<V>(&self, key: &Key, origin: Origin, value: V) -> V {
        self.tell(|| Step::Used { name: key.name(), origin });
        value
    }

    fn environment(&self, exact: &Key, lower: &str) -> Value<'_> {
        if let Some(value) = self.input.user.attribute(AttributeMap::Environment, exact) {
            return self.used(exact, Origin::Environment, value);
        }
        match self.input.tier {
            Some(tier) if lower == "tier" => self.used(exact, Origin::Global, Value::Text(tier)),
            _ => self.used(exact, Origin::Nowhere, Value::Null),
        }
    }

    pub(super) fn unit(&self, unit: UnitId) -> Value<'_> {
        let unit = &self.ruleset.units[unit.index()];
        let origin = if let Unit::UserId = unit { Origin::Standard } else { Origin::CustomIds };
        self.tell(|| Step::Used { name: unit.id_type(), origin });
        unit.of(&self.input.user)
    }

    /// What is hashed for the unit: nothing where the user has no such id.
    pub(super) fn unit_text<'s>(&'s self, unit: UnitId, scratch: &'s mut Scratch) -> &'s str {
        self.unit(unit).text(scratch).unwrap_or_default()
    }

    pub(super) fn holds(&self, test: &Test, value: Value<'_>) -> bool {
        match test {
            Test::Constant(outcome) => *outcome,
            Test::Number(order, operand) => numbers::compare(*order, value, *operand),
            Test::Version(test, operand) => versions::test(*test, value, operand),
            Test::Member { set, fold_case, expected } => {
                strings::is_member(value, set, *fold_case) == *expected
            }
            Test::Part { parts, place, expected } => strings::has_part(value, parts, *place) == *expected,
            Test::Regex(regex) => regexes::matches(value, regex),
            Test::Time(test, operand) => times::test(*test, value, *operand),
            Test::Equal { operand, expected } => equal::equal(value, operand) == *expected,
            Test::Array(test, operand) => arrays::test(*test, value, operand),
            Test::IdList { list, expected } => self.is_listed(list, value) == *expected,
        }
    }

    fn is_listed(&self, list: &str, value: Value<'_>) -> bool {
        let mut scratch = Scratch::new();
        let (Some(lists), Some(id)) = (self.input.id_lists, value.text(&mut scratch)) else {
            return false;
        };
        lists.contains(list, id)
    }

    #[inline]
    pub(super) fn passes_rollout(&self, rollout: &Rollout, unit: UnitId) -> bool {
        let mut scratch = Scratch::new();
        if O::ON {
            let bucket = rollout.bucket(|| self.unit_text(unit, &mut scratch));
            let unit = bucket.map_or(Value::Null, |_| self.unit(unit));
            let passes = rollout.includes(bucket);
            self.observer.step(Step::Rollout { bucket, unit, passes });
            return passes;
        }
        rollout.passes(|| self.unit_text(unit, &mut scratch))
    }
}
