//! Candidates of the canonical pass: for each vertex the tetrahedra that may win there, and the
//! vertices that each of them depends on.
//!
//! The iteration ends near the fixed point, at times that depend on the order of updates. So every
//! tetrahedron within a tolerance far above that distance, and far below the usual one to the
//! second best, counts as a candidate ([`tolerance`](super::tolerance)); a candidate depends on those
//! vertices of its face that matter within the same tolerance ([`support`]). What is beyond cannot
//! change a bit of the solution.

use rayon::prelude::*;

use super::local_solver::{Corner, Stencil, arrival, stencil, support};
use super::metric_mesh::{FACE, Incidence, MetricMesh};
use super::pipeline::{Pipeline, Source};
use super::stencils::Stencils;
use super::tolerance;
use crate::comm::Communicator;
use crate::comm::halo::{Halo, Traffic};
use crate::real::Real;

/// Tetrahedra per task.
const CHUNK: usize = 16384;

/// Most tetrahedra of a rank (what fits beside the corner in 32 bits).
pub const MOST_TETRAHEDRA: usize = 1 << 30;

/// A corner that may win at its vertex, with the vertices of its face that it depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Tetrahedron · 4 + corner.
    pub incidence: Incidence,
    /// The vertices of the face, [`IDLE`](Self::IDLE) those that do not count.
    pub face: [u32; 3],
}

impl Candidate {
    /// A vertex that the solution does not depend on.
    pub const IDLE: u32 = u32::MAX;

    /// Local number of the tetrahedron.
    #[inline(always)]
    pub fn tetrahedron(&self) -> usize {
        (self.incidence >> 2) as usize
    }

    /// The corner that is updated.
    #[inline(always)]
    pub fn corner(&self) -> usize {
        (self.incidence & 3) as usize
    }

    /// Leaves of the vertices of the face those in `support`, a bit each.
    pub fn narrow(&mut self, support: u8) {
        for (i, u) in self.face.iter_mut().enumerate() {
            if support >> i & 1 == 0 {
                *u = Self::IDLE;
            }
        }
    }

    /// The vertices of the face that count.
    #[inline(always)]
    pub fn upwind(&self) -> impl Iterator<Item = u32> {
        self.face.into_iter().filter(|u| *u != Self::IDLE)
    }

    /// The local solve, with the times of the vertices that count; the others are not reached.
    #[inline(always)]
    pub fn problem<T: Real>(
        &self,
        mesh: &MetricMesh<T>,
        inv_gamma: &[T],
        time: impl Fn(u32) -> T,
    ) -> Corner<T> {
        let t = self.tetrahedron();
        let tet = &mesh.tetrahedra[t];
        let [l12, l13, l23, l14, l24, l34] =
            tet.corner_lengths(self.corner(), inv_gamma[tet.domain as usize]);
        let time = |u: u32| match u {
            Self::IDLE => T::from_f64(f64::INFINITY),
            u => time(u),
        };
        Corner {
            l12,
            l13,
            l23,
            l14,
            l24,
            l34,
            phi: [time(self.face[0]), time(self.face[1]), time(self.face[2])],
        }
    }
}

/// Candidates of all vertices, as far as they are tetrahedra of this rank.
#[derive(Debug, Clone)]
pub struct Candidates {
    offsets: Vec<u32>,
    entries: Vec<Candidate>,
    owned: usize,
    /// Whether those of each ghost are all that there are.
    complete_ghosts: Vec<bool>,
    /// Local solves made to find them.
    pub local_solves: u64,
}

impl Candidates {
    /// Finds out at which ghosts this rank has all the candidates that the owner has: it need not
    /// wait for their times, but can compute them, too. Where the wave runs along the boundary of
    /// two parts, that saves many rounds. Collective.
    pub fn compare(&mut self, comm: &dyn Communicator, halo: &Halo, traffic: &mut Traffic) {
        if comm.size() == 1 {
            return;
        }
        let owned: Vec<u32> = (0..self.owned as u32).collect();
        let count = |v: u32| self.range(v).len() as u32;
        let counts: Vec<u32> = owned.iter().map(|v| count(*v)).collect();
        let mut complete = vec![false; self.offsets.len() - 1 - self.owned];
        halo.update(comm, &owned, &counts, 1, traffic, |ghost, theirs| {
            complete[ghost as usize - self.owned] = theirs[0] == count(ghost);
        });
        self.complete_ghosts = complete;
    }

    /// Whether the candidates at `v` are all that there are.
    #[inline(always)]
    pub fn are_complete(&self, v: u32) -> bool {
        let ghost = (v as usize).checked_sub(self.owned);
        ghost.is_none_or(|g| self.complete_ghosts.get(g).is_some_and(|c| *c))
    }

