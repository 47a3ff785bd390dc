//! Ending a protocol or a search that is asked to stop.

use crate::comm::Communicator;
use crate::error::Result;
use crate::report::Report;
use crate::run::signals::StopRequests;

/// Listens for requests to stop.
pub struct Stop<'a> {
    pub requests: StopRequests,
    pub report: &'a Report,
}

impl Stop<'_> {
    /// As of [`StopRequests::asked`]. Collective.
    pub fn asked(&self, comm: &dyn Communicator) -> Option<String> {
        self.requests.asked(comm, self.report)
    }

    /// As of [`StopRequests::heed`]. Collective.
    pub fn heed(&self, comm: &dyn Communicator) -> Result<()> {
        self.requests.heed(comm, self.report)
    }
}
