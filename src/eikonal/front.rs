//! The moving front on one rank, advanced by the threads of its team in step.
//!
//! Each vertex belongs to one thread, which alone lowers its time and keeps it in its active list.
//! A batch goes through three phases with a barrier after each: every thread takes its vertices of
//! the lowest bucket (several threads: of as many as make the batch worth the trouble); the tetrahedra
//! around the vertices of all are solved, each thread's own first, then what others left; every thread
//! applies what was found for its vertices. Times are read in the second phase only and written in
//! the third only, and a minimum does not depend on the order of its terms: with a given number of
//! threads the iteration takes the same course every time.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use super::active_list::{ActiveList, WINDOW};
use super::fim::{FimCounters, Iteration, Patience};
use super::metric_mesh::Incidence;
use super::pipeline::{Pipeline, Source};
use super::tolerance;
use crate::comm::Communicator;
use crate::comm::halo::Traffic;
use crate::real::Real;
use crate::team::Barrier;

/// Small falls of one vertex after which further ones are put off.
///
/// A cycle of the upwind graph whose weights are near 1 converges slowly, thousands of updates per
/// vertex. The canonical pass solves such a cycle at once, and the iteration goes on from there.
///
/// Across ranks a vertex also falls with every exchange that corrects what its rank ran ahead of.
fn patience(ranks: usize) -> u8 {
    if ranks > 1 { 40 } else { 12 }
}

/// What a small fall is, relative to the time.
const SMALL_FALL: f64 = 1e-3;

/// Vertices of a batch that a thread comes for at a time: a batch may be small, and each takes
/// about a microsecond.
const SHARE: std::ops::RangeInclusive<usize> = 4..=32;

/// Shares of each thread in a batch, where they are not too small.
const SHARES: usize = 4;

/// Vertices for each thread that make a batch worth the trouble, where there are several: else they
/// wait for one another more than they work.
const ENOUGH: usize = 64;

/// Consecutive vertices that belong to one thread are 2 to the power of these: enough that the
/// caches of two threads hold different ones, few enough that all have their share of the front.
const STRIPE: std::ops::RangeInclusive<u32> = 6..=10;

/// Stripes of each thread in a mesh, where they are not too large.
const STRIPES: usize = 16;

/// Vertices and times proposed for them.
type Proposals<T> = Vec<(u32, T)>;

/// The front of one rank.
pub struct Front<'a, T: Real> {
    iteration: &'a Iteration<'a, T>,
    /// The time of each vertex, negated while it is in the batch.
    times: Vec<T::Shared>,
    /// Whether each vertex is in an active list.
    active: Vec<AtomicBool>,
    /// The time of each vertex that the tetrahedra around it know.
    known: Vec<T::Shared>,
    /// Small falls of each vertex, as far as they can be counted.
    small_falls: Vec<AtomicU8>,
    workers: Vec<Mutex<Worker<T>>>,
    /// The vertices of the batch that belong to each thread.
    batches: Vec<RwLock<Vec<u32>>>,
    /// Times proposed by one thread for the vertices of another: `proposals[to][from]`.
    proposals: Vec<Vec<Mutex<Proposals<T>>>>,
    /// The lowest bucket of each thread, and how many are active there and in the next ones.
    lowest: Vec<(AtomicUsize, [AtomicUsize; WINDOW])>,
    /// Vertices that make a batch worth the trouble.
    enough: usize,
    /// Consecutive vertices that belong to one thread, as a power of two.
    stripe: u32,
    /// Where the next share of each thread's part of the batch begins.
    next: Vec<AtomicUsize>,
    /// Small falls after which further ones are put off.
    patience: u8,
}

/// What a thread has for itself.
struct Worker<T: Real> {
    active: ActiveList,
    pipeline: Pipeline<T>,
    /// Shared owned vertices that fell since the last exchange.
    fell: Vec<u32>,
    /// Corners around vertices of the batch.
    corners: Vec<Incidence>,
    counters: FimCounters,
}

