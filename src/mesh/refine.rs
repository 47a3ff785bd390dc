//! Uniform refinement: every tetrahedron into eight of the same volume.
//!
//! Four corners are cut off at the midpoints of the edges; the octahedron left is split along the
//! shortest of its three diagonals. The diagonals are inside, so that the mesh stays conforming.
//! J. Bey, "Tetrahedral grid refinement", Computing 55 (1995) 355–378.

use super::adjacency::edges;
use super::{Field, TetMesh};
use crate::error::{Error, Result};
use crate::tensor::{Vec3, add, dot, scale, sub};

/// Octahedron of midpoints ab ac ad bc bd cd (0 to 5) split along each diagonal; every row keeps
/// the orientation of the parent.
const SPLITS: [([usize; 2], [[usize; 4]; 4]); 3] = [
    (
        [0, 5],
        [[0, 5, 1, 2], [0, 5, 2, 4], [0, 5, 4, 3], [0, 5, 3, 1]],
    ),
    (
        [1, 4],
        [[1, 4, 2, 0], [1, 4, 0, 3], [1, 4, 3, 5], [1, 4, 5, 2]],
    ),
    (
        [2, 3],
        [[2, 3, 0, 1], [2, 3, 1, 5], [2, 3, 5, 4], [2, 3, 4, 0]],
    ),
];

/// The mesh with 8m tetrahedra; those of t are 8t to 8t + 7.
///
/// The old vertices keep their numbers; the midpoints of the edges follow in the order of the
/// edges. What is known on tetrahedra is copied, fields on points are averaged on new vertices;
/// parts are dropped, as they belong to a partition of the old mesh.
///
/// # Errors
/// [`Error::BadData`] where the result does not fit into 32-bit numbers.
pub fn refine(mesh: &TetMesh) -> Result<TetMesh> {
    let n = mesh.vertex_count();
    let edges = edges(&mesh.tetrahedra);
    let (points, m) = (n + edges.len(), mesh.tetrahedron_count());
    if points > u32::MAX as usize || m > (u32::MAX / 32) as usize {
        return Err(Error::bad_data(
            "refined mesh",
            format!("{points} points and {} tetrahedra", 8 * m),
            "32-bit numbers hold no more than 4 294 967 295 and 1 073 741 823",
        ));
    }
    let mut fine = TetMesh::default();
    fine.points.reserve_exact(points);
    fine.points.extend_from_slice(&mesh.points);
    let at = |v: u32| mesh.points[v as usize];
    let middle = |[a, b]: &[u32; 2]| scale(0.5, add(at(*a), at(*b)));
    fine.points.extend(edges.iter().map(middle));

    let midpoint = |a: u32, b: u32| {
        let edge = [a.min(b), a.max(b)];
        // Every edge of a tetrahedron is in the list.
        let (Ok(e) | Err(e)) = edges.binary_search(&edge);
        (n + e) as u32
    };
    fine.tetrahedra.reserve_exact(8 * m);
    for &[a, b, c, d] in &mesh.tetrahedra {
        let mid = [(a, b), (a, c), (a, d), (b, c), (b, d), (c, d)].map(|(a, b)| midpoint(a, b));
        let [ab, ac, ad, bc, bd, cd] = mid;
        fine.tetrahedra.extend([
            [a, ab, ac, ad],
            [ab, b, bc, bd],
            [ac, bc, c, cd],
            [ad, bd, cd, d],
        ]);
        let place = mid.map(|v| fine.points[v as usize]);
        let inner = shortest_split(&place);
        fine.tetrahedra.extend(inner.map(|t| t.map(|i| mid[i])));
    }

    fine.tags = eightfold(&mesh.tags);
    fine.fibres = mesh.fibres.as_deref().map(eightfold);
    fine.sheets = mesh.sheets.as_deref().map(eightfold);
    fine.velocity_tensor = mesh.velocity_tensor.as_deref().map(eightfold);
    fine.domains = mesh.domains.as_deref().map(eightfold);
    for (name, field) in &mesh.point_fields {
        let c = field.components;
        let mut values = field.values.clone();
        for [a, b] in &edges {
            let row = |v: u32| &field.values[v as usize * c..][..c];
            values.extend(row(*a).iter().zip(row(*b)).map(|(x, y)| 0.5 * (x + y)));
        }
        let field = Field {
            components: c,
            values,
        };
        fine.point_fields.insert(name.clone(), field);
    }
    for (name, field) in &mesh.cell_fields {
        let rows = field.values.chunks_exact(field.components);
        let field = Field {
            components: field.components,
            values: rows.flat_map(|row| row.repeat(8)).collect(),
        };
        fine.cell_fields.insert(name.clone(), field);
    }
    Ok(fine)
}

