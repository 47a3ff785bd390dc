//! How far the iteration goes, and what the canonical pass makes of it.
//!
//! The iteration passes over falls below [`slack`], so that its times φ end above the solution, by
//! up to the slack for each vertex on the way. The canonical pass takes every tetrahedron within
//! [`of_candidates`] of winning, ε, and computes times ψ from these alone, in causal order, to
//! rounding. With e = max (φ − ψ)/ψ a tetrahedron that could go below ψ has at φ a solution below
//! φ_v + e φ_v; while e is a fraction of ε it is among the candidates, and ψ is the solution,
//! whatever the iteration left. e is known once the pass is done: where it is above
//! [`most_fall`], the iteration goes on from ψ.

use crate::real::Real;

fn is_double<T: Real>() -> bool {
    T::EPSILON < 1e-12
}

/// What does not count as a fall in the iteration, relative to the time (measured in f64 on
/// structured meshes: a hundredth of it costs a quarter more local solves, none at all twice as many).
pub fn slack<T: Real>() -> f64 {
    if is_double::<T>() {
        2e-8
    } else {
        4.0 * T::EPSILON
    }
}

/// Tolerance, as a share of the time, within which a solution may win: far below the usual distance
/// to the second best.
pub fn of_candidates<T: Real>() -> f64 {
    // In f32 rounding gathered along a path reaches 1e-6.
    if is_double::<T>() { 1e-5 } else { 5e-5 }
}

/// The largest fall of a time by the canonical pass, relative to the time, that its candidates
/// allow for.
pub fn most_fall<T: Real>() -> f64 {
    0.25 * of_candidates::<T>()
}

/// The same as [`of_candidates`] for the members of cycles. What depends on what matters there to
/// the last bit; so it is decided at times known to rounding, with a tolerance that only 1 in a
/// billion candidates is near to.
pub fn of_cycles<T: Real>() -> f64 {
    if is_double::<T>() {
        1e-9
    } else {
        of_candidates::<T>()
    }
}
