//! Tangent: derivatives of the activation times in directions of γ.
//!
//! With the upwind stencil (λ, s) of vertex v in domain k the envelope theorem gives
//!
//!   φ̇_v = Σ_i λ_i φ̇_i − ½ (s/γ_k) γ̇_k,
//!
//! in one pass over the vertices in causal order, level by level, for any number of directions at
//! once. Cycles are solved as linear systems.

use super::cyclic_system::CyclicSystem;
use super::forward::{Eikonal, Solution};
use super::on_device::levels;
use super::shared_cycle::{self, Side};
use super::tangent_rows::{Rows, Terms};
use super::upwind::SharedCycle;
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
        self.tangent_from(comm, solution, gamma, gamma_dot, &[], width, traffic)
    }

    /// The same with onsets that move, too: `onset_dot` holds `width` numbers for each effective
    /// source held here, by local vertex. Collective.
    #[allow(clippy::too_many_arguments)]
    pub fn tangent_from(
        &self,
        comm: &dyn Communicator,
        solution: &Solution<T>,
        gamma: &[f64],
        gamma_dot: &[f64],
        onset_dot: &[(u32, Vec<f64>)],
        width: usize,
        traffic: &mut Traffic,
    ) -> Vec<f64> {
        // −½ γ̇_k / γ_k
        let rates: Vec<f64> = gamma_dot
            .chunks_exact(width)
            .zip(gamma)
            .flat_map(|(row, gamma)| row.iter().map(move |d| -0.5 * d / gamma))
            .collect();
        let mut phi_dot = vec![0.0; self.mesh.vertex_count() * width];
        // The sweep leaves the rows of sources as they are.
        for (v, row) in onset_dot {
            phi_dot[*v as usize * width..][..width].copy_from_slice(row);
        }
        let sweep = TangentSweep {
            eikonal: self,
            solution,
            rates: &rates,
            width,
        };
        if onset_dot.is_empty()
            && let Some(phi_dot) = self.tangent_on_device(comm, solution, &rates, width)
        {
            return phi_dot;
        }
        let order = &solution.order;
        let (mut start, mut level) = (0, 0);
        for round in &order.rounds {
            let levels = &order.levels[level..];
            let levels = &levels[..levels.partition_point(|end| *end <= round.end)];
            level += levels.len();
            if round.shared_cycles.is_empty() {
                sweep.levels(start, levels, &mut phi_dot);
                if comm.size() > 1 {
                    let new = &order.vertices[start..round.end];
                    sweep.exchange(comm, new, &mut phi_dot, traffic);
                }
            }
            for cycle in &round.shared_cycles {
                sweep.shared_cycle(comm, cycle, &mut phi_dot);
            }
            start = round.end;
        }
        phi_dot
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
    /// −½ γ̇_k / γ_k for each domain and direction.
    rates: &'a [f64],
    width: usize,
}

impl<T: Real> TangentSweep<'_, T> {
    /// The levels that end at `ends`, from `start` in the causal order, by the threads of the team.
    fn levels(&self, start: usize, ends: &[usize], phi_dot: &mut [f64]) {
        let rows = Rows::new(phi_dot, self.width);
        let starts = std::iter::once(&start).chain(ends);
        let levels = starts.zip(ends).map(|(start, end)| *start..*end);
        self.solution.order.by_levels(
            &self.eikonal.team,
            levels,
            |vertices| rows.lead_on(vertices, |v| self.terms(v)),
            |cycle| self.cycle(cycle, &rows),
        );
    }

    /// s, −½ γ̇/γ of the domain, and the upwind vertices with their weights.
    #[inline(always)]
    fn terms(&self, v: u32) -> Option<Terms<'_>> {
        let stencil = self.solution.stencil(v);
        if stencil.is_fixed() {
            return None;
        }
        let k = self.eikonal.mesh.domain(stencil.tetrahedron);
        Some(Terms {
            s: stencil.s,
            rates: &self.rates[k * self.width..][..self.width],
            vertices: stencil.vertices,
            lambda: stencil.lambda,
        })
    }

    /// The same without the upwind vertices that `counts` does not let through.
    fn terms_but(&self, v: u32, counts: impl Fn(u32) -> bool) -> Option<Terms<'_>> {
        let mut terms = self.terms(v)?;
        for (u, lambda) in terms.vertices.iter().zip(&mut terms.lambda) {
            if !counts(*u) {
                *lambda = 0.0;
            }
        }
        Some(terms)
    }

    /// Members that depend on each other: (I − G) φ̇ = the rest.
    fn cycle(&self, members: &[u32], rows: &Rows) {
        let members = Members::new(members);
        let counts = |u| members.position(u).is_none();
        rows.lead_on(members.list, |v| self.terms_but(v, counts));
        let mut x = rows.copy(members.list);
        members.system(self.solution).solve(&mut x, self.width);
        rows.replace(members.list, &x);
    }

    fn shared_cycle(&self, comm: &dyn Communicator, cycle: &SharedCycle, phi_dot: &mut [f64]) {
        let (w, stencils) = (self.width, &self.solution.stencils);
        let rows = Rows::new(phi_dot, w);
        let owned: Vec<u32> = cycle.owned(stencils.len()).map(|(v, _)| v).collect();
        let counts = |u| cycle.position(u).is_none();
        rows.lead_on(&owned, |v| self.terms_but(v, counts));
        let right = rows.copy(&owned);
        let x = shared_cycle::solve(comm, cycle, stencils, &right, w, Side::Direct);
        for (v, position) in &cycle.local {
            rows.replace(&[*v], &x[*position as usize * w..][..w]);
        }
    }

    fn exchange(
        &self,
        comm: &dyn Communicator,
        new: &[u32],
        phi_dot: &mut [f64],
        traffic: &mut Traffic,
    ) {
        let w = self.width;
        let halo = &self.eikonal.halo;
        let shared: Vec<u32> = new.iter().copied().filter(|v| halo.is_shared(*v)).collect();
        let values = Rows::new(phi_dot, w).copy(&shared);
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
