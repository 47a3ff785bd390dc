//! The skip test: which corners of a tetrahedron a local solve could lower.
//!
//! A corner w cannot fall below a limit ℓ_w, exactly, where
//!   ℓ_w ≤ min(φ of the opposite face) + altitude of w over that face in the metric.
//! With Gram determinants, altitude² = det₃ / det₂, and no root is taken.
//!
//! A solution that is news depends on a vertex v whose time is news, and there, with the foot point
//! x_λ and e_i = x_w − x_i, optimality (∂/∂λ_v = 0) says
//!   φ_w = φ_v + e_v·e_λ / |e_λ| ≥ φ_v + min over the other two vertices u of e_v·e_u / |e_u|,
//! since the cosine between e_v and what lies between the three edges is least at one of the others;
//! or, where −e_v projected on their plane lies between these two, between them: there −|e_v| bounds
//! it. So w cannot fall either where ℓ_w is not above that for any such v. Most of the work is saved
//! here: it spares those whom the wave has passed, where the angles allow it.
//!
//! Many tetrahedra at once, as a structure of arrays.

use super::block::{Block, LANES, for_lanes};
use super::compress::{Chosen, append};
use super::gather::{Target, gather};
use super::metric_mesh::{CORNER_PAIRS, FACE, Incidence};
use super::pipeline::Source;
use crate::real::Real;
use crate::simd::SimdLevel;

/// Tetrahedra per block.
pub const SCREEN: usize = 64;

/// Lanes stored: what fills a block may be followed by others of its register.
const STORED: usize = SCREEN + LANES;

/// A block of tetrahedra to be tested.
pub struct Screen<T> {
    len: usize,
    /// Number of each tetrahedron · 4.
    labels: [u32; STORED],
    /// Corners of each that are asked about, a bit each.
    asked: [u8; STORED],
    /// For γ = 1.
    lengths: [[T; STORED]; 6],
    /// Divided by γ, once tested.
    scaled: [[T; STORED]; 6],
    /// Until it is tested the times that are news are negated.
    times: [[T; STORED]; 4],
    /// Those that are news, +∞ the others, once tested.
    news: [[T; STORED]; 4],
    /// Times above which a solution is of no interest, once tested.
    limits: [[T; STORED]; 4],
    inv_gamma: [T; STORED],
    /// Bit c set: corner c is asked about and may fall ([`Real::INTEGERS`] and powers of two).
    code: [T; STORED],
}

impl<T: Real> Default for Screen<T> {
    fn default() -> Self {
        let (zero, one) = (T::from_f64(0.0), T::from_f64(1.0));
        Self {
            len: 0,
            labels: [0; STORED],
            asked: [0; STORED],
            lengths: [[one; STORED]; 6],
            scaled: [[one; STORED]; 6],
            times: [[zero; STORED]; 4],
            news: [[zero; STORED]; 4],
            limits: [[zero; STORED]; 4],
            inv_gamma: [one; STORED],
            code: [zero; STORED],
        }
    }
}

impl<T: Real> Screen<T> {
    /// Whether the block is full; else there is room for the lanes of a register.
    #[inline(always)]
    pub fn is_full(&self) -> bool {
        self.len >= SCREEN
    }

    /// Begins the next block, with what is stored beyond this one.
    #[inline(always)]
    pub fn clear(&mut self) {
        if self.len > SCREEN {
            self.labels.copy_within(SCREEN.., 0);
            self.asked.copy_within(SCREEN.., 0);
            self.inv_gamma.copy_within(SCREEN.., 0);
            for column in self.lengths.iter_mut().chain(&mut self.times) {
                column.copy_within(SCREEN.., 0);
            }
        }
        self.len = self.len.saturating_sub(SCREEN);
    }

    /// Adds the tetrahedra of `corners`, one register of them at most, that are [wanted](gather),
    /// to be tested for what their vertices with news bring. There must be room.
    #[inline(always)]
    pub fn take(&mut self, level: SimdLevel, source: &Source<T>, corners: &[Incidence]) {
        let from = self.len;
        let target = Target {
            labels: &mut self.labels[from..],
            asked: &mut self.asked[from..],
            times: self.times.each_mut().map(|column| &mut column[from..]),
        };
        self.len += gather(level, source, corners, target);
        for i in from..self.len {
            let tet = &source.mesh.tetrahedra[(self.labels[i] >> 2) as usize];
            for (column, l) in self.lengths.iter_mut().zip(tet.lengths) {
                column[i] = l;
            }
            self.inv_gamma[i] = source.inv_gamma[tet.domain as usize];
        }
    }

