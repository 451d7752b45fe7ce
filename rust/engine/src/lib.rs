//! Compiles Statsig config specs to an immutable ruleset and evaluates users against it.
//!
//! ```text
//! bytes ── compile ──▶ Ruleset ── evaluate(user, now) ──▶ Evaluation
//! ```
//!
//! * [`compile`] reads a payload of either format, v1 (arrays, inline conditions) or v2 (maps and a
//!   `condition_map`), and does everything that does not depend on the user: operands are parsed,
//!   names become ids, salts are hashed as far as they go. A fault in one spec drops that spec.
//! * [`PackedUser`] is a user, converted once into one buffer.
//! * [`Countries`] and [`IdLists`] are what a check may look at besides.
//! * [`evaluate`] is a pure function of ruleset, user and time: no clock, no network, no globals, no
//!   threads. It returns ids; [`Ruleset`] has the text behind them.
//!
//! The reference for every result is Statsig's own server core.
//!
//! ```
//! use statsig_engine::{CheckKind, Compiled, Input, PackedUser, StandardField, UserBuilder, compile, evaluate};
//!
//! let payload = br#"{
//!     "has_updates": true, "time": 1, "condition_map": {"everyone": {"type": "public", "idType": "userID"}},
//!     "feature_gates": {"new_search": {
//!         "type": "feature_gate", "entity": "feature_gate", "salt": "a", "idType": "userID",
//!         "enabled": true, "defaultValue": false,
//!         "rules": [{"name": "half", "id": "half", "salt": "b", "idType": "userID", "passPercentage": 50,
//!                    "conditions": ["everyone"], "returnValue": true}]}},
//!     "dynamic_configs": {}, "layer_configs": {}, "experiment_to_layer": {}}"#;
//! let Compiled::Ruleset(ruleset) = compile(payload)? else { panic!("has_updates is true") };
//!
//! let mut builder = UserBuilder::new();
//! builder.standard(StandardField::UserId, "user-42");
//! let user = builder.finish().expect("it is not 4 GiB");
//! let nobody = PackedUser::default();
//! let input = Input::new(user.view(), nobody.view());
//!
//! let evaluation = evaluate(&ruleset, CheckKind::Gate, "new_search", &input);
//! assert_eq!(ruleset.string(evaluation.rule), "half");
//! # Ok::<(), statsig_engine::LoadError>(())
//! ```
#![forbid(unsafe_code)]

mod bandit;
mod bucket;
mod client;
mod compare;
mod compile;
mod countries;
mod error;
mod eval;
mod evaluation;
mod events;
mod explain;
mod groups;
mod id_lists;
mod json;
mod overrides;
mod parameter_store;
mod response;
mod ruleset;
mod sha256;
mod sticky;
mod trace;
mod user;
mod user_agent;
mod value;
mod wire;

pub use compile::{Compiled, compile};
pub use countries::{Countries, CountriesError};
pub use error::LoadError;
pub use eval::{Decision, Input, MAX_DEPTH, MAX_EXPOSURES, MAX_LEVELS, MAX_NESTED_GATES, decide, evaluate};
pub use evaluation::{Evaluation, Exposures, GroupCheck, Reason, Returned, SecondaryExposure, Standing};
pub use events::{
    Application, Basis, Event, EventCounts, EventLimits, EventLog, EventUser, EventValue, Exposed, Origin,
    Told, ToldSubject, Waiting, custom_event, exposure_event, exposure_key, write_event,
};
pub use explain::explain;
pub use groups::{Experiment, ExperimentGroup};
pub use id_lists::{IdList, IdLists};
pub use overrides::{Override, OverrideValue, Overrides};
pub use parameter_store::{ParameterCheck, ParameterReading, ParameterStore, ParameterValue, read_parameter};
pub use response::{NameHash, ResponseOptions, SdkInfo, client_response};
pub use ruleset::{
    CheckKind, Format, Issue, JsonKind, JsonValue, Ruleset, Spec, SpecId, SpecKind, StringId, ValueId,
};
pub use sticky::{Given, Slot, StickyDecision, StickyRequest, decide_sticky, storage_key};
pub use user::{Attribute, AttributeMap, Layout, PackedUser, StandardField, UserBuilder, UserView};
pub use user_agent::{UserAgent, UserAgentPart};
pub use value::{Array, Object, Value};
