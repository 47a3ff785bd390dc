//! Typed collectives and the shared error, on top of the byte messages of [`Communicator`].

use bytemuck::Pod;
use serde::{Serialize, de::DeserializeOwned};

use super::Communicator;
use crate::error::{Error, Result};

/// Values of a message; copies, since a received buffer need not be aligned.
pub(crate) fn from_bytes<T: Pod>(bytes: &[u8]) -> Vec<T> {
    bytemuck::allocation::pod_collect_to_vec(bytes)
}

/// Refuses parts of a scatter that are not one for each rank: a bug of the caller.
pub(super) fn assert_one_part_per_rank(comm: &dyn Communicator, parts: &[Vec<u8>]) {
    assert_eq!(parts.len(), comm.size(), "scatter needs one part per rank");
}

/// Turns an error of any rank into an error of all ranks, shown once (with the lowest rank's
/// message). Collective.
pub fn agree<T>(comm: &dyn Communicator, result: Result<T>) -> Result<T> {
    if comm.size() == 1 {
        return result;
    }
    let none = comm.size() as f64;
    let mut first = [if result.is_err() {
        comm.rank() as f64
    } else {
        none
    }];
    comm.min_f64(&mut first);
    if first[0] == none {
        return result;
    }
    let rank = first[0] as usize;
    let mut message = match &result {
        Err(e) if comm.rank() == rank => {
            let mut bytes = vec![e.exit_code()];
            bytes.extend_from_slice(e.to_string().as_bytes());
            bytes
        }
        _ => Vec::new(),
    };
    comm.broadcast(rank, &mut message);
    Err(Error::Rank {
        rank,
        ranks: comm.size(),
        exit_code: message.first().copied().unwrap_or(70),
        message: String::from_utf8_lossy(message.get(1..).unwrap_or_default()).into_owned(),
    })
}

/// The value of `root` (given there) on all ranks, by way of JSON.
pub fn broadcast_json<T: Serialize + DeserializeOwned>(
    comm: &dyn Communicator,
    root: usize,
    value: Option<T>,
) -> Result<T> {
    let bug = |e: &dyn std::fmt::Display| Error::Bug(format!("broadcast: {e}"));
    let mut bytes = match &value {
        Some(v) => serde_json::to_vec(v).map_err(|e| bug(&e))?,
        None => Vec::new(),
    };
    if comm.size() > 1 {
        comm.broadcast(root, &mut bytes);
    }
    serde_json::from_slice(&bytes).map_err(|e| bug(&e))
}

/// `values` of `root` on all ranks.
pub fn broadcast_slice<T: Pod>(comm: &dyn Communicator, root: usize, values: &mut Vec<T>) {
    if comm.size() == 1 {
        return;
    }
    let mut bytes = bytemuck::cast_slice(values).to_vec();
    comm.broadcast(root, &mut bytes);
    if comm.rank() != root {
        *values = from_bytes(&bytes);
    }
}

/// The values of every rank, in order of rank, on `root`; empty elsewhere.
pub fn gather_slices<T: Pod>(comm: &dyn Communicator, root: usize, values: &[T]) -> Vec<Vec<T>> {
    comm.gather(root, bytemuck::cast_slice(values))
        .iter()
        .map(|bytes| from_bytes(bytes))
        .collect()
}

/// Part `r` of `parts` (read on `root` only) on rank `r`.
pub fn scatter_slices<T: Pod>(comm: &dyn Communicator, root: usize, parts: &[Vec<T>]) -> Vec<T> {
    let bytes = parts
        .iter()
        .map(|p| bytemuck::cast_slice(p).to_vec())
        .collect();
    from_bytes(&comm.scatter(root, bytes))
}
