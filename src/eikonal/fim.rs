//! Fast iterative method (Jeong & Whitaker 2008; Fu, Kirby & Whitaker 2013 for tetrahedra), with
//! the active list in buckets and re-solving only what touches a changed vertex.
//!
//! Across ranks all advance to a common time limit, exchange the ghosts that fell, and raise the
//! limit, until nothing is active anywhere.

use super::front::Front;
use super::metric_mesh::MetricMesh;
use crate::comm::Communicator;
use crate::comm::halo::{Halo, Traffic};
use crate::real::Real;
use crate::team::Team;

/// What the iteration took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FimCounters {
    pub local_solves: u64,
    pub vertex_updates: u64,
    pub batches: u64,
}

impl std::ops::AddAssign for FimCounters {
    fn add_assign(&mut self, other: Self) {
        self.local_solves += other.local_solves;
        self.vertex_updates += other.vertex_updates;
        self.batches += other.batches;
    }
}

/// Whether to put off small falls of vertices updated too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    Limited,
    Unlimited,
}

/// What an iteration works on.
pub struct Iteration<'a, T: Real> {
    pub mesh: &'a MetricMesh<T>,
    pub halo: &'a Halo,
    pub team: &'a Team,
    pub inv_gamma: &'a [T],
    /// Width of a bucket, ms.
    pub width: f64,
    /// Buckets that all ranks advance between two exchanges.
    pub buckets_per_round: usize,
    pub patience: Patience,
}

impl<T: Real> Iteration<'_, T> {
    /// Lowers `phi` (owned, then ghosts; times ≥ 0 that can only fall, ghosts included) to the
    /// fixed point of the local solver, to within the [slack](super::tolerance) and what is put off.
    /// The times that fell below `known` are news to the tetrahedra around them. Collective.
    pub fn solve(
        &self,
        comm: &dyn Communicator,
        phi: &mut [T],
        known: &[T],
        traffic: &mut Traffic,
    ) -> FimCounters {
        let front = Front::new(self, comm.size(), phi, known);
        loop {
            let mut first = [front.lowest().map_or(f64::INFINITY, |b| b as f64)];
            comm.min_f64(&mut first);
            if first[0] == f64::INFINITY {
                break;
            }
            if comm.size() == 1 {
                front.advance(usize::MAX);
            } else {
                front.advance(first[0] as usize + self.buckets_per_round);
                front.exchange(comm, traffic);
            }
        }
        front.finish(phi)
    }
}
