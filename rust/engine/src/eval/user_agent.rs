//! Conditions on the user agent.

use super::facts::Facts;
use crate::ruleset::UserAgentField;
use crate::trace::Observer;
use crate::user_agent::UserAgent;
use crate::value::Value;

impl<O: Observer> Facts<'_, '_, O> {
    pub(super) fn user_agent(&self, asked: &UserAgentField) -> Value<'_> {
        if let Some(own) = self.field(&asked.own) {
            return own;
        }
        let read = || match self.field(&asked.user_agent)? {
            Value::Null | Value::Object(_) | Value::Now(_) => None,
            value => UserAgent::parse(text(value)),
        };
        let user_agent = self.user_agent.get_or_init(read).as_ref();
        user_agent.map_or(Value::Null, |user_agent| Value::Text(user_agent.part(asked.part)))
    }
}

/// An attribute can stand in for the user agent. The text of a number or boolean names nothing, like no
/// text at all, so that it need not be written.
fn text(value: Value<'_>) -> &str {
    match value {
        Value::Text(text) => text,
        Value::Array(array) => array.json,
        _ => "",
    }
}
