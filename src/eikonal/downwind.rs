//! The transpose of the upwind graph: who depends on each vertex, with which weight.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rayon::prelude::*;

use super::forward::{Eikonal, Solution};
use super::upwind::UpwindStencil;
use crate::comm::Communicator;
use crate::comm::halo::Traffic;
use crate::real::Real;

/// Who depends on each vertex of a rank, as far as the rank knows: on its owned vertices all.
#[derive(Debug)]
pub struct Downwind {
    /// Those of vertex u: `edges[offsets[u]..offsets[u + 1]]`.
    offsets: Vec<u32>,
    /// Local vertex v · 4 + position of u in its stencil, by ascending number of v in the file.
    edges: Vec<u32>,
    /// Stencils of the ghosts; local numbers of what is not held here are [`ABSENT`].
    pub ghosts: Vec<UpwindStencil>,
}

/// A vertex that this rank does not hold.
pub const ABSENT: u32 = u32::MAX;

/// Vertices per task.
const CHUNK: usize = 4096;

impl Downwind {
    /// (vertex, position of `u` in its stencil) of all that depend on `u`.
    #[inline(always)]
    pub fn at(&self, u: u32) -> impl Iterator<Item = (u32, usize)> {
        let u = u as usize;
        let edges = &self.edges[self.offsets[u] as usize..self.offsets[u + 1] as usize];
        edges.iter().map(|edge| (edge >> 2, (edge & 3) as usize))
    }

    /// How many depend on `u`.
    #[inline(always)]
    pub fn count(&self, u: u32) -> u32 {
        self.offsets[u as usize + 1] - self.offsets[u as usize]
    }

    /// The transpose of what `stencils` and those of the `ghosts` say, for vertices of the numbers
    /// `names` in the file.
    fn new(stencils: &[UpwindStencil], ghosts: Vec<UpwindStencil>, names: &[u32]) -> Self {
        let vertices = stencils.len() + ghosts.len();
        // Most edges are within a chunk, and count without a locked instruction.
        let zeros = || -> Vec<AtomicU32> { (0..vertices).map(|_| AtomicU32::new(0)).collect() };
        let (near, far) = (zeros(), zeros());
        for_edges(stencils, &ghosts, |u, _, is_near| {
            add_one(&near, &far, u, is_near);
        });
        let mut offsets = Vec::with_capacity(vertices + 1);
        let mut end = 0;
        for (near, far) in near.iter().zip(&far) {
            offsets.push(end);
            end += near.swap(end, Relaxed);
            end += far.swap(end, Relaxed);
        }
        offsets.push(end);
        let edges: Vec<AtomicU32> = (0..end).map(|_| AtomicU32::new(0)).collect();
        for_edges(stencils, &ghosts, |u, edge, is_near| {
            let place = add_one(&near, &far, u, is_near);
            edges[place as usize].store(edge, Relaxed);
        });
        let mut edges: Vec<u32> = edges.into_iter().map(AtomicU32::into_inner).collect();
        let mut rest = &mut edges[..];
        let mut shares = Vec::new();
        for first in (0..vertices).step_by(CHUNK) {
            let offsets = &offsets[first..=vertices.min(first + CHUNK)];
            let count = offsets[offsets.len() - 1] - offsets[0];
            let (share, after) = rest.split_at_mut(count as usize);
            shares.push((offsets, share));
            rest = after;
        }
        let name = |edge: u32| names[(edge >> 2) as usize];
        shares.into_par_iter().for_each(|(offsets, share)| {
            for of_vertex in offsets.windows(2) {
                let [start, end] = [0, 1].map(|i| (of_vertex[i] - offsets[0]) as usize);
                let list = &mut share[start..end];
                // Sorting calls for more than two.
                match list {
                    [] | [_] => {}
                    [a, b] if name(*a) < name(*b) => {}
                    [a, b] => std::mem::swap(a, b),
                    _ => list.sort_unstable_by_key(|edge| name(*edge)),
                }
            }
        });
        Self {
            offsets,
            edges,
            ghosts,
        }
    }
}

