//! Steepest descent, p = −dF/dθ, with a step size that adapts.
//!
//! The first trial expects the same decrease as the step before (Nocedal & Wright, Numerical
//! Optimization, 2nd ed. (2006), equation after 3.59: t = t₋ F′₋/F′).

use serde::{Deserialize, Serialize};

use super::line_search::{LineSearch, dot};
use super::{FIRST_CHANGE, Method};
use crate::error::Result;
use crate::inversion::objective::Want;
use crate::inversion::problem::{Point, Problem};

/// Steepest descent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SteepestDescent {
    /// t F′ of the last step.
    last_decrease: Option<f64>,
}

impl Method for SteepestDescent {
    fn step(&mut self, problem: &mut Problem, at: &Point) -> Result<Option<Point>> {
        let direction: Vec<f64> = at.gradient.iter().map(|g| -g).collect();
        let slope = dot(&at.gradient, &direction);
        let cautious = FIRST_CHANGE / at.gradient_norm();
        let search = LineSearch {
            direction: &direction,
            first: self.last_decrease.map_or(cautious, |d| d / slope),
            curvature: Some(0.5),
            want: Want::Gradient,
        };
        let found = search.search(problem, at)?;
        self.last_decrease = found.as_ref().map(|(t, _)| t * slope);
        Ok(found.map(|(_, point)| point))
    }
}
