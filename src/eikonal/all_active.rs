//! All-active mode: dual numbers through every local solve of the whole iteration.
//!
//! The seed paper's "all-active" derivative, by operator overloading: nothing here knows upwind
//! stencils or the envelope theorem. Slow, and independent of [`tangent`](Eikonal::tangent) and
//! [`adjoint`](Eikonal::adjoint), which it checks.

use super::dual::Dual;
use super::forward::Eikonal;
use crate::comm::Communicator;
use crate::error::Result;
use crate::real::Real;

/// Directions carried at once.
const DIRECTIONS: usize = 7;

/// A time with [`DIRECTIONS`] derivatives.
type Number = Dual<{ DIRECTIONS + 1 }>;

impl<T: Real> Eikonal<T> {
    /// dφ/dγ of every local vertex (ghosts included), one column per domain, as
    /// [`jacobian`](Self::jacobian) gives it; one whole forward solution for every seven domains.
    /// Collective.
    pub fn all_active_jacobian(&self, comm: &dyn Communicator, gamma: &[f64]) -> Result<Vec<f64>> {
        self.all_active_from(comm, gamma, |_, _| 0.0, gamma.len())
    }

    /// The same with `width` columns, the first ones those of γ, where the onset of the source at
    /// a vertex (number in the file) has derivatives: `onset_dot(vertex, column)`. Collective.
    pub fn all_active_from(
        &self,
        comm: &dyn Communicator,
        gamma: &[f64],
        onset_dot: impl Fn(u32, usize) -> f64,
        width: usize,
    ) -> Result<Vec<f64>> {
        let mut eikonal: Eikonal<Number> = self.converted();
        let mut jacobian = vec![0.0; self.mesh.vertex_count() * width];
        for first in (0..width).step_by(DIRECTIONS) {
            let count = DIRECTIONS.min(width - first);
            let mut active: Vec<Number> = gamma.iter().map(|g| Number::from_f64(*g)).collect();
            for (k, number) in active.iter_mut().enumerate().skip(first).take(count) {
                number.0[1 + k - first] = 1.0;
            }
            eikonal.make_active(|vertex, time| {
                for d in 0..count {
                    time.0[1 + d] = onset_dot(vertex, first + d);
                }
            });
            let solution = eikonal.solve(comm, &active)?;
            for (row, time) in jacobian.chunks_exact_mut(width).zip(&solution.phi) {
                // A vertex that is not reached has no derivative.
                if time.value() < f64::INFINITY {
                    row[first..first + count].copy_from_slice(&time.0[1..=count]);
                }
            }
        }
        Ok(jacobian)
    }
}
