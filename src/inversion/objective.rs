//! The misfit as a function of γ, evaluated by all ranks together.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// What an evaluation must deliver; each includes what stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Want {
    /// f(γ).
    Misfit,
    /// f and df/dγ.
    Gradient,
    /// f, df/dγ and Jᵀ W J, with J the Jacobian of the computed times at the measurements.
    GaussNewton,
}

/// Misfit f(γ) = Σ_j w_j (φ*_j − (H φ(γ))_j)² and its derivatives with respect to γ (k domains).
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// f, ms² times the weights. NaN or infinite where γ is out of the range of the arithmetic;
    /// the optimiser then takes a shorter step.
    pub misfit: f64,
    /// df/dγ (k); empty when not wanted.
    pub gradient: Vec<f64>,
    /// Jᵀ W J (k × k), half of the Gauss–Newton Hessian; `None` when not wanted.
    pub normal_matrix: Option<DMatrix<f64>>,
}

/// One rank's share of the misfit.
///
/// `evaluate` is collective: all ranks call it with the same γ and the same `want`, and all get
/// the same evaluation or all get an error ([`crate::comm::agree`] inside). How the gradient is
/// computed (adjoint or tangent) is a setting of the implementation.
pub trait Objective {
    /// Number of material domains k, the length of γ.
    fn domains(&self) -> usize;

    /// Evaluates at γ (k, all positive). Collective.
    fn evaluate(&mut self, gamma: &[f64], want: Want) -> Result<Evaluation>;
}

impl<O: Objective + ?Sized> Objective for &mut O {
    fn domains(&self) -> usize {
        (**self).domains()
    }
    fn evaluate(&mut self, gamma: &[f64], want: Want) -> Result<Evaluation> {
        (**self).evaluate(gamma, want)
    }
}

/// What an inversion cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Forward solutions, those inside gradients, Jacobians and differences included.
    pub evaluations: u64,
    /// Gradients.
    pub gradient_evaluations: u64,
    /// Jacobians.
    pub jacobian_evaluations: u64,
}

impl Counters {
    /// Counts one evaluation.
    pub fn count(&mut self, want: Want) {
        self.evaluations += 1;
        self.gradient_evaluations += u64::from(want >= Want::Gradient);
        self.jacobian_evaluations += u64::from(want >= Want::GaussNewton);
    }
}
