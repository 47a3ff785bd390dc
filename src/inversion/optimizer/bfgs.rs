//! BFGS on the inverse Hessian.
//!
//! p = −H dF/dθ, then with s = θ₊ − θ, y = dF₊ − dF and ρ = 1/(yᵀs)
//!
//!   H₊ = (I − ρ s yᵀ) H (I − ρ y sᵀ) + ρ s sᵀ
//!
//! Source: Nocedal & Wright, Numerical Optimization, 2nd ed. (2006), algorithm 6.1. The update is
//! skipped where yᵀs is not safely positive; H starts again from the identity where it fails.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::line_search::LineSearch;
use super::{FIRST_CHANGE, Method, initial_hessian};
use crate::error::Result;
use crate::inversion::objective::Want;
use crate::inversion::options::InitialHessian;
use crate::inversion::problem::{Point, Problem};

/// c₂ of the line search of quasi-Newton methods.
pub(super) const CURVATURE: f64 = 0.9;

/// Least cosine between s and y for which H is updated.
pub(super) const LEAST_COSINE: f64 = 1e-8;

/// First steps after which H is taken anew from the Gauss–Newton Hessian: that of a first point far
/// off tells little of the next, and a Jacobian costs a fraction of a forward solution. (Ventricle
/// with 21 domains: 9 iterations instead of 16.)
const RENEWALS: usize = 1;

/// BFGS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bfgs {
    /// H; `None`: the identity, to be scaled by the first step.
    inverse_hessian: Option<DMatrix<f64>>,
    /// Steps after which H is the Gauss–Newton one of the new point instead of an update.
    renewals: usize,
}

impl Bfgs {
    /// H from the Gauss–Newton Hessian at the first point, where it has one.
    pub fn new(initial: InitialHessian, at: &Point) -> Self {
        Self {
            inverse_hessian: initial_hessian::inverse(initial, at),
            renewals: match initial {
                InitialHessian::GaussNewton => RENEWALS,
                _ => 0,
            },
        }
    }

    fn update(&mut self, from: &Point, to: &Point) {
        let (s, y) = differences(from, to);
        let (sy, yy) = (s.dot(&y), y.norm_squared());
        if sy <= LEAST_COSINE * s.norm() * yy.sqrt() {
            return;
        }
        let k = s.len();
        let h = self
            .inverse_hessian
            .get_or_insert_with(|| DMatrix::identity(k, k) * (sy / yy));
        let hy = &*h * &y;
        let factor = (1.0 + y.dot(&hy) / sy) / sy;
        // Entry by entry and symmetric in the rounding too.
        for i in 0..k {
            for j in 0..k {
                h[(i, j)] += factor * (s[i] * s[j]) - (hy[i] * s[j] + s[i] * hy[j]) / sy;
            }
        }
    }
}

/// s = θ₊ − θ and y = dF₊ − dF.
pub(super) fn differences(from: &Point, to: &Point) -> (DVector<f64>, DVector<f64>) {
    let vector = |x: &[f64]| DVector::from_row_slice(x);
    (
        vector(&to.theta) - vector(&from.theta),
        vector(&to.gradient) - vector(&from.gradient),
    )
}

impl Method for Bfgs {
    fn step(&mut self, problem: &mut Problem, at: &Point) -> Result<Option<Point>> {
        loop {
            let gradient = DVector::from_row_slice(&at.gradient);
            let (direction, first) = match &self.inverse_hessian {
                Some(h) => (-(h * gradient), 1.0),
                None => (-gradient, FIRST_CHANGE / at.gradient_norm()),
            };
            let search = LineSearch {
                direction: direction.as_slice(),
                first,
                curvature: Some(CURVATURE),
                want: if self.renewals > 0 {
                    Want::GaussNewton
                } else {
                    Want::Gradient
                },
            };
            if let Some((_, point)) = search.search(problem, at)? {
                match initial_hessian::inverse(InitialHessian::GaussNewton, &point) {
                    Some(inverse) if self.renewals > 0 => {
                        self.inverse_hessian = Some(inverse);
                        self.renewals -= 1;
                    }
                    _ => self.update(at, &point),
                }
                return Ok(Some(point));
            }
            // Once more along the gradient before giving up.
            if self.inverse_hessian.take().is_none() {
                return Ok(None);
            }
        }
    }
}
