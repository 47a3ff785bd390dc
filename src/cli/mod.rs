//! The command line: clap only.

mod case;
mod compare;
mod generate;
mod mesh;
mod pictures;
mod solve;
mod values;

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

pub use case::{CaseArgs, ConfigCommand, RunArgs};
pub use compare::{DiffArgs, ReproduceArgs, ToleranceArgs};
pub use generate::{GenerateArgs, GeneratorKind};
pub use mesh::{FibresArgs, MeshCommand, MeshFile, MeshFiles};
pub use pictures::{PlotArgs, Range, ScalingArgs};
pub use solve::{EikonalArgs, FkArgs, GradientArgs};

/// Cardiac activation times on tetrahedral meshes, their exact derivatives, and the
/// conductivities that explain measured times.
#[derive(Debug, Parser)]
#[command(name = "isochrone", version, max_term_width = 100)]
#[command(
    after_help = "Several ranks: mpirun -n 4 isochrone eikonal case.toml\n\
    All keys of a configuration: isochrone config doc"
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub log: LogArgs,
}

/// How much is said on the way, and how.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// Form of the log on standard error
    #[arg(
        long = "log",
        value_name = "FORM",
        global = true,
        default_value = "text"
    )]
    pub form: LogForm,
    /// Say more, on every rank (twice: still more)
    #[arg(short, long, action = ArgAction::Count, global = true, conflicts_with = "quiet")]
    pub verbose: u8,
    /// Errors only
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogForm {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Generate, convert, inspect, repair, refine or partition a mesh
    #[command(subcommand)]
    Mesh(MeshCommand),
    /// Excitation waves: a reaction-diffusion model on a grid
    Fk(FkArgs),
    /// Activation times from sources
    Eikonal(EikonalArgs),
    /// Misfit and its derivatives by gamma (and by the velocity tensor)
    Gradient(GradientArgs),
    /// Gamma of every domain from measured activation times
    Invert(RunArgs),
    /// Pictures of a result, a mesh or a report, without a display
    Plot(PlotArgs),
    /// Table, CSV file and pictures of runs on different numbers of ranks and threads
    Scaling(ScalingArgs),
    /// Show, check or document a configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Compare two result files, dataset by dataset; 1 where they differ
    Diff(DiffArgs),
    /// Run again what made a result, from the configuration in it, and compare
    Reproduce(ReproduceArgs),
    /// Version, libraries and what this machine offers
    Info,
    /// Print the completions of a shell
    Completions {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write those of all commands to a folder
    Man {
        /// Folder for one page per command
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
        /// Write over files there that are no manual pages of this program
        #[arg(long, requires = "folder")]
        overwrite: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
