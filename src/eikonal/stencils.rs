//! Stencils of many corners at once: a [`Block`] whose whole minimum, interior and boundary, is
//! sought, with the place where it is attained.

use super::block::{BLOCK, Block, LANES, for_lanes};
use super::local_solver::{Corner, Stencil, stencil};
use super::simd::Kernels;
use crate::real::Real;

/// A block of corners and their stencils.
pub struct Stencils<T: Real> {
    kernels: Kernels<T>,
    corners: Block<T>,
    lambda: [[T; BLOCK]; 3],
    s: [T; BLOCK],
}

impl<T: Real> Default for Stencils<T> {
    fn default() -> Self {
        Self::at(Kernels::detect())
    }
}

impl<T: Real> Stencils<T> {
    /// An empty block, to be solved by `kernels`.
    pub(super) fn at(kernels: Kernels<T>) -> Self {
        let zero = T::from_f64(0.0);
        Self {
            kernels,
            corners: Block::default(),
            lambda: [[zero; BLOCK]; 3],
            s: [zero; BLOCK],
        }
    }

    /// Adds a corner; `done` takes those that are full, label, corner and stencil of each in turn.
    #[inline(always)]
    pub fn push(
        &mut self,
        label: u32,
        corner: &Corner<T>,
        done: impl FnMut(u32, &Corner<T>, &Stencil<T>),
    ) {
        if self.corners.room() == 0 {
            self.finish(done);
        }
        let limit = T::from_f64(f64::INFINITY);
        self.corners.push_corner(corner, label, limit);
    }

    /// Gives what is left to `done`.
    #[inline(always)]
    pub fn finish(&mut self, mut done: impl FnMut(u32, &Corner<T>, &Stencil<T>)) {
        let kernels = self.kernels;
        kernels.stencils(self);
        for i in 0..self.corners.len().min(BLOCK) {
            let at = Stencil {
                phi: self.corners.arrival[i],
                lambda: [self.lambda[0][i], self.lambda[1][i], self.lambda[2][i]],
                s: self.s[i],
            };
            done(self.corners.label[i], &self.corners.corner(i), &at);
        }
        self.corners.clear();
    }

    /// Solves all corners.
    #[inline(always)]
    pub(super) fn solve(&mut self) {
        for_lanes!(i, self.corners.len(), BLOCK, {
            let at = stencil(&self.corners.corner(i));
            self.corners.arrival[i] = at.phi;
            self.lambda[0][i] = at.lambda[0];
            self.lambda[1][i] = at.lambda[1];
            self.lambda[2][i] = at.lambda[2];
            self.s[i] = at.s;
        });
    }
}
