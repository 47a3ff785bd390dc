//! What an S1–S2 protocol keeps as it goes: the points of the intervals that are done.
//!
//! A resumed protocol repeats the S1 train, which is a small part of it and comes out the same to
//! the last bit, and goes on with the first interval that has no point.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::atomic_file::write_atomic;
use crate::error::{Error, Result};
use crate::io::Fingerprint;
use crate::monodomain::conduction::RestitutionPoint;
use crate::sha256;

const VERSION: u32 = 1;
const MAY_CHANGE: &str = "[checkpoint] and [run]";
const AGAIN: &str = "start again with --overwrite";

/// Points by the number of their interval.
pub type Points = BTreeMap<usize, RestitutionPoint>;

/// The file of a protocol, on rank 0.
pub struct ProtocolFile {
    pub path: PathBuf,
    pub fingerprint: Fingerprint,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    fingerprint: Fingerprint,
    points: Points,
    /// Of the points as text: no number can be damaged unnoticed.
    sha256: String,
}

impl ProtocolFile {
    /// Keeps the points so far.
    pub fn save(&self, points: &Points) -> Result<()> {
        let stored = Stored {
            version: VERSION,
            fingerprint: self.fingerprint.clone(),
            points: points.clone(),
            sha256: checksum(points)?,
        };
        let text = serde_json::to_string_pretty(&stored).map_err(bug)?;
        write_atomic(&self.path, text + "\n")
    }

    /// The points that are kept; none where there is no file.
    ///
    /// # Errors
    /// [`Error::BadFile`]: it is damaged or of another protocol.
    pub fn load(&self) -> Result<Points> {
        let bad = |problem: String| Error::bad_file(&self.path, "content", problem, AGAIN);
        let text = match std::fs::read_to_string(&self.path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Points::new()),
            read => read.map_err(|e| Error::io(&self.path, "read", &e))?,
        };
        let stored: Stored =
            serde_json::from_str(&text).map_err(|e| bad(format!("not readable: {e}")))?;
        if stored.version > VERSION {
            return Err(bad(format!(
                "its version {} is newer than {VERSION}, the last that is known here",
                stored.version
            )));
        }
        if checksum(&stored.points)? != stored.sha256 {
            return Err(bad("is not what was written".into()));
        }
        match stored.fingerprint.difference(&self.fingerprint, MAY_CHANGE) {
            Some(problem) => Err(bad(problem)),
            None => Ok(stored.points),
        }
    }

    /// Removes the file, once the result is complete.
    pub fn remove(&self) -> Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io(&self.path, "remove", &e))
            }
            _ => Ok(()),
        }
    }
}

fn checksum(points: &Points) -> Result<String> {
    Ok(sha256::of_bytes(&serde_json::to_vec(points).map_err(bug)?))
}

fn bug(e: serde_json::Error) -> Error {
    Error::Bug(format!("points of a protocol: {e}"))
}
