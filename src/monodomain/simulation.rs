//! A simulation whose precision and cell model are chosen at run time.

use std::sync::Arc;

use super::activation::{UpstrokeArrays, UpstrokeOptions};
use super::build::{self, Make, StimulusCells};
use super::division::{Division, counts};
use super::engine::{Counters, Engine, Pace, Timetable};
use super::grid::{Grid, Tissue};
use super::layout::layered;
use super::on_device::DeviceEngine;
use super::options::{Integrator, StencilKind};
use super::stencil::cardiax;
use super::stimulus::Schedule;
use super::tile::Tile;
use crate::comm::{Communicator, agree, broadcast_json};
use crate::device::Device;
use crate::eikonal::options::Precision;
use crate::error::{Error, Result};
use crate::ionic::{GateStep, IonicModel, Kinetics, Model, Visitor, dispatch};
use crate::real::Float;
use crate::simd::SimdLevel;
use crate::team::Team;

/// What a simulation is made from; the same on all ranks, but for what rank 0 alone holds.
pub struct Setup<'a> {
    pub grid: Grid,
    /// On rank 0.
    pub tissue: Option<&'a Tissue>,
    /// One per parameter set, all of one kind.
    pub models: Vec<Model>,
    pub stencil: StencilKind,
    pub integrator: Integrator,
    pub precision: Precision,
    /// Δt, ms.
    pub dt: f64,
    /// Stimuli, their cells on rank 0, and when they are on.
    pub stimuli: Vec<StimulusCells>,
    pub schedules: Vec<Schedule>,
    pub upstrokes: Option<UpstrokeOptions>,
    pub threads: usize,
    /// Where the rank computes; absent: its processors.
    pub device: Option<Arc<dyn Device>>,
    pub level: SimdLevel,
    /// Chosen by the program where absent.
    pub steps_per_exchange: Option<usize>,
    /// Cells of a tile along z, y, x; chosen by the program where absent.
    pub tile: Option<[usize; 3]>,
}

/// Values of all cells in the precision of the run.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Values {
    pub fn to_f32(&self) -> Vec<f32> {
        match self {
            Values::F32(values) => values.clone(),
            Values::F64(values) => values.iter().map(|v| *v as f32).collect(),
        }
    }

    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Values::F32(values) => values.iter().map(|v| *v as f64).collect(),
            Values::F64(values) => values.clone(),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Values::F32(values) => values.len(),
            Values::F64(values) => values.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A simulation on all ranks. Field 0 is u, the gates follow. All methods but the first three are
/// collective.
pub trait Simulation {
    /// The tiles of all ranks.
    fn division(&self) -> &Division;

    /// Exchanges and messages of this rank so far.
    fn counters(&self) -> Counters;

    /// Steps between exchanges of ghosts.
    fn steps_per_exchange(&self) -> usize;

    /// Advances by `steps` steps from step `first` on.
    fn advance(&self, comm: &dyn Communicator, first: u64, steps: u64);

    /// What went wrong on a device since the last time; what was computed since is not to be used.
    fn failure(&self, _comm: &dyn Communicator) -> Result<()> {
        Ok(())
    }

    /// A field of all cells in the order of the grid, on rank 0; NaN where there is no tile.
    fn gather(&self, comm: &dyn Communicator, field: usize) -> Option<Values>;

    /// Begins to copy fields as they are now, where steps can go on meanwhile; says whether it does,
    /// the same on all ranks. [`finish_gather`](Self::finish_gather) ends it.
    fn begin_gather(&self, _fields: &[usize]) -> bool {
        false
    }

    /// As [`gather`](Self::gather), of a field as it was when the copy began.
    fn finish_gather(&self, comm: &dyn Communicator, field: usize) -> Option<Values> {
        self.gather(comm, field)
    }

    /// Sets a field from values given on rank 0, converted to the precision of the run; cells that
    /// are NaN keep theirs.
    fn scatter(&self, comm: &dyn Communicator, field: usize, values: Option<&Values>);

    /// Largest |u|, +∞ for NaN, and the cell where it is.
    fn largest(&self, comm: &dyn Communicator) -> (f64, usize);

