//! How well the measurements determine what was estimated: Gauss–Newton posterior covariance.
//!
//! Let a measurement of weight w have noise of variance σ²/w. Then exp(−F/2σ²), with F = f + R the
//! misfit and its penalties, is the posterior density of θ (θ_k = log γ_k, times and places of sources), the
//! penalties being its prior. At its maximum, F ≈ F₀ + Δθᵀ A Δθ and
//!
//!   C = σ² A⁻¹,     A = Jᵀ W J + ½ R″,     std γ_k = γ_k std(log γ_k)
//!
//! σ is given, or estimated: σ² = f / (n − p) for n measurements and p = tr(A⁻¹ Jᵀ W J) parameters
//! that they, not the penalties, determine.
//! Source: Tarantola, Inverse Problem Theory (SIAM 2005), section 3.4 and appendix 6.22; p: Hastie,
//! Tibshirani, Friedman, The Elements of Statistical Learning, 2nd ed. (2009), section 7.6.

use nalgebra::{DMatrix, SymmetricEigen};

/// Eigenvalues of A, scaled to a unit diagonal, below this share of the largest count as zero:
/// what no measurement determines.
const LEAST_EIGENVALUE: f64 = 1e-13;

/// Squared share in such a direction from which on a parameter counts as not determined.
const LEAST_SHARE: f64 = 1e-6;

/// Share of the measurements that must be left over by the parameters to tell the noise by.
const LEAST_FREEDOM: f64 = 1e-9;

/// What is known of θ (k parameters) at its estimate.
#[derive(Debug, Clone, PartialEq)]
pub struct Uncertainty {
    /// σ, ms, of a measurement of weight 1; NaN where it is not given and there are not more
    /// measurements than parameters.
    pub noise: f64,
    /// p.
    pub effective_parameters: f64,
    /// Standard deviation of each parameter; +∞ where neither measurements nor penalties
    /// determine it.
    pub deviations: Vec<f64>,
    /// C (k × k); rows and columns of what is not determined are NaN.
    pub covariance: DMatrix<f64>,
}

impl Uncertainty {
    /// The posterior from Jᵀ W J (`normal`, k × k) and ½ R″ (`prior`, k × k) in θ, the misfit f (ms²
    /// times the weights) of so many `measurements`, and σ (ms) where it is known.
    pub fn new(
        normal: &DMatrix<f64>,
        prior: &DMatrix<f64>,
        misfit: f64,
        measurements: u64,
        noise: Option<f64>,
    ) -> Self {
        let inverse = Inverse::new(&(normal + prior));
        let effective_parameters = inverse.matrix.component_mul(normal).sum();
        let freedom = measurements as f64 - effective_parameters;
        let noise = noise.unwrap_or_else(|| match freedom > LEAST_FREEDOM * measurements as f64 {
            true => (misfit / freedom).sqrt(),
            false => f64::NAN,
        });
        let k = normal.nrows();
        let mut covariance = noise * noise * inverse.matrix;
        for i in (0..k).filter(|i| !inverse.determined[*i]) {
            covariance.row_mut(i).fill(f64::NAN);
            covariance.column_mut(i).fill(f64::NAN);
        }
        let deviation = |i: usize| match inverse.determined[i] {
            true => covariance[(i, i)].sqrt(),
            false => f64::INFINITY,
        };
        Self {
            noise,
            effective_parameters,
            deviations: (0..k).map(deviation).collect(),
            covariance,
        }
    }

    /// C_ij / √(C_ii C_jj) (k × k); NaN for what is not determined.
    pub fn correlation(&self) -> DMatrix<f64> {
        let c = &self.covariance;
        DMatrix::from_fn(c.nrows(), c.ncols(), |i, j| match i == j {
            true if c[(i, i)].is_finite() => 1.0,
            _ => c[(i, j)] / (c[(i, i)] * c[(j, j)]).sqrt(),
        })
    }
}

/// Pseudo-inverse of A, which is positive semidefinite.
pub(super) struct Inverse {
    pub matrix: DMatrix<f64>,
    /// Whether a parameter has no part in the null space.
    determined: Vec<bool>,
}

