//! Memory of what is recorded of every cell.

use crate::config::Case;
use crate::error::Result;
use crate::memory;
use crate::monodomain::options::FkOptions;

/// Bytes of the activations and durations of a cell (`monodomain/activation.rs`); 0 where none are
/// recorded.
pub fn of_upstrokes(fk: &FkOptions) -> u64 {
    if fk.record.upstroke().is_none() {
        return 0;
    }
    let durations = if fk.record.apd_level.is_some() { 12 } else { 0 };
    (fk.record.activations as u64)
        .saturating_mul(8)
        .saturating_add(20 + durations)
}

/// Copies of what a rank recorded: its own, and what it sends.
pub const COPIES: u64 = 2;

/// Copies of all cells on rank 0: what it receives, and the whole.
pub const COPIES_ON_ROOT: u64 = 2;

/// Refuses to keep more activations of `cells` cells than rank 0 could gather.
pub fn refuse_activations(case: &Case, fk: &FkOptions, cells: usize, ranks: usize) -> Result<()> {
    let copies = COPIES_ON_ROOT as f64 + COPIES as f64 / ranks as f64;
    let needed = cells as f64 * of_upstrokes(fk) as f64 * copies;
    let keep = fk.record.activations;
    match memory::available() {
        Some(free) if keep > 0 && needed > free => Err(case.origins.error(
            "fk.record.activations",
            format!(
                "{keep} activations of each of {cells} cells need {:.1} GB of memory, and {:.1} GB are \
                 free",
                needed / 1e9,
                free / 1e9
            ),
            "keep as many as a cell has in the run, or a coarser grid",
        )),
        _ => Ok(()),
    }
}