impl<'a, T: Real> Front<'a, T> {
    /// The front at the vertices whose time `phi` is below what is `known`.
    pub fn new(iteration: &'a Iteration<'a, T>, ranks: usize, phi: &[T], known: &[T]) -> Self {
        let threads = 0..iteration.team.threads();
        let worker = |_| {
            Mutex::new(Worker {
                active: ActiveList::new(iteration.width),
                pipeline: Pipeline::new(-tolerance::slack::<T>()),
                fell: Vec::new(),
                corners: Vec::new(),
                counters: FimCounters::default(),
            })
        };
        let front = Self {
            times: phi.iter().map(|time| time.share()).collect(),
            active: phi.iter().map(|_| AtomicBool::new(false)).collect(),
            known: known.iter().map(|time| time.share()).collect(),
            small_falls: phi.iter().map(|_| AtomicU8::new(0)).collect(),
            workers: threads.clone().map(worker).collect(),
            batches: threads.clone().map(|_| RwLock::default()).collect(),
            proposals: threads
                .clone()
                .map(|_| threads.clone().map(|_| Mutex::default()).collect())
                .collect(),
            lowest: threads.clone().map(|_| Default::default()).collect(),
            enough: match iteration.team.threads() {
                1 => 1,
                threads => ENOUGH * threads,
            },
            stripe: (phi.len() / (STRIPES * threads.len()))
                .max(1)
                .ilog2()
                .clamp(*STRIPE.start(), *STRIPE.end()),
            next: threads.clone().map(|_| AtomicUsize::new(0)).collect(),
            patience: patience(ranks),
            iteration,
        };
        let below = T::from_f64(1.0 - tolerance::slack::<T>());
        for (v, (time, known)) in (0u32..).zip(phi.iter().zip(known)) {
            if *time < *known * below {
                front.activate(&mut front.worker(front.thread_of(v)), v, f64::INFINITY);
            }
        }
        front
    }

    /// What the iteration took, and its times.
    pub fn finish(self, phi: &mut [T]) -> FimCounters {
        for (phi, time) in phi.iter_mut().zip(&self.times) {
            *phi = T::load(time);
        }
        let mut counters = FimCounters::default();
        for k in 0..self.workers.len() {
            let worker = self.worker(k);
            counters += worker.counters;
            counters.local_solves += worker.pipeline.local_solves();
        }
        counters
    }

