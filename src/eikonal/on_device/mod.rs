//! The eikonal solver on a device: the iteration with all its lists there, and the derivatives by
//! levels of the upwind graph. The canonical pass that lies between them is that of the CPU, so that
//! the solution is the CPU's.

mod derivatives;
mod fim;
mod levels;

pub use fim::OnDevice;
pub use levels::{Levels, levels};

use super::tolerance;
use crate::device::{Program, program};
use crate::real::Real;

/// Kernels of the solver.
const KERNELS: &[&str] = &[
    "arrivals",
    "screened",
    "begin",
    "lower",
    "take",
    "resolve",
    "rest",
    "turn",
    "collect",
    "candidates",
    "tangent",
    "adjoint",
    "pick",
    "put",
    "sensitivity",
];

/// The program for numbers of type `T`, which have no derivatives.
pub fn program<T: Real>() -> Program {
    Program {
        name: "eikonal",
        defines: vec![
            ("Real", program::number(size_of::<T>())),
            ("EPSILON", format!("{:e}", T::EPSILON)),
            ("SLACK", format!("{:e}", tolerance::slack::<T>())),
        ],
        sources: vec![
            (
                "eikonal/local_solver.cuh",
                include_str!("../local_solver.cuh"),
            ),
            ("eikonal/fim.cu", include_str!("../fim.cu")),
            ("eikonal/derivatives.cu", include_str!("../derivatives.cu")),
        ],
        kernels: KERNELS,
    }
}
