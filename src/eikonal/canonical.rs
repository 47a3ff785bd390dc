//! The canonical pass: from times near the fixed point, as the iteration leaves them, to a solution
//! that is the same to the last bit for any order of updates, with its upwind stencils and their
//! causal order.
//!
//! Vertices are taken in causal order of the candidates' graph (Kahn 1962). Each is computed once:
//! minimum over its candidates in the file's order, ties to the first. Cycles are solved as a
//! whole ([`cycles`](super::cycles)). Across ranks the order is worked off as far as each rank
//! can, then what is new goes to the ghosts, round by round.

use super::candidates::Candidates;
use super::components::strongly_connected;
use super::cycles::{ComponentData, Numbers};
use super::levels::{Levels, NONE, News};
use super::metric_mesh::MetricMesh;
use super::upwind::{CausalOrder, Round, SharedCycle, UpwindStencil};
use super::winners::Winners;
use crate::comm::halo::{Halo, Traffic};
use crate::comm::{Communicator, broadcast_slice, from_bytes};
use crate::error::{Error, Result};
use crate::real::Real;
use crate::team::Team;

/// The problem on one rank.
pub struct Problem<'a, T> {
    pub mesh: &'a MetricMesh<T>,
    pub halo: &'a Halo,
    pub team: &'a Team,
    pub inv_gamma: &'a [T],
    /// Onset time of each source held here, by ascending local vertex.
    pub sources: &'a [(u32, T)],
    pub numbers: &'a Numbers,
    pub candidates: &'a Candidates,
}

/// What the canonical pass adds to the times.
pub struct Canonical {
    /// Stencil of each owned vertex.
    pub stencils: Vec<UpwindStencil>,
    /// Stencil of each ghost that was computed here.
    pub ghost_stencils: Vec<UpwindStencil>,
    pub order: CausalOrder,
    /// Local solves made.
    pub local_solves: u64,
    /// Vertices that depend on themselves through others.
    pub cyclic_vertices: u64,
    /// Cycles, on all ranks, that are none by the closer tolerance of [`tolerance::of_cycles`].
    pub split_cycles: u64,
}

/// Makes `phi` (owned and ghosts) canonical. Collective.
pub fn canonical<T: Real>(
    comm: &dyn Communicator,
    problem: &Problem<T>,
    phi: &mut [T],
    traffic: &mut Traffic,
) -> Result<Canonical> {
    let mut pass = Pass::new(problem, phi);
    loop {
        let start = pass.order.vertices.len();
        pass.work_off();
        let advanced = pass.order.vertices.len() - start;
        let mut progress = [advanced as u64, pass.unresolved() as u64];
        comm.sum_u64(&mut progress);
        let [advanced, unresolved] = progress;
        let mut shared_cycles = Vec::new();
        if advanced > 0 || unresolved == 0 {
            pass.exchange(comm, start, traffic);
        } else if !pass.cycles_known {
            pass.find_cycles(comm);
            continue;
        } else {
            shared_cycles = pass.solve_shared_cycles(comm);
            if shared_cycles.is_empty() {
                return Err(Error::Bug(format!(
                    "the causal order ends before {unresolved} vertices"
                )));
            }
        }
        pass.order.rounds.push(Round {
            end: pass.order.vertices.len(),
            shared_cycles,
        });
        if unresolved == 0 {
            break;
        }
    }
    let cyclic: usize = pass.order.cycles.iter().map(|range| range.len()).sum();
    let shared: usize = pass
        .order
        .rounds
        .iter()
        .flat_map(|round| &round.shared_cycles)
        .flat_map(|cycle| &cycle.local)
        .filter(|(v, _)| (*v as usize) < problem.mesh.owned)
        .count();
    let mut split_cycles = [pass.split_cycles];
    if pass.cycles_known {
        comm.sum_u64(&mut split_cycles);
    }
    let winners = pass.levels.graph;
    for (phi, shared) in phi.iter_mut().zip(&winners.phi) {
        *phi = T::load(shared);
    }
    // In place.
    let stencils = winners.stencils.into_iter().map(UpwindStencil::from);
    let mut stencils: Vec<UpwindStencil> = stencils.collect();
    let ghost_stencils = stencils.split_off(problem.mesh.owned);
    Ok(Canonical {
        local_solves: pass.local_solves + winners.local_solves.into_inner(),
        stencils,
        ghost_stencils,
        cyclic_vertices: (cyclic + shared) as u64,
        split_cycles: split_cycles[0],
        order: pass.order,
    })
}

