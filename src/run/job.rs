//! What every command that runs a case begins and ends with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::info;
use super::model::Model;
use super::output::{self, Existing, Output};
use super::plan::Plan;
use crate::cli::RunArgs;
use crate::comm::{Communicator, agree, broadcast_json};
use crate::config::{Case, load_on_root};
use crate::device::{Device, choose::choose};
use crate::error::{Error, Result};
use crate::progress::Console;
use crate::report::{Provenance, Report, hostname};
use crate::simd::SimdLevel;

/// A case that is being run.
pub struct Job<'c> {
    pub comm: &'c dyn Communicator,
    pub console: Console,
    pub case: Case,
    pub report: Report,
    command: String,
    /// Threads of this rank.
    pub threads: usize,
    /// Device of this rank; absent: it computes with its threads.
    pub device: Option<Arc<dyn Device>>,
    /// Only the plan is wanted.
    pub dry_run: bool,
    /// What an interrupted run left is to be used.
    pub resume: bool,
    /// Folder of the results, not made yet.
    pub folder: PathBuf,
    existing: Existing,
}

impl<'c> Job<'c> {
    /// Loads the case on all ranks and starts the threads. `needs` says what this command asks of
    /// a case (mesh, sources, …). Collective.
    pub fn begin(
        command: &str,
        args: &RunArgs,
        comm: &'c dyn Communicator,
        console: Console,
        needs: impl Fn(&Case) -> Result<()>,
    ) -> Result<Self> {
        let sections: &[&str] = match command {
            "fk" => &["fk"],
            "eikonal" => &["mesh", "conduction", "domains", "source"],
            _ => &["mesh", "conduction", "domains", "source", "inversion"],
        };
        let case = load_on_root(comm, &args.case.inputs(), |case| {
            needs(case)?;
            case.check_files(sections)
        })?;
        if comm.rank() == 0 && sections.contains(&"inversion") {
            for warning in case.inversion_warnings() {
                tracing::warn!("{warning}");
            }
        }
        agree(comm, case.run.simd.pin())?;
        let threads = start_threads(comm, case.run.threads)?;
        let asked = case.origins.given("run.device");
        let device = choose(comm, case.run.device, asked)?;
        let mut report = Report::new(command, threads, SimdLevel::detect().name());
        if let Some(device) = &device {
            report.device(&format!("cuda: {}", device.name()));
        }
        let folder = args
            .output
            .clone()
            .unwrap_or_else(|| default_folder(command, args.case.configs.first()));
        Ok(Self {
            comm,
            console,
            report,
            command: command.into(),
            threads,
            device,
            dry_run: args.dry_run,
            resume: args.resume,
            folder,
            existing: match (args.overwrite, args.resume) {
                (true, _) => Existing::Overwrite,
                (_, true) => Existing::Resume,
                _ => Existing::Refuse,
            },
            case,
        })
    }

    /// Finds out whether the output folder can be written to; `checkpoint` is what the command can
    /// resume from. Collective; before the first long step, so that a run that could not write its
    /// results does not start.
    pub fn open_output(&self, checkpoint: Option<&str>) -> Result<Output> {
        Output::open(self.comm, &self.folder, self.existing, checkpoint)
    }

    /// Whether [`open_output`](Self::open_output) would be refused for what the folder holds.
    pub fn check_output(&self, checkpoint: Option<&str>) -> Result<()> {
        output::check(&self.folder, self.existing, checkpoint)
    }

    /// Makes the output folder that of this run, once all input is accepted. Collective.
    pub fn begin_output(&self, output: &Output, model: &Model) -> Result<()> {
        let inputs = model.root.as_ref().map_or(&[][..], |root| &root.inputs);
        output.begin(self.comm, self.case.to_toml(), inputs)
    }

    /// Prints what would run, on rank 0.
    pub fn print_plan(&self, plan: &Plan) -> Result<()> {
        super::print_on_root(self.comm, &plan.to_string())
    }

    /// Provenance of the results, on rank 0 (empty on the others), where the report is told the
    /// problem, too. Collective.
    pub fn provenance(&mut self, inputs: &[PathBuf]) -> Result<Provenance> {
        let made = if self.comm.rank() == 0 {
            let made = Provenance::new(
                self.comm.size(),
                self.threads,
                self.report.device_name(),
                SimdLevel::detect().name(),
                self.case.to_toml(),
                &info::libraries(),
                inputs,
            );
            made.and_then(|made| {
                let sections = problem_sections(&self.command);
                let problem = self.case.problem(sections, &made.input_hashes())?;
                self.report.problem(problem);
                Ok(made)
            })
        } else {
            Ok(Provenance::default())
        };
        agree(self.comm, made)
    }

