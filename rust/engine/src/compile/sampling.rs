//! Which exposures are logged of all there are, and how often: `sdk_configs`.

use serde_json::value::RawValue;

use super::optional;
use crate::error::LoadError;
use crate::events::{Sampling, SamplingMode};
use crate::wire;

/// The reference notices only once a second that a window is over.
const SHORTEST_WINDOW_MS: u64 = 1000;

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
            "special_case_sampling_rate" => sampling.special_rate = whole(value),
            "exposure_dedupe_ttl_ms" => sampling.window_ms = window(value),
            "exposure_spec_sampling_ttl_ms" => sampling.rule_window_ms = window(value),
            _ => {}
        }
    }
    Ok(sampling)
}

fn window(value: &RawValue) -> Option<u64> {
    whole(value).map(|ms| ms.max(SHORTEST_WINDOW_MS))
}

/// As in the reference any number, also as text, cut to one that is whole and not negative.
#[allow(clippy::cast_sign_loss, reason = "what is negative is to become 0")]
fn whole(value: &RawValue) -> Option<u64> {
    let text: Option<wire::Text<'_>> = serde_json::from_str(value.get()).ok();
    let number: f64 = text.as_deref().unwrap_or(value.get()).parse().ok()?;
    Some(number as u64)
}
