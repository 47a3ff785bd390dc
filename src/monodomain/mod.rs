//! The monodomain equation ∂u/∂t = ∇·(D∇u) − J_ion + I_stim on Cartesian grids by explicit finite
//! differences.

pub mod activation;
pub mod bridge;
pub mod build;
pub mod conduction;
pub mod division;
pub mod ecg;
pub mod engine;
pub mod filament;
pub mod ghosts;
pub mod grid;
mod kernel;
pub mod layout;
pub mod on_device;
pub mod options;
pub mod region;
pub mod simd;
pub mod simulation;
pub mod single_cell;
pub mod spans;
pub mod stencil;
pub mod stimulus;
pub mod stretches;
pub mod sweep;
pub mod tile;
pub mod tip;
pub mod tissue;
mod transfer;
pub mod voxelize;
pub mod voxels;
mod window;
