//! The simulation on a device: the tiles of a rank in its memory, advanced by kernels that do the
//! same operations for each cell as the twins on the CPU with fused multiply-add.
//!
//! | kernel | what |
//! |---|---|
//! | `step_uniform`, `step_pairs`, `step_cardiax` | one step of all cells |
//! | `march_plane`, `march_solid` | several steps of a box with one D from one pass over memory |
//! | `add`, `fill`, `replace_…`, `record` | stimuli and recorders of one step |
//!
//! What is not a step (whole fields, checkpoints) goes through the engine of the CPU, whose tiles
//! are copies of those on the device when they are asked for.

mod access;
mod engine;
mod messages;
mod moves;
mod parameters;
mod recorder;
mod scheme;
mod tile;

pub use engine::DeviceEngine;
pub use moves::{Move, moves};

use crate::device::{Program, program};
use crate::ionic::Kinetics;
use crate::ionic::logistic::Logistic;
use crate::monodomain::layout::LANES;
use crate::real::Float;

/// Kernels of a simulation.
const KERNELS: &[&str] = &[
    "step_uniform",
    "step_pairs",
    "step_cardiax",
    "add",
    "fill",
    "replace_uniform",
    "replace_pairs",
    "replace_cardiax",
    "record",
    "mean",
    "copy_box",
    "probe",
    "largest",
    "tick",
    "march_plane",
    "march_plane_recorded",
    "march_solid",
];

/// The program for numbers of type `T` and the cell model of `K`.
pub fn program<T: Float, K: Kinetics<T, G>, const G: usize>() -> Program {
    Program {
        name: "monodomain",
        defines: vec![
            ("Real", program::number(size_of::<T>())),
            ("TINY", format!("{:e}", T::TINY)),
            ("LANES", LANES.to_string()),
        ],
        sources: vec![
            Logistic::<T>::TWIN,
            K::TWIN,
            ("monodomain/layout.cuh", include_str!("../layout.cuh")),
            (
                "monodomain/stencil/uniform.cuh",
                include_str!("../stencil/uniform.cuh"),
            ),
            (
                "monodomain/stencil/pairs.cuh",
                include_str!("../stencil/pairs.cuh"),
            ),
            (
                "monodomain/stencil/cardiax.cuh",
                include_str!("../stencil/cardiax.cuh"),
            ),
            (
                "monodomain/activation.cuh",
                include_str!("../activation.cuh"),
            ),
            ("monodomain/kernel.cu", include_str!("../kernel.cu")),
            ("monodomain/march.cu", include_str!("../march.cu")),
        ],
        kernels: KERNELS,
    }
}
