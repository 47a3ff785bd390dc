//! A box in cells, each cut in six tetrahedra about its diagonal (Kuhn).

use rayon::prelude::*;

use crate::mesh::TetMesh;
use crate::tensor::Vec3;

/// The six ways from corner 0 of a cell to corner 7 (bit 0 is x, 1 is y, 2 is z) along its edges,
/// ordered so that the tetrahedron is positively oriented. Every cell is cut alike, so faces match.
const PATHS: [[usize; 4]; 6] = [
    [0, 1, 3, 7],
    [0, 2, 6, 7],
    [0, 4, 5, 7],
    [0, 3, 2, 7],
    [0, 6, 4, 7],
    [0, 5, 1, 7],
];

/// The box [0, `size`] of `cells` along x, y, z, without fibres. Vertices, and cells of six
/// tetrahedra, are numbered with x fastest, then y, then z.
pub fn kuhn(size: Vec3, [nx, ny, nz]: [usize; 3]) -> TetMesh {
    let vertex = |i: usize, j: usize, k: usize| (k * (ny + 1) + j) * (nx + 1) + i;
    let points = (0..vertex(0, 0, nz + 1))
        .into_par_iter()
        .map(|v| {
            let (i, j, k) = (
                v % (nx + 1),
                v / (nx + 1) % (ny + 1),
                v / (nx + 1) / (ny + 1),
            );
            let at = |i: usize, n: usize, axis: usize| size[axis] * (i as f64 / n as f64);
            [at(i, nx, 0), at(j, ny, 1), at(k, nz, 2)]
        })
        .collect();
    let tetrahedra = (0..6 * nx * ny * nz)
        .into_par_iter()
        .map(|t| {
            let (cell, path) = (t / 6, PATHS[t % 6]);
            let (i, j, k) = (cell % nx, cell / nx % ny, cell / nx / ny);
            path.map(|c| vertex(i + (c & 1), j + (c >> 1 & 1), k + (c >> 2)) as u32)
        })
        .collect();
    TetMesh::new(points, tetrahedra)
}
