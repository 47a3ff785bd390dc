//! The local solver alone, its data in the first cache: what the rest of a forward solution is to be
//! measured by.

use isochrone::eikonal::block::{BLOCK, Block};
use isochrone::eikonal::local_solves::LocalSolves;
use isochrone::eikonal::simd::Kernels;
use isochrone::real::Real;
use isochrone::simd::SimdLevel;

use super::timed;

/// Blocks solved for one time.
const BLOCKS: usize = 2000;

/// The line of a number type at a SIMD level: ns for the interior of a face in full blocks, and for a
/// whole local solve, edges and the collection of what is found included. Nothing where this machine
/// lacks the level.
pub fn measure<T: Real>(precision: &str, level: SimdLevel) -> Option<String> {
    if !level.pin() {
        return None;
    }
    let kernels = Kernels::<T>::detect();
    // Faces of a regular tetrahedron bent a little, reached from every side.
    let corner = |i: usize| {
        let lengths = [0.0, 0.1, 0.3, 0.2, 0.4, 0.05].map(|x| T::from_f64(1.0 + x));
        let times = [i % 7, i % 5, i % 3].map(|k| T::from_f64(10.0 + 0.15 * k as f64));
        (lengths, times)
    };
    let limit = T::from_f64(f64::INFINITY);
    let mut block = Block::<T>::default();
    let fill = |block: &mut Block<T>| {
        for i in 0..BLOCK {
            let (lengths, times) = corner(i);
            block.push(lengths, times, i as u32, limit);
        }
    };
    fill(&mut block);
    let interior = || (0..BLOCKS).for_each(|_| kernels.interior(std::hint::black_box(&mut block)));
    let interior = least(interior);
    let mut solves = LocalSolves::<T>::default();
    let whole = least(|| {
        for _ in 0..BLOCKS {
            fill(solves.room_for(BLOCK));
        }
        solves.finish();
        std::hint::black_box(solves.found().count());
    });
    SimdLevel::best().pin();
    Some(format!(
        "{:<36} {interior:>12.2} {whole:>12.2}",
        format!("{precision}, {}", level.name())
    ))
}

/// ns for each corner, the least of several times.
fn least(mut body: impl FnMut()) -> f64 {
    let times = (0..20).map(|_| timed(&mut body).0);
    times.fold(f64::MAX, f64::min) * 1e9 / (BLOCKS * BLOCK) as f64
}
