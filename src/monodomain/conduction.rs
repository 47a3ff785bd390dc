//! Conduction velocity: measured between probes, reached by tuning D, and its restitution.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::tensor::{Vec3, norm, sub};

/// Distance over difference of activation times, mm/ms; `None` unless the wave came to `a` first
/// and to `b` after it.
pub fn conduction_velocity(a: Vec3, time_a: f64, b: Vec3, time_b: f64) -> Option<f64> {
    let delay = time_b - time_a;
    (delay > 0.0 && delay.is_finite()).then(|| norm(sub(b, a)) / delay)
}

/// Why [`tune_diffusivity`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TuningStop {
    /// The wanted velocity is met.
    Converged,
    /// The evaluations allowed are used up.
    MaxEvaluations,
    /// The velocity jumps past the wanted one between neighbouring D.
    Stalled,
}

/// Result of [`tune_diffusivity`].
#[derive(Debug, Clone, PartialEq)]
pub struct Tuning {
    /// The best D found, mm²/ms.
    pub diffusivity: f64,
    /// Its conduction velocity, mm/ms; `None`: no wave passed at any D.
    pub velocity: Option<f64>,
    pub stop: TuningStop,
    /// Every D tried, with its velocity.
    pub evaluations: Vec<(f64, Option<f64>)>,
}

/// Finds D > 0 with |CV(D) − wanted| ≤ tolerance · wanted.
///
/// In √D, CV is nearly linear (exactly proportional in the continuum): the first guess is
/// D (wanted/CV)², then the secant in √D, kept inside the bracket by bisection. D without
/// propagation (`None`) counts as too small. `measure` maps D to the velocity in mm/ms.
///
/// # Errors
/// Those of `measure`.
pub fn tune_diffusivity(
    wanted: f64,
    first_guess: f64,
    tolerance: f64,
    max_evaluations: usize,
    mut measure: impl FnMut(f64) -> Result<Option<f64>>,
) -> Result<Tuning> {
    let mut evaluations: Vec<(f64, Option<f64>)> = Vec::new();
    // √D, and the velocity where there is one.
    let mut low: Option<(f64, Option<f64>)> = None;
    let mut high: Option<(f64, f64)> = None;
    let mut root = first_guess.sqrt();
    let stop = loop {
        if evaluations.len() >= max_evaluations {
            break TuningStop::MaxEvaluations;
        }
        let d = root * root;
        let velocity = measure(d)?;
        evaluations.push((d, velocity));
        match velocity {
            Some(c) if (c - wanted).abs() <= tolerance * wanted => break TuningStop::Converged,
            Some(c) if c > wanted => high = Some((root, c)),
            slow => low = Some((root, slow)),
        }
        root = match (low, high) {
            (Some((a, below)), Some((b, above))) => {
                if b - a <= 4.0 * f64::EPSILON * b {
                    break TuningStop::Stalled;
                }
                let middle = 0.5 * (a + b);
                // The secant leaves one end in place for good where CV is curved: every third
                // step halves the bracket.
                match below {
                    Some(below) if !evaluations.len().is_multiple_of(3) => {
                        let guess = a + (b - a) * (wanted - below) / (above - below);
                        if guess > a && guess < b {
                            guess
                        } else {
                            middle
                        }
                    }
                    _ => middle,
                }
            }
            (None, Some((b, above))) => b * (wanted / above),
            // Beyond the proportional guess, so that a nearly linear CV is bracketed soon.
            (Some((a, Some(below))), None) => a * (wanted / below).max(1.01),
            (Some((a, None)), None) => 2.0 * a,
            (None, None) => break TuningStop::Stalled,
        };
        if !(root.is_finite() && root > 0.0) {
            break TuningStop::Stalled;
        }
    };
    let miss = |v: Option<f64>| v.map_or(f64::INFINITY, |c| (c - wanted).abs());
    let best = evaluations
        .iter()
        .copied()
        .min_by(|a, b| miss(a.1).total_cmp(&miss(b.1)));
    let (diffusivity, velocity) = best.unwrap_or((first_guess, None));
    Ok(Tuning {
        diffusivity,
        velocity,
        stop,
        evaluations,
    })
}

/// An action potential at a probe: when it began and when it ended, ms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ActionPotential {
    pub activation: f64,
    pub repolarisation: f64,
}

impl ActionPotential {
    /// APD, ms.
    pub fn duration(&self) -> f64 {
        self.repolarisation - self.activation
    }
}

/// A point of a restitution curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RestitutionPoint {
    /// From the S1 stimulus to S2, ms.
    pub interval: f64,
    /// From the end of the S1 action potential to the S2 activation at the first probe, ms; `None`
    /// where S2 did not come there, or before the end.
    pub diastolic_interval: Option<f64>,
    /// Of the S2 action potential at the first probe, ms; `None` where it was not complete.
    pub apd: Option<f64>,
    /// Of the S2 wave from the first probe to the second, mm/ms; `None` where it did not pass.
    pub velocity: Option<f64>,
}

