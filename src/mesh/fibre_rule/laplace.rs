//! Laplace's equation with given values on some vertices, by linear finite elements.
//!
//! ∇·∇u = 0 in the mesh, u = g on the vertices of the condition, ∂u/∂n = 0 on the rest of the
//! surface. With the gradients of the barycentric coordinates λᵢ, K_ij = Σ_t |t| ∇λᵢ·∇λⱼ and
//! K u = 0 in every free row. Solved by conjugate gradients with the diagonal as preconditioner:
//! symmetric positive definite on the free vertices, and in memory of the size of the mesh.

use nalgebra::DVector;
use nalgebra_sparse::{CooMatrix, CsrMatrix};

use crate::error::{Error, Result};
use crate::mesh::TetMesh;
use crate::tensor::{Vec3, add, cross, dot, scale, sub};

/// Residual at which the iteration ends, relative to the first.
const TOLERANCE: f64 = 1e-10;
/// Iterations allowed for each vertex along an edge of a cube of as many vertices: their number
/// grows like that. Slivers multiply it.
const ITERATIONS: f64 = 100.0;

/// The stiffness matrix of a mesh and the gradients of its hat functions.
pub struct Laplace<'a> {
    mesh: &'a TetMesh,
    stiffness: CsrMatrix<f64>,
    diagonal: DVector<f64>,
}

/// Gradients of the four barycentric coordinates, 1/mm, and |volume|, mm³; `None`: no volume.
fn hat_gradients(corners: [Vec3; 4]) -> Option<([Vec3; 4], f64)> {
    let [a, b, c, d] = corners;
    let (ab, ac, ad) = (sub(b, a), sub(c, a), sub(d, a));
    let six = dot(cross(ab, ac), ad);
    let inverse = 1.0 / six;
    let db = scale(inverse, cross(ac, ad));
    let dc = scale(inverse, cross(ad, ab));
    let dd = scale(inverse, cross(ab, ac));
    let da = scale(-1.0, add(db, add(dc, dd)));
    let finite = [da, db, dc, dd]
        .as_flattened()
        .iter()
        .all(|x| x.is_finite());
    finite.then_some(([da, db, dc, dd], six.abs() / 6.0))
}

impl<'a> Laplace<'a> {
    /// Assembles K. Tetrahedra without volume take no part.
    pub fn new(mesh: &'a TetMesh) -> Self {
        let n = mesh.vertex_count();
        let mut entries = CooMatrix::new(n, n);
        for t in 0..mesh.tetrahedron_count() {
            let Some((gradients, volume)) = hat_gradients(mesh.corners(t)) else {
                continue;
            };
            for (i, &row) in mesh.tetrahedra[t].iter().enumerate() {
                for (j, &column) in mesh.tetrahedra[t].iter().enumerate() {
                    let entry = volume * dot(gradients[i], gradients[j]);
                    entries.push(row as usize, column as usize, entry);
                }
            }
        }
        let stiffness = CsrMatrix::from(&entries);
        let mut diagonal = DVector::zeros(n);
        for (row, column, entry) in stiffness.triplet_iter() {
            if row == column {
                diagonal[row] = *entry;
            }
        }
        Self {
            mesh,
            stiffness,
            diagonal,
        }
    }

