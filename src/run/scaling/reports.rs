//! What a scaling study needs of `report.json` files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::Problem;
use crate::error::{Error, Result};

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub path: PathBuf,
    pub command: String,
    pub ranks: u64,
    pub threads: u64,
    pub device: String,
    pub hostname: String,
    /// What was computed; absent in reports of versions that did not tell.
    pub problem: Option<Problem>,
    /// Tetrahedra, or cells in tissue.
    pub size: f64,
    /// Seconds of each timer; the slowest rank.
    pub timings: BTreeMap<String, f64>,
    pub counters: BTreeMap<String, u64>,
    pub peak_rss_bytes: u64,
}

/// What `eikonal --simulate-ranks` says of one number of ranks.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulated {
    pub ranks: u64,
    /// Seconds on the critical path.
    pub forward_s: f64,
    pub adjoint_s: f64,
    /// Of exchanges, in all.
    pub rounds: f64,
    /// Sent by all ranks.
    pub bytes: f64,
}

const REMEDY: &str = "give report.json files that isochrone wrote";

/// Reads a JSON file.
///
/// # Errors
/// [`Error::MissingInput`]; [`Error::BadFile`] with the line where it is not JSON.
pub fn read_json(path: &Path) -> Result<Value> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, "read", &e))?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|e| {
        let place = format!("line {}", e.line());
        let problem = format!("is not JSON ({e})");
        Error::bad_file(
            path,
            place,
            problem,
            "the file may be truncated; copy it again",
        )
    })?;
    if !value.is_object() {
        return Err(Error::bad_file(path, "file", "is no report", REMEDY));
    }
    Ok(value)
}

/// A place in a report that must hold something.
fn need<T>(path: &Path, place: &str, value: Option<T>) -> Result<T> {
    let problem = "is missing, or of the wrong kind";
    value.ok_or_else(|| Error::bad_file(path, place, problem, REMEDY))
}

impl Run {
    /// The run that `report`, read from `path`, tells of.
    ///
    /// # Errors
    /// [`Error::BadFile`] with the key that is missing.
    pub fn of(report: &Value, path: &Path) -> Result<Self> {
        let text = |key: &str| need(path, key, report[key].as_str()).map(str::to_owned);
        let count = |key: &str| need(path, key, report[key].as_u64().filter(|n| *n > 0));
        let tetrahedra = report["mesh"]["tetrahedra"].as_f64();
        let cells = || report["grid"]["active_cells"].as_f64();
        let size = tetrahedra.or_else(cells).filter(|n| *n > 0.0);
        let timings = need(path, "timings_s", report["timings_s"].as_object())?;
        let timings = (timings.iter())
            .map(|(name, seconds)| {
                let seconds = seconds.as_f64().filter(|s| *s >= 0.0);
                let seconds = need(path, &format!("timings_s.{name}"), seconds)?;
                Ok((name.clone(), seconds))
            })
            .collect::<Result<_>>()?;
        let counters = report["counters"].as_object().into_iter().flatten();
        Ok(Self {
            path: path.to_owned(),
            command: text("command")?,
            ranks: count("ranks")?,
            threads: count("threads")?,
            device: text("device")?,
            hostname: report["hostname"].as_str().unwrap_or_default().into(),
            problem: serde_json::from_value(report["problem"].clone()).ok(),
            size: need(path, "mesh.tetrahedra or grid.active_cells", size)?,
            timings,
            counters: counters
                .filter_map(|(n, c)| Some((n.clone(), c.as_u64()?)))
                .collect(),
            peak_rss_bytes: report["peak_rss_bytes"].as_u64().unwrap_or(0),
        })
    }

    /// Ranks × threads.
    pub fn processors(&self) -> f64 {
        (self.ranks * self.threads) as f64
    }

    /// Seconds of all `timers` together that the run has; `None` where it has none of them.
    pub fn seconds(&self, timers: &[&str]) -> Option<f64> {
        let found = timers.iter().filter_map(|name| self.timings.get(*name));
        let (n, sum) = found.fold((0, 0.0), |(n, sum), seconds| (n + 1, sum + seconds));
        (n > 0).then_some(sum)
    }

    /// Seconds of communication and waiting during the computation, the mean over ranks.
    pub fn exchange_seconds(&self) -> f64 {
        let microseconds = self.counters.get("exchange_us").copied().unwrap_or(0);
        1e-6 * microseconds as f64 / self.ranks as f64
    }