struct Pass<'a, T: Real> {
    problem: &'a Problem<'a, T>,
    levels: Levels<'a, Winners<'a, T>>,
    order: CausalOrder,
    /// Owned vertices in the order.
    owned: usize,
    /// Vertices that wait for nothing, not in the order yet.
    ready: Vec<u32>,
    local_solves: u64,
    resolved: Vec<bool>,
    /// Cycles of this rank alone that wait for nothing.
    ready_cycles: Vec<u32>,
    cycles_known: bool,
    cycles: Vec<Cycle>,
    split_cycles: u64,
}

/// A strongly connected component of the candidates' graph with members here.
struct Cycle {
    /// All members, numbers in the file, ascending.
    members: Vec<u32>,
    /// Owned members, local.
    owned: Vec<u32>,
    /// Dependencies of the owned members on others that are not resolved yet.
    waiting: u64,
    solved: bool,
}

impl Cycle {
    fn is_local(&self) -> bool {
        self.owned.len() == self.members.len()
    }
}

impl<'a, T: Real> Pass<'a, T> {
    fn new(problem: &'a Problem<'a, T>, phi: &[T]) -> Self {
        let Problem {
            mesh,
            inv_gamma,
            candidates,
            sources,
            team,
            ..
        } = *problem;
        let (winners, waiting) = Winners::new(mesh, inv_gamma, candidates, sources, phi);
        let levels = Levels::new(team, winners, waiting.into_iter());
        Self {
            order: CausalOrder::default(),
            owned: 0,
            ready: levels.ready(),
            local_solves: 0,
            resolved: vec![false; mesh.vertex_count()],
            ready_cycles: Vec::new(),
            cycles_known: false,
            cycles: Vec::new(),
            split_cycles: 0,
            problem,
            levels,
        }
    }

    /// Owned vertices still to come.
    fn unresolved(&self) -> usize {
        self.problem.mesh.owned - self.owned
    }

    /// Resolves what is ready, and what becomes ready by that.
    fn work_off(&mut self) {
        loop {
            while let Some(cycle) = self.ready_cycles.pop() {
                self.solve_local_cycle(cycle);
            }
            if self.ready.is_empty() {
                return;
            }
            let ready = std::mem::take(&mut self.ready);
            let CausalOrder {
                vertices, levels, ..
            } = &mut self.order;
            let start = vertices.len();
            let cycles = self.levels.work_off(ready, vertices, levels);
            for v in &vertices[start..] {
                self.resolved[*v as usize] = true;
                self.owned += usize::from((*v as usize) < self.problem.mesh.owned);
            }
            self.hear_of(cycles);
        }
    }

    /// Takes note of dependencies of cycles that are resolved.
    fn hear_of(&mut self, cycles: Vec<u32>) {
        for c in cycles {
            let cycle = &mut self.cycles[c as usize];
            cycle.waiting -= 1;
            if cycle.waiting == 0 && cycle.is_local() {
                self.ready_cycles.push(c);
            }
        }
    }

    /// Tells the dependents that `u`, a member of `cycle`, is resolved.
    fn resolve(&mut self, u: u32, cycle: u32) {
        self.resolved[u as usize] = true;
        let mut news = News {
            ready: std::mem::take(&mut self.ready),
            cycles: Vec::new(),
        };
        self.levels.resolve(u, cycle, &mut news);
        self.ready = news.ready;
        self.hear_of(news.cycles);
    }

    /// Sends the vertices resolved in this round to the ranks that hold them as ghosts.
    fn exchange(&mut self, comm: &dyn Communicator, start: usize, traffic: &mut Traffic) {
        if comm.size() == 1 {
            return;
        }
        let new = self.order.vertices[start..].to_vec();
        let values: Vec<T> = new.iter().map(|v| self.levels.graph.time(*v)).collect();
        let mut received = Vec::new();
        self.problem
            .halo
            .update(comm, &new, &values, 1, traffic, |ghost, time| {
                received.push((ghost, time[0]));
            });
        // One that was computed here has the same bits.
        received.retain(|(ghost, _)| !self.resolved[*ghost as usize]);
        // None becomes ready by another one.
        for (ghost, time) in &received {
            time.store(&self.levels.graph.phi[*ghost as usize]);
            self.levels.settle(*ghost);
        }
        for (ghost, _) in received {
            self.resolve(ghost, NONE);
        }
    }

