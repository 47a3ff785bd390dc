//! Gauss–Newton with a line search: (2 Jᵀ W J + R″) p = −dF/dθ.
//!
//! Source: Nocedal & Wright, Numerical Optimization, 2nd ed. (2006), section 10.3. A matrix that
//! is singular (a domain that no measurement sees) is damped just enough to be factorised.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::Method;
use super::line_search::LineSearch;
use crate::error::Result;
use crate::inversion::objective::Want;
use crate::inversion::problem::{Point, Problem};

/// Gauss–Newton; the matrix travels with the point.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GaussNewton {}

/// p of (H + μ I) p = −dF/dθ; `None` when the matrix is not positive definite.
pub(super) fn damped_step(
    hessian: &DMatrix<f64>,
    gradient: &[f64],
    mu: f64,
) -> Option<DVector<f64>> {
    let mut damped = hessian.clone();
    for i in 0..damped.nrows() {
        damped[(i, i)] += mu;
    }
    let step = damped
        .cholesky()?
        .solve(&-DVector::from_row_slice(gradient));
    step.iter().all(|x| x.is_finite()).then_some(step)
}

impl Method for GaussNewton {
    fn step(&mut self, problem: &mut Problem, at: &Point) -> Result<Option<Point>> {
        let Some(hessian) = &at.hessian else {
            return Ok(None);
        };
        let scale = hessian.diagonal().max();
        let dampings = std::iter::once(0.0).chain((-13..=0).map(|e| scale * 10f64.powi(e)));
        let Some(direction) = dampings
            .filter_map(|mu| damped_step(hessian, &at.gradient, mu))
            .next()
        else {
            return Ok(None);
        };
        let search = LineSearch {
            direction: direction.as_slice(),
            first: 1.0,
            curvature: None,
            want: Want::GaussNewton,
        };
        Ok(search.search(problem, at)?.map(|(_, point)| point))
    }
}