    /// Leaves out what is beyond a closer `tolerance` at the times `phi` of the canonical pass.
    pub fn narrow<T: Real>(
        &mut self,
        mesh: &MetricMesh<T>,
        inv_gamma: &[T],
        phi: &[T],
        tolerance: f64,
    ) {
        let mut kept = 0;
        for v in 0..self.offsets.len() - 1 {
            let (range, time) = (self.range(v as u32), phi[v].value());
            self.offsets[v] = kept as u32;
            self.local_solves += range.len() as u64;
            for i in range {
                let mut candidate = self.entries[i];
                let corner = candidate.problem(mesh, inv_gamma, |u| phi[u as usize]);
                let at = stencil(&corner);
                if at.phi.value() - time <= tolerance * time {
                    candidate.narrow(support(&corner, &at, tolerance * time));
                    self.entries[kept] = candidate;
                    kept += 1;
                }
            }
        }
        self.entries.truncate(kept);
        if let Some(end) = self.offsets.last_mut() {
            *end = kept as u32;
        }
    }

    /// Candidates at vertex `v`, in the file's order of tetrahedra.
    #[inline(always)]
    pub fn at(&self, v: u32) -> &[Candidate] {
        &self.entries[self.range(v)]
    }

    /// Those candidates in the list of all.
    #[inline(always)]
    pub fn range(&self, v: u32) -> std::ops::Range<usize> {
        self.offsets[v as usize] as usize..self.offsets[v as usize + 1] as usize
    }

    /// The candidates of all vertices.
    #[inline(always)]
    pub fn all(&self) -> &[Candidate] {
        &self.entries
    }
}

/// Finds the candidates at the fixed point `phi` (owned and ghosts) of the iteration.
/// `file_order` is the number in the file of each tetrahedron; `sources` with their onset times, by
/// ascending local vertex. `winners`: the corners of each tetrahedron that may win, a bit each, where
/// a device has found them.
pub fn find<T: Real>(
    mesh: &MetricMesh<T>,
    inv_gamma: &[T],
    phi: &[T],
    file_order: &[u32],
    sources: &[(u32, T)],
    winners: Option<&[u8]>,
) -> Candidates {
    let count = mesh.tetrahedra.len() as u32;
    let starts: Vec<u32> = (0..count).step_by(CHUNK).collect();
    let news: Vec<T::Shared> = match winners {
        Some(_) => Vec::new(),
        None => phi.iter().map(|time| (-*time).share()).collect(),
    };
    let found: Vec<Finder<T>> = starts
        .par_iter()
        .map(|start| {
            let mut finder = Finder::new(mesh, inv_gamma, phi);
            let tetrahedra = *start..count.min(start + CHUNK as u32);
            match winners {
                Some(winners) => {
                    let range = tetrahedra.start as usize..tetrahedra.end as usize;
                    finder.take(tetrahedra, &winners[range]);
                }
                None => finder.run(tetrahedra, &news),
            }
            finder
        })
        .collect();
    let vertices = mesh.vertex_count();
    let mut offsets = vec![0u32; vertices + 1];
    for (v, _) in found.iter().flat_map(|f| &f.hits) {
        offsets[*v as usize + 1] += 1;
    }
    let mut rescue = Finder::new(mesh, inv_gamma, phi);
    for v in 0..mesh.owned as u32 {
        let (count, time) = (&mut offsets[v as usize + 1], phi[v as usize].value());
        let is_source = || sources.binary_search_by_key(&v, |(u, _)| *u).is_ok();
        if *count == 0 && time < f64::INFINITY && !is_source() {
            *count = rescue.rescue(v);
        }
    }
    rescue.finish();
    for v in 0..vertices {
        offsets[v + 1] += offsets[v];
    }
    let hits = || found.iter().flat_map(|f| &f.hits).chain(&rescue.hits);
    let mut next = offsets.clone();
    let unset = Candidate {
        incidence: 0,
        face: [Candidate::IDLE; 3],
    };
    let mut entries = vec![unset; offsets[vertices] as usize];
    for (v, candidate) in hits() {
        let slot = &mut next[*v as usize];
        entries[*slot as usize] = *candidate;
        *slot += 1;
    }
    for v in 0..vertices {
        let (start, end) = (offsets[v] as usize, offsets[v + 1] as usize);
        if end - start > 1 {
            entries[start..end].sort_unstable_by_key(|c| file_order[c.tetrahedron()]);
        }
    }
    Candidates {
        offsets,
        entries,
        owned: mesh.owned,
        complete_ghosts: Vec::new(),
        local_solves: found.iter().map(|f| f.local_solves).sum::<u64>() + rescue.local_solves,
    }
}

