//! Rank 0 runs the optimiser and tells the others what to evaluate; the others serve.

use serde::{Deserialize, Serialize};

use super::objective::{Counters, Evaluation, Objective, Want};
use super::optimizer::{IterationRecord, State, StopReason, minimise};
use super::options::{GradientMode, InitialHessian, InversionOptions, Optimizer};
use super::options::{Parameter, StopOptions, WeightRule};
use super::problem::Problem;
use super::regularisation::{Neighbours, Penalty};
use super::schedule::{CurvePoint, Schedule, Start};
use crate::comm::{Communicator, agree, broadcast_json};
use crate::error::{Error, Result};

/// The validated choices of an inversion.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    optimizer: Optimizer,
    parameter: Parameter,
    initial_hessian: InitialHessian,
    gradient: GradientMode,
    stop: StopOptions,
    penalty: Penalty,
    schedule: Schedule,
}

impl Settings {
    /// Choices of section `[inversion]`; `neighbours` are the pairs of domains with common faces,
    /// `measurements` the number of times to fit.
    ///
    /// # Errors
    /// `BadData`: tolerances, factors or ranges that are negative or not finite; a rule for the
    /// weight of penalties that are zero, or that lacks the noise.
    pub fn new(
        options: &InversionOptions,
        neighbours: Vec<Neighbours>,
        measurements: u64,
    ) -> Result<Self> {
        for (key, value) in [
            ("stop.misfit", options.stop.misfit),
            ("stop.gradient_norm", options.stop.gradient_norm),
            ("stop.step", options.stop.step),
            ("multistart.log_range", options.multistart.log_range),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::bad_data(
                    format!("inversion.{key}"),
                    format!("value {value}"),
                    "give a finite number ≥ 0",
                ));
            }
        }
        let penalty = Penalty::new(&options.regularisation, neighbours)?;
        Ok(Self {
            optimizer: options.optimizer,
            parameter: options.parameter,
            initial_hessian: options.initial_hessian,
            gradient: options.gradient,
            stop: options.stop.clone(),
            schedule: schedule(options, &penalty, measurements)?,
            penalty,
        })
    }

    /// The penalties with the multiple that `run` had.
    pub fn penalty_of(&self, run: &RunSummary) -> Penalty {
        self.penalty.times(run.factor)
    }

    /// Whether a rule for the penalties ended where its sweep does.
    pub fn is_at_end(&self, outcome: &Outcome) -> bool {
        let schedule = &self.schedule;
        schedule.is_at_end(outcome.best()) || schedule.lacks_corner(&outcome.runs, outcome.best)
    }

    /// The L-curve of all runs of a sweep.
    pub fn curve(&self, outcome: &Outcome) -> Option<Vec<CurvePoint>> {
        self.schedule.curve(&outcome.runs)
    }
}

/// The minimisations that the options ask for.
fn schedule(options: &InversionOptions, penalty: &Penalty, measurements: u64) -> Result<Schedule> {
    let rule = options.regularisation.choose;
    if rule == WeightRule::Given {
        return Ok(Schedule::Starts(options.multistart.clone()));
    }
    let bad = |key: &str, problem: &str, remedy: &str| {
        Err(Error::bad_data(format!("inversion.{key}"), problem, remedy))
    };
    let choose = "regularisation.choose";
    if penalty.is_zero() {
        return bad(
            choose,
            "there is no penalty to weigh",
            "give regularisation.tikhonov or, with several domains, neighbour_jump: the weight that \
             the rule multiplies",
        );
    }
    if options.stop.misfit > 0.0 {
        return bad(
            "stop.misfit",
            "would end a minimisation before the penalties have their say",
            "remove it, or regularisation.choose",
        );
    }
    if options.multistart.starts > 0 {
        return bad(choose, "goes with one start only", "remove multistart");
    }
    let sweep = options.regularisation.sweep.clone();
    if !(0.0 < sweep.least && sweep.least < sweep.most && sweep.most.is_finite()) {
        return bad(
            "regularisation.sweep",
            &format!("from {} to {}", sweep.least, sweep.most),
            "give 0 < least < most",
        );
    }
    match (rule, options.misfit_of_noise(measurements)) {
        (WeightRule::Discrepancy, None) => bad(
            choose,
            "the discrepancy rule needs the noise of the measurements",
            "give inversion.noise_ms, or choose \"l-curve\"",
        ),
        (WeightRule::Discrepancy, Some(target)) => Ok(Schedule::Discrepancy { sweep, target }),
        _ if sweep.steps < 3 => bad(
            "regularisation.sweep.steps",
            "a curve needs three points",
            "give 3 or more",
        ),
        _ => Ok(Schedule::LCurve(sweep)),
    }
}

