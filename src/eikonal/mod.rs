//! Anisotropic eikonal equation on tetrahedra.

pub mod options;
