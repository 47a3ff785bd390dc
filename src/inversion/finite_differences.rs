//! df/dγ by finite differences: the check on the derivatives, and the paper's slow way.

use crate::error::Result;

/// Which difference quotient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// (f(γ + h) − f(γ))/h, error O(h) + O(ε/h): k further evaluations.
    OneSided,
    /// (f(γ + h) − f(γ − h))/(2h), error O(h²) + O(ε/h): 2k evaluations.
    Central,
}

impl Scheme {
    /// Relative step that balances truncation and rounding: ε^(1/2) or ε^(1/3).
    pub fn best_step(self) -> f64 {
        match self {
            Scheme::OneSided => f64::EPSILON.sqrt(),
            Scheme::Central => f64::EPSILON.cbrt(),
        }
    }

    /// The best steps at γ, relative to it, and at unknowns of sources, relative to 1 ms and 1 mm
    /// where they are smaller.
    pub fn steps(self, gamma: &[f64], sources: &[f64]) -> Vec<f64> {
        let sizes = Self::sizes(gamma, sources).into_iter();
        sizes.map(|size| self.best_step() * size).collect()
    }

    /// What steps are relative to.
    pub fn sizes(gamma: &[f64], sources: &[f64]) -> Vec<f64> {
        let of_sources = sources.iter().map(|x| x.abs().max(1.0));
        gamma.iter().copied().chain(of_sources).collect()
    }
}

/// df/dp with the steps `h`, one for each parameter. `at` is f(p), needed by the one-sided
/// scheme; `misfit` is called once or twice for each. The quotient divides by the step as rounded.
///
/// # Errors
/// Those of `misfit`.
pub fn gradient(
    misfit: &mut dyn FnMut(&[f64]) -> Result<f64>,
    parameters: &[f64],
    at: f64,
    scheme: Scheme,
    h: &[f64],
) -> Result<Vec<f64>> {
    let mut moved = parameters.to_vec();
    let mut gradient = Vec::with_capacity(parameters.len());
    for (k, (p, h)) in parameters.iter().zip(h).enumerate() {
        let (above, below) = (p + h, p - h);
        moved[k] = above;
        let f_above = misfit(&moved)?;
        gradient.push(match scheme {
            Scheme::OneSided => (f_above - at) / (above - p),
            Scheme::Central => {
                moved[k] = below;
                (f_above - misfit(&moved)?) / (above - below)
            }
        });
        moved[k] = *p;
    }
    Ok(gradient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_number_of_evaluations() {
        // f = γ₀³ γ₁ + exp γ₁, gradient (3 γ₀² γ₁, γ₀³ + exp γ₁).
        let gamma = [1.5_f64, 0.7];
        let f = |g: &[f64]| g[0].powi(3) * g[1] + g[1].exp();
        let exact = [3.0 * 1.5_f64.powi(2) * 0.7, 1.5_f64.powi(3) + 0.7_f64.exp()];
        for (scheme, order, evaluations) in [(Scheme::OneSided, 1, 2), (Scheme::Central, 2, 4)] {
            let mut count = 0;
            let mut error = |h: f64| {
                let mut misfit = |g: &[f64]| {
                    count += 1;
                    Ok(f(g))
                };
                let steps = gamma.map(|g| h * g);
                let g = gradient(&mut misfit, &gamma, f(&gamma), scheme, &steps).unwrap();
                (g[0] - exact[0]).abs().max((g[1] - exact[1]).abs())
            };
            let (coarse, fine) = (error(1e-2), error(1e-3));
            let observed = (coarse / fine).log10();
            assert!((observed - f64::from(order)).abs() < 0.05, "{observed}");
            assert!(error(scheme.best_step()) < [1e-6, 1e-9][order as usize - 1]);
            assert_eq!(count, 3 * evaluations);
        }
    }
}
