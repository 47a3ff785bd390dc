//! States go out and come back; stimuli act where and when they should.

use isochrone::eikonal::options::Precision;
use isochrone::monodomain::activation::UpstrokeOptions;
use isochrone::monodomain::grid::Diffusivity;
use isochrone::monodomain::options::{Integrator, StimulusKind};
use isochrone::monodomain::simulation::Values;

use crate::case::{Case, Way, grid, inert, isotropic, state, stimulus};

const SHAPE: [usize; 3] = [1, 30, 41];
const CELLS: usize = 30 * 41;

fn ways() -> [Way; 3] {
    let way = |ranks, threads, tile, steps| Way {
        ranks,
        threads,
        tile: Some(tile),
        steps_per_exchange: Some(steps),
        ..Way::plain()
    };
    [
        Way::plain(),
        way(3, 2, [1, 7, 9], 2),
        way(4, 1, [1, 30, 10], 5),
    ]
}

/// A wave from the low x side, a mask, two regions of parameters.
fn wave() -> Case {
    let mut case = Case::new(grid(SHAPE, 0.2, [false, true, false]), isotropic(0.1), 0.05);
    case.tissue.active = Some((0..CELLS).map(|c| c % 13 != 3 || c % 41 > 30).collect());
    let side = (0..CELLS as u64).filter(|c| c % 41 < 5).collect();
    case.stimuli = vec![stimulus(StimulusKind::Current, 1.0, side, [3, 40])];
    case.upstrokes = Some(UpstrokeOptions {
        threshold: 0.5,
        keep: 3,
        apd_level: Some(0.9),
    });
    case
}

fn is_same(case: &Case, a: &[Vec<f64>], b: &[Vec<f64>]) -> bool {
    let same = |(a, b): (&Vec<f64>, &Vec<f64>)| {
        (0..CELLS).all(|c| !case.active(c) || a[c].to_bits() == b[c].to_bits())
    };
    a.len() == b.len() && a.iter().zip(b).all(same)
}

#[test]
fn gathered_is_what_was_scattered() {
    for precision in [Precision::F32, Precision::F64] {
        let mut case = wave();
        case.precision = precision;
        let value = |field: usize, c: usize| {
            let x = (c as f64 * 0.37 + field as f64).sin();
            if precision == Precision::F32 {
                f64::from(x as f32)
            } else {
                x
            }
        };
        let fields: Vec<Vec<f64>> = (0..3)
            .map(|f| (0..CELLS).map(|c| value(f, c)).collect())
            .collect();
        case.initial = fields.clone();
        for way in ways() {
            let found = case.on(way, |comm, simulation| state(comm, simulation, 3));
            assert!(is_same(&case, &found, &fields), "{way:?}");
        }
    }
}

/// A state that is taken out and put in another simulation goes on as if nothing had happened.
#[test]
fn a_restored_state_continues_bitwise() {
    for integrator in [Integrator::Euler, Integrator::Heun] {
        for precision in [Precision::F32, Precision::F64] {
            let mut case = wave();
            (case.integrator, case.precision) = (integrator, precision);
            let run = |way: Way| {
                case.on(way, |comm, simulation| {
                    simulation.advance(comm, 0, 1001);
                    (state(comm, simulation, 3), simulation.upstrokes(comm))
                })
            };
            let (whole, expected) = run(Way::plain());
            let expected = expected.unwrap();
            assert!(
                expected.count.iter().sum::<u32>() > 500,
                "the wave should pass"
            );
            for (way, other) in [
                (ways()[0], ways()[1]),
                (ways()[1], ways()[2]),
                (ways()[2], ways()[0]),
            ] {
                let (half, upstrokes) = case.on(way, |comm, simulation| {
                    simulation.advance(comm, 0, 437);
                    let fields: Vec<Option<Values>> =
                        (0..3).map(|f| simulation.gather(comm, f)).collect();
                    (fields, simulation.upstrokes(comm))
                });
                let (found, recorded) = case.on(other, |comm, simulation| {
                    let root = comm.rank() == 0;
                    for (field, values) in half.iter().enumerate() {
                        simulation.scatter(comm, field, values.as_ref().filter(|_| root));
                    }
                    let arrays = upstrokes.as_ref().filter(|_| root);
                    simulation.restore_upstrokes(comm, arrays).unwrap();
                    simulation.advance(comm, 437, 1001 - 437);
                    (state(comm, simulation, 3), simulation.upstrokes(comm))
                });
                assert!(
                    is_same(&case, &found, &whole),
                    "{integrator:?} {way:?} {other:?}"
                );
                let recorded = recorded.unwrap();
                for c in (0..CELLS).filter(|c| case.active(*c)) {
                    let bits = |x: f64| if x.is_nan() { 0 } else { x.to_bits() };
                    assert_eq!(recorded.count[c], expected.count[c]);
                    assert_eq!(bits(recorded.first[c]), bits(expected.first[c]));
                    assert_eq!(bits(recorded.apd[c]), bits(expected.apd[c]));
                    for k in 3 * c..3 * c + 3 {
                        assert_eq!(bits(recorded.kept[k]), bits(expected.kept[k]));
                    }
                }
            }
        }
    }
}

