//! What the SIMD levels differ by.

use isochrone::eikonal::options::Precision;
use isochrone::monodomain::grid::Diffusivity;
use isochrone::monodomain::options::StencilKind;
use isochrone::simd::SimdLevel;

use crate::case::{Case, Way, grid, isotropic, largest_difference, state};

/// A wave over 64 × 96 cells for 1,000 steps. AVX2 and AVX-512 do the same operations with rounding
/// once, and agree to the bit; the baseline rounds twice. Measured: see the assertions.
#[test]
fn levels_differ_by_rounding_alone() {
    let (ny, nx) = (64, 96);
    let cells = ny * nx;
    for stencil in [StencilKind::Flux, StencilKind::Cardiax] {
        for uniform in [true, false] {
            for precision in [Precision::F32, Precision::F64] {
                // cardiax damps no checkerboard, and so amplifies rounding.
                let bound = match (precision, stencil) {
                    (Precision::F32, StencilKind::Flux) => 1e-3,
                    (Precision::F32, StencilKind::Cardiax) => 1e-1,
                    (Precision::F64, StencilKind::Flux) => 1e-12,
                    (Precision::F64, StencilKind::Cardiax) => 1e-10,
                };
                let diffusivity = match uniform {
                    true => isotropic(0.1),
                    false => Diffusivity::Isotropic(
                        (0..cells)
                            .map(|c| 0.08 + 0.02 * (c as f64 * 0.01).sin())
                            .collect(),
                    ),
                };
                let mut case = Case::new(grid([1, ny, nx], 0.2, [false; 3]), diffusivity, 0.03);
                (case.stencil, case.precision) = (stencil, precision);
                // A front without jumps, a quarter of the grid excited.
                let u = |c: usize| 0.5 - 0.5 * (((c % nx) as f64 - 24.0) / 4.0).tanh();
                case.initial = vec![(0..cells).map(u).collect()];
                let run = |level| {
                    case.on(
                        Way {
                            level,
                            ..Way::plain()
                        },
                        |comm, simulation| {
                            simulation.advance(comm, 0, 1000);
                            state(comm, simulation, 3)
                        },
                    )
                };
                let best = run(SimdLevel::best());
                let lower = [SimdLevel::Avx2, SimdLevel::Baseline].into_iter();
                for level in lower.filter(|l| *l as u8 > SimdLevel::best() as u8) {
                    let other = run(level);
                    let differences: Vec<f64> = best
                        .iter()
                        .zip(&other)
                        .map(|(a, b)| largest_difference(a, b))
                        .collect();
                    println!(
                        "{stencil:?} uniform {uniform} {precision:?}: {} and {} differ by {differences:?}",
                        SimdLevel::best().name(),
                        level.name()
                    );
                    assert!(differences.iter().all(|d| *d <= bound), "{differences:?}");
                    if level == SimdLevel::Avx2 {
                        assert_eq!(best, other, "the same operations");
                    }
                }
            }
        }
    }
}
