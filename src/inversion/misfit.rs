//! The misfit f = Σ_j w_j (φ*_j − (H φ)_j)² of measured and computed activation times, and what
//! its derivatives need, on the rows of one rank.
//!
//! A row is *counted* on the owner of its first vertex only, but every rank that owns one of its
//! vertices holds it, so that φ̄ = df/dφ = −2 Hᵀ W (φ* − H φ) of the owned vertices needs no
//! communication. Sums over rows are reproducible ([`crate::exact_sum`]): the same bits for any
//! number of ranks and threads.

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::observations::Sampling;
use crate::comm::{self, Communicator};
use crate::error::{Error, Result};
use crate::exact_sum::{ReproducibleSums, column_bounds, modulus_bound};

/// The measurements that touch a vertex of this rank, in local numbering.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalObservations {
    sampling: Sampling,
    /// φ*_j, ms, finite.
    measured: Vec<f64>,
    weights: Vec<f64>,
    /// Whether the row's misfit counts here (the owner of its first vertex).
    counted: Vec<bool>,
}

impl LocalObservations {
    /// The rows of this rank; all arrays have one entry per row.
    pub(super) fn new(
        sampling: Sampling,
        measured: Vec<f64>,
        weights: Vec<f64>,
        counted: Vec<bool>,
    ) -> Self {
        Self {
            sampling,
            measured,
            weights,
            counted,
        }
    }

    /// Number of rows on this rank.
    pub fn len(&self) -> usize {
        self.sampling.len()
    }

    /// Whether this rank has no row.
    pub fn is_empty(&self) -> bool {
        self.sampling.is_empty()
    }

    /// Number of measurements of all ranks. Collective.
    pub fn count(&self, comm: &dyn Communicator) -> u64 {
        let mut counted = [self.counted.iter().filter(|counted| **counted).count() as u64];
        comm.sum_u64(&mut counted);
        counted[0]
    }

    /// Residuals r = φ* − H φ (ms) of this rank's rows; `phi` holds owned and ghost vertices.
    /// Collective.
    ///
    /// # Errors
    /// `BadData` on all ranks when no source reaches a place of measurement, with their number.
    pub fn residuals(&self, comm: &dyn Communicator, phi: &[f64]) -> Result<Vec<f64>> {
        let mut unreached = [0_u64];
        let residuals = (0..self.len())
            .map(|j| {
                let (vertices, _) = self.sampling.row(j);
                let reached = vertices.iter().all(|&v| phi[v as usize] != f64::INFINITY);
                unreached[0] += u64::from(self.counted[j] && !reached);
                self.measured[j] - self.sampling.apply_row(j, phi)
            })
            .collect();
        comm.sum_u64(&mut unreached);
        if unreached[0] > 0 {
            let error = Error::bad_data(
                "measured times",
                format!(
                    "no source reaches {} of the places of measurement",
                    unreached[0]
                ),
                "add a source in their component of the mesh, or write NaN as their time",
            );
            return comm::agree(comm, Err(error));
        }
        Ok(residuals)
    }

    /// f = Σ_j w_j r_j² over all ranks, the same bits for any number of them. Collective.
    pub fn misfit(&self, comm: &dyn Communicator, residuals: &[f64]) -> f64 {
        let terms: Vec<f64> = (0..self.len())
            .filter(|&j| self.counted[j])
            .map(|j| self.weights[j] * residuals[j] * residuals[j])
            .collect();
        comm::reproducible_sum(comm, &terms)
    }

    /// 1 at each of the `owned` first vertices that a measurement depends on, else 0.
    pub fn places(&self, owned: usize) -> Vec<f64> {
        let mut places = vec![0.0; owned];
        for j in 0..self.len() {
            let (vertices, shares) = self.sampling.row(j);
            for (&v, h) in vertices.iter().zip(shares) {
                if let Some(x) = places.get_mut(v as usize).filter(|_| *h != 0.0) {
                    *x = 1.0;
                }
            }
        }
        places
    }