    /// Writes `report.json`, last of all files, and says where the results are. Collective.
    pub fn finish(&mut self, output: &Output) -> Result<()> {
        self.write_report(output)?;
        if self.comm.rank() == 0 {
            tracing::info!(
                "results in {} after {:.2} s",
                self.folder.display(),
                self.report.elapsed()
            );
        }
        Ok(())
    }

    /// Writes `report.json`: all that a run without results leaves. Collective.
    pub fn write_report(&mut self, output: &Output) -> Result<()> {
        let written = self
            .report
            .gather(self.comm)
            .and_then(|report| match report {
                Some(report) => {
                    let mut text = serde_json::to_string_pretty(&report)
                        .map_err(|e| Error::Bug(format!("report: {e}")))?;
                    text.push('\n');
                    output.write("report.json", text.as_bytes())
                }
                None => Ok(()),
            });
        agree(self.comm, written)
    }
}

/// Sections on which the result of a command depends, beside mesh and grid.
fn problem_sections(command: &str) -> &'static [&'static str] {
    match command {
        "fk" => &["domains", "fk"],
        "eikonal" => &["conduction", "domains", "source", "eikonal"],
        "gradient" => &[
            "conduction",
            "domains",
            "source",
            "eikonal",
            "inversion",
            "gradient",
        ],
        _ => &["conduction", "domains", "source", "eikonal", "inversion"],
    }
}

/// `results/<config>-<command>`.
fn default_folder(command: &str, config: Option<&PathBuf>) -> PathBuf {
    let stem = config.and_then(|path| path.file_stem());
    let name = match stem.map(|s| s.to_string_lossy()) {
        None => command.to_string(),
        // eikonal-heart.toml needs no second "eikonal".
        Some(stem) if stem.starts_with(command) => stem.into_owned(),
        Some(stem) => format!("{stem}-{command}"),
    };
    Path::new("results").join(name)
}

/// More threads per rank than any node has processors.
const MOST_THREADS: usize = 4096;

/// Starts rayon's threads: as many as `asked`, else this rank's share of the processors that it
/// may run on. Collective.
fn start_threads(comm: &dyn Communicator, asked: Option<usize>) -> Result<usize> {
    let sharing = ranks_that_share_processors(comm)?;
    let threads = asked.unwrap_or_else(|| (info::processors() / sharing).max(1));
    let refused =
        |problem: String| Error::bad_data("run.threads", problem, "ask for fewer with --threads");
    let started = if threads > MOST_THREADS {
        Err(refused(format!(
            "{threads} threads are more than {MOST_THREADS}"
        )))
    } else {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build_global()
            .map_err(|e| refused(format!("{threads} threads could not be started: {e}")))
    };
    agree(comm, started)?;
    Ok(threads)
}

/// Number of ranks on this node that are allowed the same processors, this one included. Ranks
/// that the launcher bound to processors of their own share with nobody.
fn ranks_that_share_processors(comm: &dyn Communicator) -> Result<usize> {
    let place = format!("{} {}", hostname(), info::allowed_processors());
    let places = comm.gather(0, place.as_bytes());
    let places = (comm.rank() == 0).then_some(places);
    let places: Vec<Vec<u8>> = broadcast_json(comm, 0, places)?;
    let same = places.iter().filter(|p| p.as_slice() == place.as_bytes());
    Ok(same.count().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comm::threads;

    #[test]
    fn default_folders_are_named_after_the_case() {
        let folder =
            |config: Option<&str>| default_folder("eikonal", config.map(PathBuf::from).as_ref());
        assert_eq!(
            folder(Some("config/heart.toml")),
            Path::new("results/heart-eikonal")
        );
        assert_eq!(
            folder(Some("eikonal-lv.toml")),
            Path::new("results/eikonal-lv")
        );
        assert_eq!(folder(None), Path::new("results/eikonal"));
    }

    #[test]
    fn ranks_of_one_process_share_its_processors() {
        let counts = threads::run(3, |comm| ranks_that_share_processors(comm).unwrap());
        assert_eq!(counts, [3, 3, 3]);
    }
}
