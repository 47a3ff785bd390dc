//! Levels of a graph of dependencies, worked off by the threads of a team.
//!
//! A level is what waits for nothing once the levels before it are known (Kahn 1962). Its vertices
//! do not depend on each other and are shared out as threads come for more.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError, RwLock};

use crate::team::{Barrier, Team};

/// Vertices of a level that a thread takes at a time.
pub const SHARE: usize = 32;

/// No vertex, no cycle, no candidate.
pub const NONE: u32 = u32::MAX;

/// More dependencies than a vertex can have: it never becomes ready.
const NEVER: u32 = 1 << 31;

/// What is computed at the vertices of a graph.
pub trait Visit: Sync {
    /// What a thread has for itself.
    type Scratch;

    fn scratch(&self) -> Self::Scratch;

    /// Computes `vertices`, whose dependencies are all known.
    fn visit(&self, scratch: &mut Self::Scratch, vertices: &[u32]);

    /// Calls `tell` with v for each dependency of a vertex v on `u`.
    fn dependents(&self, u: u32, tell: impl FnMut(u32));
}

/// A graph and how much each of its vertices waits for.
pub struct Levels<'a, G> {
    pub graph: G,
    team: &'a Team,
    /// Dependencies of each vertex that are not resolved yet.
    waiting: Vec<AtomicU32>,
    /// Cycle of each vertex, [`NONE`] for most; vertices beyond its end have none.
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

impl<'a, G: Visit> Levels<'a, G> {
    /// Nothing resolved yet; vertex v waits for `waiting[v]` others, `None`: it is computed
    /// elsewhere.
    pub fn new(team: &'a Team, graph: G, waiting: impl Iterator<Item = Option<u32>>) -> Self {
        Self {
            graph,
            team,
            waiting: waiting
                .map(|count| AtomicU32::new(count.unwrap_or(NEVER)))
                .collect(),
            cycle_of: Vec::new(),
        }
    }

    /// The vertices that wait for nothing.
    pub fn ready(&self) -> Vec<u32> {
        let count = self.waiting.len() as u32;
        (0..count).filter(|v| !self.waits(*v)).collect()
    }

    /// Whether `v` depends on what is not resolved.
    #[inline(always)]
    pub fn waits(&self, v: u32) -> bool {
        self.waiting[v as usize].load(Relaxed) > 0
    }

    /// Notes that `v`, which waits, is computed elsewhere.
    pub fn settle(&self, v: u32) {
        self.waiting[v as usize].store(NEVER, Relaxed);
    }

    /// Tells the dependents that `u`, a member of `cycle`, is resolved.
    #[inline(always)]
    pub fn resolve(&self, u: u32, cycle: u32, news: &mut News) {
        let alone = self.team.threads() == 1;
        self.graph.dependents(u, |v| {
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
        });
    }

    /// Computes the `ready` vertices, and what becomes ready by that, level by level, and adds
    /// them to `order` and the ends of the levels there to `ends`. Returns the cycles whose
    /// members have dependencies less.
    pub fn work_off(
        &self,
        ready: Vec<u32>,
        order: &mut Vec<u32>,
        ends: &mut Vec<usize>,
    ) -> Vec<u32> {
        let start = order.len();
        order.extend(ready);
        let run = Run {
            start: AtomicUsize::new(start),
            next: AtomicUsize::new(start),
            order: RwLock::new((std::mem::take(order), std::mem::take(ends))),
            news: (0..self.team.threads()).map(|_| Mutex::default()).collect(),
        };
        self.team.run(
            |thread, barrier| self.work(thread, barrier, &run),
            |barrier| self.work(0, barrier, &run),
        );
        (*order, *ends) = run
            .order
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let news = run.news.into_iter();
        let cycles = news.flat_map(|n| {
            n.into_inner()
                .unwrap_or_else(PoisonError::into_inner)
                .cycles
        });
        cycles.collect()
    }

    /// The part of thread `thread` in that.
    fn work(&self, thread: usize, barrier: &Barrier, run: &Run) {
        let mut scratch = self.graph.scratch();
        loop {
            let mut news = run.news[thread]
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let order = run.order.read().unwrap_or_else(PoisonError::into_inner);
            let (all, _) = &*order;
            if run.start.load(Relaxed) == all.len() {
                break;
            }
            loop {
                let from = run.next.fetch_add(SHARE, Relaxed).min(all.len());
                let vertices = &all[from..all.len().min(from + SHARE)];
                if vertices.is_empty() {
                    break;
                }
                self.graph.visit(&mut scratch, vertices);
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
    }
}

/// What the threads share while they work off levels.
struct Run {
    /// Vertices of all levels so far, and the levels' ends; the present one begins at `start`.
    order: RwLock<(Vec<u32>, Vec<usize>)>,
    start: AtomicUsize,
    /// Where the next thread takes its share.
    next: AtomicUsize,
    news: Vec<Mutex<News>>,
}

impl Run {
    /// Makes a level of what all threads found ready.
    fn next_level(&self) {
        let mut order = self.order.write().unwrap_or_else(PoisonError::into_inner);
        let (vertices, ends) = &mut *order;
        let end = vertices.len();
        ends.push(end);
        self.start.store(end, Relaxed);
        self.next.store(end, Relaxed);
        for news in &self.news {
            let mut news = news.lock().unwrap_or_else(PoisonError::into_inner);
            vertices.append(&mut news.ready);
        }
    }
}