    /// The tetrahedra of the block whose corner `C` is to be solved.
    #[inline(always)]
    fn with_corner<const C: usize>(&self) -> Chosen<'_, T> {
        Chosen {
            codes: &self.code,
            bit: C as u32,
            len: self.len.min(SCREEN),
        }
    }

    /// How many there are of these.
    #[inline(always)]
    pub fn count<const C: usize>(&self, level: SimdLevel) -> usize {
        self.with_corner::<C>().count(level)
    }

    /// Appends corner `C` of these tetrahedra, `count` of them, to `block`, whose room there must be.
    #[inline(always)]
    pub fn append_corner<const C: usize>(
        &self,
        level: SimdLevel,
        count: usize,
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
        let (to, labels, at) = block.grow(count);
        let chosen = self.with_corner::<C>();
        let labels = (&self.labels[..], labels);
        append(level, chosen, from, to, labels, C as u32, at);
    }

    /// Tests all corners, with the limits (1 + `slack`) φ_w; times are not negative.
    #[inline(always)]
    pub(super) fn test(&mut self, slack: T) {
        let (zero, one, half) = (T::from_f64(0.0), T::from_f64(1.0), T::from_f64(0.5));
        let (four, infinity) = (T::from_f64(4.0), T::from_f64(f64::INFINITY));
        let up = one + slack;
        let weights = [1.0, 2.0, 4.0, 8.0].map(T::from_f64);
        // Plain loops of their own: they become SIMD code, as parts of the one below they would not.
        for (news, times) in self.news.iter_mut().zip(&mut self.times) {
            for (news, time) in news.iter_mut().zip(&mut times[..SCREEN]) {
                let is_news = time.has_sign();
                *news = if is_news { -*time } else { infinity };
                *time = if is_news { -*time } else { *time };
            }
        }
        for (c, (limits, times)) in self.limits.iter_mut().zip(&self.times).enumerate() {
            for ((limit, time), asked) in limits.iter_mut().zip(times).zip(&self.asked) {
                // Below −∞ there is nothing.
                *limit = if asked >> c & 1 == 1 {
                    *time * up
                } else {
                    -infinity
                };
            }
        }
        // −x|x|
        let square = |x: T| x * x.least(-x);
        for_lanes!(i, self.len, SCREEN, {
            let [l01, l02, l03, l12, l13, l23] = [
                self.lengths[0][i],
                self.lengths[1][i],
                self.lengths[2][i],
                self.lengths[3][i],
                self.lengths[4][i],
                self.lengths[5][i],
            ];
            let inv_gamma = self.inv_gamma[i];
            // det₃ = 36 V² by the Gram matrix of the edges from vertex 0.
            let a = half * (l01 + l02 - l12);
            let b = half * (l01 + l03 - l13);
            let c = half * (l02 + l03 - l23);
            let det3 = l01 * (l02 * l03 - c * c) - a * (a * l03 - b * c) + b * (a * c - b * l02);
            let volume = four * det3 * inv_gamma;
            let limits = [0, 1, 2, 3].map(|c| self.limits[c][i]);
            let (p0, p1) = (self.times[0][i], self.times[1][i]);
            let (p2, p3) = (self.times[2][i], self.times[3][i]);
            let (n0, n1) = (self.news[0][i], self.news[1][i]);
            let (n2, n3) = (self.news[2][i], self.news[3][i]);
            // w against the face a b c with squared edges `sides` bc, ac, ab; `edges` lead to w.
            let falls =
                |limit: T, face: T, news: [T; 3], sides: [T; 3], edges: [T; 3], weight: T| {
                    let [bc, ac, ab] = sides;
                    let [aw, bw, cw] = edges;
                    // 4 det₂ = 16 A².
                    let side = ab + ac - bc;
                    let det2 = four * ab * ac - side * side;
                    let gap = limit - face;
                    // True for a corner not reached (gap = +∞), false where the face is not (NaN).
                    let above = (gap > zero) & (gap * gap * det2 > volume);
                    // 2 e_i·e_j
                    let (e_ab, e_ac, e_bc) = (aw + bw - ab, aw + cw - ac, bw + cw - bc);
                    // Both sides of the bounds squared, with their signs.
                    let k_ab = square(e_ab) * inv_gamma;
                    let k_ac = square(e_ac) * inv_gamma;
                    let k_bc = square(e_bc) * inv_gamma;
                    let four_gamma = four * inv_gamma;
                    let [a, b, c] = [
                        four * square(limit - news[0]),
                        four * square(limit - news[1]),
                        four * square(limit - news[2]),
                    ];
                    // Signs of the parts of e_a along e_b and of e_b along e_a, and so on.
                    let not_ab = e_ab * (cw + cw) < e_ac * e_bc;
                    let not_ac = e_ac * (bw + bw) < e_ab * e_bc;
                    let not_bc = e_bc * (aw + aw) < e_ab * e_ac;
                    let by_a = (a * bw < k_ab)
                        | (a * cw < k_ac)
                        | (not_ab & not_ac & (a < four_gamma * aw));
                    let by_b = (b * aw < k_ab)
                        | (b * cw < k_bc)
                        | (not_ab & not_bc & (b < four_gamma * bw));
                    let by_c = (c * aw < k_ac)
                        | (c * bw < k_bc)
                        | (not_ac & not_bc & (c < four_gamma * cw));
                    if above & (by_a | by_b | by_c) {
                        weight
                    } else {
                        zero
                    }
                };
            let (m01, m23) = (p0.least(p1), p2.least(p3));
            let code = falls(
                limits[0],
                p1.least(m23),
                [n1, n2, n3],
                [l23, l13, l12],
                [l01, l02, l03],
                weights[0],
            ) + falls(
                limits[1],
                p0.least(m23),
                [n0, n2, n3],
                [l23, l03, l02],
                [l01, l12, l13],
                weights[1],
            ) + falls(
                limits[2],
                m01.least(p3),
                [n0, n1, n3],
                [l13, l03, l01],
                [l02, l12, l23],
                weights[2],
            ) + falls(
                limits[3],
                m01.least(p2),
                [n0, n1, n2],
                [l12, l02, l01],
                [l03, l13, l23],
                weights[3],
            );
            self.code[i] = code + T::from_f64(T::INTEGERS);
        });
        for (scaled, lengths) in self.scaled.iter_mut().zip(&self.lengths) {
            for ((scaled, l), inv_gamma) in scaled.iter_mut().zip(lengths).zip(&self.inv_gamma) {
                *scaled = *l * *inv_gamma;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eikonal::local_solver::arrival;
    use crate::eikonal::metric_mesh::{MetricMesh, Tetrahedron};
    use rand::{Rng, SeedableRng};

    /// Bug: the bound by a vertex with news took the least cosine to be at another vertex; behind
    /// obtuse corners it lies between two of them. A corner that news lower is never skipped.
    #[test]
    fn falls_behind_obtuse_corners_are_not_skipped() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(11);
        let (mut falls, mut skipped, mut all) = (0, 0, 0);
        for round in 0..60_000 {
            // Flat ones, too, and others far to one side.
            let flat = [1.0, 0.3, 0.05][round % 3];
            let x: [[f64; 3]; 4] = [0; 4].map(|_| {
                let [a, b, c] = [0; 3].map(|_| rng.random_range(-1.0..1.0));
                [a, b, flat * c]
            });
            let l = |i: usize, j: usize| (0..3).map(|k| (x[i][k] - x[j][k]).powi(2)).sum();
            let tet = Tetrahedron {
                vertices: [0, 1, 2, 3],
                lengths: [l(0, 1), l(0, 2), l(0, 3), l(1, 2), l(1, 3), l(2, 3)],
                domain: 0,
            };
            let inv_gamma = rng.random_range(0.5..2.0);
            let times = [0; 4].map(|_| match rng.random_range(0..8) {
                0 => f64::INFINITY,
                _ => rng.random_range(0.0..3.0),
            });
            let is_news: [bool; 4] = [0; 4].map(|_| rng.random_bool(0.4));
            let is_news = [0, 1, 2, 3].map(|v| is_news[v] && times[v] < f64::INFINITY);
            let marked = [0, 1, 2, 3].map(|v| if is_news[v] { -times[v] } else { times[v] });
            let old = [0, 1, 2, 3].map(|v| if is_news[v] { f64::INFINITY } else { times[v] });
            let Some(first) = is_news.iter().position(|is_news| *is_news) else {
                continue;
            };
            let mesh = MetricMesh::new(4, 4, vec![tet], 0..1);
            let source = Source {
                mesh: &mesh,
                inv_gamma: &[inv_gamma],
                times: &marked.map(Real::share),
                asked: 4,
            };
            let mut screen = Screen::<f64>::default();
            screen.take(SimdLevel::detect(), &source, &[first as u32]);
            screen.test(0.0);
            for c in 0..4 {
                let new = arrival(&tet.corner(c, inv_gamma, &times));
                let before = arrival(&tet.corner(c, inv_gamma, &old)).min(times[c]);
                let survives = screen.code[0].low_bits() >> c & 1 == 1;
                let fell = new < before * (1.0 - 1e-9);
                assert!(
                    survives || !fell,
                    "{tet:?} {times:?} {is_news:?}, corner {c}"
                );
                falls += usize::from(fell);
                skipped += usize::from(!survives);
                all += 1;
            }
        }
        assert!(
            falls > 20_000 && skipped > all / 3,
            "{falls} {skipped} of {all}"
        );
    }
}
