//! Inversion: the conductivity scaling γ of each domain from measured activation times.
//!
//! [`objective`] is what a solver provides, [`observations`] hold what was measured and [`misfit`]
//! compares it, [`problem`] adds parameters and penalties, [`optimizer`] minimises, and
//! [`coordinator`] lets rank 0 lead while the others serve. Only [`eikonal_misfit`] knows the
//! eikonal equation.

#[cfg(test)]
mod analytic;
pub mod coordinator;
pub mod eikonal_misfit;
pub mod finite_differences;
pub mod locate;
pub mod misfit;
pub mod objective;
pub mod observations;
pub mod optimizer;
pub mod options;
mod parameters;
pub mod problem;
pub mod refinement;
pub mod regularisation;
pub mod schedule;
pub mod sources;
pub mod uncertainty;
