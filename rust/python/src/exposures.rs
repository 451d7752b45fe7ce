//! From the outcome of a check to its exposure.

use pyo3::prelude::*;
use statsig_engine::{
    CheckKind, Evaluation, Event, Exposed, Overrides, Standing, Told, ToldSubject, UserView, exposure_event,
    exposure_key,
};
use std::sync::Arc;

use crate::checks::ruleset_of;
use crate::clock::{about_now_ms, steady_ms};
use crate::events::{PyEventLog, Recorded};
use crate::loaded::Loaded;
use crate::stored::Kept;
use crate::user::KeptUser;

/// A check that is about to be exposed.
#[derive(Clone, Copy)]
pub(crate) struct Checked<'a> {
    pub(crate) loaded: Option<&'a Arc<Loaded>>,
    /// The reason where nothing is loaded.
    pub(crate) nothing: &'static str,
    pub(crate) kind: CheckKind,
    pub(crate) name: &'a str,
    pub(crate) evaluation: &'a Evaluation,
    pub(crate) overrides: Option<&'a Overrides>,
    pub(crate) parameter: Option<&'a str>,
    pub(crate) is_manual: bool,
    /// For a parameter of a store.
    pub(crate) is_part: bool,
}

impl PyEventLog {
    /// Exposes the experiments whose group a condition looked at.
    #[inline]
    pub(crate) fn expose_groups(
        &self,
        py: Python<'_>,
        checked: &Checked<'_>,
        user: UserView<'_>,
        keep: impl Fn() -> KeptUser,
    ) -> Recorded {
        match checked.loaded {
            Some(loaded) if !checked.evaluation.groups.is_empty() => {
                self.expose_all_groups(py, loaded, checked, user, keep)
            }
            _ => Ok(()),
        }
    }

    #[inline(never)]
    fn expose_all_groups(
        &self,
        py: Python<'_>,
        loaded: &Arc<Loaded>,
        checked: &Checked<'_>,
        user: UserView<'_>,
        keep: impl Fn() -> KeptUser,
    ) -> Recorded {
        for group in &checked.evaluation.groups {
            let name = loaded.ruleset.string(group.name);
            let exposed = Exposed {
                is_part: true,
                overrides: checked.overrides,
                ..Exposed::new(&loaded.ruleset, CheckKind::Experiment, name, &group.evaluation, user)
            };
            self.expose_loaded(py, loaded, &exposed, &keep)?;
        }
        Ok(())
    }

    /// Exposes a check.
    #[inline]
    pub(crate) fn expose(
        &self,
        py: Python<'_>,
        checked: &Checked<'_>,
        user: UserView<'_>,
        keep: impl Fn() -> KeptUser,
    ) -> Recorded {
        let exposed = Exposed {
            overrides: checked.overrides,
            parameter: checked.parameter,
            is_manual: checked.is_manual,
            is_part: checked.is_part,
            ..Exposed::new(
                ruleset_of(checked.loaded.map(|loaded| &**loaded)),
                checked.kind,
                checked.name,
                checked.evaluation,
                user,
            )
        };
        match checked.loaded {
            Some(loaded) => self.expose_loaded(py, loaded, &exposed, keep),
            None => self.expose_unloaded(py, checked, &exposed, keep),
        }
    }

    #[inline]
    fn expose_loaded(
        &self,
        py: Python<'_>,
        loaded: &Arc<Loaded>,
        exposed: &Exposed<'_>,
        keep: impl Fn() -> KeptUser,
    ) -> Recorded {
        let (key, now) = (exposed.key(), steady_ms());
        if self.is_new(key, now, exposed.window_ms()) {
            return self.take_in(py, loaded, exposed, (key, now), keep);
        }
        Ok(())
    }

    /// Takes in an exposure that is new by its key.
    #[cold]
    #[inline(never)]
    pub(crate) fn take_in(
        &self,
        py: Python<'_>,
        loaded: &Arc<Loaded>,
        exposed: &Exposed<'_>,
        (key, now): (u128, u64),
        keep: impl Fn() -> KeptUser,
    ) -> Recorded {
        let keep = || (about_now_ms(), Arc::clone(loaded), Some(keep()));
        self.change(py, |log| log.take_in(exposed, key, now, keep))
    }