    /// Finds the cycles among what waits, on rank 0 for all. Collective.
    fn find_cycles(&mut self, comm: &dyn Communicator) {
        self.cycles_known = true;
        let numbers = &self.problem.numbers.vertices;
        let mut edges: Vec<u32> = Vec::new();
        for v in self.upstream_of_themselves() {
            let mut upwind: Vec<u32> = self
                .problem
                .candidates
                .at(v)
                .iter()
                .flat_map(|c| c.upwind())
                .filter(|u| !self.resolved[*u as usize])
                .map(|u| numbers[u as usize])
                .collect();
            upwind.sort_unstable();
            upwind.dedup();
            edges.extend([numbers[v as usize], upwind.len() as u32]);
            edges.extend(upwind);
        }
        let mut graph = Vec::new();
        for bytes in comm.gather(0, bytemuck::cast_slice(&edges)) {
            let edges: Vec<u32> = from_bytes(&bytes);
            let mut rest = &edges[..];
            while let [v, count, more @ ..] = rest {
                let (upwind, after) = more.split_at(*count as usize);
                graph.push((*v, upwind.to_vec()));
                rest = after;
            }
        }
        let mut flat: Vec<u32> = strongly_connected(&mut graph)
            .into_iter()
            .flat_map(|members| std::iter::once(members.len() as u32).chain(members))
            .collect();
        broadcast_slice(comm, 0, &mut flat);
        self.register_cycles(&flat);
    }

    /// The waiting vertices that, as far as this rank knows, something upstream of a cycle or of
    /// another rank depends on: all members of cycles, and few others.
    fn upstream_of_themselves(&self) -> Vec<u32> {
        let owned = self.problem.mesh.owned as u32;
        // Ends of the graph are taken away until none is left (Kahn, from downwind).
        let mut count: Vec<u32> = (0..owned)
            .map(|u| self.levels.graph.dependents_of(u).len() as u32)
            .collect();
        let is_end = |u: u32, count: u32| count == 0 && !self.problem.halo.is_shared(u);
        let waits = |u: u32| self.levels.waits(u);
        let mut ends: Vec<u32> = (0..owned)
            .filter(|u| waits(*u) && is_end(*u, count[*u as usize]))
            .collect();
        let mut is_left: Vec<bool> = (0..owned).map(waits).collect();
        while let Some(v) = ends.pop() {
            is_left[v as usize] = false;
            let candidates = self.problem.candidates.at(v).iter();
            for u in candidates.flat_map(|c| c.upwind()) {
                let Some(count) = count.get_mut(u as usize) else {
                    continue;
                };
                *count -= 1;
                if waits(u) && is_end(u, *count) {
                    ends.push(u);
                }
            }
        }
        (0..owned).filter(|v| is_left[*v as usize]).collect()
    }

    /// Takes up the cycles (lengths and members) that all ranks agreed on.
    fn register_cycles(&mut self, flat: &[u32]) {
        let owned = self.problem.mesh.owned;
        let mut by_number: Vec<(u32, u32)> = (0u32..)
            .zip(&self.problem.numbers.vertices[..owned])
            .filter(|(v, _)| self.levels.waits(*v))
            .map(|(v, number)| (*number, v))
            .collect();
        by_number.sort_unstable();
        self.levels.cycle_of = vec![NONE; owned];
        let mut rest = flat;
        while let [count, more @ ..] = rest {
            let (members, after) = more.split_at(*count as usize);
            rest = after;
            let here: Vec<u32> = members
                .iter()
                .filter_map(|m| {
                    by_number
                        .binary_search_by_key(m, |(number, _)| *number)
                        .ok()
                })
                .map(|i| by_number[i].1)
                .collect();
            for v in &here {
                self.levels.cycle_of[*v as usize] = self.cycles.len() as u32;
            }
            self.cycles.push(Cycle {
                members: members.to_vec(),
                owned: here,
                waiting: 0,
                solved: false,
            });
        }
        let numbers = &self.problem.numbers.vertices;
        for cycle in &mut self.cycles {
            for v in &cycle.owned {
                cycle.waiting += self
                    .problem
                    .candidates
                    .at(*v)
                    .iter()
                    .flat_map(|c| c.upwind())
                    .filter(|u| {
                        !self.resolved[*u as usize]
                            && cycle.members.binary_search(&numbers[*u as usize]).is_err()
                    })
                    .count() as u64;
            }
        }
        self.ready_cycles = (0u32..)
            .zip(&self.cycles)
            .filter_map(|(c, cycle)| (cycle.is_local() && cycle.waiting == 0).then_some(c))
            .collect();
    }

