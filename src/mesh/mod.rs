//! Tetrahedral meshes: storage, formats, quality, generators. Knows no solver.

pub mod formats;
pub mod generate;
mod tet_mesh;

pub use tet_mesh::{Field, TetMesh};
