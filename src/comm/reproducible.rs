//! Sums over all ranks with the same bits for any number of them.

use super::Communicator;
use crate::exact_sum::{ReproducibleSums, modulus_bound};

/// The sums over all ranks, on all ranks. Collective.
pub fn sum_over_ranks<const FOLDS: usize>(
    comm: &dyn Communicator,
    mut sums: ReproducibleSums<FOLDS>,
) -> Vec<f64> {
    comm.sum_f64(sums.partials_mut());
    sums.totals()
}

/// Empty sums for terms of all ranks: `bounds[i]` bounds this rank's terms of sum i, `count` is
/// the number of this rank's terms in each. Collective.
pub fn sums_for<const FOLDS: usize>(
    comm: &dyn Communicator,
    mut bounds: Vec<f64>,
    count: usize,
) -> ReproducibleSums<FOLDS> {
    let mut total = [count as u64];
    comm.sum_u64(&mut total);
    comm.max_f64(&mut bounds);
    ReproducibleSums::new(&bounds, total[0])
}

/// Σ of the terms of all ranks, the same bits for any order and partition; NaN when a term is not
/// finite. Collective.
pub fn reproducible_sum(comm: &dyn Communicator, terms: &[f64]) -> f64 {
    let bound = modulus_bound(terms);
    let mut sums: ReproducibleSums = sums_for(comm, vec![bound], terms.len());
    for &x in terms {
        sums.add(&[x]);
    }
    sum_over_ranks(comm, sums)[0]
}