    fn worker(&self, thread: usize) -> MutexGuard<'_, Worker<T>> {
        lock(&self.workers[thread])
    }

    /// The thread that vertex `v` belongs to.
    #[inline(always)]
    fn thread_of(&self, v: u32) -> usize {
        match self.workers.len() {
            1 => 0,
            threads => (v >> self.stripe) as usize % threads,
        }
    }

    #[inline(always)]
    fn time(&self, v: u32) -> T {
        T::load(&self.times[v as usize])
    }

    #[inline(always)]
    fn set_time(&self, v: u32, time: T) {
        time.store(&self.times[v as usize]);
    }

    #[inline(always)]
    fn is_active(&self, v: u32) -> bool {
        self.active[v as usize].load(Relaxed)
    }

    /// Adds `v`, whose time fell from `before`, to the active list of its thread.
    #[inline(always)]
    fn activate(&self, worker: &mut Worker<T>, v: u32, before: f64) {
        let time = self.time(v).value();
        let active = self.is_active(v);
        self.active[v as usize].store(true, Relaxed);
        worker.active.activate(v, active, before, time);
    }

    /// The lowest bucket that holds an active vertex.
    pub fn lowest(&self) -> Option<usize> {
        (0..self.workers.len())
            .filter_map(|k| self.worker(k).active.lowest())
            .map(|(bucket, _)| bucket)
            .min()
    }

    /// Empties the buckets below `limit`.
    pub fn advance(&self, limit: usize) {
        self.iteration.team.run(
            |thread, barrier| self.work(thread, barrier, limit),
            |barrier| self.work(0, barrier, limit),
        );
    }

    /// The part of thread `thread` in that.
    fn work(&self, thread: usize, barrier: &Barrier, limit: usize) {
        let worker = &mut *self.worker(thread);
        loop {
            let (lowest, counts) = worker.active.lowest().unwrap_or((usize::MAX, [0; WINDOW]));
            self.lowest[thread].0.store(lowest, Relaxed);
            for (shared, count) in self.lowest[thread].1.iter().zip(counts) {
                shared.store(count, Relaxed);
            }
            barrier.wait();
            // All threads find the same.
            let Some(buckets) = self.next_buckets(limit) else {
                return;
            };
            self.take(thread, worker, buckets);
            barrier.wait();
            self.resolve(thread, worker);
            barrier.wait();
            self.apply(thread, worker);
        }
    }

    /// The buckets of the next batch, all below `limit`: the lowest one, and as many of the next
    /// ones as make a batch worth the trouble.
    fn next_buckets(&self, limit: usize) -> Option<Range<usize>> {
        let lowest = self.lowest.iter().map(|(lowest, _)| lowest.load(Relaxed));
        let first = lowest.min().filter(|first| *first < limit)?;
        let (mut end, mut count) = (first, 0);
        while count < self.enough && end < limit.min(first + WINDOW) {
            for (lowest, counts) in &self.lowest {
                let at = end.checked_sub(lowest.load(Relaxed));
                count += at.map_or(0, |at| counts[at].load(Relaxed));
            }
            end += 1;
        }
        Some(first..end)
    }

    /// Takes the thread's vertices of some buckets for the batch.
    fn take(&self, thread: usize, worker: &mut Worker<T>, buckets: Range<usize>) {
        let Worker {
            active, counters, ..
        } = worker;
        let mut batch = write(&self.batches[thread]);
        active.take(buckets, &mut batch, |v| {
            if !self.is_active(v) {
                return false;
            }
            let put_off = self.puts_off(v);
            self.active[v as usize].store(false, Relaxed);
            if !put_off {
                self.set_time(v, -self.time(v));
            }
            !put_off
        });
        // Neighbours in memory one after the other.
        batch.sort_unstable();
        counters.vertex_updates += batch.len() as u64;
        self.next[thread].store(0, Relaxed);
        if thread == 0 {
            counters.batches += 1;
        }
    }

    /// Whether the fall of `v` is to be put off; else it counts as known from now on.
    #[inline(always)]
    fn puts_off(&self, v: u32) -> bool {
        let (time, known) = (self.time(v), T::load(&self.known[v as usize]));
        if known.value() - time.value() <= SMALL_FALL * known.value() {
            let falls = self.small_falls[v as usize].load(Relaxed);
            if falls >= self.patience && self.iteration.patience == Patience::Limited {
                return true;
            }
            self.small_falls[v as usize].store(falls.saturating_add(1), Relaxed);
        }
        time.store(&self.known[v as usize]);
        false
    }

    /// Solves around the vertices of the batch, as far as other threads do not.
    fn resolve(&self, thread: usize, worker: &mut Worker<T>) {
        let batches: Vec<_> = self.batches.iter().map(read).collect();
        let count: usize = batches.iter().map(|batch| batch.len()).sum();
        let share = match batches.len() {
            1 => *SHARE.end(),
            threads => (count / (SHARES * threads)).clamp(*SHARE.start(), *SHARE.end()),
        };
        // Its own first: they lie in its caches.
        let mine_first = (0..batches.len()).map(|k| (thread + k) % batches.len());
        for owner in mine_first {
            let batch = &batches[owner];
            loop {
                let from = self.next[owner].fetch_add(share, Relaxed).min(batch.len());
                let vertices = &batch[from..batch.len().min(from + share)];
                if vertices.is_empty() {
                    break;
                }
                self.resolve_around(worker, vertices);
            }
        }
        worker.pipeline.finish();
        let mut out: Vec<_> = self.proposals.iter().map(|to| lock(&to[thread])).collect();
        let mesh = self.iteration.mesh;
        for (incidence, time) in worker.pipeline.found() {
            let w = mesh.vertex_at(incidence);
            out[self.thread_of(w)].push((w, time));
        }
    }

    /// Sends the tetrahedra around `vertices` through the pipeline, each tetrahedron with the
    /// first of its vertices in the batch.
    fn resolve_around(&self, worker: &mut Worker<T>, vertices: &[u32]) {
        let Iteration {
            mesh, inv_gamma, ..
        } = *self.iteration;
        let Worker {
            pipeline, corners, ..
        } = worker;
        corners.clear();
        for v in vertices {
            mesh.prefetch_incidences(*v);
        }
        for v in vertices {
            corners.extend_from_slice(mesh.incidences(*v));
        }
        let source = Source {
            mesh,
            inv_gamma,
            times: &self.times,
            asked: mesh.owned,
        };
        pipeline.push(&source, corners);
    }

    /// Applies what was found for the thread's vertices.
    fn apply(&self, thread: usize, worker: &mut Worker<T>) {
        for v in read(&self.batches[thread]).iter() {
            self.set_time(*v, -self.time(*v));
        }
        for from in &self.proposals[thread] {
            for (w, time) in lock(from).drain(..) {
                let before = self.time(w);
                if time < before {
                    self.set_time(w, time);
                    self.activate(worker, w, before.value());
                    if self.iteration.halo.is_shared(w) {
                        worker.fell.push(w);
                    }
                }
            }
        }
    }

    /// Tells the other ranks what fell, and hears of theirs.
    pub fn exchange(&self, comm: &dyn Communicator, traffic: &mut Traffic) {
        let mut fell = Vec::new();
        for k in 0..self.workers.len() {
            fell.append(&mut self.worker(k).fell);
        }
        fell.sort_unstable();
        fell.dedup();
        let sent: Vec<T> = fell.iter().map(|v| self.time(*v)).collect();
        let halo = self.iteration.halo;
        halo.update(comm, &fell, &sent, 1, traffic, |ghost, time| {
            let before = self.time(ghost).value();
            self.set_time(ghost, time[0]);
            self.activate(&mut self.worker(self.thread_of(ghost)), ghost, before);
        });
    }
}

// A panic of another thread ends the team by itself; the data behind the locks are whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
