//! Forward solutions on two ranks.

use isochrone::comm::halo::Traffic;
use isochrone::comm::{solo::Solo, threads};
use isochrone::eikonal::forward::Eikonal;
use isochrone::real::Real;

use super::meshes::Built;
use super::{DOMAINS, SOURCE, timed, with_threads};

const RANKS: usize = 2;

/// The line of a forward solution on two ranks of one thread each, beside one rank of one thread.
pub fn measure<T: Real>(name: &str, built: &Built) -> String {
    let gamma = [T::from_f64(1.0); DOMAINS];
    let parts = built.parts(RANKS);
    let runs = 3;
    let alone = with_threads(1, || {
        let local = built.alone();
        let eikonal = Eikonal::<T>::new(&Solo, &local, &[SOURCE], None).expect("a problem");
        let solve = |_| timed(|| eikonal.solve(&Solo, &gamma).expect("a solution")).0;
        (0..runs).map(solve).fold(f64::MAX, f64::min)
    });
    let shares = threads::run(RANKS, |comm| {
        // The parallel loops of a rank run on its own thread.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1);
        let _pool = pool.use_current_thread().build().expect("a pool");
        let local = built.part(comm, &parts);
        let eikonal = Eikonal::<T>::new(comm, &local, &[SOURCE], None).expect("a problem");
        let (mut least, mut counters) = (f64::MAX, None);
        for _ in 0..runs {
            comm.barrier();
            let (seconds, solution) = timed(|| {
                let solution = eikonal.solve(comm, &gamma).expect("a solution");
                comm.barrier();
                solution
            });
            least = least.min(seconds);
            counters = Some(solution.counters);
        }
        (least, counters.expect("a run"), local.owned)
    });
    let seconds = shares.iter().map(|s| s.0).fold(0.0, f64::max);
    let vertices: usize = shares.iter().map(|s| s.2).sum();
    let sum =
        |of: fn(&Traffic) -> u64| -> u64 { shares.iter().map(|s| of(&s.1.whole_traffic())).sum() };
    let [solves, canonical] = [
        shares.iter().map(|s| s.1.local_solves).sum::<u64>(),
        shares.iter().map(|s| s.1.canonical_solves).sum(),
    ]
    .map(|n| n as f64 / vertices as f64);
    format!(
        "{name:<36} {seconds:>8.4} {alone:>10.4} {:>8.2}× {solves:>7.1} {canonical:>8.1} {:>10} {:>9} {:>12}",
        alone / seconds,
        shares[0].1.whole_traffic().exchanges,
        sum(|t| t.messages),
        sum(|t| t.bytes_sent)
    )
}