/// Calls `edge(u, v · 4 + i, is_near)` for each vertex v and its upwind vertex u, the i-th of its
/// stencil; near are vertices of one chunk, which one thread goes through.
fn for_edges(
    stencils: &[UpwindStencil],
    ghosts: &[UpwindStencil],
    edge: impl Fn(u32, u32, bool) + Sync,
) {
    for (first, list) in [(0, stencils), (stencils.len(), ghosts)] {
        let chunks = list.par_chunks(CHUNK).enumerate();
        chunks.for_each(|(chunk, list)| {
            let begin = first + chunk * CHUNK;
            let here = begin as u32..(begin + list.len()) as u32;
            for (v, stencil) in here.clone().zip(list) {
                for (i, (u, lambda)) in
                    (0u32..).zip(stencil.vertices.into_iter().zip(stencil.lambda))
                {
                    if lambda > 0.0 && u != ABSENT {
                        edge(u, v << 2 | i, here.contains(&u));
                    }
                }
            }
        });
    }
}

/// Adds 1 to one of the counts of `u` and returns what was there before.
#[inline(always)]
fn add_one(near: &[AtomicU32], far: &[AtomicU32], u: u32, is_near: bool) -> u32 {
    if is_near {
        // What a locked instruction would do, at a tenth of its cost: no other thread is here.
        let count = &near[u as usize];
        let before = count.load(Relaxed);
        count.store(before + 1, Relaxed);
        return before;
    }
    far[u as usize].fetch_add(1, Relaxed)
}

impl<T: Real> Eikonal<T> {
    /// Who depends on whom, across ranks. Collective.
    pub fn downwind(
        &self,
        comm: &dyn Communicator,
        solution: &Solution<T>,
        traffic: &mut Traffic,
    ) -> Downwind {
        let ghosts = self.ghost_stencils(comm, solution, traffic);
        Downwind::new(&solution.stencils, ghosts, &self.numbers.vertices)
    }

    /// The stencils of the ghosts, from their owners. Collective.
    fn ghost_stencils(
        &self,
        comm: &dyn Communicator,
        solution: &Solution<T>,
        traffic: &mut Traffic,
    ) -> Vec<UpwindStencil> {
        let owned = self.mesh.owned;
        let mut ghosts = vec![UpwindStencil::fixed(); self.mesh.vertex_count() - owned];
        if comm.size() == 1 {
            return ghosts;
        }
        let shared: Vec<u32> = (0..owned as u32)
            .filter(|v| self.halo.is_shared(*v) && !solution.stencils[*v as usize].is_fixed())
            .collect();
        // Three vertices, the tetrahedron, then λ and s, two words each.
        let words: Vec<u32> = shared
            .iter()
            .flat_map(|v| {
                let s = &solution.stencils[*v as usize];
                let [a, b, c] = s.vertices.map(|u| self.numbers.vertices[u as usize]);
                let t = self.numbers.tetrahedra[s.tetrahedron as usize];
                let weights = [s.lambda[0], s.lambda[1], s.lambda[2], s.s];
                let weights = weights.map(f64::to_bits).into_iter();
                let words = weights.flat_map(|bits| [bits as u32, (bits >> 32) as u32]);
                [a, b, c, t].into_iter().chain(words)
            })
            .collect();
        let local = Lookup::new(&self.numbers.vertices);
        let tetrahedra = Lookup::new(&self.numbers.tetrahedra);
        self.halo
            .update(comm, &shared, &words, 12, traffic, |ghost, words| {
                let number = |i: usize| {
                    f64::from_bits(u64::from(words[4 + 2 * i]) | u64::from(words[5 + 2 * i]) << 32)
                };
                ghosts[ghost as usize - owned] = UpwindStencil {
                    vertices: [0, 1, 2].map(|i| local.find(words[i])),
                    // One that is not held here touches nothing owned.
                    tetrahedron: tetrahedra.find(words[3]),
                    lambda: [number(0), number(1), number(2)],
                    s: number(3),
                };
            });
        ghosts
    }
}

/// Local number of a number in the file.
struct Lookup {
    sorted: Vec<(u32, u32)>,
}

impl Lookup {
    fn new(names: &[u32]) -> Self {
        let mut sorted: Vec<(u32, u32)> = names.iter().copied().zip(0..).collect();
        sorted.sort_unstable();
        Self { sorted }
    }

    fn find(&self, name: u32) -> u32 {
        self.sorted
            .binary_search_by_key(&name, |(n, _)| *n)
            .map_or(ABSENT, |i| self.sorted[i].1)
    }
}
