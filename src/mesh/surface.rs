//! Faces of tetrahedra, and the surface of a mesh.

use super::adjacency::check_counts;
use crate::error::Result;

/// Corners of the face opposite to each corner of a tetrahedron; counter-clockwise seen from
/// outside when the tetrahedron is positively oriented.
pub const FACES: [[usize; 3]; 4] = [[1, 2, 3], [0, 3, 2], [0, 1, 3], [0, 2, 1]];

/// One side of a face: tetrahedron and number of the corner opposite to the face.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Side(u32);

impl Side {
    /// The tetrahedron.
    pub fn tetrahedron(self) -> usize {
        (self.0 / 4) as usize
    }

    /// The corner (0 to 3) that the face lacks.
    pub fn opposite(self) -> usize {
        (self.0 % 4) as usize
    }

    /// Vertices of the face, in the order of [`FACES`].
    pub fn vertices(self, tetrahedra: &[[u32; 4]]) -> [u32; 3] {
        FACES[self.opposite()].map(|i| tetrahedra[self.tetrahedron()][i])
    }
}

/// Calls `visit` once per face with its sides: one on the surface, two inside, more where the
/// mesh is not manifold. Faces come in the order of their sorted vertices. O(n + m).
///
/// # Errors
/// [`crate::error::Error::BadData`] where 4m does not fit into 32 bits or a vertex is out of range.
pub fn for_each_face(
    vertex_count: usize,
    tetrahedra: &[[u32; 4]],
    mut visit: impl FnMut(&[Side]),
) -> Result<()> {
    check_counts(vertex_count, tetrahedra)?;
    let sorted = |side: Side| {
        let mut v = side.vertices(tetrahedra);
        v.sort_unstable();
        v
    };
    // Counting sort by the lowest vertex; the few faces of a bucket are sorted in full.
    let sides = || (0..4 * tetrahedra.len() as u32).map(Side);
    let mut ends = vec![0u32; vertex_count];
    for side in sides() {
        ends[sorted(side)[0] as usize] += 1;
    }
    let mut end = 0;
    for e in &mut ends {
        end += *e;
        *e = end;
    }
    let mut ordered = vec![Side(0); 4 * tetrahedra.len()];
    let mut starts = ends;
    for side in sides().rev() {
        let s = &mut starts[sorted(side)[0] as usize];
        *s -= 1;
        ordered[*s as usize] = side;
    }
    let mut bucket: Vec<([u32; 3], Side)> = Vec::new();
    for (v, &start) in starts.iter().enumerate() {
        let end = starts.get(v + 1).map_or(ordered.len(), |&e| e as usize);
        bucket.clear();
        bucket.extend(ordered[start as usize..end].iter().map(|&s| (sorted(s), s)));
        bucket.sort_unstable();
        for (slot, (_, side)) in ordered[start as usize..end].iter_mut().zip(&bucket) {
            *slot = *side;
        }
        let mut next = start as usize;
        for face in bucket.chunk_by(|a, b| a.0 == b.0) {
            visit(&ordered[next..next + face.len()]);
            next += face.len();
        }
    }
    Ok(())
}

/// Vertices of the faces that only one tetrahedron has, outward for positive orientation.
///
/// # Errors
/// As [`for_each_face`].
pub fn boundary_faces(vertex_count: usize, tetrahedra: &[[u32; 4]]) -> Result<Vec<[u32; 3]>> {
    let mut faces = Vec::new();
    for_each_face(vertex_count, tetrahedra, |sides| {
        if let [side] = sides {
            faces.push(side.vertices(tetrahedra));
        }
    })?;
    Ok(faces)
}

/// Vertices on the surface, in rising order.
///
/// # Errors
/// As [`for_each_face`].
pub fn surface_vertices(vertex_count: usize, tetrahedra: &[[u32; 4]]) -> Result<Vec<u32>> {
    let mut on_surface = vec![false; vertex_count];
    for_each_face(vertex_count, tetrahedra, |sides| {
        if let [side] = sides {
            for v in side.vertices(tetrahedra) {
                on_surface[v as usize] = true;
            }
        }
    })?;
    Ok((0..vertex_count as u32)
        .filter(|&v| on_surface[v as usize])
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::generate::kuhn;
    use crate::tensor::{cross, dot, sub};

    /// The unit cube in six tetrahedra.
    fn cube() -> (Vec<[f64; 3]>, Vec<[u32; 4]>) {
        let mesh = kuhn([1.0; 3], [1; 3]);
        (mesh.points, mesh.tetrahedra)
    }

    #[test]
    fn surface_of_a_cube_is_closed_and_outward() {
        let (points, tetrahedra) = cube();
        let faces = boundary_faces(8, &tetrahedra).unwrap();
        assert_eq!(faces.len(), 12);
        // Divergence theorem: Σ x_c · n A / 3 is the volume.
        let volume: f64 = faces
            .iter()
            .map(|f| {
                let [a, b, c] = f.map(|v| points[v as usize]);
                dot(a, cross(sub(b, a), sub(c, a))) / 6.0
            })
            .sum();
        assert!((volume - 1.0).abs() < 1e-14);
        assert_eq!(
            surface_vertices(8, &tetrahedra).unwrap(),
            [0, 1, 2, 3, 4, 5, 6, 7]
        );
    }

    #[test]
    fn three_tetrahedra_on_a_face_are_seen() {
        let tetrahedra = [[0, 1, 2, 3], [0, 1, 2, 4], [0, 1, 2, 5]];
        let mut most = 0;
        for_each_face(6, &tetrahedra, |s| most = most.max(s.len())).unwrap();
        assert_eq!(most, 3);
    }
}