    /// φ̄ = df/dφ = −2 Hᵀ W r of the `owned` first vertices, complete without communication.
    pub fn phi_bar(&self, residuals: &[f64], owned: usize) -> Vec<f64> {
        let mut phi_bar = vec![0.0; owned];
        for (j, (w, r)) in self.weights.iter().zip(residuals).enumerate() {
            let (vertices, shares) = self.sampling.row(j);
            let source = -2.0 * w * r;
            for (&v, h) in vertices.iter().zip(shares) {
                if let Some(x) = phi_bar.get_mut(v as usize) {
                    *x += h * source;
                }
            }
        }
        phi_bar
    }

    /// Jᵀ W J (k × k) over all ranks, with J = H φ̇ and φ̇ = dφ/dγ (`phi_dot`, row-major
    /// vertices × k, owned and ghost vertices). The same bits for any number of ranks and threads.
    /// Collective.
    pub fn normal_matrix(
        &self,
        comm: &dyn Communicator,
        phi_dot: &[f64],
        domains: usize,
    ) -> DMatrix<f64> {
        let k = domains;
        let rows: Vec<usize> = (0..self.len()).filter(|&j| self.counted[j]).collect();
        let jacobian_row = |j: usize, row: &mut [f64]| {
            row.fill(0.0);
            let (vertices, shares) = self.sampling.row(j);
            for (&v, h) in vertices.iter().zip(shares) {
                let tangent = &phi_dot[v as usize * k..][..k];
                row.iter_mut().zip(tangent).for_each(|(x, t)| *x += h * t);
            }
        };
        // |w J_a J_b| ≤ max(√w |J_a|) max(√w |J_b|), up to rounding.
        let mut columns = vec![0.0_f64; k];
        let mut row = vec![0.0; k];
        for &j in &rows {
            jacobian_row(j, &mut row);
            let root = self.weights[j].sqrt();
            row.iter_mut().for_each(|x| *x *= root);
            for (bound, x) in columns.iter_mut().zip(column_bounds(&row, k)) {
                *bound = bound.max(x);
            }
        }
        comm.max_f64(&mut columns);
        let bounds = (0..k)
            .flat_map(|a| (0..=a).map(move |b| (a, b)))
            .map(|(a, b)| 1.001 * columns[a] * columns[b])
            .collect();
        // A Hessian is an approximation anyway: two grids.
        let sums: ReproducibleSums<2> = comm::sums_for(comm, bounds, rows.len());
        let sums = in_parallel(sums, &rows, |sums, chunk| {
            let mut row = vec![0.0; k];
            for &j in chunk {
                jacobian_row(j, &mut row);
                let mut first = 0;
                for a in 0..k {
                    // Most domains lie off the path to a vertex.
                    if row[a] != 0.0 {
                        sums.add_scaled(first, self.weights[j] * row[a], &row[..=a]);
                    }
                    first += a + 1;
                }
            }
        });
        let packed = comm::sum_over_ranks(comm, sums);
        DMatrix::from_fn(k, k, |a, b| {
            let (a, b) = (a.max(b), a.min(b));
            packed[a * (a + 1) / 2 + b]
        })
    }
}

/// df/dγ = φ̇ᵀ φ̄ (k) over the owned vertices of all ranks: the gradient by tangents. `phi_dot` is
/// row-major vertices × k. The same bits for any number of ranks and threads. Collective.
pub fn tangent_gradient(
    comm: &dyn Communicator,
    phi_bar: &[f64],
    phi_dot: &[f64],
    domains: usize,
) -> Vec<f64> {
    let k = domains;
    let phi_dot = &phi_dot[..phi_bar.len() * k];
    let mut columns = column_bounds(phi_dot, k);
    comm.max_f64(&mut columns);
    let mut largest = [modulus_bound(phi_bar)];
    comm.max_f64(&mut largest);
    let bounds = columns.iter().map(|c| 1.001 * c * largest[0]).collect();
    let sums: ReproducibleSums = comm::sums_for(comm, bounds, phi_bar.len());
    let rows: Vec<(f64, &[f64])> = phi_bar
        .iter()
        .copied()
        .zip(phi_dot.chunks_exact(k.max(1)))
        .filter(|(x, _)| *x != 0.0)
        .collect();
    let sums = in_parallel(sums, &rows, |sums, chunk| {
        chunk
            .iter()
            .for_each(|(x, tangent)| sums.add_scaled(0, *x, tangent));
    });
    comm::sum_over_ranks(comm, sums)
}

