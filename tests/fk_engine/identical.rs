//! The same bits on any number of ranks and threads, with any tiles and any steps per exchange.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use isochrone::eikonal::options::Precision;
use isochrone::monodomain::activation::UpstrokeOptions;
use isochrone::monodomain::division::Division;
use isochrone::monodomain::grid::Diffusivity;
use isochrone::monodomain::layout::layered;
use isochrone::monodomain::options::{Integrator, StencilKind, StimulusKind};

use crate::case::{Case, Way, grid, isotropic, set, state, stimulus};

const STEPS: u64 = 19;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Uniform,
    Oblique,
    Isotropic,
    Tensor,
    Masked,
    MaskedTensor,
    Regions,
    Cardiax,
}

const KINDS: [Kind; 8] = [
    Kind::Uniform,
    Kind::Oblique,
    Kind::Isotropic,
    Kind::Tensor,
    Kind::Masked,
    Kind::MaskedTensor,
    Kind::Regions,
    Kind::Cardiax,
];

/// A symmetric positive definite tensor.
fn tensor(random: &mut impl Rng) -> [f64; 6] {
    let [a, b, c] = [0; 3].map(|_| random.random_range(0.02..0.1));
    let mut cross = |x: f64, y: f64| random.random_range(-0.45..0.45) * (x * y).sqrt();
    [a, cross(a, b), cross(a, c), b, cross(b, c), c]
}

fn random_case(kind: Kind, dimensions: usize, random: &mut ChaCha8Rng) -> Case {
    let mut size = || random.random_range(8..27usize);
    let shape = match dimensions {
        1 => [1, 1, 2 * size()],
        2 => [1, size(), size()],
        _ => [size() / 2, size() / 2, size()],
    };
    let cells: usize = shape.iter().product();
    let mut periodic = [0, 1, 2].map(|a| shape[a] > 1 && random.random_bool(0.4));
    if kind == Kind::Cardiax {
        periodic = [false; 3];
    }
    let mut many = |low: f64, high: f64| -> Vec<f64> {
        (0..cells).map(|_| random.random_range(low..high)).collect()
    };
    let initial = vec![many(0.0, 1.0), many(0.1, 1.0), many(0.3, 1.0)];
    let each = many(0.02, 0.1);
    let smooth = many(0.05, 0.06);
    let diffusivity = match kind {
        Kind::Uniform => isotropic(0.1),
        Kind::Oblique => Diffusivity::Uniform(tensor(random)),
        Kind::Tensor | Kind::MaskedTensor => {
            Diffusivity::Tensor((0..cells).map(|_| tensor(random)).collect())
        }
        Kind::Isotropic => Diffusivity::Isotropic(each),
        Kind::Masked | Kind::Regions if random.random_bool(0.5) => isotropic(0.08),
        Kind::Masked | Kind::Regions => Diffusivity::Isotropic(each),
        Kind::Cardiax => Diffusivity::Isotropic(smooth),
    };
    let mut case = Case::new(grid(shape, 0.2, periodic), diffusivity, 0.03);
    if kind == Kind::Cardiax {
        case.stencil = StencilKind::Cardiax;
    }
    if matches!(kind, Kind::Masked | Kind::MaskedTensor) {
        // Scattered holes, and a half where whole tiles have no cell.
        let half = shape[2] / 2;
        let active = (0..cells).map(|c| c % shape[2] < half && random.random_bool(0.8));
        case.tissue.active = Some(active.collect());
        case.tissue.active.as_mut().unwrap()[0] = true;
    }
    if matches!(kind, Kind::Regions | Kind::MaskedTensor) {
        // Blocks of parameter sets, and cells of another within them.
        let region = |c: usize| match random.random_bool(0.1) {
            true => random.random_range(0..3),
            false => (c % shape[2] / 9 % 3) as u8,
        };
        case.tissue.region = Some((0..cells).map(region).collect());
        case.models = ["3", "1A", "4A"].map(set).to_vec();
    }
    // Schedules made for steps of 1 ms count steps.
    let kinds = [
        StimulusKind::Current,
        StimulusKind::Voltage,
        StimulusKind::Replace,
    ];
    for (i, kind) in kinds.into_iter().enumerate() {
        let some = (0..cells as u64)
            .filter(|_| random.random_bool(0.15))
            .collect();
        let amplitude = [0.4, 0.7, 1.1][i];
        case.stimuli
            .push(stimulus(kind, amplitude, some, [3 + 4 * i as u64, 5]));
    }
    case.upstrokes = Some(UpstrokeOptions {
        threshold: 0.5,
        keep: 2,
        apd_level: Some(0.9),
    });
    case.initial = initial;
    case
}