    /// u of some cells, on all ranks.
    fn probe(&self, comm: &dyn Communicator, cells: &[usize]) -> Vec<f64>;

    /// The recorder of upstrokes over all cells, on rank 0.
    fn upstrokes(&self, comm: &dyn Communicator) -> Option<UpstrokeArrays>;

    /// Sets the recorder from arrays given on rank 0.
    fn restore_upstrokes(
        &self,
        comm: &dyn Communicator,
        arrays: Option<&UpstrokeArrays>,
    ) -> Result<()>;
}

impl<T: Float, K: Kinetics<T, G>, const G: usize> Simulation for Engine<T, K, G> {
    fn division(&self) -> &Division {
        &self.division
    }

    fn counters(&self) -> Counters {
        Engine::counters(self)
    }

    fn steps_per_exchange(&self) -> usize {
        self.pace.steps_per_exchange
    }

    fn advance(&self, comm: &dyn Communicator, first: u64, steps: u64) {
        Engine::advance(self, comm, first, steps);
    }

    fn gather(&self, comm: &dyn Communicator, field: usize) -> Option<Values> {
        let values = Engine::gather(self, comm, field)?;
        Some(if size_of::<T>() == 4 {
            Values::F32(bytemuck::cast_vec(values))
        } else {
            Values::F64(bytemuck::cast_vec(values))
        })
    }

    fn scatter(&self, comm: &dyn Communicator, field: usize, values: Option<&Values>) {
        let values: Option<Vec<T>> =
            values.map(|v| v.to_f64().into_iter().map(T::from_f64).collect());
        Engine::scatter(self, comm, field, values.as_deref());
    }

    fn largest(&self, comm: &dyn Communicator) -> (f64, usize) {
        Engine::largest(self, comm)
    }

    fn probe(&self, comm: &dyn Communicator, cells: &[usize]) -> Vec<f64> {
        Engine::probe(self, comm, cells)
    }

    fn upstrokes(&self, comm: &dyn Communicator) -> Option<UpstrokeArrays> {
        self.gather_upstrokes(comm)
    }

    fn restore_upstrokes(
        &self,
        comm: &dyn Communicator,
        arrays: Option<&UpstrokeArrays>,
    ) -> Result<()> {
        self.scatter_upstrokes(comm, arrays)
    }
}

struct Never;

impl Timetable for Never {
    fn active(&self, _: u64, _: &mut Vec<usize>) {}
}

struct Schedules(Vec<Schedule>);

impl Timetable for Schedules {
    fn active(&self, step: u64, on: &mut Vec<usize>) {
        on.extend((0..self.0.len()).filter(|i| self.0[*i].active(step)));
    }
}

/// The largest stable Δt of a diffusion whose Σ_faces D_face/Δx² (1/ms) is at most `diffusion`, with
/// a reaction of `rate` 1/ms: Δt (2 Σ D/Δx² + rate) ≤ 2 (physics: explicit Euler on the real axis;
/// Heun has the same interval).
pub fn largest_dt(stencil: StencilKind, diffusion: f64, rate: f64) -> f64 {
    // cardiax: D Δt/Δx² ≤ 0.53 in 2D, where the sum over four faces is 4 D/Δx².
    let share = match stencil {
        StencilKind::Flux => 2.0,
        StencilKind::Cardiax => 2.0 / (4.0 * 0.53),
    };
    2.0 / (share * diffusion + rate)
}

/// Makes the simulation, at rest. Collective.
///
/// # Errors
/// [`Error::BadData`] on all ranks: Δt beyond the limit of stability (names the largest allowed), no
/// active cell, fewer tiles than ranks, a grid smaller than the stencil.
pub fn build(comm: &dyn Communicator, setup: Setup) -> Result<Box<dyn Simulation>> {
    let models = setup.models.clone();
    match setup.precision {
        Precision::F32 => dispatch(&models, Build::<f32>::new(comm, setup))?,
        Precision::F64 => dispatch(&models, Build::<f64>::new(comm, setup))?,
    }
}

struct Build<'a, T> {
    comm: &'a dyn Communicator,
    setup: Setup<'a>,
    number: std::marker::PhantomData<T>,
}

