//! What the optimisers minimise: F(θ) = f(p(θ)) + R(γ(θ)), counted and with its derivatives in θ.
//!
//! θ: log γ or γ of the k domains, then the unknowns of sources as they are (ms, mm).

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::finite_differences::{self, Scheme};
use super::objective::{Counters, Evaluation, Objective, Want};
use super::options::{GAMMA_RANGE, GradientMode, Parameter};
use super::regularisation::Penalty;
use crate::error::Result;

/// Largest change of an unknown of a source in a step, ms or mm.
const LARGEST_SOURCE_CHANGE: f64 = 5.0;

/// F and its derivatives at one θ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub theta: Vec<f64>,
    /// Conductivity scaling (k).
    pub gamma: Vec<f64>,
    /// Unknowns of sources: onsets, ms, and coordinates, mm.
    #[serde(default)]
    pub sources: Vec<f64>,
    /// f, ms² times the weights.
    pub misfit: f64,
    /// F, misfit and penalties.
    pub objective: f64,
    /// dF/dθ; empty when not evaluated.
    pub gradient: Vec<f64>,
    /// Gauss–Newton Hessian of F in θ, 2 (dp/dθ) Jᵀ W J (dp/dθ) and that of the penalties.
    pub hessian: Option<DMatrix<f64>>,
}

impl Point {
    /// Largest component of dF/dθ.
    pub fn gradient_norm(&self) -> f64 {
        self.gradient.iter().fold(0.0, |m, g| m.max(g.abs()))
    }

    /// Whether F and what was evaluated of its derivatives are numbers: else the step was too long.
    pub fn is_finite(&self) -> bool {
        self.objective.is_finite()
            && self.gradient.iter().all(|g| g.is_finite())
            && self.hessian.iter().all(|h| h.iter().all(|x| x.is_finite()))
    }
}

/// The function F to minimise.
pub struct Problem<'a> {
    objective: &'a mut dyn Objective,
    pub parameter: Parameter,
    penalty: &'a Penalty,
    /// Finite differences in place of the objective's own gradient; with a Jacobian, the gradient
    /// that comes with it is taken.
    differences: Option<Scheme>,
    pub counters: Counters,
}

impl<'a> Problem<'a> {
    /// F from its parts; counts on from `counters`.
    pub fn new(
        objective: &'a mut dyn Objective,
        parameter: Parameter,
        penalty: &'a Penalty,
        gradient: GradientMode,
        counters: Counters,
    ) -> Self {
        Self {
            objective,
            parameter,
            penalty,
            differences: (gradient == GradientMode::FiniteDifferences).then_some(Scheme::Central),
            counters,
        }
    }

    /// Number of parameters.
    pub fn size(&self) -> usize {
        self.objective.domains() + self.objective.unknowns()
    }

    /// F at θ. γ out of [`GAMMA_RANGE`] gives NaN, without an evaluation.
    ///
    /// # Errors
    /// Those of the objective.
    pub fn evaluate(&mut self, theta: &[f64], want: Want) -> Result<Point> {
        let (theta_gamma, sources) = theta.split_at(self.objective.domains());
        let parameters = [&self.parameter.gamma(theta_gamma), sources].concat();
        self.evaluate_at(theta, &parameters, want)
    }

    /// F at the parameters p, whose θ(p) is taken: exp(log γ) may be another number than γ.
    ///
    /// # Errors
    /// Those of the objective.
    pub fn evaluate_parameters(&mut self, parameters: &[f64], want: Want) -> Result<Point> {
        let (gamma, sources) = parameters.split_at(self.objective.domains());
        let theta = [&self.parameter.theta(gamma), sources].concat();
        self.evaluate_at(&theta, parameters, want)
    }

    /// Largest multiple t of `direction` that a step from θ may take.
    pub fn largest_step(&self, theta: &[f64], direction: &[f64]) -> f64 {
        let (gamma, sources) = direction.split_at(self.objective.domains());
        let of_sources = sources
            .iter()
            .filter(|d| **d != 0.0)
            .map(|d| LARGEST_SOURCE_CHANGE / d.abs());
        of_sources.fold(self.parameter.largest_step(theta, gamma), f64::min)
    }

    fn evaluate_at(&mut self, theta: &[f64], parameters: &[f64], want: Want) -> Result<Point> {
        let (gamma, sources) = parameters.split_at(self.objective.domains());
        let mut point = Point {
            theta: theta.to_vec(),
            gamma: gamma.to_vec(),
            sources: sources.to_vec(),
            misfit: f64::NAN,
            objective: f64::NAN,
            gradient: Vec::new(),
            hessian: None,
        };
        if !gamma.iter().all(|g| GAMMA_RANGE.contains(g)) {
            return Ok(point);
        }
        let evaluation = match self.differences {
            Some(scheme) if want == Want::Gradient => {
                let (objective, counters) = (&mut *self.objective, &mut self.counters);
                counters.gradient_evaluations += 1;
                let mut misfit = |parameters: &[f64]| {
                    counters.count(Want::Misfit);
                    Ok(objective.evaluate(parameters, Want::Misfit)?.misfit)
                };
                let at = misfit(parameters)?;
                let gradient = if at.is_finite() {
                    let steps = scheme.steps(gamma, sources);
                    finite_differences::gradient(&mut misfit, parameters, at, scheme, &steps)?
                } else {
                    vec![f64::NAN; parameters.len()]
                };
                Evaluation {
                    misfit: at,
                    gradient,
                    normal_matrix: None,
                }
            }
            _ => {
                self.counters.count(want);
                self.objective.evaluate(parameters, want)?
            }
        };
        point.misfit = evaluation.misfit;
        point.objective = evaluation.misfit + self.penalty.value(gamma);
        if want >= Want::Gradient {
            point.gradient = evaluation.gradient;
            self.penalty.add_gradient(gamma, &mut point.gradient);
            self.parameter.chain_gradient(gamma, &mut point.gradient);
        }
        if want == Want::GaussNewton
            && let Some(normal) = evaluation.normal_matrix
        {
            let mut hessian = 2.0 * normal;
            self.penalty.add_hessian(gamma, &mut hessian);
            self.parameter.chain_hessian(gamma, &mut hessian);
            point.hessian = Some(hessian);
        }
        Ok(point)
    }
}
