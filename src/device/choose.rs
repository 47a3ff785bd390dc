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
/// in turn. Collective: all ranks have one, or none has. `asked`: the user has said something about
/// devices, and is told what became of it.
///
/// # Errors
/// [`Error::BadData`] on all ranks where `cuda` is asked for and a rank has no device.
pub fn choose(
    comm: &dyn Communicator,
    wanted: DeviceChoice,
    asked: bool,
) -> Result<Option<Arc<dyn Device>>> {
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
            let reason = opened.err().unwrap_or_default();
            tell_cpu(comm, without as usize, &reason, asked);
            Ok(None)
        }
    }
}

/// One line of rank 0 on why all compute on the CPU, `without` of them for this rank's `reason`
/// (empty: it has a device). That a machine has no GPU at all is news to nobody who did not ask.
/// Collective.
fn tell_cpu(comm: &dyn Communicator, without: usize, reason: &str, asked: bool) {
    let reasons = comm.gather(0, reason.as_bytes());
    let first = reasons.iter().enumerate().find(|(_, r)| !r.is_empty());
    let Some((rank, reason)) = first else {
        return;
    };
    let (ranks, reason) = (comm.size(), String::from_utf8_lossy(reason));
    if without < ranks {
        tracing::warn!(
            "computing on the CPU, since {without} of {ranks} ranks have no GPU: rank {rank}: {reason}"
        );
    } else if asked || has_driver() {
        tracing::info!("computing on the CPU: {reason}");
    } else {
        tracing::debug!("computing on the CPU: {reason}");
    }
}

/// Whether this machine looks as if it had a GPU.
fn has_driver() -> bool {
    #[cfg(feature = "cuda")]
    return super::probe::has_driver();
    #[cfg(not(feature = "cuda"))]
    false
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