impl<'a, T> Build<'a, T> {
    fn new(comm: &'a dyn Communicator, setup: Setup<'a>) -> Self {
        Self {
            comm,
            setup,
            number: std::marker::PhantomData,
        }
    }
}

impl<T: Float> Visitor for Build<'_, T> {
    type Output = Result<Box<dyn Simulation>>;

    fn visit<M: IonicModel<G>, const G: usize>(self, models: Vec<M>) -> Self::Output {
        let Build { comm, setup, .. } = self;
        let grid = &setup.grid;
        let heun = setup.integrator == Integrator::Heun;
        let shape = layered(grid, grid.shape);
        let division = match setup.tissue {
            None => Ok(None),
            Some(tissue) => divide(comm, &setup, tissue, shape).map(Some),
        };
        let division: Division = broadcast_json(comm, 0, agree(comm, division)?)?;
        let steps = steps_per_exchange(setup.stencil, heun, setup.steps_per_exchange, &division);
        let pace = Pace {
            dt: setup.dt,
            heun,
            steps_per_exchange: steps,
            level: setup.level,
        };
        let mut make = Make::new(setup.stencil, pace);
        let mut devices = [f64::from(u8::from(setup.device.is_some()))];
        comm.max_f64(&mut devices);
        make.whole_boxes |= devices[0] > 0.0;
        let rate = models.iter().map(M::reaction_rate).fold(0.0, f64::max);
        let tiles: Vec<Tile<T, G>> = build::tiles(
            comm,
            grid,
            &division,
            setup.tissue,
            make,
            models[0].rest(),
            setup.stimuli,
            setup.upstrokes,
        )?;
        check_dt(comm, &tiles, setup.stencil, setup.dt, rate)?;
        let gates = match setup.integrator {
            Integrator::RushLarsen => GateStep::Exponential,
            Integrator::Euler | Integrator::Heun => GateStep::Explicit,
        };
        let kinetics = models.iter().map(|m| m.kinetics(setup.dt, gates)).collect();
        let timetable: Box<dyn Timetable> = if setup.schedules.is_empty() {
            Box::new(Never)
        } else {
            Box::new(Schedules(setup.schedules))
        };
        let depth = make.depth(&division);
        // Threads without a tile would only spin.
        let threads = if setup.device.is_some() {
            1
        } else {
            setup.threads.clamp(1, tiles.len().max(1))
        };
        let team = agree(comm, Team::new(threads))?;
        let engine = Engine::new(
            comm.rank(),
            division,
            tiles,
            kinetics,
            timetable,
            pace,
            depth,
            team,
        );
        match setup.device {
            None => Ok(Box::new(engine)),
            Some(device) => {
                let engine = DeviceEngine::new(engine, device);
                Ok(Box::new(agree(comm, engine)?))
            }
        }
    }
}

fn divide(
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
        active.is_some(),
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
    masked: bool,
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
    Division::fitting(shape, periodic, masked, counts, [workers, ranks], least)
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

/// Refuses a Δt beyond the limit of stability. Collective.
fn check_dt<T: Float, const G: usize>(
    comm: &dyn Communicator,
    tiles: &[Tile<T, G>],
    stencil: StencilKind,
    dt: f64,
    rate: f64,
) -> Result<()> {
    let mut largest = [0.0];
    for tile in tiles {
        largest[0] = tile.stencil.largest_sum(&tile.layout).max(largest[0]);
    }
    comm.max_f64(&mut largest);
    let most = largest_dt(stencil, largest[0] / dt, rate);
    // Weights in single precision are good to 1e-7.
    if dt <= most * (1.0 + 1e-6) {
        return Ok(());
    }
    // Four digits, rounded down: an advice of 0 would help nobody.
    let places = (3 - most.log10().floor() as i32).max(0) as usize;
    let unit = 10_f64.powi(places as i32);
    let most = format!("{:.places$}", (most * unit).floor() / unit);
    let refused = Err(Error::bad_data(
        "fk.dt",
        format!(
            "steps of {dt} ms are unstable: at most {most} ms with this diffusivity, spacing and reaction"
        ),
        format!("set fk.dt to {most} or less, or use a coarser grid"),
    ));
    agree(comm, refused)
}
