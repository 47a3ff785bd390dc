//! The seed program's scheme: its states, computed by numpy (tests/fk_engine/make_cardiax.py) and, where
//! they are at hand, its own.

use std::path::Path;

use isochrone::monodomain::build::StimulusCells;
use isochrone::monodomain::grid::Diffusivity;
use isochrone::monodomain::options::{
    Integrator, Region, StencilKind, StimulusKind, StimulusOptions, Timing,
};
use isochrone::monodomain::stimulus::Schedule;
use std::collections::BTreeMap;

use isochrone::ionic::Model;

use crate::case::{Case, Way, grid, largest_difference, state};

fn read(file: &hdf5::File, name: &str) -> Vec<f64> {
    file.dataset(name).unwrap().read_raw::<f64>().unwrap()
}

fn attribute(file: &hdf5::File, name: &str) -> f64 {
    file.attr(name).unwrap().read_scalar().unwrap()
}

/// Stimuli that replace the ionic current by the values of `field` where they are not 0.
fn replacements(
    field: &[f64],
    [start, duration, period]: [f64; 3],
) -> Vec<(StimulusCells, Schedule)> {
    let mut amplitudes: Vec<f64> = field.iter().copied().filter(|a| *a != 0.0).collect();
    amplitudes.sort_by(f64::total_cmp);
    amplitudes.dedup();
    let options = StimulusOptions {
        kind: StimulusKind::Replace,
        amplitude: 0.0,
        region: Region::All,
        timing: Timing::Seed,
        start,
        duration,
        period: Some(period),
        count: None,
    };
    let of = |amplitude: f64| StimulusCells {
        kind: StimulusKind::Replace,
        amplitude,
        cells: (0..field.len())
            .filter(|c| field[*c] == amplitude)
            .map(|c| c as u64)
            .collect(),
    };
    amplitudes
        .into_iter()
        .map(|a| (of(a), Schedule::new(&options, 1.0)))
        .collect()
}

/// Largest difference of u, v, w from the states of a file at each of its steps.
fn differences(case: &Case, way: Way, steps: &[u64], expected: &[Vec<f64>]) -> Vec<f64> {
    case.on(way, |comm, simulation| {
        let mut now = 0;
        let of_step = steps.iter().zip(expected).map(|(step, expected)| {
            simulation.advance(comm, now, step - now);
            now = *step;
            let found = state(comm, simulation, 3).concat();
            if comm.rank() == 0 {
                largest_difference(&found, expected)
            } else {
                0.0
            }
        });
        of_step.collect()
    })
}

#[test]
fn states_of_the_seed_scheme_are_reproduced() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fk_engine/cardiax_small.h5");
    let file = hdf5::File::open(path).unwrap();
    let d = read(&file, "D");
    let cells = d.len();
    let mut case = Case::new(
        grid([1, 24, 20], attribute(&file, "dx"), [false; 3]),
        Diffusivity::Isotropic(d),
        attribute(&file, "dt"),
    );
    case.stencil = StencilKind::Cardiax;
    let fields = read(&file, "stimulus");
    let timing = read(&file, "timing");
    for (field, t) in fields.chunks(cells).zip(timing.chunks(3)) {
        case.stimuli.extend(replacements(field, [t[0], t[1], t[2]]));
    }
    case.initial = read(&file, "initial")
        .chunks(cells)
        .map(<[f64]>::to_vec)
        .collect();
    let steps = [5, 40];
    for (integrator, name) in [(Integrator::Euler, "euler"), (Integrator::Heun, "heun")] {
        case.integrator = integrator;
        let expected: Vec<Vec<f64>> = read(&file, name)
            .chunks(3 * cells)
            .map(<[f64]>::to_vec)
            .collect();
        for way in [
            Way::plain(),
            Way {
                ranks: 2,
                tile: Some([1, 7, 9]),
                ..Way::plain()
            },
        ] {
            let differences = differences(&case, way, &steps, &expected);
            println!("{name}, {} ranks: {differences:?}", way.ranks);
            assert!(differences.iter().all(|d| *d <= 1e-12), "{differences:?}");
        }
    }
}

