//! `isochrone reproduce FILE.h5`: runs again what made a result, and compares.

use std::path::{Path, PathBuf};

use super::diff::{diff, tolerance};
use crate::atomic_file::write_atomic;
use crate::cli::RunArgs;
use crate::cli::{
    CaseArgs, Cli, Command, EikonalArgs, FkArgs, GradientArgs, LogArgs, ReproduceArgs,
};
use crate::comm::{Communicator, agree, broadcast_json};
use crate::error::{Error, Result};
use crate::io::{has, root_text};
use crate::progress::Console;
use crate::report::{COMMIT, VERSION};
use crate::sha256;
use crate::simd::SimdLevel;

/// The configuration of the run, in its folder.
const CONFIGURATION: &str = "reproduce.toml";

/// Runs again and compares. Collective.
///
/// # Errors
/// Those of the run; `BadFile` for a file that does not tell how it was made; `BadData` for an input
/// that has changed since; [`Error::Different`] where the results differ by more than the tolerance.
pub fn run(
    args: &ReproduceArgs,
    log: &LogArgs,
    comm: &dyn Communicator,
    console: Console,
) -> Result<()> {
    let folder = args
        .output
        .clone()
        .unwrap_or_else(|| default_folder(&args.file));
    let prepared = if comm.rank() == 0 {
        prepare(&args.file, &folder).map(Some)
    } else {
        Ok(None)
    };
    let prepared = agree(comm, prepared)?;
    let (command, simd): (String, Option<String>) = broadcast_json(comm, 0, prepared)?;
    let again = RunArgs {
        case: CaseArgs {
            configs: vec![folder.join(CONFIGURATION)],
            set: simd
                .into_iter()
                .map(|level| ("run.simd".into(), level))
                .collect(),
            threads: args.threads,
            device: args.device,
            sealed: true,
        },
        output: Some(folder.clone()),
        overwrite: true,
        resume: false,
        dry_run: false,
    };
    let (command, name) = match command.as_str() {
        "eikonal" => {
            let simulate_ranks = Vec::new();
            let run = again;
            (
                Command::Eikonal(EikonalArgs {
                    run,
                    simulate_ranks,
                }),
                "eikonal.h5",
            )
        }
        "gradient" => {
            let args = GradientArgs {
                run: again,
                jacobian: false,
                tensor: false,
                check: false,
            };
            (Command::Gradient(args), "gradient.h5")
        }
        "invert" => (Command::Invert(again), "inversion.h5"),
        kind => {
            let args = FkArgs {
                run: again,
                tune_speed: None,
                simulate_ranks: Vec::new(),
            };
            let bridge = kind == "fk: activation";
            (
                Command::Fk(args),
                if bridge { "activation.h5" } else { "fk.h5" },
            )
        }
    };
    let log = log.clone();
    super::run(&Cli { command, log }, comm, console)?;
    diff(
        comm,
        [&args.file, &folder.join(name)],
        tolerance(&args.tolerance),
    )
}

/// Checks the inputs, writes the configuration to `folder`; the command that made the file and the
/// SIMD level that it had, where that changes the bits.
fn prepare(file: &Path, folder: &Path) -> Result<(String, Option<String>)> {
    let configuration = root_text(file, "configuration")?;
    check_inputs(&root_text(file, "inputs_sha256")?)?;
    let (version, commit) = (root_text(file, "version")?, root_text(file, "commit")?);
    if (version.as_str(), commit.as_str()) != (VERSION, COMMIT) {
        tracing::warn!(
            "made by version {version} ({commit}); this is {VERSION} ({COMMIT}), whose results may differ"
        );
    }
    let date = root_text(file, "date")?;
    tracing::info!("made on {date} by: {}", root_text(file, "command_line")?);
    let command = kind(file)?;
    let same = |path: &Path| path.canonicalize().ok();
    if same(folder).is_some() && same(folder) == file.parent().and_then(same) {
        return Err(Error::Usage {
            problem: format!("{} is the folder of the result itself", folder.display()),
            remedy: "choose another --output".into(),
        });
    }
    let filled = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if filled && !folder.join(CONFIGURATION).exists() {
        return Err(Error::Usage {
            problem: format!(
                "{} holds files that are of no earlier reproduction",
                folder.display()
            ),
            remedy: "choose another --output".into(),
        });
    }
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, "create the folder", &e))?;
    write_atomic(&folder.join(CONFIGURATION), configuration.as_bytes())?;
    // The kernels of simulations contract multiply and add on some levels; all others do not.
    let simd = command
        .starts_with("fk")
        .then(|| root_text(file, "simd"))
        .transpose()?;
    let simd = simd.filter(|level| level != SimdLevel::detect().name());
    Ok((command, simd))
}

/// The command that made the file, by what is in it.
fn kind(file: &Path) -> Result<String> {
    for (group, command) in [
        ("inversion", "invert"),
        ("gradient", "gradient"),
        ("fk", "fk"),
    ] {
        if has(file, group)? {
            return Ok(command.into());
        }
    }
    if !has(file, "fields")? {
        return Err(Error::bad_file(
            file,
            "file",
            "is no result of eikonal, gradient, invert or fk",
            "give one",
        ));
    }
    // Activation times at the vertices of a mesh are an eikonal solution or those of a simulation.
    let line = root_text(file, "command_line")?;
    let simulated = line.split_whitespace().any(|word| word == "fk");
    Ok(if simulated {
        "fk: activation"
    } else {
        "eikonal"
    }
    .into())
}

/// That the inputs are what they were: lines of a SHA-256 and a path.
fn check_inputs(hashes: &str) -> Result<()> {
    for line in hashes.lines() {
        let Some((expected, path)) = line.split_once("  ") else {
            continue;
        };
        let path = Path::new(path);
        if sha256::of_file(path)? != expected {
            return Err(Error::bad_data(
                path.display().to_string(),
                "its content has changed since the result was made",
                "bring back the file that the result was made from",
            ));
        }
    }
    Ok(())
}

/// `results/NAME-reproduced` for `…/NAME/eikonal.h5`.
fn default_folder(file: &Path) -> PathBuf {
    let folder = file.canonicalize().ok();
    let name = folder
        .as_deref()
        .and_then(Path::parent)
        .and_then(Path::file_name);
    let name = name.map_or("result".into(), |name| name.to_string_lossy().into_owned());
    Path::new("results").join(format!("{name}-reproduced"))
}
