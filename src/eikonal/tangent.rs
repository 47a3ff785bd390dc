//! Tangent: derivatives of the activation times in directions of γ.
//!
//! With the upwind stencil (λ, s) of vertex v in domain k the envelope theorem gives
//!
//!   φ̇_v = Σ_i λ_i φ̇_i − ½ (s/γ_k) γ̇_k,
//!
//! in one pass over the vertices in causal order, for any number of directions at once. Cycles are
//! solved as linear systems.

use super::cyclic_system::CyclicSystem;
use super::forward::{Eikonal, Solution};
use super::on_device::levels;
use super::shared_cycle::{self, Side};
use crate::comm::Communicator;
use crate::comm::halo::Traffic;
use crate::real::Real;

impl<T: Real> Eikonal<T> {
    /// φ̇ of every local vertex (ghosts included), `width` directions, vertex by vertex, ms per
    /// unit of γ̇. `gamma_dot` holds `width` numbers for each domain. Collective.
    pub fn tangent(
        &self,
        comm: &dyn Communicator,
        solution: &Solution<T>,
        gamma: &[f64],
        gamma_dot: &[f64],
        width: usize,
        traffic: &mut Traffic,
    ) -> Vec<f64> {
        let mut sweep = TangentSweep {
            eikonal: self,
            solution,
            width,
            // −½ γ̇_k / γ_k
            source: gamma_dot
                .chunks_exact(width)
                .zip(gamma)
                .flat_map(|(row, gamma)| row.iter().map(move |d| -0.5 * d / gamma))
                .collect(),
            phi_dot: vec![0.0; self.mesh.vertex_count() * width],
        };
        if let Some(phi_dot) = self.tangent_on_device(comm, solution, &sweep.source, width) {
            return phi_dot;
        }
        let order = &solution.order;
        let (mut start, mut cycle) = (0, 0);
        for round in &order.rounds {
            let shared = !round.shared_cycles.is_empty();
            let mut at = start;
            while at < round.end {
                match order.cycles.get(cycle) {
                    Some(range) if range.start == at => {
                        sweep.cycle(range.clone());
                        at = range.end;
                        cycle += 1;
                    }
                    _ => {
                        sweep.vertex(order.vertices[at]);
                        at += 1;
                    }
                }
            }
            for cycle in &round.shared_cycles {
                sweep.shared_cycle(comm, cycle);
            }
            if comm.size() > 1 && !shared {
                sweep.exchange(comm, &order.vertices[start..round.end], traffic);
            }
            start = round.end;
        }
        sweep.phi_dot
    }

    /// The same on the device, where there is one that can.
    fn tangent_on_device(
        &self,
        comm: &dyn Communicator,
        solution: &Solution<T>,
        source: &[f64],
        width: usize,
    ) -> Option<Vec<f64>> {
        let device = self.on_device.as_ref().filter(|_| comm.size() == 1)?;
        let levels = levels(&solution.order, &solution.stencils)?;
        let done = device.tangent(&levels, solution, source, width);
        done.inspect_err(|e| tracing::warn!("tangent on the CPU: {e}"))
            .ok()
    }

    /// dφ/dγ of every local vertex, one column per domain. Collective.
    pub fn jacobian(
        &self,
        comm: &dyn Communicator,
        solution: &Solution<T>,
        gamma: &[f64],
        traffic: &mut Traffic,
    ) -> Vec<f64> {
        let k = gamma.len();
        let mut identity = vec![0.0; k * k];
        for i in 0..k {
            identity[i * k + i] = 1.0;
        }
        self.tangent(comm, solution, gamma, &identity, k, traffic)
    }
}

struct TangentSweep<'a, T: Real> {
    eikonal: &'a Eikonal<T>,
    solution: &'a Solution<T>,
    width: usize,
    /// −½ γ̇_k / γ_k for each domain and direction.
    source: Vec<f64>,
    phi_dot: Vec<f64>,
}

