//! The simulation on a device against that on the CPU.

use std::sync::Arc;

use isochrone::comm::solo::Solo;
use isochrone::comm::{Communicator, threads};
use isochrone::device::Device;
use isochrone::eikonal::options::Precision;
use isochrone::ionic::Model;
use isochrone::monodomain::activation::{UpstrokeArrays, UpstrokeOptions};
use isochrone::monodomain::build::StimulusCells;
use isochrone::monodomain::grid::{Diffusivity, Grid, Tissue};
use isochrone::monodomain::options::{
    Integrator, Region, StencilKind, StimulusKind, StimulusOptions, Timing,
};
use isochrone::monodomain::simulation::{Setup, Values, build};
use isochrone::monodomain::stimulus::Schedule;
use isochrone::simd::SimdLevel;
use rand::{Rng, SeedableRng};

use crate::host::{HostDevice, devices};

/// What is simulated.
#[derive(Clone)]
struct Case {
    grid: Grid,
    tissue: Tissue,
    models: Vec<Model>,
    stencil: StencilKind,
    integrator: Integrator,
    precision: Precision,
    upstrokes: bool,
    /// Kind, first step and steps.
    stimuli: Vec<(StimulusKind, u64, u64)>,
    tile: Option<[usize; 3]>,
    steps_per_exchange: Option<usize>,
}

const DT: f64 = 0.02;

fn grid(shape: [usize; 3], periodic: [bool; 3]) -> Grid {
    Grid {
        shape,
        spacing: [0.25; 3],
        origin: [0.0; 3],
        periodic,
        dimensions: if shape[0] > 1 { 3 } else { 2 },
    }
}

fn isotropic(d: f64) -> Diffusivity {
    Diffusivity::Uniform([d, 0.0, 0.0, d, 0.0, d])
}

impl Case {
    fn new(shape: [usize; 3]) -> Self {
        Self {
            grid: grid(shape, [false; 3]),
            tissue: Tissue {
                active: None,
                diffusivity: isotropic(0.1),
                region: None,
            },
            models: vec![Model::named("fenton-karma", "3").unwrap()],
            stencil: StencilKind::Flux,
            integrator: Integrator::Euler,
            precision: Precision::F64,
            upstrokes: true,
            stimuli: vec![
                (StimulusKind::Current, 0, 3),
                (StimulusKind::Voltage, 11, 2),
                (StimulusKind::Replace, 20, 4),
            ],
            tile: None,
            steps_per_exchange: None,
        }
    }

