//! A recording in parts: a file per time between two checkpoints, so that a killed run loses
//! nothing that was recorded before its last checkpoint.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::numbered;
use super::series::{Growing, Series, open};
use crate::error::{Error, Result};

/// Segment 3 is `fk_recording-0003.h5`.
pub const PREFIX: &str = "fk_recording-";

/// The complete segments of a recording, in order; a checkpoint keeps them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Segments {
    files: Vec<Segment>,
    /// Number of the last segment ever begun: no name comes back with another content while an
    /// older checkpoint names it.
    last: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Segment {
    /// Name in the folder.
    file: String,
    /// How many rows of each series are of this recording.
    rows: Vec<usize>,
}

impl Segments {
    /// Path of the next segment.
    pub fn next(&self, folder: &Path) -> PathBuf {
        folder.join(numbered::name(PREFIX, self.last + 1))
    }

    /// Adds the segment that [`next`](Self::next) named.
    pub fn push(&mut self, rows: Vec<usize>) {
        self.last += 1;
        let file = numbered::name(PREFIX, self.last);
        self.files.push(Segment { file, rows });
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Takes up this recording in `folder`: removes segments that are not of it. `result` is the
    /// file that complete recordings end in; where a run got that far, it holds the rows of
    /// segments that are gone.
    ///
    /// # Errors
    /// [`Error::BadFile`], [`Error::MissingInput`] where a segment is damaged or lacks what was
    /// recorded.
    pub fn take_up(mut self, folder: &Path, series: &[Series], result: &str) -> Result<Self> {
        let is_there = |segment: &Segment| folder.join(&segment.file).exists();
        if !self.files.iter().all(is_there) && folder.join(result).exists() {
            let rows = (0..series.len())
                .map(|i| (self.files.iter()).filter_map(|s| s.rows.get(i)).sum())
                .collect();
            let file = result.to_owned();
            self.files = vec![Segment { file, rows }];
        }
        for segment in &self.files {
            let path = folder.join(&segment.file);
            if !path.exists() {
                return Err(Error::MissingInput {
                    path,
                    what: "segment of the recording, which the checkpoint goes on with".into(),
                    remedy: "put it back, or start again with --overwrite".into(),
                });
            }
            let file = open(&path)?;
            if segment.rows.len() != series.len() {
                return Err(Error::bad_file(
                    &path,
                    "file",
                    "the checkpoint is of another recording",
                    "start again with --overwrite",
                ));
            }
            // All of it, before days are computed that would be joined to it.
            for (one, &rows) in series.iter().zip(&segment.rows) {
                one.verify(&file, &path, rows)?;
            }
        }
        for (_, path) in numbered::list(folder, PREFIX)? {
            let name = path.file_name().unwrap_or_default();
            if !self.files.iter().any(|s| *name == *s.file) {
                numbered::remove(&path)?;
            }
        }
        numbered::remove_partials(folder, PREFIX)?;
        Ok(self)
    }

    /// All rows in one file that will be `path`.
    ///
    /// # Errors
    /// [`Error::BadFile`] for a damaged segment; [`Error::Io`].
    pub fn merge(&self, folder: &Path, path: &Path, series: Arc<[Series]>) -> Result<Growing> {
        let mut merged = Growing::create(path, series)?;
        for segment in &self.files {
            merged.append_file(&folder.join(&segment.file), &segment.rows)?;
        }
        Ok(merged)
    }

    /// Removes all segments of `folder`, whose rows are in the result.
    pub fn remove_all(folder: &Path) -> Result<()> {
        for (_, path) in numbered::list(folder, PREFIX)? {
            numbered::remove(&path)?;
        }
        Ok(())
    }
}
