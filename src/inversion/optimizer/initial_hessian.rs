//! First approximation of the inverse Hessian for BFGS and L-BFGS.

use nalgebra::{DMatrix, DVector};

use crate::inversion::options::InitialHessian;
use crate::inversion::problem::Point;

/// Damping of the Gauss–Newton Hessian relative to its largest diagonal entry: keeps the inverse
/// bounded for domains that the measurements do not see.
const DAMPING: f64 = 1e-4;

/// H₀⁻¹ (k × k) from one Gauss–Newton Hessian: diag(2 Jᵀ W J)⁻¹ or (2 Jᵀ W J + δ I)⁻¹, with the
/// chain rule and the penalties in it. `None` for the identity, which BFGS and L-BFGS scale after
/// their first step (Nocedal & Wright 6.20), and where no domain changes anything.
pub fn inverse(kind: InitialHessian, at: &Point) -> Option<DMatrix<f64>> {
    let hessian = at.hessian.as_ref()?;
    let largest = hessian.diagonal().max();
    if largest <= 0.0 {
        return None;
    }
    let floor = DAMPING * largest;
    match kind {
        InitialHessian::Identity => None,
        InitialHessian::Diagonal => {
            let inverse = hessian.diagonal().map(|d| 1.0 / d.max(floor));
            Some(DMatrix::from_diagonal(&inverse))
        }
        InitialHessian::GaussNewton => {
            let damping = DVector::from_element(hessian.nrows(), floor);
            let damped = hessian + DMatrix::from_diagonal(&damping);
            damped.cholesky().map(|c| c.inverse())
        }
    }
}