    /// u on all vertices; of `given` vertices the last value counts. Vertices that no condition
    /// reaches, and those of no tetrahedron, are 0.
    ///
    /// # Errors
    /// [`Error::BadData`] where the iteration does not converge.
    pub fn solve(&self, given: &[(&[u32], f64)]) -> Result<Vec<f64>> {
        let n = self.diagonal.len();
        let mut u = DVector::zeros(n);
        // 1/K_ii on free vertices, 0 elsewhere: what it multiplies stays in the free space.
        let mut preconditioner = self.diagonal.map(|k| if k > 0.0 { 1.0 / k } else { 0.0 });
        for (vertices, value) in given {
            for &v in *vertices {
                u[v as usize] = *value;
                preconditioner[v as usize] = 0.0;
            }
        }
        let mut residual = -(&self.stiffness * &u);
        let mut z = residual.component_mul(&preconditioner);
        let mut direction = z.clone();
        let mut rho = residual.dot(&z);
        let target = TOLERANCE * TOLERANCE * rho;
        let most = ITERATIONS * (n as f64).cbrt();
        let mut iterations = 0.0;
        while rho > target {
            if iterations >= most {
                return Err(Error::BadData {
                    what: "Laplace's equation on the mesh".into(),
                    problem: format!(
                        "the residual fell by {:.1e} only in {most:.0} iterations",
                        (rho / target).sqrt() * TOLERANCE
                    ),
                    remedy: "look for slivers with `isochrone mesh check`".into(),
                });
            }
            iterations += 1.0;
            let mut image = &self.stiffness * &direction;
            image.zip_apply(&preconditioner, |k, p| {
                if p == 0.0 {
                    *k = 0.0;
                }
            });
            let step = rho / direction.dot(&image);
            u.axpy(step, &direction, 1.0);
            residual.axpy(-step, &image, 1.0);
            z = residual.component_mul(&preconditioner);
            let before = rho;
            rho = residual.dot(&z);
            direction.axpy(1.0, &z, rho / before);
        }
        tracing::debug!("conjugate gradients: {iterations} iterations for {n} vertices");
        Ok(u.as_slice().to_vec())
    }

    /// ∇u in every tetrahedron, 1/mm: the mean over its vertices of the volume-weighted means of
    /// the constant gradients around them. Exact for linear u; not zero in tetrahedra all of whose
    /// vertices have the same value, as they occur in thin walls.
    pub fn gradient(&self, u: &[f64]) -> Vec<Vec3> {
        let mesh = self.mesh;
        let mut at_vertices = vec![([0.0; 3], 0.0); mesh.vertex_count()];
        for (t, corners) in mesh.tetrahedra.iter().enumerate() {
            let Some((gradients, volume)) = hat_gradients(mesh.corners(t)) else {
                continue;
            };
            let mut here = [0.0; 3];
            for (g, &v) in gradients.iter().zip(corners) {
                here = add(here, scale(u[v as usize], *g));
            }
            for &v in corners {
                let (sum, weight) = &mut at_vertices[v as usize];
                *sum = add(*sum, scale(volume, here));
                *weight += volume;
            }
        }
        let mean = |corners: &[u32; 4]| {
            corners.iter().fold([0.0; 3], |sum, &v| {
                let (g, weight) = at_vertices[v as usize];
                add(sum, scale(0.25 / f64::max(weight, f64::MIN_POSITIVE), g))
            })
        };
        mesh.tetrahedra.iter().map(mean).collect()
    }