impl Inverse {
    pub fn new(a: &DMatrix<f64>) -> Self {
        let k = a.nrows();
        // Domains near a source and far from it differ by orders of magnitude: unit diagonal first.
        let scale: Vec<f64> = (0..k)
            .map(|i| match a[(i, i)] {
                d if d > 0.0 => d.sqrt().recip(),
                _ => 0.0,
            })
            .collect();
        let scaled = DMatrix::from_fn(k, k, |i, j| a[(i, j)] * scale[i] * scale[j]);
        let SymmetricEigen {
            eigenvalues,
            eigenvectors,
        } = scaled.symmetric_eigen();
        // Nothing is divided by an eigenvalue of a matrix of zeros.
        let least = LEAST_EIGENVALUE * k as f64 * eigenvalues.amax();
        let mut matrix = DMatrix::zeros(k, k);
        let mut outside = vec![0.0; k];
        for (value, vector) in eigenvalues.iter().zip(eigenvectors.column_iter()) {
            if *value > least {
                matrix += vector * vector.transpose() / *value;
            } else {
                for (share, x) in outside.iter_mut().zip(vector.iter()) {
                    *share += x * x;
                }
            }
        }
        Self {
            matrix: DMatrix::from_fn(k, k, |i, j| matrix[(i, j)] * scale[i] * scale[j]),
            determined: outside.iter().map(|share| *share <= LEAST_SHARE).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DVector;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    /// A row of n segments of travel time t each, measured at all their ends with noise σ: the time
    /// of segment k is the difference of two measurements, so var(log γ_k) = 4 var(t_k)/t² and
    /// neighbours correlate by −½. By hand, without a matrix.
    #[test]
    fn a_row_of_segments() {
        let (n, t, sigma) = (6, 8.0, 0.3);
        // φ_j = Σ_{k ≤ j} t γ_k^(−½): dφ_j/dlog γ_k = −t/2.
        let j = DMatrix::from_fn(n, n, |j, k| if k <= j { -0.5 * t } else { 0.0 });
        let normal = j.transpose() * &j;
        let none = DMatrix::zeros(n, n);
        let posterior = Uncertainty::new(&normal, &none, 0.0, n as u64, Some(sigma));
        let single = 2.0 * sigma / t;
        assert!((posterior.deviations[0] - single).abs() < 1e-12);
        for k in 1..n {
            assert!((posterior.deviations[k] - single * 2f64.sqrt()).abs() < 1e-12);
        }
        let correlation = posterior.correlation();
        for (a, b, expected) in [(1, 2, -0.5), (0, 1, -(0.5f64.sqrt())), (1, 3, 0.0)] {
            assert!((correlation[(a, b)] - expected).abs() < 1e-12);
            assert!((correlation[(b, a)] - expected).abs() < 1e-12);
        }
        assert!((posterior.effective_parameters - n as f64).abs() < 1e-12);
        // As many parameters as measurements: nothing is left to tell the noise by.
        let unknown = Uncertainty::new(&normal, &none, 0.0, n as u64, None);
        assert!(unknown.noise.is_nan() && unknown.deviations[0].is_nan());
    }

    /// The mean of n measurements with a prior of width τ around 0: precision n/σ² + 1/τ².
    #[test]
    fn a_prior_adds_its_precision() {
        let (n, sigma, tau) = (25.0, 0.5, 0.2);
        let alpha = sigma * sigma / (tau * tau);
        let single = |x: f64| DMatrix::from_element(1, 1, x);
        let posterior = Uncertainty::new(&single(n), &single(alpha), 1.0, n as u64, Some(sigma));
        let expected = (n / (sigma * sigma) + 1.0 / (tau * tau)).sqrt().recip();
        assert!((posterior.deviations[0] - expected).abs() < 1e-15);
        assert!((posterior.effective_parameters - n / (n + alpha)).abs() < 1e-15);
    }

    #[test]
    fn what_nothing_determines_is_named_and_the_rest_is_not_touched() {
        // θ₀ alone, θ₁ and θ₂ only by their sum, θ₃ not at all.
        let j = DMatrix::from_row_slice(2, 4, &[2.0, 0.0, 0.0, 0.0, 0.0, 1e-4, 1e-4, 0.0]);
        let normal = j.transpose() * &j;
        let none = DMatrix::zeros(4, 4);
        let free = Uncertainty::new(&normal, &none, 0.0, 2, Some(1.0));
        assert!((free.deviations[0] - 0.5).abs() < 1e-15);
        assert_eq!(free.deviations[1..], [f64::INFINITY; 3]);
        assert!(free.correlation()[(1, 2)].is_nan() && free.correlation()[(3, 3)].is_nan());
        assert_eq!(free.correlation()[(0, 0)], 1.0);
        assert!((free.effective_parameters - 2.0).abs() < 1e-12);
        // A prior determines what the measurements do not.
        let prior = DMatrix::from_diagonal_element(4, 4, 4.0);
        let tied = Uncertainty::new(&normal, &prior, 0.0, 2, Some(1.0));
        assert!((tied.deviations[3] - 0.5).abs() < 1e-15);
    }

    /// 4,000 noisy linear inversions: sample deviations and the estimated noise, within 5 of their
    /// own standard deviations.
    #[test]
    fn sample_deviations_of_repeated_inversions() {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let mut normal_numbers = || -> f64 { StandardNormal.sample(&mut rng) };
        let (n, k, sigma, samples) = (40, 5, 0.7, 4000);
        let j = DMatrix::from_fn(n, k, |_, _| normal_numbers());
        let normal = j.transpose() * &j;
        let solver = normal.clone().cholesky().unwrap();
        let none = DMatrix::zeros(k, k);
        let (mut squares, mut variance) = (vec![0.0; k], 0.0);
        for _ in 0..samples {
            let noise = DVector::from_fn(n, |_, _| sigma * normal_numbers());
            let estimate = solver.solve(&(j.transpose() * &noise));
            let misfit = (&noise - &j * &estimate).norm_squared();
            variance += Uncertainty::new(&normal, &none, misfit, n as u64, None)
                .noise
                .powi(2);
            squares
                .iter_mut()
                .zip(estimate.iter())
                .for_each(|(s, x)| *s += x * x);
        }
        let samples = f64::from(samples);
        let predicted = Uncertainty::new(&normal, &none, 0.0, n as u64, Some(sigma));
        for (sum, deviation) in squares.iter().zip(&predicted.deviations) {
            let ratio = (sum / samples).sqrt() / deviation;
            assert!(
                (ratio - 1.0).abs() < 5.0 / (2.0 * samples).sqrt(),
                "{ratio}"
            );
        }
        let ratio = variance / samples / (sigma * sigma);
        let freedom = (n - k) as f64;
        assert!((ratio - 1.0).abs() < 5.0 * (2.0 / (freedom * samples)).sqrt());
    }
}
