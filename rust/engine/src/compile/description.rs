//! Conditions as they are written, for whoever wants to know what was evaluated.

use crate::json::write_json_string;
use crate::ruleset::ConditionId;
use crate::wire;

/// One JSON object for each condition, all in one text.
#[derive(Debug, Default)]
pub(crate) struct Descriptions {
    text: String,
    ends: Vec<u32>,
}

impl Descriptions {
    pub(crate) fn push(&mut self, condition: &wire::Condition<'_>) {
        let text = &mut self.text;
        let salt = condition.additional_values.iter().flat_map(|values| &values.0);
        let members = [
            ("type", Some(&condition.kind)),
            ("field", condition.field.as_ref()),
            ("operator", condition.operator.as_ref()),
            ("id_type", condition.id_type.as_ref()),
            ("salt", salt.clone().rfind(|(key, _)| &**key == "salt").map(|(_, salt)| salt)),
        ];
        for (index, (name, value)) in members.iter().enumerate() {
            text.push_str(if index == 0 { "{\"" } else { ",\"" });
            text.push_str(name);
            text.push_str("\":");
            match value {
                Some(value) => write_json_string(text, value),
                None => text.push_str("null"),
            }
        }
        text.push_str(",\"target\":");
        text.push_str(condition.target_value.map_or("null", |target| target.get()));
        text.push('}');
        self.ends.push(self.text.len() as u32);
    }

    pub(crate) fn get(&self, id: ConditionId) -> Option<&str> {
        let index = id.index();
        let from = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.text.get(from as usize..*self.ends.get(index)? as usize)
    }
}
