//! What is wrong with a mesh (`mesh check`), what can be mended, and what every run insists on.

mod defects;
mod finding;
mod mend;
#[cfg(test)]
mod tests;
mod validate;

pub use finding::Finding;
pub use mend::fix;
pub use validate::{indices_are_in_range, validate, validate_fibres};

use super::TetMesh;
use super::adjacency::EDGES;
use crate::tensor::{dot, sub};
use defects::{beyond, shapes, topology, values};

/// A tetrahedron is degenerate where 6 |V| ≤ this · l³, l its longest edge.
const FLAT: f64 = 1e-12;
/// Farthest coordinate, mm: beyond, the volumes of tetrahedra overflow.
const FARTHEST: f64 = 1e90;
/// Fibres and sheets may be off unit length and off the right angle by this much.
const UNIT: f64 = 1e-6;

/// Every kind of defect that `mesh` has, worst first.
pub fn check(mesh: &TetMesh) -> Vec<Finding> {
    let mut found = values(mesh);
    if beyond(mesh).next().is_none() {
        found.extend(shapes(mesh));
        found.extend(topology(mesh));
    }
    let mut findings: Vec<Finding> = (found.into_iter().map(|g| g.finding))
        .filter(|f| f.count > 0)
        .collect();
    findings.sort_by_key(|f| !f.is_error);
    findings
}

/// Whether 6 |V| ≤ 1e-12 l³, l the longest edge, or not finite.
fn is_degenerate(mesh: &TetMesh, t: usize) -> bool {
    let corners = mesh.corners(t);
    let squared = EDGES.map(|[i, j]| {
        let e = sub(corners[i], corners[j]);
        dot(e, e)
    });
    let longest = squared.into_iter().fold(0.0, f64::max).sqrt();
    // Written so that what is not finite counts as degenerate.
    let has_volume = 6.0 * mesh.volume(t).abs() > FLAT * longest.powi(3);
    !has_volume
}
