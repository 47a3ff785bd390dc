//! Inversion: the conductivity scaling γ of each domain from measured activation times.

pub mod options;