    fn setup(&self, root: bool, device: Option<Arc<dyn Device>>) -> Setup<'_> {
        let cells = self.grid.cells() as u64;
        let (mut stimuli, mut schedules) = (Vec::new(), Vec::new());
        for (i, (kind, start, duration)) in self.stimuli.iter().enumerate() {
            let options = StimulusOptions {
                kind: *kind,
                amplitude: if *kind == StimulusKind::Voltage {
                    0.9
                } else {
                    1.5
                },
                region: Region::All,
                timing: Timing::Plain,
                start: *start as f64,
                duration: *duration as f64,
                period: None,
                count: None,
            };
            // A band of cells that begins elsewhere for each.
            let first = cells * i as u64 / 4;
            stimuli.push(StimulusCells {
                kind: *kind,
                amplitude: options.amplitude,
                cells: match root {
                    true => (first..first + cells / 7).collect(),
                    false => Vec::new(),
                },
            });
            schedules.push(Schedule::new(&options, 1.0));
        }
        Setup {
            grid: self.grid.clone(),
            tissue: root.then_some(&self.tissue),
            models: self.models.clone(),
            stencil: self.stencil,
            integrator: self.integrator,
            precision: self.precision,
            dt: DT,
            stimuli,
            schedules,
            upstrokes: self.upstrokes.then_some(UpstrokeOptions {
                threshold: 0.3,
                keep: 2,
                apd_level: Some(0.9),
            }),
            threads: 1,
            device,
            level: SimdLevel::detect(),
            steps_per_exchange: self.steps_per_exchange,
            tile: self.tile,
        }
    }

    /// The random state that all runs begin with.
    fn initial(&self, field: usize) -> Values {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7 + field as u64);
        let draw = |_| random.random_range(0.0..1.0);
        Values::F64((0..self.grid.cells()).map(draw).collect())
    }

    /// Fields, recorder and what is seen on the way, after `steps` in two parts.
    fn run(&self, comm: &dyn Communicator, device: Option<Arc<dyn Device>>, steps: u64) -> Seen {
        let root = comm.rank() == 0;
        let simulation = build(comm, self.setup(root, device)).unwrap();
        let fields = 1 + self.models[0].gates().len();
        for field in 0..fields {
            let initial = self.initial(field);
            simulation.scatter(comm, field, root.then_some(&initial));
        }
        let some = steps * 2 / 3 + 1;
        simulation.advance(comm, 0, some);
        let probes = simulation.probe(comm, &[0, self.grid.cells() / 2, self.grid.cells() - 1]);
        let largest = simulation.largest(comm);
        simulation.advance(comm, some, steps - some);
        simulation.failure(comm).unwrap();
        Seen {
            fields: (0..fields)
                .filter_map(|field| simulation.gather(comm, field))
                .map(|values| values.to_f64())
                .collect(),
            upstrokes: simulation.upstrokes(comm),
            probes,
            largest,
        }
    }

    /// The device does what the CPU does, for any order of its threads.
    fn check(&self, steps: u64, what: &str) {
        let expected = self.run(&Solo, None, steps);
        let seen = expected
            .upstrokes
            .as_ref()
            .is_none_or(|u| u.count.iter().any(|n| *n > 0));
        assert!(seen, "{what}: nothing happens");
        for (name, open) in devices() {
            let found = self.run(&Solo, Some(open()), steps);
            self.compare(&expected, &found, &format!("{what} on {name}"));
        }
    }

    fn check_ranks(&self, ranks: usize, steps: u64, what: &str) {
        let expected = self.run(&Solo, None, steps);
        for (name, open) in devices() {
            let all = threads::run(ranks, |comm| self.run(comm, Some(open()), steps));
            let found = all.into_iter().next().unwrap();
            self.compare(&expected, &found, &format!("{what} on {name}"));
        }
    }

    /// To the last bit where the CPU has fused multiply-add; else within rounding.
    fn compare(&self, expected: &Seen, found: &Seen, what: &str) {
        let tolerance = match (SimdLevel::detect(), self.precision) {
            (SimdLevel::Baseline, Precision::F64) => 1e-10,
            (SimdLevel::Baseline, Precision::F32) => 1e-3,
            _ => 0.0,
        };
        let active = |cell: usize| self.tissue.active.as_ref().is_none_or(|a| a[cell]);
        for (field, (a, b)) in expected.fields.iter().zip(&found.fields).enumerate() {
            for (cell, (a, b)) in a
                .iter()
                .zip(b)
                .enumerate()
                .filter(|(cell, _)| active(*cell))
            {
                assert!(
                    (a - b).abs() <= tolerance,
                    "{what}: field {field}, cell {cell}: {a} {b}"
                );
            }
        }
        for (a, b) in expected.probes.iter().zip(&found.probes) {
            assert!((a - b).abs() <= tolerance, "{what}: probe {a} {b}");
        }
        assert!(
            (expected.largest.0 - found.largest.0).abs() <= tolerance,
            "{what}: largest"
        );
        if tolerance > 0.0 {
            return;
        }
        assert_eq!(
            expected.largest.1, found.largest.1,
            "{what}: cell of the largest"
        );
        let (Some(a), Some(b)) = (&expected.upstrokes, &found.upstrokes) else {
            assert_eq!(expected.upstrokes.is_some(), found.upstrokes.is_some());
            return;
        };
        let cells = a.count.len();
        for cell in (0..cells).filter(|cell| active(*cell)) {
            assert_eq!(a.count[cell], b.count[cell], "{what}: upstrokes of {cell}");
            for (name, a, b) in [
                ("first", &a.first, &b.first),
                ("last", &a.last, &b.last),
                ("kept", &a.kept, &b.kept),
                ("peak", &a.peak, &b.peak),
                ("apd", &a.apd, &b.apd),
            ] {
                let each = a.len() / cells;
                for i in cell * each..(cell + 1) * each {
                    assert_eq!(a[i].to_bits(), b[i].to_bits(), "{what}: {name} of {cell}");
                }
            }
        }
    }
}

struct Seen {
    fields: Vec<Vec<f64>>,
    upstrokes: Option<UpstrokeArrays>,
    probes: Vec<f64>,
    largest: (f64, usize),
}

/// A disc, or ball, with a hole of the first third of its columns in a row.
fn mask(shape: [usize; 3]) -> Vec<bool> {
    let [nz, ny, nx] = shape;
    let mut active = Vec::new();
    for z in 0..nz {
        for y in 0..ny {
            for x in 0..nx {
                let at = [z, y, x].map(|i| i as f64 + 0.5);
                let part = |a: usize| 2.0 * at[a] / shape[a] as f64 - 1.0;
                let inside = part(0).powi(2) + part(1).powi(2) + part(2).powi(2) <= 1.0;
                active.push(inside && !(y == ny / 2 && x < nx / 3));
            }
        }
    }
    active
}