/// One minimisation of a multistart, or the only one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// 0 from the initial γ, then the random ones.
    pub start: usize,
    pub initial_gamma: Vec<f64>,
    pub gamma: Vec<f64>,
    /// Unknowns of sources: onsets, ms, and coordinates, mm.
    #[serde(default)]
    pub sources: Vec<f64>,
    pub misfit: f64,
    /// Misfit and penalties.
    pub objective: f64,
    /// Multiple λ of the configured penalties.
    pub factor: f64,
    /// The configured penalties, without λ.
    pub penalty: f64,
    pub gradient_norm: f64,
    pub iterations: usize,
    pub stop_reason: StopReason,
    pub counters: Counters,
    pub seconds: f64,
}

/// Largest component of the gradient, as a share of the objective, at which a minimisation counts as
/// converged that ended for no reason of its own: with a Hessian of the size of the objective or
/// more, F is then within 10⁻⁶ of its minimum.
const NEARLY_FLAT: f64 = 1e-3;

impl RunSummary {
    /// Whether the minimisation came to a minimum, and not only to its last step.
    pub fn converged(&self) -> bool {
        match self.stop_reason {
            StopReason::Misfit | StopReason::GradientNorm | StopReason::Step => true,
            _ => self.gradient_norm <= NEARLY_FLAT * self.objective,
        }
    }

    /// γ and the unknowns of sources.
    pub fn parameters(&self) -> Vec<f64> {
        [&self.gamma[..], &self.sources].concat()
    }
}

/// What to keep so that an inversion can be resumed after this iteration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Starts that are done.
    pub finished: Vec<RunSummary>,
    /// The start under way (`finished.len()`) after its last iteration.
    pub state: State,
}

/// What a resumed inversion continues from.
#[derive(Debug, Clone, PartialEq)]
pub struct Resume {
    pub checkpoint: Checkpoint,
    /// The records up to the checkpoint, which the outcome will hold again.
    pub history: Vec<IterationRecord>,
}

/// The result, the same on all ranks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// All starts, in order; the last may have been interrupted.
    pub runs: Vec<RunSummary>,
    /// Index in `runs` of the result: the smallest objective, or what the rule for the penalties
    /// chose.
    pub best: usize,
    /// Why the inversion ended: the reason of the best run, or the interruption.
    pub stop_reason: StopReason,
    /// All iterations of all starts.
    pub history: Vec<IterationRecord>,
}

impl Outcome {
    /// The best run.
    pub fn best(&self) -> &RunSummary {
        &self.runs[self.best]
    }

    /// The records of the best run.
    pub fn best_history(&self) -> impl Iterator<Item = &IterationRecord> {
        let start = self.best().start;
        self.history.iter().filter(move |r| r.start == start)
    }

    /// Evaluations of all starts.
    pub fn counters(&self) -> Counters {
        let counters = self.runs.iter().map(|run| run.counters);
        counters.fold(Counters::default(), std::ops::Add::add)
    }
}

/// Called on rank 0 as the inversion goes.
pub struct Callbacks<'a> {
    /// After each iteration, the initial γ (iteration 0) included.
    pub on_iteration: &'a mut dyn FnMut(&IterationRecord, &Checkpoint) -> Result<()>,
    /// Before each iteration: a reason from outside to stop.
    pub should_stop: &'a mut dyn FnMut() -> Option<StopReason>,
}

/// What rank 0 asks of the others.
#[derive(Serialize, Deserialize)]
enum Request {
    Evaluate { parameters: Vec<f64>, want: Want },
    Finish,
}

/// Rank 0's view of the objective: every evaluation is announced first.
struct Leader<'a> {
    comm: &'a dyn Communicator,
    objective: &'a mut dyn Objective,
    /// An evaluation failed, on all ranks together: nobody waits for a request any more.
    failed: bool,
}

impl Leader<'_> {
    fn announce(&self, request: Request) -> Result<()> {
        if self.comm.size() > 1 {
            broadcast_json(self.comm, 0, Some(request))?;
        }
        Ok(())
    }
}

impl Objective for Leader<'_> {
    fn domains(&self) -> usize {
        self.objective.domains()
    }

    fn unknowns(&self) -> usize {
        self.objective.unknowns()
    }

    fn evaluate(&mut self, parameters: &[f64], want: Want) -> Result<Evaluation> {
        self.announce(Request::Evaluate {
            parameters: parameters.to_vec(),
            want,
        })?;
        let result = self.objective.evaluate(parameters, want);
        self.failed = result.is_err();
        result
    }
}

/// Minimises the objective from the `initial` parameters (γ, then the unknowns of sources), as often
/// as the settings ask for. Collective:
/// `settings`, `initial`, `resume` and `callbacks` are read on rank 0 only.
///
/// # Errors
/// The same on all ranks: those of the objective and the callbacks; `BadData` for an initial γ
/// of the wrong length or not positive, and for a checkpoint of another inversion.
pub fn coordinate(
    comm: &dyn Communicator,
    objective: &mut dyn Objective,
    settings: &Settings,
    initial: &[f64],
    resume: Option<Resume>,
    callbacks: Callbacks,
) -> Result<Outcome> {
    if comm.rank() > 0 {
        serve(comm, objective)?;
        agree(comm, Ok(()))?;
        return broadcast_json(comm, 0, None);
    }
    let mut leader = Leader {
        comm,
        objective,
        failed: false,
    };
    let result = lead(&mut leader, settings, initial, resume, callbacks);
    if leader.failed {
        return result;
    }
    leader.announce(Request::Finish)?;
    broadcast_json(comm, 0, Some(agree(comm, result)?))
}

