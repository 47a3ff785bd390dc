//! The canonical times and upwind stencils: each vertex once, minimum over its candidates in the file's
//! order.
//!
//! The local solves of the vertices of a level are collected in blocks, as in the iteration.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;

use super::candidates::{Candidate, Candidates};
use super::levels::Visit;
use super::local_solver::{Stencil, stencil};
use super::metric_mesh::{FACE, MetricMesh};
use super::stencils::Stencils;
use super::transpose::Transpose;
use super::upwind::SharedStencil;
use crate::real::Real;
use crate::simd::prefetch;

/// Times and stencils of the vertices, and the graph of candidates.
pub struct Winners<'a, T: Real> {
    mesh: &'a MetricMesh<T>,
    inv_gamma: &'a [T],
    candidates: &'a Candidates,
    /// Onset time of each source held here, by ascending local vertex.
    sources: &'a [(u32, T)],
    pub phi: Vec<T::Shared>,
    /// The stencil of the winning candidate at each vertex.
    pub stencils: Vec<SharedStencil>,
    /// Vertices that depend on vertex u: `dependents[offsets[u]..offsets[u + 1]]`.
    offsets: Vec<u32>,
    dependents: Vec<u32>,
    /// Local solves made.
    pub local_solves: AtomicU64,
}

impl<'a, T: Real> Winners<'a, T> {
    /// Nothing computed yet; with the dependencies of each vertex that is computed here.
    pub fn new(
        mesh: &'a MetricMesh<T>,
        inv_gamma: &'a [T],
        candidates: &'a Candidates,
        sources: &'a [(u32, T)],
        phi: &[T],
    ) -> (Self, Vec<Option<u32>>) {
        let vertices = mesh.vertex_count() as u32;
        let depends_on = |v: u32| {
            let complete = candidates.are_complete(v).then(|| candidates.at(v));
            complete.into_iter().flatten().flat_map(Candidate::upwind)
        };
        let waiting = (0..vertices).into_par_iter().map(|v| {
            let count = || depends_on(v).count() as u32;
            candidates.are_complete(v).then(count)
        });
        let waiting = waiting.collect();
        let Transpose {
            offsets,
            entries: dependents,
        } = Transpose::new(phi.len(), |v| depends_on(v).map(move |u| (u, v)));
        let winners = Self {
            phi: phi.iter().map(|time| time.share()).collect(),
            stencils: (0..vertices)
                .into_par_iter()
                .map(|_| SharedStencil::fixed())
                .collect(),
            mesh,
            inv_gamma,
            candidates,
            sources,
            offsets,
            dependents,
            local_solves: AtomicU64::new(0),
        };
        (winners, waiting)
    }

    /// The time of a vertex.
    #[inline(always)]
    pub fn time(&self, v: u32) -> T {
        T::load(&self.phi[v as usize])
    }

    /// Vertices that depend on `u`.
    #[inline(always)]
    pub fn dependents_of(&self, u: u32) -> &[u32] {
        &self.dependents[self.offsets[u as usize] as usize..self.offsets[u as usize + 1] as usize]
    }

    /// Onset time, if `v` is a source.
    pub fn onset(&self, v: u32) -> Option<T> {
        let i = self.sources.binary_search_by_key(&v, |(u, _)| *u).ok()?;
        Some(self.sources[i].1)
    }

    /// Determines the stencil of `v`, whose time is known, by the present times, and returns the local
    /// solves that it took.
    pub fn set_stencil(&self, v: u32) -> u64 {
        let candidates = self.candidates.at(v);
        let solve = |candidate: &Candidate| {
            stencil(&candidate.problem(self.mesh, self.inv_gamma, |u| self.time(u)))
        };
        self.choose(v, candidates.iter().map(solve));
        candidates.len() as u64
    }

    /// Sets the stencil of `v` to the least of those of its candidates, ties to the first, and returns
    /// its time.
    #[inline(always)]
    fn choose(&self, v: u32, solved: impl Iterator<Item = Stencil<T>>) -> T {
        let mut time = self.onset(v).unwrap_or(T::from_f64(f64::INFINITY));
        let mut winner = None;
        for (candidate, at) in self.candidates.at(v).iter().zip(solved) {
            if at.phi < time {
                time = at.phi;
                winner = Some((candidate, at));
            }
        }
        if let Some((candidate, at)) = winner {
            let vertices = self.mesh.tetrahedra[candidate.tetrahedron()].vertices;
            let face = FACE[candidate.corner()].map(|i| vertices[i]);
            self.stencils[v as usize].set(face, candidate.tetrahedron() as u32, &at);
        }
        time
    }
}

impl<'a, T: Real> Visit for Winners<'a, T> {
    type Scratch = Blocks<T>;

    fn scratch(&self) -> Blocks<T> {
        Blocks {
            stencils: Box::default(),
            solved: Vec::new(),
        }
    }

    /// Time and stencil of each vertex: minimum over its candidates in the file's order, ties to
    /// the first.
    fn visit(&self, blocks: &mut Blocks<T>, vertices: &[u32]) {
        let Winners {
            mesh,
            inv_gamma,
            candidates,
            ..
        } = *self;
        for v in vertices {
            prefetch(candidates.all(), candidates.range(*v).start);
        }
        for candidate in vertices.iter().flat_map(|v| candidates.at(*v)) {
            prefetch(&mesh.tetrahedra, candidate.tetrahedron());
        }
        let Blocks { stencils, solved } = blocks;
        solved.clear();
        for candidate in vertices.iter().flat_map(|v| candidates.at(*v)) {
            let problem = candidate.problem(mesh, inv_gamma, |u| self.time(u));
            stencils.push(0, &problem, |_, _, at| solved.push(*at));
        }
        stencils.finish(|_, _, at| solved.push(*at));
        (self.local_solves).fetch_add(solved.len() as u64, Relaxed);
        let mut solved = solved.iter().copied();
        for &v in vertices {
            let here = solved.by_ref().take(candidates.range(v).len());
            self.choose(v, here).store(&self.phi[v as usize]);
        }
    }

    #[inline(always)]
    fn dependents(&self, u: u32, tell: impl FnMut(u32)) {
        self.dependents_of(u).iter().copied().for_each(tell);
    }
}

/// Local solves on their way.
pub struct Blocks<T: Real> {
    stencils: Box<Stencils<T>>,
    /// Solution of each candidate, in order of the vertices.
    solved: Vec<Stencil<T>>,
}