    /// u in the centre of every tetrahedron.
    pub fn at_centres(&self, u: &[f64]) -> Vec<f64> {
        let mean = |corners: &[u32; 4]| 0.25 * corners.iter().map(|&v| u[v as usize]).sum::<f64>();
        self.mesh.tetrahedra.iter().map(mean).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::generate::{FibreAngles, Generator, generate};
    use crate::tensor::norm;

    /// A slab, with its vertices on x = 0 and on x = 4.
    fn slab() -> (TetMesh, Vec<u32>, Vec<u32>) {
        let generator = Generator::Slab {
            size: [4.0, 3.0, 2.0],
            edge: 0.6,
            fibre_angles: FibreAngles::default(),
        };
        let mesh = generate(&generator, 1.0).unwrap();
        let at = |x: f64| {
            let near = |v: &u32| (mesh.points[*v as usize][0] - x).abs() < 1e-9;
            (0..mesh.vertex_count() as u32).filter(near).collect()
        };
        let (low, high) = (at(0.0), at(4.0));
        (mesh, low, high)
    }

    #[test]
    fn linear_on_a_slab() {
        let (mesh, low, high) = slab();
        let laplace = Laplace::new(&mesh);
        let u = laplace.solve(&[(&low, -1.0), (&high, 2.0)]).unwrap();
        for (p, u) in mesh.points.iter().zip(&u) {
            assert!((u - (-1.0 + 0.75 * p[0])).abs() < 1e-8, "{p:?}: {u}");
        }
        for g in laplace.gradient(&u) {
            assert!(norm(sub(g, [0.75, 0.0, 0.0])) < 1e-7, "{g:?}");
        }
    }

    /// K is symmetric, K 1 = 0, and uᵀ K u is the Dirichlet energy of a linear u: |∇u|² |Ω|.
    #[test]
    fn the_stiffness_matrix_is_that_of_the_energy() {
        let (mesh, ..) = slab();
        let k = Laplace::new(&mesh).stiffness;
        let (one, two) = (
            DVector::from_fn(mesh.vertex_count(), |i, _| (i as f64).sin()),
            DVector::from_fn(mesh.vertex_count(), |i, _| (i as f64).cos()),
        );
        let (a, b) = (one.dot(&(&k * &two)), two.dot(&(&k * &one)));
        assert!((a - b).abs() < 1e-12 * a.abs().max(1.0), "{a} {b}");
        let constant = DVector::repeat(mesh.vertex_count(), 1.0);
        assert!((&k * constant).amax() < 1e-12);
        let linear = |p: &Vec3| 0.3 * p[0] - 0.2 * p[1] + 0.6 * p[2];
        let u = DVector::from_iterator(mesh.vertex_count(), mesh.points.iter().map(linear));
        let energy = u.dot(&(&k * &u));
        assert!((energy - 0.49 * 24.0).abs() < 1e-10, "{energy}");
    }

    /// Between spheres of radii 1 and 2, u = 2/r − 1 is 1 inside and 0 outside. The mesh is a
    /// sector: its sides hold the centre, so that ∂u/∂n = 0 there.
    #[test]
    fn spherical_shells_converge_to_one_over_r_in_second_order() {
        let error = |edge: f64| {
            let generator = Generator::Slab {
                size: [1.0; 3],
                edge,
                fibre_angles: FibreAngles::default(),
            };
            let mut mesh = generate(&generator, 1.0).unwrap();
            for p in &mut mesh.points {
                let ray = [p[0] - 0.5, p[1] - 0.5, 1.0];
                *p = scale((1.0 + p[2]) / norm(ray), ray);
            }
            let at = |radius: f64| {
                let on = |v: &u32| (norm(mesh.points[*v as usize]) - radius).abs() < 1e-9;
                (0..mesh.vertex_count() as u32)
                    .filter(on)
                    .collect::<Vec<u32>>()
            };
            let given: [(&[u32], f64); 2] = [(&at(1.0), 1.0), (&at(2.0), 0.0)];
            let laplace = Laplace::new(&mesh);
            let u = laplace.solve(&given).unwrap();
            let error = |v: u32| u[v as usize] - (2.0 / norm(mesh.points[v as usize]) - 1.0);
            let squares = (0..mesh.tetrahedron_count()).map(|t| {
                let squares = mesh.tetrahedra[t].map(|v| error(v).powi(2));
                mesh.volume(t).abs() * squares.iter().sum::<f64>() / 4.0
            });
            let in_the_mean = squares.sum::<f64>().sqrt();
            // ∇u = −2 x/r³, in the inside.
            let steepest = (0..mesh.tetrahedron_count()).map(|t| {
                let corners = mesh.corners(t);
                let x = corners
                    .iter()
                    .fold([0.0; 3], |sum, p| add(sum, scale(0.25, *p)));
                (x, norm(x))
            });
            let gradients = laplace.gradient(&u);
            let inside = steepest.zip(&gradients).filter(|((x, r), _)| {
                (1.3..1.7).contains(r) && x[0].abs().max(x[1].abs()) < 0.3 * x[2]
            });
            let off = inside.map(|((x, r), g)| norm(sub(*g, scale(-2.0 / r.powi(3), x))));
            [in_the_mean, off.fold(0.0, f64::max)]
        };
        let (coarse, fine) = (error(0.2), error(0.1));
        let orders: [f64; 2] = std::array::from_fn(|i| (coarse[i] / fine[i]).log2());
        assert!(
            (1.7..2.4).contains(&orders[0]),
            "{coarse:?} {fine:?}: {orders:?}"
        );
        // Averaged gradients are better than first order.
        assert!(orders[1] > 1.2, "{coarse:?} {fine:?}: {orders:?}");
    }
}
