//! Sums with the same bits for any order and any partition of the terms.
//!
//! Each term x is split on three fixed grids, powers of two chosen from a bound M ≥ max |x| and
//! the number of terms N of all ranks: with C = 1.5·2⁵² g, q = (x + C) − C is x rounded to a
//! multiple of the grid g, and x − q is exact. N multiples of g, each at most M, add without
//! rounding in f64 as long as N M ≤ 2⁵² g; so the partial sums of a grid are exact in any order,
//! and only the combination of the three rounds. The rest that no grid holds is below
//! N³ 2⁻¹⁵⁰ M in all: smaller than the rounding of plain summation by far.
//!
//! Sources: Demmel & Nguyen, Parallel reproducible summation, IEEE Trans. Comput. 64 (2015) 2060;
//! Rump, Ogita, Oishi, Accurate floating-point summation, SIAM J. Sci. Comput. 31 (2008) 189.

/// Number of grids.
const FOLDS: usize = 3;

/// Several reproducible sums side by side.
///
/// All ranks and threads must create it with the same bounds and count; then partial sums may be
/// [merged](Self::merge) in any order.
#[derive(Debug, Clone)]
pub struct ReproducibleSums {
    width: usize,
    /// C of each grid and sum (`FOLDS × width`).
    anchors: Vec<f64>,
    /// Partial sum of each grid and sum (`FOLDS × width`).
    partials: Vec<f64>,
}

impl ReproducibleSums {
    /// Sums for `bounds.len()` accumulators, each over at most `count` terms (of all ranks) that do
    /// not exceed its bound in modulus. A bound that is not finite, or so large that a sum could
    /// overflow, makes that sum NaN.
    pub fn new(bounds: &[f64], count: u64) -> Self {
        let width = bounds.len();
        let mut anchors = vec![0.0; FOLDS * width];
        for (i, &bound) in bounds.iter().enumerate() {
            let mut term = exponent_above(bound);
            for fold in 0..FOLDS {
                // 2^grid holds `count` terms of modulus up to 2^term with a bit to spare.
                let grid = term.map(|t| (t + exponent_of_count(count) + 1 - 52).max(-1074));
                anchors[fold * width + i] = match grid {
                    Some(g) if g + 53 <= 1023 => 1.5 * power_of_two(g + 52),
                    _ => f64::NAN,
                };
                // What remains of a term is at most half the grid.
                term = grid.map(|g| g - 1);
            }
        }
        Self {
            width,
            anchors,
            partials: vec![0.0; FOLDS * width],
        }
    }

    /// Number of sums.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Adds `terms[i]` to sum i.
    #[inline]
    pub fn add(&mut self, terms: &[f64]) {
        self.add_scaled(0, 1.0, terms);
    }

    /// Adds the product `factor · terms[i]`, rounded once, to sum `first + i`.
    #[inline]
    pub fn add_scaled(&mut self, first: usize, factor: f64, terms: &[f64]) {
        let (w, n) = (self.width, terms.len());
        let (c0, rest) = self.anchors.split_at(w);
        let (c1, c2) = rest.split_at(w);
        let (c0, c1, c2) = (&c0[first..][..n], &c1[first..][..n], &c2[first..][..n]);
        let (s0, rest) = self.partials.split_at_mut(w);
        let (s1, s2) = rest.split_at_mut(w);
        let s0 = &mut s0[first..][..n];
        let s1 = &mut s1[first..][..n];
        let s2 = &mut s2[first..][..n];
        for i in 0..n {
            let x = factor * terms[i];
            let q0 = (x + c0[i]) - c0[i];
            let x = x - q0;
            let q1 = (x + c1[i]) - c1[i];
            let x = x - q1;
            let q2 = (x + c2[i]) - c2[i];
            s0[i] += q0;
            s1[i] += q1;
            s2[i] += q2;
        }
    }

    /// Adds the partial sums of `other`, created with the same bounds and count. Exact.
    pub fn merge(&mut self, other: &Self) {
        for (a, b) in self.partials.iter_mut().zip(&other.partials) {
            *a += b;
        }
    }

    /// The partial sums, which ranks add element-wise in any order.
    pub fn partials_mut(&mut self) -> &mut [f64] {
        &mut self.partials
    }

    /// The sums.
    pub fn totals(&self) -> Vec<f64> {
        let s = |fold: usize, i: usize| self.partials[fold * self.width + i];
        let valid = |i: usize| !self.anchors[i].is_nan();
        (0..self.width)
            .map(|i| {
                if valid(i) {
                    s(0, i) + (s(1, i) + s(2, i))
                } else {
                    f64::NAN
                }
            })
            .collect()
    }
}

