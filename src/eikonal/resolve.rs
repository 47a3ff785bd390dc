//! Re-solving the tetrahedra that touch changed vertices: the inner loop of the forward solver.
//!
//! Corners that cannot fall are skipped ([`screen`](super::screen)); of the others, first the
//! interior of the face is tried, then, where that can still lower the time, its boundary.

use super::block::Block;
use super::metric_mesh::{FACE, MetricMesh};
use super::screen::{SCREEN, Screen};
use super::simd::Kernels;
use crate::real::Real;

/// A fall of the arrival time at a vertex, to be applied.
pub type Proposal<T> = (u32, T);

/// What counts as a fall below `time` ≥ 0: a few last bits are left to the canonical pass.
#[inline(always)]
pub fn fall_limit<T: Real>(time: T) -> T {
    time * T::from_f64(1.0 - 4.0 * T::EPSILON)
}

/// Corners opposite a changed vertex: all of two or more changed ones, else all but that one.
#[inline(always)]
fn downstream(changed: u8) -> u8 {
    if changed.is_power_of_two() {
        !changed & 15
    } else {
        15
    }
}

/// Scratch of one thread.
pub struct Resolver<T: Real> {
    kernels: Kernels<T>,
    screen: Box<Screen<T>>,
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
            screen: Box::default(),
            interior: Box::default(),
            boundary: Box::default(),
            proposals: Vec::new(),
            local_solves: 0,
        }
    }
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
        for part in tetrahedra.chunks(SCREEN) {
            self.screen.clear();
            for &t in part {
                self.screen.push(mesh, inv_gamma, phi, t);
            }
            self.kernels.screen(&mut self.screen, T::from_f64(0.0));
            for i in 0..self.screen.len() {
                let t = self.screen.tetrahedra[i] as usize;
                let mut corners = self.screen.corners(i) & downstream(changed[t]);
                while corners != 0 {
                    let c = corners.trailing_zeros() as usize;
                    corners &= corners - 1;
                    self.push(mesh, i, c);
                }
            }
        }
        self.flush_interior();
        self.flush_boundary();
    }

    /// Adds corner `c` of tetrahedron `i` of the screened block.
    #[inline(always)]
    fn push(&mut self, mesh: &MetricMesh<T>, i: usize, c: usize) {
        let tet = &mesh.tetrahedra[self.screen.tetrahedra[i] as usize];
        let w = tet.vertices[c];
        if w as usize >= mesh.owned {
            return;
        }
        let times = self.screen.times(i);
        let [a, b, d] = FACE[c];
        self.interior.push(
            tet.corner_lengths(c, self.screen.inv_gamma(i)),
            [times[a], times[b], times[d]],
            w,
            fall_limit(times[c]),
        );
        if self.interior.is_full() {
            self.flush_interior();
        }
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
