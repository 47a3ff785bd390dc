//! Speed of `isochrone fk`: nanoseconds per cell and step, beside the machine's measured bandwidth
//! and a plain loop without blocking.
//!
//! cargo bench --bench fk [-- FILTER…]: only the lines whose name contains one of the filters.
//! STEPS, TILE (layers,rows,columns) and THREADS in the environment replace what is chosen.

use std::hint::black_box;
use std::time::Instant;

use isochrone::comm::solo::Solo;
use isochrone::comm::{Communicator, threads};
use isochrone::eikonal::options::Precision;
use isochrone::ionic::Model;
use isochrone::monodomain::grid::{Diffusivity, Grid, Tissue};
use isochrone::monodomain::options::{Integrator, StencilKind};
use isochrone::monodomain::simulation::{Setup, Simulation, Values, build};
use isochrone::simd::SimdLevel;

/// Set 3, D = 0.1 mm²/ms, Δx = 0.1 mm, Δt = 0.01 ms, twenty rows excited: as the JAX baseline.
const DT: f64 = 0.01;
/// Cell updates of one measurement.
const UPDATES: f64 = 4e8;
const REPEATS: usize = 5;

struct Case {
    name: &'static str,
    shape: [usize; 3],
    tissue: Kind,
    precision: Precision,
    integrator: Integrator,
    stencil: StencilKind,
    level: SimdLevel,
    threads: usize,
    ranks: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Uniform,
    /// D differs from cell to cell.
    Isotropic,
    Tensor,
    /// A thick shell, about a fifth of its box.
    Shell,
    /// The same with a tensor that differs from cell to cell.
    TensorShell,
}

fn main() {
    let filters: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let level = SimdLevel::best();
    let bandwidth = [1, 2].map(bandwidth);
    println!(
        "SIMD {}, copy {:.1} and {:.1} GB/s on 1 and 2 threads",
        level.name(),
        bandwidth[0],
        bandwidth[1]
    );
    println!(
        "\n{:<34} {:>8} {:>10} {:>9} {:>8}",
        "", "ns", "million/s", "of copy", "spread"
    );
    for case in cases(level) {
        if !filters.is_empty() && !filters.iter().any(|f| case.name.contains(f)) {
            continue;
        }
        let (ns, spread) = case.measure();
        let workers = case.threads * case.ranks;
        let bytes = if case.precision == Precision::F64 {
            48.0
        } else {
            24.0
        };
        println!(
            "{:<34} {ns:>8.4} {:>10.0} {:>8.0}% {:>7.0}%",
            case.name,
            1e3 / ns,
            // What a loop without blocking in time would have to move.
            100.0 * bytes / ns / bandwidth[workers.min(2) - 1],
            100.0 * spread
        );
    }
    for n in [512, 4096] {
        let name = format!("plain loop {n}², 1 thread");
        if filters.is_empty() || filters.iter().any(|f| name.contains(f)) {
            let ns = plain(n);
            println!("{name:<34} {ns:>8.4} {:>10.0}", 1e3 / ns);
        }
    }
}