/// Adds `rows` to `sums` in chunks on the threads of this rank.
fn in_parallel<const FOLDS: usize, T: Sync>(
    sums: ReproducibleSums<FOLDS>,
    rows: &[T],
    add: impl Fn(&mut ReproducibleSums<FOLDS>, &[T]) + Sync,
) -> ReproducibleSums<FOLDS> {
    rows.par_chunks(8192)
        .fold(
            || sums.clone(),
            |mut sums, chunk| {
                add(&mut sums, chunk);
                sums
            },
        )
        .reduce(
            || sums.clone(),
            |mut a, b| {
                a.merge(&b);
                a
            },
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comm::threads;
    use crate::inversion::observations::Observations;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const VERTICES: usize = 300;
    const DOMAINS: usize = 7;

    /// φ(γ) = Σ_k B_vk γ_k^(−1/2) on vertices of which any four may form a row.
    struct Case {
        lengths: Vec<f64>,
        observations: Observations,
    }

    impl Case {
        fn new() -> Self {
            let mut rng = ChaCha8Rng::seed_from_u64(11);
            let lengths = (0..VERTICES * DOMAINS)
                .map(|_| rng.random_range(0.0..9.0))
                .collect();
            let mut sampling = Sampling::default();
            for _ in 0..500 {
                let corners: [u32; 4] =
                    std::array::from_fn(|_| rng.random_range(0..VERTICES as u32));
                let share: [f64; 4] = std::array::from_fn(|_| rng.random_range(0.0..0.25));
                sampling.push(corners.into_iter().zip(share).take(rng.random_range(1..=4)));
            }
            let mut measured: Vec<f64> = (0..500).map(|_| rng.random_range(0.0..80.0)).collect();
            measured[17] = f64::NAN;
            let weights = (0..500).map(|_| rng.random_range(0.0..2.0)).collect();
            let observations =
                Observations::new(sampling, measured, Some(weights), VERTICES).unwrap();
            Self {
                lengths,
                observations,
            }
        }

        fn phi(&self, v: usize, gamma: &[f64]) -> f64 {
            let row = &self.lengths[v * DOMAINS..][..DOMAINS];
            row.iter().zip(gamma).map(|(b, g)| b / g.sqrt()).sum()
        }

        fn phi_dot(&self, v: usize, k: usize, gamma: &[f64]) -> f64 {
            -0.5 * self.lengths[v * DOMAINS + k] * gamma[k].powf(-1.5)
        }

        /// Misfit, gradient by tangents and Jᵀ W J on so many ranks; `part` deals out vertices.
        fn evaluate(
            &self,
            ranks: usize,
            part: impl Fn(usize) -> u32 + Sync,
            gamma: &[f64],
        ) -> (f64, Vec<f64>, DMatrix<f64>) {
            let parts: Vec<u32> = (0..VERTICES).map(part).collect();
            let results = threads::run(ranks, |comm| {
                let all = (comm.rank() == 0).then_some(&self.observations);
                let owner = |v: usize| parts[v] as usize == comm.rank();
                // Owned vertices first, then all others as ghosts.
                let mut local: Vec<usize> = (0..VERTICES).filter(|&v| owner(v)).collect();
                let owned = local.len();
                local.extend((0..VERTICES).filter(|&v| !owner(v)));
                let number = |g: u32| local.iter().position(|&v| v == g as usize);
                let rows = Observations::scatter(comm, all, &parts)
                    .localise(|g| number(g).map(|l| l as u32))
                    .unwrap();
                let phi: Vec<f64> = local.iter().map(|&v| self.phi(v, gamma)).collect();
                let phi_dot: Vec<f64> = local
                    .iter()
                    .flat_map(|&v| (0..DOMAINS).map(move |k| (v, k)))
                    .map(|(v, k)| self.phi_dot(v, k, gamma))
                    .collect();
                let residuals = rows.residuals(comm, &phi).unwrap();
                let phi_bar = rows.phi_bar(&residuals, owned);
                (
                    rows.misfit(comm, &residuals),
                    tangent_gradient(comm, &phi_bar, &phi_dot, DOMAINS),
                    rows.normal_matrix(comm, &phi_dot, DOMAINS),
                )
            });
            assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
            results[0].clone()
        }
    }

    const GAMMA: [f64; DOMAINS] = [1.0, 0.2, 1.3, 0.7, 2.0, 0.9, 1.1];

    #[test]
    fn the_same_bits_on_any_number_of_ranks() {
        let case = Case::new();
        let solo = case.evaluate(1, |_| 0, &GAMMA);
        for ranks in [2, 3, 4, 7] {
            let blocks = case.evaluate(ranks, |v| (v * ranks / VERTICES) as u32, &GAMMA);
            let dealt = case.evaluate(ranks, |v| (v % ranks) as u32, &GAMMA);
            assert_eq!(blocks, solo);
            assert_eq!(dealt, solo);
        }
        // A rank that owns nothing.
        assert_eq!(case.evaluate(2, |_| 1, &GAMMA), solo);
    }

    #[test]
    fn derivatives_against_differences() {
        let case = Case::new();
        let (_, gradient, normal) = case.evaluate(2, |v| (v % 2) as u32, &GAMMA);
        let moved = |k: usize, h: f64| {
            let mut g = GAMMA;
            g[k] += h;
            case.evaluate(1, |_| 0, &g)
        };
        let h = 1e-5;
        for (k, slope) in gradient.iter().enumerate() {
            let quotient = (moved(k, h).0 - moved(k, -h).0) / (2.0 * h);
            assert!((quotient - slope).abs() < 1e-7 * slope.abs().max(1e4));
        }
        // Jᵀ W J row by row, by plain sums.
        let observations = &case.observations;
        let mut expected = DMatrix::<f64>::zeros(DOMAINS, DOMAINS);
        for (sampling, measured, weight) in observations.rows().map(|r| (r.0, r.1, r.2)) {
            if measured.is_nan() {
                continue;
            }
            let column = |k: usize| -> f64 {
                let (vertices, shares) = sampling;
                vertices
                    .iter()
                    .zip(shares)
                    .map(|(&v, h)| h * case.phi_dot(v as usize, k, &GAMMA))
                    .sum()
            };
            for a in 0..DOMAINS {
                for b in 0..DOMAINS {
                    expected[(a, b)] += weight * column(a) * column(b);
                }
            }
        }
        assert!((&normal - &expected).amax() < 1e-13 * expected.amax());
        assert_eq!(normal, normal.transpose());
    }

    #[test]
    fn a_measured_vertex_that_no_source_reaches_is_an_error_with_their_number() {
        let sampling = Sampling::at_vertices([0, 1, 2]);
        let all = Observations::new(sampling, vec![1.0, 2.0, f64::NAN], None, 3).unwrap();
        let errors = threads::run(2, |comm| {
            let root = (comm.rank() == 0).then_some(&all);
            let local = Observations::scatter(comm, root, &[0, 1, 1])
                .localise(Some)
                .unwrap();
            let phi = [1.0, f64::INFINITY, f64::INFINITY];
            local.residuals(comm, &phi).unwrap_err().to_string()
        });
        assert!(
            errors.iter().all(|e| e.contains("reaches 1 of")),
            "{errors:?}"
        );
    }
}
