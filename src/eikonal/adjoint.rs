//! Adjoint: the gradient of a function of the activation times, in one pass against the causal
//! order.
//!
//!   φ̄_u += Σ_v λ_vu φ̄_v over the vertices v downwind of u,     γ̄_k = − Σ_v ½ (s_v/γ_k) φ̄_v
//!
//! Level by level, by the threads of the team, each vertex gathers from its downwind vertices in
//! ascending number of the file (ghosts' stencils are exchanged once), so that the sums are the
//! same for any number of ranks and threads. One rank takes the levels of the causal order, the last
//! first. Across ranks levels are found anew: a rank that holds all that depends on a ghost computes
//! its φ̄, too, and need not wait for it.

use rayon::prelude::*;

use super::downwind::{ABSENT, Downwind};
use super::forward::{Eikonal, Solution};
use super::levels::{Levels, NONE, News, Visit};
use super::on_device::levels;
use super::shared_cycle::{self, Side};
use super::tangent::Members;
use super::transpose::CHUNK;
use super::upwind::{SharedCycle, UpwindStencil};
use crate::comm::Communicator;
use crate::comm::halo::Traffic;
use crate::real::Real;

impl<T: Real> Eikonal<T> {
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
        if comm.size() == 1 {
            let graph = Pull::new(solution, downwind, phi_bar);
            self.against_the_order(solution, &graph);
            graph.take(phi_bar);
            return;
        }
        let is_complete = self.exchange_seeds(comm, downwind, phi_bar, traffic);
        let graph = Pull::new(solution, downwind, phi_bar);
        let waiting = (0u32..)
            .zip(&is_complete)
            .map(|(u, complete)| complete.then(|| downwind.count(u)));
        let mut sweep = AdjointSweep {
            eikonal: self,
            solution,
            levels: Levels::new(&self.team, graph, waiting),
            order: Vec::new(),
            ready: Vec::new(),
            resolved: vec![false; phi_bar.len()],
            owned: 0,
            cycles: Vec::new(),
            ready_cycles: Vec::new(),
        };
        sweep.register_cycles();
        sweep.ready = sweep.levels.ready();
        loop {
            let start = sweep.order.len();
            sweep.work_off();
            let left = self.mesh.owned - sweep.owned;
            let mut progress = [(sweep.order.len() - start) as u64, left as u64];
            comm.sum_u64(&mut progress);
            if progress[0] > 0 {
                sweep.exchange(comm, start, traffic);
            } else if progress[1] > 0 {
                sweep.solve_shared_cycles(comm);
            }
            if progress[1] == 0 {
                break;
            }
        }
        sweep.levels.graph.take(phi_bar);
    }

    /// The same on one rank: the levels of the causal order, the last first.
    fn against_the_order(&self, solution: &Solution<T>, graph: &Pull) {
        let order = &solution.order;
        let ends = order.levels.iter().rev().copied();
        let starts = ends.clone().skip(1).chain([0]);
        order.by_levels(
            &self.team,
            starts.zip(ends).map(|(start, end)| start..end),
            |vertices| graph.visit(&mut (), vertices),
            |cycle| {
                for (v, x) in cycle.iter().zip(graph.of_cycle(solution, cycle)) {
                    x.store(&graph.phi_bar[*v as usize]);
                }
            },
        );
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

    /// Brings φ̄ to the ghosts, and finds out of which vertices all that depends on them is held
    /// here. Collective.
    fn exchange_seeds(
        &self,
        comm: &dyn Communicator,
        downwind: &Downwind,
        phi_bar: &mut [f64],
        traffic: &mut Traffic,
    ) -> Vec<bool> {
        let owned = self.mesh.owned;
        let mut is_complete = vec![true; phi_bar.len()];
        is_complete[owned..].fill(false);
        let all: Vec<u32> = (0..owned as u32).collect();
        let seeds: Vec<f64> = all
            .iter()
            .flat_map(|v| [phi_bar[*v as usize], f64::from(downwind.count(*v))])
            .collect();
        self.halo
            .update(comm, &all, &seeds, 2, traffic, |ghost, seed| {
                phi_bar[ghost as usize] = seed[0];
                is_complete[ghost as usize] = seed[1] == f64::from(downwind.count(ghost));
            });
        is_complete
    }

    /// The terms of γ̄: (domain, −½ (s_v/γ_k) φ̄_v) of each owned vertex with a stencil. Their sum
    /// over all ranks and each domain is df/dγ.
    pub fn gamma_bar_terms(
        &self,
        solution: &Solution<T>,
        gamma: &[f64],
        phi_bar: &[f64],
    ) -> impl ParallelIterator<Item = (usize, f64)> {
        solution
            .stencils
            .par_iter()
            .zip(phi_bar)
            .with_min_len(CHUNK)
            .filter(|(stencil, _)| !stencil.is_fixed())
            .map(move |(stencil, bar)| {
                let k = self.mesh.domain(stencil.tetrahedron);
                (k, -0.5 * (stencil.s / gamma[k]) * bar)
            })
    }
}

