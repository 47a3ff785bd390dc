//! The time loop: advances, records, keeps checkpoints, looks for trouble and for signals.

use std::time::Instant;

use super::divergence::{Trouble, look, ms};
use super::prepare::Prepared;
use super::record::Recorders;
use super::state::{self, Checkpoints};
use crate::error::Result;
use crate::inversion::optimizer::StopReason;
use crate::monodomain::options::FkOptions;
use crate::monodomain::simulation::Simulation;
use crate::progress::Progress;
use crate::run::job::Job;
use crate::run::signals::StopRequests;

/// Between two looks at signals, the clock and u, about this long.
const LOOK_EVERY_S: f64 = 0.1;

/// The time loop.
pub struct March<'a> {
    pub simulation: &'a dyn Simulation,
    pub recorders: Recorders,
    pub prepared: Option<&'a Prepared>,
    pub checkpoints: Option<&'a Checkpoints>,
    pub fields: &'a [String],
    pub fk: &'a FkOptions,
    pub end: u64,
}

/// How the time loop ended.
pub enum Ended {
    Complete,
    /// Stopped after this step, with a checkpoint.
    Stopped(u64, StopReason),
    Diverged(Trouble),
}

impl March<'_> {
    /// Advances from step `first` to the end, or until asked to stop. Collective.
    pub fn run(&mut self, job: &mut Job, stop: &StopRequests, first: u64) -> Result<Ended> {
        let comm = job.comm;
        let tissue = self.prepared.map(|p| &p.tissue);
        let mut progress = Progress::start(&job.console, comm.rank(), "fk", self.end);
        let every_ms = job.case.checkpoint.every_ms;
        let checkpoint_steps = every_ms.map(|ms| ((ms / self.fk.dt).round() as u64).max(1));
        let every_minutes = job.case.checkpoint.every_minutes;
        let mut saved = Instant::now();
        let mut step = first;
        if first == 0 {
            let io = Instant::now();
            self.recorders.sample(comm, self.simulation, 0, tissue)?;
            job.report.add_time("io", io.elapsed());
        }
        // Steps between two looks: found by doubling, the same on all ranks.
        let (mut stride, mut unseen_s, mut checked) = (16, 0.0, first);
        while step < self.end {
            let mut next = self.recorders.next(step).min(step.saturating_add(stride));
            if let Some(n) = checkpoint_steps {
                next = next.min((step / n + 1) * n);
            }
            let (begun, waited) = (Instant::now(), comm.waited());
            self.simulation.advance(comm, step, next - step);
            self.simulation.failure(comm)?;
            job.report.add_time("step", begun.elapsed());
            job.report.count_exchange(comm, waited);
            let advanced = next - step;
            step = next;

            let by_clock = comm.rank() == 0
                && every_minutes.is_some_and(|m| saved.elapsed().as_secs_f64() > 60.0 * m);
            let mut seen = [
                begun.elapsed().as_secs_f64(),
                f64::from(by_clock),
                stop.code(&job.report),
            ];
            comm.max_f64(&mut seen);
            unseen_s += seen[0];
            if advanced == stride {
                if seen[0] < 0.5 * LOOK_EVERY_S {
                    stride *= 2;
                } else if seen[0] > 2.0 * LOOK_EVERY_S {
                    stride = (stride / 2).max(1);
                }
            }
            let reason = StopRequests::of_code(seen[2]);
            let due = checkpoint_steps.is_some_and(|n| step.is_multiple_of(n)) || seen[1] > 0.0;
            let complete = step == self.end;
            let save = reason.is_some() && !complete || due;
            if unseen_s > LOOK_EVERY_S || save || complete {
                let limit = self.fk.largest_u;
                if let Err(trouble) = look(comm, self.simulation, limit, checked, step) {
                    return Ok(Ended::Diverged(trouble));
                }
                (unseen_s, checked) = (0.0, step);
            }
            let io = Instant::now();
            if self.recorders.next(step - 1) == step {
                self.recorders.sample(comm, self.simulation, step, tissue)?;
            }
            if save {
                self.recorders.settle(comm, self.simulation, tissue)?;
                let time = step as f64 * self.fk.dt;
                state::save(
                    comm,
                    self.simulation,
                    &mut self.recorders,
                    self.checkpoints,
                    self.fields,
                    step,
                    time,
                )?;
                saved = Instant::now();
                if comm.rank() == 0 {
                    tracing::debug!("checkpoint after {} ms", ms(step, self.fk.dt));
                }
            }
            job.report.add_time("io", io.elapsed());
            progress.set(step, "");
            if let Some(reason) = reason.filter(|_| !complete) {
                return Ok(Ended::Stopped(step, reason));
            }
        }
        // After the last checkpoint: a run that is made longer shall not have these samples.
        let io = Instant::now();
        (self.recorders).sample_end(comm, self.simulation, step, tissue)?;
        self.simulation.failure(comm)?;
        job.report.add_time("io", io.elapsed());
        Ok(Ended::Complete)
    }
}