/// Evaluates what rank 0 asks for.
fn serve(comm: &dyn Communicator, objective: &mut dyn Objective) -> Result<()> {
    loop {
        match broadcast_json(comm, 0, None)? {
            Request::Evaluate { parameters, want } => objective.evaluate(&parameters, want)?,
            Request::Finish => return Ok(()),
        };
    }
}

fn lead(
    leader: &mut Leader,
    settings: &Settings,
    initial: &[f64],
    resume: Option<Resume>,
    callbacks: Callbacks,
) -> Result<Outcome> {
    check_parameters(initial, leader.domains(), leader.unknowns())?;
    let (mut runs, mut history, mut resumed) = match resume {
        Some(resume) => {
            let Checkpoint { finished, state } = resume.checkpoint;
            check_state(&state, settings, leader.domains(), leader.unknowns())?;
            (finished, resume.history, Some(state))
        }
        None => (Vec::new(), Vec::new(), None),
    };
    let domains = leader.domains();
    while let Some(Start { parameters, factor }) = settings.schedule.next(initial, domains, &runs) {
        let (start, initial_gamma) = (runs.len(), parameters[..domains].to_vec());
        let penalty = settings.penalty.times(factor);
        let counters = resumed.as_ref().map_or(Counters::default(), |s| s.counters);
        let mut problem = Problem::new(
            leader,
            settings.parameter,
            &penalty,
            settings.gradient,
            counters,
        );
        let mut report = |state: &State| {
            let record = state.record(start);
            let checkpoint = Checkpoint {
                finished: runs.clone(),
                state: state.clone(),
            };
            let result = (callbacks.on_iteration)(&record, &checkpoint);
            history.push(record);
            result
        };
        let mut state = match resumed.take() {
            Some(state) => state,
            None => {
                let (optimizer, hessian) = (settings.optimizer, settings.initial_hessian);
                let state = State::first(&mut problem, optimizer, hessian, &parameters)?;
                report(&state)?;
                state
            }
        };
        let stop_reason = minimise(
            &mut problem,
            &mut state,
            &settings.stop,
            &mut report,
            callbacks.should_stop,
        )?;
        runs.push(RunSummary {
            start,
            initial_gamma,
            factor,
            penalty: settings.penalty.value(&state.point.gamma),
            gradient_norm: state.point.gradient_norm(),
            gamma: state.point.gamma,
            sources: state.point.sources,
            misfit: state.point.misfit,
            objective: state.point.objective,
            iterations: state.iteration,
            stop_reason,
            counters: state.counters,
            seconds: state.seconds,
        });
        if stop_reason.is_interruption() {
            break;
        }
    }
    let best = settings.schedule.best(&runs);
    let last = runs.last().map(|run| run.stop_reason);
    let last = last.ok_or_else(|| Error::Bug("an inversion without a run".into()))?;
    Ok(Outcome {
        stop_reason: if last.is_interruption() {
            last
        } else {
            runs[best].stop_reason
        },
        best,
        runs,
        history,
    })
}

fn check_parameters(parameters: &[f64], domains: usize, unknowns: usize) -> Result<()> {
    let gamma = &parameters[..parameters.len().saturating_sub(unknowns)];
    if gamma.len() != domains {
        return Err(Error::bad_data(
            "inversion.initial_gamma",
            format!("{} values for {domains} domains", gamma.len()),
            "give one number for all domains or one per domain",
        ));
    }
    if let Some(k) = gamma.iter().position(|g| !(g.is_finite() && *g > 0.0)) {
        return Err(Error::bad_data(
            "inversion.initial_gamma",
            format!("γ of domain {k} is {}", gamma[k]),
            "γ must be finite and positive",
        ));
    }
    Ok(())
}

fn check_state(state: &State, settings: &Settings, domains: usize, unknowns: usize) -> Result<()> {
    let bad = |problem: String| {
        Err(Error::bad_data(
            "checkpoint of the inversion",
            problem,
            "resume with the configuration of the interrupted run, or start with --overwrite",
        ))
    };
    if state.point.theta.len() != domains + unknowns {
        let found = state.point.theta.len().saturating_sub(unknowns);
        return bad(format!("{found} domains instead of {domains}"));
    }
    if state.memory.optimizer() != settings.optimizer {
        return bad(format!(
            "it was written by the optimizer {:?}, not {:?}",
            state.memory.optimizer(),
            settings.optimizer
        ));
    }
    // Up to the last bits: another machine may round exp differently.
    let gamma = settings.parameter.gamma(&state.point.theta[..domains]);
    let same = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-12 * a.abs();
    if !state.point.gamma.iter().zip(&gamma).all(same) {
        return bad("its parameter is not the one configured (log or gamma)".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
