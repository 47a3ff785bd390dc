//! What can be mended without tearing a hole (`mesh check --fix`).

use super::defects::{beyond, first_of_equal_points, is_in_range, repeated_tetrahedra};
use super::is_degenerate;
use crate::error::{Error, Result};
use crate::mesh::TetMesh;

/// The mesh with everything mended that is safe to mend: duplicated points merged (the lowest
/// stays), inverted tetrahedra swapped, degenerate and repeated ones and orphans dropped,
/// directions made unit.
///
/// # Errors
/// [`Error::BadData`] where dropping tetrahedra would tear a hole: vertices that are no points,
/// vertices whose coordinates are not finite; and where no tetrahedron would be left.
pub fn fix(mesh: &TetMesh) -> Result<TetMesh> {
    let m = mesh.tetrahedron_count();
    let lost = |what: &str, problem: &str, others: usize, remedy: &str| {
        let problem = format!("{problem} ({} such tetrahedra)", others + 1);
        let remedy = format!("{remedy}; --fix cannot mend this and wrote nothing");
        Err(Error::bad_data(what, problem, remedy))
    };
    let mut wrong = beyond(mesh);
    if let Some(t) = wrong.next() {
        let remedy = "correct the vertex numbers, which start at 0";
        let problem = "a vertex is no point of the mesh";
        return lost(&format!("tetrahedron {t}"), problem, wrong.count(), remedy);
    }
    let mut wrong = (0..m).filter(|&t| !mesh.corners(t).iter().all(is_in_range));
    if let Some(t) = wrong.next() {
        let remedy = "correct the coordinates";
        let problem = "the coordinates of a vertex are not finite or beyond 1e90 mm";
        return lost(&format!("tetrahedron {t}"), problem, wrong.count(), remedy);
    }
    let mut mended = mesh.clone();
    mended.normalise_directions();
    let first = first_of_equal_points(&mended.points);
    for v in mended.tetrahedra.as_flattened_mut() {
        *v = first[*v as usize];
    }
    for t in 0..mended.tetrahedron_count() {
        if mended.volume(t) < 0.0 {
            mended.tetrahedra[t].swap(2, 3);
        }
    }
    let mut keep = vec![true; mended.tetrahedron_count()];
    for t in repeated_tetrahedra(&mended.tetrahedra) {
        keep[t] = false;
    }
    let kept: Vec<u32> = (0..keep.len())
        .filter(|&t| keep[t] && !is_degenerate(&mended, t))
        .map(|t| t as u32)
        .collect();
    if kept.is_empty() {
        let remedy = "mesh the geometry again; --fix cannot mend this and wrote nothing";
        return Err(Error::bad_data("mesh", "no tetrahedron has volume", remedy));
    }
    let mut used = vec![false; mended.vertex_count()];
    for &t in &kept {
        for v in mended.tetrahedra[t as usize] {
            used[v as usize] = true;
        }
    }
    let points: Vec<u32> = (0..used.len() as u32)
        .filter(|&v| used[v as usize])
        .collect();
    Ok(mended.select(&points, &kept))
}
