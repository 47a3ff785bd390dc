//! Cardiac electrophysiology on clusters.
#![deny(unsafe_op_in_unsafe_fn)]

pub mod atomic_file;
pub mod cli;
pub mod comm;
pub mod config;
pub mod eikonal;
pub mod error;
pub mod exact_sum;
pub mod inversion;
pub mod io;
pub mod mesh;
pub mod partition;
pub mod progress;
pub mod real;
pub mod report;
pub mod run;
pub mod sha256;
pub mod tensor;
pub mod units;
