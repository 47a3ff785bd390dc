//! Levels of the causal order, computed by the threads of a team.
//!
//! A level is what waits for nothing once the levels before it are known (Kahn 1962). Its vertices
//! do not depend on each other: their local solves are collected in blocks, as in the iteration,
//! and shared out as threads come for more.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError, RwLock};

use super::block::Block;
use super::candidates::Candidates;
use super::local_solver::arrival;
use super::metric_mesh::MetricMesh;
use super::simd::Kernels;
use crate::real::Real;
use crate::simd::prefetch;
use crate::team::{Barrier, Team};

/// Vertices of a level that a thread comes for at a time.
const SHARE: usize = 32;

/// No cycle, no candidate.
pub const NONE: u32 = u32::MAX;

/// Times and winners of the vertices, and the graph that orders them.
pub struct Levels<'a, T: Real> {
    mesh: &'a MetricMesh<T>,
    inv_gamma: &'a [T],
    candidates: &'a Candidates,
    /// Onset time of each source held here, by ascending local vertex.
    sources: &'a [(u32, T)],
    team: &'a Team,
    pub phi: Vec<T::Shared>,
    /// The winning candidate of each owned vertex, or [`NONE`].
    pub winners: Vec<AtomicU32>,
    /// Candidates' dependencies of each owned vertex that are not resolved yet.
    waiting: Vec<AtomicU32>,
    /// Owned vertices that depend on vertex u: `dependents[offsets[u]..offsets[u + 1]]`.
    offsets: Vec<u32>,
    dependents: Vec<u32>,
    /// Cycle of each owned vertex, [`NONE`] for most; empty while cycles are not known.
    pub cycle_of: Vec<u32>,
}

/// What became of telling dependents that a vertex is resolved.
#[derive(Default)]
pub struct News {
    /// Vertices that wait for nothing more.
    pub ready: Vec<u32>,
    /// A cycle for each dependency of its members that is resolved.
    pub cycles: Vec<u32>,
}

impl<'a, T: Real> Levels<'a, T> {
    /// Nothing resolved yet.
    pub fn new(
        mesh: &'a MetricMesh<T>,
        inv_gamma: &'a [T],
        candidates: &'a Candidates,
        sources: &'a [(u32, T)],
        team: &'a Team,
        phi: &[T],
    ) -> Self {
        let (owned, vertices) = (mesh.owned as u32, mesh.vertex_count());
        let mut offsets = vec![0u32; vertices + 1];
        let mut waiting = Vec::with_capacity(mesh.owned);
        for v in 0..owned {
            let mut count = 0;
            for u in candidates.at(v).iter().flat_map(|c| c.face) {
                // One that does not count is no vertex.
                if u != NONE {
                    offsets[u as usize + 1] += 1;
                    count += 1;
                }
            }
            waiting.push(AtomicU32::new(count));
        }
        for v in 0..vertices {
            offsets[v + 1] += offsets[v];
        }
        let mut next = offsets.clone();
        let mut dependents = vec![0; offsets[vertices] as usize];
        for v in 0..owned {
            for u in candidates.at(v).iter().flat_map(|c| c.face) {
                if u != NONE {
                    let slot = &mut next[u as usize];
                    dependents[*slot as usize] = v;
                    *slot += 1;
                }
            }
        }
        Self {
            phi: phi.iter().map(|time| time.share()).collect(),
            winners: (0..owned).map(|_| AtomicU32::new(NONE)).collect(),
            mesh,
            inv_gamma,
            candidates,
            sources,
            team,
            waiting,
            offsets,
            dependents,
            cycle_of: Vec::new(),
        }
    }

    /// The time of a vertex.
    #[inline(always)]
    pub fn time(&self, v: u32) -> T {
        T::load(&self.phi[v as usize])
    }

    /// Whether owned vertex `v` depends on what is not resolved.
    #[inline(always)]
    pub fn waits(&self, v: u32) -> bool {
        self.waiting[v as usize].load(Relaxed) > 0
    }

