//! The tiles of a rank: stencils, spans and stimuli from the tissue.

use super::activation::{UpstrokeOptions, Upstrokes};
use super::division::Division;
use super::engine::Pace;
use super::grid::{Grid, Tissue};
use super::layout::{Aligned, Layout, layered};
use super::options::{StencilKind, StimulusKind};
use super::spans::{Masked, Spans};
use super::stencil::Stencil;
use super::stencil::cardiax::{self, Cardiax};
use super::stencil::pairs::Pairs;
use super::stencil::uniform::Uniform;
use super::stretches::ActiveRuns;
use super::tile::{Applied, Tile};
use super::window::{self, Window};
use crate::comm::{Communicator, broadcast_slice};
use crate::error::Result;
use crate::real::Float;

/// Least length of the buffer of Δt ∇·(D∇u): a good part of a cache of the first level.
const DIFFUSION: usize = 2048;

/// A stimulus and the cells that it acts on, in ascending order.
#[derive(Debug, Clone)]
pub struct StimulusCells {
    pub kind: StimulusKind,
    /// u, or rate in 1/ms.
    pub amplitude: f64,
    /// On rank 0.
    pub cells: Vec<u64>,
}

/// How the tiles are to be made.
#[derive(Debug, Clone, Copy)]
pub struct Make {
    pub stencil: StencilKind,
    pub dt: f64,
    /// Levels of u between exchanges: steps, or twice as many for Heun.
    pub levels: usize,
    pub heun: bool,
    /// Inactive cells are exchanged too: the stencil reads them, or a GPU copies boxes. The same on
    /// all ranks.
    pub whole_boxes: bool,
}

impl Make {
    pub fn new(stencil: StencilKind, pace: Pace) -> Self {
        Self {
            stencil,
            dt: pace.dt,
            levels: if pace.heun {
                2
            } else {
                pace.steps_per_exchange
            },
            heun: pace.heun,
            whole_boxes: stencil == StencilKind::Cardiax,
        }
    }

    /// Cells that one level of u depends on.
    fn reach(self) -> usize {
        match self.stencil {
            StencilKind::Flux => 1,
            StencilKind::Cardiax => cardiax::REACH,
        }
    }

    /// Ghosts that are exchanged, along layers, rows, columns.
    pub fn depth(self, division: &Division) -> [usize; 3] {
        std::array::from_fn(|a| {
            if division.needs_ghosts(a) {
                self.reach() * self.levels
            } else {
                0
            }
        })
    }
}

