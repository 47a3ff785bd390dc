//! Sensitivity to the tensors: df/dM of each tetrahedron.
//!
//! With e = x_v − x_λ of a vertex v that the tetrahedron wins, dφ_v = (eᵀ dN e) / (2 s γ), so
//!
//!   df/dN = Σ_v φ̄_v e eᵀ / (2 s_v γ),     df/dM = −N (df/dN) N     (dN = −N dM N)
//!
//! Derivatives by one entry of the matrix: df = Σ_ij (df/dM)_ij dM_ij over all nine. A stored component
//! off the diagonal stands for two entries, so f changes by twice as much with it.

use super::downwind::Downwind;
use super::forward::{Eikonal, Solution};
use crate::partition::local_mesh::LocalMesh;
use crate::real::Real;
use crate::tensor::{add, scale, sub};

impl<T: Real> Eikonal<T> {
    /// df/dN (xx xy xz yy yz zz, entries of the symmetric matrix) of the tetrahedra that this rank
    /// answers for: those whose first vertex it owns. In local numbering of the tetrahedra; `None`
    /// for the others. `phi_bar` as [`Eikonal::adjoint`] leaves it.
    pub fn metric_sensitivity(
        &self,
        local: &LocalMesh,
        solution: &Solution<T>,
        downwind: &Downwind,
        gamma: &[f64],
        phi_bar: &[f64],
    ) -> Vec<Option<[f64; 6]>> {
        let owned = self.mesh.owned;
        let mut sensitivity: Vec<Option<[f64; 6]>> = local
            .tetrahedra
            .iter()
            .map(|tet| ((tet[0] as usize) < owned).then_some([0.0; 6]))
            .collect();
        if let Some(device) = &self.on_device {
            let ghosts = &downwind.ghosts;
            match device.sensitivity(local, &solution.stencils, ghosts, gamma, phi_bar) {
                Ok(all) => {
                    for (mine, found) in sensitivity.iter_mut().zip(all) {
                        *mine = mine.map(|_| found);
                    }
                    return sensitivity;
                }
                Err(e) => tracing::warn!("sensitivity on the CPU: {e}"),
            }
        }
        // Contributions of a tetrahedron's vertices in ascending number of the file.
        let mut order: Vec<u32> = (0..self.mesh.vertex_count() as u32).collect();
        order.sort_unstable_by_key(|v| self.numbers.vertices[*v as usize]);
        for v in order.iter().map(|v| *v as usize) {
            let stencil = match v.checked_sub(owned) {
                None => &solution.stencils[v],
                Some(ghost) => &downwind.ghosts[ghost],
            };
            let t = stencil.tetrahedron as usize;
            let Some(Some(sum)) = sensitivity.get_mut(t) else {
                continue;
            };
            let foot = stencil.upwind().fold([0.0; 3], |x, (u, l)| {
                add(x, scale(l, local.points[u as usize]))
            });
            let e = sub(local.points[v], foot);
            let factor = phi_bar[v] / (2.0 * stencil.s * gamma[local.domains[t] as usize]);
            for (entry, (i, j)) in
                sum.iter_mut()
                    .zip([(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)])
            {
                *entry += factor * e[i] * e[j];
            }
        }
        sensitivity
    }
}
