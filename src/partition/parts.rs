//! Parts of the mesh for ranks: every vertex is owned by one.

use super::cut::{Wish, cut};
use super::graph::vertex_graph;
use crate::error::{Error, Result};
use crate::mesh::TetMesh;

/// Part (0 to `parts − 1`) of each vertex (n), deterministic, none empty, few edges cut.
///
/// The parts have equal numbers of tetrahedra around their vertices, which is what a rank solves,
/// to about 3 %.
///
/// # Errors
/// [`Error::BadData`] for more parts than vertices, or a mesh beyond METIS's 32-bit numbers.
pub fn vertex_parts(mesh: &TetMesh, parts: usize) -> Result<Vec<u32>> {
    let n = mesh.vertex_count();
    if parts == 0 || parts > n {
        return Err(Error::bad_data(
            "mesh",
            format!("its {n} vertices cannot be shared out to {parts} ranks"),
            "run with at least one and at most as many ranks as vertices",
        ));
    }
    if parts == 1 {
        return Ok(vec![0; n]);
    }
    let graph = vertex_graph(mesh)?;
    let weights = work(mesh);
    cut(
        &graph,
        &Wish {
            parts,
            constraints: 1,
            weights: weights.as_deref(),
            imbalance: 30,
            contiguous: false,
        },
    )
}

/// What each vertex costs its rank: the tetrahedra around it; `None` where the sum would not fit an
/// i32, and vertices count alike.
pub(super) fn work(mesh: &TetMesh) -> Option<Vec<i32>> {
    let n = mesh.vertex_count();
    if mesh.tetrahedron_count() >= (i32::MAX as usize / 4).saturating_sub(n) {
        return None;
    }
    let mut work = vec![0i32; n];
    for v in mesh.tetrahedra.iter().flatten() {
        work[*v as usize] += 1;
    }
    work.iter_mut().for_each(|work| *work = (*work).max(1));
    Some(work)
}

#[cfg(test)]
mod tests {
    use super::super::{cube, sizes};
    use super::*;

    #[test]
    fn work_is_shared_out_evenly() {
        let mesh = cube(12);
        for parts in [2, 3, 4, 7] {
            let part = vertex_parts(&mesh, parts).unwrap();
            assert_eq!(part, vertex_parts(&mesh, parts).unwrap());
            let mut work = vec![0.0; parts];
            for v in mesh.tetrahedra.iter().flatten() {
                work[part[*v as usize] as usize] += 1.0;
            }
            let mean = 4.0 * mesh.tetrahedron_count() as f64 / parts as f64;
            for w in work {
                assert!(w > 0.0 && w < 1.06 * mean, "{w} of {mean}");
            }
        }
    }

    #[test]
    fn no_part_is_empty_down_to_one_vertex_each() {
        let mesh = cube(2);
        for parts in 1..=27 {
            let part = vertex_parts(&mesh, parts).unwrap();
            assert!(sizes(&part, parts).iter().all(|s| *s > 0), "{parts} parts");
        }
        assert_eq!(vertex_parts(&mesh, 28).unwrap_err().exit_code(), 65);
        assert_eq!(vertex_parts(&mesh, 0).unwrap_err().exit_code(), 65);
    }

    #[test]
    fn few_edges_are_cut() {
        // Two halves of a cube of 16³ cells: a plane of 17² vertices has 3·17² edges or so across.
        let mesh = cube(16);
        let part = vertex_parts(&mesh, 2).unwrap();
        let graph = vertex_graph(&mesh).unwrap();
        let across = (0..graph.size())
            .flat_map(|v| graph.neighbours_of(v).iter().map(move |w| (v, *w as usize)))
            .filter(|(v, w)| v < w && part[*v] != part[*w])
            .count();
        assert!(across < 2 * 4 * 17 * 17, "{across}");
    }
}
