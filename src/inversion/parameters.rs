//! What the optimiser varies: θ = log γ or θ = γ, and the chain rule between θ and γ. Unknowns of
//! sources, which may follow γ, are their own θ.

use nalgebra::DMatrix;

use super::options::Parameter;

/// Largest change of log γ that a line search tries first: a factor of 150 in γ.
const LARGEST_LOG_CHANGE: f64 = 5.0;

/// Share of the way to γ = 0 that a step in plain γ may go.
const SHARE_TO_ZERO: f64 = 0.9;

impl Parameter {
    /// θ(γ).
    pub fn theta(self, gamma: &[f64]) -> Vec<f64> {
        match self {
            Parameter::Log => gamma.iter().map(|g| g.ln()).collect(),
            Parameter::Gamma => gamma.to_vec(),
        }
    }

    /// γ(θ).
    pub fn gamma(self, theta: &[f64]) -> Vec<f64> {
        match self {
            Parameter::Log => theta.iter().map(|t| t.exp()).collect(),
            Parameter::Gamma => theta.to_vec(),
        }
    }

    /// df/dθ_k = df/dγ_k · dγ_k/dθ_k, in place; dγ/dθ = γ for θ = log γ.
    pub fn chain_gradient(self, gamma: &[f64], gradient: &mut [f64]) {
        if self == Parameter::Log {
            gradient.iter_mut().zip(gamma).for_each(|(d, g)| *d *= g);
        }
    }

    /// The Gauss–Newton Hessian H_kl dγ_k/dθ_k dγ_l/dθ_l, in place; rows beyond those of γ are of
    /// other parameters. The term of d²γ/dθ², which
    /// df/dγ multiplies, vanishes at the solution and may make the matrix indefinite: left out.
    pub fn chain_hessian(self, gamma: &[f64], hessian: &mut DMatrix<f64>) {
        if self == Parameter::Log {
            for (i, g) in gamma.iter().enumerate() {
                hessian.row_mut(i).scale_mut(*g);
                hessian.column_mut(i).scale_mut(*g);
            }
        }
    }

    /// Largest multiple t of `direction` that a step from θ(γ) may take: γ stays positive.
    pub fn largest_step(self, theta: &[f64], direction: &[f64]) -> f64 {
        let along = theta.iter().zip(direction);
        let bounds = along.map(|(t, d)| match self {
            Parameter::Log if *d != 0.0 => LARGEST_LOG_CHANGE / d.abs(),
            Parameter::Gamma if *d < 0.0 => -SHARE_TO_ZERO * t / d,
            _ => f64::INFINITY,
        });
        bounds.fold(f64::INFINITY, f64::min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_rule_against_differences() {
        // f(γ) = ½ γᵀ A γ − b γ is quadratic in γ; in θ = log γ its gradient is γ ∘ (A γ − b).
        let a = DMatrix::from_row_slice(2, 2, &[2.0, 0.5, 0.5, 3.0]);
        let f = |g: &[f64]| {
            0.5 * (a[(0, 0)] * g[0] * g[0]
                + 2.0 * a[(0, 1)] * g[0] * g[1]
                + a[(1, 1)] * g[1] * g[1])
                - g[0]
                - 4.0 * g[1]
        };
        let gamma = [0.3, 1.7];
        let theta = Parameter::Log.theta(&gamma);
        let mut gradient = [
            2.0 * gamma[0] + 0.5 * gamma[1] - 1.0,
            0.5 * gamma[0] + 3.0 * gamma[1] - 4.0,
        ];
        Parameter::Log.chain_gradient(&gamma, &mut gradient);
        for k in 0..2 {
            let at = |h: f64| {
                let mut t = theta.clone();
                t[k] += h;
                f(&Parameter::Log.gamma(&t))
            };
            let quotient = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((gradient[k] - quotient).abs() < 1e-8);
        }
        // J = d(residual)/dγ becomes J diag(γ): the normal matrix follows.
        let mut normal = a.clone();
        Parameter::Log.chain_hessian(&gamma, &mut normal);
        let d = DMatrix::from_diagonal(&nalgebra::DVector::from_row_slice(&gamma));
        assert!((normal - &d * &a * &d).amax() < 1e-14);
    }

    #[test]
    fn plain_steps_stay_positive() {
        let theta = [1.0, 2.0, 0.1];
        let direction = [-5.0, 100.0, -0.01];
        let t = Parameter::Gamma.largest_step(&theta, &direction);
        assert!((t - 0.18).abs() < 1e-15);
        assert_eq!(
            Parameter::Gamma.largest_step(&theta, &[1.0; 3]),
            f64::INFINITY
        );
        assert!((Parameter::Log.largest_step(&theta, &direction) - 0.05).abs() < 1e-15);
    }
}
