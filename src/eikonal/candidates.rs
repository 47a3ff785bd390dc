//! Candidates of the canonical pass: for each vertex the tetrahedra that may win there, and the
//! vertices that each of them depends on.
//!
//! The iteration ends within rounding of the fixed point, in last bits that depend on the order of
//! updates. So every tetrahedron within a tolerance far above that rounding, and far below the
//! usual distance to the second best, counts as a candidate; a candidate depends on those vertices
//! of its face that matter within the same tolerance ([`support`]). What is beyond cannot change a
//! bit of the solution, so candidates, and all that follows from them, are the same for any order
//! of updates.

use rayon::prelude::*;

use super::block::Block;
use super::local_solver::{Corner, Stencil, stencil, support};
use super::metric_mesh::{FACE, Incidence, MetricMesh, Tetrahedron};
use super::simd::Kernels;
use crate::real::Real;

/// Vertices per task.
const CHUNK: usize = 4096;

/// Most tetrahedra of a rank (what fits beside corner and support in 32 bits).
pub const MOST_TETRAHEDRA: usize = 1 << 27;

/// A corner that may win at its vertex, with the vertices of its face that it depends on:
/// incidence · 8 + support.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate(u32);

impl Candidate {
    fn new(incidence: Incidence, support: u8) -> Self {
        Self(incidence << 3 | u32::from(support))
    }

    /// Tetrahedron · 4 + corner.
    #[inline(always)]
    pub fn incidence(self) -> Incidence {
        self.0 >> 3
    }

    /// Local number of the tetrahedron.
    #[inline(always)]
    pub fn tetrahedron(self) -> usize {
        (self.0 >> 5) as usize
    }

    /// The corner that is updated.
    #[inline(always)]
    pub fn corner(self) -> usize {
        (self.0 >> 3 & 3) as usize
    }

    /// Bit i: vertex i of the face counts.
    #[inline(always)]
    pub fn support(self) -> u8 {
        (self.0 & 7) as u8
    }

    /// The vertices of the face that count.
    #[inline(always)]
    pub fn upwind<T>(self, mesh: &MetricMesh<T>) -> impl Iterator<Item = u32> {
        let vertices = mesh.tetrahedra[self.tetrahedron()].vertices;
        let (corner, support) = (self.corner(), self.support());
        (0..3)
            .filter(move |i| support >> i & 1 == 1)
            .map(move |i| vertices[FACE[corner][i]])
    }

    /// Solution with `phi`, other vertices of the face counted as not reached.
    #[inline]
    pub fn solve<T: Real>(self, mesh: &MetricMesh<T>, inv_gamma: &[T], phi: &[T]) -> Stencil<T> {
        let t = self.tetrahedron();
        let ig = inv_gamma[mesh.domains[t] as usize];
        let mut corner = mesh.tetrahedra[t].corner(self.corner(), ig, phi);
        for i in 0..3 {
            if self.support() >> i & 1 == 0 {
                corner.phi[i] = T::from_f64(f64::INFINITY);
            }
        }
        stencil(&corner)
    }
}

/// Candidates of all owned vertices.
#[derive(Debug, Clone)]
pub struct Candidates {
    offsets: Vec<u32>,
    entries: Vec<Candidate>,
    /// Local solves made to find them.
    pub local_solves: u64,
}

impl Candidates {
    /// Candidates at owned vertex `v`, in the file's order of tetrahedra.
    #[inline(always)]
    pub fn at(&self, v: u32) -> &[Candidate] {
        let v = v as usize;
        &self.entries[self.offsets[v] as usize..self.offsets[v + 1] as usize]
    }