/// u and gates of the active cells, upstrokes, and the largest |u|, as bits.
fn bits(case: &Case, way: Way) -> Vec<u64> {
    case.on(way, |comm, simulation| {
        // Blocks that end before a whole one, and a second advance.
        simulation.advance(comm, 0, 13);
        simulation.advance(comm, 13, STEPS - 13);
        let fields = state(comm, simulation, case.fields());
        let active = |values: Vec<f64>| {
            let each = values.len() / case.grid.cells();
            let kept = values.into_iter().enumerate();
            kept.filter(move |(i, _)| case.active(i / each))
                .map(|(_, v)| v.to_bits())
        };
        let mut bits: Vec<u64> = fields.into_iter().flat_map(active).collect();
        let probes = [0, case.grid.cells() / 2];
        let probed = simulation.probe(comm, &probes);
        bits.extend(
            probes
                .iter()
                .zip(probed)
                .filter(|(c, _)| case.active(**c))
                .map(|p| p.1.to_bits()),
        );
        if let Some(upstrokes) = simulation.upstrokes(comm) {
            bits.extend(
                upstrokes
                    .count
                    .iter()
                    .enumerate()
                    .filter(|(c, _)| case.active(*c))
                    .map(|(_, n)| u64::from(*n)),
            );
            for values in [
                upstrokes.first,
                upstrokes.last,
                upstrokes.kept,
                upstrokes.apd,
                upstrokes.peak,
            ] {
                bits.extend(active(values).map(|b| if f64::from_bits(b).is_nan() { 0 } else { b }));
            }
        }
        bits
    })
}

fn random_way(case: &Case, random: &mut ChaCha8Rng) -> Way {
    let tile = match random.random_bool(0.25) {
        true => [5, 5, 7],
        false => [0; 3].map(|_| random.random_range(2..=9usize)),
    };
    let tile = [0, 1, 2].map(|a| tile[a].min(case.grid.shape[a]));
    // At least one tile for each rank.
    let (shape, tile_shape) = (
        layered(&case.grid, case.grid.shape),
        layered(&case.grid, tile),
    );
    let active = case.tissue.active.as_deref();
    let division = Division::new(shape, [false; 3], active, tile_shape, 1).unwrap();
    let ranks = random.random_range(1..=4.min(division.tiles.len()));
    Way {
        ranks,
        threads: random.random_range(1..=3),
        tile: Some(tile),
        steps_per_exchange: Some([1, 2, 3, 8][random.random_range(0..4)]),
        ..Way::plain()
    }
}

/// 72 cases, each in three random ways beside the plain one.
fn same_bits(part: usize) {
    let mut random = ChaCha8Rng::seed_from_u64(20 + part as u64);
    for number in (0..72).filter(|n| n % 3 == part) {
        let kind = KINDS[number % 8];
        let dimensions = if kind == Kind::Cardiax {
            2
        } else {
            number / 8 % 3 + 1
        };
        let mut case = random_case(kind, dimensions, &mut random);
        case.integrator =
            [Integrator::Euler, Integrator::Heun, Integrator::RushLarsen][number / 3 % 3];
        case.precision = [Precision::F32, Precision::F64][number / 2 % 2];
        let plain = Way {
            steps_per_exchange: Some(1),
            ..Way::plain()
        };
        let expected = bits(&case, plain);
        for _ in 0..3 {
            let way = random_way(&case, &mut random);
            let found = bits(&case, way);
            let differ = expected.iter().zip(&found).filter(|(a, b)| a != b).count();
            assert!(
                differ == 0 && expected.len() == found.len(),
                "{number}: {kind:?} {:?} periodic {:?} {:?} {:?}, {way:?}: {differ} of {} differ",
                case.grid.shape,
                case.grid.periodic,
                case.integrator,
                case.precision,
                expected.len(),
            );
        }
    }
}