/// The four inner tetrahedra along the shortest diagonal; the first of equals.
fn shortest_split(place: &[Vec3; 6]) -> [[usize; 4]; 4] {
    let length = |[i, j]: [usize; 2]| {
        let e = sub(place[i], place[j]);
        dot(e, e)
    };
    let mut best = &SPLITS[0];
    for split in &SPLITS[1..] {
        if length(split.0) < length(best.0) {
            best = split;
        }
    }
    best.1
}

fn eightfold<T: Copy>(values: &[T]) -> Vec<T> {
    values.iter().flat_map(|&x| [x; 8]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::surface::{boundary_faces, for_each_face};

    fn parent(points: [Vec3; 4]) -> TetMesh {
        TetMesh::new(points.to_vec(), vec![[0, 1, 2, 3]])
    }

    #[test]
    fn children_have_an_eighth_of_the_volume_whichever_diagonal() {
        let shapes = [
            [[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
            [[0.0; 3], [1.0, 0.0, 0.0], [0.9, 0.2, 0.0], [0.1, 0.1, 1.0]],
            [[0.0; 3], [3.0, 0.0, 0.0], [0.2, 0.5, 0.1], [2.9, 0.4, 0.8]],
            [[0.0; 3], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [1.1, 2.1, 0.5]],
        ];
        let mut used = [false; 3];
        for points in shapes {
            let coarse = parent(points);
            let fine = refine(&coarse).unwrap();
            assert_eq!((fine.vertex_count(), fine.tetrahedron_count()), (10, 8));
            for t in 0..8 {
                assert!((8.0 * fine.volume(t) / coarse.volume(0) - 1.0).abs() < 1e-13);
            }
            let diagonal = [[4, 9], [5, 8], [6, 7]];
            for (seen, [a, b]) in used.iter_mut().zip(diagonal) {
                *seen |= fine.tetrahedra[4].contains(&a) && fine.tetrahedra[4].contains(&b);
            }
        }
        assert_eq!(used, [true; 3]);
    }

    #[test]
    fn the_refined_mesh_conforms_and_carries_its_fields() {
        let mut coarse = TetMesh::new(
            vec![
                [0.0; 3],
                [1.0, 0.0, 0.0],
                [0.1, 1.0, 0.0],
                [0.0, 0.2, 1.0],
                [1.0, 1.1, 1.2],
            ],
            vec![[0, 1, 2, 3], [1, 4, 2, 3]],
        );
        coarse.tags = vec![3, 5];
        coarse.fibres = Some(vec![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
        // A linear function is interpolated exactly.
        let linear = |p: &Vec3| 1.0 + p[0] - 2.0 * p[1] + 4.0 * p[2];
        let values = coarse.points.iter().map(linear).collect();
        coarse.point_fields.insert(
            "l".into(),
            Field {
                components: 1,
                values,
            },
        );
        let values = vec![1.0, 2.0, 3.0, 4.0];
        coarse.cell_fields.insert(
            "c".into(),
            Field {
                components: 2,
                values,
            },
        );
        let fine = refine(&refine(&coarse).unwrap()).unwrap();
        assert_eq!(fine.tetrahedron_count(), 128);
        assert_eq!(
            boundary_faces(fine.vertex_count(), &fine.tetrahedra)
                .unwrap()
                .len(),
            6 * 16
        );
        for_each_face(fine.vertex_count(), &fine.tetrahedra, |s| {
            assert!(s.len() <= 2)
        })
        .unwrap();
        assert!((0..128).all(|t| fine.volume(t) > 0.0));
        let volume = |mesh: &TetMesh| {
            (0..mesh.tetrahedron_count())
                .map(|t| mesh.volume(t))
                .sum::<f64>()
        };
        assert!((volume(&fine) - volume(&coarse)).abs() < 1e-14);
        assert_eq!((fine.tags[63], fine.tags[64]), (3, 5));
        assert_eq!(fine.fibres.as_ref().unwrap()[127], [0.0, 1.0, 0.0]);
        assert_eq!(fine.cell_fields["c"].values[126..130], [1.0, 2.0, 3.0, 4.0]);
        for (p, l) in fine.points.iter().zip(&fine.point_fields["l"].values) {
            assert!((linear(p) - l).abs() < 1e-14);
        }
    }
}
