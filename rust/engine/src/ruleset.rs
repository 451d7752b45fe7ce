//! The compiled payload: immutable, flat tables and 32-bit ids.

use fancy_regex::Regex;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};
use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::Arc;

use crate::bandit::Bandit;
use crate::bucket::Rollout;
use crate::client::Client;
use crate::compare::arrays::ArrayTest;
use crate::compare::equal::EqualOperand;
use crate::compare::numbers::Order;
use crate::compare::strings::{Place, TextSet};
use crate::compare::times::TimeTest;
use crate::compare::versions::{Version, VersionTest};
use crate::compile::Descriptions;
use crate::eval::Constant;
use crate::events::Sampling;
use crate::parameter_store::ParameterStores;
use crate::sha256::Prefix;
use crate::user::{AttributeMap, Key, PackedUser, StandardField, UserView};
use crate::user_agent::UserAgentPart;
use crate::value::Value;

macro_rules! ids {
    ($($(#[$doc:meta])* $visibility:vis $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $visibility struct $name(pub(crate) u32);

        impl $name {
            /// Position in its table.
            #[must_use]
            $visibility fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// A gate, dynamic config, experiment or layer.
    pub SpecId,
    /// A return or default value.
    pub ValueId,
    /// A name, rule id, group name or id type.
    pub StringId,
    /// What a rule hashes.
    pub(crate) UnitId,
    /// What `user_bucket` conditions hash.
    pub(crate) BucketId,
    /// A condition.
    pub(crate) ConditionId,
    /// A contextual multi-armed bandit.
    pub(crate) BanditId,
}

impl ConditionId {
    /// A rule names a condition that the payload does not have.
    pub(crate) const DANGLING: Self = Self(u32::MAX);
}

impl StringId {
    /// The rule id of an evaluation no rule decided, such as that of an unknown gate.
    pub const EMPTY: Self = Self(0);
    /// The rule id where no rule matched.
    pub const DEFAULT: Self = Self(1);
    /// The rule id where no rule matched and the spec is switched off.
    pub const DISABLED: Self = Self(2);
    /// The rule id of what the application sets itself.
    pub const OVERRIDE: Self = Self(3);
    /// The rule id of a bandit that is not running.
    pub const PRESTART: Self = Self(4);
    /// The rule id of a bandit whose targeting gate does not let the user in.
    pub const TARGETING: Self = Self(5);
    pub(crate) const PREDEFINED: [&'static str; 6] =
        ["", "default", "disabled", "override", "prestart", "inlineTargetingRules"];
}

impl ValueId {
    /// Ids from here on are those of [`crate::Overrides`].
    const OVERRIDES: u32 = 1 << 31;

    pub(crate) fn of_override(index: u32) -> Self {
        Self(index | Self::OVERRIDES)
    }

    /// Position among the values of the overrides, if the value is one of theirs.
    #[must_use]
    pub fn override_index(self) -> Option<usize> {
        (self.0 >= Self::OVERRIDES).then_some((self.0 ^ Self::OVERRIDES) as usize)
    }
}

/// The three name spaces of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpecKind {
    /// Gates, segments and holdouts.
    Gate,
    /// Dynamic configs, experiments and autotunes.
    Config,
    /// Layers.
    Layer,
}

/// What is asked for. Configs and experiments are one pool of specs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckKind {
    /// A gate, segment or holdout.
    Gate,
    /// A spec of the config pool as a dynamic config.
    Config,
    /// A spec of the config pool as an experiment.
    Experiment,
    /// A layer.
    Layer,
}

impl CheckKind {
    /// Where its specs are.
    #[must_use]
    pub fn specs(self) -> SpecKind {
        match self {
            Self::Gate => SpecKind::Gate,
            Self::Config | Self::Experiment => SpecKind::Config,
            Self::Layer => SpecKind::Layer,
        }
    }
}

/// How the payload was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Arrays of specs with inline conditions.
    V1,
    /// Maps of specs and a `condition_map`.
    #[default]
    V2,
}

/// What a JSON value is, as far as evaluation cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonKind {
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
    /// An object: the only kind that is a config value.
    Object,
    /// An array, string or number.
    Other,
}

/// A return or default value.
#[derive(Debug)]
pub struct JsonValue {
    pub(crate) kind: JsonKind,
    pub(crate) json: Box<str>,
    /// Names of an object's members.
    pub(crate) keys: Box<[StringId]>,
}

impl JsonValue {
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> JsonKind {
        self.kind
    }

    /// The JSON text of the payload. Numbers that only a float can hold are written as one.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }
}

/// A compiled gate, dynamic config, experiment or layer.
#[derive(Debug)]
pub struct Spec {
    pub(crate) name: StringId,
    pub(crate) kind: SpecKind,
    pub(crate) entity: StringId,
    pub(crate) id_type: StringId,
    pub(crate) version: Option<u32>,
    pub(crate) rules: Range<u32>,
    pub(crate) default_value: ValueId,
    pub(crate) default_passes: bool,
    pub(crate) enabled: bool,
    /// v1 only: a spec that is off answers before its rules are looked at.
    pub(crate) off: bool,
    pub(crate) is_active: Option<bool>,
    pub(crate) in_layer: Option<bool>,
    pub(crate) explicit_parameters: Option<Box<[StringId]>>,
    pub(crate) merges_rules: bool,
    /// There is a config mapping for its name.
    pub(crate) is_mapped: bool,
    /// The bandit that takes its place when it is asked for as an experiment.
    pub(crate) bandit: Option<BanditId>,
    /// The apps whose client SDKs are told about it.
    pub(crate) target_apps: Box<[StringId]>,
    /// None of its exposures are sampled away.
    pub(crate) forwards_all: bool,
    /// That of exposures no rule decided.
    pub(crate) fallback_prefix: u128,
    /// See [`Ruleset::is_plain`].
    pub(crate) plain: bool,
    /// See [`Ruleset::constant`].
    pub(crate) constant: Constant,
    /// A condition of its own looks at the current time.
    pub(crate) looks_at_time: bool,
}

impl Spec {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> StringId {
        self.name
    }

    /// Its name space.
    #[must_use]
    pub fn kind(&self) -> SpecKind {
        self.kind
    }

    /// The rule id where no rule matched.
    pub(crate) fn fallback_rule(&self) -> StringId {
        if self.enabled { StringId::DEFAULT } else { StringId::DISABLED }
    }

    /// `feature_gate`, `segment`, `holdout`, `experiment` and so on.
    #[must_use]
    pub fn entity(&self) -> StringId {
        self.entity
    }
}

/// A compiled rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: StringId,
    pub(crate) id_type: StringId,
    pub(crate) group: Option<StringId>,
    pub(crate) conditions: Range<u32>,
    pub(crate) rollout: Rollout,
    pub(crate) unit: UnitId,
    pub(crate) value: ValueId,
    pub(crate) delegate: Option<SpecId>,
    pub(crate) passes: bool,
    pub(crate) percentage: f64,
    pub(crate) is_group: bool,
    /// Of its exposures, one in so many is logged while exposures are sampled.
    pub(crate) sampling_rate: Option<u64>,
    /// That of exposures of its spec that it decided.
    pub(crate) exposure_prefix: u128,
    /// No condition can add an exposure, be unsupported or mark the reason: the first that fails decides.
    pub(crate) pure: bool,
}