    /// Owned vertices that depend on `u`.
    #[inline(always)]
    pub fn dependents(&self, u: u32) -> &[u32] {
        &self.dependents[self.offsets[u as usize] as usize..self.offsets[u as usize + 1] as usize]
    }

    /// Onset time, if `v` is a source.
    pub fn onset(&self, v: u32) -> Option<T> {
        let i = self.sources.binary_search_by_key(&v, |(u, _)| *u).ok()?;
        Some(self.sources[i].1)
    }

    /// The winning candidate at `v` with the present times, and the local solves that it took.
    pub fn winner(&self, v: u32) -> (u32, u64) {
        let mut time = self.onset(v).unwrap_or(T::from_f64(f64::INFINITY));
        let mut winner = NONE;
        for (c, candidate) in self.candidates.range(v).zip(self.candidates.at(v)) {
            let arrival = arrival(&candidate.problem(self.mesh, self.inv_gamma, |u| self.time(u)));
            if arrival < time {
                (time, winner) = (arrival, c as u32);
            }
        }
        (winner, self.candidates.at(v).len() as u64)
    }

    /// Tells the dependents that `u`, a member of `cycle`, is resolved.
    #[inline(always)]
    pub fn resolve(&self, u: u32, cycle: u32, news: &mut News) {
        let alone = self.team.threads() == 1;
        for &v in self.dependents(u) {
            let waiting = &self.waiting[v as usize];
            let before = if alone {
                // What a locked instruction would do, at a tenth of its cost.
                let before = waiting.load(Relaxed);
                waiting.store(before - 1, Relaxed);
                before
            } else {
                waiting.fetch_sub(1, Relaxed)
            };
            match self.cycle_of.get(v as usize).copied().unwrap_or(NONE) {
                NONE if before == 1 => news.ready.push(v),
                NONE => {}
                c if c != cycle => news.cycles.push(c),
                _ => {}
            }
        }
    }

    /// Computes the `ready` vertices, and what becomes ready by that, level by level, and adds
    /// them to `order`. Returns the cycles whose members have dependencies less, and the number of
    /// local solves.
    pub fn work_off(&self, ready: Vec<u32>, order: &mut Vec<u32>) -> (Vec<u32>, u64) {
        let start = order.len();
        order.extend(ready);
        let run = Run {
            start: AtomicUsize::new(start),
            next: AtomicUsize::new(start),
            order: RwLock::new(std::mem::take(order)),
            news: (0..self.team.threads()).map(|_| Mutex::default()).collect(),
            local_solves: AtomicUsize::new(0),
        };
        self.team.run(
            |thread, barrier| self.work(thread, barrier, &run),
            |barrier| self.work(0, barrier, &run),
        );
        *order = run
            .order
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let news = run.news.into_iter();
        let cycles = news.flat_map(|n| {
            n.into_inner()
                .unwrap_or_else(PoisonError::into_inner)
                .cycles
        });
        (cycles.collect(), run.local_solves.into_inner() as u64)
    }

    /// The part of thread `thread` in that.
    fn work(&self, thread: usize, barrier: &Barrier, run: &Run) {
        let mut solver = LevelSolver::new(self);
        loop {
            let mut news = run.news[thread]
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let order = run.order.read().unwrap_or_else(PoisonError::into_inner);
            if run.start.load(Relaxed) == order.len() {
                break;
            }
            loop {
                let from = run.next.fetch_add(SHARE, Relaxed).min(order.len());
                let vertices = &order[from..order.len().min(from + SHARE)];
                if vertices.is_empty() {
                    break;
                }
                solver.solve(vertices);
                for v in vertices {
                    self.resolve(*v, NONE, &mut news);
                }
            }
            drop((order, news));
            barrier.wait();
            if thread == 0 {
                run.next_level();
            }
            barrier.wait();
        }
        run.local_solves.fetch_add(solver.local_solves, Relaxed);
    }
}