/// φ̄_u += Σ_v λ_vu φ̄_v
struct Pull<'a> {
    stencils: &'a [UpwindStencil],
    downwind: &'a Downwind,
    phi_bar: Vec<<f64 as Real>::Shared>,
}

impl<'a> Pull<'a> {
    fn new<T: Real>(solution: &'a Solution<T>, downwind: &'a Downwind, phi_bar: &[f64]) -> Self {
        Self {
            stencils: &solution.stencils,
            downwind,
            phi_bar: phi_bar.iter().map(|x| x.share()).collect(),
        }
    }

    #[inline(always)]
    fn stencil(&self, v: u32) -> &UpwindStencil {
        let v = v as usize;
        match v.checked_sub(self.stencils.len()) {
            None => &self.stencils[v],
            Some(ghost) => &self.downwind.ghosts[ghost],
        }
    }

    /// φ̄_u with what the downwind vertices that `counts` lets through add to it.
    #[inline(always)]
    fn sum(&self, u: u32, counts: impl Fn(u32) -> bool) -> f64 {
        let mut sum = f64::load(&self.phi_bar[u as usize]);
        for (v, i) in self.downwind.at(u) {
            if counts(v) {
                sum += self.stencil(v).lambda[i] * f64::load(&self.phi_bar[v as usize]);
            }
        }
        sum
    }

    /// φ̄ of `members` that depend on each other: (I − G)ᵀ φ̄ = what others add.
    fn of_cycle<T: Real>(&self, solution: &Solution<T>, members: &[u32]) -> Vec<f64> {
        let members = Members::new(members);
        let others = |u: &u32| self.sum(*u, |v| members.position(v).is_none());
        let mut x: Vec<f64> = members.list.iter().map(others).collect();
        members.system(solution).solve_transpose(&mut x, 1);
        x
    }

    /// Copies φ̄ out.
    fn take(&self, phi_bar: &mut [f64]) {
        for (x, shared) in phi_bar.iter_mut().zip(&self.phi_bar) {
            *x = f64::load(shared);
        }
    }
}

impl Visit for Pull<'_> {
    type Scratch = ();

    fn scratch(&self) {}

    #[inline(always)]
    fn visit(&self, (): &mut (), vertices: &[u32]) {
        for u in vertices {
            self.sum(*u, |_| true).store(&self.phi_bar[*u as usize]);
        }
    }

    #[inline(always)]
    fn dependents(&self, v: u32, tell: impl FnMut(u32)) {
        let upwind = self.stencil(v).upwind().map(|(u, _)| u);
        upwind.filter(|u| *u != ABSENT).for_each(tell);
    }
}

struct AdjointSweep<'a, T: Real> {
    eikonal: &'a Eikonal<T>,
    solution: &'a Solution<T>,
    levels: Levels<'a, Pull<'a>>,
    /// Vertices done, downwind before upwind.
    order: Vec<u32>,
    ready: Vec<u32>,
    resolved: Vec<bool>,
    /// Owned vertices done.
    owned: usize,
    /// Cycles of this rank alone, then those of several ranks.
    cycles: Vec<Cycle<'a>>,
    ready_cycles: Vec<u32>,
}

/// Vertices that depend on each other.
struct Cycle<'a> {
    /// Owned members, in order of their rows.
    owned: Vec<u32>,
    /// The same cycle as all its ranks know it.
    shared: Option<&'a SharedCycle>,
    /// Vertices not resolved that depend on owned members, without other members.
    waiting: u64,
    solved: bool,
}

