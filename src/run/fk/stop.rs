//! Ending a protocol or a search that is asked to stop.

use crate::comm::{Communicator, agree};
use crate::error::{Error, Result};
use crate::report::Report;
use crate::run::signals::StopRequests;

/// Listens for requests to stop.
pub struct Stop<'a> {
    pub requests: StopRequests,
    pub report: &'a Report,
}

impl Stop<'_> {
    /// By what this rank or another is asked to stop. Collective.
    pub fn asked(&self, comm: &dyn Communicator) -> Option<String> {
        let mut asked = [self.requests.code(self.report)];
        comm.max_f64(&mut asked);
        let reason = StopRequests::of_code(asked[0])?;
        Some(reason.name().replace('_', " "))
    }

    /// Ends what keeps nothing.
    ///
    /// # Errors
    /// [`Error::Stopped`] on all ranks where one of them is asked to stop. Collective.
    pub fn heed(&self, comm: &dyn Communicator) -> Result<()> {
        match self.asked(comm) {
            None => Ok(()),
            Some(by) => agree(comm, Err(Error::Stopped { by })),
        }
    }
}
