//! Options that make a case: configuration files and keys set by hand.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::values::{at_least_one, device, key_and_value};
use crate::config::{Argument, Inputs};
use crate::device::DeviceChoice;

/// A case: configuration files, keys set by hand.
#[derive(Debug, Clone, Args)]
pub struct CaseArgs {
    /// Configuration files; later ones win
    #[arg(value_name = "CONFIG.toml")]
    pub configs: Vec<PathBuf>,
    /// Set a key: --set source.0.time=3 (TOML, or a string)
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub set: Vec<(String, String)>,
    /// Threads per rank [default: the node's cores divided by its ranks]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub threads: Option<usize>,
    /// Where ranks compute: auto, cpu, cuda [default: auto]
    #[arg(long, value_parser = device)]
    pub device: Option<DeviceChoice>,
    /// Nothing but the files and keys above: the environment does not count.
    #[arg(skip)]
    pub sealed: bool,
}

/// A case to be run.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub case: CaseArgs,
    /// Folder of the results [default: results/<config>-<command>]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Write over results that are there
    #[arg(long, conflicts_with = "resume")]
    pub overwrite: bool,
    /// Go on from what an interrupted run left in the output folder
    #[arg(long)]
    pub resume: bool,
    /// Say what would run, its memory and its files; run nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the merged configuration and where each value came from
    Show(CaseArgs),
    /// Check a configuration and the files that it names
    Check(CaseArgs),
    /// Print every key with its type, default, unit and meaning
    Doc,
}

impl CaseArgs {
    /// The layers of the configuration that this command line asks for.
    pub fn inputs(&self) -> Inputs {
        let mut arguments: Vec<Argument> = self
            .set
            .iter()
            .map(|(key, value)| argument("--set", key, value))
            .collect();
        if let Some(threads) = self.threads {
            arguments.push(argument("--threads", "run.threads", &threads.to_string()));
        }
        if let Some(device) = self.device {
            arguments.push(argument("--device", "run.device", device.name()));
        }
        Inputs {
            files: self.configs.clone(),
            environment: std::env::vars_os()
                .filter(|_| !self.sealed)
                .map(|(name, value)| {
                    let text = |s: std::ffi::OsString| s.to_string_lossy().into_owned();
                    (text(name), text(value))
                })
                .collect(),
            arguments,
        }
    }
}

/// The key that an option sets.
pub(super) fn argument(option: &str, key: &str, value: &str) -> Argument {
    Argument {
        option: option.into(),
        key: key.into(),
        value: value.into(),
    }
}
