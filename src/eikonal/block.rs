//! Many local solves at once: a block of corners as a structure of arrays, so that the loop over
//! it becomes SIMD code. The same operations in the same order as one local solve, without
//! contraction: the same bits at every SIMD level.

use super::local_solver::{Corner, boundary, interior};
use crate::real::Real;

/// Corners per block (a power of two).
pub const BLOCK: usize = 128;

/// A block of local solves of one kind.
#[derive(Clone)]
pub struct Block<T> {
    len: usize,
    lengths: [[T; BLOCK]; 6],
    phi: [[T; BLOCK]; 3],
    /// What the caller calls each corner.
    pub label: [u32; BLOCK],
    /// Times above which a solution is of no interest.
    pub limit: [T; BLOCK],
    /// Solutions; +∞ where the minimum over the face's plane is not in the face.
    pub arrival: [T; BLOCK],
    /// Bounds from below of the solution (first stage only).
    pub bound: [T; BLOCK],
}

impl<T: Real> Default for Block<T> {
    fn default() -> Self {
        // Unused lanes solve the regular tetrahedron, so that they never trap or slow down.
        let one = T::from_f64(1.0);
        let zero = T::from_f64(0.0);
        Self {
            len: 0,
            lengths: [[one; BLOCK]; 6],
            phi: [[zero; BLOCK]; 3],
            label: [0; BLOCK],
            limit: [zero; BLOCK],
            arrival: [zero; BLOCK],
            bound: [zero; BLOCK],
        }
    }
}

impl<T: Real> Block<T> {
    /// Corners in the block.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Corners that still fit.
    #[inline(always)]
    pub fn room(&self) -> usize {
        BLOCK - self.len
    }

    /// Empties the block.
    #[inline(always)]
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds a corner; there must be room.
    #[inline(always)]
    pub fn push(&mut self, lengths: [T; 6], phi: [T; 3], label: u32, limit: T) {
        // There is room, so this is `len`; the compiler sees that it is in range.
        let i = self.len % BLOCK;
        for (column, l) in self.lengths.iter_mut().zip(lengths) {
            column[i] = l;
        }
        for (column, p) in self.phi.iter_mut().zip(phi) {
            column[i] = p;
        }
        self.label[i] = label;
        self.limit[i] = limit;
        self.len += 1;
    }

    /// Adds a corner with no limit; there must be room.
    #[inline(always)]
    pub fn push_corner(&mut self, k: &Corner<T>, label: u32) {
        let lengths = [k.l12, k.l13, k.l23, k.l14, k.l24, k.l34];
        self.push(lengths, k.phi, label, T::from_f64(f64::INFINITY));
    }

    /// Copies corner `i` of `other`.
    #[inline(always)]
    pub fn push_from(&mut self, other: &Self, i: usize) {
        self.push(
            std::array::from_fn(|k| other.lengths[k][i]),
            std::array::from_fn(|k| other.phi[k][i]),
            other.label[i],
            other.limit[i],
        );
    }

    #[inline(always)]
    fn corner(&self, i: usize) -> Corner<T> {
        let [l12, l13, l23, l14, l24, l34] = std::array::from_fn(|k| self.lengths[k][i]);
        Corner {
            l12,
            l13,
            l23,
            l14,
            l24,
            l34,
            phi: [self.phi[0][i], self.phi[1][i], self.phi[2][i]],
        }
    }

    /// Whole SIMD registers; the lanes beyond `len` hold what was there before.
    #[inline(always)]
    fn padded_len(&self) -> usize {
        self.len.next_multiple_of(16).min(BLOCK)
    }

    /// First stage: the interior of the faces. Fills `arrival` and `bound`.
    #[inline(always)]
    pub(super) fn solve_interior(&mut self) {
        let infinity = T::from_f64(f64::INFINITY);
        for i in 0..self.padded_len() {
            let inner = interior(&self.corner(i));
            self.arrival[i] = if inner.valid { inner.phi } else { infinity };
            // A face without area gives NaN.
            let bounds = inner.exists & (inner.phi > -infinity);
            self.bound[i] = if bounds { inner.phi } else { -infinity };
        }
    }

    /// Second stage: the boundary of the faces. Fills `arrival`.
    #[inline(always)]
    pub(super) fn solve_boundary(&mut self) {
        for i in 0..self.padded_len() {
            self.arrival[i] = boundary(&self.corner(i));
        }
    }
}
