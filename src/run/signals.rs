//! Signals and the wall-time limit that ask a run to stop in order.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};

use crate::comm::{Communicator, agree};
use crate::error::{Error, Result};
use crate::inversion::optimizer::StopReason;
use crate::report::Report;

/// Requests from outside to stop.
pub struct StopRequests {
    signalled: Arc<AtomicBool>,
    limit: Option<Duration>,
}

impl StopRequests {
    /// Listens to SIGTERM, SIGINT and SIGUSR1 from now on; a second signal ends the process at
    /// once. `max_minutes` counts from the start of the run.
    pub fn listen(max_minutes: Option<f64>) -> Result<Self> {
        let signalled = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT, SIGUSR1] {
            let twice = signal_hook::flag::register_conditional_shutdown(
                signal,
                75,
                Arc::clone(&signalled),
            );
            twice
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&signalled)))
                .map_err(|e| Error::io(Path::new("signals"), "listen", &e))?;
        }
        Ok(Self {
            signalled,
            limit: max_minutes.map(|m| Duration::from_secs_f64(60.0 * m)),
        })
    }

    /// Whether to stop now, and why.
    pub fn reason(&self, report: &Report) -> Option<StopReason> {
        if self.signalled.load(Ordering::Relaxed) {
            return Some(StopReason::Signal);
        }
        let over = self
            .limit
            .is_some_and(|limit| report.elapsed() >= limit.as_secs_f64());
        over.then_some(StopReason::WallTime)
    }

    /// The reason as a number whose maximum over ranks is that of all: a signal counts more than
    /// the limit.
    pub fn code(&self, report: &Report) -> f64 {
        match self.reason(report) {
            None => 0.0,
            Some(StopReason::WallTime) => 1.0,
            Some(_) => 2.0,
        }
    }

    /// The reason of a [`code`](Self::code).
    pub fn of_code(code: f64) -> Option<StopReason> {
        match code {
            0.0 => None,
            1.0 => Some(StopReason::WallTime),
            _ => Some(StopReason::Signal),
        }
    }

    /// By what this rank or another is asked to stop. Collective.
    pub fn asked(&self, comm: &dyn Communicator, report: &Report) -> Option<String> {
        let mut asked = [self.code(report)];
        comm.max_f64(&mut asked);
        let reason = Self::of_code(asked[0])?;
        Some(reason.name().replace('_', " "))
    }

    /// Ends what keeps nothing.
    ///
    /// # Errors
    /// [`Error::Stopped`] on all ranks where one of them is asked to stop. Collective.
    pub fn heed(&self, comm: &dyn Communicator, report: &Report) -> Result<()> {
        match self.asked(comm, report) {
            None => Ok(()),
            Some(by) => agree(comm, Err(Error::Stopped { by })),
        }
    }
}
