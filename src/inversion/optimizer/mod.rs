//! Optimisers: resumable, each iteration one step from a point to a better one.
//!
//! A new one is a file with a `Method` and a line in each list of this file.
//!
//! Own code rather than the crate argmin: an inversion must continue bit for bit from any
//! iteration, count its evaluations exactly (value, gradient and Jacobian come from one forward
//! solution, which argmin asks for separately), skip a BFGS update whose yᵀs is not positive
//! (argmin divides by it unguarded), shorten a step whose value is not finite, and end in one of
//! the named reasons. Each method is about a hundred lines.

mod bfgs;
mod gauss_newton;
mod initial_hessian;
mod lbfgs;
mod levenberg_marquardt;
mod line_search;
mod minimise;
mod steepest_descent;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use minimise::{IterationRecord, State, StopReason, minimise};

use super::objective::Want;
use super::options::{InitialHessian, Optimizer};
use super::problem::{Point, Problem};
use crate::error::Result;

/// Largest change of a parameter in the first step of a method that knows no scale yet.
const FIRST_CHANGE: f64 = 0.3;

/// One optimiser with what it remembers between iterations.
trait Method {
    /// The next point, with F below that `at`; `None` when F cannot be decreased any further in
    /// floating point.
    fn step(&mut self, problem: &mut Problem, at: &Point) -> Result<Option<Point>>;
}

/// The optimisers, with what they remember: the part of the state that depends on the method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Memory {
    SteepestDescent(steepest_descent::SteepestDescent),
    Bfgs(bfgs::Bfgs),
    Lbfgs(lbfgs::Lbfgs),
    GaussNewton(gauss_newton::GaussNewton),
    LevenbergMarquardt(levenberg_marquardt::LevenbergMarquardt),
}

impl Memory {
    /// A method at its first point, evaluated as `first_want` says.
    pub fn new(optimizer: Optimizer, initial: InitialHessian, at: &Point) -> Self {
        match optimizer {
            Optimizer::SteepestDescent => Self::SteepestDescent(Default::default()),
            Optimizer::Bfgs => Self::Bfgs(bfgs::Bfgs::new(initial, at)),
            Optimizer::Lbfgs => Self::Lbfgs(lbfgs::Lbfgs::new(initial, at)),
            Optimizer::GaussNewton => Self::GaussNewton(Default::default()),
            Optimizer::LevenbergMarquardt => {
                Self::LevenbergMarquardt(levenberg_marquardt::LevenbergMarquardt::new(at))
            }
        }
    }

    /// The option that chose this method.
    pub fn optimizer(&self) -> Optimizer {
        match self {
            Self::SteepestDescent(_) => Optimizer::SteepestDescent,
            Self::Bfgs(_) => Optimizer::Bfgs,
            Self::Lbfgs(_) => Optimizer::Lbfgs,
            Self::GaussNewton(_) => Optimizer::GaussNewton,
            Self::LevenbergMarquardt(_) => Optimizer::LevenbergMarquardt,
        }
    }

    fn step(&mut self, problem: &mut Problem, at: &Point) -> Result<Option<Point>> {
        let method: &mut dyn Method = match self {
            Self::SteepestDescent(m) => m,
            Self::Bfgs(m) => m,
            Self::Lbfgs(m) => m,
            Self::GaussNewton(m) => m,
            Self::LevenbergMarquardt(m) => m,
        };
        method.step(problem, at)
    }
}

/// What a method needs at its first point.
fn first_want(optimizer: Optimizer, initial: InitialHessian) -> Want {
    match (optimizer, initial) {
        (Optimizer::SteepestDescent, _) => Want::Gradient,
        (Optimizer::Bfgs | Optimizer::Lbfgs, InitialHessian::Identity) => Want::Gradient,
        (Optimizer::Bfgs | Optimizer::Lbfgs, _) => Want::GaussNewton,
        (Optimizer::GaussNewton | Optimizer::LevenbergMarquardt, _) => Want::GaussNewton,
    }
}