/// What is hashed for a rule or bucket.
#[derive(Debug)]
pub(crate) enum Unit {
    UserId,
    /// A custom id: the exact key, then its lower-case form where that is another one.
    Custom(Key, Option<Key>),
}

impl Unit {
    pub(crate) fn id_type(&self) -> &str {
        match self {
            Self::UserId => "userID",
            Self::Custom(exact, _) => exact.name(),
        }
    }

    pub(crate) fn new(id_type: &str) -> Self {
        let lower = id_type.to_lowercase();
        if lower == "userid" {
            return Self::UserId;
        }
        let other = if lower == id_type { None } else { Some(Key::new(&lower)) };
        Self::Custom(Key::new(id_type), other)
    }

    /// The user's id of this type.
    pub(crate) fn of<'a>(&self, user: &UserView<'a>) -> Value<'a> {
        match self {
            Self::UserId => user.standard(StandardField::UserId).map_or(Value::Null, Value::Text),
            Self::Custom(exact, lower) => user
                .attribute(AttributeMap::CustomIds, exact)
                .or_else(|| lower.as_ref().and_then(|lower| user.attribute(AttributeMap::CustomIds, lower)))
                .unwrap_or(Value::Null),
        }
    }
}

/// What `user_bucket` conditions of one salt and unit hash.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) prefix: Prefix,
    pub(crate) unit: UnitId,
}

