//! The skip test: which corners of a tetrahedron a local solve could lower.
//!
//! A corner w cannot fall below a limit ℓ_w, exactly, where
//!   ℓ_w ≤ min(φ of the opposite face) + altitude of w over that face in the metric.
//! With Gram determinants, altitude² = det₃ / det₂, and no root is taken. Many tetrahedra at once,
//! as a structure of arrays.

use super::block::{Block, LANES, for_lanes};
use super::compress::{Chosen, append};
use super::metric_mesh::{CORNER_PAIRS, FACE, Tetrahedron};
use crate::real::Real;
use crate::simd::SimdLevel;

/// Tetrahedra per block.
pub const SCREEN: usize = 64;

/// A block of tetrahedra to be tested.
pub struct Screen<T> {
    len: usize,
    /// Number of each tetrahedron · 4.
    labels: [u32; SCREEN],
    /// Corners of each that are asked about, a bit each.
    asked: [u8; SCREEN],
    /// For γ = 1.
    lengths: [[T; SCREEN]; 6],
    /// Divided by γ, once tested.
    scaled: [[T; SCREEN]; 6],
    times: [[T; SCREEN]; 4],
    /// Times above which a solution is of no interest, once tested.
    limits: [[T; SCREEN]; 4],
    inv_gamma: [T; SCREEN],
    /// Bit c set: corner c may fall. (A sum of powers of two: the test stays in one type.)
    code: [T; SCREEN],
}

impl<T: Real> Default for Screen<T> {
    fn default() -> Self {
        let (zero, one) = (T::from_f64(0.0), T::from_f64(1.0));
        Self {
            len: 0,
            labels: [0; SCREEN],
            asked: [0; SCREEN],
            lengths: [[one; SCREEN]; 6],
            scaled: [[one; SCREEN]; 6],
            times: [[zero; SCREEN]; 4],
            limits: [[zero; SCREEN]; 4],
            inv_gamma: [one; SCREEN],
            code: [zero; SCREEN],
        }
    }
}

impl<T: Real> Screen<T> {
    /// Whether there is no room left.
    #[inline(always)]
    pub fn is_full(&self) -> bool {
        self.len == SCREEN
    }

    /// Empties the block.
    #[inline(always)]
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds tetrahedron `t` to be tested at the corners `asked`; there must be room.
    #[inline(always)]
    pub fn push(&mut self, t: u32, tet: &Tetrahedron<T>, times: [T; 4], inv_gamma: T, asked: u8) {
        // There is room, so this is `len`; the compiler sees that it is in range.
        let i = self.len % SCREEN;
        self.labels[i] = t << 2;
        self.asked[i] = asked;
        for (column, l) in self.lengths.iter_mut().zip(tet.lengths) {
            column[i] = l;
        }
        for (column, time) in self.times.iter_mut().zip(times) {
            column[i] = time;
        }
        self.inv_gamma[i] = inv_gamma;
        self.len += 1;
    }

    /// Corners asked about that may fall, a bit each, for every tetrahedron of the block.
    #[inline(always)]
    pub fn survivors(&self, corners: &mut [u8; SCREEN]) {
        let tested = self.code.iter().zip(&self.asked).take(self.len);
        for (corners, (code, asked)) in corners.iter_mut().zip(tested) {
            *corners = code.small_integer() & asked;
        }
    }

    /// The tetrahedra of the block whose bit `C` is set in `corners`.
    #[inline(always)]
    pub fn with_corner<'a, const C: usize>(&self, corners: &'a [u8; SCREEN]) -> Chosen<'a> {
        Chosen {
            bits: corners,
            bit: C as u32,
            len: self.len,
        }
    }

    /// Appends corner `C` of the `chosen` tetrahedra to `block`, whose room there must be.
    #[inline(always)]
    pub fn append_corner<const C: usize>(
        &self,
        level: SimdLevel,
        chosen: Chosen,
        block: &mut Block<T>,
    ) {
        let length = |k: usize| &self.scaled[CORNER_PAIRS[C][k]][..];
        let time = |k: usize| &self.times[FACE[C][k]][..];
        let from = [
            length(0),
            length(1),
            length(2),
            length(3),
            length(4),
            length(5),
            time(0),
            time(1),
            time(2),
            &self.limits[C],
        ];
        let (to, labels, at) = block.grow(chosen.count());
        append(
            level,
            chosen,
            from,
            to,
            (&self.labels, labels),
            C as u32,
            at,
        );
    }

    /// Tests all corners, with the limits (1 + `slack`) φ_w; times are not negative.
    #[inline(always)]
    pub(super) fn test(&mut self, slack: T) {
        let (zero, one, half) = (T::from_f64(0.0), T::from_f64(1.0), T::from_f64(0.5));
        let four = T::from_f64(4.0);
        let up = one + slack;
        let weights = [1.0, 2.0, 4.0, 8.0].map(T::from_f64);
        for_lanes!(i, self.len, SCREEN, {
            let [l01, l02, l03, l12, l13, l23] = [
                self.lengths[0][i],
                self.lengths[1][i],
                self.lengths[2][i],
                self.lengths[3][i],
                self.lengths[4][i],
                self.lengths[5][i],
            ];
            // det₃ = 36 V² by the Gram matrix of the edges from vertex 0.
            let a = half * (l01 + l02 - l12);
            let b = half * (l01 + l03 - l13);
            let c = half * (l02 + l03 - l23);
            let det3 = l01 * (l02 * l03 - c * c) - a * (a * l03 - b * c) + b * (a * c - b * l02);
            let volume = four * det3 * self.inv_gamma[i];
            let (p0, p1) = (self.times[0][i], self.times[1][i]);
            let (p2, p3) = (self.times[2][i], self.times[3][i]);
            // 4 det₂ = 16 A² of a face with squared edges x, y, z.
            let falls = |time: T, face: T, x: T, y: T, z: T, weight: T| {
                let w = x + y - z;
                let det2 = four * x * y - w * w;
                let gap = time * up - face;
                // True for a corner not reached (gap = +∞), false where the face is not (NaN).
                let falls = (gap > zero) & (gap * gap * det2 > volume);
                if falls { weight } else { zero }
            };
            let (m01, m23) = (p0.least(p1), p2.least(p3));
            self.code[i] = falls(p0, p1.least(m23), l12, l13, l23, weights[0])
                + falls(p1, p0.least(m23), l02, l03, l23, weights[1])
                + falls(p2, m01.least(p3), l01, l03, l13, weights[2])
                + falls(p3, m01.least(p2), l01, l02, l12, weights[3]);
        });
        // Plain loops of their own: they become SIMD code, as parts of the one above they would not.
        for (limits, times) in self.limits.iter_mut().zip(&self.times) {
            for (limit, time) in limits.iter_mut().zip(times) {
                *limit = *time * up;
            }
        }
        for (scaled, lengths) in self.scaled.iter_mut().zip(&self.lengths) {
            for ((scaled, l), inv_gamma) in scaled.iter_mut().zip(lengths).zip(&self.inv_gamma) {
                *scaled = *l * *inv_gamma;
            }
        }
    }
}