/// The point of an S1–S2 run on a cable: `s1` at the first probe; `s2` at the two probes, `None`
/// where the wave did not come (repolarisation NaN where it had not ended); `places` of the probes, mm.
pub fn restitution_point(
    interval: f64,
    s1: ActionPotential,
    s2: [Option<ActionPotential>; 2],
    places: [Vec3; 2],
) -> RestitutionPoint {
    let near = s2[0];
    let rest = near.map(|ap| ap.activation - s1.repolarisation);
    let velocity = near.zip(s2[1]).and_then(|(near, far)| {
        conduction_velocity(places[0], near.activation, places[1], far.activation)
    });
    RestitutionPoint {
        interval,
        diastolic_interval: rest.filter(|&rest| rest >= 0.0),
        apd: near.map(|ap| ap.duration()).filter(|apd| apd.is_finite()),
        velocity,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn velocity_between_probes() {
        let (a, b) = ([1.0, 2.0, 0.0], [4.0, 6.0, 0.0]);
        assert_eq!(conduction_velocity(a, 10.0, b, 20.0), Some(0.5));
        for (ta, tb) in [(20.0, 10.0), (f64::NAN, 10.0), (10.0, f64::NAN), (5.0, 5.0)] {
            assert_eq!(conduction_velocity(a, ta, b, tb), None);
        }
    }

    /// CV of the 5-point stencil: below √D for small D, and none below a threshold.
    fn on_a_lattice(d: f64) -> Option<f64> {
        (d > 0.003).then(|| 1.44 * d.sqrt() * (1.0 - 0.004 / d).max(0.1).sqrt())
    }

    #[test]
    fn tuning_meets_the_velocity_from_far_guesses() {
        for guess in [1e-5, 0.004, 0.1, 3.0, 1e4] {
            for wanted in [0.05, 0.3, 0.7] {
                let measure = |d| Ok(on_a_lattice(d));
                let t = tune_diffusivity(wanted, guess, 1e-6, 60, measure).unwrap();
                assert_eq!(t.stop, TuningStop::Converged, "{guess} {wanted} {t:?}");
                let c = on_a_lattice(t.diffusivity).unwrap();
                assert_eq!(t.velocity, Some(c));
                assert!((c / wanted - 1.0).abs() <= 1e-6);
            }
        }
        // Proportional to √D: the first guess is the answer.
        let t = tune_diffusivity(0.6, 0.1, 1e-9, 60, |d: f64| Ok(Some(1.44 * d.sqrt()))).unwrap();
        assert_eq!(t.evaluations.len(), 2);
        assert!((t.diffusivity - (0.6_f64 / 1.44).powi(2)).abs() < 1e-9);
    }

    #[test]
    fn tuning_ends_in_a_reason() {
        let jump = |d: f64| Ok((d > 0.2).then_some(0.5));
        let t = tune_diffusivity(0.3, 0.1, 1e-3, 500, jump).unwrap();
        assert_eq!(t.stop, TuningStop::Stalled);
        assert_eq!(t.velocity, Some(0.5));
        let t = tune_diffusivity(0.3, 0.1, 1e-3, 7, |_| Ok(None)).unwrap();
        assert_eq!(
            (t.stop, t.evaluations.len()),
            (TuningStop::MaxEvaluations, 7)
        );
        assert_eq!(t.velocity, None);
        let failing = |_| Err(crate::error::Error::Bug("test".into()));
        assert!(tune_diffusivity(0.3, 0.1, 1e-3, 7, failing).is_err());
    }

    #[test]
    fn restitution_of_a_passed_a_failed_and_an_unfinished_beat() {
        let beat = |activation, repolarisation| ActionPotential {
            activation,
            repolarisation,
        };
        let places = [[5.0, 0.0, 0.0], [15.0, 0.0, 0.0]];
        let s1 = beat(12.0, 262.0);
        let passed = [Some(beat(320.0, 500.0)), Some(beat(345.0, 520.0))];
        let p = restitution_point(300.0, s1, passed, places);
        assert_eq!(p.diastolic_interval, Some(58.0));
        assert_eq!((p.apd, p.velocity), (Some(180.0), Some(0.4)));
        let p = restitution_point(300.0, s1, [None, None], places);
        assert_eq!(
            (p.diastolic_interval, p.apd, p.velocity),
            (None, None, None)
        );
        let p = restitution_point(240.0, s1, [Some(beat(255.0, f64::NAN)), None], places);
        assert_eq!(
            (p.diastolic_interval, p.apd, p.velocity),
            (None, None, None)
        );
    }
}