impl<T: Real> TangentSweep<'_, T> {
    /// φ̇_v = Σ_i λ_i φ̇_i − ½ (s/γ_k) γ̇_k
    #[inline(always)]
    fn vertex(&mut self, v: u32) {
        self.vertex_from(v, |_| true);
    }

    /// The same with the upwind vertices that `counts` lets through.
    #[inline(always)]
    fn vertex_from(&mut self, v: u32, counts: impl Fn(u32) -> bool) {
        let stencil = &self.solution.stencils[v as usize];
        if stencil.is_fixed() {
            return;
        }
        let w = self.width;
        let k = self.eikonal.mesh.domains[stencil.tetrahedron as usize] as usize;
        let v = v as usize;
        for d in 0..w {
            self.phi_dot[v * w + d] = stencil.s * self.source[k * w + d];
        }
        for (u, lambda) in stencil.upwind() {
            if !counts(u) {
                continue;
            }
            let u = u as usize;
            for d in 0..w {
                self.phi_dot[v * w + d] += lambda * self.phi_dot[u * w + d];
            }
        }
    }

    /// Members that depend on each other: (I − G) φ̇ = the rest.
    fn cycle(&mut self, range: std::ops::Range<usize>) {
        let solution = self.solution;
        let members = Members::new(&solution.order.vertices[range]);
        for v in members.list {
            self.vertex_from(*v, |u| members.position(u).is_none());
        }
        let w = self.width;
        let mut x: Vec<f64> = members
            .list
            .iter()
            .flat_map(|v| &self.phi_dot[*v as usize * w..][..w])
            .copied()
            .collect();
        members.system(solution).solve(&mut x, w);
        for (v, x) in members.list.iter().zip(x.chunks_exact(w)) {
            self.phi_dot[*v as usize * w..][..w].copy_from_slice(x);
        }
    }

    fn shared_cycle(&mut self, comm: &dyn Communicator, cycle: &super::upwind::SharedCycle) {
        let owned = self.eikonal.mesh.owned;
        for (v, _) in cycle.local.iter().filter(|(v, _)| (*v as usize) < owned) {
            self.vertex_from(*v, |u| cycle.position(u).is_none());
        }
        shared_cycle::solve(
            comm,
            cycle,
            &self.solution.stencils,
            &mut self.phi_dot,
            self.width,
            Side::Direct,
        );
    }

    fn exchange(&mut self, comm: &dyn Communicator, new: &[u32], traffic: &mut Traffic) {
        let w = self.width;
        let halo = &self.eikonal.halo;
        let shared: Vec<u32> = new.iter().copied().filter(|v| halo.is_shared(*v)).collect();
        let values: Vec<f64> = shared
            .iter()
            .flat_map(|v| &self.phi_dot[*v as usize * w..][..w])
            .copied()
            .collect();
        let phi_dot = &mut self.phi_dot;
        halo.update(comm, &shared, &values, w, traffic, |ghost, x| {
            phi_dot[ghost as usize * w..][..w].copy_from_slice(x);
        });
    }
}

/// The members of a cycle on this rank.
pub(super) struct Members<'a> {
    pub list: &'a [u32],
    sorted: Vec<(u32, u32)>,
}

impl<'a> Members<'a> {
    pub fn new(list: &'a [u32]) -> Self {
        let mut sorted: Vec<(u32, u32)> = list.iter().copied().zip(0..).collect();
        sorted.sort_unstable();
        Self { list, sorted }
    }

    /// Position of a vertex in the list.
    pub fn position(&self, vertex: u32) -> Option<u32> {
        let i = self
            .sorted
            .binary_search_by_key(&vertex, |(v, _)| *v)
            .ok()?;
        Some(self.sorted[i].1)
    }

    /// I − G of the members.
    pub fn system<T>(&self, solution: &Solution<T>) -> CyclicSystem {
        let weights: Vec<Vec<(u32, f64)>> = self
            .list
            .iter()
            .map(|v| {
                solution.stencils[*v as usize]
                    .upwind()
                    .filter_map(|(u, lambda)| Some((self.position(u)?, lambda)))
                    .collect()
            })
            .collect();
        CyclicSystem::new(&weights)
    }
}
