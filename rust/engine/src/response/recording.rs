//! What a response says about recording sessions.

use super::Writer;
use crate::client::{Recording, Trigger};
use crate::eval::evaluate;
use crate::json::{write_json_float, write_json_string, write_list};
use crate::ruleset::CheckKind;

impl Writer<'_> {
    pub(super) fn recording(&mut self, recording: &Recording) {
        let targeted = recording
            .targeting_gate
            .as_deref()
            .map(|gate| evaluate(self.ruleset, CheckKind::Gate, gate, &self.input).passes);
        let sampled = |rate: &Option<f64>| rate.map(|rate| self.options.random < rate);
        let records = recording.blocked != Some(true)
            && sampled(&recording.rate).unwrap_or(true)
            && targeted.unwrap_or(true);
        self.bool("can_record_session", records);
        if let Some(rate) = recording.rate {
            self.name("session_recording_rate");
            write_json_float(&mut self.out, rate);
        }
        if let Some(blocked) = recording.blocked {
            self.bool("recording_blocked", blocked);
        }
        if let Some(targeted) = targeted {
            self.bool("passes_session_recording_targeting", targeted);
        }
        if let Some(triggers) = &recording.event_triggers {
            self.name("session_recording_event_triggers");
            self.triggers(triggers, write_json_string);
        }
        if let Some(triggers) = &recording.exposure_triggers {
            self.name("session_recording_exposure_triggers");
            let hash = self.options.hash;
            self.triggers(triggers, |out, name| hash.write(out, name));
        }
        if let Some(json) = &recording.privacy {
            self.name("session_recording_privacy_settings");
            self.out.push_str(json);
        }
    }

    fn triggers(&mut self, triggers: &[Trigger], write_name: impl Fn(&mut String, &str)) {
        let random = self.options.random;
        write_list(&mut self.out, ['{', '}'], triggers, |out, trigger| {
            write_name(out, &trigger.name);
            let sampling = trigger.rate.map(|rate| {
                if random < rate { "\"passes_sampling\":true" } else { "\"passes_sampling\":false" }
            });
            let values = trigger.values.as_deref();
            out.push_str(":{");
            if let Some(values) = values {
                out.push_str("\"values\":");
                out.push_str(values);
            }
            if values.is_some() && sampling.is_some() {
                out.push(',');
            }
            out.push_str(sampling.unwrap_or_default());
            out.push('}');
        });
    }
}
