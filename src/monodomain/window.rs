//! What the cells of a tile and around it are made of, sent from rank 0.

use super::division::Division;
use super::grid::{Diffusivity, Grid, Tissue};
use super::layout::layered;
use super::stencil::pairs::Medium;
use crate::comm::{Communicator, broadcast_json, scatter_slices};
use crate::error::Result;

/// Mark of a cell that takes no part.
const INACTIVE: u8 = u8::MAX;

/// The tissue of one tile, `ring` cells wider than the tile.
#[derive(Debug)]
pub struct Window {
    low: [isize; 3],
    size: [usize; 3],
    ring: [usize; 3],
    shape: [usize; 3],
    periodic: [bool; 3],
    /// Parameter set or [`INACTIVE`]; empty: 0 within the grid.
    cells: Vec<u8>,
    /// On layers, rows, columns; one for all, or one per cell.
    diffusivity: Vec<[f64; 6]>,
    oblique: bool,
}

impl Window {
    /// Place of a cell of the tile (owned ones count from 0) in the arrays.
    fn at(&self, cell: [isize; 3]) -> Option<usize> {
        let mut at = 0;
        for (a, &index) in cell.iter().enumerate() {
            let i = index + self.ring[a] as isize;
            let inside = (0..self.size[a] as isize).contains(&i);
            let global = index + self.low[a];
            let on_grid = self.periodic[a] || (0..self.shape[a] as isize).contains(&global);
            if !inside || !on_grid {
                return None;
            }
            at = at * self.size[a] + i as usize;
        }
        Some(at)
    }

    /// Parameter set of a cell, `None` where it takes no part.
    pub fn region(&self, cell: [isize; 3]) -> Option<u8> {
        let at = self.at(cell)?;
        let region = self.cells.get(at).copied().unwrap_or(0);
        (region != INACTIVE).then_some(region)
    }

    /// Whether all cells are active and of the first parameter set.
    pub fn is_plain(&self) -> bool {
        self.cells.is_empty()
    }

    /// The D of all cells, where it is the same.
    pub fn uniform(&self) -> Option<[f64; 6]> {
        match &self.diffusivity[..] {
            [d] => Some(*d),
            _ => None,
        }
    }

    /// Whether D has cross terms anywhere on the grid.
    pub fn oblique(&self) -> bool {
        self.oblique
    }
}

impl Medium for Window {
    fn diffusivity(&self, cell: [isize; 3]) -> Option<[f64; 6]> {
        self.region(cell)?;
        let at = self.at(cell)?;
        Some(match &self.diffusivity[..] {
            [d] => *d,
            all => all[at],
        })
    }
}

/// xx xy xz yy yz zz as ll, rr, cc, lr, lc, rc.
fn on_layers(grid: &Grid, [xx, xy, xz, yy, yz, zz]: [f64; 6]) -> [f64; 6] {
    if grid.shape[0] == 1 {
        [yy, zz, xx, yz, xy, xz]
    } else {
        [zz, yy, xx, yz, xz, xy]
    }
}

/// Windows of this rank's tiles. `tissue` on rank 0. Collective.
pub fn distribute(
    comm: &dyn Communicator,
    grid: &Grid,
    division: &Division,
    tissue: Option<&Tissue>,
    ring: [usize; 3],
) -> Result<Vec<Window>> {
    let kind = tissue.map(|tissue| {
        let plain = tissue.active.is_none() && tissue.region.is_none();
        let uniform = match &tissue.diffusivity {
            Diffusivity::Uniform(d) => Some(on_layers(grid, *d)),
            _ => None,
        };
        (plain, uniform, tissue.diffusivity.is_oblique())
    });
    let (plain, uniform, oblique): (bool, Option<[f64; 6]>, bool) = broadcast_json(comm, 0, kind)?;
    let shape = layered(grid, grid.shape);
    let size_of = |t: usize| -> [usize; 3] {
        std::array::from_fn(|a| division.tiles[t].size[a] + 2 * ring[a])
    };
    // Cells of the windows of a rank, in order; `None` beyond the grid.
    let cells_of = |t: usize| {
        let (size, low) = (size_of(t), division.tiles[t].low);
        let wrap = move |a: usize, i: usize| {
            let at = low[a] as isize + i as isize - ring[a] as isize;
            let n = shape[a] as isize;
            if division.periodic[a] {
                Some(at.rem_euclid(n) as usize)
            } else {
                (0..n).contains(&at).then_some(at as usize)
            }
        };
        (0..size[0]).flat_map(move |l| {
            (0..size[1]).flat_map(move |r| {
                (0..size[2]).map(move |c| {
                    let [l, r, c] = [wrap(0, l)?, wrap(1, r)?, wrap(2, c)?];
                    Some((l * shape[1] + r) * shape[2] + c)
                })
            })
        })
    };
    let (mut cells, mut tensors) = (Vec::new(), Vec::new());
    if let Some(tissue) = tissue {
        let region = |cell: Option<usize>| match cell {
            Some(c) if tissue.active.as_ref().is_none_or(|active| active[c]) => {
                tissue.region.as_ref().map_or(0, |region| region[c])
            }
            _ => INACTIVE,
        };
        for rank in 0..comm.size() {
            let tiles = division.of_rank(rank);
            cells.push(match plain {
                true => Vec::new(),
                false => tiles
                    .iter()
                    .flat_map(|t| cells_of(*t).map(region))
                    .collect(),
            });
            let tensor = |cell: Option<usize>| {
                let d = cell.map_or([0.0; 6], |c| tissue.diffusivity.at(c));
                on_layers(grid, d)
            };
            tensors.push(match uniform {
                Some(_) => Vec::new(),
                None => tiles
                    .iter()
                    .flat_map(|t| cells_of(*t).map(tensor))
                    .collect(),
            });
        }
    }
    let mut cells: &[u8] = &scatter_slices(comm, 0, &cells);
    let mut tensors: &[[f64; 6]] = &scatter_slices(comm, 0, &tensors);
    let mut windows = Vec::new();
    for t in division.of_rank(comm.rank()) {
        let size = size_of(t);
        let n: usize = size.iter().product();
        let (mine, rest) = cells.split_at(if plain { 0 } else { n });
        cells = rest;
        let (d, rest) = tensors.split_at(if uniform.is_some() { 0 } else { n });
        tensors = rest;
        windows.push(Window {
            low: division.tiles[t].low.map(|l| l as isize),
            size,
            ring,
            shape,
            periodic: division.periodic,
            cells: mine.to_vec(),
            diffusivity: uniform.map_or_else(|| d.to_vec(), |d| vec![d]),
            oblique,
        });
    }
    Ok(windows)
}
