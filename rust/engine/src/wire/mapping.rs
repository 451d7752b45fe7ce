//! Config mapping: `overrides`, whose rules are in `override_rules`.

use serde::Deserialize;

use super::Text;

#[derive(Deserialize, Debug)]
pub(crate) struct Mapping<'a> {
    #[serde(borrow)]
    pub(crate) new_config_name: Text<'a>,
    pub(crate) rules: Vec<MappingRule<'a>>,
}

#[derive(Deserialize, Debug)]
pub(crate) struct MappingRule<'a> {
    #[serde(borrow)]
    pub(crate) rule_name: Text<'a>,
    /// Milliseconds since the epoch.
    pub(crate) start_time: Option<i64>,
}
