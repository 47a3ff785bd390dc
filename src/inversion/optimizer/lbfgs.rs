//! L-BFGS: the product H dF/dθ from the last pairs (s, y), by the two-loop recursion.
//!
//! Source: Nocedal & Wright, Numerical Optimization, 2nd ed. (2006), algorithms 7.4 and 7.5.

use std::collections::VecDeque;

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::bfgs::{CURVATURE, LEAST_COSINE, differences};
use super::line_search::LineSearch;
use super::{FIRST_CHANGE, Method, initial_hessian};
use crate::error::Result;
use crate::inversion::objective::Want;
use crate::inversion::options::InitialHessian;
use crate::inversion::problem::{Point, Problem};

/// Pairs that are kept.
const MEMORY: usize = 10;

/// L-BFGS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lbfgs {
    /// H₀; `None`: the identity times yᵀs/yᵀy of the last pair.
    initial: Option<DMatrix<f64>>,
    /// (s, y), oldest first.
    pairs: VecDeque<(DVector<f64>, DVector<f64>)>,
}

impl Lbfgs {
    /// H₀ from the Gauss–Newton Hessian at the first point, where it has one.
    pub fn new(initial: InitialHessian, at: &Point) -> Self {
        Self {
            initial: initial_hessian::inverse(initial, at),
            pairs: VecDeque::new(),
        }
    }

    /// H q.
    fn apply(&self, mut q: DVector<f64>) -> DVector<f64> {
        let mut alphas = Vec::with_capacity(self.pairs.len());
        for (s, y) in self.pairs.iter().rev() {
            let alpha = s.dot(&q) / s.dot(y);
            q.axpy(-alpha, y, 1.0);
            alphas.push(alpha);
        }
        let mut r = match (&self.initial, self.pairs.back()) {
            (Some(h), _) => h * q,
            (None, Some((s, y))) => q * (s.dot(y) / y.norm_squared()),
            (None, None) => q,
        };
        for ((s, y), alpha) in self.pairs.iter().zip(alphas.iter().rev()) {
            let beta = y.dot(&r) / s.dot(y);
            r.axpy(alpha - beta, s, 1.0);
        }
        r
    }
}

impl Method for Lbfgs {
    fn step(&mut self, problem: &mut Problem, at: &Point) -> Result<Option<Point>> {
        loop {
            let plain = self.initial.is_none() && self.pairs.is_empty();
            let direction = -self.apply(DVector::from_row_slice(&at.gradient));
            let search = LineSearch {
                direction: direction.as_slice(),
                first: if plain {
                    FIRST_CHANGE / at.gradient_norm()
                } else {
                    1.0
                },
                curvature: Some(CURVATURE),
                want: Want::Gradient,
            };
            if let Some((_, point)) = search.search(problem, at)? {
                let (s, y) = differences(at, &point);
                if s.dot(&y) > LEAST_COSINE * s.norm() * y.norm() {
                    self.pairs.push_back((s, y));
                    if self.pairs.len() > MEMORY {
                        self.pairs.pop_front();
                    }
                }
                return Ok(Some(point));
            }
            // Once more along the gradient before giving up.
            if plain {
                return Ok(None);
            }
            self.initial = None;
            self.pairs.clear();
        }
    }
}