/// What the threads share while they work off levels.
struct Run {
    /// Vertices of all levels so far; the present one begins at `start`.
    order: RwLock<Vec<u32>>,
    start: AtomicUsize,
    /// Where the next thread takes its share.
    next: AtomicUsize,
    news: Vec<Mutex<News>>,
    local_solves: AtomicUsize,
}

impl Run {
    /// Makes a level of what all threads found ready.
    fn next_level(&self) {
        let mut order = self.order.write().unwrap_or_else(PoisonError::into_inner);
        self.start.store(order.len(), Relaxed);
        self.next.store(order.len(), Relaxed);
        for news in &self.news {
            order.append(&mut news.lock().unwrap_or_else(PoisonError::into_inner).ready);
        }
    }
}

/// Scratch of one thread.
struct LevelSolver<'a, 'b, T: Real> {
    levels: &'a Levels<'b, T>,
    kernels: Kernels<T>,
    interior: Box<Block<T>>,
    boundary: Box<Block<T>>,
    /// Solution of each candidate, in order of the vertices.
    arrivals: Vec<T>,
    local_solves: usize,
}

impl<'a, 'b, T: Real> LevelSolver<'a, 'b, T> {
    fn new(levels: &'a Levels<'b, T>) -> Self {
        Self {
            levels,
            kernels: Kernels::detect(),
            interior: Box::default(),
            boundary: Box::default(),
            arrivals: Vec::new(),
            local_solves: 0,
        }
    }

    /// Time and winner of each vertex: minimum over its candidates in the file's order, ties to
    /// the first.
    fn solve(&mut self, vertices: &[u32]) {
        let Levels {
            mesh,
            inv_gamma,
            candidates,
            ..
        } = *self.levels;
        for v in vertices {
            prefetch(candidates.all(), candidates.range(*v).start);
        }
        for candidate in vertices.iter().flat_map(|v| candidates.at(*v)) {
            prefetch(&mesh.tetrahedra, candidate.tetrahedron());
        }
        self.arrivals.clear();
        for candidate in vertices.iter().flat_map(|v| candidates.at(*v)) {
            let problem = candidate.problem(mesh, inv_gamma, |u| self.levels.time(u));
            let slot = self.arrivals.len() as u32;
            self.arrivals.push(T::from_f64(f64::INFINITY));
            if self.interior.room() == 0 {
                self.flush_interior();
            }
            let limit = T::from_f64(f64::INFINITY);
            self.interior.push_corner(&problem, slot, limit);
        }
        self.flush_interior();
        self.flush_boundary();
        self.local_solves += self.arrivals.len();
        let mut slot = 0;
        for &v in vertices {
            let mut time = self.levels.onset(v).unwrap_or(T::from_f64(f64::INFINITY));
            let mut winner = NONE;
            for c in candidates.range(v) {
                if self.arrivals[slot] < time {
                    (time, winner) = (self.arrivals[slot], c as u32);
                }
                slot += 1;
            }
            time.store(&self.levels.phi[v as usize]);
            self.levels.winners[v as usize].store(winner, Relaxed);
        }
    }

    fn flush_interior(&mut self) {
        self.kernels.interior(&mut self.interior);
        for i in 0..self.interior.len() {
            let arrival = self.interior.arrival[i];
            if arrival.value() < f64::INFINITY {
                self.arrivals[self.interior.label[i] as usize] = arrival;
            } else {
                if self.boundary.room() == 0 {
                    self.flush_boundary();
                }
                self.boundary.push_from(&self.interior, i);
            }
        }
        self.interior.clear();
    }

    fn flush_boundary(&mut self) {
        self.kernels.boundary(&mut self.boundary);
        for i in 0..self.boundary.len() {
            self.arrivals[self.boundary.label[i] as usize] = self.boundary.arrival[i];
        }
        self.boundary.clear();
    }
}
