//! Values of owned vertices or local tetrahedra, gathered on rank 0 in the file's numbering.

use crate::comm::{Communicator, gather_slices};

/// `components` values of each of `count` entities on rank 0, empty elsewhere; `numbers` are the
/// numbers in the file of the entities that this rank gives, `values` theirs in that order.
/// Collective.
pub fn gather(
    comm: &dyn Communicator,
    count: usize,
    components: usize,
    numbers: &[u32],
    values: &[f64],
) -> Vec<f64> {
    let all_numbers = gather_slices(comm, 0, numbers);
    let all_values = gather_slices(comm, 0, values);
    if comm.rank() != 0 {
        return Vec::new();
    }
    let mut whole = vec![f64::NAN; count * components];
    for (numbers, values) in all_numbers.iter().zip(&all_values) {
        for (number, value) in numbers.iter().zip(values.chunks_exact(components)) {
            whole[*number as usize * components..][..components].copy_from_slice(value);
        }
    }
    whole
}
