//! Cartesian grid of cells.

use serde::{Deserialize, Serialize};

use crate::tensor::Vec3;

/// Cartesian grid of nz × ny × nx cells, x contiguous; 2D grids have nz = 1, cables ny = nz = 1.
///
/// The number of a cell is (z ny + y) nx + x; its centre lies at `origin` + (x + ½, y + ½, z + ½)·Δ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// Cells along z, y, x.
    pub shape: [usize; 3],
    /// Cell size along z, y, x, mm.
    pub spacing: [f64; 3],
    /// Low corner x, y, z, mm.
    pub origin: Vec3,
    /// Whether z, y, x are periodic; otherwise no flux passes the edge.
    pub periodic: [bool; 3],
    /// Axes that the user gave: 0 (single cell) to 3. Files have arrays of this many dimensions
    /// (one for a single cell).
    pub dimensions: usize,
}

impl Grid {
    /// Number of cells.
    pub fn cells(&self) -> usize {
        self.shape.iter().product()
    }

    /// Number of the cell at z, y, x.
    pub fn cell(&self, [z, y, x]: [usize; 3]) -> usize {
        (z * self.shape[1] + y) * self.shape[2] + x
    }

    /// z, y, x of a cell.
    pub fn place(&self, cell: usize) -> [usize; 3] {
        let [_, ny, nx] = self.shape;
        [cell / (nx * ny), cell / nx % ny, cell % nx]
    }

    /// Centre of the cell at z, y, x; coordinates x, y, z in mm.
    pub fn centre(&self, [z, y, x]: [usize; 3]) -> Vec3 {
        let [dz, dy, dx] = self.spacing;
        let [ox, oy, oz] = self.origin;
        [
            ox + (x as f64 + 0.5) * dx,
            oy + (y as f64 + 0.5) * dy,
            oz + (z as f64 + 0.5) * dz,
        ]
    }

    /// Shape of the arrays in files.
    pub fn file_shape(&self) -> &[usize] {
        match self.dimensions {
            0 | 1 => &self.shape[2..],
            2 => &self.shape[1..],
            _ => &self.shape,
        }
    }
}

/// What the cells of a grid are made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Tissue {
    /// Cells that take part; `None`: all.
    pub active: Option<Vec<bool>>,
    pub diffusivity: Diffusivity,
    /// Parameter set of each cell, a number in the list of sets; `None`: 0 everywhere.
    pub region: Option<Vec<u8>>,
}

/// Diffusivity D, mm²/ms, symmetric and positive definite (on the axes that the grid has).
#[derive(Debug, Clone, PartialEq)]
pub enum Diffusivity {
    /// The same tensor xx xy xz yy yz zz everywhere.
    Uniform([f64; 6]),
    /// One number per cell.
    Isotropic(Vec<f64>),
    /// One tensor xx xy xz yy yz zz per cell.
    Tensor(Vec<[f64; 6]>),
}

impl Diffusivity {
    /// Tensor at a cell.
    pub fn at(&self, cell: usize) -> [f64; 6] {
        match self {
            Diffusivity::Uniform(d) => *d,
            Diffusivity::Isotropic(d) => [d[cell], 0.0, 0.0, d[cell], 0.0, d[cell]],
            Diffusivity::Tensor(d) => d[cell],
        }
    }

    /// Whether D may have cross terms anywhere.
    pub fn is_oblique(&self) -> bool {
        match self {
            Diffusivity::Uniform([_, xy, xz, _, yz, _]) => [xy, xz, yz].iter().any(|d| **d != 0.0),
            Diffusivity::Isotropic(_) => false,
            Diffusivity::Tensor(_) => true,
        }
    }
}
