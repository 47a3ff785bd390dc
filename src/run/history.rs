//! What an inversion keeps as it goes: a line per iteration, and a checkpoint to resume from.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::output::{CHECKPOINT, Output};
use crate::error::{Error, Result};
use crate::inversion::coordinator::{Checkpoint, Resume};
use crate::inversion::optimizer::IterationRecord;
use crate::io::Fingerprint;
use crate::sha256;

/// One JSON object per iteration.
pub const HISTORY: &str = "inversion_history.jsonl";

/// A crash loses at most the iterations of this long.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(2);

/// First line of a checkpoint.
#[derive(Serialize, Deserialize)]
struct Header {
    /// Format of this file.
    version: u32,
    #[serde(flatten)]
    fingerprint: Fingerprint,
    /// SHA-256 of the second line, a [`Stored`]: no number in it can be damaged unnoticed.
    sha256: String,
}

/// Second line of a checkpoint.
#[derive(Serialize, Deserialize)]
struct Stored {
    checkpoint: Checkpoint,
    /// Iterations so far.
    history: Vec<IterationRecord>,
}

/// What of the case may change.
const MAY_CHANGE: &str = "stop criteria and [run]";

/// Version of the checkpoint's format.
const VERSION: u32 = 2;

/// The growing history of one inversion, on rank 0.
pub struct History {
    output: Output,
    fingerprint: Fingerprint,
    lines: File,
    path: PathBuf,
    records: Vec<IterationRecord>,
    last: Option<Checkpoint>,
    saved: Option<Instant>,
}

impl History {
    /// Starts a history, from `resume` if there is one.
    pub fn start(
        output: &Output,
        fingerprint: Fingerprint,
        resume: Option<&Resume>,
    ) -> Result<Self> {
        let records = resume.map_or_else(Vec::new, |r| r.history.clone());
        let mut text = String::new();
        for record in &records {
            text += &line(record)?;
        }
        // Lines after the checkpoint will be written again.
        output.write(HISTORY, text.as_bytes())?;
        if resume.is_none() {
            let old = output.path(CHECKPOINT);
            match std::fs::remove_file(&old) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io(&old, "remove", &e));
                }
                _ => {}
            }
        }
        let path = output.path(HISTORY);
        let lines = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(|e| Error::io(&path, "open", &e))?;
        Ok(Self {
            output: output.clone(),
            fingerprint,
            lines,
            path,
            records,
            last: resume.map(|r| r.checkpoint.clone()),
            saved: None,
        })
    }

    /// Keeps an iteration.
    pub fn add(&mut self, record: &IterationRecord, checkpoint: &Checkpoint) -> Result<()> {
        self.lines
            .write_all(line(record)?.as_bytes())
            .and_then(|()| self.lines.flush())
            .map_err(|e| Error::io(&self.path, "write", &e))?;
        self.records.push(record.clone());
        self.last = Some(checkpoint.clone());
        let due = self.saved.is_none_or(|at| at.elapsed() >= CHECKPOINT_EVERY);
        if due { self.save() } else { Ok(()) }
    }

    /// Writes the checkpoint.
    pub fn save(&mut self) -> Result<()> {
        let Some(checkpoint) = &self.last else {
            return Ok(());
        };
        let stored = serde_json::to_string(&Stored {
            checkpoint: checkpoint.clone(),
            history: self.records.clone(),
        });
        let stored = stored.map_err(bug)?;
        let header = serde_json::to_string(&Header {
            version: VERSION,
            fingerprint: self.fingerprint.clone(),
            sha256: sha256::of_bytes(stored.as_bytes()),
        });
        let text = header.map_err(bug)? + "\n" + &stored;
        self.output.write(CHECKPOINT, text.as_bytes())?;
        self.saved = Some(Instant::now());
        Ok(())
    }
}

fn line(record: &IterationRecord) -> Result<String> {
    Ok(serde_json::to_string(record).map_err(bug)? + "\n")
}

fn bug(e: serde_json::Error) -> Error {
    Error::Bug(format!("history: {e}"))
}

/// What an interrupted run of the same case left; `None` where there is nothing.
pub fn resume(output: &Output, now: &Fingerprint) -> Result<Option<Resume>> {
    let path = output.path(CHECKPOINT);
    if !Path::new(&path).exists() {
        return Ok(None);
    }
    let text = std::fs::read(&path).map_err(|e| Error::io(&path, "read", &e))?;
    let damaged = |problem: String| {
        Error::bad_file(&path, "checkpoint", problem, "start again with --overwrite")
    };
    let unreadable = |e: serde_json::Error| damaged(format!("not readable: {e}"));
    let end = text.iter().position(|b| *b == b'\n').unwrap_or(text.len());
    let (header, stored) = (&text[..end], text.get(end + 1..).unwrap_or_default());
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let Version { version } = serde_json::from_slice(header).map_err(unreadable)?;
    if version != VERSION {
        return Err(damaged(format!("its version {version} is not {VERSION}")));
    }
    let header: Header = serde_json::from_slice(header).map_err(unreadable)?;
    if let Some(problem) = header.fingerprint.difference(now, MAY_CHANGE) {
        return Err(damaged(problem));
    }
    if header.sha256 != sha256::of_bytes(stored) {
        return Err(damaged("its content is not what was written".into()));
    }
    let stored: Stored = serde_json::from_slice(stored).map_err(unreadable)?;
    Ok(Some(Resume {
        checkpoint: stored.checkpoint,
        history: stored.history,
    }))
}