#[test]
fn same_bits_in_any_division_1() {
    same_bits(0);
}

#[test]
fn same_bits_in_any_division_2() {
    same_bits(1);
}

#[test]
fn same_bits_in_any_division_3() {
    same_bits(2);
}

/// Heun's ghosts are two deep, a periodic axis of one cell is its own neighbour on both sides.
#[test]
fn ghosts_deeper_than_a_periodic_axis() {
    for shape in [[1, 1, 30], [1, 2, 30], [1, 3, 30]] {
        let mut case = Case::new(grid(shape, 0.2, [false, true, false]), isotropic(0.1), 0.03);
        case.integrator = Integrator::Heun;
        let cable: Vec<f64> = (0..30).map(|x| (x as f64 * 0.7).sin().abs()).collect();
        let repeat = |line: &[f64]| -> Vec<f64> { line.repeat(shape[1]) };
        case.initial = vec![repeat(&cable)];
        let found = case.after(50);
        let mut line = Case::new(grid([1, 1, 30], 0.2, [false; 3]), isotropic(0.1), 0.03);
        line.integrator = Integrator::Heun;
        line.initial = vec![cable];
        for (found, expected) in found.iter().zip(line.after(50)) {
            assert!(
                found
                    .iter()
                    .zip(repeat(&expected))
                    .all(|(a, b)| a.to_bits() == b.to_bits())
            );
        }
    }
}

/// A periodic grid has no beginning: the shifted case has the shifted solution.
#[test]
fn shifted_cases_have_shifted_solutions() {
    for (shape, shift) in [([1, 21, 26], [0, 8, 11]), ([7, 9, 18], [3, 5, 10])] {
        for tensors in [false, true] {
            let mut random = ChaCha8Rng::seed_from_u64(5);
            let cells: usize = shape.iter().product();
            let periodic = shape.map(|n| n > 1);
            let mut one = Case::new(grid(shape, 0.2, periodic), isotropic(0.1), 0.03);
            let mut many =
                || -> Vec<f64> { (0..cells).map(|_| random.random_range(0.0..1.0)).collect() };
            one.initial = vec![many(), many(), many()];
            let field: Vec<[f64; 6]> = (0..cells).map(|_| tensor(&mut random)).collect();
            let active: Vec<bool> = (0..cells).map(|_| random.random_bool(0.9)).collect();
            let grid = one.grid.clone();
            let moved = |cell: usize| {
                let at = grid.place(cell);
                grid.cell([0, 1, 2].map(|a| (at[a] + shift[a]) % shape[a]))
            };
            let mut other = one.clone();
            for (a, b) in one.initial.iter().zip(&mut other.initial) {
                (0..cells).for_each(|c| b[moved(c)] = a[c]);
            }
            if tensors {
                let (mut f, mut a) = (field.clone(), active.clone());
                (0..cells).for_each(|c| (f[moved(c)], a[moved(c)]) = (field[c], active[c]));
                (one.tissue.diffusivity, other.tissue.diffusivity) =
                    (Diffusivity::Tensor(field), Diffusivity::Tensor(f));
                (one.tissue.active, other.tissue.active) = (Some(active), Some(a));
            }
            for (a, b) in one.after(60).iter().zip(other.after(60)) {
                let differ = (0..cells)
                    .filter(|c| one.active(*c) && a[*c].to_bits() != b[moved(*c)].to_bits());
                assert_eq!(differ.count(), 0, "{shape:?}, tensors: {tensors}");
            }
        }
    }
}
