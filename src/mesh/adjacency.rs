//! Which tetrahedra touch a vertex, and which parts of a mesh hang together.

use super::disjoint_sets::DisjointSets;
use crate::error::{Error, Result};

/// Tetrahedra around each vertex, as compressed rows.
///
/// The tetrahedra of vertex v are `tetrahedra[offsets[v]..offsets[v + 1]]`, in rising order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VertexTetrahedra {
    /// n + 1 row starts.
    pub offsets: Vec<u32>,
    /// 4m tetrahedron numbers.
    pub tetrahedra: Vec<u32>,
}

impl VertexTetrahedra {
    /// Rows for `vertex_count` vertices, in O(n + m).
    ///
    /// # Errors
    /// [`Error::BadData`] where 4m does not fit into 32 bits or a vertex is out of range.
    pub fn new(vertex_count: usize, tetrahedra: &[[u32; 4]]) -> Result<Self> {
        check_counts(vertex_count, tetrahedra)?;
        let mut offsets = vec![0u32; vertex_count + 1];
        for &v in tetrahedra.as_flattened() {
            offsets[v as usize] += 1;
        }
        // Row ends first: filling backwards turns them into row starts, rows rising.
        let mut end = 0;
        for o in &mut offsets {
            end += *o;
            *o = end;
        }
        let mut rows = vec![0; 4 * tetrahedra.len()];
        for (t, corners) in tetrahedra.iter().enumerate().rev() {
            for &v in corners {
                let o = &mut offsets[v as usize];
                *o -= 1;
                rows[*o as usize] = t as u32;
            }
        }
        Ok(Self {
            offsets,
            tetrahedra: rows,
        })
    }

    /// Tetrahedra around vertex `v`.
    #[inline]
    pub fn of(&self, v: usize) -> &[u32] {
        &self.tetrahedra[self.offsets[v] as usize..self.offsets[v + 1] as usize]
    }
}

/// Everything below counts corners and faces in 32 bits and trusts the vertex numbers.
pub(super) fn check_counts(vertex_count: usize, tetrahedra: &[[u32; 4]]) -> Result<()> {
    if tetrahedra.len() > (u32::MAX / 4) as usize || vertex_count > u32::MAX as usize {
        return Err(Error::bad_data(
            "mesh",
            format!("{vertex_count} points and {} tetrahedra", tetrahedra.len()),
            format!(
                "32-bit numbers hold {} points and {} tetrahedra",
                u32::MAX,
                u32::MAX / 4
            ),
        ));
    }
    let beyond = |t: &[u32; 4]| t.iter().any(|&v| v as usize >= vertex_count);
    match tetrahedra.iter().position(beyond) {
        None => Ok(()),
        Some(t) => Err(Error::bad_data(
            format!("tetrahedron {t}"),
            format!(
                "vertices {:?} reach beyond the {vertex_count} points",
                tetrahedra[t]
            ),
            "vertices are numbered from 0",
        )),
    }
}

/// Corners of the six edges of a tetrahedron.
pub const EDGES: [[usize; 2]; 6] = [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]];

/// Every edge once, lower vertex first, in rising order.
pub fn edges(tetrahedra: &[[u32; 4]]) -> Vec<[u32; 2]> {
    let of = |t: &[u32; 4]| EDGES.map(|[i, j]| [t[i].min(t[j]), t[i].max(t[j])]);
    // Halves the peak memory against sorting all six per tetrahedron at once.
    let mut all = Vec::new();
    for block in tetrahedra.chunks(1 << 18) {
        let mut some: Vec<[u32; 2]> = block.iter().flat_map(of).collect();
        some.sort_unstable();
        some.dedup();
        all.append(&mut some);
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// Parts of a mesh that share no vertex with each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Components {
    /// Component of each vertex; [`Components::ORPHAN`] for a vertex of no tetrahedron.
    pub of_vertex: Vec<u32>,
    /// Number of tetrahedra of each component, in the order of their lowest vertices.
    pub tetrahedra: Vec<usize>,
}

impl Components {
    /// Mark of a vertex that belongs to no tetrahedron.
    pub const ORPHAN: u32 = u32::MAX;

    /// Components by union-find; vertices joined by a tetrahedron hang together.
    ///
    /// # Errors
    /// As [`VertexTetrahedra::new`].
    pub fn new(vertex_count: usize, tetrahedra: &[[u32; 4]]) -> Result<Self> {
        check_counts(vertex_count, tetrahedra)?;
        let mut sets = DisjointSets::new(vertex_count as u32);
        let mut used = vec![false; vertex_count];
        for corners in tetrahedra {
            for &v in corners {
                used[v as usize] = true;
                sets.join(corners[0], v);
            }
        }
        let mut of_vertex = vec![Self::ORPHAN; vertex_count];
        let mut count = 0;
        for v in (0..vertex_count).filter(|&v| used[v]) {
            // The lowest vertex is the root, so that the numbering is that of the vertices.
            let root = sets.root(v as u32) as usize;
            if root == v {
                of_vertex[v] = count;
                count += 1;
            } else {
                of_vertex[v] = of_vertex[root];
            }
        }
        let mut sizes = vec![0; count as usize];
        for corners in tetrahedra {
            sizes[of_vertex[corners[0] as usize] as usize] += 1;
        }
        Ok(Self {
            of_vertex,
            tetrahedra: sizes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TETRAHEDRA: [[u32; 4]; 3] = [[4, 1, 2, 3], [0, 1, 2, 4], [6, 7, 8, 9]];

    #[test]
    fn rows_rise_and_are_complete() {
        let rows = VertexTetrahedra::new(11, &TETRAHEDRA).unwrap();
        let all: Vec<&[u32]> = (0..11).map(|v| rows.of(v)).collect();
        let (a, b): (&[u32], &[u32]) = (&[0, 1], &[2]);
        assert_eq!(all, [&[1], a, a, &[0], a, &[], b, b, b, b, &[]]);
    }

    #[test]
    fn a_vertex_out_of_range_is_refused() {
        assert!(VertexTetrahedra::new(9, &TETRAHEDRA).is_err());
        assert!(Components::new(9, &TETRAHEDRA).is_err());
    }

    #[test]
    fn components_and_orphans() {
        let c = Components::new(11, &TETRAHEDRA).unwrap();
        assert_eq!(c.tetrahedra, [2, 1]);
        let o = Components::ORPHAN;
        assert_eq!(c.of_vertex, [0, 0, 0, 0, 0, o, 1, 1, 1, 1, o]);
    }
}
