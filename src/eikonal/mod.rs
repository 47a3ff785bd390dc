//! Anisotropic eikonal equation on tetrahedra.

mod active_list;
mod block;
pub mod dual;
pub mod fim;
pub mod local_solver;
pub mod metric_mesh;
pub mod options;
mod resolve;
pub mod simd;
