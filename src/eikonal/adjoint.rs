//! Adjoint: the gradient of a function of the activation times, in one pass against the causal
//! order.
//!
//!   φ̄_u += Σ_v λ_vu φ̄_v over the vertices v downwind of u,     γ̄_k = − Σ_v ½ (s_v/γ_k) φ̄_v
//!
//! Each vertex gathers from its downwind vertices in ascending number of the file (ghosts' stencils
//! are exchanged once), so that the sums are the same for any number of ranks.

use super::forward::{Eikonal, Solution};
use super::on_device::levels;
use super::shared_cycle::{self, Side};
use super::tangent::Members;
use super::upwind::UpwindStencil;
use crate::comm::Communicator;
use crate::comm::halo::Traffic;
use crate::real::Real;

/// The transpose of the upwind graph: who depends on each owned vertex, with which weight.
#[derive(Debug, Clone)]
pub struct Downwind {
    offsets: Vec<u32>,
    /// (local vertex, λ), by ascending number in the file.
    edges: Vec<(u32, f64)>,
    /// Stencils of the ghosts; local numbers of what is not held here are [`ABSENT`].
    pub ghosts: Vec<UpwindStencil>,
}

/// A vertex that this rank does not hold.
const ABSENT: u32 = u32::MAX;

impl Downwind {
    /// Edges of vertex u: `edges[offsets[u]..offsets[u + 1]]`.
    pub(super) fn graph(&self) -> (&[u32], &[(u32, f64)]) {
        (&self.offsets, &self.edges)
    }

    fn at(&self, u: u32) -> &[(u32, f64)] {
        let u = u as usize;
        &self.edges[self.offsets[u] as usize..self.offsets[u + 1] as usize]
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
        let owned = self.mesh.owned;
        let ghosts = self.ghost_stencils(comm, solution, traffic);
        let stencils = || (0u32..).zip(solution.stencils.iter().chain(&ghosts));
        let here = |u: u32| (u as usize) < owned;
        let mut offsets = vec![0u32; owned + 1];
        for (_, stencil) in stencils() {
            for (u, _) in stencil.upwind().filter(|(u, _)| here(*u)) {
                offsets[u as usize + 1] += 1;
            }
        }
        for u in 0..owned {
            offsets[u + 1] += offsets[u];
        }
        let mut next = offsets.clone();
        let mut edges = vec![(0, 0.0); offsets[owned] as usize];
        for (v, stencil) in stencils() {
            for (u, lambda) in stencil.upwind().filter(|(u, _)| here(*u)) {
                let slot = &mut next[u as usize];
                edges[*slot as usize] = (v, lambda);
                *slot += 1;
            }
        }
        for u in 0..owned {
            edges[offsets[u] as usize..offsets[u + 1] as usize]
                .sort_unstable_by_key(|(v, _)| self.numbers.vertices[*v as usize]);
        }
        Downwind {
            offsets,
            edges,
            ghosts,
        }
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
        let stencils = || shared.iter().map(|v| &solution.stencils[*v as usize]);
        let names: Vec<u32> = stencils()
            .flat_map(|s| {
                let [a, b, c] = s.vertices.map(|u| self.numbers.vertices[u as usize]);
                [a, b, c, self.numbers.tetrahedra[s.tetrahedron as usize]]
            })
            .collect();
        let weights: Vec<f64> = stencils()
            .flat_map(|s| [s.lambda[0], s.lambda[1], s.lambda[2], s.s])
            .collect();
        let local = Lookup::new(&self.numbers.vertices);
        let tetrahedra = Lookup::new(&self.numbers.tetrahedra);
        self.halo
            .update(comm, &shared, &names, 4, traffic, |ghost, names| {
                let stencil = &mut ghosts[ghost as usize - owned];
                stencil.vertices = [0, 1, 2].map(|i| local.find(names[i]));
                // A tetrahedron that is not held here touches nothing owned.
                stencil.tetrahedron = tetrahedra.find(names[3]);
            });
        self.halo
            .update(comm, &shared, &weights, 4, traffic, |ghost, weights| {
                let stencil = &mut ghosts[ghost as usize - owned];
                stencil.lambda = [weights[0], weights[1], weights[2]];
                stencil.s = weights[3];
            });
        ghosts
    }

