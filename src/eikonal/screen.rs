//! The skip test: which corners of a tetrahedron a local solve could lower.
//!
//! A corner w cannot fall below a limit ℓ_w, exactly, where
//!   ℓ_w ≤ min(φ of the opposite face) + altitude of w over that face in the metric.
//! With Gram determinants, altitude² = det₃ / det₂, and no root is taken. Many tetrahedra at once,
//! as a structure of arrays.

use super::metric_mesh::{MetricMesh, Tetrahedron};
use crate::real::Real;

/// Tetrahedra per block.
pub const SCREEN: usize = 64;

/// A block of tetrahedra to be tested.
pub struct Screen<T> {
    len: usize,
    /// Number of each tetrahedron.
    pub tetrahedra: [u32; SCREEN],
    lengths: [[T; SCREEN]; 6],
    times: [[T; SCREEN]; 4],
    inv_gamma: [T; SCREEN],
    /// Bit c set: corner c may fall. (A sum of powers of two: the test stays in one type.)
    code: [T; SCREEN],
}

impl<T: Real> Default for Screen<T> {
    fn default() -> Self {
        let (zero, one) = (T::from_f64(0.0), T::from_f64(1.0));
        Self {
            len: 0,
            tetrahedra: [0; SCREEN],
            lengths: [[one; SCREEN]; 6],
            times: [[zero; SCREEN]; 4],
            inv_gamma: [one; SCREEN],
            code: [zero; SCREEN],
        }
    }
}

impl<T: Real> Screen<T> {
    /// Tetrahedra in the block.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len
    }

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

    /// Adds tetrahedron `t`; there must be room.
    #[inline(always)]
    pub fn push(&mut self, mesh: &MetricMesh<T>, inv_gamma: &[T], phi: &[T], t: u32) {
        let i = self.len;
        let tet: &Tetrahedron<T> = &mesh.tetrahedra[t as usize];
        self.tetrahedra[i] = t;
        for k in 0..6 {
            self.lengths[k][i] = tet.lengths[k];
        }
        for c in 0..4 {
            self.times[c][i] = phi[tet.vertices[c] as usize];
        }
        self.inv_gamma[i] = inv_gamma[mesh.domains[t as usize] as usize];
        self.len += 1;
    }

    /// Corners of tetrahedron `i` of the block that may fall, a bit each.
    #[inline(always)]
    pub fn corners(&self, i: usize) -> u8 {
        self.code[i].value() as u8
    }

    /// Times of the corners of tetrahedron `i` of the block.
    #[inline(always)]
    pub fn times(&self, i: usize) -> [T; 4] {
        [
            self.times[0][i],
            self.times[1][i],
            self.times[2][i],
            self.times[3][i],
        ]
    }

    /// 1/γ of tetrahedron `i` of the block.
    #[inline(always)]
    pub fn inv_gamma(&self, i: usize) -> T {
        self.inv_gamma[i]
    }

    /// Tests all corners, with the limits (1 + `slack`) φ_w; times are not negative.
    #[inline(always)]
    pub(super) fn test(&mut self, slack: T) {
        let (zero, one, half) = (T::from_f64(0.0), T::from_f64(1.0), T::from_f64(0.5));
        let four = T::from_f64(4.0);
        let up = one + slack;
        let weights = [1.0, 2.0, 4.0, 8.0].map(T::from_f64);
        for i in 0..self.len.next_multiple_of(16).min(SCREEN) {
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
            let [p0, p1, p2, p3] = self.times(i);
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
        }
    }
}
