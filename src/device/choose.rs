//! Which device a rank computes on.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Device;
use crate::comm::{Communicator, agree};
use crate::error::{Error, Result};

/// Where a rank computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// A GPU where there is one, else the CPU.
    #[default]
    Auto,
    Cpu,
    /// A GPU, or an error.
    Cuda,
}

impl DeviceChoice {
    /// Name as in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            DeviceChoice::Auto => "auto",
            DeviceChoice::Cpu => "cpu",
            DeviceChoice::Cuda => "cuda",
        }
    }
}

/// The device of this rank, where there is one and it is wanted: ranks of a node take its devices
/// in turn. Collective: all ranks have one, or none has.
///
/// # Errors
/// [`Error::BadData`] on all ranks where `cuda` is asked for and a rank has no device.
pub fn choose(comm: &dyn Communicator, wanted: DeviceChoice) -> Result<Option<Arc<dyn Device>>> {
    if wanted == DeviceChoice::Cpu {
        return Ok(None);
    }
    let opened = open(comm.node_rank());
    let mut missing = [u64::from(opened.is_err())];
    comm.sum_u64(&mut missing);
    match (missing[0], wanted) {
        (0, _) => opened.map(Some).map_err(|reason| refused(&reason)),
        (_, DeviceChoice::Cuda) => {
            let refused = opened.map(|_| ()).map_err(|reason| refused(&reason));
            agree(comm, refused)?;
            Ok(None)
        }
        (without, _) => {
            if let Err(reason) = &opened {
                // One line, from the first rank without.
                let all = comm.size() as u64 == without;
                if comm.rank() == 0 || !all {
                    tracing::info!("computing on the CPU: {reason}");
                }
            }
            Ok(None)
        }
    }
}

fn refused(reason: &str) -> Error {
    Error::bad_data(
        "run.device = \"cuda\"",
        format!("there is no CUDA device that this program can use: {reason}"),
        "choose auto or cpu; `isochrone info` shows the devices",
    )
}

#[cfg(feature = "cuda")]
fn open(node_rank: usize) -> Result<Arc<dyn Device>, String> {
    let devices = super::probe::devices()?;
    let device = &devices[node_rank % devices.len()];
    let opened = super::cuda::Cuda::open(device).map_err(|e| e.to_string())?;
    Ok(Arc::new(opened))
}

#[cfg(not(feature = "cuda"))]
fn open(_: usize) -> Result<Arc<dyn Device>, String> {
    Err("this program was built without the feature cuda".into())
}

/// Lines for `isochrone info`: each device, or why there is none.
pub fn describe() -> Vec<String> {
    #[cfg(feature = "cuda")]
    return match super::probe::devices() {
        Ok(devices) => devices.iter().map(ToString::to_string).collect(),
        Err(reason) => vec![format!("no CUDA device: {reason}")],
    };
    #[cfg(not(feature = "cuda"))]
    vec!["no CUDA device: this program was built without the feature cuda".into()]
}
