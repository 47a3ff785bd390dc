//! A case and its ways of being run.

use std::collections::BTreeMap;

use isochrone::comm::{Communicator, solo::Solo, threads};
use isochrone::eikonal::options::Precision;
use isochrone::error::Result;
use isochrone::ionic::Model;
use isochrone::monodomain::activation::UpstrokeOptions;
use isochrone::monodomain::build::StimulusCells;
use isochrone::monodomain::grid::{Diffusivity, Grid, Tissue};
use isochrone::monodomain::options::{
    Integrator, Region, StencilKind, StimulusKind, StimulusOptions, Timing,
};
use isochrone::monodomain::simulation::{Setup, Simulation, Values, build};
use isochrone::monodomain::stimulus::Schedule;
use isochrone::simd::SimdLevel;

/// What is computed.
#[derive(Clone)]
pub struct Case {
    pub grid: Grid,
    pub tissue: Tissue,
    pub models: Vec<Model>,
    pub stencil: StencilKind,
    pub integrator: Integrator,
    pub precision: Precision,
    pub dt: f64,
    pub stimuli: Vec<(StimulusCells, Schedule)>,
    pub upstrokes: Option<UpstrokeOptions>,
    /// u and gates at the beginning; empty: at rest.
    pub initial: Vec<Vec<f64>>,
}

/// How it is divided.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    pub ranks: usize,
    pub threads: usize,
    pub tile: Option<[usize; 3]>,
    pub steps_per_exchange: Option<usize>,
    pub level: SimdLevel,
}

impl Way {
    /// One rank, one thread, as the program chooses.
    pub fn plain() -> Self {
        Self {
            ranks: 1,
            threads: 1,
            tile: None,
            steps_per_exchange: None,
            level: SimdLevel::best(),
        }
    }
}

pub fn grid(shape: [usize; 3], spacing: f64, periodic: [bool; 3]) -> Grid {
    let dimensions = match shape {
        [1, 1, _] => 1,
        [1, _, _] => 2,
        _ => 3,
    };
    Grid {
        shape,
        spacing: [spacing; 3],
        origin: [0.0; 3],
        periodic,
        dimensions,
    }
}

pub fn isotropic(d: f64) -> Diffusivity {
    Diffusivity::Uniform([d, 0.0, 0.0, d, 0.0, d])
}

pub fn set(name: &str) -> Model {
    Model::named("fenton-karma", name).unwrap()
}

/// A membrane without currents.
pub fn inert() -> Model {
    let table = [
        ("tau_v_plus", 1e300),
        ("tau_v1_minus", 1e300),
        ("tau_v2_minus", 1e300),
        ("tau_d", 1e300),
        ("tau_0", 1e300),
        ("tau_r", 1e300),
        ("u_c", 0.13),
    ];
    let table: BTreeMap<String, f64> = table.map(|(k, v)| (k.to_string(), v)).into();
    Model::from_table("fenton-karma", &table).unwrap()
}

/// A stimulus from step `start` on, `duration` steps long (made for steps of 1 ms, it counts steps).
pub fn stimulus(
    kind: StimulusKind,
    amplitude: f64,
    cells: Vec<u64>,
    [start, duration]: [u64; 2],
) -> (StimulusCells, Schedule) {
    let options = StimulusOptions {
        kind,
        amplitude,
        region: Region::All,
        timing: Timing::Plain,
        start: start as f64,
        duration: duration as f64,
        period: None,
        count: None,
    };
    let cells = StimulusCells {
        kind,
        amplitude,
        cells,
    };
    (cells, Schedule::new(&options, 1.0))
}

impl Case {
    /// A uniform case of set 3 in f64, Euler, flux.
    pub fn new(grid: Grid, diffusivity: Diffusivity, dt: f64) -> Self {
        Self {
            grid,
            tissue: Tissue {
                active: None,
                diffusivity,
                region: None,
            },
            models: vec![set("3")],
            stencil: StencilKind::Flux,
            integrator: Integrator::Euler,
            precision: Precision::F64,
            dt,
            stimuli: Vec::new(),
            upstrokes: None,
            initial: Vec::new(),
        }
    }

    /// The simulation on one rank of `comm`, at its initial state.
    pub fn build(&self, comm: &dyn Communicator, way: Way) -> Result<Box<dyn Simulation>> {
        let root = comm.rank() == 0;
        let (mut stimuli, schedules): (Vec<_>, Vec<_>) = self.stimuli.iter().cloned().unzip();
        if !root {
            stimuli.iter_mut().for_each(|s| s.cells.clear());
        }
        let setup = Setup {
            grid: self.grid.clone(),
            tissue: root.then_some(&self.tissue),
            models: self.models.clone(),
            stencil: self.stencil,
            integrator: self.integrator,
            precision: self.precision,
            dt: self.dt,
            stimuli,
            schedules,
            upstrokes: self.upstrokes,
            device: None,
            threads: way.threads,
            level: way.level,
            steps_per_exchange: way.steps_per_exchange,
            tile: way.tile,
        };
        let simulation = build(comm, setup)?;
        for (field, values) in self.initial.iter().enumerate() {
            let values = Values::F64(values.clone());
            simulation.scatter(comm, field, root.then_some(&values));
        }
        Ok(simulation)
    }

    /// The result of `body` on rank 0.
    pub fn on<R: Send>(
        &self,
        way: Way,
        body: impl Fn(&dyn Communicator, &dyn Simulation) -> R + Sync,
    ) -> R {
        if way.ranks == 1 {
            return body(&Solo, &*self.build(&Solo, way).unwrap());
        }
        let results = threads::run(way.ranks, |comm| {
            body(comm, &*self.build(comm, way).unwrap())
        });
        results.into_iter().next().unwrap()
    }

    /// u and gates after some steps, on one rank.
    pub fn after(&self, steps: u64) -> Vec<Vec<f64>> {
        self.on(Way::plain(), |comm, simulation| {
            simulation.advance(comm, 0, steps);
            state(comm, simulation, self.fields())
        })
    }

    pub fn fields(&self) -> usize {
        1 + self.models[0].gates().len()
    }

    pub fn active(&self, cell: usize) -> bool {
        self.tissue.active.as_ref().is_none_or(|a| a[cell])
    }
}

/// u and gates on rank 0, empty elsewhere.
pub fn state(comm: &dyn Communicator, simulation: &dyn Simulation, fields: usize) -> Vec<Vec<f64>> {
    (0..fields)
        .filter_map(|field| simulation.gather(comm, field))
        .map(|values| values.to_f64())
        .collect()
}

pub fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).fold(0.0, |most, (a, b)| {
        let d = (a - b).abs();
        if d.is_nan() {
            f64::INFINITY
        } else {
            d.max(most)
        }
    })
}
