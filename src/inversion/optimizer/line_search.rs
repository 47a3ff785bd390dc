//! Line search for the strong Wolfe conditions, by bracketing and cubic interpolation.
//!
//! Finds t with F(θ + t p) ≤ F(θ) + c₁ t F′ and |F′(t)| ≤ c₂ |F′(0)|.
//! Source: Nocedal & Wright, Numerical Optimization, 2nd ed. (2006), algorithms 3.5 and 3.6, with
//! the cubic of equation 3.59 and safeguards. A value that is not finite shortens the step.

use crate::error::Result;
use crate::inversion::objective::Want;
use crate::inversion::problem::{Point, Problem};

/// c₁, sufficient decrease.
const SUFFICIENT_DECREASE: f64 = 1e-4;

/// Evaluations after which the best point so far is taken.
const MOST_TRIALS: usize = 40;

/// A direction and what is asked of a step along it.
pub struct LineSearch<'a> {
    /// p (k), a direction of descent.
    pub direction: &'a [f64],
    /// First t.
    pub first: f64,
    /// c₂; `None`: sufficient decrease is enough.
    pub curvature: Option<f64>,
    /// What is evaluated at each t: the gradient at least.
    pub want: Want,
}

/// F along the line at one t.
struct Trial {
    t: f64,
    value: f64,
    slope: f64,
    point: Option<Point>,
}

impl LineSearch<'_> {
    /// The next point and its t; `None` when no step decreases F any further in floating point,
    /// or when p is not a direction of descent.
    ///
    /// # Errors
    /// Those of the objective.
    pub fn search(&self, problem: &mut Problem, from: &Point) -> Result<Option<(f64, Point)>> {
        let start = from.objective;
        let slope = dot(&from.gradient, self.direction);
        let longest = problem.largest_step(&from.theta, self.direction);
        let negligible = f64::EPSILON * start.abs();
        let mut t = self.first.min(longest);
        if !(slope < 0.0 && slope.is_finite() && t > 0.0) || -slope * t <= negligible {
            return Ok(None);
        }
        // `low` is the best point so far; the step sought lies between it and `high`.
        let mut low = Trial {
            t: 0.0,
            value: start,
            slope,
            point: None,
        };
        let mut high: Option<Trial> = None;
        for _ in 0..MOST_TRIALS {
            let trial = self.trial(problem, from, t)?;
            let decreases =
                trial.value <= start + SUFFICIENT_DECREASE * t * slope && trial.value < low.value;
            if decreases {
                let flat = |c2| trial.slope.abs() <= c2 * slope.abs();
                if self.curvature.is_none_or(flat)
                    || (high.is_none() && t == longest) && trial.slope < 0.0
                {
                    return Ok(trial.point.map(|p| (t, p)));
                }
                let ahead = high.as_ref().map_or(1.0, |h| h.t - low.t);
                let previous = std::mem::replace(&mut low, trial);
                if low.slope * ahead >= 0.0 {
                    high = Some(previous);
                } else if high.is_none() {
                    let wanted = cubic_minimum(&previous, &low).unwrap_or(f64::INFINITY);
                    t = wanted.clamp(2.0 * t, 10.0 * t).min(longest);
                    continue;
                }
            } else {
                high = Some(trial);
            }
            let Some(end) = &high else { break };
            let width = end.t - low.t;
            if width.abs() * slope.abs() <= negligible || width.abs() <= f64::EPSILON * low.t {
                break;
            }
            let (near, far) = (low.t + 0.1 * width, low.t + 0.9 * width);
            t = match cubic_minimum(&low, end) {
                Some(m) => m.clamp(near.min(far), near.max(far)),
                None if end.value.is_finite() => low.t + 0.5 * width,
                None => near,
            };
        }
        Ok(low.point.map(|p| (low.t, p)))
    }

    fn trial(&self, problem: &mut Problem, from: &Point, t: f64) -> Result<Trial> {
        let moved = from.theta.iter().zip(self.direction);
        let theta: Vec<f64> = moved.map(|(x, d)| x + t * d).collect();
        let point = problem.evaluate(&theta, self.want)?;
        let finite = point.is_finite();
        Ok(Trial {
            t,
            value: if finite {
                point.objective
            } else {
                f64::INFINITY
            },
            slope: if finite {
                dot(&point.gradient, self.direction)
            } else {
                f64::NAN
            },
            point: Some(point),
        })
    }
}

/// Minimiser of the cubic through values and slopes of two trials (Nocedal & Wright 3.59).
fn cubic_minimum(a: &Trial, b: &Trial) -> Option<f64> {
    let d1 = a.slope + b.slope - 3.0 * (a.value - b.value) / (a.t - b.t);
    let d2 = (b.t - a.t).signum() * (d1 * d1 - a.slope * b.slope).sqrt();
    let t = b.t - (b.t - a.t) * (b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2);
    t.is_finite().then_some(t)
}

/// Inner product.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}