    /// φ̄ of every local vertex (ghosts included): on entry the derivative of the function with
    /// respect to the times of owned vertices, on return that with respect to a time fixed there.
    /// Collective.
    pub fn adjoint(
        &self,
        comm: &dyn Communicator,
        solution: &Solution<T>,
        downwind: &Downwind,
        phi_bar: &mut [f64],
        traffic: &mut Traffic,
    ) {
        if self.adjoint_on_device(comm, solution, downwind, phi_bar) {
            return;
        }
        let order = &solution.order;
        let mut cycles = order.cycles.iter().rev().peekable();
        for (r, round) in order.rounds.iter().enumerate().rev() {
            let start = r.checked_sub(1).map_or(0, |r| order.rounds[r].end);
            if !round.shared_cycles.is_empty() {
                for cycle in round.shared_cycles.iter().rev() {
                    self.adjoint_shared_cycle(comm, solution, downwind, phi_bar, cycle);
                }
                continue;
            }
            let mut at = round.end;
            while at > start {
                if let Some(range) = cycles.next_if(|range| range.end == at) {
                    let members = Members::new(&order.vertices[range.clone()]);
                    for u in members.list {
                        pull(downwind, phi_bar, *u, |v| members.position(v).is_none());
                    }
                    let mut x: Vec<f64> =
                        members.list.iter().map(|v| phi_bar[*v as usize]).collect();
                    members.system(solution).solve_transpose(&mut x, 1);
                    for (v, x) in members.list.iter().zip(x) {
                        phi_bar[*v as usize] = x;
                    }
                    at = range.start;
                } else {
                    at -= 1;
                    pull(downwind, phi_bar, order.vertices[at], |_| true);
                }
            }
            if comm.size() > 1 {
                let new = &order.vertices[start..round.end];
                let values: Vec<f64> = new.iter().map(|v| phi_bar[*v as usize]).collect();
                self.halo
                    .update(comm, new, &values, 1, traffic, |ghost, x| {
                        phi_bar[ghost as usize] = x[0];
                    });
            }
        }
    }

    /// The same on the device, where there is one that can.
    fn adjoint_on_device(
        &self,
        comm: &dyn Communicator,
        solution: &Solution<T>,
        downwind: &Downwind,
        phi_bar: &mut [f64],
    ) -> bool {
        let Some(device) = self.on_device.as_ref().filter(|_| comm.size() == 1) else {
            return false;
        };
        let Some(levels) = levels(&solution.order, &solution.stencils) else {
            return false;
        };
        let done = device.adjoint(&levels, solution, downwind, phi_bar);
        done.inspect_err(|e| tracing::warn!("adjoint on the CPU: {e}"))
            .is_ok()
    }

    fn adjoint_shared_cycle(
        &self,
        comm: &dyn Communicator,
        solution: &Solution<T>,
        downwind: &Downwind,
        phi_bar: &mut [f64],
        cycle: &super::upwind::SharedCycle,
    ) {
        let owned = cycle
            .local
            .iter()
            .filter(|(v, _)| (*v as usize) < self.mesh.owned);
        for (u, _) in owned {
            pull(downwind, phi_bar, *u, |v| cycle.position(v).is_none());
        }
        shared_cycle::solve(comm, cycle, &solution.stencils, phi_bar, 1, Side::Transpose);
    }

    /// The terms of γ̄: (domain, −½ (s_v/γ_k) φ̄_v) of each owned vertex with a stencil. Their sum
    /// over all ranks and each domain is df/dγ.
    pub fn gamma_bar_terms(
        &self,
        solution: &Solution<T>,
        gamma: &[f64],
        phi_bar: &[f64],
    ) -> impl Iterator<Item = (usize, f64)> {
        solution
            .stencils
            .iter()
            .zip(phi_bar)
            .filter(|(stencil, _)| !stencil.is_fixed())
            .map(move |(stencil, bar)| {
                let k = self.mesh.domains[stencil.tetrahedron as usize] as usize;
                (k, -0.5 * (stencil.s / gamma[k]) * bar)
            })
    }
}

/// φ̄_u += Σ_v λ_vu φ̄_v over the downwind vertices that `counts` lets through.
#[inline(always)]
fn pull(downwind: &Downwind, phi_bar: &mut [f64], u: u32, counts: impl Fn(u32) -> bool) {
    let mut sum = phi_bar[u as usize];
    for (v, lambda) in downwind.at(u) {
        if counts(*v) {
            sum += lambda * phi_bar[*v as usize];
        }
    }
    phi_bar[u as usize] = sum;
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