/// A user field, with everything its look-up needs.
#[derive(Debug)]
pub(crate) struct Field {
    /// Looked at first, and taken if it is not empty.
    pub(crate) standard: Option<StandardField>,
    pub(crate) exact: Key,
    pub(crate) lower: Option<Key>,
    /// Looked at last, and taken even if empty.
    pub(crate) alias: Option<StandardField>,
}

/// Where a country is looked up: the user's own counts, else that of the address.
#[derive(Debug)]
pub(crate) struct CountryFields {
    pub(crate) country: Field,
    pub(crate) ip: Field,
}

/// A nested gate.
#[derive(Debug)]
pub(crate) struct GateRef {
    pub(crate) name: StringId,
    pub(crate) spec: Option<SpecId>,
    pub(crate) is_segment: bool,
}

/// The experiment whose group a condition looks at. It need not exist as a spec.
#[derive(Debug)]
pub(crate) struct ExperimentRef {
    pub(crate) name: StringId,
    pub(crate) spec: Option<SpecId>,
}

/// A spec that takes the place of another for those who meet one of the rules.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) name: StringId,
    pub(crate) rules: Box<[MappingRule]>,
}

/// A rule of a mapping.
#[derive(Debug)]
pub(crate) struct MappingRule {
    /// In the ruleset's table of rules.
    pub(crate) rule: u32,
    /// Milliseconds since the epoch.
    pub(crate) start_time: i64,
    /// By [`SpecKind`], because the salt is that of the spec that is replaced.
    pub(crate) rollouts: Box<[Rollout; 3]>,
}

/// Mappings by the name they are for.
pub(crate) type Mappings = HashMap<Box<str>, Box<[Mapping]>, FixedState>;

/// What is asked about the user agent.
#[derive(Debug)]
pub(crate) struct UserAgentField {
    /// An attribute of the condition's own field name goes before what the user agent tells.
    pub(crate) own: Field,
    pub(crate) part: UserAgentPart,
    /// Where the user agent is.
    pub(crate) user_agent: Field,
}

/// Rule ids of results that chance had a part in, by what they are without.
pub(crate) type ExploredRules = HashMap<StringId, StringId, FixedState>;

/// Where the value of a condition comes from.
#[derive(Debug)]
pub(crate) enum Source {
    Field(Box<Field>),
    UserAgent(Box<UserAgentField>),
    Country(Box<CountryFields>),
    Environment { exact: Key, lower: Box<str> },
    UnitId(UnitId),
    Bucket(BucketId),
    Now,
    App,
    Group(Option<ExperimentRef>),
    Nothing,
}

/// What the value is tested for, with operands prepared.
#[derive(Debug)]
pub(crate) enum Test {
    Constant(bool),
    Number(Order, f64),
    Version(VersionTest, Version),
    Member {
        set: TextSet,
        fold_case: bool,
        expected: bool,
    },
    Part {
        parts: TextSet,
        place: Place,
        expected: bool,
    },
    Regex(Box<Regex>),
    Time(TimeTest, i64),
    Equal {
        operand: EqualOperand,
        expected: bool,
    },
    Array(ArrayTest, TextSet),
    /// Looking marks the reason.
    IdList {
        list: Box<str>,
        expected: bool,
    },
}

