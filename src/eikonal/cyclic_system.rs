//! The small linear systems of cycles: (I − G) x = r, G ≥ 0 the weights of upwind members.
//!
//! Row sums of G are at most 1, and every cycle loses weight to the outside, so I − G is a
//! non-singular M-matrix: Gaussian elimination needs no pivoting, in any order. The order is that
//! of least degree (Tinney & Walker 1967), which keeps the factors sparse.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// LU factors of I − G.
#[derive(Debug, Clone)]
pub struct CyclicSystem {
    /// Members in order of elimination.
    order: Vec<u32>,
    /// Diagonal of U, by member.
    pivots: Vec<f64>,
    /// Row of U beyond the diagonal, by member.
    upper: Vec<Vec<(u32, f64)>>,
    /// Column of L below the diagonal, by member.
    lower: Vec<Vec<(u32, f64)>>,
}

impl CyclicSystem {
    /// Factorises I − G; `weights[m]` lists (member, G entry) of row m.
    pub fn new(weights: &[Vec<(u32, f64)>]) -> Self {
        let n = weights.len();
        let mut rows: Vec<BTreeMap<u32, f64>> = vec![BTreeMap::new(); n];
        let mut columns: Vec<Vec<u32>> = vec![Vec::new(); n];
        for (m, row) in (0u32..).zip(weights) {
            *rows[m as usize].entry(m).or_default() += 1.0;
            for (u, weight) in row {
                *rows[m as usize].entry(*u).or_default() -= weight;
            }
            for u in rows[m as usize].keys() {
                columns[*u as usize].push(m);
            }
        }
        let degree = |rows: &[BTreeMap<u32, f64>], columns: &[Vec<u32>], m: usize| {
            (rows[m].len() - 1) * (columns[m].len() - 1)
        };
        let mut heap: BinaryHeap<Reverse<(usize, u32)>> = (0..n)
            .map(|m| Reverse((degree(&rows, &columns, m), m as u32)))
            .collect();
        let mut eliminated = vec![false; n];
        let mut system = Self {
            order: Vec::with_capacity(n),
            pivots: vec![1.0; n],
            upper: vec![Vec::new(); n],
            lower: vec![Vec::new(); n],
        };
        while let Some(Reverse((key, m))) = heap.pop() {
            let p = m as usize;
            if eliminated[p] {
                continue;
            }
            let now = degree(&rows, &columns, p);
            if now > key {
                heap.push(Reverse((now, m)));
                continue;
            }
            eliminated[p] = true;
            let mut row = std::mem::take(&mut rows[p]);
            let pivot = row.remove(&m).unwrap_or(1.0);
            let row: Vec<(u32, f64)> = row.into_iter().collect();
            for (u, _) in &row {
                columns[*u as usize].retain(|r| *r != m);
            }
            for r in std::mem::take(&mut columns[p]) {
                if r == m {
                    continue;
                }
                let target = &mut rows[r as usize];
                let Some(entry) = target.remove(&m) else {
                    continue;
                };
                let factor = entry / pivot;
                for (u, value) in &row {
                    let slot = target.entry(*u).or_insert_with(|| {
                        columns[*u as usize].push(r);
                        0.0
                    });
                    *slot -= factor * value;
                }
                system.lower[p].push((r, factor));
                heap.push(Reverse((degree(&rows, &columns, r as usize), r)));
            }
            for (u, _) in &row {
                heap.push(Reverse((degree(&rows, &columns, *u as usize), *u)));
            }
            system.order.push(m);
            system.pivots[p] = pivot;
            system.upper[p] = row;
        }
        system
    }

    /// Solves (I − G) x = r in place; `x` holds `width` right-hand sides, member by member.
    pub fn solve(&self, x: &mut [f64], width: usize) {
        let w = width;
        for m in self.order.iter().map(|m| *m as usize) {
            for (r, factor) in &self.lower[m] {
                axpy(x, *r as usize, m, -factor, w);
            }
        }
        for m in self.order.iter().rev().map(|m| *m as usize) {
            for (u, value) in &self.upper[m] {
                axpy(x, m, *u as usize, -value, w);
            }
            x[m * w..(m + 1) * w]
                .iter_mut()
                .for_each(|x| *x /= self.pivots[m]);
        }
    }

    /// Solves (I − G)ᵀ x = r in place.
    pub fn solve_transpose(&self, x: &mut [f64], width: usize) {
        let w = width;
        for m in self.order.iter().map(|m| *m as usize) {
            x[m * w..(m + 1) * w]
                .iter_mut()
                .for_each(|x| *x /= self.pivots[m]);
            for (u, value) in &self.upper[m] {
                axpy(x, *u as usize, m, -value, w);
            }
        }
        for m in self.order.iter().rev().map(|m| *m as usize) {
            for (r, factor) in &self.lower[m] {
                axpy(x, m, *r as usize, -factor, w);
            }
        }
    }
}

/// x_to += a x_from, rows of `width`.
fn axpy(x: &mut [f64], to: usize, from: usize, a: f64, width: usize) {
    for d in 0..width {
        x[to * width + d] += a * x[from * width + d];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DMatrix;
    use rand::{Rng, SeedableRng};

    /// Both solves against a dense LU with pivoting, on random cycles with shortcuts.
    #[test]
    fn agrees_with_dense_lu() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let n = 60;
        let weights: Vec<Vec<(u32, f64)>> = (0..n)
            .map(|m| {
                let a: f64 = rng.random_range(0.3..0.7);
                let next = ((m + 1) % n) as u32;
                let far = rng.random_range(0..n) as u32;
                if far as usize == m || far == next {
                    vec![(next, a)]
                } else {
                    vec![(next, a), (far, 0.999 - a)]
                }
            })
            .collect();
        let mut dense = DMatrix::<f64>::identity(n, n);
        for (m, row) in weights.iter().enumerate() {
            for (u, w) in row {
                dense[(m, *u as usize)] -= w;
            }
        }
        let r = DMatrix::from_fn(n, 2, |_, _| rng.random_range(-1.0..1.0));
        let system = CyclicSystem::new(&weights);
        for (matrix, transpose) in [(dense.clone(), false), (dense.transpose(), true)] {
            let expected = matrix.lu().solve(&r).unwrap();
            let mut x: Vec<f64> = (0..n).flat_map(|m| [r[(m, 0)], r[(m, 1)]]).collect();
            if transpose {
                system.solve_transpose(&mut x, 2);
            } else {
                system.solve(&mut x, 2);
            }
            for m in 0..n {
                for d in 0..2 {
                    let e = expected[(m, d)];
                    assert!((x[2 * m + d] - e).abs() < 1e-12 * (1.0 + e.abs()));
                }
            }
        }
    }
}
