//! `--simulate-ranks`: what many ranks would exchange and how even their loads would be, counted
//! on rank 0 alone from the tiles of the grid.

use std::fmt::Write;

use super::prepare::{self, Prepared, prepare};
use crate::comm::agree;
use crate::config::Case;
use crate::eikonal::options::Precision;
use crate::error::{Error, Result};
use crate::monodomain::build::Make;
use crate::monodomain::division::{self, Division};
use crate::monodomain::engine::Pace;
use crate::monodomain::ghosts::{RankTraffic, traffic};
use crate::monodomain::grid::Grid;
use crate::monodomain::layout::layered;
use crate::monodomain::options::{FkOptions, Integrator};
use crate::monodomain::simulation::{steps_per_exchange, tiles_for};
use crate::monodomain::voxelize::{ActiveMask, active_mask};
use crate::run::job::Job;
use crate::run::plan::bytes;
use crate::run::print_on_root;
use crate::simd::SimdLevel;

/// Prints a table with a row for each of `ranks`. Collective.
pub fn count(job: &Job, fk: &FkOptions, gates: &[&str], ranks: &[usize]) -> Result<()> {
    let text = match job.comm.rank() {
        0 => table(&job.case, fk, gates, ranks, job.threads),
        _ => Ok(String::new()),
    };
    print_on_root(job.comm, &agree(job.comm, text)?)
}

/// The grid and which of its cells take part.
enum Cells {
    /// A voxelised mesh, a bit per cell: grids far larger than a simulation here could have.
    Mask(ActiveMask),
    Prepared(Box<Prepared>),
}

impl Cells {
    fn new(case: &Case, fk: &FkOptions, gates: &[&str]) -> Result<Self> {
        if fk.mask.is_none()
            && fk.hole.is_empty()
            && let Some((mesh, spacing)) = prepare::mesh(case, fk, &mut Vec::new())?
        {
            let mut mask = active_mask(&mesh, spacing)?;
            prepare::close(&mut mask.grid, fk)
                .ok_or_else(|| Error::Bug("fk.boundary does not fit the grid".into()))?;
            return Ok(Self::Mask(mask));
        }
        Ok(Self::Prepared(Box::new(prepare(case, fk, gates)?)))
    }

    fn grid(&self) -> &Grid {
        match self {
            Self::Mask(mask) => &mask.grid,
            Self::Prepared(prepared) => &prepared.grid,
        }
    }

    /// Active cells of each tile of `tile` layers, rows, columns.
    fn counts(&self, tile: [usize; 3]) -> Vec<u64> {
        let grid = self.grid();
        match self {
            // Tiles along z, y, x and along layers, rows, columns have the same order.
            Self::Mask(mask) => mask.tile_counts(layered(grid, tile)).1,
            Self::Prepared(prepared) => {
                let active = prepared.tissue.active.as_deref();
                division::counts(layered(grid, grid.shape), active, tile)
            }
        }
    }

    /// Active cells of a box along layers, rows, columns.
    fn active_in(&self, low: [usize; 3], size: [usize; 3]) -> u64 {
        let grid = self.grid();
        match self {
            // Layers, rows, columns are z, y, x, or y, z, x: the way back is the same exchange.
            Self::Mask(mask) => mask.count_in(layered(grid, low), layered(grid, size)),
            Self::Prepared(prepared) => {
                let active = prepared.tissue.active.as_deref();
                division::count(layered(grid, grid.shape), active, low, size)
            }
        }
    }

    fn masked(&self) -> bool {
        match self {
            Self::Mask(_) => true,
            Self::Prepared(prepared) => prepared.tissue.active.is_some(),
        }
    }
}

fn table(
    case: &Case,
    fk: &FkOptions,
    gates: &[&str],
    ranks: &[usize],
    threads: usize,
) -> Result<String> {
    let cells = Cells::new(case, fk, gates)?;
    let number = match fk.precision {
        Precision::F32 => 4,
        Precision::F64 => 8,
    };
    let heun = fk.integrator == Integrator::Heun;
    let mut text = String::new();
    for (i, ranks) in ranks.iter().enumerate() {
        let division = tiles_for(
            cells.grid(),
            fk.stencil,
            super::asked_tile(fk),
            cells.masked(),
            |tile| cells.counts(tile),
            [*ranks, threads],
        )?;
        let steps = steps_per_exchange(fk.stencil, heun, fk.steps_per_exchange, &division);
        let pace = Pace {
            dt: fk.dt,
            heun,
            steps_per_exchange: steps,
            level: SimdLevel::detect(),
        };
        let make = Make::new(fk.stencil, pace);
        let exchanged = |low, size: [usize; 3]| match make.whole_boxes {
            true => size.iter().product::<usize>() as u64,
            false => cells.active_in(low, size),
        };
        let traffic = traffic(&division, *ranks, make.depth(&division), exchanged);
        let per_cell = pace.fields(gates.len()) * number;
        if i == 0 {
            let shape: Vec<String> = cells
                .grid()
                .file_shape()
                .iter()
                .map(usize::to_string)
                .collect();
            let active: u64 = traffic.iter().map(|t| t.active_cells).sum();
            let _ = write!(
                text,
                "{} cells, {active} of them active; {threads} threads per rank\n\
                 {:>6} {:>7} {:>15} {:>8} {:>12} {:>8}   {:>15}   {:>23}\n\
                 {:>6} {:>7} {:>15} {:>8} {:>12} {:>8}   {:>15}   {:>23}\n",
                shape.join(" x "),
                "ranks",
                "tiles",
                "cells of a tile",
                "steps per",
                "active cells",
                "max /",
                "messages / step",
                "sent / step",
                "",
                "",
                "",
                "exchange",
                "per rank",
                "mean",
                "mean, max",
                "mean, max",
            );
        }
        text += &row(&division, &traffic, steps, per_cell);
    }
    Ok(text)
}

/// Mean and largest value over the ranks.
fn mean_and_most(traffic: &[RankTraffic], of: impl Fn(&RankTraffic) -> f64) -> [f64; 2] {
    let sum: f64 = traffic.iter().map(&of).sum();
    let most = traffic.iter().map(&of).fold(0.0, f64::max);
    [sum / traffic.len() as f64, most]
}

fn row(division: &Division, traffic: &[RankTraffic], steps: usize, per_cell: usize) -> String {
    let per_step = 1.0 / steps as f64;
    let active = mean_and_most(traffic, |t| t.active_cells as f64);
    let messages = mean_and_most(traffic, |t| t.messages as f64 * per_step);
    let sent = mean_and_most(traffic, |t| {
        (t.cells_sent as usize * per_cell) as f64 * per_step
    });
    let tile: Vec<String> = division.tile.iter().map(usize::to_string).collect();
    let sent = sent.map(|b| bytes(b.round() as u64));
    format!(
        "{:>6} {:>7} {:>15} {steps:>8} {:>12.0} {:>8.3}   {:>6.2}, {:>7.2}   {:>10}, {:>11}\n",
        traffic.len(),
        division.tiles.len(),
        tile.join(" x "),
        active[0],
        active[1] / active[0],
        messages[0],
        messages[1],
        sent[0],
        sent[1],
    )
}
