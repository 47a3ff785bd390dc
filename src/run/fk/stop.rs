//! Ending a protocol that is asked to stop.

use crate::comm::{Communicator, agree};
use crate::error::{Error, Result};
use crate::report::Report;
use crate::run::signals::StopRequests;

/// Listens for requests to stop. Protocols take seconds: nothing of them is kept.
pub struct Stop<'a> {
    pub requests: StopRequests,
    pub report: &'a Report,
}

impl Stop<'_> {
    /// # Errors
    /// [`Error::Interrupted`] on all ranks where one of them is asked to stop. Collective.
    pub fn heed(&self, comm: &dyn Communicator) -> Result<()> {
        let mut asked = [self.requests.code(self.report)];
        comm.max_f64(&mut asked);
        let Some(reason) = StopRequests::of_code(asked[0]) else {
            return Ok(());
        };
        agree(
            comm,
            Err(Error::Interrupted {
                by: reason.name().replace('_', " "),
                what_was_kept: "a protocol keeps nothing and begins anew".into(),
            }),
        )
    }
}
