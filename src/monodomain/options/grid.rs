//! The grid, its spacing and its boundaries.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::units::LengthUnit;

/// Where the cells come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, try_from = "GridAsWritten")]
pub enum GridOptions {
    /// Numbers of cells (x), (y, x) or (z, y, x), or none for a single cell (of 1 mm, where no
    /// spacing is given).
    Box { shape: Vec<usize>, spacing: Spacing },
    /// The tetrahedral mesh of a file, voxelised; its unit as `unit` or the format's.
    Mesh {
        mesh: PathBuf,
        spacing: Spacing,
        unit: Option<LengthUnit>,
    },
    /// A voxelised mesh in a file (`isochrone mesh voxelize`).
    Voxels { voxels: PathBuf },
    /// The mesh of section [mesh], file or generated, voxelised: `{ spacing }` alone.
    Case { spacing: Spacing },
}

/// The keys of all kinds of grids.
#[derive(Deserialize)]
struct GridAsWritten {
    shape: Option<Vec<usize>>,
    mesh: Option<PathBuf>,
    unit: Option<LengthUnit>,
    voxels: Option<PathBuf>,
    spacing: Option<Spacing>,
}

impl TryFrom<GridAsWritten> for GridOptions {
    type Error = &'static str;

    fn try_from(written: GridAsWritten) -> Result<Self, &'static str> {
        let none = "says no spacing, the size of the cells in mm: grid = { shape, spacing = 0.25 }";
        let spacing = written.spacing.ok_or(none);
        match written {
            GridAsWritten {
                shape: Some(shape), ..
            } => {
                let spacing = match shape[..] {
                    [] => spacing.unwrap_or(Spacing::Same(1.0)),
                    _ => spacing?,
                };
                Ok(GridOptions::Box { shape, spacing })
            }
            GridAsWritten {
                mesh: Some(mesh),
                unit,
                ..
            } => Ok(GridOptions::Mesh {
                mesh,
                spacing: spacing?,
                unit,
            }),
            GridAsWritten {
                voxels: Some(voxels),
                ..
            } => Ok(GridOptions::Voxels { voxels }),
            _ => Ok(GridOptions::Case { spacing: spacing? }),
        }
    }
}

impl GridOptions {
    /// Axes of the grid.
    pub fn dimensions(&self) -> usize {
        match self {
            GridOptions::Box { shape, .. } => shape.len(),
            _ => 3,
        }
    }

    /// Cell sizes, unless a file of voxels says them.
    pub fn spacing(&self) -> Option<&Spacing> {
        match self {
            GridOptions::Box { spacing, .. }
            | GridOptions::Mesh { spacing, .. }
            | GridOptions::Case { spacing } => Some(spacing),
            GridOptions::Voxels { .. } => None,
        }
    }
}

/// One number, or one per axis in the order of `shape`, mm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Spacing {
    Same(f64),
    PerAxis(Vec<f64>),
}

impl Spacing {
    /// Size along each of `dimensions` axes; `None` where another number of them is given.
    pub fn along(&self, dimensions: usize) -> Option<Vec<f64>> {
        match self {
            Spacing::Same(size) => Some(vec![*size; dimensions]),
            Spacing::PerAxis(sizes) => (sizes.len() == dimensions).then(|| sizes.clone()),
        }
    }
}

/// What ends the grid along an axis: n·D∇u = 0, or its other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boundary {
    NoFlux,
    Periodic,
}

/// One, or one per axis in the order of `shape`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Boundaries {
    Same(Boundary),
    PerAxis(Vec<Boundary>),
}

impl Boundaries {
    /// Whether each of `dimensions` axes is periodic; `None` where another number of them is given.
    pub fn periodic(&self, dimensions: usize) -> Option<Vec<bool>> {
        match self {
            Boundaries::Same(kind) => Some(vec![*kind == Boundary::Periodic; dimensions]),
            Boundaries::PerAxis(kinds) => (kinds.len() == dimensions)
                .then(|| kinds.iter().map(|k| *k == Boundary::Periodic).collect()),
        }
    }
}
