//! Anisotropic eikonal equation on tetrahedra.

mod active_list;
pub mod adjoint;
pub mod all_active;
pub mod block;
pub mod candidates;
pub mod canonical;
mod components;
pub mod cycles;
mod cyclic_system;
pub mod dual;
mod edges;
pub mod fim;
pub mod forward;
mod front;
mod levels;
pub mod local_solver;
pub mod local_solves;
pub mod metric_mesh;
pub mod on_device;
pub mod options;
mod pipeline;
mod screen;
mod shared_cycle;
pub mod simd;
pub mod tangent;
pub mod tensor_sensitivity;
pub mod upwind;
