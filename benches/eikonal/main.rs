//! Speed of `isochrone eikonal`, of its derivatives and of `isochrone invert`.
//!
//! cargo bench --bench eikonal [-- FILTER…]: only the lines whose name contains one of the filters.
//!
//! Ranks are threads of this process, which exchange messages as under MPI; inversions are runs of
//! the program itself, all that a user waits for included.
//!
//! A forward solution is timed whole: iteration, canonical pass, upwind stencils and causal order.
//! Beside it, in turn with it, runs what it is compared with: on one thread a classical FIM with
//! the same SIMD local solver, on more threads the same on one. F of a derivative is 1 + its time
//! over that of the forward solution. Each time is the least of several, which noise disturbs least.

mod classical;
mod inversion;
mod memory;
mod meshes;
mod ranks;
mod solver;

use std::hint::black_box;
use std::time::Instant;

use classical::Classical;
use isochrone::comm::halo::Traffic;
use isochrone::comm::solo::Solo;
use isochrone::eikonal::forward::{Eikonal, Solution, Source};
use isochrone::partition::local_mesh::LocalMesh;
use isochrone::real::Real;
use isochrone::simd::SimdLevel;
use meshes::Mesh;
use rayon::prelude::*;

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;

const DOMAINS: usize = 21;
const SOURCE: Source = Source {
    vertex: 0,
    time: 0.0,
};

/// Meshes, and whether they are measured without being asked for (the others take minutes).
const MESHES: [(&str, Mesh, bool); 7] = [
    ("cube 280k", Mesh::Cube(36), true),
    ("left ventricle 273k", Mesh::LeftVentricle(1.455), true),
    ("biventricle 270k", Mesh::Biventricle(1.62), true),
    ("cube 3m", Mesh::Cube(80), true),
    ("left ventricle 3m", Mesh::LeftVentricle(0.643), false),
    ("biventricle 20m", Mesh::Biventricle(0.382), false),
    ("cube 24m", Mesh::Cube(159), false),
];

fn main() {
    let filters: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let wanted = |name: &str| filters.iter().any(|f| name.contains(f.as_str()));
    println!("SIMD {}", SimdLevel::detect().name());
    if filters.is_empty() || wanted("local solver") {
        println!(
            "\n{:<36} {:>12} {:>12}",
            "local solver, ns", "interior", "whole"
        );
        for level in [SimdLevel::Avx512, SimdLevel::Avx2, SimdLevel::Baseline] {
            let lines = [
                solver::measure::<f32>("f32", level),
                solver::measure::<f64>("f64", level),
            ];
            lines.iter().flatten().for_each(|line| println!("{line}"));
        }
    }
    println!(
        "\n{:<36} {:>8} {:>10} {:>9} {:>7} {:>8} {:>7} {:>6}",
        "forward", "s", "compared s", "ratio", "solves", "canon.", "updates", "B/tet"
    );
    let (mut derivatives, mut on_ranks) = (Vec::new(), Vec::new());
    for (mesh_name, mesh, by_default) in MESHES {
        let (mut built, mut local) = (None, None);
        for precision in ["f32", "f64"] {
            for threads in [1, 2] {
                let name = format!("{mesh_name}, {precision}, {}", plural(threads));
                if !(wanted(&name) || (filters.is_empty() && by_default)) {
                    continue;
                }
                let built = built.get_or_insert_with(|| mesh.build());
                let local = local.get_or_insert_with(|| built.alone());
                derivatives.push(match precision {
                    "f32" => measure::<f32>(&name, local, threads),
                    _ => measure::<f64>(&name, local, threads),
                });
            }
            let name = format!("{mesh_name}, {precision}, 2 ranks");
            if wanted(&name) || (filters.is_empty() && by_default) {
                let built = built.get_or_insert_with(|| mesh.build());
                on_ranks.push(match precision {
                    "f32" => ranks::measure::<f32>(&name, built),
                    _ => ranks::measure::<f64>(&name, built),
                });
            }
        }
    }
    println!(
        "\n{:<36} {:>17} {:>17} {:>17} {:>17} {:>17} {:>17}",
        "derivatives: s, F", "adjoint", "tangent 1", "7", "11", "21", "Jacobian"
    );
    for line in derivatives {
        println!("{line}");
    }
    println!(
        "\n{:<36} {:>8} {:>10} {:>9} {:>7} {:>8} {:>10} {:>9} {:>12}",
        "ranks (threads of this process)",
        "s",
        "1 rank s",
        "ratio",
        "solves",
        "canon.",
        "exchanges",
        "messages",
        "bytes sent"
    );
    for line in on_ranks {
        println!("{line}");
    }
    println!(
        "\n{:<52} {:>8} {:>10} {:>11} {:>9} {:>13}",
        "inversion, configuration to closed file",
        "s",
        "iterations",
        "evaluations",
        "misfit",
        "gamma error"
    );
    for optimizer in inversion::OPTIMIZERS {
        for threads in [1, 2] {
            let name = format!(
                "left ventricle 273k, 21 domains, {optimizer}, {}",
                plural(threads)
            );
            if filters.is_empty() || wanted(&name) {
                println!("{}", inversion::measure(&name, optimizer, threads));
            }
        }
    }
}

