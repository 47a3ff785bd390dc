//! Box of tissue: Kuhn tetrahedra with fibres that rotate through its thickness.

use rayon::prelude::*;

use super::kuhn::kuhn;
use super::{FibreAngles, fibres};
use crate::mesh::TetMesh;
use crate::tensor::Vec3;

/// Number of cells along each axis of the grid whose mean edge length is nearest to `edge`.
pub fn cells(size: Vec3, edge: f64) -> [f64; 3] {
    let cells_of = |spacing: f64| size.map(|length| (length / spacing).round().max(1.0));
    let mut best = cells_of(edge);
    let mut spacing = edge / 1.28;
    for _ in 0..20 {
        let count = cells_of(spacing);
        let mean = mean_edge(size, count);
        if (mean - edge).abs() < (mean_edge(size, best) - edge).abs() {
            best = count;
        }
        spacing *= edge / mean;
    }
    best
}

/// Mean length of the edges of the tetrahedra of the grid: along the axes, across the cell faces
/// and through the cells.
fn mean_edge(size: Vec3, cells: [f64; 3]) -> f64 {
    let (mut total, mut count) = (0.0, 0.0);
    for direction in 1..8usize {
        let runs_along = |axis: usize| direction >> axis & 1 == 1;
        let (mut number, mut squared) = (1.0, 0.0);
        for axis in 0..3 {
            if runs_along(axis) {
                number *= cells[axis];
                squared += (size[axis] / cells[axis]).powi(2);
            } else {
                number *= cells[axis] + 1.0;
            }
        }
        total += number * f64::sqrt(squared);
        count += number;
    }
    total / count
}

/// Vertices and tetrahedra of a grid of `cells`.
pub fn size_of(cells: [f64; 3]) -> (f64, f64) {
    (
        cells.iter().map(|n| n + 1.0).product(),
        6.0 * cells.iter().product::<f64>(),
    )
}

/// Smallest mean edge length with at most some `tetrahedra`.
pub fn smallest_edge(size: Vec3, tetrahedra: f64) -> f64 {
    1.3 * (6.0 * size.iter().product::<f64>() / tetrahedra).cbrt()
}

/// Box [0, size], mm, with z = 0 the endocardium; x is circumferential, y longitudinal; numbered
/// as in [`kuhn`].
pub fn mesh(size: Vec3, cells: [f64; 3], angles: &FibreAngles) -> TetMesh {
    let mut mesh = kuhn(size, cells.map(|n| n as usize));
    let axes = |t: usize| {
        let z = mesh.corners(t).iter().map(|p| p[2]).sum::<f64>() / 4.0;
        fibres::helix(angles.at(z / size[2]), [0.0, 0.0, 1.0], [0.0, 1.0, 0.0])
    };
    let count = mesh.tetrahedron_count();
    let (fibres, sheets) = (0..count).into_par_iter().map(axes).unzip();
    (mesh.fibres, mesh.sheets) = (Some(fibres), Some(sheets));
    mesh
}