fn cases(level: SimdLevel) -> Vec<Case> {
    let base = |name, shape| Case {
        name,
        shape,
        tissue: Kind::Uniform,
        precision: Precision::F32,
        integrator: Integrator::Euler,
        stencil: StencilKind::Flux,
        level,
        threads: std::env::var("THREADS")
            .ok()
            .and_then(|s| s.parse().ok())
            .unwrap_or(2),
        ranks: 1,
    };
    let square = |name, n| base(name, [1, n, n]);
    let avx2 = if level == SimdLevel::Avx512 {
        SimdLevel::Avx2
    } else {
        level
    };
    let two_ranks = |case: Case| Case {
        threads: 1,
        ranks: 2,
        ..case
    };
    vec![
        square("64², f32, 2 threads", 64),
        square("128², f32, 2 threads", 128),
        square("256², f32, 2 threads", 256),
        square("512², f32, 2 threads", 512),
        square("1024², f32, 2 threads", 1024),
        square("4096², f32, 2 threads", 4096),
        square("8192², f32, 2 threads", 8192),
        Case {
            threads: 1,
            ..square("64², f32, 1 thread", 64)
        },
        Case {
            threads: 1,
            ..square("512², f32, 1 thread", 512)
        },
        two_ranks(square("512², f32, 2 ranks", 512)),
        two_ranks(square("1024², f32, 2 ranks", 1024)),
        two_ranks(square("4096², f32, 2 ranks", 4096)),
        Case {
            level: avx2,
            ..square("512², f32, AVX2, 2 threads", 512)
        },
        Case {
            level: SimdLevel::Baseline,
            ..square("512², f32, baseline, 2 threads", 512)
        },
        Case {
            precision: Precision::F64,
            ..square("512², f64, 2 threads", 512)
        },
        Case {
            precision: Precision::F64,
            ..square("1024², f64, 2 threads", 1024)
        },
        Case {
            integrator: Integrator::RushLarsen,
            ..square("512², f32, Rush–Larsen", 512)
        },
        Case {
            integrator: Integrator::Heun,
            ..square("512², f32, Heun", 512)
        },
        Case {
            tissue: Kind::Isotropic,
            ..square("512², f32, D per cell", 512)
        },
        Case {
            tissue: Kind::Tensor,
            ..square("512², f32, tensor per cell", 512)
        },
        Case {
            stencil: StencilKind::Cardiax,
            precision: Precision::F64,
            ..square("512², f64, cardiax", 512)
        },
        base("128³, f32, 2 threads", [128; 3]),
        base("256³, f32, 2 threads", [256; 3]),
        Case {
            tissue: Kind::Isotropic,
            ..base("128³, f32, D per cell", [128; 3])
        },
        Case {
            tissue: Kind::Tensor,
            ..base("128³, f32, tensor per cell", [128; 3])
        },
        Case {
            tissue: Kind::Shell,
            ..base("shell in 256³, f32, per active", [256; 3])
        },
        Case {
            tissue: Kind::TensorShell,
            ..base("tensor shell in 256³, per active", [256; 3])
        },
        Case {
            tissue: Kind::Shell,
            ..base("shell in 64³, f32, per active", [64; 3])
        },
        Case {
            precision: Precision::F64,
            ..base("128³, f64, 2 threads", [128; 3])
        },
    ]
}

impl Case {
    fn grid(&self) -> Grid {
        Grid {
            shape: self.shape,
            spacing: [0.1; 3],
            origin: [0.0; 3],
            periodic: [false; 3],
            dimensions: if self.shape[0] == 1 { 2 } else { 3 },
        }
    }

    fn tissue(&self) -> Tissue {
        let grid = self.grid();
        let cells = 0..grid.cells();
        // Varies by a few per cent, below the limit of stability.
        let d = |cell: usize| 0.1 - 0.01 * (cell % 7) as f64 / 7.0;
        Tissue {
            active: matches!(self.tissue, Kind::Shell | Kind::TensorShell).then(|| {
                let inside = |cell: usize| {
                    let place = grid.place(cell);
                    let r: f64 = (0..3)
                        .map(|a| ((place[a] as f64 + 0.5) / self.shape[a] as f64 - 0.5).powi(2))
                        .sum();
                    (0.35..0.5).contains(&r.sqrt())
                };
                cells.clone().map(inside).collect()
            }),
            diffusivity: match self.tissue {
                Kind::Uniform | Kind::Shell => Diffusivity::Uniform([0.1, 0.0, 0.0, 0.1, 0.0, 0.1]),
                Kind::Isotropic => Diffusivity::Isotropic(cells.map(d).collect()),
                Kind::Tensor | Kind::TensorShell => Diffusivity::Tensor(
                    cells
                        .map(|c| [d(c), 0.02, 0.01, 0.05, 0.01, 0.05])
                        .collect(),
                ),
            },
            region: None,
        }
    }

    /// Nanoseconds per active cell and step, the median of several, and their relative spread.
    fn measure(&self) -> (f64, f64) {
        let times = if self.ranks == 1 {
            self.run(&Solo)
        } else {
            threads::run(self.ranks, |comm| self.run(comm)).swap_remove(0)
        };
        let mut sorted = times;
        sorted.sort_by(f64::total_cmp);
        let median = sorted[sorted.len() / 2];
        (median, (sorted[sorted.len() - 1] - sorted[0]) / median)
    }