    /// The data of the owned members of cycle `c`.
    fn collect_cycle(&self, c: u32, data: &mut ComponentData<T>) {
        for &v in &self.cycles[c as usize].owned {
            let Problem {
                mesh,
                inv_gamma,
                candidates,
                numbers,
                ..
            } = *self.problem;
            let onset = self.levels.graph.onset(v);
            let phi = &self.levels.graph.phi;
            data.add(c, v, mesh, inv_gamma, phi, candidates, onset, numbers);
        }
    }

    fn solve_local_cycle(&mut self, c: u32) {
        let mut data = ComponentData::default();
        self.collect_cycle(c, &mut data);
        let solved = data.solve();
        self.split_cycles += solved.split;
        // Members ascend in the file's numbering, as the times do.
        for (v, (_, time)) in self.cycles[c as usize].owned.iter().zip(solved.times) {
            time.store(&self.levels.graph.phi[*v as usize]);
        }
        let start = self.order.vertices.len();
        self.close_cycle(c);
        let end = self.order.vertices.len();
        self.order.cycles.push(start..end);
        self.order.levels.push(end);
        for v in self.cycles[c as usize].owned.clone() {
            self.resolve(v, c);
        }
    }

    /// Queues the owned members of a solved cycle, whose times are known, with their stencils.
    fn close_cycle(&mut self, c: u32) {
        self.cycles[c as usize].solved = true;
        for v in self.cycles[c as usize].owned.clone() {
            // The time itself stays as the cycle's fixed point has it.
            self.local_solves += self.levels.graph.set_stencil(v);
            self.order.vertices.push(v);
            self.owned += 1;
        }
    }

    /// Solves, on rank 0, the cycles across ranks that wait for nothing else. Collective.
    fn solve_shared_cycles(&mut self, comm: &dyn Communicator) -> Vec<SharedCycle> {
        let mut waiting: Vec<u64> = self.cycles.iter().map(|cycle| cycle.waiting).collect();
        // A cycle that lives on one rank, this or another, is that rank's own.
        let mut own: Vec<u64> = self
            .cycles
            .iter()
            .map(|cycle| u64::from(cycle.is_local()))
            .collect();
        comm.sum_u64(&mut waiting);
        comm.sum_u64(&mut own);
        let ready: Vec<u32> = (0u32..)
            .zip(&self.cycles)
            .filter(|(c, cycle)| {
                !cycle.solved && waiting[*c as usize] == 0 && own[*c as usize] == 0
            })
            .map(|(c, _)| c)
            .collect();
        let mut data = ComponentData::default();
        for &c in &ready {
            self.collect_cycle(c, &mut data);
        }
        let mut all = ComponentData::<T>::default();
        for bytes in comm.gather(0, &data.encode()) {
            all.extend_from(&bytes);
        }
        let solved = all.solve();
        self.split_cycles += solved.split;
        let (mut names, mut times): (Vec<u32>, Vec<T>) = solved.times.into_iter().unzip();
        broadcast_slice(comm, 0, &mut names);
        broadcast_slice(comm, 0, &mut times);

        let mut held: Vec<(u32, u32)> = (0u32..)
            .zip(&self.problem.numbers.vertices)
            .map(|(v, number)| (*number, v))
            .collect();
        held.sort_unstable();
        let local = |name: u32| {
            let i = held
                .binary_search_by_key(&name, |(number, _)| *number)
                .ok()?;
            Some(held[i].1)
        };
        for (name, time) in names.iter().zip(&times) {
            if let Some(v) = local(*name) {
                time.store(&self.levels.graph.phi[v as usize]);
            }
        }
        let shared: Vec<SharedCycle> = ready
            .iter()
            .map(|c| {
                let members = self.cycles[*c as usize].members.clone();
                let mut local: Vec<(u32, u32)> = (0u32..)
                    .zip(&members)
                    .filter_map(|(i, m)| Some((local(*m)?, i)))
                    .collect();
                local.sort_unstable();
                SharedCycle { members, local }
            })
            .collect();
        // All members are queued before anything downstream of them.
        for c in &ready {
            self.close_cycle(*c);
        }
        self.order.levels.push(self.order.vertices.len());
        for (v, _) in shared.iter().flat_map(|cycle| &cycle.local) {
            self.levels.settle(*v);
        }
        for (c, cycle) in ready.iter().zip(&shared) {
            for (v, _) in &cycle.local {
                self.resolve(*v, *c);
            }
        }
        shared
    }
}
