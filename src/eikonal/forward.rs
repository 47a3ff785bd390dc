//! Forward solution on all ranks: iteration to the fixed point, then the canonical pass.

use std::sync::Arc;

use super::candidates::{self, Candidates};
use super::canonical::{Problem, canonical};
use super::cycles::Numbers;
use super::fim::{Iteration, Patience};
use super::metric_mesh::{MetricMesh, Tetrahedron};
use super::on_device::OnDevice;
use super::tolerance;
use super::upwind::{CausalOrder, UpwindStencil};
use crate::comm::halo::{Halo, Traffic};
use crate::comm::{Communicator, agree};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::partition::local_mesh::LocalMesh;
use crate::real::Real;
use crate::team::Team;

/// Width of a bucket as a share of the mean travel time along an edge (measured: narrower costs
/// batches, wider costs local solves; flat between 0.15 and 0.35).
const WIDTH_PER_EDGE: f64 = 0.25;

/// Buckets between two exchanges for each vertex along an edge of a part.
const ROUND_PER_PART: f64 = 1.1;

/// Times that the iteration goes on from the canonical pass before its patience is unlimited.
const MOST_RESTARTS: usize = 30;

/// Tetrahedra of a rank below which one thread does the work: batches are too small to share.
const FEW_TETRAHEDRA: usize = 8000;

/// A source: where and when a wave starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Source {
    /// Vertex, number in the file.
    pub vertex: u32,
    /// Onset time, ms.
    pub time: f64,
}

/// What a forward solution took, on this rank.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ForwardCounters {
    /// Local solves of the iteration.
    pub local_solves: u64,
    /// Local solves of the canonical pass.
    pub canonical_solves: u64,
    pub vertex_updates: u64,
    /// Restarts of the iteration after cycles were solved.
    pub restarts: u64,
    /// Vertices in cycles of the upwind graph.
    pub cyclic_vertices: u64,
    /// Of the iteration.
    pub traffic: Traffic,
    /// Of the canonical pass.
    pub canonical_traffic: Traffic,
}

impl ForwardCounters {
    /// Traffic of the whole solution.
    pub fn whole_traffic(&self) -> Traffic {
        let mut whole = self.traffic;
        whole += self.canonical_traffic;
        whole
    }
}

impl std::ops::AddAssign for ForwardCounters {
    fn add_assign(&mut self, other: Self) {
        self.local_solves += other.local_solves;
        self.canonical_solves += other.canonical_solves;
        self.vertex_updates += other.vertex_updates;
        self.restarts += other.restarts;
        self.cyclic_vertices = other.cyclic_vertices;
        self.traffic += other.traffic;
        self.canonical_traffic += other.canonical_traffic;
    }
}

/// The eikonal problem on one rank, for any γ.
pub struct Eikonal<T: Real> {
    pub mesh: MetricMesh<T>,
    pub halo: Halo,
    /// Without the far ghosts, which the iteration does not need.
    near_halo: Halo,
    pub numbers: Numbers,
    /// Onset after `origin` of the sources held here (ghosts included), by ascending local vertex;
    /// one per vertex.
    sources: Vec<(u32, T)>,
    /// Their onset times.
    onsets: Vec<f64>,
    /// Earliest onset on all ranks, ms. The solver counts from there: its times are not negative,
    /// and tolerances relative to them mean something everywhere.
    origin: f64,
    /// Mean travel time along an edge for γ = 1 on all ranks, ms.
    mean_edge: f64,
    bucket_width: Option<f64>,
    /// Buckets that all ranks advance between two exchanges.
    buckets_per_round: usize,
    pub(super) team: Arc<Team>,
    /// Where the rank computes what a device can; absent: its threads.
    pub(super) on_device: Option<OnDevice<T>>,
}

/// Activation times with their upwind stencils.
pub struct Solution<T> {
    /// Time of each owned vertex and ghost, ms; +∞ where no source reaches.
    pub phi: Vec<T>,
    /// Stencil of each owned vertex.
    pub stencils: Vec<UpwindStencil>,
    /// Stencil of each ghost, as far as it was computed here.
    pub(super) ghost_stencils: Vec<UpwindStencil>,
    pub order: CausalOrder,
    pub counters: ForwardCounters,
}

