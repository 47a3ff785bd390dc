//! The loop around an optimiser: iterations, records, and the reasons to stop.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::{Memory, first_want};
use crate::error::{Error, Result};
use crate::inversion::objective::Counters;
use crate::inversion::options::{InitialHessian, Optimizer, StopOptions};
use crate::inversion::problem::{Point, Problem};

/// Why an inversion ended (`stop_reason` of the interface contract).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// f ≤ stop.misfit.
    Misfit,
    /// Largest component of the gradient ≤ stop.gradient_norm.
    GradientNorm,
    /// Largest change of the parameter in an iteration ≤ stop.step.
    Step,
    /// stop.iterations reached.
    MaxIterations,
    /// No step decreases the objective any further in floating point: the usual end at the minimum of
    /// an objective that is large there (noisy times).
    Stalled,
    /// A signal asked to stop.
    Signal,
    /// The wall-time limit is near.
    WallTime,
}

impl StopReason {
    /// Name in reports and files.
    pub fn name(self) -> &'static str {
        match self {
            StopReason::Misfit => "misfit",
            StopReason::GradientNorm => "gradient_norm",
            StopReason::Step => "step",
            StopReason::MaxIterations => "max_iterations",
            StopReason::Stalled => "stalled",
            StopReason::Signal => "signal",
            StopReason::WallTime => "wall_time",
        }
    }

    /// Whether the run was stopped from outside and should be resumed.
    pub fn is_interruption(self) -> bool {
        matches!(self, StopReason::Signal | StopReason::WallTime)
    }
}

/// One line of the history; iteration 0 is the initial γ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IterationRecord {
    /// Number of the start: 0 from the initial γ, then the random ones.
    pub start: usize,
    pub iteration: usize,
    /// γ (k).
    pub gamma: Vec<f64>,
    /// Unknowns of sources, if any: onsets, ms, and coordinates, mm.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<f64>,
    /// f, ms² times the weights.
    pub misfit: f64,
    /// F = f + penalties, what is minimised.
    pub objective: f64,
    /// Largest component of dF/dθ.
    pub gradient_norm: f64,
    /// Largest change of θ in this iteration; 0 in iteration 0.
    pub step: f64,
    /// Forward solutions since the start.
    pub evaluations: u64,
    pub gradient_evaluations: u64,
    pub jacobian_evaluations: u64,
    /// Wall time since the start, that before a resume included.
    pub seconds: f64,
}

/// All that the next iteration depends on: from a copy of it, a run continues bit for bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub iteration: usize,
    pub point: Point,
    /// Largest change of θ in the last iteration.
    pub step: f64,
    pub memory: Memory,
    pub counters: Counters,
    pub seconds: f64,
}

impl State {
    /// The line of the history for this state.
    pub fn record(&self, start: usize) -> IterationRecord {
        IterationRecord {
            start,
            iteration: self.iteration,
            gamma: self.point.gamma.clone(),
            sources: self.point.sources.clone(),
            misfit: self.point.misfit,
            objective: self.point.objective,
            gradient_norm: self.point.gradient_norm(),
            step: self.step,
            evaluations: self.counters.evaluations,
            gradient_evaluations: self.counters.gradient_evaluations,
            jacobian_evaluations: self.counters.jacobian_evaluations,
            seconds: self.seconds,
        }
    }

    /// The first state: the method at the initial parameters, γ and the unknowns of sources.
    ///
    /// # Errors
    /// `BadData` when the misfit there is not finite; those of the objective.
    pub fn first(
        problem: &mut Problem,
        optimizer: Optimizer,
        initial: InitialHessian,
        parameters: &[f64],
    ) -> Result<Self> {
        let clock = Instant::now();
        let point = problem.evaluate_parameters(parameters, first_want(optimizer, initial))?;
        if !point.is_finite() {
            return Err(Error::bad_data(
                "inversion.initial_gamma",
                format!(
                    "the misfit there ({}) or its gradient is not finite",
                    point.objective
                ),
                "start from γ nearer to 1, and check measured times and weights",
            ));
        }
        let memory = Memory::new(optimizer, initial, &point);
        let mut state = Self {
            iteration: 0,
            point,
            step: 0.0,
            memory,
            counters: problem.counters,
            seconds: clock.elapsed().as_secs_f64(),
        };
        state.forget_spent_hessian();
        Ok(state)
    }

    /// BFGS and L-BFGS need the Hessian of the first point no longer.
    fn forget_spent_hessian(&mut self) {
        if matches!(self.memory, Memory::Bfgs(_) | Memory::Lbfgs(_)) {
            self.point.hessian = None;
        }
    }

    /// The reason to stop that this state itself gives.
    fn reached(&self, stop: &StopOptions) -> Option<StopReason> {
        let within = |value: f64, tolerance: f64| tolerance > 0.0 && value <= tolerance;
        if within(self.point.misfit, stop.misfit) {
            Some(StopReason::Misfit)
        } else if within(self.point.gradient_norm(), stop.gradient_norm) {
            Some(StopReason::GradientNorm)
        } else if self.iteration > 0 && within(self.step, stop.step) {
            Some(StopReason::Step)
        } else if self.iteration >= stop.iterations {
            Some(StopReason::MaxIterations)
        } else {
            None
        }
    }
}

/// Iterates until there is a reason to stop. `on_iteration` sees each finished state;
/// `should_stop` is asked before each iteration.
///
/// # Errors
/// Those of the objective and of `on_iteration`.
pub fn minimise(
    problem: &mut Problem,
    state: &mut State,
    stop: &StopOptions,
    on_iteration: &mut dyn FnMut(&State) -> Result<()>,
    should_stop: &mut dyn FnMut() -> Option<StopReason>,
) -> Result<StopReason> {
    let (clock, before) = (Instant::now(), state.seconds);
    loop {
        if let Some(reason) = state.reached(stop).or_else(&mut *should_stop) {
            return Ok(reason);
        }
        let next = state.memory.step(problem, &state.point)?;
        state.counters = problem.counters;
        state.seconds = before + clock.elapsed().as_secs_f64();
        let Some(point) = next else {
            return Ok(StopReason::Stalled);
        };
        let change = point.theta.iter().zip(&state.point.theta);
        state.step = change.fold(0.0, |m, (a, b)| m.max((a - b).abs()));
        state.point = point;
        state.forget_spent_hessian();
        state.iteration += 1;
        on_iteration(state)?;
    }
}
