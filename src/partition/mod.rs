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

/// Unit cube of n³ cells.
#[cfg(test)]
fn cube(n: usize) -> crate::mesh::TetMesh {
    crate::mesh::generate::kuhn([1.0; 3], [n; 3])
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
