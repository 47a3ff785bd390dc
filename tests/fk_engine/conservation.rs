//! Diffusion alone: ∫u stays, extremes do not grow, nothing passes edges and masks.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use isochrone::monodomain::grid::Diffusivity;
use isochrone::monodomain::options::{Integrator, StimulusKind};

use crate::case::{Case, Way, grid, inert, isotropic, state, stimulus};

/// Σ u of the active cells with compensation.
fn sum(case: &Case, u: &[f64]) -> f64 {
    let (mut sum, mut rest) = (0.0, 0.0);
    for u in (0..u.len()).filter(|c| case.active(*c)).map(|c| u[c]) {
        let next: f64 = sum + u;
        rest += if sum.abs() >= u.abs() {
            (sum - next) + u
        } else {
            (u - next) + sum
        };
        sum = next;
    }
    sum + rest
}

/// Rotated tensors whose largest eigenvalue jumps by a factor of 1000 from cell to cell.
fn jumping_tensors(cells: usize, random: &mut impl Rng) -> Vec<[f64; 6]> {
    let tensor = |_| {
        let scale = if random.random_bool(0.5) { 1.0 } else { 1e-3 };
        let axis = [0; 3].map(|_| random.random_range(-1.0..1.0f64));
        let length = axis.iter().map(|x| x * x).sum::<f64>().sqrt();
        let f = axis.map(|x| x / length);
        // D = 0.01 I + 0.09 f fᵀ.
        let d = |a: usize, b: usize| scale * (0.09 * f[a] * f[b] + if a == b { 0.01 } else { 0.0 });
        [d(0, 0), d(0, 1), d(0, 2), d(1, 1), d(1, 2), d(2, 2)]
    };
    (0..cells).map(tensor).collect()
}

fn random_case(shape: [usize; 3], periodic: bool, tissue: &str, random: &mut ChaCha8Rng) -> Case {
    let cells: usize = shape.iter().product();
    let diffusivity = match tissue {
        "uniform" | "masked uniform" => isotropic(0.1),
        "oblique" => Diffusivity::Uniform([0.1, 0.05, -0.02, 0.08, 0.03, 0.06]),
        "isotropic" => Diffusivity::Isotropic(
            (0..cells)
                .map(|_| if random.random_bool(0.5) { 0.1 } else { 1e-4 })
                .collect(),
        ),
        _ => Diffusivity::Tensor(jumping_tensors(cells, random)),
    };
    let axes = shape.map(|n| periodic && n > 1);
    let mut case = Case::new(grid(shape, 0.25, axes), diffusivity, 0.05);
    case.models = vec![inert()];
    if tissue.starts_with("masked") {
        let active = (0..cells).map(|_| random.random_bool(0.8));
        case.tissue.active = Some(active.collect());
    }
    case.initial = vec![(0..cells).map(|_| random.random_range(0.0..1.0)).collect()];
    // Close to the limit of the diffusion, Δt Σ D/Δx² = 1.
    case.dt = 0.99 * 0.0625 / (2.0 * 0.1 * shape.iter().filter(|n| **n > 1).count() as f64);
    case
}

const TISSUES: [&str; 6] = [
    "uniform",
    "oblique",
    "isotropic",
    "tensor",
    "masked uniform",
    "masked tensor",
];

#[test]
fn the_integral_of_u_stays() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut worst = 0.0_f64;
    for shape in [[1, 1, 61], [1, 29, 34], [9, 10, 19]] {
        for tissue in TISSUES {
            for (periodic, integrator) in [(false, Integrator::Euler), (true, Integrator::Heun)] {
                let mut case = random_case(shape, periodic, tissue, &mut random);
                case.integrator = integrator;
                let before = sum(&case, &case.initial[0]);
                let after = sum(&case, &case.after(300)[0]);
                let error = ((after - before) / before).abs();
                worst = worst.max(error);
                assert!(error <= 1e-12, "{shape:?} {tissue} {periodic}: {error:e}");
            }
        }
    }
    println!("largest relative change of the integral in 300 steps: {worst:.1e}");
}

