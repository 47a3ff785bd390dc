//! Many local solves at once: a block of corners as a structure of arrays, so that the loop over
//! it becomes SIMD code. The same operations in the same order as one local solve, without
//! contraction: the same bits at every SIMD level.

use super::compress::{Chosen, append};
use super::edges::Edges;
use super::found::Found;
use super::local_solver::{Corner, interior};
use crate::real::Real;
use crate::simd::SimdLevel;

/// Corners per block (a power of two).
pub const BLOCK: usize = 128;

/// Lanes of the widest registers.
pub(super) const LANES: usize = 16;

/// Lanes stored: one register beyond the block may be written to.
const STORED: usize = BLOCK + LANES;

/// Runs `body` on whole registers that hold `len` lanes or more; those beyond hold what was there
/// before. A fixed count inside leaves no remainder for scalar code.
macro_rules! for_lanes {
    ($i:ident, $len:expr, $most:expr, $body:block) => {
        for register in 0..$len.min($most).div_ceil(LANES) {
            for lane in 0..LANES {
                let $i = LANES * register + lane;
                $body
            }
        }
    };
}
pub(super) use for_lanes;

/// Bit of a corner whose solution is below its limit.
const FOUND: u32 = 3;

/// A block of local solves of one kind.
#[derive(Clone)]
pub struct Block<T> {
    len: usize,
    lengths: [[T; STORED]; 6],
    phi: [[T; STORED]; 3],
    /// What the caller calls each corner.
    pub label: [u32; STORED],
    /// Times above which a solution is of no interest.
    pub limit: [T; STORED],
    /// Solutions; +∞ where the minimum over the face's plane is not in the face.
    pub arrival: [T; BLOCK],
    /// Bit e set: the edge opposite vertex e of the face may hold a solution below the limit; bit
    /// [`FOUND`]: `arrival` is one ([`Real::INTEGERS`] and powers of two).
    code: [T; BLOCK],
}

impl<T: Real> Default for Block<T> {
    fn default() -> Self {
        // Unused lanes solve the regular tetrahedron, so that they never trap or slow down.
        let one = T::from_f64(1.0);
        let zero = T::from_f64(0.0);
        Self {
            len: 0,
            lengths: [[one; STORED]; 6],
            phi: [[zero; STORED]; 3],
            label: [0; STORED],
            limit: [zero; STORED],
            arrival: [zero; BLOCK],
            code: [zero; BLOCK],
        }
    }
}

impl<T: Real> Block<T> {
    /// Corners in the block.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
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

    /// Adds a corner; there must be room.
    #[inline(always)]
    pub fn push_corner(&mut self, k: &Corner<T>, label: u32, limit: T) {
        let lengths = [k.l12, k.l13, k.l23, k.l14, k.l24, k.l34];
        self.push(lengths, k.phi, label, limit);
    }

    /// Corner `i`.
    #[inline(always)]
    pub(super) fn corner(&self, i: usize) -> Corner<T> {
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

    /// The columns to which `count` more corners are appended, six lengths, three times and limits,
    /// with the labels and where the new ones begin; there must be room.
    #[inline(always)]
    pub fn grow(&mut self, count: usize) -> ([&mut [T]; 10], &mut [u32], usize) {
        let at = self.len;
        self.len += count;
        let [a, b, c, d, e, f] = &mut self.lengths;
        let [p, q, r] = &mut self.phi;
        let columns: [&mut [T]; 10] = [a, b, c, d, e, f, p, q, r, &mut self.limit];
        (columns, &mut self.label, at)
    }

    /// Appends the edges opposite vertex `E` of the faces of those corners that ask for it, `count`
    /// of them, to `edges`, which must have room.
    #[inline(always)]
    pub fn append_edges<const E: usize>(
        &self,
        level: SimdLevel,
        count: usize,
        edges: &mut Edges<T>,
    ) {
        // Which of l12 l13 l23 l14 l24 l34 belong to the edge, and its ends.
        let (lengths, ends) = [
            ([2, 4, 5], [1, 2]),
            ([1, 3, 5], [0, 2]),
            ([0, 3, 4], [0, 1]),
        ][E];
        let (to, labels, at) = edges.grow(count);
        let from = [
            &self.lengths[lengths[0]][..],
            &self.lengths[lengths[1]],
            &self.lengths[lengths[2]],
            &self.phi[ends[0]],
            &self.phi[ends[1]],
            &self.limit,
        ];
        let chosen = self.chosen(E as u32);
        append(level, chosen, from, to, (&self.label, labels), 0, at);
    }

    /// How many corners ask for the edge opposite vertex `E` of their face.
    #[inline(always)]
    pub fn count_edges<const E: usize>(&self, level: SimdLevel) -> usize {
        self.chosen(E as u32).count(level)
    }

    /// Takes the solutions in the interior below their limit.
    #[inline(always)]
    pub fn take_found(&self, level: SimdLevel, found: &mut Found<T>) {
        found.take(level, self.chosen(FOUND), &self.arrival, &self.label);
    }

    /// The corners with a bit set in `code`.
    #[inline(always)]
    fn chosen(&self, bit: u32) -> Chosen<'_, T> {
        Chosen {
            codes: &self.code,
            bit,
            len: self.len,
        }
    }

    /// The interior of the faces. Fills `arrival` and the edges to be tried.
    ///
    /// On a segment from the minimum over the plane to any point of the face the function, convex,
    /// rises; so the minimum over the face is on an edge that separates the two: λ < 0 there.
    #[inline(always)]
    pub(super) fn solve_interior(&mut self) {
        let (zero, infinity) = (T::from_f64(0.0), T::from_f64(f64::INFINITY));
        for_lanes!(i, self.len, BLOCK, {
            let inner = interior(&self.corner(i));
            self.arrival[i] = if inner.valid { inner.phi } else { infinity };
            // A face without area, or a vertex not reached, gives NaN: nothing is known.
            let known = inner.exists & (inner.phi > -infinity);
            let hopeless = inner.valid | (known & (inner.phi >= self.limit[i]));
            let signs = known & inner.well_posed;
            let [r1, r2, r3] = [
                self.phi[0][i] < infinity,
                self.phi[1][i] < infinity,
                self.phi[2][i] < infinity,
            ];
            let found = if inner.valid & (inner.phi < self.limit[i]) {
                T::from_f64(f64::from(1 << FOUND))
            } else {
                zero
            };
            // Of vertices reached two need one edge, and one needs one.
            let code = |lambda: T, reached: bool, bit: f64| {
                if !hopeless & reached & !(signs & (lambda >= zero)) {
                    T::from_f64(bit)
                } else {
                    zero
                }
            };
            self.code[i] = code(inner.lambda[0], r2 & (r3 | !r1), 1.0)
                + code(inner.lambda[1], r3 & (r1 | !r2), 2.0)
                + code(inner.lambda[2], r1 & (r2 | !r3), 4.0)
                + (found + T::from_f64(T::INTEGERS));
        });
    }
}
