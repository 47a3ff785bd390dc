//! Penalties on γ: α Σ_k (log γ_k)² + β Σ_(k,l) A_kl (log γ_k − log γ_l)².

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::options::Regularisation;
use crate::error::{Error, Result};

/// Two neighbouring domains, each pair once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Neighbours {
    pub first: usize,
    pub second: usize,
    /// A_kl ≥ 0: share of the common faces.
    pub share: f64,
}

/// The penalty R(γ), quadratic in log γ, with its derivatives with respect to γ.
#[derive(Debug, Clone, PartialEq)]
pub struct Penalty {
    alpha: f64,
    beta: f64,
    neighbours: Vec<Neighbours>,
}

impl Penalty {
    /// # Errors
    /// `BadData`: factors that are negative or not finite.
    pub fn new(options: &Regularisation, neighbours: Vec<Neighbours>) -> Result<Self> {
        for (key, value) in [
            ("tikhonov", options.tikhonov),
            ("neighbour_jump", options.neighbour_jump),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::bad_data(
                    format!("inversion.regularisation.{key}"),
                    format!("factor {value}"),
                    "give a finite number ≥ 0; 0 switches the penalty off",
                ));
            }
        }
        Ok(Self {
            alpha: options.tikhonov,
            beta: options.neighbour_jump,
            neighbours,
        })
    }

    /// λ R.
    pub fn times(&self, factor: f64) -> Self {
        Self {
            alpha: factor * self.alpha,
            beta: factor * self.beta,
            neighbours: self.neighbours.clone(),
        }
    }

    /// Whether R is 0 for all γ.
    pub fn is_zero(&self) -> bool {
        self.alpha == 0.0 && (self.beta == 0.0 || self.neighbours.is_empty())
    }

    /// R(γ).
    pub fn value(&self, gamma: &[f64]) -> f64 {
        let log = |k: usize| gamma[k].ln();
        let mut value = 0.0;
        if self.alpha > 0.0 {
            value += self.alpha * (0..gamma.len()).map(|k| log(k) * log(k)).sum::<f64>();
        }
        if self.beta > 0.0 {
            for n in &self.neighbours {
                let jump = log(n.first) - log(n.second);
                value += self.beta * n.share * jump * jump;
            }
        }
        value
    }

    /// Adds dR/dγ to `gradient`.
    pub fn add_gradient(&self, gamma: &[f64], gradient: &mut [f64]) {
        if self.alpha > 0.0 {
            for (d, g) in gradient.iter_mut().zip(gamma) {
                *d += 2.0 * self.alpha * g.ln() / g;
            }
        }
        if self.beta > 0.0 {
            for n in &self.neighbours {
                let jump = gamma[n.first].ln() - gamma[n.second].ln();
                let slope = 2.0 * self.beta * n.share * jump;
                gradient[n.first] += slope / gamma[n.first];
                gradient[n.second] -= slope / gamma[n.second];
            }
        }
    }

    /// Adds the Gauss–Newton Hessian of R in γ; in log γ it is the exact Hessian.
    pub fn add_hessian(&self, gamma: &[f64], hessian: &mut DMatrix<f64>) {
        let mut add = |k: usize, l: usize, value: f64| {
            hessian[(k, l)] += value / (gamma[k] * gamma[l]);
        };
        if self.alpha > 0.0 {
            (0..gamma.len()).for_each(|k| add(k, k, 2.0 * self.alpha));
        }
        if self.beta > 0.0 {
            for n in &self.neighbours {
                let value = 2.0 * self.beta * n.share;
                add(n.first, n.first, value);
                add(n.second, n.second, value);
                add(n.first, n.second, -value);
                add(n.second, n.first, -value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inversion::options::Parameter;

    fn penalty() -> Penalty {
        let pair = |first, second, share| Neighbours {
            first,
            second,
            share,
        };
        let options = Regularisation {
            tikhonov: 0.3,
            neighbour_jump: 2.0,
            ..Regularisation::default()
        };
        Penalty::new(&options, vec![pair(0, 1, 0.7), pair(1, 2, 0.1)]).unwrap()
    }

    #[test]
    fn value_by_hand() {
        let e = std::f64::consts::E;
        // log γ = (1, 0, −1): α·2 + β (0.7 + 0.1).
        let value = penalty().value(&[e, 1.0, 1.0 / e]);
        assert!((value - 2.2).abs() < 1e-14);
    }

    #[test]
    fn derivatives_against_differences() {
        let (penalty, gamma) = (penalty(), [0.4, 1.3, 2.5]);
        let theta = Parameter::Log.theta(&gamma);
        let gradient_at = |theta: &[f64]| {
            let gamma = Parameter::Log.gamma(theta);
            let mut g = vec![0.0; 3];
            penalty.add_gradient(&gamma, &mut g);
            Parameter::Log.chain_gradient(&gamma, &mut g);
            g
        };
        let mut hessian = DMatrix::zeros(3, 3);
        penalty.add_hessian(&gamma, &mut hessian);
        Parameter::Log.chain_hessian(&gamma, &mut hessian);
        let h = 1e-4;
        for k in 0..3 {
            let moved = |h: f64| {
                let mut t = theta.clone();
                t[k] += h;
                t
            };
            let value = |t: &[f64]| penalty.value(&Parameter::Log.gamma(t));
            let slope = (value(&moved(h)) - value(&moved(-h))) / (2.0 * h);
            assert!((slope - gradient_at(&theta)[k]).abs() < 1e-10);
            let (above, below) = (gradient_at(&moved(h)), gradient_at(&moved(-h)));
            for l in 0..3 {
                let second = (above[l] - below[l]) / (2.0 * h);
                assert!((second - hessian[(k, l)]).abs() < 1e-10);
            }
        }
    }

    #[test]
    fn bad_factors_are_refused() {
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            let options = Regularisation {
                tikhonov: 0.0,
                neighbour_jump: bad,
                ..Regularisation::default()
            };
            let error = Penalty::new(&options, Vec::new()).unwrap_err();
            assert!(error.to_string().contains("neighbour_jump"));
        }
    }
}
