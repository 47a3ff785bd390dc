//! The transpose of the upwind graph: who depends on each vertex, with which weight.

use rayon::prelude::*;

use super::forward::{Eikonal, Solution};
use super::transpose::{CHUNK, Transpose};
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
        let Transpose {
            offsets,
            entries: mut edges,
        } = Transpose::new(vertices, |v| {
            let ghost = (v as usize).checked_sub(stencils.len());
            let stencil = ghost.map_or_else(|| &stencils[v as usize], |ghost| &ghosts[ghost]);
            let list = stencil.vertices.into_iter().zip(stencil.lambda);
            let upwind = (0u32..)
                .zip(list)
                .filter(|(_, (u, lambda))| *lambda > 0.0 && *u != ABSENT);
            upwind.map(move |(i, (u, _))| (u, v << 2 | i))
        });
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
