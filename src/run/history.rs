//! What an inversion keeps as it goes: a line per iteration, and a checkpoint to resume from.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::output::{CHECKPOINT, Output};
use crate::error::{Error, Result};
use crate::inversion::coordinator::{Checkpoint, Resume};
use crate::inversion::optimizer::IterationRecord;
use crate::sha256;

/// One JSON object per iteration.
pub const HISTORY: &str = "inversion_history.jsonl";

/// A crash loses at most the iterations of this long.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(2);

/// What a resumed run must have in common with the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// SHA-256 of the case without what may change.
    pub case: String,
    /// SHA-256 of each input file.
    pub inputs: BTreeMap<PathBuf, String>,
}

impl Fingerprint {
    /// What of `self`, a checkpoint's, is not as it is `now`.
    fn difference(&self, now: &Self) -> Option<String> {
        if self.case != now.case {
            let problem = "it is of another case (only stop criteria and [run] may change)";
            return Some(problem.into());
        }
        let as_now = |(path, sha256): &(&PathBuf, &String)| now.inputs.get(*path) == Some(*sha256);
        let changed = self.inputs.iter().filter(|input| !as_now(input));
        let added = now.inputs.iter();
        let added = added.filter(|(path, _)| !self.inputs.contains_key(*path));
        let names: Vec<String> = changed
            .chain(added)
            .map(|(path, _)| path.display().to_string())
            .collect();
        if names.is_empty() {
            return None;
        }
        Some(format!(
            "the content of {} has changed since it was written",
            names.join(", ")
        ))
    }
}

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

/// Version of the checkpoint's format.
const VERSION: u32 = 1;

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
    if let Some(problem) = header.fingerprint.difference(now) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_input_is_named_when_resuming() {
        let of = |case: &str, inputs: &[(&str, &str)]| Fingerprint {
            case: case.into(),
            inputs: (inputs.iter())
                .map(|(path, sha256)| (PathBuf::from(path), sha256.to_string()))
                .collect(),
        };
        let old = of("a", &[("mesh.h5", "1"), ("measured.h5", "2")]);
        assert_eq!(old.difference(&old), None);
        let says = |now: Fingerprint, words: &str| {
            let text = old.difference(&now).unwrap();
            assert!(text.contains(words), "{text}");
        };
        says(of("b", &[("mesh.h5", "1")]), "another case");
        let changed = of("a", &[("mesh.h5", "1"), ("measured.h5", "3")]);
        says(changed, "the content of measured.h5 has changed");
        says(of("a", &[("mesh.h5", "1")]), "measured.h5");
        let more = [("mesh.h5", "1"), ("measured.h5", "2"), ("w.h5", "4")];
        says(of("a", &more), "w.h5");
    }
}
