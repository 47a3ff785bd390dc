//! Tetrahedral meshes: storage, formats, quality, generators. Knows no solver.

pub mod adjacency;
pub mod check;
mod disjoint_sets;
pub mod fibre_rule;
pub mod formats;
pub mod generate;
pub mod quality;
pub mod refine;
pub mod surface;
mod tet_mesh;

pub use adjacency::{Components, VertexTetrahedra};
pub use tet_mesh::{Field, TetMesh};
