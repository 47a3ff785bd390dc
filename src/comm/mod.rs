//! Communication between ranks: a small trait, so that no solver knows MPI.
//!
//! An exchange is rare and large, so a trait object costs nothing. [`solo`] serves a single
//! process, [`threads`] runs ranks as threads of one process (tests, simulated ranks), [`mpi`] is
//! the only importer of the crate `mpi`.

mod collective;
pub mod halo;
pub mod metered;
#[cfg(feature = "mpi")]
pub mod mpi;
mod reproducible;
pub mod solo;
pub mod threads;
pub mod timed;
pub mod watched;

use std::time::Duration;

pub(crate) use collective::from_bytes;
pub use collective::{agree, broadcast_json, broadcast_slice, gather_slices, scatter_slices};
pub use reproducible::{reproducible_sum, sum_over_ranks, sums_for};

/// One rank's view of all ranks. Every method but `rank` and `size` is collective: all ranks call
/// it, in the same order. Sizes may differ between ranks; all are in bytes and unlimited.
pub trait Communicator: Send + Sync {
    /// Number of this rank, 0 to `size() − 1`.
    fn rank(&self) -> usize;

    /// Number of ranks.
    fn size(&self) -> usize;

    /// Number of this rank among those on the same node (chooses a GPU).
    fn node_rank(&self) -> usize;

    /// Waits for all ranks.
    fn barrier(&self);

    /// Element-wise maximum over ranks, in place on all ranks.
    fn max_f64(&self, values: &mut [f64]);

    /// Element-wise minimum over ranks, in place on all ranks.
    fn min_f64(&self, values: &mut [f64]);

    /// Element-wise sum over ranks, in place on all ranks. The order of addition is unspecified:
    /// only for sums that are exact in any order (see `exact_sum`).
    fn sum_f64(&self, values: &mut [f64]);

    /// Element-wise sum over ranks, in place on all ranks.
    fn sum_u64(&self, values: &mut [u64]);

    /// `bytes` of `root` on all ranks.
    fn broadcast(&self, root: usize, bytes: &mut Vec<u8>);

    /// The bytes of every rank, in order of rank, on `root`; empty elsewhere.
    fn gather(&self, root: usize, bytes: &[u8]) -> Vec<Vec<u8>>;

    /// Part `r` of `parts` (read on `root` only) on rank `r`.
    ///
    /// # Panics
    /// Where the parts of `root` are not one for each rank.
    fn scatter(&self, root: usize, parts: Vec<Vec<u8>>) -> Vec<u8>;

    /// Sends `outgoing[i].1` to rank `outgoing[i].0` and receives one message from each rank of
    /// `incoming`, in that order. `meanwhile` runs while the messages travel. Every send must be
    /// matched by a receive in the same call on the other rank; messages may be empty.
    fn exchange(
        &self,
        outgoing: &[(usize, Vec<u8>)],
        incoming: &[usize],
        meanwhile: &mut dyn FnMut(),
    ) -> Vec<Vec<u8>>;

    /// Time that this rank has spent in communication so far, waiting included; zero where nobody
    /// keeps it (see [`timed`]).
    fn waited(&self) -> Duration {
        Duration::ZERO
    }

    /// Ends all ranks at once, for what cannot be reported in order (a panic).
    fn abort(&self, exit_code: u8) -> !;
}