/// D that differs from cell to cell, with cross terms or without.
fn varied(cells: usize, oblique: bool) -> Diffusivity {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(3);
    let mut draw = |low: f64, high: f64| random.random_range(low..high);
    match oblique {
        false => Diffusivity::Isotropic((0..cells).map(|_| draw(0.05, 0.2)).collect()),
        true => {
            let tensor = |_| {
                let diagonal = [draw(0.1, 0.2), draw(0.1, 0.2), draw(0.1, 0.2)];
                let cross = [draw(-0.04, 0.04), draw(-0.04, 0.04), draw(-0.04, 0.04)];
                [
                    diagonal[0],
                    cross[0],
                    cross[1],
                    diagonal[1],
                    cross[2],
                    diagonal[2],
                ]
            };
            Diffusivity::Tensor((0..cells).map(tensor).collect())
        }
    }
}

#[test]
fn one_diffusivity_in_the_plane() {
    for precision in [Precision::F64, Precision::F32] {
        // A grid that one region holds, and one of several with an odd rest.
        for shape in [[1, 40, 50], [1, 131, 77], [1, 64, 64]] {
            let mut case = Case::new(shape);
            case.precision = precision;
            case.check(60, "plane");
        }
    }
}

#[test]
fn recorded_launches_do_the_same() {
    // Long enough without stimuli for whole recordings.
    let mut case = Case::new([1, 70, 66]);
    case.stimuli.truncate(2);
    case.check(13 + 2 * 256 + 50, "recorded");
    // Marches and single steps, with ghosts of itself.
    let mut closed = Case::new([20, 9, 12]);
    closed.stimuli.truncate(2);
    closed.grid.periodic = [true, true, false];
    closed.steps_per_exchange = Some(3);
    closed.check(13 + 3 * 256, "recorded, closed");
}

#[test]
fn one_diffusivity_in_space() {
    for precision in [Precision::F64, Precision::F32] {
        for shape in [[9, 20, 33], [70, 5, 7]] {
            let mut case = Case::new(shape);
            case.precision = precision;
            case.tissue.diffusivity = Diffusivity::Uniform([0.1, 0.0, 0.0, 0.05, 0.0, 0.15]);
            case.check(41, "space");
        }
    }
}

/// A wave that runs for 1,000 steps, by marches, recordings and single steps.
#[test]
fn a_thousand_steps() {
    let mut case = Case::new([1, 96, 80]);
    case.stimuli = vec![(StimulusKind::Voltage, 0, 50)];
    case.check(1000, "a thousand steps");
}

#[test]
fn closed_grids() {
    for (shape, periodic) in [
        ([1, 70, 90], [false, true, true]),
        ([1, 70, 90], [false, false, true]),
        ([20, 24, 40], [true, false, true]),
    ] {
        let mut case = Case::new(shape);
        case.grid.periodic = periodic;
        case.check(45, "periodic");
    }
}

#[test]
fn integrators_and_models() {
    for (model, set) in [
        ("fenton-karma", "2"),
        ("mitchell-schaeffer", "default"),
        ("aliev-panfilov", "default"),
    ] {
        for integrator in [Integrator::Euler, Integrator::RushLarsen, Integrator::Heun] {
            for precision in [Precision::F64, Precision::F32] {
                let mut case = Case::new([1, 33, 45]);
                case.models = vec![Model::named(model, set).unwrap()];
                case.integrator = integrator;
                case.precision = precision;
                case.check(30, &format!("{model} {integrator:?} {precision:?}"));
            }
        }
    }
}

#[test]
fn diffusivities_that_vary() {
    for shape in [[1, 40, 50], [12, 14, 37]] {
        for oblique in [false, true] {
            for integrator in [Integrator::Euler, Integrator::Heun] {
                let mut case = Case::new(shape);
                case.tissue.diffusivity = varied(case.grid.cells(), oblique);
                case.integrator = integrator;
                case.check(30, &format!("{shape:?}, oblique {oblique}, {integrator:?}"));
            }
        }
    }
}

#[test]
fn masked_tissue_with_regions() {
    for shape in [[1, 60, 70], [16, 18, 40]] {
        for regions in [false, true] {
            let mut case = Case::new(shape);
            case.tissue.active = Some(mask(shape));
            if regions {
                let cells = 0..case.grid.cells();
                case.tissue.region = Some(cells.map(|c| u8::from(c % shape[2] > 21)).collect());
                case.models.push(Model::named("fenton-karma", "5").unwrap());
            }
            case.check(40, &format!("masked {shape:?}, regions {regions}"));
        }
    }
}

