//! `--simulate-ranks`: what many ranks would exchange and how even their loads would be, counted
//! on rank 0 alone from the tiles of the grid.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Value, json};

use super::prepare::{self, Prepared, prepare};
use crate::comm::agree;
use crate::config::Case;
use crate::eikonal::options::Precision;
use crate::error::{Error, Result};
use crate::inversion::options::GammaInput;
use crate::monodomain::build::Make;
use crate::monodomain::division::{self, Division, Filling};
use crate::monodomain::engine::Pace;
use crate::monodomain::ghosts::{RankTraffic, traffic};
use crate::monodomain::grid::Grid;
use crate::monodomain::layout::layered;
use crate::monodomain::options::{DiffusivityOptions, FkOptions, Integrator};
use crate::monodomain::simulation::{steps_per_exchange, tiles_for};
use crate::monodomain::voxelize::{ActiveMask, active_mask};
use crate::run::job::Job;
use crate::run::plan::bytes;
use crate::run::print_on_root;
use crate::simd::SimdLevel;

/// Prints a table with a row for each of `ranks`; `report.json` goes to a folder that is asked for
/// only, so that the folder of the case's results stays free for the run that follows. Collective.
pub fn count(
    job: &mut Job,
    fk: &FkOptions,
    gates: &[&str],
    ranks: &[usize],
    to_folder: bool,
) -> Result<()> {
    let comm = job.comm;
    let output = to_folder.then(|| job.open_output(None)).transpose()?;
    let begun = Instant::now();
    let counted = match comm.rank() {
        0 => counted(&job.case, fk, gates, ranks, job.threads).map(Some),
        _ => Ok(None),
    };
    let counted = agree(comm, counted)?;
    job.report.add_time("simulate", begun.elapsed());
    let (mut text, mut inputs) = (String::new(), Vec::new());
    if let Some(counted) = counted {
        text = table(&counted, job.threads);
        job.report.grid(&counted.shape, counted.active_cells);
        let rows = counted.rows.iter().map(Row::record).collect::<Vec<_>>();
        job.report.result("simulated_ranks", rows);
        inputs = counted.inputs;
    }
    if let Some(output) = &output {
        output.begin(comm, job.case.to_toml(), &inputs)?;
        job.finish(output)?;
    }
    print_on_root(comm, &text)
}

/// What was counted on one grid.
struct Counted {
    /// As in files.
    shape: Vec<usize>,
    active_cells: u64,
    rows: Vec<Row>,
    /// Files that were read.
    inputs: Vec<PathBuf>,
}

/// What one number of ranks gave.
struct Row {
    ranks: usize,
    tiles: usize,
    /// Cells of a tile.
    tile: Vec<usize>,
    steps_per_exchange: usize,
    /// Of a rank, the mean and the most.
    active_cells: [f64; 2],
    /// A step, of a rank: the mean and the most.
    messages: [f64; 2],
    bytes: [f64; 2],
}

/// The grid and which of its cells take part.
enum Cells {
    /// A voxelised mesh, a bit per cell: grids far larger than a simulation here could have.
    Mask(ActiveMask),
    Prepared(Box<Prepared>),
}

