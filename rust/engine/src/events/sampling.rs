//! Sampling: of exposures there are many of, only some are logged.

/// What becomes of exposures that are not chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SamplingMode {
    /// There is no choice.
    #[default]
    Off,
    /// They are dropped.
    On,
    /// They are logged, marked as dropped.
    Shadow,
}

impl SamplingMode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Off => "none",
            Self::On => "on",
            Self::Shadow => "shadow",
        }
    }
}

/// How a project samples, and for how long it remembers; None where it does not say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sampling {
    pub(crate) mode: SamplingMode,
    /// One in so many, where no rule decided.
    pub(crate) special_rate: Option<u64>,
    /// For how long an exposure is not repeated, in ms.
    pub(crate) window_ms: Option<u64>,
    /// For how long a rule is known, of which the first exposure is logged, in ms.
    pub(crate) rule_window_ms: Option<u64>,
}

/// What sampling says of an exposure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sampled {
    /// Off also where the choice did not come to this exposure.
    pub(crate) mode: SamplingMode,
    pub(crate) rate: Option<u64>,
    pub(crate) is_chosen: bool,
}

impl Sampled {
    /// There was no choice to make.
    pub(crate) const WHOLE: Self = Self { mode: SamplingMode::Off, rate: None, is_chosen: true };

    /// Chooses by the key, so that it is the same in every process.
    pub(crate) fn choose(mode: SamplingMode, rate: Option<u64>, key: u128) -> Self {
        let is_chosen = rate.is_none_or(|rate| rate > 0 && (key as u64).is_multiple_of(rate));
        Self { mode, rate, is_chosen }
    }

    pub(crate) fn is_dropped(&self) -> bool {
        self.mode == SamplingMode::On && !self.is_chosen
    }
}
