//! Levenberg–Marquardt: (2 Jᵀ W J + R″ + μ I) p = −dF/dθ, with μ after Nielsen.
//!
//! With ϱ the decrease of F over that of its quadratic model, a step is taken when ϱ > 0 and then
//! μ ← μ max(1/3, 1 − (2ϱ − 1)³), ν ← 2; else μ ← ν μ, ν ← 2ν.
//! Source: Madsen, Nielsen, Tingleff, Methods for non-linear least squares problems, 2nd ed., DTU
//! (2004), algorithm 3.16. μ starts at 1e-6 of the largest diagonal entry: the residual at the
//! solution is small, so nearly full Gauss–Newton steps are the right ones from the beginning.

use serde::{Deserialize, Serialize};

use super::Method;
use super::gauss_newton::damped_step;
use super::line_search::dot;
use crate::error::Result;
use crate::inversion::objective::Want;
use crate::inversion::problem::{Point, Problem};

/// First μ relative to the largest diagonal entry of the Hessian.
const FIRST_DAMPING: f64 = 1e-6;

/// Least ϱ of a step that is taken.
const LEAST_GAIN: f64 = 1e-4;

/// Levenberg–Marquardt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LevenbergMarquardt {
    mu: f64,
    nu: f64,
}

impl LevenbergMarquardt {
    /// μ from the Hessian at the first point.
    pub fn new(at: &Point) -> Self {
        let largest = at.hessian.as_ref().map_or(0.0, |h| h.diagonal().max());
        Self {
            mu: FIRST_DAMPING * largest,
            nu: 2.0,
        }
    }

    fn reject(&mut self, scale: f64) {
        self.mu = self.mu.max(FIRST_DAMPING * scale * f64::EPSILON) * self.nu;
        self.nu *= 2.0;
    }
}

impl Method for LevenbergMarquardt {
    fn step(&mut self, problem: &mut Problem, at: &Point) -> Result<Option<Point>> {
        let Some(hessian) = &at.hessian else {
            return Ok(None);
        };
        let scale = hessian.diagonal().max();
        if scale <= 0.0 {
            return Ok(None);
        }
        // Each rejection multiplies μ by a growing factor, so this ends at a negligible step.
        loop {
            let Some(mut step) = damped_step(hessian, &at.gradient, self.mu) else {
                if self.mu > scale / f64::EPSILON {
                    return Ok(None);
                }
                self.reject(scale);
                continue;
            };
            let longest = problem.largest_step(&at.theta, step.as_slice());
            if longest < 1.0 {
                step *= longest;
            }
            let predicted =
                -dot(&at.gradient, step.as_slice()) - 0.5 * step.dot(&(hessian * &step));
            if predicted.is_nan() || predicted <= f64::EPSILON * at.objective.abs() {
                return Ok(None);
            }
            let moved = at.theta.iter().zip(step.iter());
            let theta: Vec<f64> = moved.map(|(t, d)| t + d).collect();
            let point = problem.evaluate(&theta, Want::GaussNewton)?;
            let gain = (at.objective - point.objective) / predicted;
            if point.is_finite() && gain > LEAST_GAIN {
                self.mu *= (1.0 - (2.0 * gain - 1.0).powi(3)).clamp(1.0 / 3.0, 2.0);
                self.nu = 2.0;
                return Ok(Some(point));
            }
            self.reject(scale);
        }
    }
}
