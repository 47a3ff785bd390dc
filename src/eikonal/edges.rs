//! Many local solves over edges of faces at once, as a structure of arrays like
//! [`Block`](super::block::Block).

use super::block::{LANES, for_lanes};
use super::compress::Chosen;
use super::found::Found;
use super::local_solver::along_edge;
use crate::real::Real;
use crate::simd::SimdLevel;

/// Edges per block (a power of two).
pub const EDGES: usize = 128;

/// Lanes stored: one register beyond the block may be written to.
const STORED: usize = EDGES + LANES;

/// A block of edges (i, j), each with the vertex 4 that is updated.
pub struct Edges<T> {
    len: usize,
    /// l_ij, l_i4, l_j4.
    lengths: [[T; STORED]; 3],
    phi: [[T; STORED]; 2],
    /// What the caller calls each.
    pub label: [u32; STORED],
    /// Times above which a solution is of no interest.
    pub limit: [T; STORED],
    /// Solutions.
    pub arrival: [T; EDGES],
    /// Bit 0 set: the solution is below the limit ([`Real::INTEGERS`] and 1).
    code: [T; EDGES],
}

impl<T: Real> Default for Edges<T> {
    fn default() -> Self {
        let (zero, one) = (T::from_f64(0.0), T::from_f64(1.0));
        Self {
            len: 0,
            lengths: [[one; STORED]; 3],
            phi: [[zero; STORED]; 2],
            label: [0; STORED],
            limit: [zero; STORED],
            arrival: [zero; EDGES],
            code: [zero; EDGES],
        }
    }
}

impl<T: Real> Edges<T> {
    /// Edges in the block.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Edges that still fit.
    #[inline(always)]
    pub fn room(&self) -> usize {
        EDGES - self.len
    }

    /// Empties the block.
    #[inline(always)]
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// The columns to which `count` more edges are appended, three lengths, two times and limits,
    /// with the labels and where the new ones begin; there must be room.
    #[inline(always)]
    pub fn grow(&mut self, count: usize) -> ([&mut [T]; 6], &mut [u32], usize) {
        let at = self.len;
        self.len += count;
        let [a, b, c] = &mut self.lengths;
        let [p, q] = &mut self.phi;
        let columns: [&mut [T]; 6] = [a, b, c, p, q, &mut self.limit];
        (columns, &mut self.label, at)
    }

    /// Takes the solutions below their limit.
    #[inline(always)]
    pub fn take_found(&self, level: SimdLevel, found: &mut Found<T>) {
        let chosen = Chosen {
            codes: &self.code,
            bit: 0,
            len: self.len,
        };
        found.take(level, chosen, &self.arrival, &self.label);
    }

    /// Fills `arrival`.
    #[inline(always)]
    pub(super) fn solve(&mut self) {
        let (zero, one) = (T::from_f64(0.0), T::from_f64(1.0));
        for_lanes!(i, self.len, EDGES, {
            let [l_ij, l_i4, l_j4] = [self.lengths[0][i], self.lengths[1][i], self.lengths[2][i]];
            let arrival = along_edge(l_ij, l_i4, l_j4, self.phi[0][i], self.phi[1][i]);
            self.arrival[i] = arrival;
            let below = if arrival < self.limit[i] { one } else { zero };
            self.code[i] = below + T::from_f64(T::INTEGERS);
        });
    }
}
