//! Whether a generated mesh is one solid piece without holes and pinches, told by its boundary.

use rayon::prelude::*;

use super::stuffing::Stuffing;
use crate::mesh::disjoint_sets::DisjointSets;

/// Whether the boundary is one closed manifold surface of a ball: two triangles at every edge,
/// connected over the edges, vertices − edges + triangles = 2 (a hole through the wall, a void or
/// two parts that touch at a vertex all lessen this number or the connection).
pub fn is_ball(mesh: &Stuffing) -> bool {
    let interior = mesh.interior as u32;
    let mut triangles: Vec<[u32; 3]> = (mesh.tetrahedra.par_iter())
        .flat_map_iter(|&[a, b, c, d]| {
            let faces = [[b, c, d], [a, c, d], [a, b, d], [a, b, c]];
            faces
                .into_iter()
                .filter(|face| face.iter().all(|&v| v >= interior))
                .map(|mut face| {
                    face.sort_unstable();
                    face
                })
        })
        .collect();
    triangles.par_sort_unstable();
    // A face between two tetrahedra appears twice.
    let triangles: Vec<[u32; 3]> = triangles
        .chunk_by(|a, b| a == b)
        .filter(|same| same.len() == 1)
        .map(|same| same[0])
        .collect();
    let mut edges: Vec<([u32; 2], u32)> = (triangles.iter().zip(0u32..))
        .flat_map(|(&[a, b, c], i)| [([a, b], i), ([a, c], i), ([b, c], i)])
        .collect();
    edges.par_sort_unstable();

    let mut sets = DisjointSets::new(triangles.len() as u32);
    let (mut pieces, mut edge_count) = (triangles.len(), 0);
    for sharing in edges.chunk_by(|a, b| a.0 == b.0) {
        let &[(_, s), (_, t)] = sharing else {
            return false;
        };
        edge_count += 1;
        pieces -= usize::from(sets.join(s, t));
    }
    let mut vertices: Vec<u32> = triangles.iter().flatten().copied().collect();
    vertices.par_sort_unstable();
    vertices.dedup();
    pieces == 1 && vertices.len() + triangles.len() == edge_count + 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::generate::stuffing::stuff;
    use crate::tensor::{Vec3, norm};

    #[test]
    fn balls_pass_and_rings_voids_and_pinches_fail() {
        let bounds = ([-1.3; 3], [1.3; 3]);
        let ball = |p: Vec3| norm(p) - 1.0;
        let ring = |p: Vec3| (p[0].hypot(p[1]) - 0.9).hypot(p[2]) - 0.4;
        let shell = |p: Vec3| (norm(p) - 0.8).abs() - 0.4;
        assert!(is_ball(&stuff(&ball, bounds, 0.2, 0.0)));
        assert!(!is_ball(&stuff(&ring, bounds, 0.2, 0.0)));
        assert!(!is_ball(&stuff(&shell, bounds, 0.2, 0.0)));
        let tetrahedra = |list: &[[u32; 4]]| Stuffing {
            points: Vec::new(),
            tetrahedra: list.to_vec(),
            interior: 0,
        };
        assert!(is_ball(&tetrahedra(&[[0, 1, 2, 3], [1, 2, 3, 4]])));
        assert!(!is_ball(&tetrahedra(&[[0, 1, 2, 3], [0, 1, 4, 5]])));
        assert!(!is_ball(&tetrahedra(&[[0, 1, 2, 3], [0, 4, 5, 6]])));
        assert!(!is_ball(&tetrahedra(&[])));
    }
}