#[test]
fn scheme_of_the_seed_program() {
    for precision in [Precision::F64, Precision::F32] {
        for integrator in [Integrator::Euler, Integrator::Heun] {
            let mut case = Case::new([1, 30, 41]);
            case.stencil = StencilKind::Cardiax;
            case.tissue.diffusivity = varied(case.grid.cells(), false);
            case.precision = precision;
            case.integrator = integrator;
            case.check(30, "cardiax");
        }
    }
}

#[test]
fn ranks_with_a_device_each() {
    let mut plane = Case::new([1, 90, 80]);
    plane.grid.periodic[2] = true;
    let mut solid = Case::new([24, 20, 30]);
    solid.upstrokes = false;
    let mut masked = Case::new([1, 90, 80]);
    masked.tissue.active = Some(mask([1, 90, 80]));
    let mut heun = Case::new([1, 60, 40]);
    heun.integrator = Integrator::Heun;
    let mut cardiax = Case::new([1, 60, 40]);
    cardiax.stencil = StencilKind::Cardiax;
    for ranks in [2, 3] {
        plane.check_ranks(ranks, 50, "plane on ranks");
        solid.check_ranks(ranks, 30, "space on ranks");
        masked.check_ranks(ranks, 40, "masked on ranks");
        heun.check_ranks(ranks, 24, "Heun on ranks");
        cardiax.check_ranks(ranks, 24, "cardiax on ranks");
    }
    plane.tile = Some([1, 32, 80]);
    plane.check_ranks(2, 50, "several tiles on ranks");
}

#[test]
fn too_little_memory_is_said_before_the_run() {
    let case = Case::new([1, 40, 50]);
    let device = Arc::new(HostDevice::with_memory(false, 10_000));
    let error = build(&Solo, case.setup(true, Some(device))).err().unwrap();
    assert_eq!(error.exit_code(), 65);
    let text = error.to_string();
    assert!(
        text.contains("memory of the device host") && text.contains("run.device"),
        "{text}"
    );
}

/// A run goes on to the same bits where it changes between the CPU and a device, by what a checkpoint
/// holds.
#[test]
fn a_run_goes_on_elsewhere() {
    let mut case = Case::new([1, 50, 70]);
    case.tissue.active = Some(mask([1, 50, 70]));
    let (first, steps) = (23, 60);
    let begin = |device: Option<Arc<dyn Device>>| build(&Solo, case.setup(true, device)).unwrap();
    let whole = case.run(&Solo, None, steps);
    for (name, open) in devices() {
        for to_device in [true, false] {
            let devices = [(!to_device).then(&open), to_device.then(&open)];
            let [one, other] = devices.map(begin);
            for field in 0..3 {
                one.scatter(&Solo, field, Some(&case.initial(field)));
            }
            one.advance(&Solo, 0, first);
            for field in 0..3 {
                other.scatter(&Solo, field, one.gather(&Solo, field).as_ref());
            }
            let upstrokes = one.upstrokes(&Solo);
            other.restore_upstrokes(&Solo, upstrokes.as_ref()).unwrap();
            other.advance(&Solo, first, steps - first);
            other.failure(&Solo).unwrap();
            let seen = Seen {
                fields: (0..3)
                    .map(|f| other.gather(&Solo, f).unwrap().to_f64())
                    .collect(),
                upstrokes: other.upstrokes(&Solo),
                probes: whole.probes.clone(),
                largest: whole.largest,
            };
            case.compare(&whole, &seen, &format!("to {name}: {to_device}"));
        }
    }
}

/// A frame that is copied while steps go on is that of its time.
#[test]
fn frames_are_of_their_time() {
    let case = Case::new([1, 40, 50]);
    for (name, open) in devices() {
        let run = |device| {
            let simulation = build(&Solo, case.setup(true, device)).unwrap();
            simulation.advance(&Solo, 0, 10);
            let later = simulation.begin_gather(&[0, 2]);
            let at_once = (!later).then(|| [0, 2].map(|f| simulation.gather(&Solo, f).unwrap()));
            simulation.advance(&Solo, 10, 15);
            let frame = at_once
                .unwrap_or_else(|| [0, 2].map(|f| simulation.finish_gather(&Solo, f).unwrap()));
            (later, frame, simulation.gather(&Solo, 0).unwrap())
        };
        let (later, frame, end) = run(Some(open()));
        assert!(later, "{name}");
        assert_ne!(frame[0], end, "{name}: nothing happens");
        if SimdLevel::detect() != SimdLevel::Baseline {
            let (_, expected, expected_end) = run(None);
            assert_eq!(frame, expected, "{name}");
            assert_eq!(end, expected_end, "{name}");
        }
    }
}