/// A compiled condition.
#[derive(Debug)]
pub(crate) enum Condition {
    Public,
    Gate {
        gate: GateRef,
        expected: bool,
    },
    /// v1 only: one of several gates has the expected value.
    AnyGate {
        gates: Box<[GateRef]>,
        expected: bool,
    },
    Compare {
        source: Source,
        test: Test,
    },
    /// Of a kind that is not supported, with nothing to look at, or with an operator that is not.
    Unsupported(Source),
}

/// A fault in the payload that did not reject it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Where it stands.
    pub kind: SpecKind,
    /// Name of the spec it is in.
    pub name: String,
    /// What it is and what was done about it.
    pub message: String,
}

/// Frozen name → spec table of one name space.
#[derive(Debug, Default)]
pub(crate) struct Names(HashTable<SpecId>);

fn hash(name: &str) -> u64 {
    FixedState::default().hash_one(name)
}

impl Names {
    pub(crate) fn new<'a>(ids: &[SpecId], name: impl Fn(SpecId) -> &'a str) -> Self {
        let mut table = HashTable::with_capacity(ids.len());
        for &id in ids {
            table.insert_unique(hash(name(id)), id, |&id| hash(name(id)));
        }
        Self(table)
    }

    fn get<'a>(&self, wanted: &str, name: impl Fn(SpecId) -> &'a str) -> Option<SpecId> {
        self.0.find(hash(wanted), |&id| name(id) == wanted).copied()
    }
}

/// A payload, compiled. It never changes; an update replaces it whole.
#[derive(Debug, Default)]
pub struct Ruleset {
    pub(crate) format: Format,
    pub(crate) time: u64,
    pub(crate) checksum: Option<Box<str>>,
    pub(crate) default_environment: Option<Arc<str>>,
    /// The app id as a user attribute, so that any JSON works as a value.
    pub(crate) app_id: PackedUser,
    pub(crate) client: Client,
    pub(crate) sampling: Sampling,
    pub(crate) gates: Names,
    pub(crate) configs: Names,
    pub(crate) layers: Names,
    pub(crate) mappings: Mappings,
    pub(crate) bandits: Box<[Bandit]>,
    pub(crate) bandit_names: HashMap<Box<str>, BanditId, FixedState>,
    pub(crate) explored_rules: ExploredRules,
    pub(crate) parameter_stores: ParameterStores,
    pub(crate) specs: Box<[Spec]>,
    pub(crate) rules: Box<[Rule]>,
    pub(crate) rule_conditions: Box<[ConditionId]>,
    pub(crate) conditions: Box<[Condition]>,
    pub(crate) descriptions: Descriptions,
    pub(crate) units: Box<[Unit]>,
    pub(crate) buckets: Box<[Bucket]>,
    pub(crate) values: Box<[JsonValue]>,
    pub(crate) strings: Box<[Box<str>]>,
    pub(crate) issues: Box<[Issue]>,
    pub(crate) uses_time: bool,
    pub(crate) uses_chance: bool,
    pub(crate) uses_country: bool,
    pub(crate) uses_id_lists: bool,
}

