//! The misfit of the eikonal solution: the objective that an inversion minimises.
//!
//!   f(γ) = Σ_j w_j (φ*_j − (H φ(γ))_j)²,    φ̄ = −2 Hᵀ W r,    df/dγ = Jᵀ φ̄ or by the adjoint

use std::time::{Duration, Instant};

use nalgebra::DMatrix;

use super::misfit::{LocalObservations, tangent_gradient};
use super::objective::{Evaluation, Objective, Want};
use super::options::GradientMode;
use crate::comm::halo::Traffic;
use crate::comm::{Communicator, sum_over_ranks, sums_for};
use crate::eikonal::downwind::Downwind;
use crate::eikonal::forward::{Eikonal, ForwardCounters, Solution};
use crate::error::Result;
use crate::exact_sum::ReproducibleSums;
use crate::real::Real;

/// Time spent, by kind of work.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timers {
    pub solve: Duration,
    pub adjoint: Duration,
    pub tangent: Duration,
    /// Residuals, sums, JᵀWJ.
    pub misfit: Duration,
}

/// Misfit of the eikonal solution on one rank.
pub struct EikonalMisfit<'a, T: Real> {
    comm: &'a dyn Communicator,
    pub eikonal: Eikonal<T>,
    observations: LocalObservations,
    mode: GradientMode,
    domains: usize,
    pub timers: Timers,
    /// Work of all forward solutions.
    pub counters: ForwardCounters,
    /// Exchanges of tangents and adjoints.
    pub traffic: Traffic,
}

/// df/dφ propagated against the causal order, with what it came from.
pub struct AdjointState<T> {
    pub solution: Solution<T>,
    pub downwind: Downwind,
    /// df/dφ of owned vertices, before the adjoint.
    pub misfit_bar: Vec<f64>,
    /// φ̄ of owned vertices and ghosts, after it.
    pub phi_bar: Vec<f64>,
    pub misfit: f64,
}

impl<'a, T: Real> EikonalMisfit<'a, T> {
    /// Misfit at `observations`, gradients by `mode` (differences are taken outside; here they
    /// mean the adjoint).
    pub fn new(
        comm: &'a dyn Communicator,
        eikonal: Eikonal<T>,
        observations: LocalObservations,
        mode: GradientMode,
        domains: usize,
    ) -> Self {
        Self {
            comm,
            eikonal,
            observations,
            mode,
            domains,
            timers: Timers::default(),
            counters: ForwardCounters::default(),
            traffic: Traffic::default(),
        }
    }

    /// The forward solution. Collective.
    pub fn solve(&mut self, gamma: &[f64]) -> Result<Solution<T>> {
        let begun = Instant::now();
        let gamma: Vec<T> = gamma.iter().map(|g| T::from_f64(*g)).collect();
        let solution = self.eikonal.solve(self.comm, &gamma)?;
        self.counters += solution.counters;
        self.timers.solve += begun.elapsed();
        Ok(solution)
    }

    /// f, and φ̄ of the owned vertices before the adjoint. Collective.
    fn misfit(&mut self, solution: &Solution<T>) -> Result<(f64, Vec<f64>)> {
        let begun = Instant::now();
        let phi: Vec<f64> = solution.phi.iter().map(|t| t.value()).collect();
        let residuals = self.observations.residuals(self.comm, &phi)?;
        let misfit = self.observations.misfit(self.comm, &residuals);
        let phi_bar = self
            .observations
            .phi_bar(&residuals, self.eikonal.mesh.owned);
        self.timers.misfit += begun.elapsed();
        Ok((misfit, phi_bar))
    }

    /// Forward solution, misfit and adjoint. Collective.
    pub fn adjoint_state(&mut self, gamma: &[f64]) -> Result<AdjointState<T>> {
        let solution = self.solve(gamma)?;
        let (misfit, misfit_bar) = self.misfit(&solution)?;
        let (downwind, phi_bar) = self.adjoint(&solution, misfit_bar.clone());
        Ok(AdjointState {
            solution,
            downwind,
            misfit_bar,
            phi_bar,
            misfit,
        })
    }

    fn adjoint(&mut self, solution: &Solution<T>, mut phi_bar: Vec<f64>) -> (Downwind, Vec<f64>) {
        let begun = Instant::now();
        phi_bar.resize(self.eikonal.mesh.vertex_count(), 0.0);
        let traffic = &mut self.traffic;
        let downwind = self.eikonal.downwind(self.comm, solution, traffic);
        self.eikonal
            .adjoint(self.comm, solution, &downwind, &mut phi_bar, traffic);
        self.timers.adjoint += begun.elapsed();
        (downwind, phi_bar)
    }