impl Cells {
    /// With the files that were read.
    fn new(case: &Case, fk: &FkOptions, gates: &[&str]) -> Result<(Self, Vec<PathBuf>)> {
        let mut inputs = Vec::new();
        if fk.mask.is_none()
            && fk.hole.is_empty()
            && let Some((mesh, spacing)) = prepare::mesh(case, fk, &mut inputs)?
        {
            let mut mask = active_mask(&mesh, spacing)?;
            prepare::close(&mut mask.grid, fk)
                .ok_or_else(|| Error::Bug("fk.boundary does not fit the grid".into()))?;
            return Ok((Self::Mask(mask), inputs));
        }
        let prepared = Box::new(prepare(case, fk, gates)?);
        let inputs = prepared.inputs.clone();
        Ok((Self::Prepared(prepared), inputs))
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

    fn filling(&self, case: &Case, fk: &FkOptions) -> Filling {
        match self {
            Self::Mask(_) => {
                let one = matches!(fk.diffusivity, Some(DiffusivityOptions::Isotropic(_)))
                    && matches!(case.domains.gamma, GammaInput::Uniform(_))
                    && fk.region.iter().all(|region| region.gamma.is_none());
                match one {
                    true => Filling::MaskedUniform,
                    false => Filling::Masked,
                }
            }
            Self::Prepared(prepared) => Filling::of(&prepared.tissue, fk.precision),
        }
    }
}

fn counted(
    case: &Case,
    fk: &FkOptions,
    gates: &[&str],
    ranks: &[usize],
    threads: usize,
) -> Result<Counted> {
    let (cells, inputs) = Cells::new(case, fk, gates)?;
    let number = match fk.precision {
        Precision::F32 => 4,
        Precision::F64 => 8,
    };
    let heun = fk.integrator == Integrator::Heun;
    let (mut rows, mut active_cells) = (Vec::new(), 0);
    for ranks in ranks {
        let division = tiles_for(
            cells.grid(),
            fk.stencil,
            super::asked_tile(fk),
            cells.filling(case, fk),
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
        active_cells = traffic.iter().map(|t| t.active_cells).sum();
        rows.push(Row::new(&division, &traffic, steps, per_cell));
    }
    Ok(Counted {
        shape: cells.grid().file_shape().to_vec(),
        active_cells,
        rows,
        inputs,
    })
}

/// Mean and largest value over the ranks.
fn mean_and_most(traffic: &[RankTraffic], of: impl Fn(&RankTraffic) -> f64) -> [f64; 2] {
    let sum: f64 = traffic.iter().map(&of).sum();
    let most = traffic.iter().map(&of).fold(0.0, f64::max);
    [sum / traffic.len() as f64, most]
}

impl Row {
    fn new(division: &Division, traffic: &[RankTraffic], steps: usize, per_cell: usize) -> Self {
        let per_step = 1.0 / steps as f64;
        Self {
            ranks: traffic.len(),
            tiles: division.tiles.len(),
            tile: division.tile.to_vec(),
            steps_per_exchange: steps,
            active_cells: mean_and_most(traffic, |t| t.active_cells as f64),
            messages: mean_and_most(traffic, |t| t.messages as f64 * per_step),
            bytes: mean_and_most(traffic, |t| {
                (t.cells_sent as usize * per_cell) as f64 * per_step
            }),
        }
    }

    /// Largest over mean number of active cells.
    fn imbalance(&self) -> f64 {
        self.active_cells[1] / self.active_cells[0]
    }

    fn text(&self) -> String {
        let tile: Vec<String> = self.tile.iter().map(usize::to_string).collect();
        let sent = self.bytes.map(|b| bytes(b.round() as u64));
        format!(
            "{:>6} {:>7} {:>15} {:>8} {:>12.0} {:>8.3}   {:>6.2}, {:>7.2}   {:>10}, {:>11}\n",
            self.ranks,
            self.tiles,
            tile.join(" x "),
            self.steps_per_exchange,
            self.active_cells[0],
            self.imbalance(),
            self.messages[0],
            self.messages[1],
            sent[0],
            sent[1],
        )
    }

    fn record(&self) -> Value {
        let pair = |[mean, most]: [f64; 2]| json!({ "mean": mean, "most": most });
        json!({
            "ranks": self.ranks,
            "tiles": self.tiles,
            "cells_of_a_tile": self.tile,
            "steps_per_exchange": self.steps_per_exchange,
            "active_cells": pair(self.active_cells),
            "largest_part_over_mean": self.imbalance(),
            "messages_per_step": pair(self.messages),
            "bytes_per_step": pair(self.bytes),
        })
    }
}

fn table(counted: &Counted, threads: usize) -> String {
    let shape: Vec<String> = counted.shape.iter().map(usize::to_string).collect();
    let mut text = format!(
        "{} cells, {} of them active; {threads} threads per rank\n\
         {:>6} {:>7} {:>15} {:>8} {:>12} {:>8}   {:>15}   {:>23}\n\
         {:>6} {:>7} {:>15} {:>8} {:>12} {:>8}   {:>15}   {:>23}\n",
        shape.join(" x "),
        counted.active_cells,
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
    for row in &counted.rows {
        text += &row.text();
    }
    text
}
