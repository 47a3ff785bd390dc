//! Stimuli: what they do to u, where and when.

use serde::{Deserialize, Serialize};

use super::Region;

/// `[[fk.stimulus]]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StimulusOptions {
    pub kind: StimulusKind,
    /// Current and replace: 1/ms; voltage: u.
    pub amplitude: f64,
    pub region: Region,
    #[serde(default)]
    pub timing: Timing,
    /// ms; with seed timing, steps.
    #[serde(default)]
    pub start: f64,
    /// ms; with seed timing, steps.
    pub duration: f64,
    /// From onset to onset, ms or steps; absent: once.
    pub period: Option<f64>,
    /// How many times; absent with a period: to the end.
    pub count: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StimulusKind {
    /// Adds I_stim to ∂u/∂t.
    Current,
    /// Holds u.
    Voltage,
    /// Takes the place of the ionic current: ∂u/∂t = ∇·(D∇u) + amplitude.
    Replace,
}

impl StimulusKind {
    /// Name as in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            StimulusKind::Current => "current",
            StimulusKind::Voltage => "voltage",
            StimulusKind::Replace => "replace",
        }
    }
}

/// What start, duration and period mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timing {
    #[default]
    Plain,
    /// The seed program's: steps; active ⇔ step ≥ start and (start − step + 1) mod period < duration.
    Seed,
}