/// Search over a range of tetrahedra.
struct Finder<'a, T: Real> {
    mesh: &'a MetricMesh<T>,
    inv_gamma: &'a [T],
    phi: &'a [T],
    /// Vertex and candidate.
    hits: Vec<(u32, Candidate)>,
    /// What is on its way there.
    stencils: Box<Stencils<T>>,
    local_solves: u64,
}

impl<'a, T: Real> Finder<'a, T> {
    fn new(mesh: &'a MetricMesh<T>, inv_gamma: &'a [T], phi: &'a [T]) -> Self {
        Self {
            mesh,
            inv_gamma,
            phi,
            hits: Vec::new(),
            stencils: Box::default(),
            local_solves: 0,
        }
    }

    /// Searches, by the local solver; `news`: the times negated, since all are news.
    fn run(&mut self, tetrahedra: std::ops::Range<u32>, news: &[T::Shared]) {
        let first = tetrahedra.start;
        let mut winners = vec![0u8; tetrahedra.len()];
        let mut pipeline = Pipeline::new(tolerance::of_candidates::<T>());
        let source = Source {
            mesh: self.mesh,
            inv_gamma: self.inv_gamma,
            times: news,
            asked: self.phi.len(),
        };
        let corners: Vec<Incidence> = tetrahedra.clone().map(|t| t << 2).collect();
        pipeline.push(&source, &corners);
        pipeline.finish();
        self.local_solves += pipeline.local_solves();
        // On two edges of a face one solution may be found twice.
        for (incidence, _) in pipeline.found() {
            winners[((incidence >> 2) - first) as usize] |= 1 << (incidence & 3);
        }
        self.take(tetrahedra, &winners);
    }

    /// Notes the corners that may win, `winners`, a bit each.
    fn take(&mut self, tetrahedra: std::ops::Range<u32>, winners: &[u8]) {
        for (t, corners) in tetrahedra
            .zip(winners)
            .filter(|(_, corners)| **corners != 0)
        {
            for corner in (0..4).filter(|c| corners >> c & 1 == 1) {
                self.note(t << 2 | corner);
            }
        }
        self.finish();
    }

    /// The local solve of a corner.
    #[inline(always)]
    fn corner(&self, incidence: Incidence) -> Corner<T> {
        let tet = &self.mesh.tetrahedra[(incidence >> 2) as usize];
        let inv_gamma = self.inv_gamma[tet.domain as usize];
        tet.corner((incidence & 3) as usize, inv_gamma, self.phi)
    }

    /// Notes a corner that may win, with what it depends on.
    #[inline(always)]
    fn note(&mut self, incidence: Incidence) {
        let corner = self.corner(incidence);
        let Self {
            mesh,
            phi,
            hits,
            stencils,
            ..
        } = self;
        stencils.push(incidence, &corner, |i, corner, at| {
            hits.push(hit(mesh, phi, i, corner, at));
        });
    }

    /// Completes what was noted.
    fn finish(&mut self) {
        let Self {
            mesh,
            phi,
            hits,
            stencils,
            ..
        } = self;
        stencils.finish(|i, corner, at| hits.push(hit(mesh, phi, i, corner, at)));
    }

    /// Notes the best that there are at a vertex whose time no tetrahedron explains within the
    /// tolerance, and returns how many: rounding is above it in tetrahedra almost flat in the
    /// metric.
    fn rescue(&mut self, v: u32) -> u32 {
        let arrivals: Vec<(Incidence, f64)> = self
            .mesh
            .incidences(v)
            .iter()
            .map(|i| (*i, arrival(&self.corner(*i)).value()))
            .collect();
        self.local_solves += arrivals.len() as u64;
        let best = arrivals.iter().fold(f64::INFINITY, |best, a| best.min(a.1));
        let mut count = 0;
        for (incidence, arrival) in arrivals {
            if arrival <= best + tolerance::of_candidates::<T>() * best.abs() {
                self.note(incidence);
                count += 1;
            }
        }
        count
    }
}

/// A corner that may win, at its vertex, with what it depends on.
#[inline(always)]
fn hit<T: Real>(
    mesh: &MetricMesh<T>,
    phi: &[T],
    incidence: Incidence,
    corner: &Corner<T>,
    at: &Stencil<T>,
) -> (u32, Candidate) {
    let vertices = mesh.tetrahedra[(incidence >> 2) as usize].vertices;
    let corner_number = (incidence & 3) as usize;
    let v = vertices[corner_number];
    let time = phi[v as usize];
    let tolerance = tolerance::of_candidates::<T>() * time.value().abs();
    let support = support(corner, at, tolerance);
    let face = FACE[corner_number];
    let upwind = |i: usize| {
        if support >> i & 1 == 1 {
            vertices[face[i]]
        } else {
            Candidate::IDLE
        }
    };
    let face = [upwind(0), upwind(1), upwind(2)];
    (v, Candidate { incidence, face })
}
