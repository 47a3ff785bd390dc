//! How a grid is cut in tiles, and how many steps they take between exchanges.

use super::Setup;
use crate::comm::Communicator;
use crate::error::{Error, Result};
use crate::monodomain::division::{Division, Filling, counts};
use crate::monodomain::grid::{Grid, Tissue};
use crate::monodomain::layout::layered;
use crate::monodomain::options::StencilKind;
use crate::monodomain::stencil::cardiax;

pub(super) fn divide(
    comm: &dyn Communicator,
    setup: &Setup,
    tissue: &Tissue,
    shape: [usize; 3],
) -> Result<Division> {
    if setup.stencil == StencilKind::Cardiax && shape[0].min(shape[2]) < cardiax::FEWEST {
        return Err(Error::bad_data(
            "fk.grid.shape",
            format!(
                "{} × {} cells are smaller than the stencil cardiax",
                shape[0], shape[2]
            ),
            format!(
                "give at least {0} × {0} cells, or stencil = \"flux\"",
                cardiax::FEWEST
            ),
        ));
    }
    let active = tissue.active.as_deref();
    let on_device = || device_tile(shape, active.is_some(), comm.size());
    tiles_for(
        &setup.grid,
        setup.stencil,
        setup.tile.or_else(|| {
            let tile = setup.device.is_some().then(on_device)?;
            Some(unlayered(&setup.grid, tile))
        }),
        Filling::of(tissue, setup.precision),
        |tile| counts(shape, active, tile),
        [comm.size(), setup.threads],
    )
}

/// Tiles of a masked tissue for each rank with a device: enough for equal shares.
const MASKED_TILES: usize = 8;

/// Cells of a tile on layers, rows, columns for ranks with devices: one tile each, as large as it
/// may be.
fn device_tile(shape: [usize; 3], masked: bool, ranks: usize) -> [usize; 3] {
    let mut tile = shape;
    let mut parts = match (masked, ranks) {
        (true, 2..) => ranks * MASKED_TILES,
        _ => ranks,
    };
    // The largest factors first, each along the axis that is longest then.
    let mut factors = Vec::new();
    let mut factor = 2;
    while parts > 1 {
        if parts % factor == 0 {
            factors.push(factor);
            parts /= factor;
        } else {
            factor += 1;
        }
    }
    for factor in factors.into_iter().rev() {
        // Layers where there is a choice: they are cut without ghosts beside columns.
        let longest = (0..3).rev().max_by_key(|a| tile[*a]).unwrap_or(0);
        tile[longest] = tile[longest].div_ceil(factor);
    }
    tile
}

/// Layers, rows, columns as z, y, x.
fn unlayered(grid: &Grid, [layers, rows, columns]: [usize; 3]) -> [usize; 3] {
    if grid.shape[0] == 1 {
        [1, layers, columns]
    } else {
        [layers, rows, columns]
    }
}

/// The tiles for `ranks` with `threads` each, in the size `asked` for along z, y, x or in one that is
/// fast. `counts` are the active cells of each tile of a size, in order of layers, rows, columns.
pub fn tiles_for(
    grid: &Grid,
    stencil: StencilKind,
    asked: Option<[usize; 3]>,
    filling: Filling,
    counts: impl Fn([usize; 3]) -> Vec<u64>,
    [ranks, threads]: [usize; 2],
) -> Result<Division> {
    let shape = layered(grid, grid.shape);
    let periodic = layered(grid, grid.periodic);
    if let Some(tile) = asked {
        let tile = layered(grid, tile);
        return Division::of_counts(shape, periodic, tile, &counts(tile), ranks);
    }
    let least = match stencil {
        StencilKind::Flux => 1,
        StencilKind::Cardiax => cardiax::FEWEST,
    };
    let workers = ranks * threads;
    Division::fitting(shape, periodic, filling, counts, [workers, ranks], least)
}

/// Steps between exchanges: as many as `asked` for, or as keep the ghosts small beside the tiles.
pub fn steps_per_exchange(
    stencil: StencilKind,
    heun: bool,
    asked: Option<usize>,
    division: &Division,
) -> usize {
    if heun || stencil == StencilKind::Cardiax {
        return 1;
    }
    let cut = (0..3).filter(|a| division.needs_ghosts(*a));
    let thinnest = cut.map(|a| division.tile[a]).min();
    let solid = division.shape[1] > 1;
    let wanted = asked.unwrap_or(match thinnest {
        None => 8,
        Some(cells) if solid => (cells / 5).clamp(1, 6),
        Some(cells) => (cells / 8).clamp(1, 8),
    });
    wanted.max(1)
}
