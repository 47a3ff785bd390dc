//! Who computes what: METIS parts for ranks, material domains, each rank's part of the mesh.
//!
//! METIS numbers with 32 bits and prints where it fails; what reaches it is checked before.

mod curve;
mod cut;
mod domains;
mod graph;
pub mod local_mesh;
mod parts;
mod wave_parts;

pub use cut::{Wish, cut};
pub use domains::{DomainContact, check_domains, domain_contacts, material_domains, tag_domains};
pub use graph::Graph;
pub use parts::vertex_parts;
pub use wave_parts::wave_parts;

/// Unit cube of n³ cells, each cut in six tetrahedra around its diagonal (Kuhn).
#[cfg(test)]
fn cube(n: usize) -> crate::mesh::TetMesh {
    let side = n + 1;
    let number = |i: [usize; 3]| (i[0] + side * (i[1] + side * i[2])) as u32;
    let points = (0..side.pow(3))
        .map(|v| [v % side, v / side % side, v / side / side].map(|i| i as f64 / n as f64))
        .collect();
    let paths = [
        [0, 1, 2],
        [1, 2, 0],
        [2, 0, 1],
        [0, 2, 1],
        [2, 1, 0],
        [1, 0, 2],
    ];
    let mut tetrahedra = Vec::new();
    for cell in 0..n.pow(3) {
        for path in paths {
            let mut at = [cell % n, cell / n % n, cell / n / n];
            let corners = [0, 1, 2, 3].map(|step| {
                if step > 0 {
                    at[path[step - 1]] += 1;
                }
                number(at)
            });
            tetrahedra.push(corners);
        }
    }
    crate::mesh::TetMesh::new(points, tetrahedra)
}

/// Number of entities in each part.
#[cfg(test)]
fn sizes(parts: &[u32], count: usize) -> Vec<usize> {
    let mut sizes = vec![0; count];
    for p in parts {
        sizes[*p as usize] += 1;
    }
    sizes
}