    fn run(&self, comm: &dyn Communicator) -> Vec<f64> {
        let tissue = (comm.rank() == 0).then(|| self.tissue());
        let setup = Setup {
            grid: self.grid(),
            tissue: tissue.as_ref(),
            models: vec![Model::named("fenton-karma", "3").expect("published")],
            stencil: self.stencil,
            integrator: self.integrator,
            precision: self.precision,
            dt: DT,
            stimuli: Vec::new(),
            schedules: Vec::new(),
            upstrokes: None,
            device: None,
            threads: self.threads,
            level: self.level,
            steps_per_exchange: std::env::var("STEPS").ok().and_then(|s| s.parse().ok()),
            tile: std::env::var("TILE").ok().and_then(|s| {
                let sizes: Vec<usize> = s.split(',').filter_map(|n| n.parse().ok()).collect();
                sizes.try_into().ok()
            }),
        };
        let simulation = build(comm, setup).expect("a valid case");
        let simulation: &dyn Simulation = &*simulation;
        let columns = self.shape[2] * self.shape[1];
        let excited = if self.shape[0] == 1 {
            20 * self.shape[2]
        } else {
            20 * columns
        };
        let cells = self.grid().cells();
        let mut u = vec![0.0; cells];
        u[..excited].fill(0.9);
        simulation.scatter(comm, 0, (comm.rank() == 0).then_some(&Values::F64(u)));
        let active: u64 = simulation.division().tiles.iter().map(|t| t.active).sum();
        let steps = ((UPDATES / active as f64) as u64).clamp(16, 400_000);
        let mut step = 0;
        let mut times = Vec::new();
        for repeat in 0..=REPEATS {
            comm.barrier();
            let begun = Instant::now();
            simulation.advance(comm, step, steps);
            comm.barrier();
            step += steps;
            // The first warms up.
            if repeat > 0 {
                times.push(begun.elapsed().as_secs_f64() * 1e9 / active as f64 / steps as f64);
            }
        }
        black_box(simulation.largest(comm));
        times
    }
}

/// GB/s read and written by copying arrays out of cache.
fn bandwidth(threads: usize) -> f64 {
    const N: usize = 1 << 25;
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let from = vec![1.0f32; N];
                let mut to = vec![0.0f32; N];
                for _ in 0..4 {
                    to.copy_from_slice(black_box(&from));
                    black_box(&mut to);
                }
            });
        }
    });
    let warm = begun.elapsed();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let from = vec![1.0f32; N];
                let mut to = vec![0.0f32; N];
                for _ in 0..20 {
                    to.copy_from_slice(black_box(&from));
                    black_box(&mut to);
                }
            });
        }
    });
    // Without what allocation takes.
    let seconds = begun.elapsed().saturating_sub(warm).as_secs_f64();
    threads as f64 * 16.0 * 8.0 * N as f64 / seconds / 1e9
}

/// The model as one would write it first: a loop over the grid, tanh of the library.
fn plain(n: usize) -> f64 {
    let mut u = vec![0.0f32; n * n];
    u[..20 * n].fill(0.9);
    let (mut v, mut w, mut next) = (vec![1.0f32; n * n], vec![1.0f32; n * n], u.clone());
    let dt = DT as f32;
    let steps = (4e7 / (n * n) as f64).max(2.0) as usize;
    let begun = Instant::now();
    for _ in 0..steps {
        for y in 0..n {
            let (up, down) = (y.saturating_sub(1), (y + 1).min(n - 1));
            for x in 0..n {
                let i = y * n + x;
                let (left, right) = (x.saturating_sub(1), (x + 1).min(n - 1));
                let c = u[i];
                let neighbours =
                    u[y * n + left] + u[y * n + right] + u[up * n + x] + u[down * n + x];
                let j_si = -w[i] * (1.0 + (10.0 * (c - 0.85)).tanh()) / 58.0;
                let p = c >= 0.13;
                let j = if p {
                    -v[i] * (c - 0.13) * (1.0 - c) / 0.25 + 1.0 / 33.33
                } else {
                    c / 12.5
                };
                next[i] = c + 0.1 * (neighbours - 4.0 * c) - dt * (j + j_si);
                let tau = if c >= 0.04 { 1250.0 } else { 19.6 };
                v[i] += dt * if p { -v[i] / 3.33 } else { (1.0 - v[i]) / tau };
                w[i] += dt
                    * if p {
                        -w[i] / 870.0
                    } else {
                        (1.0 - w[i]) / 41.0
                    };
            }
        }
        std::mem::swap(&mut u, &mut next);
    }
    black_box(&u);
    begun.elapsed().as_secs_f64() * 1e9 / (n * n * steps) as f64
}