fn plural(threads: usize) -> String {
    match threads {
        1 => "1 thread".into(),
        n => format!("{n} threads"),
    }
}

fn with_threads<R: Send>(threads: usize, body: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("threads").install(body)
}

/// Seconds that `body` takes, and what it returns.
fn timed<R>(body: impl FnOnce() -> R) -> (f64, R) {
    let begun = Instant::now();
    let result = black_box(body());
    (begun.elapsed().as_secs_f64(), result)
}

/// Prints the line of the forward solution and returns that of the derivatives.
fn measure<T: Real>(name: &str, local: &LocalMesh, threads: usize) -> String {
    let tetrahedra = local.tetrahedra.len() as f64;
    let runs = (4e6 / tetrahedra).clamp(2.0, 9.0) as usize;
    let before = memory::now();
    let problem = |threads| {
        with_threads(threads, || {
            Eikonal::<T>::new(&Solo, local, &[SOURCE], None).expect("a problem")
        })
    };
    let eikonal = problem(threads);
    let gamma = [T::from_f64(1.0); DOMAINS];
    let solve = |eikonal: &Eikonal<T>| eikonal.solve(&Solo, &gamma).expect("a solution");
    // This one warms up; its memory counts.
    memory::now();
    let mut solution = with_threads(threads, || solve(&eikonal));
    let bytes = (memory::most() - before) as f64;

    let one = (threads > 1).then(|| problem(1));
    let source = local
        .global_vertices
        .iter()
        .position(|v| *v == SOURCE.vertex);
    let source = source.expect("the source") as u32;
    let (mut forward, mut compared) = (f64::MAX, f64::MAX);
    for run in 0..runs {
        let (seconds, latest) = with_threads(threads, || timed(|| solve(&eikonal)));
        forward = forward.min(seconds);
        solution = latest;
        if let Some(one) = &one {
            compared = compared.min(with_threads(1, || timed(|| solve(one)).0));
        } else if run < 3 {
            compared = compared.min(timed(|| Classical::solve(&eikonal.mesh, source)).0);
        }
    }
    let c = &solution.counters;
    let per_vertex = |count: u64| count as f64 / local.owned as f64;
    println!(
        "{name:<36} {forward:>8.4} {compared:>10.4} {:>8.2}× {:>7.1} {:>8.1} {:>7.2} {:>6.0}",
        compared / forward,
        per_vertex(c.local_solves),
        per_vertex(c.canonical_solves),
        per_vertex(c.vertex_updates),
        bytes / tetrahedra
    );
    with_threads(threads, || {
        derivatives(name, &eikonal, &solution, forward, runs)
    })
}

fn derivatives<T: Real>(
    name: &str,
    eikonal: &Eikonal<T>,
    solution: &Solution<T>,
    forward: f64,
    runs: usize,
) -> String {
    let gamma = [1.0; DOMAINS];
    let adjoint = || {
        let mut traffic = Traffic::default();
        let downwind = eikonal.downwind(&Solo, solution, &mut traffic);
        let mut phi_bar = vec![1.0; eikonal.mesh.owned];
        eikonal.adjoint(&Solo, solution, &downwind, &mut phi_bar, &mut traffic);
        let zero = || vec![0.0; DOMAINS];
        eikonal
            .gamma_bar_terms(solution, &gamma, &phi_bar)
            .fold(zero, |mut sums, (k, term)| {
                sums[k] += term;
                sums
            })
            .reduce(zero, |a, b| a.iter().zip(b).map(|(a, b)| a + b).collect())
    };
    let tangent = |width: usize| {
        let gamma_dot: Vec<f64> = (0..DOMAINS * width).map(|i| (i % 5) as f64).collect();
        let mut traffic = Traffic::default();
        eikonal.tangent(&Solo, solution, &gamma, &gamma_dot, width, &mut traffic)
    };
    let jacobian = || eikonal.jacobian(&Solo, solution, &gamma, &mut Traffic::default());
    let least =
        |body: &dyn Fn() -> Vec<f64>| (0..runs).map(|_| timed(body).0).fold(f64::MAX, f64::min);
    let mut times = vec![least(&adjoint)];
    for width in [1, 7, 11, 21] {
        times.push(least(&|| tangent(width)));
    }
    times.push(least(&jacobian));
    let figures = times
        .into_iter()
        .map(|t| format!(" {t:>9.4} {:>7.3}", 1.0 + t / forward));
    format!("{name:<36}{}", figures.collect::<String>())
}
