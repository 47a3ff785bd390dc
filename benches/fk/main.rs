//! Speed of `isochrone fk`: nanoseconds per cell and step, beside the machine's measured bandwidth
//! and arithmetic, and a plain loop without blocking.
//!
//! cargo bench --bench fk [-- FILTER…]: only the lines whose name contains one of the filters.
//! STEPS, TILE (layers,rows,columns) and THREADS in the environment replace what is chosen.

mod machine;
mod plain;

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
use machine::{bandwidth, peak};
use plain::plain;

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
    let (bandwidth, peak) = ([1, 2].map(bandwidth), [1, 2].map(peak));
    println!(
        "SIMD {}, copy {:.1} and {:.1} GB/s on 1 and 2 threads",
        level.name(),
        bandwidth[0],
        bandwidth[1]
    );
    println!(
        "\n{:<34} {:>8} {:>10} {:>9} {:>8} {:>8}",
        "", "ns", "million/s", "of copy", "of peak", "spread"
    );
    for case in cases(level) {
        if !filters.is_empty() && !filters.iter().any(|f| case.name.contains(f)) {
            continue;
        }
        let (ns, spread) = case.measure();
        // What one or two threads can do: more are not measured.
        let at = (case.threads * case.ranks).min(2) - 1;
        let of_peak = case
            .operations()
            .zip(peak[at])
            .map(|(operations, peak)| format!("{:.0}%", 100.0 * operations / ns / peak));
        let bytes = if case.precision == Precision::F64 {
            48.0
        } else {
            24.0
        };
        println!(
            "{:<34} {ns:>8.4} {:>10.0} {:>8.0}% {:>8} {:>7.0}%",
            case.name,
            1e3 / ns,
            // What a loop without blocking in time would have to move.
            100.0 * bytes / ns / bandwidth[at],
            of_peak.as_deref().unwrap_or("–"),
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
            tissue: Kind::Isotropic,
            ..base("256³, f32, D per cell", [256; 3])
        },
        Case {
            tissue: Kind::Tensor,
            ..base("256³, f32, tensor per cell", [256; 3])
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
        Case {
            precision: Precision::F64,
            ..base("256³, f64, 2 threads", [256; 3])
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

    /// Arithmetic operations on a cell in a step, as the compiler left them for AVX-512 (a fused
    /// one, a division and a selection count as one), where they were counted.
    fn operations(&self) -> Option<f64> {
        let counted = self.tissue == Kind::Uniform
            && self.stencil == StencilKind::Flux
            && self.integrator != Integrator::Heun
            && self.level == SimdLevel::Avx512;
        let third_axis = if self.shape[0] == 1 { 0.0 } else { 5.0 };
        // A register holds half as many f64.
        let count = match self.precision {
            Precision::F64 => 2.0 * (45.0 + third_axis),
            Precision::F32 => 39.0 + third_axis,
        };
        counted.then_some(count)
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