impl Ruleset {
    /// A ruleset in which there is nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self { strings: StringId::PREDEFINED.iter().map(|&text| text.into()).collect(), ..Self::default() }
    }

    /// What a name is most likely asked for as. Without any spec of the name: a gate.
    #[must_use]
    pub fn kind_of(&self, name: &str) -> CheckKind {
        if self.find(SpecKind::Gate, name).is_some() {
            return CheckKind::Gate;
        }
        if let Some(id) = self.find(SpecKind::Config, name) {
            let is_config = self.string(self.spec(id).entity) == "dynamic_config";
            return if is_config { CheckKind::Config } else { CheckKind::Experiment };
        }
        if self.bandit_names.contains_key(name) {
            return CheckKind::Experiment;
        }
        self.find(SpecKind::Layer, name).map_or(CheckKind::Gate, |_| CheckKind::Layer)
    }

    /// When the project was last changed, ms since the epoch (the payload's `time`).
    #[must_use]
    pub fn time(&self) -> u64 {
        self.time
    }

    /// How the payload was written.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The payload's checksum, if it has one that is not empty.
    #[must_use]
    pub fn checksum(&self) -> Option<&str> {
        self.checksum.as_deref()
    }

    /// The tier of users who bring none, where the application set none either.
    #[must_use]
    pub fn default_environment(&self) -> Option<&str> {
        self.default_environment.as_deref()
    }

    /// The same for events, which outlive the ruleset.
    #[must_use]
    pub fn shared_default_environment(&self) -> Option<Arc<str>> {
        self.default_environment.clone()
    }

    /// For how long an exposure is not repeated, in ms, if the project says so.
    #[inline]
    #[must_use]
    pub fn exposure_window_ms(&self) -> Option<u64> {
        self.sampling.window_ms
    }

    /// The app the project is for, as `target_app` conditions see it; null if the payload names none.
    pub(crate) fn app_id(&self) -> Value<'_> {
        self.app_id.view().attributes(AttributeMap::Custom).next().map_or(Value::Null, |(_, id)| id)
    }

    /// Faults that did not reject the payload, such as in specs that were left out.
    #[must_use]
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// True if any condition looks at the current time.
    #[must_use]
    pub fn uses_time(&self) -> bool {
        self.uses_time
    }

    /// True if any bandit leaves some of its users to chance.
    #[must_use]
    pub fn uses_chance(&self) -> bool {
        self.uses_chance
    }

    /// True if any condition looks at the country of an address.
    #[must_use]
    pub fn uses_country(&self) -> bool {
        self.uses_country
    }

    /// True if any condition looks at an ID list.
    #[must_use]
    pub fn uses_id_lists(&self) -> bool {
        self.uses_id_lists
    }

    /// Every spec, gates first, then configs, then layers, each in the payload's order.
    #[must_use]
    pub fn specs(&self) -> &[Spec] {
        &self.specs
    }

    /// Names of the parameter stores, in no particular order.
    pub fn parameter_stores(&self) -> impl Iterator<Item = &str> {
        self.parameter_stores.keys().map(|name| &**name)
    }

    /// Every value, by [`ValueId`].
    #[must_use]
    pub fn values(&self) -> &[JsonValue] {
        &self.values
    }

    /// Finds a spec by name.
    #[must_use]
    pub fn find(&self, kind: SpecKind, name: &str) -> Option<SpecId> {
        let names = match kind {
            SpecKind::Gate => &self.gates,
            SpecKind::Config => &self.configs,
            SpecKind::Layer => &self.layers,
        };
        names.get(name, |id| self.string(self.spec(id).name))
    }

    /// A spec.
    #[must_use]
    pub fn spec(&self, id: SpecId) -> &Spec {
        &self.specs[id.index()]
    }

    /// A value.
    #[must_use]
    pub fn value(&self, id: ValueId) -> &JsonValue {
        &self.values[id.index()]
    }

    /// How many strings there are: every [`StringId`] is below it.
    #[must_use]
    pub fn string_count(&self) -> usize {
        self.strings.len()
    }

    /// A string.
    #[must_use]
    pub fn string(&self, id: StringId) -> &str {
        &self.strings[id.index()]
    }

    /// The rules of a spec, each with its position in the table of rules.
    pub(crate) fn rules_of(&self, spec: &Spec) -> impl Iterator<Item = (u32, &Rule)> {
        spec.rules.clone().zip(&self.rules[spec.rules.start as usize..spec.rules.end as usize])
    }

    /// The parameters a spec sets itself, if it says so.
    #[must_use]
    pub fn explicit_parameters(&self, id: SpecId) -> Option<impl Iterator<Item = &str>> {
        self.spec(id).explicit_parameters.as_ref().map(|names| names.iter().map(|&name| self.string(name)))
    }
}
