//! `cmab_configs`: contextual multi-armed bandits.

use serde::Deserialize;

use super::{Map, ReturnValue, Text};

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bandit<'a> {
    #[serde(borrow)]
    pub(crate) salt: Text<'a>,
    #[serde(rename = "targetAppIDs")]
    pub(crate) target_app_ids: Option<Vec<Text<'a>>>,
    pub(crate) default_value: ReturnValue<'a>,
    pub(crate) id_type: Text<'a>,
    pub(crate) enabled: bool,
    pub(crate) version: u32,
    pub(crate) sample_rate: f64,
    pub(crate) higher_is_better: bool,
    pub(crate) groups: Vec<Group<'a>>,
    pub(crate) config: Option<Map<'a, Weights<'a>>>,
    pub(crate) targeting_gate_name: Option<Text<'a>>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Group<'a> {
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    pub(crate) name: Text<'a>,
    pub(crate) parameter_values: ReturnValue<'a>,
}

/// What was learned about a group.
#[derive(Deserialize, Debug)]
pub(crate) struct Weights<'a> {
    pub(crate) alpha: f64,
    pub(crate) intercept: f64,
    pub(crate) records: u64,
    #[serde(borrow, rename = "weightsNumerical")]
    pub(crate) numerical: Map<'a, f64>,
    #[serde(rename = "weightsCategorical")]
    pub(crate) categorical: Map<'a, Map<'a, f64>>,
}
