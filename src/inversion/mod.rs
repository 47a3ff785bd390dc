//! Inversion: the conductivity scaling γ of each domain from measured activation times.
//!
//! [`objective`] is what a solver provides, [`misfit`] compares times, [`problem`] adds parameters
//! and penalties, [`optimizer`] minimises, [`coordinator`] lets rank 0 lead and the others serve.
//! Nothing here knows the eikonal equation.

#[cfg(test)]
mod analytic;
pub mod coordinator;
pub mod finite_differences;
pub mod locate;
pub mod misfit;
pub mod objective;
pub mod optimizer;
pub mod options;
mod parameters;
pub mod problem;
pub mod regularisation;
