//! The misfit of the eikonal solution: the objective that an inversion minimises.
//!
//!   f(p) = Σ_j w_j (φ*_j − (H φ(p))_j)²,    φ̄ = −2 Hᵀ W r,    df/dp = Jᵀ φ̄ or by the adjoint
//!
//! p: γ of the k domains, then the unknowns of the sources ([`super::sources`]), if any. Onsets of
//! sources depend on p, and the adjoint at a source is the derivative by its onset:
//!
//!   df/dp = (df/dp at fixed onsets) + Σ_v φ̄_v dt_v/dp  over the sources that no other reaches first

use std::time::{Duration, Instant};

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::misfit::{LocalObservations, tangent_gradient};
use super::objective::{Evaluation, Objective, Want};
use super::options::GradientMode;
use super::sources::{Seed, Sources};
use crate::comm::halo::Traffic;
use crate::comm::{Communicator, broadcast_json, sum_over_ranks, sums_for};
use crate::eikonal::downwind::Downwind;
use crate::eikonal::forward::{Eikonal, ForwardCounters, Solution, Source};
use crate::error::{Error, Result};
use crate::exact_sum::ReproducibleSums;
use crate::real::Real;

/// Terms of a gradient that a thread takes at a time, at least.
const TERMS: usize = 4096;

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
    moving: Option<MovingSources<'a>>,
    /// Sources of the last solution, where they move; by ascending vertex.
    seeds: Vec<Seed>,
    pub timers: Timers,
    /// Work of all forward solutions.
    pub counters: ForwardCounters,
    /// Exchanges of tangents and adjoints.
    pub traffic: Traffic,
}

/// Sources whose onsets depend on the parameters.
pub struct MovingSources<'a> {
    /// Number of their unknowns, the same on all ranks.
    pub unknowns: usize,
    /// On rank 0.
    pub root: Option<Sources<'a>>,
}