    #[cold]
    fn expose_unloaded(
        &self,
        py: Python<'_>,
        checked: &Checked<'_>,
        exposed: &Exposed<'_>,
        keep: impl Fn() -> KeptUser,
    ) -> Recorded {
        let is_override = checked.evaluation.is_override;
        let passes = checked.evaluation.passes;
        let told = Told {
            subject: match checked.kind {
                CheckKind::Gate => ToldSubject::Gate(if passes { "true" } else { "false" }),
                CheckKind::Config => ToldSubject::Config(Some(passes)),
                CheckKind::Experiment => {
                    ToldSubject::Config((!checked.is_manual && !checked.is_part).then_some(passes))
                }
                CheckKind::Layer => ToldSubject::Layer {
                    parameter: checked.parameter.unwrap_or_default(),
                    is_explicit: false,
                    allocated: "",
                },
            },
            name: checked.name,
            rule: exposed.ruleset.string(checked.evaluation.rule),
            reason: if is_override { Standing::LOCAL_OVERRIDE } else { checked.nothing },
            time: is_override.then_some(0),
            received_at: None,
            version: None,
            mapped: None,
            is_manual: checked.is_manual,
            secondary: (checked.kind != CheckKind::Layer).then(std::iter::empty),
        };
        self.push_told(py, (exposed.key(), None), told, keep)
    }

    /// Exposes a result that was kept for the unit.
    pub(crate) fn expose_kept(
        &self,
        py: Python<'_>,
        kept: &Kept,
        (kind, name, parameter): (CheckKind, &str, Option<&str>),
        user: UserView<'_>,
        keep: impl Fn() -> KeptUser,
    ) -> Recorded {
        let stored = &kept.stored;
        let text = |text: &Option<Py<pyo3::types::PyString>>| {
            text.as_ref().and_then(|text| text.bind(py).to_str().ok().map(str::to_owned)).unwrap_or_default()
        };
        let (rule, allocated) = (text(&stored.rule_id), text(&stored.delegate));
        let is_explicit = parameter.is_some_and(|parameter| stored.is_explicit(py, parameter));
        let gates = if kind == CheckKind::Layer && !is_explicit {
            stored.undelegated.as_deref().unwrap_or_default()
        } else {
            &stored.exposures
        };
        let gates: Vec<_> = gates.iter().map(|gate| gate.texts(py)).collect();
        let told = Told {
            subject: match parameter {
                Some(parameter) => ToldSubject::Layer {
                    parameter,
                    is_explicit,
                    allocated: if is_explicit { &allocated } else { "" },
                },
                None => ToldSubject::Config(Some(stored.passes)),
            },
            name,
            rule: &rule,
            reason: crate::outcome::PERSISTED,
            time: stored.time,
            received_at: Some(kept.received_at),
            version: stored.version,
            mapped: None,
            is_manual: false,
            secondary: Some(gates.iter().map(|[gate, value, rule]| (&**gate, &**value, &**rule))),
        };
        let key = exposure_key(kind, stored.passes, name, &rule, parameter, &user);
        self.push_told(py, (key, kept.window_ms), told, keep)
    }

    fn push_told<'a>(
        &self,
        py: Python<'_>,
        (key, window_ms): (u128, Option<u64>),
        told: Told<'a, impl Iterator<Item = (&'a str, &'a str, &'a str)>>,
        keep: impl Fn() -> KeptUser,
    ) -> Recorded {
        if self.is_new(key, steady_ms(), window_ms) {
            let event = Event::written(about_now_ms(), None, Some(keep()), exposure_event(told));
            return self.change(py, |log| log.push(event));
        }
        Ok(())
    }

    /// Counts a check that is not exposed, and the experiments whose group a condition looked at.
    pub(crate) fn count_check(&self, py: Python<'_>, checked: &Checked<'_>) -> Recorded {
        if let Some(loaded) = checked.loaded {
            for group in &checked.evaluation.groups {
                self.count(py, loaded.ruleset.string(group.name))?;
            }
        }
        self.count(py, checked.name)
    }

    /// Counts what is not exposed.
    pub(crate) fn count(&self, py: Python<'_>, name: &str) -> Recorded {
        self.change(py, |log| log.count_check(name))
    }
}
