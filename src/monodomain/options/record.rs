//! What a simulation records.

use serde::{Deserialize, Serialize};

/// `[fk.record]`. Every `…_every` in ms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordOptions {
    pub frames_every: Option<f64>,
    pub frames: Vec<String>,
    /// u of an upstroke; absent: activation times are not recorded.
    pub activation_threshold: Option<f64>,
    /// Upstrokes kept per cell beside the first and the last (0: none).
    pub activations: usize,
    /// Fraction of repolarisation, 0 to 1 (0.9: APD90).
    pub apd_level: Option<f64>,
    /// Points x, y(, z), mm.
    #[serde(default)]
    pub probes: Vec<Vec<f64>>,
    pub probes_every: Option<f64>,
    /// Points x, y, z, mm, of the pseudo-ECG. A 2D tissue lies at z of half its spacing.
    #[serde(default)]
    pub electrodes: Vec<Vec<f64>>,
    pub ecg_every: f64,
    /// Spiral tips (2D) or filaments (3D).
    pub tip: bool,
    pub tip_every: f64,
    /// Isolines that cross at a tip: u and the first gate, or u at two times where absent.
    pub tip_u: f64,
    pub tip_gate: f64,
    /// Compression of frames, 0 to 9.
    pub compression: u8,
}

impl Default for RecordOptions {
    fn default() -> Self {
        Self {
            frames_every: None,
            frames: vec!["u".into()],
            activation_threshold: None,
            activations: 0,
            apd_level: None,
            probes: Vec::new(),
            probes_every: Some(1.0),
            electrodes: Vec::new(),
            ecg_every: 1.0,
            tip: false,
            tip_every: 1.0,
            tip_u: 0.5,
            tip_gate: 0.5,
            compression: 4,
        }
    }
}

impl RecordOptions {
    /// u of an upstroke, for activation times or the start of action potentials: 0.5 where only
    /// `apd_level` or `activations` is given.
    pub fn upstroke(&self) -> Option<f64> {
        let wanted = self.apd_level.is_some() || self.activations > 0;
        self.activation_threshold.or(wanted.then_some(0.5))
    }
}