impl<T> Solution<T> {
    /// Stencil of a vertex that is in the causal order.
    #[inline(always)]
    pub(super) fn stencil(&self, v: u32) -> &UpwindStencil {
        let v = v as usize;
        match v.checked_sub(self.stencils.len()) {
            None => &self.stencils[v],
            Some(ghost) => &self.ghost_stencils[ghost],
        }
    }
}

impl<T: Real> Eikonal<T> {
    /// Problem on this rank's part of the mesh. Collective.
    ///
    /// Where a vertex is named twice among the sources, the earlier onset counts.
    pub fn new(
        comm: &dyn Communicator,
        local: &LocalMesh,
        sources: &[Source],
        bucket_width: Option<f64>,
    ) -> Result<Self> {
        agree(comm, check_size(local.tetrahedra.len()))?;
        let mut file_order: Vec<u32> = (0..local.tetrahedra.len() as u32).collect();
        file_order.sort_unstable_by_key(|t| local.global_tetrahedra[*t as usize]);
        let tetrahedra = local
            .tetrahedra
            .iter()
            .zip(&local.lengths)
            .zip(&local.domains)
            .map(|((vertices, lengths), domain)| Tetrahedron {
                vertices: *vertices,
                lengths: lengths.map(T::from_f64),
                domain: *domain,
            })
            .collect();
        let mesh = MetricMesh::new(
            local.owned,
            local.points.len(),
            tetrahedra,
            file_order.into_iter(),
        );
        // Tetrahedra held by two ranks count twice: good enough for the width of a bucket.
        let (mut edges, mut count) = (0.0, 0);
        for lengths in &local.lengths {
            edges += lengths.iter().map(|l| l.sqrt()).sum::<f64>();
            count += 6;
        }
        let mut totals = [edges, f64::from(count), local.owned as f64];
        comm.sum_f64(&mut totals);
        let threads = match local.tetrahedra.len() {
            0..FEW_TETRAHEDRA => 1,
            _ => rayon::current_num_threads(),
        };
        let mut eikonal = Self {
            mesh,
            halo: local.halo.clone(),
            near_halo: local.near_halo.clone(),
            numbers: Numbers {
                vertices: local.global_vertices.clone(),
                tetrahedra: local.global_tetrahedra.clone(),
            },
            onsets: Vec::new(),
            sources: Vec::new(),
            origin: 0.0,
            mean_edge: totals[0] / totals[1].max(1.0),
            bucket_width,
            buckets_per_round: buckets_per_round(totals[2], comm.size()),
            team: Arc::new(agree(comm, Team::new(threads))?),
            on_device: None,
        };
        eikonal.set_sources(sources);
        Ok(eikonal)
    }

    /// Takes other sources, the same list on all ranks. Where a vertex is named twice, the earlier
    /// onset counts.
    pub fn set_sources(&mut self, sources: &[Source]) {
        let mut named: Vec<(u32, f64)> = sources.iter().map(|s| (s.vertex, s.time)).collect();
        named.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        named.dedup_by_key(|(v, _)| *v);
        let earliest = sources.iter().map(|s| s.time).fold(f64::INFINITY, f64::min);
        self.origin = if earliest.is_finite() { earliest } else { 0.0 };
        let held = (0u32..).zip(&self.numbers.vertices);
        let here: Vec<(u32, f64)> = held
            .filter_map(|(local, number)| {
                let i = named.binary_search_by_key(number, |(v, _)| *v).ok()?;
                Some((local, named[i].1))
            })
            .collect();
        self.onsets = here.iter().map(|(_, time)| *time).collect();
        let after = |time: f64| T::from_f64(time - self.origin);
        self.sources = here.iter().map(|(v, time)| (*v, after(*time))).collect();
    }

    /// Sources held here, ghosts included: local vertex and number in the file, ascending by the
    /// former.
    pub fn held_sources(&self) -> impl Iterator<Item = (u32, u32)> {
        let numbers = &self.numbers.vertices;
        self.sources.iter().map(|(v, _)| (*v, numbers[*v as usize]))
    }

