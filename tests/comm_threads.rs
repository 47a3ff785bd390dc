//! Communicators within one process: alone, and ranks as threads.

mod comm_operations;

use comm_operations::check_every_operation;
use isochrone::comm::{solo::Solo, threads};

#[test]
fn ranks_as_threads() {
    for ranks in [1, 2, 3, 4, 7, 64] {
        threads::run(ranks, |comm| check_every_operation(comm, 200_000));
    }
}

#[test]
fn alone() {
    check_every_operation(&Solo, 200_000);
}
