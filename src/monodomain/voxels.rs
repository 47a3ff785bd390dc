//! Tissue of tetrahedra as cells of a grid: where they lie and what they took from the mesh.

use crate::error::{Error, Result};
use crate::monodomain::grid::Grid;
use crate::tensor::Vec3;

/// A voxelised mesh. Only cells in the tissue are stored: the lists below have a row for each, in
/// ascending order of [`cells`](Self::cells).
#[derive(Debug, Clone, PartialEq)]
pub struct Voxels {
    /// The box of cells around the mesh.
    pub grid: Grid,
    /// Numbers of the cells whose centre lies in the mesh, ascending.
    pub cells: Vec<u32>,
    /// Tetrahedron that holds the centre.
    pub tetrahedron: Vec<u32>,
    /// Its tag.
    pub tags: Vec<i32>,
    /// Its material domain; 0 where the mesh has none.
    pub domains: Vec<u32>,
    /// γ of the cell.
    pub gamma: Vec<f64>,
    /// Its unit fibre direction.
    pub fibres: Option<Vec<Vec3>>,
    /// Its unit sheet direction.
    pub sheets: Option<Vec<Vec3>>,
    /// Volume of the tetrahedra, mm³.
    pub mesh_volume: f64,
}

impl Voxels {
    /// Cells in the tissue, as a mask of the grid.
    pub fn active(&self) -> Vec<bool> {
        let mut active = vec![false; self.grid.cells()];
        for &cell in &self.cells {
            active[cell as usize] = true;
        }
        active
    }

    /// Number of cells in the tissue times their volume, mm³.
    pub fn volume(&self) -> f64 {
        self.cells.len() as f64 * self.grid.spacing.iter().product::<f64>()
    }

    /// Highest domain with a cell, plus one.
    pub fn domain_count(&self) -> usize {
        self.domains.iter().max().map_or(0, |d| *d as usize + 1)
    }

    /// Gives every cell the γ of its domain.
    ///
    /// # Errors
    /// [`Error::BadData`] for a cell in a domain without γ.
    pub fn set_gamma(&mut self, of_domains: &[f64]) -> Result<()> {
        for (row, domain) in self.domains.iter().enumerate() {
            let Some(gamma) = of_domains.get(*domain as usize) else {
                return Err(Error::bad_data(
                    "domains.gamma",
                    format!(
                        "has {} values, and cell {} lies in domain {domain}",
                        of_domains.len(),
                        self.cells[row]
                    ),
                    "give one number per domain of the voxelised mesh, or one for all",
                ));
            };
            self.gamma[row] = *gamma;
        }
        Ok(())
    }
}