/// The discrete maximum principle of an isotropic D, where D jumps by 1000.
#[test]
fn extremes_do_not_grow_where_d_jumps() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    for shape in [[1, 1, 61], [1, 29, 34], [9, 10, 19]] {
        for tissue in ["uniform", "isotropic", "masked uniform"] {
            let case = random_case(shape, false, tissue, &mut random);
            let active = |u: &[f64]| -> Vec<f64> {
                (0..u.len())
                    .filter(|c| case.active(*c))
                    .map(|c| u[c])
                    .collect()
            };
            let range = |u: Vec<f64>| {
                u.iter()
                    .fold((f64::MAX, f64::MIN), |(l, h), u| (u.min(l), u.max(h)))
            };
            let (low, high) = range(active(&case.initial[0]));
            let (least, most) = range(active(&case.after(500)[0]));
            assert!(
                low - 1e-14 <= least && most <= high + 1e-14,
                "{shape:?} {tissue}"
            );
        }
    }
}

/// No maximum principle holds for oblique tensors, but Σ(u − mean)² never grows within the limit.
#[test]
fn variance_does_not_grow_where_tensors_jump() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    for shape in [[1, 29, 34], [9, 10, 19]] {
        for tissue in ["oblique", "tensor", "masked tensor"] {
            for periodic in [false, true] {
                let mut case = random_case(shape, periodic, tissue, &mut random);
                // At 0.999 of the limit that the program states.
                case.dt = 0.999 * largest_dt(&case);
                let variance = |u: &[f64]| -> f64 {
                    let active = || (0..u.len()).filter(|c| case.active(*c));
                    let mean = sum(&case, u) / active().count() as f64;
                    active().map(|c| (u[c] - mean).powi(2)).sum()
                };
                case.on(Way::plain(), |comm, simulation| {
                    let mut last = variance(&case.initial[0]);
                    for block in 0..40 {
                        simulation.advance(comm, 10 * block, 10);
                        let now = variance(&state(comm, simulation, 1)[0]);
                        assert!(
                            now <= last * (1.0 + 1e-12),
                            "{shape:?} {tissue}: {last} to {now}"
                        );
                        last = now;
                    }
                });
            }
        }
    }
}

/// The limit that the refusal of a large Δt states.
pub fn largest_dt(case: &Case) -> f64 {
    let mut case = case.clone();
    case.dt = 1e6;
    let error = case
        .build(&isochrone::comm::solo::Solo, Way::plain())
        .err()
        .unwrap();
    let text = error.to_string();
    let (_, rest) = text.split_once("at most ").unwrap();
    rest.split_once(" ms").unwrap().0.parse().unwrap()
}

/// A wall one cell thick, straight or along the diagonal of the cells, holds the wave back.
#[test]
fn no_wave_passes_a_mask() {
    let n = 60;
    for tensor in [false, true] {
        for diagonal in [false, true] {
            let behind = |c: usize| {
                let (y, x) = (c / n, c % n);
                if diagonal {
                    (x + y) as isize - n as isize
                } else {
                    x as isize - 30
                }
            };
            let diffusivity = match tensor {
                true => Diffusivity::Uniform([0.1, 0.06, 0.0, 0.1, 0.0, 0.1]),
                false => isotropic(0.1),
            };
            let mut case = Case::new(grid([1, n, n], 0.25, [false; 3]), diffusivity, 0.05);
            let before = (0..(n * n) as u64)
                .filter(|c| behind(*c as usize) < -20)
                .collect();
            case.stimuli = vec![stimulus(StimulusKind::Voltage, 0.9, before, [0, 20])];
            let arrives = |case: &Case| {
                let u = &case.after(1600)[0];
                let all = (0..n * n).filter(|c| behind(*c) > 0);
                let reached = all.clone().filter(|c| u[*c] > 0.1).count();
                reached as f64 / all.count() as f64
            };
            assert!(arrives(&case) > 0.9, "the wave should cross without a wall");
            case.tissue.active = Some((0..n * n).map(|c| behind(c) != 0).collect());
            assert_eq!(arrives(&case), 0.0, "tensor {tensor}, diagonal {diagonal}");
        }
    }
}
