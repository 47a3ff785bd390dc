//! What is done in place of one run: the search of a diffusivity, an S1–S2 protocol.

use serde::{Deserialize, Serialize};

use super::Region;

/// `[fk.tune]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TuneOptions {
    /// Conduction velocity that is wanted, mm/ms.
    pub speed: f64,
    /// Relative error of the velocity that is allowed.
    #[serde(default = "tuning_tolerance")]
    pub tolerance: f64,
}

fn tuning_tolerance() -> f64 {
    1e-3
}

/// `[fk.restitution]`: a train of S1 stimuli, then one S2 at each interval after the last of them,
/// every time from the same state. Stimuli are currents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RestitutionOptions {
    /// From S1 to S1, ms.
    pub s1_period: f64,
    pub s1_count: u64,
    /// From the last S1 to S2.
    pub s2: S2Intervals,
    /// du/dt of a stimulus, 1/ms.
    pub amplitude: f64,
    /// Of a stimulus, ms.
    pub duration: f64,
    /// Where both act; on a grid.
    pub region: Option<Region>,
}

/// S1–S2 intervals, ms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum S2Intervals {
    List(Vec<f64>),
    /// from, from + step, … up to `to`, which is one of them where it fits.
    Range {
        from: f64,
        to: f64,
        step: f64,
    },
}

impl S2Intervals {
    /// How many.
    pub fn count(&self) -> usize {
        match self {
            S2Intervals::List(intervals) => intervals.len(),
            S2Intervals::Range { from, to, step } if to >= from => {
                // 0.3 is three steps of 0.1 from 0, whatever the rounding.
                ((to - from) / step * (1.0 + 1e-12) + 1e-9).floor() as usize + 1
            }
            S2Intervals::Range { .. } => 0,
        }
    }

    /// In the order given.
    pub fn values(&self) -> Vec<f64> {
        match self {
            S2Intervals::List(intervals) => intervals.clone(),
            S2Intervals::Range { from, step, .. } => {
                (0..self.count()).map(|i| from + i as f64 * step).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_intervals_has_both_ends() {
        let range = |from, to, step| S2Intervals::Range { from, to, step }.values();
        assert_eq!(range(200.0, 300.0, 50.0), [200.0, 250.0, 300.0]);
        assert_eq!(range(0.1, 0.3, 0.1).len(), 3);
        assert_eq!(range(200.0, 299.0, 50.0), [200.0, 250.0]);
        assert_eq!(range(200.0, 200.0, 50.0), [200.0]);
        assert!(range(200.0, 100.0, 50.0).is_empty());
    }
}
