//! JSON as the reference spells it, where the JSON library spells it otherwise.

use serde_json::Value;

/// Compact JSON with exponents of floats as `1e21`, not `1e+21`.
pub(crate) fn json(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string().replace("e+", "e"),
        Value::Array(items) => format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(",")),
        Value::Object(members) => {
            let member =
                |(name, value): (&String, &Value)| format!("{}:{}", Value::from(name.as_str()), json(value));
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value.to_string(),
    }
}
