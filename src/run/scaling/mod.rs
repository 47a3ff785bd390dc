//! `isochrone scaling`: a table, a CSV file and pictures of runs on different numbers of
//! processors, on rank 0 alone.

mod pictures;
mod problems;
pub mod reports;
mod study;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::atomic_file::write_atomic;
use crate::cli::ScalingArgs;
use crate::comm::{Communicator, agree};
use crate::error::{Error, Result};
use problems::problems;
use reports::{Run, find, read_json, simulated_ranks, unfit};
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
        if let Some(why) = unfit(&report) {
            tracing::warn!("{}: left out, since {why}", path.display());
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
    if runs.is_empty() && simulated.is_empty() {
        return Err(Error::bad_data(
            "the reports of the study",
            "all are left out (see above)",
            "run its points to their end",
        ));
    }
    let mut text = String::new();
    let mut csv = csv_header();
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for (command, runs) in runs {
        let problems = problems(&command, runs)?;
        let of = problems.len();
        for (i, runs) in problems.into_iter().enumerate() {
            warn_of_mixtures(&command, &runs);
            let mut study = Study::of(&command, runs, args.timer.as_deref())?;
            study.problem = (of > 1).then_some([i + 1, of]);
            text += &(study.table() + "\n");
            csv += &study.csv();
            let number = numbered(i);
            for (name, bytes) in pictures::all(&study, args.width)? {
                files.push((format!("scaling-{command}{number}-{name}.png"), bytes));
            }
        }
    }
    for (i, rows) in simulated.iter().enumerate() {
        let number = numbered(i);
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

/// What names of further files of a kind have: "-2".
fn numbered(i: usize) -> String {
    match i {
        0 => String::new(),
        i => format!("-{}", i + 1),
    }
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
