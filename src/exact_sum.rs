//! Sums with the same bits for any order and any partition of the terms.
//!
//! Each term x is split on three fixed grids, powers of two chosen from a bound M ≥ max |x| and
//! the number of terms N of all ranks: with C = 1.5·2⁵² g, q = (x + C) − C is x rounded to a
//! multiple of the grid g, and x − q is exact. N multiples of g, each at most M, add without
//! rounding in f64 as long as N M ≤ 2⁵² g; so the partial sums of a grid are exact in any order,
//! and only the combination of the grids rounds. The rest that no grid holds is below
//! N³ 2⁻¹⁰⁰ M in all with two grids and N⁴ 2⁻¹⁵⁰ M with three: smaller than the rounding of plain
//! summation by far (two grids: up to a million terms).
//!
//! Sources: Demmel & Nguyen, Parallel reproducible summation, IEEE Trans. Comput. 64 (2015) 2060;
//! Rump, Ogita, Oishi, Accurate floating-point summation, SIAM J. Sci. Comput. 31 (2008) 189.

use std::array::from_fn;

/// Several reproducible sums side by side.
///
/// All ranks and threads must create it with the same bounds and count; then partial sums may be
/// [merged](Self::merge) in any order. `FOLDS` is the number of grids, 2 or 3.
#[derive(Debug, Clone)]
pub struct ReproducibleSums<const FOLDS: usize = 3> {
    width: usize,
    /// C of each grid and sum (`FOLDS × width`).
    anchors: Vec<f64>,
    /// Partial sum of each grid and sum (`FOLDS × width`).
    partials: Vec<f64>,
}

impl<const FOLDS: usize> ReproducibleSums<FOLDS> {
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
        let mut anchors = self.anchors.chunks_exact(w.max(1));
        let mut partials = self.partials.chunks_exact_mut(w.max(1));
        let c: [&[f64]; FOLDS] = from_fn(|_| &anchors.next().unwrap_or_default()[first..][..n]);
        let s: [&mut [f64]; FOLDS] =
            from_fn(|_| &mut partials.next().unwrap_or_default()[first..][..n]);
        for i in 0..n {
            let mut x = factor * terms[i];
            for fold in 0..FOLDS {
                let q = (x + c[fold][i]) - c[fold][i];
                s[fold][i] += q;
                x -= q;
            }
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
        // From the finest grid, whose sum is the smallest.
        let partial = |fold: usize, i: usize| self.partials[fold * self.width + i];
        let total = |i| {
            (0..FOLDS)
                .rev()
                .fold(0.0, |sum, fold| sum + partial(fold, i))
        };
        // Where there is no grid, the sum of no terms is no number either.
        let sum = |i: usize| {
            if self.anchors[i].is_nan() {
                f64::NAN
            } else {
                total(i)
            }
        };
        (0..self.width).map(sum).collect()
    }
}

/// The largest modulus in each of the `width` columns of row-major `terms`: a bound for sums down
/// the columns. Infinite as soon as a term is not finite (which `f64::max` would hide for NaN).
pub fn column_bounds(terms: &[f64], width: usize) -> Vec<f64> {
    // Without their sign, floating-point numbers have the order of their bits, NaN last.
    let mut bounds = vec![0_u64; width];
    for row in terms.chunks_exact(width.max(1)) {
        for (bound, x) in bounds.iter_mut().zip(row) {
            *bound = (*bound).max(x.abs().to_bits());
        }
    }
    let finite = |bits: u64| Some(f64::from_bits(bits)).filter(|b| b.is_finite());
    bounds
        .into_iter()
        .map(|b| finite(b).unwrap_or(f64::INFINITY))
        .collect()
}

/// The largest modulus of the terms, infinite as soon as one is not finite.
pub fn modulus_bound(terms: &[f64]) -> f64 {
    column_bounds(terms, 1)[0]
}

/// Smallest e with |x| < 2^e; `None` when x is not finite.
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

    fn sum_on<const FOLDS: usize>(terms: &[f64]) -> f64 {
        let count = terms.len() as u64;
        let mut sums = ReproducibleSums::<FOLDS>::new(&[modulus_bound(terms)], count);
        terms.iter().for_each(|&x| sums.add(&[x]));
        sums.totals()[0]
    }

    fn sum(terms: &[f64]) -> f64 {
        sum_on::<3>(terms)
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
        let bound = modulus_bound(&terms);
        for parts in 1..20 {
            terms.shuffle(&mut rng);
            assert_eq!(sum(&terms).to_bits(), expected.to_bits());
            let mut total = ReproducibleSums::<3>::new(&[bound], terms.len() as u64);
            for part in terms.chunks(terms.len() / parts) {
                let mut partial = ReproducibleSums::<3>::new(&[bound], terms.len() as u64);
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
                let exact = exact(&terms);
                assert!((sum(&terms) - exact).abs() <= 2e-16 * modulus);
                assert!((sum_on::<2>(&terms) - exact).abs() <= 2e-16 * modulus);
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
