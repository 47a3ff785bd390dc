//! Fast iterative method (Jeong & Whitaker 2008; Fu, Kirby & Whitaker 2013 for tetrahedra), with
//! the active list in buckets and re-solving only what touches a changed vertex.
//!
//! Across ranks all advance to a common time limit, exchange the ghosts that fell, and raise the
//! limit, until nothing is active anywhere.

use rayon::prelude::*;

use super::active_list::ActiveList;
use super::metric_mesh::MetricMesh;
use super::resolve::{Resolver, fall_limit};
use crate::comm::Communicator;
use crate::comm::halo::{Halo, Traffic};
use crate::real::Real;
use crate::simd::prefetch;

/// Touched tetrahedra from which on a batch is shared among the threads.
const PARALLEL_BATCH: usize = 1024;

/// Buckets that all ranks advance between two exchanges.
const BUCKETS_PER_ROUND: usize = 4;

/// Small falls of one vertex after which further ones are put off.
///
/// A cycle of the upwind graph whose weights are near 1 converges slowly, thousands of updates per
/// vertex. The canonical pass solves such a cycle at once, and the iteration goes on from there.
const PATIENCE: u8 = 24;

/// What a small fall is, relative to the time.
const SMALL_FALL: f64 = 1e-3;

/// What the iteration took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FimCounters {
    pub local_solves: u64,
    pub vertex_updates: u64,
    pub batches: u64,
    /// Falls put off: the fixed point is not reached.
    pub put_off: u64,
}

/// Whether to put off small falls of vertices updated too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    Limited,
    Unlimited,
}

/// Lowers `phi` (owned, then ghosts; times ≥ 0 that can only fall, ghosts included) to the fixed
/// point of the local solver, to within rounding and what is put off. The times that fell below
/// `known` are news to the tetrahedra around them. Collective.
#[allow(clippy::too_many_arguments)]
pub fn solve<T: Real>(
    comm: &dyn Communicator,
    halo: &Halo,
    mesh: &MetricMesh<T>,
    inv_gamma: &[T],
    phi: &mut [T],
    known: &[T],
    width: f64,
    patience: Patience,
    traffic: &mut Traffic,
) -> FimCounters {
    let mut front = Front::new(mesh, inv_gamma, phi, known, width);
    front.patience = patience;
    loop {
        let lowest = front.active.lowest().map_or(f64::INFINITY, |b| b as f64);
        let mut first = [lowest];
        comm.min_f64(&mut first);
        if first[0] == f64::INFINITY {
            return front.counters;
        }
        let limit = if comm.size() == 1 {
            usize::MAX
        } else {
            first[0] as usize + BUCKETS_PER_ROUND
        };
        front.advance(halo, limit);
        if comm.size() > 1 {
            front.exchange(comm, halo, traffic);
        }
    }
}

/// The moving front on one rank.
struct Front<'a, T: Real> {
    mesh: &'a MetricMesh<T>,
    inv_gamma: &'a [T],
    phi: &'a mut [T],
    active: ActiveList,
    /// Corners of each tetrahedron whose time fell in this batch.
    changed: Vec<u8>,
    /// Small falls of each vertex, as far as they can be counted.
    small_falls: Vec<u8>,
    patience: Patience,
    /// Shared owned vertices that fell since the last exchange.
    fell: Vec<u32>,
    counters: FimCounters,
    resolvers: Vec<Resolver<T>>,
}

impl<'a, T: Real> Front<'a, T> {
    fn new(
        mesh: &'a MetricMesh<T>,
        inv_gamma: &'a [T],
        phi: &'a mut [T],
        known: &[T],
        width: f64,
    ) -> Self {
        let mut active = ActiveList::new(phi.len(), width);
        for (v, (time, known)) in (0u32..).zip(phi.iter().zip(known)) {
            if *time < fall_limit(*known) {
                active.activate(v, f64::INFINITY, time.value());
            }
        }
        Self {
            changed: vec![0; mesh.tetrahedra.len()],
            small_falls: vec![0; phi.len()],
            patience: Patience::Limited,
            fell: Vec::new(),
            counters: FimCounters::default(),
            resolvers: (0..rayon::current_num_threads())
                .map(|_| Resolver::default())
                .collect(),
            mesh,
            inv_gamma,
            phi,
            active,
        }
    }

    /// Empties the buckets below `limit`.
    fn advance(&mut self, halo: &Halo, limit: usize) {
        let (mut batch, mut touched) = (Vec::new(), Vec::new());
        while let Some(bucket) = self.active.lowest().filter(|b| *b < limit) {
            self.active.take(bucket, &mut batch);
            self.counters.batches += 1;
            self.counters.vertex_updates += batch.len() as u64;
            self.touch(&batch, &mut touched);
            self.resolve(&touched);
            for t in touched.drain(..) {
                self.changed[t as usize] = 0;
            }
            self.apply(halo);
        }
    }

    /// Collects the tetrahedra around the vertices of the batch, each once.
    fn touch(&mut self, batch: &[u32], touched: &mut Vec<u32>) {
        for &v in batch {
            for &incidence in self.mesh.incidences(v) {
                let (t, corner) = (incidence >> 2, incidence & 3);
                let changed = &mut self.changed[t as usize];
                if *changed == 0 {
                    touched.push(t);
                    prefetch(&self.mesh.tetrahedra, t as usize);
                }
                *changed |= 1 << corner;
            }
        }
    }

    fn resolve(&mut self, touched: &[u32]) {
        let (mesh, inv_gamma, phi, changed) =
            (self.mesh, self.inv_gamma, &*self.phi, &self.changed[..]);
        let threads = self.resolvers.len();
        if threads == 1 || touched.len() < PARALLEL_BATCH {
            self.resolvers[0].resolve(mesh, inv_gamma, phi, changed, touched);
            return;
        }
        let share = touched.len().div_ceil(threads);
        self.resolvers
            .par_iter_mut()
            .zip(touched.par_chunks(share))
            .for_each(|(resolver, part)| resolver.resolve(mesh, inv_gamma, phi, changed, part));
    }

    /// Applies what the threads propose, in the order of the work: the same for any number of
    /// threads.
    fn apply(&mut self, halo: &Halo) {
        for resolver in &mut self.resolvers {
            self.counters.local_solves += std::mem::take(&mut resolver.local_solves);
            for (w, time) in resolver.proposals.drain(..) {
                let before = self.phi[w as usize];
                if time < before {
                    if before.value() - time.value() <= SMALL_FALL * before.value().abs() {
                        let falls = &mut self.small_falls[w as usize];
                        if *falls >= PATIENCE && self.patience == Patience::Limited {
                            self.counters.put_off += 1;
                            continue;
                        }
                        *falls = falls.saturating_add(1);
                    }
                    self.phi[w as usize] = time;
                    self.active.activate(w, before.value(), time.value());
                    if halo.is_shared(w) {
                        self.fell.push(w);
                    }
                }
            }
        }
    }

    /// Tells the other ranks what fell, and hears of theirs.
    fn exchange(&mut self, comm: &dyn Communicator, halo: &Halo, traffic: &mut Traffic) {
        self.fell.sort_unstable();
        self.fell.dedup();
        let sent = self
            .fell
            .iter()
            .map(|v| self.phi[*v as usize])
            .collect::<Vec<_>>();
        halo.update(comm, &self.fell, &sent, 1, traffic, |ghost, time| {
            let before = std::mem::replace(&mut self.phi[ghost as usize], time[0]);
            self.active.activate(ghost, before.value(), time[0].value());
        });
        self.fell.clear();
    }
}