    /// The same of those that no other source reaches before their onset.
    pub fn effective_sources(&self, solution: &Solution<T>) -> impl Iterator<Item = (u32, u32)> {
        let effective = |v: u32, onset: f64| {
            let time = solution.phi[v as usize];
            time == time.with_value(onset)
        };
        let onsets = self.held_sources().zip(&self.onsets);
        onsets
            .filter(move |((v, _), onset)| effective(*v, **onset))
            .map(|(held, _)| held)
    }

    /// Gives the onsets of the sources held here derivatives: `dot(number in the file)`.
    pub(super) fn make_active(&mut self, dot: impl Fn(u32, &mut T)) {
        let numbers = &self.numbers.vertices;
        for (v, time) in &mut self.sources {
            dot(numbers[*v as usize], time);
        }
    }

    /// Brings the problem to the device of this rank. Collective.
    ///
    /// # Errors
    /// Those of the devices of all ranks: too little memory, for one.
    pub fn on_device(mut self, comm: &dyn Communicator, device: &Arc<dyn Device>) -> Result<Self> {
        let made = OnDevice::new(Arc::clone(device), &self.mesh, &self.near_halo);
        self.on_device = Some(agree(comm, made)?);
        Ok(self)
    }

    /// The same problem in another number type.
    pub fn converted<U: Real>(&self) -> Eikonal<U> {
        Eikonal {
            mesh: self.mesh.converted(),
            halo: self.halo.clone(),
            near_halo: self.near_halo.clone(),
            numbers: self.numbers.clone(),
            sources: self
                .sources
                .iter()
                .map(|(v, time)| (*v, U::from_f64(time.value())))
                .collect(),
            onsets: self.onsets.clone(),
            origin: self.origin,
            mean_edge: self.mean_edge,
            bucket_width: self.bucket_width,
            buckets_per_round: self.buckets_per_round,
            team: Arc::clone(&self.team),
            on_device: None,
        }
    }

    /// Solves sqrt(∇φᵀ γ M ∇φ) = 1 for one γ per domain. Collective.
    ///
    /// The result is the same to the last bit for any number of ranks and threads.
    pub fn solve(&self, comm: &dyn Communicator, gamma: &[T]) -> Result<Solution<T>> {
        let inv_gamma: Vec<T> = gamma.iter().map(|g| T::from_f64(1.0) / *g).collect();
        let fastest = gamma.iter().map(|g| g.value()).fold(0.0, f64::max);
        let width = self
            .bucket_width
            .unwrap_or(WIDTH_PER_EDGE * self.mean_edge / fastest.sqrt());
        let mut counters = ForwardCounters::default();
        let mut phi = vec![T::from_f64(f64::INFINITY); self.mesh.vertex_count()];
        for (v, time) in &self.sources {
            phi[*v as usize] = *time;
        }
        let mut known = vec![T::from_f64(f64::INFINITY); phi.len()];
        for restart in 0..=MOST_RESTARTS {
            let patience = if restart < MOST_RESTARTS {
                Patience::Limited
            } else {
                Patience::Unlimited
            };
            let iteration = Iteration {
                mesh: &self.mesh,
                halo: &self.near_halo,
                team: &self.team,
                inv_gamma: &inv_gamma,
                width,
                buckets_per_round: self.buckets_per_round,
                patience,
            };
            let traffic = &mut counters.traffic;
            let fim = match &self.on_device {
                Some(device) => device.solve(comm, &iteration, &mut phi, &known, traffic)?,
                None => iteration.solve(comm, &mut phi, &known, traffic),
            };
            counters.local_solves += fim.local_solves;
            counters.vertex_updates += fim.vertex_updates;
            self.bring_to_far_ghosts(comm, &mut phi, &mut counters.canonical_traffic);
            known.copy_from_slice(&phi);
            let winners = match &self.on_device {
                Some(device) => {
                    let tolerance = tolerance::of_candidates::<T>();
                    Some(agree(comm, device.candidates(&phi, tolerance))?)
                }
                None => None,
            };
            let mut found = candidates::find(
                &self.mesh,
                &inv_gamma,
                &phi,
                &self.numbers.tetrahedra,
                &self.sources,
                winners.as_deref(),
            );
            found.compare(comm, &self.halo, &mut counters.canonical_traffic);
            let mut make_canonical = |found: &Candidates, phi: &mut [T]| {
                let problem = Problem {
                    mesh: &self.mesh,
                    halo: &self.halo,
                    team: &self.team,
                    inv_gamma: &inv_gamma,
                    sources: &self.sources,
                    numbers: &self.numbers,
                    candidates: found,
                };
                let pass = canonical(comm, &problem, phi, &mut counters.canonical_traffic)?;
                counters.canonical_solves += pass.local_solves;
                Ok::<_, Error>(pass)
            };
            let mut pass = make_canonical(&found, &mut phi)?;
            let mut fall = [largest_fall(&known, &phi)];
            comm.max_f64(&mut fall);
            let is_solution = fall[0] <= tolerance::most_fall::<T>();
            if is_solution && pass.split_cycles > 0 {
                found.narrow(&self.mesh, &inv_gamma, &phi, tolerance::of_cycles::<T>());
                pass = make_canonical(&found, &mut phi)?;
            }
            counters.canonical_solves += found.local_solves;
            if is_solution {
                counters.cyclic_vertices = pass.cyclic_vertices;
                self.count_from_zero(&mut phi);
                return Ok(Solution {
                    phi,
                    stencils: pass.stencils,
                    ghost_stencils: pass.ghost_stencils,
                    order: pass.order,
                    counters,
                });
            }
            counters.restarts += 1;
        }
        Err(Error::Bug(
            "the canonical pass lowers times without end".into(),
        ))
    }