/// The largest modulus of the terms as a bound: infinite as soon as a term is not finite (which
/// `f64::max` would hide for NaN).
pub fn modulus_bound(terms: impl IntoIterator<Item = f64>) -> f64 {
    terms.into_iter().fold(0.0, |bound: f64, x| {
        if x.is_finite() {
            bound.max(x.abs())
        } else {
            f64::INFINITY
        }
    })
}

/// Smallest e with |x| ≤ 2^e or one more; `None` when x is not finite.
fn exponent_above(x: f64) -> Option<i32> {
    let biased = ((x.abs().to_bits() >> 52) & 0x7ff) as i32;
    (biased != 0x7ff).then_some(biased.max(1) - 1022)
}

/// Smallest e with count ≤ 2^e.
fn exponent_of_count(count: u64) -> i32 {
    (u64::BITS - count.saturating_sub(1).leading_zeros()) as i32
}

/// 2^e for a normal exponent.
fn power_of_two(e: i32) -> f64 {
    f64::from_bits(((e + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng, seq::SliceRandom};
    use rand_chacha::ChaCha8Rng;

    fn sum(terms: &[f64]) -> f64 {
        let mut sums =
            ReproducibleSums::new(&[modulus_bound(terms.iter().copied())], terms.len() as u64);
        terms.iter().for_each(|&x| sums.add(&[x]));
        sums.totals()[0]
    }

    /// Error-free accumulation (Shewchuk's expansions), the independent reference.
    fn exact(terms: &[f64]) -> f64 {
        let mut expansion: Vec<f64> = Vec::new();
        for &term in terms {
            let mut x = term;
            let mut next = Vec::with_capacity(expansion.len() + 1);
            for &y in &expansion {
                let (a, b) = if x.abs() < y.abs() { (y, x) } else { (x, y) };
                let high = a + b;
                let low = b - (high - a);
                if low != 0.0 {
                    next.push(low);
                }
                x = high;
            }
            next.push(x);
            expansion = next;
        }
        expansion.iter().sum()
    }

    #[test]
    fn any_order_and_partition_gives_the_same_bits() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut terms: Vec<f64> = (0..5000)
            .map(|_| rng.random_range(-1.0..1.0) * 2f64.powi(rng.random_range(-200..200)))
            .collect();
        let expected = sum(&terms);
        let bound = modulus_bound(terms.iter().copied());
        for parts in 1..20 {
            terms.shuffle(&mut rng);
            assert_eq!(sum(&terms).to_bits(), expected.to_bits());
            let mut total = ReproducibleSums::new(&[bound], terms.len() as u64);
            for part in terms.chunks(terms.len() / parts) {
                let mut partial = ReproducibleSums::new(&[bound], terms.len() as u64);
                part.iter().for_each(|&x| partial.add(&[x]));
                total.merge(&partial);
            }
            assert_eq!(total.totals()[0].to_bits(), expected.to_bits());
        }
    }

    #[test]
    fn as_accurate_as_the_exact_sum() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        for spread in [0, 10, 60, 300] {
            for _ in 0..20 {
                let terms: Vec<f64> = (0..3000)
                    .map(|_| rng.random_range(-1.0..1.0) * 2f64.powi(rng.random_range(-spread..=0)))
                    .collect();
                let modulus: f64 = terms.iter().map(|x| x.abs()).sum();
                assert!((sum(&terms) - exact(&terms)).abs() <= 2e-16 * modulus);
            }
        }
        // Cancellation that plain summation gets wrong altogether.
        assert_eq!(sum(&[1e16, 1.0, -1e16]), 1.0);
    }

    #[test]
    fn extremes_of_the_range() {
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[0.0, 0.0]), 0.0);
        assert_eq!(sum(&[5e-324, 5e-324, -5e-324]), 5e-324);
        assert_eq!(sum(&[1e300, -1e300, 1e290]), 1e290);
        assert!(sum(&[f64::MAX, f64::MAX]).is_nan());
        assert!(sum(&[1.0, f64::NAN]).is_nan());
        assert!(sum(&[1.0, f64::INFINITY]).is_nan());
        assert_eq!(sum(&vec![1.0; 1 << 16]), 65536.0);
        assert_eq!(
            sum(&[f64::from_bits(2f64.to_bits() - 1); 4]),
            4.0 * f64::from_bits(2f64.to_bits() - 1)
        );
    }
}