impl<T: Real> AdjointSweep<'_, T> {
    /// Takes up the cycles of the solution.
    fn register_cycles(&mut self) {
        let order = &self.solution.order;
        let owned = self.eikonal.mesh.owned;
        let own = order.cycles.iter().map(|range| Cycle {
            owned: order.vertices[range.clone()].to_vec(),
            shared: None,
            waiting: 0,
            solved: false,
        });
        let shared = order.rounds.iter().flat_map(|round| &round.shared_cycles);
        let shared = shared.map(|cycle| Cycle {
            owned: cycle.owned(owned).map(|(v, _)| v).collect(),
            shared: Some(cycle),
            waiting: 0,
            solved: false,
        });
        self.cycles = own.chain(shared).collect();
        if self.cycles.is_empty() {
            return;
        }
        // Ghosts too: what depends on a member may be a member elsewhere.
        let mut cycle_of = vec![NONE; self.resolved.len()];
        for (c, cycle) in (0u32..).zip(&self.cycles) {
            let ghosts = cycle.shared.iter().flat_map(|cycle| &cycle.local);
            for v in cycle.owned.iter().chain(ghosts.map(|(v, _)| v)) {
                cycle_of[*v as usize] = c;
            }
        }
        for (c, cycle) in (0u32..).zip(&mut self.cycles) {
            for u in &cycle.owned {
                let downwind = self.levels.graph.downwind.at(*u);
                let others = downwind.filter(|(v, _)| cycle_of[*v as usize] != c);
                cycle.waiting += others.count() as u64;
            }
            if cycle.shared.is_none() && cycle.waiting == 0 {
                self.ready_cycles.push(c);
            }
        }
        cycle_of.truncate(owned);
        self.levels.cycle_of = cycle_of;
    }

    /// Resolves what is ready, and what becomes ready by that.
    fn work_off(&mut self) {
        loop {
            while let Some(c) = self.ready_cycles.pop() {
                let owned = self.cycles[c as usize].owned.clone();
                let x = self.levels.graph.of_cycle(self.solution, &owned);
                self.close_cycle(c);
                for (v, x) in owned.into_iter().zip(x) {
                    self.resolve(v, x, c);
                }
            }
            if self.ready.is_empty() {
                return;
            }
            let (ready, start) = (std::mem::take(&mut self.ready), self.order.len());
            let cycles = (self.levels).work_off(ready, &mut self.order, &mut Vec::new());
            for v in &self.order[start..] {
                self.resolved[*v as usize] = true;
                self.owned += usize::from((*v as usize) < self.eikonal.mesh.owned);
            }
            self.hear_of(cycles);
        }
    }

    /// Notes the owned members of a cycle as done.
    fn close_cycle(&mut self, c: u32) {
        let cycle = &mut self.cycles[c as usize];
        cycle.solved = true;
        self.owned += cycle.owned.len();
        self.order.extend(&cycle.owned);
    }

    fn hear_of(&mut self, cycles: Vec<u32>) {
        for c in cycles {
            let cycle = &mut self.cycles[c as usize];
            cycle.waiting -= 1;
            if cycle.waiting == 0 && cycle.shared.is_none() {
                self.ready_cycles.push(c);
            }
        }
    }

    /// Takes φ̄ of `v`, a member of `cycle` or a ghost, computed otherwise than by its level.
    fn resolve(&mut self, v: u32, x: f64, cycle: u32) {
        x.store(&self.levels.graph.phi_bar[v as usize]);
        self.resolved[v as usize] = true;
        let mut news = News {
            ready: std::mem::take(&mut self.ready),
            cycles: Vec::new(),
        };
        self.levels.resolve(v, cycle, &mut news);
        self.ready = news.ready;
        self.hear_of(news.cycles);
    }

    /// Sends what is new to the ranks that hold it as ghosts.
    fn exchange(&mut self, comm: &dyn Communicator, start: usize, traffic: &mut Traffic) {
        let halo = &self.eikonal.halo;
        let new: Vec<u32> = self.order[start..]
            .iter()
            .copied()
            .filter(|v| halo.is_shared(*v))
            .collect();
        let phi_bar = &self.levels.graph.phi_bar;
        let values: Vec<f64> = new
            .iter()
            .map(|v| f64::load(&phi_bar[*v as usize]))
            .collect();
        let mut received = Vec::new();
        halo.update(comm, &new, &values, 1, traffic, |ghost, x| {
            received.push((ghost, x[0]));
        });
        // One that was computed here has the same bits.
        received.retain(|(ghost, _)| !self.resolved[*ghost as usize]);
        // None becomes ready by another one.
        for (ghost, _) in &received {
            self.levels.settle(*ghost);
        }
        for (ghost, x) in received {
            self.resolve(ghost, x, NONE);
        }
    }

    /// Solves the cycles across ranks that wait for nothing else. Collective.
    fn solve_shared_cycles(&mut self, comm: &dyn Communicator) {
        let own = self.solution.order.cycles.len();
        let mut waiting: Vec<u64> = self.cycles[own..].iter().map(|c| c.waiting).collect();
        comm.sum_u64(&mut waiting);
        let ready: Vec<u32> = (own as u32..)
            .zip(waiting)
            .filter(|(c, waiting)| *waiting == 0 && !self.cycles[*c as usize].solved)
            .map(|(c, _)| c)
            .collect();
        let mut solved = Vec::new();
        for c in ready {
            let Some(cycle) = self.cycles[c as usize].shared else {
                continue;
            };
            let graph = &self.levels.graph;
            let owned = self.cycles[c as usize].owned.iter();
            let others = owned.map(|u| graph.sum(*u, |v| cycle.position(v).is_none()));
            let right: Vec<f64> = others.collect();
            let stencils = &self.solution.stencils;
            let x = shared_cycle::solve(comm, cycle, stencils, &right, 1, Side::Transpose);
            self.close_cycle(c);
            solved.push((c, cycle, x));
        }
        let held = || {
            let of_cycle = |(c, cycle, x): &'_ (u32, &SharedCycle, Vec<f64>)| {
                let of_vertex = |(v, position): &(u32, u32)| (*v, x[*position as usize], *c);
                cycle.local.iter().map(of_vertex).collect::<Vec<_>>()
            };
            solved.iter().flat_map(of_cycle)
        };
        for (v, _, _) in held() {
            self.levels.settle(v);
        }
        for (v, x, c) in held() {
            self.resolve(v, x, c);
        }
    }
}
