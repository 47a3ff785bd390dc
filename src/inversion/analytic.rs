//! Objectives with known solutions, for the tests of the inversion.

use nalgebra::{DMatrix, DVector};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::objective::{Evaluation, Objective, Want};
use crate::error::Result;

/// Residuals r (m) and dr/dγ (m × k) as a function of γ.
type Residuals = Box<dyn Fn(&[f64]) -> (DVector<f64>, DMatrix<f64>) + Send>;

/// f = Σ r².
pub struct LeastSquares {
    domains: usize,
    residuals: Residuals,
    /// What was asked for, in order.
    pub asked: Vec<(Vec<f64>, Want)>,
}

impl LeastSquares {
    pub fn new(
        domains: usize,
        residuals: impl Fn(&[f64]) -> (DVector<f64>, DMatrix<f64>) + Send + 'static,
    ) -> Self {
        Self {
            domains,
            residuals: Box::new(residuals),
            asked: Vec::new(),
        }
    }

    /// Rosenbrock's valley in θ = log γ: r = (10 (θ₁ − θ₀²), 1 − θ₀), minimum at θ = (1, 1).
    pub fn rosenbrock() -> Self {
        Self::new(2, |gamma| {
            let (a, b) = (gamma[0].ln(), gamma[1].ln());
            let r = DVector::from_vec(vec![10.0 * (b - a * a), 1.0 - a]);
            let j = [-20.0 * a / gamma[0], 10.0 / gamma[1], -1.0 / gamma[0], 0.0];
            (r, DMatrix::from_row_slice(2, 2, &j))
        })
    }

    /// Quadratic in log γ with condition number `condition`, minimum at γ = 2.
    pub fn ill_conditioned(domains: usize, condition: f64) -> Self {
        Self::new(domains, move |gamma| {
            let k = gamma.len();
            let scale = |i: usize| condition.powf(-0.5 * i as f64 / (k - 1) as f64);
            // A rotation (Householder) so that the axes are not those of γ.
            let u = DVector::from_fn(k, |i, _| (i as f64 + 1.0).sin()).normalize();
            let q = DMatrix::identity(k, k) - 2.0 * &u * u.transpose();
            let d = DMatrix::from_diagonal(&DVector::from_fn(k, |i, _| scale(i)));
            let a = d * q;
            let theta = DVector::from_fn(k, |i, _| (gamma[i] / 2.0).ln());
            let inverse = DVector::from_fn(k, |i, _| 1.0 / gamma[i]);
            (&a * theta, &a * DMatrix::from_diagonal(&inverse))
        })
    }

    /// Decay y(t) = γ₀ exp(−γ₁ t) through exact samples of γ = (3, 0.5) plus `noise` · (−1)ʲ.
    pub fn decay(noise: f64) -> Self {
        Self::new(2, move |gamma| {
            let t = |j: usize| 0.25 * j as f64;
            let y = |g: &[f64], t: f64| g[0] * (-g[1] * t).exp();
            let r = DVector::from_fn(24, |j, _| {
                let sign = 1.0 - 2.0 * (j % 2) as f64;
                y(&[3.0, 0.5], t(j)) + noise * sign - y(gamma, t(j))
            });
            let jacobian = DMatrix::from_fn(24, 2, |j, k| match k {
                0 => -(-gamma[1] * t(j)).exp(),
                _ => t(j) * y(gamma, t(j)),
            });
            (r, jacobian)
        })
    }

    /// Times along fixed paths, φ_j = Σ_k a_jk γ_k^(−1/2), the eikonal equation between two
    /// changes of its upwind stencils: measured at γ*, paths of 8 domains at most.
    pub fn paths(solution: Vec<f64>, measurements: usize, seed: u64) -> Self {
        let k = solution.len();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut lengths = DMatrix::<f64>::zeros(measurements, k);
        for j in 0..measurements {
            for _ in 0..rng.random_range(1..=8) {
                lengths[(j, rng.random_range(0..k))] += rng.random_range(0.0..15.0);
            }
        }
        Self::new(k, move |gamma| {
            let slowness = |g: &[f64]| DVector::from_fn(k, |i, _| g[i].powf(-0.5));
            let r = &lengths * (slowness(&solution) - slowness(gamma));
            let d = DVector::from_fn(k, |i, _| 0.5 * gamma[i].powf(-1.5));
            (r, &lengths * DMatrix::from_diagonal(&d))
        })
    }
}

impl Objective for LeastSquares {
    fn domains(&self) -> usize {
        self.domains
    }

    fn evaluate(&mut self, gamma: &[f64], want: Want) -> Result<Evaluation> {
        self.asked.push((gamma.to_vec(), want));
        let (r, j) = (self.residuals)(gamma);
        let gradient = 2.0 * j.transpose() * &r;
        Ok(Evaluation {
            misfit: r.norm_squared(),
            gradient: if want >= Want::Gradient {
                gradient.as_slice().to_vec()
            } else {
                Vec::new()
            },
            normal_matrix: (want == Want::GaussNewton).then(|| j.transpose() * &j),
        })
    }
}