    /// Brings the times of owned vertices to the ranks that hold them as far ghosts. Collective.
    fn bring_to_far_ghosts(&self, comm: &dyn Communicator, phi: &mut [T], traffic: &mut Traffic) {
        if comm.size() == 1 {
            return;
        }
        let is_far = |v: &u32| self.halo.holders(*v) > self.near_halo.holders(*v);
        let far: Vec<u32> = (0..self.mesh.owned as u32).filter(is_far).collect();
        let times: Vec<T> = far.iter().map(|v| phi[*v as usize]).collect();
        let receive = |ghost: u32, time: &[T]| phi[ghost as usize] = time[0];
        self.halo.update(comm, &far, &times, 1, traffic, receive);
    }

    /// Times since the origin to times; at sources the very onset.
    fn count_from_zero(&self, phi: &mut [T]) {
        let effective = |((v, time), onset): (&(u32, T), &f64)| {
            (phi[*v as usize] == *time).then_some((*v, *onset))
        };
        let sources: Vec<(u32, f64)> = self
            .sources
            .iter()
            .zip(&self.onsets)
            .filter_map(effective)
            .collect();
        if self.origin != 0.0 {
            for time in phi.iter_mut() {
                *time = time.with_value(time.value() + self.origin);
            }
        }
        for (v, onset) in sources {
            phi[v as usize] = phi[v as usize].with_value(onset);
        }
    }
}

/// Buckets between two exchanges, for a mesh of so many vertices.
///
/// A rank that runs ahead of its neighbours computes times that fall again. In a share of the time
/// that the wave takes to cross a part the work so repeated stays a share of the whole (64 and
/// 1,024 ranks: a tenth). With few ranks a round costs little, and they do as many as 64.
fn buckets_per_round(vertices: f64, ranks: usize) -> usize {
    let of_part = vertices / ranks.max(64) as f64;
    ((ROUND_PER_PART * of_part.cbrt()) as usize).max(4)
}

/// The largest fall of a time from `before` to `after`, relative to the time.
fn largest_fall<T: Real>(before: &[T], after: &[T]) -> f64 {
    let fall = |(before, after): (&T, &T)| (before.value() - after.value()) / after.value();
    // Of vertices not reached, and of the first source: NaN, which is passed over.
    before.iter().zip(after).map(fall).fold(0.0, f64::max)
}

fn check_size(tetrahedra: usize) -> Result<()> {
    if tetrahedra < candidates::MOST_TETRAHEDRA {
        return Ok(());
    }
    Err(Error::bad_data(
        "mesh",
        format!("{tetrahedra} tetrahedra on one rank, more than its 32-bit lists can number"),
        "use more ranks",
    ))
}
