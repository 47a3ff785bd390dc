//! From a tissue, its models and stimuli to a simulation at rest.

use std::sync::Arc;

use super::Simulation;
use super::stability::check_dt;
use super::tiling::{divide, steps_per_exchange};
use crate::comm::{Communicator, agree, broadcast_json};
use crate::device::Device;
use crate::eikonal::options::Precision;
use crate::error::Result;
use crate::ionic::{GateStep, IonicModel, Model, Visitor, dispatch};
use crate::monodomain::activation::UpstrokeOptions;
use crate::monodomain::build::{self, Make, StimulusCells};
use crate::monodomain::division::Division;
use crate::monodomain::engine::{Engine, Pace, Timetable};
use crate::monodomain::grid::{Grid, Tissue};
use crate::monodomain::layout::layered;
use crate::monodomain::on_device::DeviceEngine;
use crate::monodomain::options::{Integrator, StencilKind};
use crate::monodomain::stimulus::Schedule;
use crate::monodomain::tile::Tile;
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

/// Makes the simulation, at rest. Collective.
///
/// # Errors
/// [`BadData`](crate::error::Error::BadData) on all ranks: Δt beyond the limit of stability (names the largest allowed), no
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
