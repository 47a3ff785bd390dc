//! Re-solving the tetrahedra that touch changed vertices: the inner loop of the forward solver.
//!
//! A corner w is skipped, exactly, where φ_w cannot fall:
//!   φ_w ≤ min(φ of the opposite face) + altitude of w over that face in the metric.
//! With Gram determinants, altitude² = det₃ / det₂, and no root is taken.

use super::block::Block;
use super::metric_mesh::{FACE, MetricMesh, Tetrahedron};
use super::simd::Kernels;
use crate::real::Real;

/// A fall of the arrival time at a vertex, to be applied.
pub type Proposal<T> = (u32, T);

/// Scratch of one thread.
pub struct Resolver<T: Real> {
    kernels: Kernels<T>,
    interior: Box<Block<T>>,
    boundary: Box<Block<T>>,
    /// What was found, in order of the work.
    pub proposals: Vec<Proposal<T>>,
    /// Local solves made.
    pub local_solves: u64,
}

impl<T: Real> Default for Resolver<T> {
    fn default() -> Self {
        Self {
            kernels: Kernels::detect(),
            interior: Box::default(),
            boundary: Box::default(),
            proposals: Vec::new(),
            local_solves: 0,
        }
    }
}

/// det₃ = 36 V² in the metric for γ = 1, and 4 · det₂ = 16 A² of the face opposite each corner.
#[inline(always)]
fn gram_determinants<T: Real>(tet: &Tetrahedron<T>) -> (T, [T; 4]) {
    let half = T::from_f64(0.5);
    let [l01, l02, l03, l12, l13, l23] = tet.lengths;
    // Gram matrix of the edges from vertex 0.
    let (a, b, c) = (
        half * (l01 + l02 - l12),
        half * (l01 + l03 - l13),
        half * (l02 + l03 - l23),
    );
    let det3 = l01 * (l02 * l03 - c * c) - a * (a * l03 - b * c) + b * (a * c - b * l02);
    let four = T::from_f64(4.0);
    let face = |x: T, y: T, z: T| {
        let w = x + y - z;
        four * x * y - w * w
    };
    (
        det3,
        [
            face(l12, l13, l23),
            face(l02, l03, l23),
            face(l01, l03, l13),
            face(l01, l02, l12),
        ],
    )
}

impl<T: Real> Resolver<T> {
    /// Re-solves the corners of `tetrahedra` opposite a changed vertex (`changed[t]`: bit per
    /// corner) and proposes every time that falls below its `limit`.
    pub fn resolve(
        &mut self,
        mesh: &MetricMesh<T>,
        inv_gamma: &[T],
        phi: &[T],
        changed: &[u8],
        tetrahedra: &[u32],
    ) {
        let four = T::from_f64(4.0);
        let keep = T::from_f64(1.0 - 4.0 * T::EPSILON);
        for &t in tetrahedra {
            let tet = &mesh.tetrahedra[t as usize];
            let ig = inv_gamma[mesh.domains[t as usize] as usize];
            let mask = changed[t as usize];
            let times = tet.vertices.map(|v| phi[v as usize]);
            let (det3, det2) = gram_determinants(tet);
            let volume = four * det3 * ig;
            for c in 0..4 {
                let w = tet.vertices[c];
                if w as usize >= mesh.owned || mask & !(1 << c) == 0 {
                    continue;
                }
                let face = FACE[c].map(|i| times[i]);
                let gap = times[c] - face[0].least(face[1]).least(face[2]);
                // False for a gap of +∞ (w not reached) and never true for gap ≤ 0.
                let falls = gap > T::from_f64(0.0) && !(gap * gap * det2[c] <= volume);
                if !falls {
                    continue;
                }
                // Falls of a few last bits are left to the canonical pass.
                let limit = times[c] * keep;
                self.interior
                    .push(tet.corner_lengths(c, ig), face, w, limit);
                if self.interior.is_full() {
                    self.flush_interior();
                }
            }
        }
        self.flush_interior();
        self.flush_boundary();
    }

    fn flush_interior(&mut self) {
        self.kernels.interior(&mut self.interior);
        self.local_solves += self.interior.len() as u64;
        for i in 0..self.interior.len() {
            let (arrival, limit) = (self.interior.arrival[i], self.interior.limit[i]);
            if arrival < limit {
                self.proposals.push((self.interior.label[i], arrival));
            } else if arrival.value() == f64::INFINITY && self.interior.bound[i] < limit {
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
            if self.boundary.arrival[i] < self.boundary.limit[i] {
                self.proposals
                    .push((self.boundary.label[i], self.boundary.arrival[i]));
            }
        }
        self.boundary.clear();
    }
}
