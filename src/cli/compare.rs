//! Options of `diff` and `reproduce`.

use std::path::PathBuf;

use clap::Args;

use super::values::{at_least_one, device, not_negative};
use crate::device::DeviceChoice;

/// By how much numbers may differ.
#[derive(Debug, Clone, Copy, Args)]
pub struct ToleranceArgs {
    /// Largest difference that passes, in the unit of each dataset
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = not_negative, allow_negative_numbers = true)]
    pub absolute: f64,
    /// The same as a share of the largest number of each dataset; both add up
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = not_negative, allow_negative_numbers = true)]
    pub relative: f64,
}

#[derive(Debug, Clone, Args)]
pub struct DiffArgs {
    /// Result of one run
    #[arg(value_name = "A.h5")]
    pub first: PathBuf,
    /// Result of another
    #[arg(value_name = "B.h5")]
    pub second: PathBuf,
    #[command(flatten)]
    pub tolerance: ToleranceArgs,
}

#[derive(Debug, Clone, Args)]
pub struct ReproduceArgs {
    /// Result of eikonal, gradient, invert or fk
    #[arg(value_name = "FILE.h5")]
    pub file: PathBuf,
    #[command(flatten)]
    pub tolerance: ToleranceArgs,
    /// Folder of the new results [default: results/<folder of FILE>-reproduced]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Threads per rank [default: the node's cores divided by its ranks]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub threads: Option<usize>,
    /// Where ranks compute: auto, cpu, cuda [default: that of the configuration]
    #[arg(long, value_parser = device)]
    pub device: Option<DeviceChoice>,
}