/// Without diffusion and currents a stimulus alone moves u.
#[test]
fn stimuli_act_in_their_steps_and_cells() {
    for integrator in [Integrator::Euler, Integrator::Heun, Integrator::RushLarsen] {
        let mut case = Case::new(
            grid([1, 4, 20], 1.0, [false; 3]),
            Diffusivity::Isotropic(vec![1e-30; 80]),
            0.5,
        );
        case.models = vec![inert()];
        case.integrator = integrator;
        let row = |y: u64| (20 * y + 3..20 * y + 18).collect();
        case.stimuli = vec![
            stimulus(StimulusKind::Current, 0.1, row(0), [2, 3]),
            stimulus(StimulusKind::Voltage, 0.7, row(1), [2, 1]),
            stimulus(StimulusKind::Replace, -0.2, row(2), [4, 2]),
        ];
        let expected = |steps: u64, c: usize| {
            let on = (3..18).contains(&(c % 20));
            let within = |from: u64, to: u64| steps.clamp(from, to) - from;
            match (on, c / 20) {
                (true, 0) => 0.05 * within(2, 5) as f64,
                (true, 1) if steps > 2 => 0.7,
                (true, 2) => -0.1 * within(4, 6) as f64,
                _ => 0.0,
            }
        };
        for steps in 0..8 {
            let u = &case.after(steps)[0];
            for (c, u) in u.iter().enumerate() {
                assert!(
                    (u - expected(steps, c)).abs() < 1e-14,
                    "{integrator:?} step {steps}, cell {c}"
                );
            }
        }
    }
}

/// A stimulus on cells that take no part does nothing: they would add up what nothing takes away,
/// and the run would count as diverged.
#[test]
fn stimuli_leave_inactive_cells_alone() {
    let mut case = Case::new(grid([1, 16, 64], 0.2, [false; 3]), isotropic(0.1), 0.05);
    case.tissue.active = Some((0..1024).map(|c| c % 64 < 40 && c % 7 != 0).collect());
    let all = (0..1024).collect();
    case.stimuli = vec![stimulus(StimulusKind::Current, 1.0, all, [0, 2000])];
    case.on(Way::plain(), |comm, simulation| {
        simulation.advance(comm, 0, 2000);
        let u = simulation.gather(comm, 0).unwrap().to_f64();
        for c in (0..1024).filter(|c| !case.active(*c)) {
            assert!(
                u[c].is_nan() || u[c].abs() < 1e-3,
                "inactive cell {c} has u = {}",
                u[c]
            );
        }
    });
}

/// A single cell, a cable, and grids of one cell along an axis are the same cell.
#[test]
fn a_uniform_state_is_a_single_cell_in_any_dimension() {
    let run = |shape: [usize; 3], tensor: bool| {
        let mut case = Case::new(grid(shape, 0.2, [false; 3]), isotropic(0.1), 0.02);
        if tensor {
            case.tissue.diffusivity = Diffusivity::Uniform([0.1, 0.02, 0.01, 0.1, 0.03, 0.1]);
        }
        case.initial = vec![vec![0.4; case.grid.cells()]];
        case.after(1000)
    };
    let cell = run([1, 1, 1], false);
    assert!(cell[0][0] > 0.8, "an action potential");
    for shape in [
        [1, 1, 1],
        [1, 1, 33],
        [1, 12, 17],
        [5, 6, 18],
        [4, 1, 1],
        [1, 5, 1],
        [3, 1, 17],
    ] {
        for tensor in [false, true] {
            for (found, expected) in run(shape, tensor).iter().zip(&cell) {
                assert!(
                    found.iter().all(|x| x.to_bits() == expected[0].to_bits()),
                    "{shape:?}"
                );
            }
        }
    }
}
