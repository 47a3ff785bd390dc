//! Forward solution, adjoint and Jacobian on one rank: seconds, work per vertex, gradient factors.
//!
//!     cargo bench --bench eikonal                 # 273 thousand tetrahedra
//!     cargo bench --bench eikonal -- 0.643        # another edge length, mm
//!     RAYON_NUM_THREADS=1 cargo bench --bench eikonal
//!
//! The mesh is the generated left ventricle, with METIS domains as in the inversion. Each figure is
//! the least of several runs, which noise disturbs least.

use std::time::Instant;

use isochrone::comm::halo::Traffic;
use isochrone::comm::solo::Solo;
use isochrone::eikonal::forward::{Eikonal, Source};
use isochrone::mesh::TetMesh;
use isochrone::mesh::generate::{Generator, generate};
use isochrone::partition::local_mesh::{LocalMesh, WholeMesh, distribute};
use isochrone::partition::material_domains;
use isochrone::real::Real;
use isochrone::simd::SimdLevel;
use isochrone::tensor::{Metric, VelocityTensor};

const DOMAINS: usize = 21;
const RUNS: usize = 5;
const SPEEDS: [f64; 3] = [0.6, 0.4, 0.2];

fn main() {
    let edge = std::env::args().find_map(|a| a.parse::<f64>().ok());
    let mesh = left_ventricle(edge.unwrap_or(1.455));
    println!(
        "left ventricle, {} vertices, {} tetrahedra, {DOMAINS} domains, {} threads, {}",
        mesh.vertex_count(),
        mesh.tetrahedron_count(),
        rayon::current_num_threads(),
        SimdLevel::detect().name()
    );
    let local = distribute_alone(&mesh);
    println!(
        "{:<5} {:>9} {:>10} {:>10} {:>10} {:>10} {:>9} {:>9}",
        "", "forward s", "solves/v", "canon./v", "adjoint s", "Jacobian s", "F adjoint", "F Jacob."
    );
    measure::<f64>("f64", &local);
    measure::<f32>("f32", &local);
}

fn left_ventricle(edge: f64) -> TetMesh {
    let generator = Generator::Ellipsoid {
        edge,
        fibre_angles: Default::default(),
        left_ventricle: Default::default(),
    };
    generate(&generator, 1.0).expect("a mesh")
}

fn distribute_alone(mesh: &TetMesh) -> LocalMesh {
    let (fibres, sheets) = (mesh.fibres.as_ref(), mesh.sheets.as_ref());
    let (fibres, sheets) = fibres.zip(sheets).expect("fibres and sheets");
    let metric = |t: usize| -> Metric {
        let m = VelocityTensor::from_fibres(SPEEDS, fibres[t], sheets[t]);
        m.metric().expect("a positive definite tensor")
    };
    let whole = WholeMesh {
        points: &mesh.points,
        tetrahedra: &mesh.tetrahedra,
        metric: &metric,
        domains: &material_domains(mesh, DOMAINS).expect("domains"),
        parts: &vec![0; mesh.vertex_count()],
    };
    distribute(&Solo, Some(&whole)).expect("a part")
}

fn measure<T: Real>(name: &str, local: &LocalMesh) {
    let source = Source {
        vertex: 0,
        time: 0.0,
    };
    let eikonal = Eikonal::<T>::new(&Solo, local, &[source], None).expect("a problem");
    let n = local.owned;
    let gamma: Vec<f64> = (0..DOMAINS).map(|k| 1.0 + 0.01 * k as f64).collect();
    let numbers: Vec<T> = gamma.iter().map(|g| T::from_f64(*g)).collect();
    let mut traffic = Traffic::default();
    let (mut forward, mut adjoint, mut jacobian) = (f64::MAX, f64::MAX, f64::MAX);
    let mut counters = Default::default();
    for _ in 0..RUNS {
        let begun = Instant::now();
        let solution = eikonal.solve(&Solo, &numbers).expect("a solution");
        forward = forward.min(begun.elapsed().as_secs_f64());
        counters = solution.counters;

        let begun = Instant::now();
        let downwind = eikonal.downwind(&Solo, &solution, &mut traffic);
        let mut phi_bar = vec![1.0; n];
        eikonal.adjoint(&Solo, &solution, &downwind, &mut phi_bar, &mut traffic);
        let mut gradient = vec![0.0; DOMAINS];
        for (k, term) in eikonal.gamma_bar_terms(&solution, &gamma, &phi_bar) {
            gradient[k] += term;
        }
        adjoint = adjoint.min(begun.elapsed().as_secs_f64());
        std::hint::black_box(gradient);

        let begun = Instant::now();
        let columns = eikonal.jacobian(&Solo, &solution, &gamma, &mut traffic);
        jacobian = jacobian.min(begun.elapsed().as_secs_f64());
        std::hint::black_box(columns);
    }
    println!(
        "{name:<5} {forward:>9.4} {:>10.1} {:>10.1} {adjoint:>10.4} {jacobian:>10.4} {:>9.3} {:>9.3}",
        counters.local_solves as f64 / n as f64,
        counters.canonical_solves as f64 / n as f64,
        1.0 + adjoint / forward,
        1.0 + jacobian / forward
    );
}