/// What a misfit has cost.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    pub timers: Timers,
    pub counters: ForwardCounters,
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
            moving: None,
            seeds: Vec::new(),
            timers: Timers::default(),
            counters: ForwardCounters::default(),
            traffic: Traffic::default(),
        }
    }

    /// Lets the sources move with the parameters.
    pub fn with_sources(mut self, moving: Option<MovingSources<'a>>) -> Self {
        self.moving = moving;
        self
    }

    /// Counts on from what an earlier misfit cost.
    pub fn after(mut self, spent: Spent) -> Self {
        self.count(spent);
        self
    }

    /// Takes `spent`, which includes its own, as what it has cost.
    pub fn count(&mut self, spent: Spent) {
        self.timers = spent.timers;
        self.counters = spent.counters;
        self.traffic = spent.traffic;
    }

    /// What it has cost.
    pub fn spent(&self) -> Spent {
        Spent {
            timers: self.timers,
            counters: self.counters,
            traffic: self.traffic,
        }
    }

    /// The observations of this rank.
    pub fn observations(&self) -> &LocalObservations {
        &self.observations
    }

    /// The observations alone, for another misfit.
    pub fn into_observations(self) -> LocalObservations {
        self.observations
    }

    /// k and the unknowns of the sources.
    fn width(&self) -> usize {
        self.domains + self.moving.as_ref().map_or(0, |m| m.unknowns)
    }

    /// Puts the sources where the parameters have them; whether each has a vertex. Collective.
    fn place_sources(&mut self, parameters: &[f64]) -> Result<bool> {
        let Some(moving) = &self.moving else {
            return Ok(true);
        };
        let (gamma, unknowns) = parameters.split_at(self.domains);
        let found = (moving.root.as_ref()).map(|sources| sources.seeds(gamma, unknowns).ok());
        let Some(seeds) = broadcast_json(self.comm, 0, found)? else {
            return Ok(false);
        };
        self.seeds = seeds;
        let sources = self.seeds.iter().map(|seed| Source {
            vertex: seed.vertex,
            time: seed.time,
        });
        self.eikonal.set_sources(&sources.collect::<Vec<_>>());
        Ok(true)
    }

    /// The seed at a vertex, where sources move.
    fn seed(&self, vertex: u32) -> Option<&Seed> {
        let found = self.seeds.binary_search_by_key(&vertex, |seed| seed.vertex);
        found.ok().map(|i| &self.seeds[i])
    }

    /// Local vertex and seed of the sources held here that no other source reaches first.
    fn effective_seeds(&self, solution: &Solution<T>) -> Vec<(u32, &Seed)> {
        let sources = self.eikonal.effective_sources(solution);
        sources
            .filter_map(|(v, number)| Some((v, self.seed(number)?)))
            .collect()
    }

    /// The forward solution. Collective.
    ///
    /// # Errors
    /// `BadData` where a source that moves has left the mesh.
    pub fn solve(&mut self, parameters: &[f64]) -> Result<Solution<T>> {
        if !self.place_sources(parameters)? {
            return Err(Error::bad_data(
                "source",
                "there is no vertex of the mesh within its radius",
                "give a larger radius, or a point nearer to the mesh",
            ));
        }
        self.solve_from_sources(parameters)
    }

    fn solve_from_sources(&mut self, parameters: &[f64]) -> Result<Solution<T>> {
        let begun = Instant::now();
        let gamma = &parameters[..self.domains];
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
    ///
    /// # Errors
    /// Those of the forward solution, on all ranks.
    pub fn adjoint_state(&mut self, parameters: &[f64]) -> Result<AdjointState<T>> {
        let solution = self.solve(parameters)?;
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

    /// The terms of df/dp on this rank: (parameter, term), from φ̄ after the adjoint.
    fn gradient_terms(
        &self,
        solution: &Solution<T>,
        parameters: &[f64],
        phi_bar: &[f64],
    ) -> Vec<(usize, f64)> {
        let gamma = &parameters[..self.domains];
        let owned = self.eikonal.mesh.owned;
        let by_onset = self.effective_seeds(solution).into_iter();
        let by_onset = by_onset.filter(|(v, _)| (*v as usize) < owned);
        let by_onset = by_onset.flat_map(|(v, seed)| {
            let bar = phi_bar[v as usize];
            seed.dot
                .iter()
                .map(move |(i, dot)| (*i as usize, bar * dot))
        });
        let by_gamma = self.eikonal.gamma_bar_terms(solution, gamma, phi_bar);
        let mut terms: Vec<_> = by_gamma.collect();
        terms.extend(by_onset);
        terms
    }

    /// df/dp from φ̄ after the adjoint. Collective.
    pub fn parameter_gradient(
        &mut self,
        solution: &Solution<T>,
        parameters: &[f64],
        phi_bar: &[f64],
    ) -> Vec<f64> {
        let begun = Instant::now();
        let terms = self.gradient_terms(solution, parameters, phi_bar);
        let width = self.width();
        let zero = || vec![0.0f64; width];
        // Not more sums in all than terms, however many parameters there are.
        let parts = || terms.par_iter().with_min_len(TERMS.max(width));
        let bounds = parts()
            .fold(zero, |mut bounds, (k, x)| {
                bounds[*k] = bounds[*k].max(x.abs());
                bounds
            })
            .reduce(zero, |a, b| {
                a.iter().zip(b).map(|(a, b)| a.max(b)).collect()
            });
        // A vertex gives one term to a parameter at most: by its stencil or by its onset.
        let empty: ReproducibleSums = sums_for(self.comm, bounds, self.eikonal.mesh.owned);
        let sums = parts()
            .fold(
                || empty.clone(),
                |mut sums, (k, x)| {
                    sums.add_scaled(*k, 1.0, &[*x]);
                    sums
                },
            )
            .reduce(
                || empty.clone(),
                |mut a, b| {
                    a.merge(&b);
                    a
                },
            );
        let gradient = sum_over_ranks(self.comm, sums);
        self.timers.adjoint += begun.elapsed();
        gradient
    }

    /// Parameters (domains first) that no measured time of `solution` depends on. One adjoint from 1 at every place of
    /// measurement: the shares λ of upwind vertices are not negative, so that nothing cancels and
    /// a domain is seen exactly where one of its terms is not zero. Collective.
    pub fn unseen(&mut self, solution: &Solution<T>, parameters: &[f64]) -> Vec<usize> {
        let places = self.observations.places(self.eikonal.mesh.owned);
        let (_, phi_bar) = self.adjoint(solution, places);
        let mut seen = vec![0u64; self.width()];
        for (k, x) in self.gradient_terms(solution, parameters, &phi_bar) {
            seen[k] |= u64::from(x != 0.0);
        }
        self.comm.sum_u64(&mut seen);
        (0..seen.len()).filter(|&k| seen[k] == 0).collect()
    }

    /// dφ/dp of owned vertices and ghosts (row-major, a column for each parameter), by tangents or
    /// all-active. Collective.
    ///
    /// # Errors
    /// Those of a forward solution on dual numbers (all-active), on all ranks.
    pub fn jacobian(&mut self, solution: &Solution<T>, parameters: &[f64]) -> Result<Vec<f64>> {
        let begun = Instant::now();
        let (gamma, width) = (&parameters[..self.domains], self.width());
        let jacobian = if self.mode == GradientMode::AllActive {
            let onset_dot = |vertex: u32, column: usize| {
                let dot = self.seed(vertex).into_iter().flat_map(|seed| &seed.dot);
                let of_column = dot.filter(|(i, _)| *i as usize == column);
                of_column.map(|(_, x)| x).sum()
            };
            (self.eikonal).all_active_from(self.comm, gamma, onset_dot, width)?
        } else {
            let mut identity = vec![0.0; gamma.len() * width];
            for k in 0..gamma.len() {
                identity[k * width + k] = 1.0;
            }
            let dense = |(v, seed): (u32, &Seed)| {
                let mut row = vec![0.0; width];
                for (i, dot) in &seed.dot {
                    row[*i as usize] += dot;
                }
                (v, row)
            };
            let onset_dot = self.effective_seeds(solution).into_iter().map(dense);
            let onset_dot: Vec<(u32, Vec<f64>)> = onset_dot.collect();
            let (comm, traffic) = (self.comm, &mut self.traffic);
            (self.eikonal)
                .tangent_from(comm, solution, gamma, &identity, &onset_dot, width, traffic)
        };
        self.timers.tangent += begun.elapsed();
        Ok(jacobian)
    }

    /// Number of measurements of all ranks. Collective.
    pub fn measurements(&self) -> u64 {
        self.observations.count(self.comm)
    }

    /// Jᵀ W J of a solution, by the parameters. Collective.
    ///
    /// # Errors
    /// As [`jacobian`](Self::jacobian).
    pub fn normal_matrix(
        &mut self,
        solution: &Solution<T>,
        parameters: &[f64],
    ) -> Result<DMatrix<f64>> {
        let jacobian = self.jacobian(solution, parameters)?;
        Ok(self.normal_matrix_of(&jacobian))
    }

    fn normal_matrix_of(&mut self, jacobian: &[f64]) -> DMatrix<f64> {
        let begun = Instant::now();
        let normal = (self.observations).normal_matrix(self.comm, jacobian, self.width());
        self.timers.misfit += begun.elapsed();
        normal
    }

    /// df/dp = Jᵀ df/dφ. Collective.
    pub fn gradient_of(&mut self, misfit_bar: &[f64], jacobian: &[f64]) -> Vec<f64> {
        let begun = Instant::now();
        let gradient = tangent_gradient(self.comm, misfit_bar, jacobian, self.width());
        self.timers.tangent += begun.elapsed();
        gradient
    }
}

impl<T: Real> Objective for EikonalMisfit<'_, T> {
    fn domains(&self) -> usize {
        self.domains
    }

    fn unknowns(&self) -> usize {
        self.width() - self.domains
    }

    fn evaluate(&mut self, parameters: &[f64], want: Want) -> Result<Evaluation> {
        if !self.place_sources(parameters)? {
            return Ok(Evaluation::out_of_range(self.width(), want));
        }
        let solution = self.solve_from_sources(parameters)?;
        let (misfit, phi_bar) = self.misfit(&solution)?;
        let mut evaluation = Evaluation {
            misfit,
            gradient: Vec::new(),
            normal_matrix: None,
        };
        let tangent = want == Want::GaussNewton
            || matches!(self.mode, GradientMode::Tangent | GradientMode::AllActive);
        if want >= Want::Gradient && tangent {
            let jacobian = self.jacobian(&solution, parameters)?;
            evaluation.gradient = self.gradient_of(&phi_bar, &jacobian);
            if want == Want::GaussNewton {
                evaluation.normal_matrix = Some(self.normal_matrix_of(&jacobian));
            }
        } else if want >= Want::Gradient {
            let (_, phi_bar) = self.adjoint(&solution, phi_bar);
            evaluation.gradient = self.parameter_gradient(&solution, parameters, &phi_bar);
        }
        Ok(evaluation)
    }
}
