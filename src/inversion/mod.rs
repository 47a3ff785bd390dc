//! Inversion: the conductivity scaling γ of each domain from measured activation times.

pub mod locate;
pub mod misfit;
pub mod objective;
pub mod options;
