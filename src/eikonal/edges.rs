//! Many local solves over edges of faces at once, as a structure of arrays like
//! [`Block`](super::block::Block).

use super::block::{LANES, for_lanes};
use super::local_solver::along_edge;
use crate::real::Real;

/// Edges per block (a power of two).
pub const EDGES: usize = 128;

/// A block of edges (i, j), each with the vertex 4 that is updated.
pub struct Edges<T> {
    len: usize,
    /// l_ij, l_i4, l_j4.
    lengths: [[T; EDGES]; 3],
    phi: [[T; EDGES]; 2],
    /// What the caller calls each.
    pub label: [u32; EDGES],
    /// Times above which a solution is of no interest.
    pub limit: [T; EDGES],
    /// Solutions.
    pub arrival: [T; EDGES],
}

impl<T: Real> Default for Edges<T> {
    fn default() -> Self {
        let (zero, one) = (T::from_f64(0.0), T::from_f64(1.0));
        Self {
            len: 0,
            lengths: [[one; EDGES]; 3],
            phi: [[zero; EDGES]; 2],
            label: [0; EDGES],
            limit: [zero; EDGES],
            arrival: [zero; EDGES],
        }
    }
}

impl<T: Real> Edges<T> {
    /// Edges in the block.
    #[inline(always)]
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

    /// Adds an edge: l_ij, l_i4, l_j4, and φ_i, φ_j; there must be room.
    #[inline(always)]
    pub fn push(&mut self, lengths: [T; 3], phi: [T; 2], label: u32, limit: T) {
        // There is room, so this is `len`; the compiler sees that it is in range.
        let i = self.len % EDGES;
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

    /// Fills `arrival`.
    #[inline(always)]
    pub(super) fn solve(&mut self) {
        for_lanes!(i, self.len, EDGES, {
            let [l_ij, l_i4, l_j4] = [self.lengths[0][i], self.lengths[1][i], self.lengths[2][i]];
            self.arrival[i] = along_edge(l_ij, l_i4, l_j4, self.phi[0][i], self.phi[1][i]);
        });
    }
}