/// Makes this rank's tiles, at rest. `tissue` on rank 0. Collective.
#[allow(clippy::too_many_arguments)]
pub fn tiles<T: Float, const G: usize>(
    comm: &dyn Communicator,
    grid: &Grid,
    division: &Division,
    tissue: Option<&Tissue>,
    make: Make,
    rest: (f64, [f64; G]),
    mut stimuli: Vec<StimulusCells>,
    upstrokes: Option<UpstrokeOptions>,
) -> Result<Vec<Tile<T, G>>> {
    let depth = make.depth(division);
    let shape = layered(grid, grid.shape);
    let axes: Vec<usize> = (0..3)
        .filter(|a| shape[*a] > 1 || division.periodic[*a])
        .collect();
    let ring = std::array::from_fn(|a| {
        if axes.contains(&a) {
            depth[a] + make.reach()
        } else {
            0
        }
    });
    let windows = window::distribute(comm, grid, division, tissue, ring)?;
    for stimulus in &mut stimuli {
        broadcast_slice(comm, 0, &mut stimulus.cells);
    }
    let spacing = layered(grid, grid.spacing);
    let own = division.of_rank(comm.rank());
    let mut tiles = Vec::new();
    for (number, window) in own.into_iter().zip(&windows) {
        let tile_box = &division.tiles[number];
        let plain = window.is_plain();
        let aligned = window.uniform().filter(|_| !window.oblique() && plain);
        let layout = |deeper: bool| {
            let ghost = std::array::from_fn(|a| {
                // Pairs read their neighbours' weights, be they zero.
                let least = usize::from(deeper && axes.contains(&a));
                depth[a].max(least)
            });
            Layout::new(tile_box.size, ghost)
        };
        let (layout, stencil) = match (make.stencil, aligned) {
            (StencilKind::Cardiax, _) => {
                let layout = layout(false);
                let cardiax =
                    Cardiax::new(&layout, window, tile_box.low, shape, spacing[2], make.dt);
                (layout, Stencil::Cardiax(cardiax))
            }
            (StencilKind::Flux, Some(d)) => {
                let weight = |a: usize| match axes.contains(&a) {
                    true => T::from_f64(make.dt * d[a] / (spacing[a] * spacing[a])),
                    false => T::from_f64(0.0),
                };
                let uniform = Uniform {
                    layers: weight(0),
                    rows: (shape[1] > 1).then(|| weight(1)),
                    columns: weight(2),
                };
                (layout(false), Stencil::Uniform(uniform))
            }
            (StencilKind::Flux, None) => {
                let layout = layout(true);
                let pairs = Pairs::new(&layout, window, &axes, window.oblique(), spacing, make.dt);
                (layout, Stencil::Pairs(pairs))
            }
        };
        let spans = match plain {
            true => Spans::Whole,
            false => Spans::Masked(Box::new(Masked::new(
                &layout,
                |cell| window.region(cell),
                &stencil,
            ))),
        };
        let exchanged = (!plain && !make.whole_boxes)
            .then(|| ActiveRuns::new(&layout, |cell| window.region(cell).is_some()));
        let whole = |value: f64| Aligned::new(layout.len, T::from_f64(value));
        let applied = stimuli.iter().enumerate().filter_map(|(i, stimulus)| {
            let runs = runs(division, number, &layout, window, &stimulus.cells);
            let value = match stimulus.kind {
                StimulusKind::Voltage => stimulus.amplitude,
                StimulusKind::Current | StimulusKind::Replace => make.dt * stimulus.amplitude,
            };
            let applied = Applied {
                kind: stimulus.kind,
                value: T::from_f64(value),
                runs,
            };
            (!applied.runs.is_empty()).then_some((i, applied))
        });
        let stimuli = applied.collect();
        let mut edges = division.edges(number, depth);
        for (a, edges) in edges.iter_mut().enumerate() {
            if !axes.contains(&a) {
                // An axis of one cell: its neighbours are itself.
                *edges = [Some(0); 2];
            }
        }
        tiles.push(Tile {
            low: tile_box.low,
            edges,
            stencil,
            spans,
            exchanged,
            u: [whole(rest.0), whole(rest.0)],
            now: 0,
            gates: rest.1.map(whole),
            begun: make.heun.then(|| (whole(rest.0), rest.1.map(whole))),
            diffusion: Aligned::new(layout.row_stride.max(DIFFUSION), T::from_f64(0.0)),
            stimuli,
            upstrokes: upstrokes.map(|options| Upstrokes::new(layout.owned(), options)),
            layout,
        });
    }
    Ok(tiles)
}

/// Runs of active cells of a tile and its ghosts that are in the ascending list `cells`, by row.
fn runs(
    division: &Division,
    number: usize,
    layout: &Layout,
    window: &Window,
    cells: &[u64],
) -> Vec<(usize, isize, isize)> {
    let tile = &division.tiles[number];
    let [_, rows, columns] = division.shape;
    let wrap = |a: usize, i: isize| {
        let at = tile.low[a] as isize + i;
        let n = division.shape[a] as isize;
        if division.periodic[a] {
            Some(at.rem_euclid(n) as usize)
        } else {
            (0..n).contains(&at).then_some(at as usize)
        }
    };
    let range = |a: usize| {
        let ghost = layout.ghost[a] as isize;
        -ghost..layout.size[a] as isize + ghost
    };
    let mut runs: Vec<(usize, isize, isize)> = Vec::new();
    for layer in range(0) {
        for row in range(1) {
            let (Some(l), Some(r)) = (wrap(0, layer), wrap(1, row)) else {
                continue;
            };
            let start = ((l * rows + r) * columns) as u64;
            let first = cells.partition_point(|c| *c < start);
            let end = cells.partition_point(|c| *c < start + columns as u64);
            if first == end {
                continue;
            }
            let row_number = layout.row_number(layer, row);
            let mut last: Option<(usize, isize, isize)> = None;
            for column in range(2) {
                let hit = wrap(2, column)
                    .is_some_and(|c| cells[first..end].binary_search(&(start + c as u64)).is_ok())
                    && window.region([layer, row, column]).is_some();
                match (&mut last, hit) {
                    (Some(run), true) => run.2 = column + 1,
                    (None, true) => last = Some((row_number, column, column + 1)),
                    (_, false) => runs.extend(last.take()),
                }
            }
            runs.extend(last);
        }
    }
    runs
}
