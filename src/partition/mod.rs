//! Who computes what: METIS parts for ranks, material domains, and each rank's part of the mesh.

mod curve;
pub mod local_mesh;
