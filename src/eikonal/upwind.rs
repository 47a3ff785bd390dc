//! The upwind stencils of a solution and their causal order: all that derivatives need.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::levels::SHARE;
use super::local_solver::Stencil;
use crate::real::Real;
use crate::team::{Barrier, Team};

/// Winning tetrahedron, λ and s of one vertex.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpwindStencil {
    /// Local vertices of the face.
    pub vertices: [u32; 3],
    /// Local tetrahedron; [`UpwindStencil::NONE`] at sources and where no source reaches.
    pub tetrahedron: u32,
    /// Weights of the face's vertices, in the simplex.
    pub lambda: [f64; 3],
    /// Travel time from the foot point, ms.
    pub s: f64,
}

impl UpwindStencil {
    /// No tetrahedron wins here.
    pub const NONE: u32 = u32::MAX;

    /// A vertex whose time does not depend on others.
    pub fn fixed() -> Self {
        Self {
            vertices: [0; 3],
            tetrahedron: Self::NONE,
            lambda: [0.0; 3],
            s: 0.0,
        }
    }

    /// Whether the time depends on nothing: a source, or not reached.
    #[inline(always)]
    pub fn is_fixed(&self) -> bool {
        self.tetrahedron == Self::NONE
    }

    /// Upwind vertices with their weights, λ > 0.
    #[inline(always)]
    pub fn upwind(&self) -> impl Iterator<Item = (u32, f64)> {
        self.vertices
            .into_iter()
            .zip(self.lambda)
            .filter(|(_, lambda)| *lambda > 0.0)
    }
}

/// An [`UpwindStencil`] that a thread writes and others may write beside, as large as one.
pub(super) struct SharedStencil {
    vertices: [AtomicU32; 3],
    tetrahedron: AtomicU32,
    /// Bits of λ and s.
    lambda: [AtomicU64; 3],
    s: AtomicU64,
}

impl SharedStencil {
    /// A vertex whose time does not depend on others.
    pub fn fixed() -> Self {
        Self {
            vertices: Default::default(),
            tetrahedron: AtomicU32::new(UpwindStencil::NONE),
            lambda: Default::default(),
            s: AtomicU64::new(0),
        }
    }

    /// Takes over the face and the tetrahedron, and where the minimum is attained.
    #[inline(always)]
    pub fn set<T: Real>(&self, vertices: [u32; 3], tetrahedron: u32, at: &Stencil<T>) {
        for (to, vertex) in self.vertices.iter().zip(vertices) {
            to.store(vertex, Relaxed);
        }
        self.tetrahedron.store(tetrahedron, Relaxed);
        for (to, lambda) in self.lambda.iter().zip(at.lambda) {
            to.store(lambda.value().to_bits(), Relaxed);
        }
        self.s.store(at.s.value().to_bits(), Relaxed);
    }
}

impl From<SharedStencil> for UpwindStencil {
    #[inline(always)]
    fn from(shared: SharedStencil) -> Self {
        Self {
            vertices: shared.vertices.map(AtomicU32::into_inner),
            tetrahedron: shared.tetrahedron.into_inner(),
            lambda: (shared.lambda).map(|bits| f64::from_bits(bits.into_inner())),
            s: f64::from_bits(shared.s.into_inner()),
        }
    }
}

/// Vertices in causal order, by rounds with a halo exchange after each.
#[derive(Debug, Clone, Default)]
pub struct CausalOrder {
    /// Every owned vertex, and the ghosts that are computed here too, upwind before downwind.
    pub vertices: Vec<u32>,
    /// Ends of levels in `vertices`: the vertices of one do not depend on each other, but those
    /// of a cycle, which is a level of its own.
    pub levels: Vec<usize>,
    /// Ranges of `vertices` whose members depend on each other in circles, ascending.
    pub cycles: Vec<Range<usize>>,
    pub rounds: Vec<Round>,
}

impl CausalOrder {
    /// Calls `level` with all vertices of each of the `levels` (ranges of [`vertices`](Self::vertices)),
    /// shared out to the threads of a team, and `cycle` with all of one; one level after the other.
    pub fn by_levels(
        &self,
        team: &Team,
        levels: impl Iterator<Item = Range<usize>> + Clone + Sync,
        level: impl Fn(&[u32]) + Sync,
        cycle: impl Fn(&[u32]) + Sync,
    ) {
        let is_cycle = |range: &Range<usize>| {
            let at = self.cycles.binary_search_by_key(&range.start, |c| c.start);
            at.is_ok_and(|at| self.cycles[at] == *range)
        };
        let work = |thread: usize, barrier: &Barrier| {
            for range in levels.clone() {
                let vertices = &self.vertices[range.clone()];
                if !is_cycle(&range) {
                    let shares = vertices.chunks(SHARE).skip(thread);
                    shares.step_by(team.threads()).for_each(&level);
                } else if thread == 0 {
                    cycle(vertices);
                }
                barrier.wait();
            }
        };
        team.run(work, |barrier| work(0, barrier));
    }
}

/// What a rank can do between two exchanges.
#[derive(Debug, Clone, Default)]
pub struct Round {
    /// End of this round in [`CausalOrder::vertices`].
    pub end: usize,
    /// Cycles with members on several ranks, solved together at the end of the round (the same
    /// list on all ranks).
    pub shared_cycles: Vec<SharedCycle>,
}

/// A cycle with members on several ranks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedCycle {
    /// All members, numbers in the file, ascending.
    pub members: Vec<u32>,
    /// (local vertex, position in `members`) of those that this rank holds, ghosts included,
    /// ascending.
    pub local: Vec<(u32, u32)>,
}

impl SharedCycle {
    /// (local vertex, position in `members`) of the members among the first `owned` vertices.
    pub fn owned(&self, owned: usize) -> impl Iterator<Item = (u32, u32)> {
        let here = self.local.iter().copied();
        here.filter(move |(v, _)| (*v as usize) < owned)
    }

    /// Position in `members` of a local vertex.
    pub fn position(&self, vertex: u32) -> Option<u32> {
        let i = self.local.binary_search_by_key(&vertex, |(v, _)| *v).ok()?;
        Some(self.local[i].1)
    }
}
