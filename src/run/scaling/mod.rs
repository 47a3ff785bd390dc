//! `isochrone scaling`: a table, a CSV file and pictures of runs on different numbers of
//! processors, on rank 0 alone.

mod pictures;
pub mod reports;
mod study;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::atomic_file::write_atomic;
use crate::cli::ScalingArgs;
use crate::comm::{Communicator, agree};
use crate::error::{Error, Result};
use reports::{Run, find, read_json, simulated_ranks};
use study::{Study, csv_header};

/// Runs the command. Collective.
pub fn run(args: &ScalingArgs, comm: &dyn Communicator) -> Result<()> {
    let done = if comm.rank() == 0 {
        on_root(args).and_then(|text| super::print(&text))
    } else {
        Ok(())
    };
    agree(comm, done)
}

fn on_root(args: &ScalingArgs) -> Result<String> {
    let mut runs: BTreeMap<String, Vec<Run>> = BTreeMap::new();
    let mut simulated = Vec::new();
    for path in find(&args.folders)? {
        let report = read_json(&path)?;
        let reason = report["result"]["stop_reason"].as_str().unwrap_or("");
        if ["signal", "wall_time"].contains(&reason) {
            tracing::warn!(
                "{}: left out, since the run did not come to its end ({reason})",
                path.display()
            );
            continue;
        }
        match simulated_ranks(&report, &path)? {
            Some(rows) => simulated.push(rows),
            None => {
                let run = Run::of(&report, &path)?;
                runs.entry(run.command.clone()).or_default().push(run);
            }
        }
    }
    let mut text = String::new();
    let mut csv = csv_header();
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for (command, runs) in runs {
        warn_of_mixtures(&command, &runs);
        let study = Study::of(&command, runs, args.timer.as_deref())?;
        text += &(study.table() + "\n");
        csv += &study.csv();
        for (name, bytes) in pictures::all(&study, args.width)? {
            files.push((format!("scaling-{command}-{name}.png"), bytes));
        }
    }
    for (i, rows) in simulated.iter().enumerate() {
        let number = if i == 0 {
            String::new()
        } else {
            format!("-{}", i + 1)
        };
        let bytes = super::plot::simulated(rows, args.width)?;
        files.push((format!("scaling-simulated{number}.png"), bytes));
    }
    files.insert(0, ("scaling.csv".into(), csv.into_bytes()));
    let folder = folder(args);
    let paths: Vec<PathBuf> = files.iter().map(|(name, _)| folder.join(name)).collect();
    super::mesh::refuse_any_of(&paths, args.overwrite)?;
    std::fs::create_dir_all(&folder).map_err(|e| Error::io(&folder, "create the folder", &e))?;
    for (path, (_, bytes)) in paths.iter().zip(files) {
        write_atomic(path, bytes)?;
        text += &format!("{}\n", path.display());
    }
    Ok(text)
}

/// Where files go: the first folder of the study unless told.
fn folder(args: &ScalingArgs) -> PathBuf {
    let first = || match args.folders.first() {
        Some(path) if path.is_file() => path.parent().unwrap_or(Path::new("")).to_owned(),
        Some(path) => path.clone(),
        None => PathBuf::new(),
    };
    args.output.clone().unwrap_or_else(first)
}

/// Times of different machines or devices are no scaling.
fn warn_of_mixtures(command: &str, runs: &[Run]) {
    let differ = |of: fn(&Run) -> &str| runs.iter().any(|run| of(run) != of(&runs[0]));
    if differ(|run| &run.device) {
        tracing::warn!("isochrone {command}: runs on different devices are compared");
    }
    if differ(|run| &run.hostname) {
        tracing::warn!("isochrone {command}: runs on different hosts are compared");
    }
}