    /// df/dγ from φ̄ after the adjoint. Collective.
    pub fn gamma_gradient(
        &mut self,
        solution: &Solution<T>,
        gamma: &[f64],
        phi_bar: &[f64],
    ) -> Vec<f64> {
        let begun = Instant::now();
        let terms = || self.eikonal.gamma_bar_terms(solution, gamma, phi_bar);
        let mut bounds = vec![0.0f64; self.domains];
        for (k, x) in terms() {
            bounds[k] = bounds[k].max(x.abs());
        }
        let mut sums: ReproducibleSums = sums_for(self.comm, bounds, self.eikonal.mesh.owned);
        for (k, x) in terms() {
            sums.add_scaled(k, 1.0, &[x]);
        }
        let gradient = sum_over_ranks(self.comm, sums);
        self.timers.adjoint += begun.elapsed();
        gradient
    }

    /// Domains that no measured time of `solution` depends on. One adjoint from 1 at every place of
    /// measurement: the shares λ of upwind vertices are not negative, so that nothing cancels and
    /// a domain is seen exactly where one of its terms is not zero. Collective.
    pub fn unseen_domains(&mut self, solution: &Solution<T>, gamma: &[f64]) -> Vec<usize> {
        let places = self.observations.places(self.eikonal.mesh.owned);
        let (_, phi_bar) = self.adjoint(solution, places);
        let mut seen = vec![0u64; self.domains];
        for (k, x) in self.eikonal.gamma_bar_terms(solution, gamma, &phi_bar) {
            seen[k] |= u64::from(x != 0.0);
        }
        self.comm.sum_u64(&mut seen);
        (0..self.domains).filter(|&k| seen[k] == 0).collect()
    }

    /// dφ/dγ of owned vertices and ghosts (row-major, k columns), by tangents or all-active.
    /// Collective.
    pub fn jacobian(&mut self, solution: &Solution<T>, gamma: &[f64]) -> Result<Vec<f64>> {
        let begun = Instant::now();
        let jacobian = if self.mode == GradientMode::AllActive {
            self.eikonal.all_active_jacobian(self.comm, gamma)?
        } else {
            let traffic = &mut self.traffic;
            self.eikonal.jacobian(self.comm, solution, gamma, traffic)
        };
        self.timers.tangent += begun.elapsed();
        Ok(jacobian)
    }

    /// Number of measurements of all ranks. Collective.
    pub fn measurements(&self) -> u64 {
        self.observations.count(self.comm)
    }

    /// Jᵀ W J (k × k) in γ of a solution. Collective.
    pub fn normal_matrix(&mut self, solution: &Solution<T>, gamma: &[f64]) -> Result<DMatrix<f64>> {
        let jacobian = self.jacobian(solution, gamma)?;
        Ok(self.normal_matrix_of(&jacobian))
    }

    fn normal_matrix_of(&mut self, jacobian: &[f64]) -> DMatrix<f64> {
        let begun = Instant::now();
        let normal = (self.observations).normal_matrix(self.comm, jacobian, self.domains);
        self.timers.misfit += begun.elapsed();
        normal
    }

    /// df/dγ = Jᵀ df/dφ. Collective.
    pub fn gradient_of(&mut self, misfit_bar: &[f64], jacobian: &[f64]) -> Vec<f64> {
        let begun = Instant::now();
        let gradient = tangent_gradient(self.comm, misfit_bar, jacobian, self.domains);
        self.timers.tangent += begun.elapsed();
        gradient
    }
}

impl<T: Real> Objective for EikonalMisfit<'_, T> {
    fn domains(&self) -> usize {
        self.domains
    }

    fn evaluate(&mut self, gamma: &[f64], want: Want) -> Result<Evaluation> {
        let solution = self.solve(gamma)?;
        let (misfit, phi_bar) = self.misfit(&solution)?;
        let mut evaluation = Evaluation {
            misfit,
            gradient: Vec::new(),
            normal_matrix: None,
        };
        let tangent = want == Want::GaussNewton
            || matches!(self.mode, GradientMode::Tangent | GradientMode::AllActive);
        if want >= Want::Gradient && tangent {
            let jacobian = self.jacobian(&solution, gamma)?;
            evaluation.gradient = self.gradient_of(&phi_bar, &jacobian);
            if want == Want::GaussNewton {
                evaluation.normal_matrix = Some(self.normal_matrix_of(&jacobian));
            }
        } else if want >= Want::Gradient {
            let (_, phi_bar) = self.adjoint(&solution, phi_bar);
            evaluation.gradient = self.gamma_gradient(&solution, gamma, &phi_bar);
        }
        Ok(evaluation)
    }
}
