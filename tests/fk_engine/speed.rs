//! Speed of the wave along a cable as the grid is refined.

use isochrone::monodomain::activation::UpstrokeOptions;
use isochrone::monodomain::options::StimulusKind;

use crate::case::{Case, Way, grid, isotropic, set, stimulus};

/// mm/s between 1/2 and 3/4 of a cable of 30 mm, with D = 0.1 mm²/ms.
fn speed(name: &str, dx: f64, dt: f64) -> f64 {
    let n = (30.0 / dx).round() as usize;
    let mut case = Case::new(grid([1, 1, n], dx, [false; 3]), isotropic(0.1), dt);
    case.models = vec![set(name)];
    let side = (0..(2.0 / dx) as u64).collect();
    let steps = (2.0 / dt).round() as u64;
    case.stimuli = vec![stimulus(StimulusKind::Current, 1.0, side, [0, steps])];
    case.upstrokes = Some(UpstrokeOptions {
        threshold: 0.5,
        keep: 0,
        apd_level: None,
    });
    let first = case.on(Way::plain(), |comm, simulation| {
        simulation.advance(comm, 0, (110.0 / dt).round() as u64);
        simulation.upstrokes(comm).unwrap().first
    });
    let (a, b) = (n / 2, 3 * n / 4);
    1000.0 * (b - a) as f64 * dx / (first[b] - first[a])
}

#[test]
fn conduction_speed_of_set_3() {
    let found = speed("3", 0.1, 0.005);
    println!("{found:.1} mm/s");
    assert!((found / 451.6 - 1.0).abs() < 0.005, "{found}");
}

#[test]
#[ignore = "long: convergence of the conduction speed"]
fn conduction_speed_converges() {
    for (name, expected) in [("3", 455.4), ("1A", 305.3)] {
        let mut last = 0.0;
        for (dx, dt) in [
            (0.25, 0.005),
            (0.1, 0.005),
            (0.1, 0.002),
            (0.05, 0.002),
            (0.025, 0.001),
            (0.025, 0.0005),
        ] {
            last = speed(name, dx, dt);
            println!("set {name}, Δx {dx}, Δt {dt}: {last:.1} mm/s");
        }
        assert!((last / expected - 1.0).abs() < 0.003, "set {name}: {last}");
    }
}