    /// F = 1 + adjoint/solve: what a gradient costs, in forward solutions.
    pub fn factor(&self) -> Option<f64> {
        let adjoint = self.timings.get("adjoint").filter(|s| **s > 0.0)?;
        let solve = self.timings.get("solve").filter(|s| **s > 0.0)?;
        Some(1.0 + adjoint / solve)
    }
}

/// Why a report is no point of a study; `None` where it is one.
pub fn unfit(report: &Value) -> Option<String> {
    let result = &report["result"];
    let reason = result["stop_reason"].as_str().unwrap_or("");
    if ["signal", "wall_time"].contains(&reason) {
        return Some(format!("the run did not come to its end ({reason})"));
    }
    if report["resumed"].is_object() || result["resumed_from_ms"].is_number() {
        return Some("the run was resumed: its times are of several parts".into());
    }
    let counted = report["command"] == "fk" && result["simulated_ranks"].is_array();
    counted.then(|| "isochrone fk --simulate-ranks counts and takes no times".into())
}

/// The rows of `eikonal --simulate-ranks` in a report; `None` where it is of another run.
///
/// # Errors
/// [`Error::BadFile`] where a row lacks a number.
pub fn simulated_ranks(report: &Value, path: &Path) -> Result<Option<Vec<Simulated>>> {
    let Some(rows) = report["result"]["simulated_ranks"].as_array() else {
        return Ok(None);
    };
    if report["command"] == "fk" {
        return Ok(None);
    }
    let row = |(i, row): (usize, &Value)| {
        let number = |keys: &[&str]| {
            let value = keys.iter().fold(row, |value, key| &value[*key]).as_f64();
            need(
                path,
                &format!("result.simulated_ranks.{i}.{}", keys.join(".")),
                value,
            )
        };
        let both = |key: &str| Ok(number(&["iteration", key])? + number(&["canonical", key])?);
        Ok(Simulated {
            ranks: number(&["ranks"])? as u64,
            forward_s: number(&["critical_path_s", "forward"])?,
            adjoint_s: number(&["critical_path_s", "adjoint"])?,
            rounds: both("rounds")? + number(&["adjoint", "rounds"])?,
            bytes: both("bytes_sent")? + number(&["adjoint", "bytes_sent"])?,
        })
    };
    let rows = rows
        .iter()
        .enumerate()
        .map(row)
        .collect::<Result<Vec<_>>>()?;
    Ok((!rows.is_empty()).then_some(rows))
}

/// All `report.json` in the folders, to a depth of four, in order of their paths; a file is itself.
/// One that several paths lead to is there once; those paths are told.
///
/// # Errors
/// [`Error::MissingInput`] where a folder is not there, or there is no report.
pub fn find(folders: &[PathBuf]) -> Result<Vec<PathBuf>> {
    fn search(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
        let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, "read", &e))?;
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() && depth > 0 {
                search(&path, depth - 1, found)?;
            } else if path.file_name().is_some_and(|name| name == "report.json") {
                found.push(path);
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    for folder in folders {
        if folder.is_file() {
            found.push(folder.clone());
        } else if folder.is_dir() {
            search(folder, 4, &mut found)?;
        } else {
            return Err(Error::MissingInput {
                path: folder.clone(),
                what: "folder of a scaling study".into(),
                remedy: "give folders that hold report.json files".into(),
            });
        }
    }
    let found = distinct(found);
    match folders.first() {
        Some(first) if found.is_empty() => Err(Error::MissingInput {
            path: first.clone(),
            what: "report.json in the folder, nor four levels down".into(),
            remedy: "run the points of the study first: scripts/scaling-study.sh".into(),
        }),
        _ => Ok(found),
    }
}

/// The paths without those that lead to a file which another one leads to.
fn distinct(paths: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut seen: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    let mut kept = Vec::new();
    for path in paths {
        let place = path.canonicalize().unwrap_or_else(|_| path.clone());
        match seen.get(&place) {
            None => {
                seen.insert(place, path.clone());
                kept.push(path);
            }
            Some(first) => tracing::warn!(
                "{}: left out, since {} is the same file",
                path.display(),
                first.display()
            ),
        }
    }
    kept
}