    /// All candidates.
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

/// Tolerance, as a share of the time, within which a solution may win.
pub fn relative_tolerance<T: Real>() -> f64 {
    // 1e-9 in f64; in f32 rounding gathered along a path reaches 1e-6.
    if T::EPSILON < 1e-12 { 1e-9 } else { 5e-5 }
}

/// Finds the candidates at the fixed point `phi` (owned and ghosts) of the iteration; `sources`
/// with their onset times, by ascending local vertex.
pub fn find<T: Real>(
    mesh: &MetricMesh<T>,
    inv_gamma: &[T],
    phi: &[T],
    sources: &[(u32, T)],
) -> Candidates {
    let owned = mesh.owned as u32;
    let starts: Vec<u32> = (0..owned).step_by(CHUNK).collect();
    let found: Vec<Finder<T>> = starts
        .par_iter()
        .map(|start| {
            let mut finder = Finder::new(mesh, inv_gamma, phi, sources);
            finder.run(*start..owned.min(start + CHUNK as u32));
            finder
        })
        .collect();
    let mut offsets = Vec::with_capacity(mesh.owned + 1);
    offsets.push(0);
    let mut entries = Vec::with_capacity(found.iter().map(|f| f.candidates.len()).sum());
    let mut local_solves = 0;
    for finder in found {
        let base = entries.len() as u32;
        offsets.extend(finder.ends.iter().map(|end| base + end));
        entries.extend(finder.candidates);
        local_solves += finder.local_solves;
    }
    Candidates {
        offsets,
        entries,
        local_solves,
    }
}

/// det₃ and det₂: altitude² of vertex 4 over its face = det₃ / det₂.
#[inline(always)]
fn altitude_terms<T: Real>(lengths: &[T; 6]) -> (T, T) {
    let half = T::from_f64(0.5);
    let [l12, l13, l23, l14, l24, l34] = *lengths;
    let g12 = half * (l13 + l23 - l12);
    let b1 = half * (l14 - l13 - l34);
    let b2 = half * (l24 - l23 - l34);
    let det2 = l13 * l23 - g12 * g12;
    let det3 = l34 * det2 - (b1 * (l23 * b1 - g12 * b2) + b2 * (l13 * b2 - g12 * b1));
    (det3, det2)
}

/// Search over a range of vertices.
struct Finder<'a, T: Real> {
    mesh: &'a MetricMesh<T>,
    inv_gamma: &'a [T],
    phi: &'a [T],
    sources: &'a [(u32, T)],
    kernels: Kernels<T>,
    interior: Box<Block<T>>,
    boundary: Box<Block<T>>,
    /// Position in the list of incidences (ascending: vertices, then the file's order).
    hits: Vec<u32>,
    candidates: Vec<Candidate>,
    /// End of each vertex's candidates.
    ends: Vec<u32>,
    local_solves: u64,
}

impl<'a, T: Real> Finder<'a, T> {
    fn new(
        mesh: &'a MetricMesh<T>,
        inv_gamma: &'a [T],
        phi: &'a [T],
        sources: &'a [(u32, T)],
    ) -> Self {
        Self {
            mesh,
            inv_gamma,
            phi,
            sources,
            kernels: Kernels::detect(),
            interior: Box::default(),
            boundary: Box::default(),
            hits: Vec::new(),
            candidates: Vec::new(),
            ends: Vec::new(),
            local_solves: 0,
        }
    }

    /// The largest time that may still win at a vertex reached at `time`.
    #[inline(always)]
    fn limit(time: T) -> f64 {
        let time = time.value();
        time + relative_tolerance::<T>() * time.abs()
    }

