//! The misfit as a function of γ, evaluated by all ranks together.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// What an evaluation must deliver; each includes what stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Want {
    /// f(p).
    Misfit,
    /// f and df/dp.
    Gradient,
    /// f, df/dp and Jᵀ W J, with J the Jacobian of the computed times at the measurements.
    GaussNewton,
}

/// Misfit f(p) = Σ_j w_j (φ*_j − (H φ(p))_j)² and its derivatives with respect to the parameters p:
/// γ of the domains, then the unknowns of sources.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// f, ms² times the weights. NaN or infinite where p is out of the range of the arithmetic;
    /// the optimiser then takes a shorter step.
    pub misfit: f64,
    /// df/dp; empty when not wanted.
    pub gradient: Vec<f64>,
    /// Jᵀ W J, half of the Gauss–Newton Hessian; `None` when not wanted.
    pub normal_matrix: Option<DMatrix<f64>>,
}

impl Evaluation {
    /// What a step that went too far gives: nothing that is a number.
    pub fn out_of_range(parameters: usize, want: Want) -> Self {
        let gradient = if want >= Want::Gradient {
            parameters
        } else {
            0
        };
        Self {
            misfit: f64::NAN,
            gradient: vec![f64::NAN; gradient],
            normal_matrix: None,
        }
    }
}

/// One rank's share of the misfit.
///
/// `evaluate` is collective: all ranks call it with the same parameters and the same `want`, and all get
/// the same evaluation or all get an error ([`crate::comm::agree`] inside). How the gradient is
/// computed (adjoint or tangent) is a setting of the implementation.
pub trait Objective {
    /// Number of material domains k, the length of γ.
    fn domains(&self) -> usize;

    /// Number of parameters beside γ: onsets (ms) and coordinates (mm) of sources.
    fn unknowns(&self) -> usize {
        0
    }

    /// Evaluates at the parameters: γ (k, all positive), then the unknowns. Collective.
    fn evaluate(&mut self, parameters: &[f64], want: Want) -> Result<Evaluation>;
}

impl<O: Objective + ?Sized> Objective for &mut O {
    fn domains(&self) -> usize {
        (**self).domains()
    }
    fn unknowns(&self) -> usize {
        (**self).unknowns()
    }
    fn evaluate(&mut self, parameters: &[f64], want: Want) -> Result<Evaluation> {
        (**self).evaluate(parameters, want)
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

impl std::ops::Add for Counters {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            evaluations: self.evaluations + other.evaluations,
            gradient_evaluations: self.gradient_evaluations + other.gradient_evaluations,
            jacobian_evaluations: self.jacobian_evaluations + other.jacobian_evaluations,
        }
    }
}

impl Counters {
    /// Counts one evaluation.
    pub fn count(&mut self, want: Want) {
        self.evaluations += 1;
        self.gradient_evaluations += u64::from(want >= Want::Gradient);
        self.jacobian_evaluations += u64::from(want >= Want::GaussNewton);
    }
}
