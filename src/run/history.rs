//! What an inversion keeps as it goes: a line per iteration, and a checkpoint to resume from.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::output::{CHECKPOINT, Output};
use crate::error::{Error, Result};
use crate::inversion::coordinator::{Checkpoint, Outcome, Resume};
use crate::inversion::objective::Counters;
use crate::inversion::optimizer::IterationRecord;
use crate::inversion::refinement::Split;
use crate::io::Fingerprint;
use crate::report::{EarlierParts, Figures};
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
    /// SHA-256 of the second line, a [`Kept`]: no number in it can be damaged unnoticed.
    sha256: String,
}

/// What an interrupted inversion left; second line of a checkpoint.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Kept {
    /// Refinements of the domains that were made.
    pub levels: Vec<Level>,
    /// Of the last level; absent where its first iteration was still to come.
    checkpoint: Option<Checkpoint>,
    /// Iterations so far, of all levels.
    history: Vec<IterationRecord>,
    /// What the parts of the run before this one took.
    #[serde(default)]
    earlier: EarlierParts,
    /// The same with this one, once it has ended in order.
    #[serde(default)]
    whole: Option<Figures>,
}

/// A refinement of the domains: what was found before, and where domains were split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// γ of the domains before the split.
    pub gamma: Vec<f64>,
    /// Unknowns of sources.
    pub sources: Vec<f64>,
    /// ms² times the weights.
    pub misfit: f64,
    pub splits: Vec<Split>,
    /// Evaluations of this level.
    pub counters: Counters,
    /// Iterations of this level and those before.
    records: usize,
}

impl Level {
    /// The refinement that follows an outcome; `records` is set when it is kept.
    pub fn new(outcome: &Outcome, splits: Vec<Split>) -> Self {
        let run = outcome.best();
        Self {
            counters: outcome.counters(),
            gamma: run.gamma.clone(),
            sources: run.sources.clone(),
            misfit: run.misfit,
            splits,
            records: 0,
        }
    }
}

impl Kept {
    /// What the last level goes on from.
    pub fn resume(&self) -> Option<Resume> {
        let first = self.levels.last().map_or(0, |level| level.records);
        Some(Resume {
            checkpoint: self.checkpoint.clone()?,
            history: self.history.get(first..)?.to_vec(),
        })
    }

    /// What the run has taken so far, for one that goes on from here.
    pub fn earlier_parts(&self) -> EarlierParts {
        let EarlierParts {
            parts,
            untold,
            figures,
        } = self.earlier.clone();
        EarlierParts {
            parts: parts + 1,
            untold: untold + u64::from(self.whole.is_none()),
            figures: self.whole.clone().unwrap_or(figures),
        }
    }

    /// Iterations of all levels, the initial γ of each not counted.
    pub fn iterations(&self) -> usize {
        self.history
            .iter()
            .filter(|record| record.iteration > 0)
            .count()
    }
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
    kept: Kept,
    saved: Option<Instant>,
}

impl History {
    /// Starts a history, from what was kept if there is something.
    pub fn start(output: &Output, fingerprint: Fingerprint, kept: Option<&Kept>) -> Result<Self> {
        let mut text = String::new();
        for record in kept.iter().flat_map(|kept| &kept.history) {
            text += &line(record)?;
        }
        // Lines after the checkpoint will be written again.
        output.write(HISTORY, text.as_bytes())?;
        if kept.is_none() {
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
        let kept = kept.map(|kept| Kept {
            earlier: kept.earlier_parts(),
            whole: None,
            ..kept.clone()
        });
        Ok(Self {
            output: output.clone(),
            fingerprint,
            lines,
            path,
            kept: kept.unwrap_or_default(),
            saved: None,
        })
    }

    /// Keeps what the run has taken, all its parts together, now that this one ends.
    pub fn end(&mut self, whole: Option<&Figures>) -> Result<()> {
        self.kept.whole = whole.cloned();
        self.save()
    }

    /// Keeps an iteration.
    pub fn add(&mut self, record: &IterationRecord, checkpoint: &Checkpoint) -> Result<()> {
        self.lines
            .write_all(line(record)?.as_bytes())
            .and_then(|()| self.lines.flush())
            .map_err(|e| Error::io(&self.path, "write", &e))?;
        self.kept.history.push(record.clone());
        self.kept.checkpoint = Some(checkpoint.clone());
        let due = self.saved.is_none_or(|at| at.elapsed() >= CHECKPOINT_EVERY);
        if due { self.save() } else { Ok(()) }
    }

    /// Keeps a refinement, from which the next level starts.
    pub fn refine(&mut self, mut level: Level) -> Result<()> {
        level.records = self.kept.history.len();
        self.kept.levels.push(level);
        self.kept.checkpoint = None;
        self.save()
    }

    /// Writes the checkpoint.
    pub fn save(&mut self) -> Result<()> {
        if self.kept.history.is_empty() {
            return Ok(());
        }
        let stored = serde_json::to_string(&self.kept).map_err(bug)?;
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
pub fn resume(output: &Output, now: &Fingerprint) -> Result<Option<Kept>> {
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
    serde_json::from_slice(stored).map(Some).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkpoint that an earlier version wrote knows no figures.
    #[test]
    fn checkpoints_without_figures_are_read() {
        let old = r#"{"levels":[],"checkpoint":null,"history":[]}"#;
        let kept: Kept = serde_json::from_str(old).unwrap();
        let earlier = kept.earlier_parts();
        assert_eq!((earlier.parts, earlier.untold), (1, 1));
        assert_eq!(earlier.figures, Figures::default());
    }
}