/// The seed program's own states: ≤ 1e-9 up to 1,000 steps, ≤ 1e-6 at the last.
fn states_of_the_seed_program(name: &str, integrator: Integrator, most_steps: u64) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data/fk")
        .join(name);
    let Ok(file) = hdf5::File::open(&path) else {
        println!("NOT TESTED: {} is not at hand", path.display());
        return;
    };
    let shape: Vec<u64> = file.dataset("shape").unwrap().read_raw().unwrap();
    let cells = (shape[0] * shape[1]) as usize;
    // cm²/ms, cm.
    let d = read(&file, "D").iter().map(|d| 100.0 * d).collect();
    let dx = 10.0 * attribute(&file, "dx");
    let mut case = Case::new(
        grid([1, shape[0] as usize, shape[1] as usize], dx, [false; 3]),
        Diffusivity::Isotropic(d),
        attribute(&file, "dt"),
    );
    case.stencil = StencilKind::Cardiax;
    case.integrator = integrator;
    let names = [
        "tau_v_plus",
        "tau_v1_minus",
        "tau_v2_minus",
        "tau_w_plus",
        "tau_w_minus",
        "tau_d",
        "tau_0",
        "tau_r",
        "tau_si",
        "k",
        "u_c_si",
        "u_c",
        "u_v",
    ];
    let constants: BTreeMap<String, f64> = names
        .iter()
        .map(|n| n.to_string())
        .zip(read(&file, "params"))
        .collect();
    case.models = vec![Model::from_table("fenton-karma", &constants).unwrap()];
    let starts = read(&file, "stim_start");
    let (durations, periods) = (read(&file, "stim_duration"), read(&file, "stim_period"));
    for (i, field) in read(&file, "stim_field").chunks(cells).enumerate() {
        let timing = [starts[i], durations[i], periods[i]];
        case.stimuli.extend(replacements(field, timing));
    }
    let steps: Vec<u64> = file.dataset("steps").unwrap().read_raw().unwrap();
    let steps: Vec<u64> = steps.into_iter().filter(|s| *s <= most_steps).collect();
    let fields = ["u", "v", "w"].map(|f| read(&file, f));
    let expected: Vec<Vec<f64>> = (0..steps.len())
        .map(|i| {
            fields
                .iter()
                .flat_map(|f| f[i * cells..(i + 1) * cells].to_vec())
                .collect()
        })
        .collect();
    let differences = differences(&case, Way::plain(), &steps, &expected);
    println!(
        "{name}: {:?}",
        steps.iter().zip(&differences).collect::<Vec<_>>()
    );
    for (step, difference) in steps.iter().zip(differences) {
        let bound = if *step <= 1000 { 1e-9 } else { 1e-6 };
        assert!(difference <= bound, "{name}, step {step}: {difference:e}");
    }
}

#[test]
fn states_of_the_seed_program_are_reproduced() {
    states_of_the_seed_program("cardiax_stim_f64.h5", Integrator::Euler, u64::MAX);
    states_of_the_seed_program("cardiax_planar_f64.h5", Integrator::Euler, 1000);
    states_of_the_seed_program("cardiax_hetero_smooth_f64.h5", Integrator::Euler, 1000);
    states_of_the_seed_program("cardiax_planar_heun_f64.h5", Integrator::Heun, 1000);
}

/// 20,000 steps: some ten seconds.
#[test]
#[ignore = "long: the last stored states"]
fn states_of_the_seed_program_are_reproduced_to_the_end() {
    states_of_the_seed_program("cardiax_planar_f64.h5", Integrator::Euler, u64::MAX);
    states_of_the_seed_program("cardiax_hetero_smooth_f64.h5", Integrator::Euler, u64::MAX);
    states_of_the_seed_program("cardiax_planar_heun_f64.h5", Integrator::Heun, u64::MAX);
}