    fn run(&mut self, vertices: std::ops::Range<u32>) {
        for v in vertices.clone() {
            let limit = T::from_f64(Self::limit(self.phi[v as usize]));
            if limit.value() == f64::INFINITY {
                continue;
            }
            let first = self.mesh.first_incidence(v);
            for (i, incidence) in (first..).zip(self.mesh.incidences(v)) {
                let t = (incidence >> 2) as usize;
                let tet: &Tetrahedron<T> = &self.mesh.tetrahedra[t];
                let corner = (incidence & 3) as usize;
                let face = FACE[corner].map(|k| self.phi[tet.vertices[k] as usize]);
                let gap = limit - face[0].least(face[1]).least(face[2]);
                if !(gap >= T::from_f64(0.0)) {
                    continue;
                }
                let ig = self.inv_gamma[self.mesh.domains[t] as usize];
                let lengths = tet.corner_lengths(corner, ig);
                let (det3, det2) = altitude_terms(&lengths);
                if gap * gap * det2 < det3 {
                    continue;
                }
                self.interior.push(lengths, face, i, limit);
                if self.interior.is_full() {
                    self.flush_interior();
                }
            }
        }
        self.flush_interior();
        self.flush_boundary();
        self.collect(vertices);
    }

    fn flush_interior(&mut self) {
        self.kernels.interior(&mut self.interior);
        self.local_solves += self.interior.len() as u64;
        for i in 0..self.interior.len() {
            let (arrival, limit) = (self.interior.arrival[i], self.interior.limit[i]);
            if arrival <= limit {
                self.hits.push(self.interior.label[i]);
            } else if arrival.value() == f64::INFINITY && self.interior.bound[i] <= limit {
                self.boundary.push_from(&self.interior, i);
                if self.boundary.is_full() {
                    self.flush_boundary();
                }
            }
        }
        self.interior.clear();
    }

    fn flush_boundary(&mut self) {
        self.kernels.boundary(&mut self.boundary);
        for i in 0..self.boundary.len() {
            if self.boundary.arrival[i] <= self.boundary.limit[i] {
                self.hits.push(self.boundary.label[i]);
            }
        }
        self.boundary.clear();
    }

    /// Sorts the hits by vertex and finds what each depends on.
    fn collect(&mut self, vertices: std::ops::Range<u32>) {
        self.hits.sort_unstable();
        let hits = std::mem::take(&mut self.hits);
        let mut hits = hits.into_iter().peekable();
        for v in vertices {
            let time = self.phi[v as usize];
            let tolerance = Self::limit(time) - time.value();
            let first = self.mesh.first_incidence(v);
            let list = self.mesh.incidences(v);
            let begin = self.candidates.len();
            while let Some(hit) = hits.next_if(|hit| ((hit - first) as usize) < list.len()) {
                self.add(list[(hit - first) as usize], tolerance);
            }
            if self.candidates.len() == begin && time.value() < f64::INFINITY {
                self.rescue(v, tolerance);
            }
            self.ends.push(self.candidates.len() as u32);
        }
    }

    fn solve(&self, incidence: Incidence) -> (Corner<T>, Stencil<T>) {
        let t = (incidence >> 2) as usize;
        let ig = self.inv_gamma[self.mesh.domains[t] as usize];
        let corner = self.mesh.tetrahedra[t].corner((incidence & 3) as usize, ig, self.phi);
        (corner, stencil(&corner))
    }

    fn add(&mut self, incidence: Incidence, tolerance: f64) {
        let (corner, at) = self.solve(incidence);
        let support = support(&corner, &at, tolerance);
        self.candidates.push(Candidate::new(incidence, support));
    }

    /// A vertex that no tetrahedron explains within the tolerance: a source; or, of tetrahedra so
    /// flat in the metric that rounding exceeds the tolerance, the best that there are.
    fn rescue(&mut self, v: u32, tolerance: f64) {
        if self.sources.binary_search_by_key(&v, |(u, _)| *u).is_ok() {
            return;
        }
        let arrivals: Vec<(Incidence, f64)> = self
            .mesh
            .incidences(v)
            .iter()
            .map(|i| (*i, self.solve(*i).1.phi.value()))
            .collect();
        self.local_solves += arrivals.len() as u64;
        let best = arrivals.iter().fold(f64::INFINITY, |best, a| best.min(a.1));
        for (incidence, arrival) in arrivals {
            if arrival <= best + tolerance {
                self.add(incidence, tolerance);
            }
        }
    }
}
