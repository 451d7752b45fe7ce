//! Which exposures are logged of all there are: `sdk_configs`.

use serde_json::value::RawValue;

use super::optional;
use crate::error::LoadError;
use crate::events::{Sampling, SamplingMode};
use crate::wire;

/// What is of another type than it should be counts as not set, as in the reference.
pub(super) fn compile(configs: Option<&RawValue>) -> Result<Sampling, LoadError> {
    let configs: Option<wire::Map<'_, &RawValue>> = optional("sdk_configs", configs, "an object")?;
    let mut sampling = Sampling::default();
    for (name, value) in configs.unwrap_or_default().0 {
        match &*name {
            "sampling_mode" => {
                let mode: Option<wire::Text<'_>> = serde_json::from_str(value.get()).ok();
                sampling.mode = match mode.as_deref() {
                    Some("on") => SamplingMode::On,
                    Some("shadow") => SamplingMode::Shadow,
                    _ => SamplingMode::Off,
                };
            }
            "special_case_sampling_rate" => sampling.special_rate = rate(value),
            _ => {}
        }
    }
    Ok(sampling)
}

/// As in the reference any number, also as text, cut to one that is whole and not negative.
#[allow(clippy::cast_sign_loss, reason = "what is negative is to become 0")]
fn rate(value: &RawValue) -> Option<u64> {
    let text: Option<wire::Text<'_>> = serde_json::from_str(value.get()).ok();
    let number: f64 = text.as_deref().unwrap_or(value.get()).parse().ok()?;
    Some(number as u64)
}
